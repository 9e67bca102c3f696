/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dealing with ctdb's recovery daemon, which has no interface for what
 * mirror-ctdb-death wants of it but messages and the report of its memory.
 *
 * Owns: those messages; what the report says of the cluster lock.
 * Does not own: the order of things (mirror_ctdb_death.c).
 */

#ifndef MIRRORD_DEATH_RECOVERD_H
#define MIRRORD_DEATH_RECOVERD_H

#include "ctdb_session.h"

/* For our own answers; ctdb's tools use the bits above 32 of it likewise. */
uint64_t recoverd_reply_srvid(void);

/* Locked while mirror-ctdb-death is at work. */
#define DEATH_LOCK_FILE "/run/mirror-ctdb-death.lock"
/* It does what ctdb's recovery daemon does else, which knows nothing of it. */
bool recoverd_death_is_at_work(void);

/* Shared by all who have an address moved from this node. */
#define MOVE_LOCK_FILE "/run/mirror-ctdb-move.lock"
/* A descriptor for recoverd_move_ends(); -1: none. */
int recoverd_move_begins(void);
void recoverd_move_ends(int fd);
bool recoverd_move_is_at_work(void);

enum lock_state {
	LOCK_NONE,
	LOCK_BEING_TAKEN,
	LOCK_HELD
};

/*
 * What a report of the recovery daemon's memory says (ctdb rddumpmemory): it
 * has a handle of the lock exactly while it holds it or is taking it, and a
 * timer on that while it is taking it.
 */
enum lock_state recoverd_lock_in_report(const char *report, size_t length);

/* Ask it for the report. 0 or errno. */
int recoverd_lock(struct session *session, uint32_t own, uint64_t until,
		  enum lock_state *state);

/* No leader: elect now. Only with a cluster lock, else it would wait for the
 * end of an election for ever. */
int recoverd_elect(struct session *session);
/* This node does not lead. */
int recoverd_end_leadership(struct session *session);
/* Only without a cluster lock: that node leads. */
int recoverd_leader(struct session *session, uint32_t leader);

/* No recovery, no takeover run of its own for so long; 0: as it likes. EBUSY:
 * it is just doing one. answered: wait for the answer. */
int recoverd_hold_recoveries(struct session *session, uint32_t own,
			     uint32_t seconds, bool answered, uint64_t until);
int recoverd_hold_takeovers(struct session *session, uint32_t own,
			    uint32_t seconds, bool answered, uint64_t until);
/* That of every node, for so many seconds from now on; nobody answers. */
int recoverd_hold_all_takeovers(struct session *session, uint32_t seconds);
/* That of every connected node, and these (bits) all say that they do: only the
 * leader does takeover runs, but nobody says who that is. EBUSY: one is under
 * way. The session listens to recoverd_reply_srvid(). */
int recoverd_hold_takeovers_of(struct session *session, uint64_t nodes,
			       uint32_t own, uint32_t seconds, uint64_t until);
/* It shall do a takeover run. */
int recoverd_want_takeover(struct session *session);

#endif /* MIRRORD_DEATH_RECOVERD_H */
