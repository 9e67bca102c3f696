/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * This node joins ctdb again with databases that are out of date.
 *
 * A recovery merges ctdb's volatile databases of all nodes that take part, by
 * the sequence number of each record. When this node was left out by a
 * recovery (it hung, or was cut off) and was not restarted, records that the
 * others deleted or made anew meanwhile are still here, and win: smbd then
 * finds handles and byte-range locks that nobody holds. ctdb knows databases
 * as out of date only on nodes that it stopped or banned.
 *
 * So this node does, before its databases are read (the event startrecovery,
 * for which the leader waits), what a node that was restarted would have done:
 * volumes that it still has are given up, with a new lock space; smbds of
 * clients end, since what they have open is no longer in any database; and
 * ctdbd is told that what it has is not valid (FREEZE, which is what it does
 * itself when it is banned).
 *
 * Owns: whether this node was left out, and the order of these steps.
 * Does not own: whether it may answer clients (owner_lease.c).
 *
 * Only with a cluster lock: without one both sides of a cut finish recoveries,
 * and nobody can tell whose databases are the true ones. Of two nodes that
 * left each other out, one after the other, the later one is right.
 */

#ifndef MIRRORD_REJOIN_H
#define MIRRORD_REJOIN_H

#include "mirrord.h"

/* Ends within five seconds. */
struct tevent_req *rejoin_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord);
/* 0, also if it was not left out; else why it is not known, or not done. */
int rejoin_recv(struct tevent_req *req);

#endif /* MIRRORD_REJOIN_H */
