/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two ends of a link to a witness share, see lock_witness.h. */

#ifndef MIRRORD_LOCK_WITNESS_WIRE_H
#define MIRRORD_LOCK_WITNESS_WIRE_H

#include "lock_witness.h"

struct peer_link;

#define WITNESS_MAGIC "MLW1"
/* What of a block says something. */
#define WITNESS_BLOCK 512

/* Little endian, as are all machines that this runs on. */
struct witness_head {
	char magic[4];
	uint32_t number;	/* blocks to read; in an answer: 0 or errno */
	uint32_t blocks;	/* that follow */
	uint32_t zero;
};

int witness_send(struct peer_link *link, struct witness_head *head,
		 const uint8_t *blocks);
/* 0, EAGAIN, EBADMSG, else the link is broken. *blocks: until the next call. */
int witness_receive(struct peer_link *link, struct witness_head *head,
		    const uint8_t **blocks);

#endif /* MIRRORD_LOCK_WITNESS_WIRE_H */
