/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A node that joins ctdb again with the databases that it slept with.
 *
 * A recovery merges ctdb's volatile databases of all nodes that take part, by
 * the sequence number of each record. A record that the others deleted while
 * a node hung, or made anew, is still there on that node when it wakes up, and
 * wins: smbd then finds handles and byte-range locks that nobody holds. ctdb
 * itself knows such databases as out of date, but only of nodes that it
 * stopped or banned. So this is done to a node that was left out by a recovery
 * and is about to take part again without having been restarted: stopped and
 * continued, before its databases are read (the event startrecovery).
 *
 * Owns: who is such a node, and those two controls.
 * Does not own: whether it may answer clients (owner_lease.c), its disks
 * (fence.c).
 *
 * Only with a cluster lock: without one both sides of a cut finish recoveries,
 * and nobody can tell whose databases are the true ones. Of two nodes that
 * left each other out, one after the other, the later one is right.
 */

#ifndef MIRRORD_REJOIN_H
#define MIRRORD_REJOIN_H

#include "mirrord.h"

/* Ends within four seconds. */
struct tevent_req *rejoin_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord);
/* 0, also if there is no such node; else why ctdb could not be asked. */
int rejoin_recv(struct tevent_req *req);

#endif /* MIRRORD_REJOIN_H */
