/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which beacons are believed.
 *
 * Owns: when we sent our last beacons, so that an echo of them can be told
 * from a recording (R6); which session of a node counts, which ones counted
 * before; what we heard of each session, for the hearings of our beacons.
 * Does not own: paths (path.h), nodes (peers.h).
 *
 * Everything here has a fixed size, whatever is heard.
 *
 * Sessions of a node:
 *
 *   never heard ──any beacon──► told in our hearings, nothing else
 *                                 │ a beacon with a fresh echo
 *                                 ▼
 *                               counts ──another session counts, or good-bye──►
 *   retired: never believed again, however fresh its echo
 */

#ifndef ARPD_SESSION_H
#define ARPD_SESSION_H

#include "beacon.h"

/* An echo of something that we sent longer ago is none. */
#define SESSION_FRESH_US 1000000

/* More than 16 interfaces send in that time. */
#define SENT_MAX 512
#define SESSION_HEARINGS_MAX 64
#define SESSION_RETIRED_MAX 8

/* Our last beacons. */
struct sent {
	uint64_t session;
	struct {
		uint64_t sequence;	/* 0: none */
		uint32_t interface;
		uint64_t at_us;
	} rows[SENT_MAX];
};

void sent_add(struct sent *sent, uint64_t sequence, uint32_t interface,
	      uint64_t now_us);
/* Does the hearing speak of something that we sent in the last second, on the
 * interface that it names? */
bool sent_is_fresh(const struct sent *sent,
		   const struct beacon_hearing *hearing,
		   uint64_t now_us,
		   uint64_t *at_us);
/* Has the beacon a hearing like that, of us? */
bool sent_echoed(const struct sent *sent, uint32_t own,
		 const struct beacon *beacon, uint64_t now_us);

/* The sessions of one node. */
struct sessions {
	uint64_t current;	/* 0: none counts */
	struct {
		uint64_t session;
		uint64_t at_us;
	} retired[SESSION_RETIRED_MAX];
	uint32_t num_retired;	/* of all times */
	struct session_hearing {
		uint32_t interface;	/* 0: free */
		uint32_t their_interface;
		uint64_t session;
		uint64_t sequence;
		uint64_t at_us;
	} hearings[SESSION_HEARINGS_MAX];
};

enum session_verdict {
	SESSION_IGNORED,	/* not (yet) to be believed */
	SESSION_COUNTS,
	SESSION_NEW,		/* counts, as the first one of its session */
	SESSION_TWICE		/* of a retired session that is still alive: two
				   machines are the same node */
};

/* A beacon came in. echoed: see sent_echoed(). Remembers the hearing. */
enum session_verdict session_judge(struct sessions *sessions,
				   uint32_t interface,
				   const struct beacon *beacon,
				   bool echoed,
				   uint64_t now_us);
/* The node said good-bye. */
void session_retire(struct sessions *sessions, uint64_t now_us);
/* The interface is no more. */
void session_forget_interface(struct sessions *sessions, uint32_t interface);

#endif /* ARPD_SESSION_H */
