/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lies in a copy of the mailbox, of the cluster lock: a header, and one
 * block for every node, in which that node alone writes.
 *
 * Owns: the format, its checksums.
 * Does not own: reading and writing (lock_copy.h), what is made of it
 * (lock_lease.h).
 *
 * All numbers are little endian. A block is 4096 bytes, so that a disk with
 * blocks of either size writes it as a whole; what it has is in the first 512.
 */

#ifndef MIRRORD_LOCK_SECTOR_H
#define MIRRORD_LOCK_SECTOR_H

#include <stdbool.h>
#include <stdint.h>

#define LOCK_BLOCK 4096
#define LOCK_NODES 64
#define LOCK_COPIES 2
/* Header and one block for each node. */
#define LOCK_COPY_SIZE ((1 + LOCK_NODES) * LOCK_BLOCK)
/* Two copies on one device are so far apart. */
#define LOCK_COPY_APART (1024 * 1024)
#define LOCK_DEVICE_SIZE (LOCK_COPY_APART + LOCK_COPY_SIZE)

#define LOCK_LEASE_MS 1000
#define LOCK_LEASE_MS_MIN 500
#define LOCK_LEASE_MS_MAX 10000

struct lock_header {
	uint8_t id[16];		/* of the mailbox: the same in both copies */
	uint32_t lease_ms;
	uint8_t copy;		/* 0, 1 */
	uint8_t copies;
};

enum sector_state {
	SECTOR_FREE,
	SECTOR_WANT,	/* tries to get the lock */
	SECTOR_HOLD,	/* has it, if its term is the highest */
	SECTOR_STATES
};

struct sector {
	uint64_t sequence;	/* one more with every write; 0: no write */
	uint64_t term;		/* of its last hold; one more than any before */
	uint64_t members;	/* HOLD: who may take it when the hold lapses */
	uint32_t node;
	enum sector_state state;
	bool clients;		/* a client network has carrier here */
	uint8_t lost;		/* copies that this node does not use */
};

void lock_header_push(const struct lock_header *header,
		      uint8_t block[LOCK_BLOCK]);
/* 0; ENOENT if this is no mailbox, EBADMSG if it is a damaged one. */
int lock_header_pull(const uint8_t block[LOCK_BLOCK],
		     struct lock_header *header);

void sector_push(const struct sector *sector, uint8_t block[LOCK_BLOCK]);
/* 0 or EBADMSG; a block that was never written is an empty sector. */
int sector_pull(const uint8_t block[LOCK_BLOCK], uint32_t node,
		struct sector *sector);

const char *sector_state_name(enum sector_state state);

#endif /* MIRRORD_LOCK_SECTOR_H */
