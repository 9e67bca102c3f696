/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Clients of addresses that this node gave up, and that nobody has taken yet.
 *
 * Owns: the list, and for how long somebody is on it.
 * Does not own: who is connected (connections.h), who has an address (peers.h).
 *
 * Nobody tells these clients anything before the address is somewhere else.
 * That takes as long as the disk there needs to be mounted: minutes, if its
 * file system is checked first.
 */

#ifndef ARPD_CONNECTIONS_LEFT_H
#define ARPD_CONNECTIONS_LEFT_H

#include "connections.h"

/* By then a client has lost its patience. */
#define CONNECTIONS_LEFT_MS 600000

struct connections_left;

/* NULL: out of memory. */
struct connections_left *connections_left_new(TALLOC_CTX *mem_ctx);

/* Those of the rows that are connected to the address, instead of those who
 * were when it was given up last. now in ms. */
void connections_left_note(struct connections_left *left,
			   const struct connection *rows, uint32_t count,
			   const struct net_address *address, uint64_t now);

/* Somebody has it. */
void connections_left_forget(struct connections_left *left,
			     const struct net_address *address);

/* Those of the address, or all if it is NULL, appended to the count rows, of
 * which there may be max; the new count. Who has waited too long is forgotten.
 */
uint32_t connections_left_append(struct connections_left *left,
				 const struct net_address *address,
				 struct connection *rows, uint32_t count,
				 uint32_t max, uint64_t now);

#endif /* ARPD_CONNECTIONS_LEFT_H */
