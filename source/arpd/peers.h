/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The other nodes, and the paths to them.
 *
 * Owns: what was heard of whom and where; the state of each path (a table,
 * path.h); when a node is silent.
 * Does not own: sockets, beacons' form (beacon.h), what is done (plan.h).
 *
 * Pure of system calls: time is told, beacons are given, so that all of it can
 * be tested without a network.
 *
 * Nothing that was recorded and sent again is believed (R6): a beacon counts
 * only if it says that it heard one of ours of the last second (session and
 * sequence), and is younger than the last that counted. The clocks of nodes
 * are never compared. A session that is new is told in our hearings at once,
 * beside the one that counts, and takes its place with the first beacon that
 * counts.
 *
 * A path (our interface, their interface) is good while both hear each other
 * on it: that they hear us can be told on any path. So a loss in one direction
 * is a loss.
 *
 * Of a node that hears us on no path at all no beacon counts any more, a second
 * after the last that it heard: it is silent then, although something of it
 * may be heard, for that could be a recording.
 */

#ifndef ARPD_PEERS_H
#define ARPD_PEERS_H

#include "beacon.h"
#include "interfaces.h"
#include "settings.h"

enum path_state {
	PATH_DOWN,
	PATH_HOLD,		/* good, but not for long enough */
	PATH_UP,
	PATH_STATE_END
};

/* What is wrong with a path: the first that applies. */
enum path_fault {
	PATH_FINE,
	PATH_LEFT,		/* the node said good-bye */
	PATH_NO_CARRIER,	/* our interface */
	PATH_NOT_HEARD,
	PATH_ONE_WAY		/* they do not hear us */
};

struct path {
	uint32_t node;
	uint32_t interface;		/* ours, index */
	uint32_t their_interface;
	struct net_mac their_mac;
	enum path_state state;
	bool hear;			/* within the detection interval */
	bool heard;			/* they say so; the same, see path.h */
	enum path_fault fault;
	uint64_t changed;		/* ms, of the state */
	uint64_t last_us;		/* when we last heard it, us */
	uint32_t round_trip_us;		/* smoothed; 0: not known yet */
	uint64_t received;
	uint64_t missed;		/* gaps in their count (beacon.h) */
	uint32_t loss_permille;		/* of the last ten seconds */
	uint64_t downs;
};

/* It is there, whatever its port is like. */
#define peer_holds(row)							\
	((row)->state == BEACON_HELD || (row)->state == BEACON_HELD_CUT)

struct peer_address {
	struct net_address address;
	enum beacon_address_state state;
	uint32_t node;		/* see beacon.h */
};

enum peer_state {
	PEER_UNKNOWN,		/* never heard, or it said good-bye */
	PEER_ALIVE,
	PEER_SILENT,		/* was alive; all paths are down */
	PEER_STATE_END
};

/* More are not told apart; those that are down make room. */
#define PEER_PATHS_MAX 64

struct peer {
	uint32_t node;
	enum peer_state state;
	uint64_t changed;	/* ms */
	const struct path *best;	/* PATH_UP; NULL: none */
	uint32_t num_paths;
	const struct path **paths;	/* in the order of the settings */
	bool starting;
	/* what it said last; none while it is not alive */
	uint32_t num_addresses;
	struct peer_address addresses[BEACON_ADDRESSES_MAX];
};

enum peers_change {
	PEERS_PATH,		/* state, hear or heard of a path, or the best;
				   paths that came or went */
	PEERS_ADDRESSES,	/* what a peer holds, wants, passes */
	PEERS_STATE		/* alive, silent, unknown */
};

struct peers;

/*
 * Called at the end of the function that made the change, when all is as it
 * shall be, once for each kind. It may look at everything and call
 * peers_fill(), nothing else that changes peers. Pointers to paths are good
 * until the next call that does.
 */
typedef void (*peers_changed)(void *private_data,
			      const struct peer *peer,
			      enum peers_change change);

/*
 * own: our node. session: random, not 0 (EINVAL). settings have to outlive it.
 * Interfaces are known when peers_link() has told of them; what comes in on
 * others is ignored.
 */
int peers_new(TALLOC_CTX *mem_ctx,
	      const struct settings *settings,
	      uint32_t own,
	      uint64_t session,
	      peers_changed changed,
	      void *private_data,
	      struct peers **peers);

/* A beacon whose HMAC is right came in on the interface. */
void peers_beacon(struct peers *peers, uint32_t interface,
		  const struct beacon *beacon, uint64_t now_us);
/* A beacon came in that does not have our key (EACCES of beacon_pull()), from
 * that MAC: tells the administrator. */
void peers_refused(struct peers *peers, uint32_t interface,
		   const struct net_mac *from);
/* An interface of ours changed: what lost its carrier is down at once. */
void peers_link(struct peers *peers, const struct interface *interface,
		uint64_t now_us);
/*
 * Time passes. Returns when to call again at the latest, us (UINT64_MAX: when
 * something has come in). The other functions can make that earlier: call it
 * after them, too. Read what the sockets have before: who was not looked at is
 * not silent.
 */
uint64_t peers_tick(struct peers *peers, uint64_t now_us);

/* This process did not run for so long (us): nothing expires for that. Before
 * anything else is called. */
void peers_paused(struct peers *peers, uint64_t us);

/* Fill node, interface, session, sequence (next one), count, hearings of a
 * beacon that will be sent on the interface now; the rest is the caller's. */
void peers_fill(struct peers *peers, uint32_t interface,
		struct beacon *beacon, uint64_t now_us);

const struct peer *const *peers_list(const struct peers *peers,
				     uint32_t *count);
const struct peer *peers_find(const struct peers *peers, uint32_t node);
/* The session of the node that counts; 0: none does. */
uint64_t peers_session(const struct peers *peers, uint32_t node);
/* The path with the most use between our interface and the node; NULL. */
const struct path *peer_path_on(const struct peer *peer, uint32_t interface);

#endif /* ARPD_PEERS_H */
