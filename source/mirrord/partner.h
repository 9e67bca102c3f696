/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The partner's half of mirrord: it keeps the records of volumes that other
 * nodes own.
 *
 * Owns: the listening socket, accepted links, the mirror stores.
 * Does not own: links that this node opens (peer.h), what becomes of a store
 * in a takeover (takeover.c).
 *
 *   smbd there  ──HELLO(record)──►  store_add, ACK once per batch (R5)
 *   mirrord there ─HELLO(control)─► STATE BEGIN WIPE END FETCH LEASE PING
 *
 * A session whose records were fetched is over: what may still be under way
 * from its dead process is refused, or it would be in the store and not on
 * the volume.
 */

#ifndef MIRRORD_PARTNER_H
#define MIRRORD_PARTNER_H

#include "mirrord.h"
#include "store.h"

/* Opens all stores, listens. 0 or errno; *problem says why. */
int partner_new(struct mirrord *mirrord,
		struct partner **partner,
		char **problem);

/* Opens the stores of volumes that are new in config. Those of others stay, in
 * case that they come again. 0 or errno; *problem (child of mirrord). */
int partner_configure(struct partner *partner,
		      const struct mirror_config *config,
		      char **problem);

/* Incarnation none: there is no store of the volume here. */
void partner_info(struct partner *partner,
		  const char *volume,
		  struct store_info *info);

/* From now on the store takes no more records; those who send any are cut. */
void partner_seal(struct partner *partner, const char *volume);

/* For the replay; NULL if there is none. */
struct store *partner_store(struct partner *partner, const char *volume);

/* The store is of no use any more. 0 or errno. */
int partner_discard(struct partner *partner, const char *volume);

/* The owner of the volume may believe in itself until then, as far as it asked
 * us (R12); ns of state_page_clock(). */
uint64_t partner_lease_until(struct partner *partner, const char *volume);

/* Is the volume traced on this node, whatever the node is to it? */
bool partner_is_traced(struct partner *partner, const char *volume);

/* Smbds that are connected, for the status. */
uint32_t partner_links(struct partner *partner, const char *volume);

#endif /* MIRRORD_PARTNER_H */
