/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the kernel of a node answer?
 *
 * Owns: the sockets, what came back.
 * Does not own: who asks, what follows.
 *
 * A node whose daemons are dead, stopped or paused still answers an echo
 * request, and a connection to a port, with yes or no: nobody has to run for
 * that. What is lost on the way is asked again, every PROBE_AGAIN_MS.
 */

#ifndef MIRRORD_DEATH_PROBE_H
#define MIRRORD_DEATH_PROBE_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#define PROBE_AGAIN_MS 20

struct probe;

/* address: with the port to connect to. 0 or errno: nothing can be asked. */
int probe_new(TALLOC_CTX *mem_ctx,
	      const struct sockaddr_storage *address,
	      struct probe **probe);
/* Go on asking until then (ms, session_now()). Has it ever answered? */
bool probe_answered(struct probe *probe, uint64_t until);

#endif /* MIRRORD_DEATH_PROBE_H */
