/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The copies of the mailbox, each used by a process of its own: one that hangs
 * in a read or write of a disk that is gone cannot be ended, and must not keep
 * the lock's own process from ending.
 *
 * Owns: these processes and the sockets to them; direct I/O to a device.
 * Does not own: when something is read or written (lock_lease.h), the blocks
 * (lock_sector.h), the copies of a witness (lock_witness.h).
 */

#ifndef MIRRORD_LOCK_COPY_H
#define MIRRORD_LOCK_COPY_H

#include <sys/types.h>
#include "lock_lease.h"

struct copy_request {
	uint32_t nodes;		/* blocks to read; 0: the header only */
	bool write;
	struct sector sector;
};

struct copy_reply {
	int error;		/* errno */
	struct lock_header header;
	struct lease_reading reading;
};

/* What a copy is, and how it is used; run in the process of the copy. */
struct copy_place {
	const char *path;	/* device or file; of a witness: its name */
	uint64_t offset;
	uint8_t copy;
	const char *key_file;	/* witness */
	int (*serve)(const struct copy_place *place, int fd);
};

/* *fd: a SOCK_SEQPACKET socket for one request and one reply at a time. */
int copy_start(const struct copy_place *place, int *fd, pid_t *pid);

/* `serve' of a disk. Returns when the other end is closed. */
int copy_serve_disk(const struct copy_place *place, int fd);

/* Open a device or file for direct I/O; -1 and errno. */
int copy_open(const char *path, int flags);
/* A block at an offset, in memory that suits direct I/O. 0 or errno. */
int copy_read_block(int fd, uint64_t offset, uint8_t *block);
int copy_write_block(int fd, uint64_t offset, const uint8_t *block);
/* Memory for blocks; ends the process if there is none. */
uint8_t *copy_blocks(uint32_t count);

/* One request on an open copy. */
void copy_run(int fd, uint64_t offset, const struct copy_request *request,
	      struct copy_reply *reply);

/* ms of CLOCK_BOOTTIME. */
uint64_t lock_now(void);

#endif /* MIRRORD_LOCK_COPY_H */
