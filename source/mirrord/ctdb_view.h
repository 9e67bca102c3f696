/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What ctdb knows: who is alive, and who hosts an address.
 *
 * Owns: when ctdbd is asked, how fresh the answer is, the verdict.
 * Does not own: any opinion of its own. We never write a second membership
 * protocol.
 *
 * A node is EXCLUDED when a recovery has ended without it: recovery mode
 * normal, the node inactive *and* not in the map of nodes that hold ctdb's
 * databases. "Disconnected" alone is no verdict: both sides of a cut see it,
 * but only the side that the cluster lock elects finishes a recovery (R13).
 */

#ifndef MIRRORD_CTDB_VIEW_H
#define MIRRORD_CTDB_VIEW_H

#include "mirrord.h"

typedef void (*ctdb_view_changed)(void *private_data);

int ctdb_view_new(struct mirrord *mirrord, struct ctdb_view **view);
void ctdb_view_watch(struct ctdb_view *view,
		     ctdb_view_changed changed,
		     void *private_data);

/* Ask now; the answer comes by the watch. */
void ctdb_view_ask(struct ctdb_view *view);
/* Somebody waits for a verdict: ask often for the next seconds. */
void ctdb_view_hurry(struct ctdb_view *view);

/* Did ctdbd answer within the last seconds? */
bool ctdb_view_known(const struct ctdb_view *view);
/* ctdbd was there, and now nobody listens at its socket: no event script will
 * tell what becomes of our services. */
bool ctdb_view_gone(const struct ctdb_view *view);
/* Recovery is over and this node is part of its result. */
bool ctdb_view_settled(const struct ctdb_view *view);
bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node);
/* ctdb has a connection to it, whatever else it thinks of it. */
bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node);
/* ctdb may give services to it. */
bool ctdb_view_healthy(const struct ctdb_view *view, uint32_t node);
/* The node that hosts an address; -1: none, or not known. */
int ctdb_view_host(const struct ctdb_view *view, const char *address);
/* Does ctdb of this node place it (see ctdb_view_known())? */
bool ctdb_view_has(const struct ctdb_view *view, const char *address);

/*
 * The administrator's word (mirrorctl verdict PNN..): these nodes are alive,
 * the others are not. Holds until ctdbd answers.
 */
void ctdb_view_decree(struct ctdb_view *view, uint64_t alive);

#endif /* MIRRORD_CTDB_VIEW_H */
