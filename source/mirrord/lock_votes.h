/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What ctdb knows of the other nodes, asked again and again by a process of
 * its own: ctdbd may be busy, and the lock must not wait for it.
 *
 * Owns: that process, the questions.
 * Does not own: what is made of the answers (lock_lease.h).
 */

#ifndef MIRRORD_LOCK_VOTES_H
#define MIRRORD_LOCK_VOTES_H

#include <sys/types.h>
#include <stdint.h>

/* Sent whenever ctdbd has been asked. */
struct votes {
	uint64_t asked;		/* ms of CLOCK_BOOTTIME, before it was asked */
	uint64_t connected;	/* nodes, as bits */
	uint64_t answered;	/* of these, ctdbds that answered themselves */
	uint32_t own;		/* pnn */
	uint32_t nodes;		/* in the nodes file */
};

/* *fd: a SOCK_SEQPACKET socket that `struct votes' come from; it ends when
 * ctdbd is gone. */
int votes_start(const char *socket, uint64_t every_ms, int *fd, pid_t *pid);

#endif /* MIRRORD_LOCK_VOTES_H */
