/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cluster lock as a lease: who may take it, how long it is held. Pure: no
 * clock, no disk, no network of its own (tests/unit/test_lock_lease.c).
 *
 * Owns: the rules below.
 * Does not own: the blocks (lock_sector.h), who reads and writes them
 * (lock_copy.h), what ctdb knows (lock_votes.h), processes (lock_hold.h).
 *
 * One holder at a time. Every node writes into its own block alone. A holder
 * goes on as long as one of these is true, on its own CLOCK_BOOTTIME:
 *   mailbox  it began a write less than a lease ago that has come through
 *   members  every other *member* has answered, through ctdb, a question that
 *            was asked less than a lease ago
 *   alone    it has no other member
 * Members are the nodes that ctdb had a connection with, as the mailbox has
 * them: a change counts when it is written, and until then old and new do. Who
 * is no member does not get the lock when the hold lapses, unless the holder
 * is known to be off. So two nodes that see each other do without mailbox, and
 * one that is alone as well.
 *
 * A taker (the others' blocks are told apart by the term, the highest counts):
 *   1 reads;  a holder that writes meanwhile: refused
 *   2 writes WANT into its block, then reads again, until nobody else holds or
 *     wants. Of two who want, the one goes on that comes first: who has
 *     clients, then the lower number. So both cannot go on: each has written
 *     before it reads.
 *   3 writes HOLD. All that within a lease of its last write; else not at all.
 * A hold has lapsed when for a lease, and a little more for clocks that run
 * differently, its block has not changed AND ctdb has had no connection with
 * the holder. Clocks of nodes are never compared, none that can be set is used.
 *
 * Two copies: a write counts when it is in one of them. That is safe as a
 * taker needs both; one that does not work may be left out if all other nodes
 * have written into the remaining one that they have left it out as well, or
 * if they do not hold and this node itself had written so.
 *
 * | what happens                      | who goes on                         |
 * |-----------------------------------|-------------------------------------|
 * | all links cut, or one way         | the holder; the other is refused    |
 * | .. and the holder loses mailbox   | the other one, when it has lapsed   |
 * | .. and both lose it               | nobody: neither knows of the other  |
 * | mailbox lost, links there         | the holder: members                 |
 * | mailbox lost by one that is alone | it goes on: alone                   |
 * | .. and the other one comes back   | by ctdb: the holder; else refused   |
 * |    without links, with mailbox    | until the holder is known to be off |
 * | holder dies                       | the other one, when it has lapsed   |
 * | holder dies that was alone        | the other one, if it is known to be |
 * |                                   | off (fence program, or cleared); it |
 * |                                   | itself when it is back              |
 * | both die, both come back          | who comes first; a member or itself |
 * | holder stands still               | the other one, when it has lapsed;  |
 * |                                   | the holder ends when it wakes up    |
 * | holder's clock is set             | no change                           |
 * | one copy lost                     | no change                           |
 * | one copy lost by each, other ones | the holder, as long as it lives     |
 * | copies disagree                   | the newer block counts              |
 * | holder loses it, and the mailbox, | the other one, as soon as the       |
 * |   and ctdb bans it                | mailbox is back                     |
 * | disk answers late                 | as mailbox lost until it answers    |
 * | holder has no client network, the | the other one: the holder lets go   |
 * |   other one has, links cut        |                                     |
 */

#ifndef MIRRORD_LOCK_LEASE_H
#define MIRRORD_LOCK_LEASE_H

#include "lock_sector.h"

enum lease_verdict {
	LEASE_GO_ON,	/* nothing new */
	LEASE_TAKEN,	/* told once */
	LEASE_REFUSED,	/* somebody else has it, or may have it */
	LEASE_FAILED,	/* the mailbox cannot be used */
	LEASE_LOST	/* held, but not any more */
};

/* What one copy has, of a read that began at `started'. */
struct lease_reading {
	struct sector sectors[LOCK_NODES];
	uint64_t damaged;	/* blocks with a wrong checksum, as bits */
};

struct lease;

struct lease_settings {
	uint32_t own;		/* pnn */
	uint32_t nodes;		/* of the cluster: the highest pnn and one */
	uint8_t copies;
	uint64_t lease_ms;
	uint64_t now;		/* all times: ms of CLOCK_BOOTTIME */
};

struct lease *lease_new(void *mem_ctx, const struct lease_settings *settings);

/* A client network has carrier; who has none leaves the lock to who has. */
void lease_set_clients(struct lease *lease, bool clients);

/*
 * Of ctdb: the nodes with a connection, and of these who has answered a
 * question that was asked at `asked'.
 */
void lease_votes(struct lease *lease, uint64_t asked, uint64_t connected,
		 uint64_t answered, uint64_t now);

/* The fence program has ended for the node of lease_fence(). */
void lease_fenced(struct lease *lease, uint32_t node, bool off);

/*
 * What is to be done with a copy now. False: nothing. Else a read, after a
 * write of *sector if *write; lease_done() tells how it ended. One at a time.
 */
bool lease_next(struct lease *lease, uint8_t copy, uint64_t now,
		bool *write, struct sector *sector);
/* reading: NULL if that copy failed. */
void lease_done(struct lease *lease, uint8_t copy, uint64_t now,
		const struct lease_reading *reading);

/* Call it first whenever time has gone by, before anything is fed in. */
enum lease_verdict lease_check(struct lease *lease, uint64_t now);

/* The node that is to be switched off before the lock can be taken; -1. */
int lease_fence(const struct lease *lease);

/* Give it up: from now on lease_next() writes that the block is free. */
void lease_release(struct lease *lease);
/* It is written wherever it can be. */
bool lease_released(const struct lease *lease);
/*
 * Given up, but a copy may still say that this node holds it: it is written
 * there again and again. Nobody else may take the lock while ctdb is connected
 * to a node whose block says so.
 */
bool lease_says_held(const struct lease *lease);

/* Why the verdict is as it is, for the log. */
const char *lease_reason(const struct lease *lease);
/* Copies that are left out just now; is the mailbox in reach at all? */
uint8_t lease_lost_copies(const struct lease *lease);
bool lease_by_mailbox(const struct lease *lease, uint64_t now);
uint64_t lease_members(const struct lease *lease);
uint64_t lease_valid_until(const struct lease *lease);

#endif /* MIRRORD_LOCK_LEASE_H */
