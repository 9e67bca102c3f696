/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What an administrator does with a mailbox: make it, look at it, say of a
 * node that it is off.
 *
 * Each returns an exit status, and has told on stderr what is wrong.
 */

#ifndef MIRRORD_LOCK_FORMAT_H
#define MIRRORD_LOCK_FORMAT_H

#include "lock_copy.h"

/* again: also if there is a mailbox already. Never over anything else. */
int lock_format(const struct copy_place *places, uint8_t copies,
		uint32_t lease_ms, bool again);
/* Copies that cannot be read are told; 1 if none can. */
int lock_show(const struct copy_place *places, uint8_t copies);
/* That node is off, says the administrator. Not if its block is written. */
int lock_clear(const struct copy_place *places, uint8_t copies,
	       uint32_t node);

/* Is it the file of a witness? That has one copy. */
bool lock_is_witness(const char *path);

/* A new mailbox on an open file: header and empty blocks. 0 or errno. */
int lock_write_empty(int fd, uint64_t offset,
		     const struct lock_header *header);

#endif /* MIRRORD_LOCK_FORMAT_H */
