/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One other node.
 *
 * Owns: its paths (which there are, in which order, which is the best), its
 * state and addresses, what follows from a beacon of it that counts; the EVENT
 * lines of nodes.
 * Does not own: which beacons count (session.h), the state of a path (path.h),
 * the other nodes and who is told of changes (peers.c).
 */

#ifndef ARPD_PEER_H
#define ARPD_PEER_H

#include "peers.h"
#include "session.h"

struct path_row;

struct own_interface {
	const char *name;
	uint32_t rank;		/* in the settings */
	uint32_t index;		/* 0: not there yet */
	bool carrier;
	uint64_t count;		/* of beacons sent */
};

struct peer_row {
	struct peer peer;	/* what others see of it */
	const struct settings *settings;
	struct sessions sessions;
	uint64_t freshest;	/* sequence of the last word */
	uint64_t hear_until;	/* us; of all paths, also of some that went */
	uint64_t silent_since;
	uint32_t changes;	/* bits of enum peers_change, to be told */
	struct path_row *paths[PEER_PATHS_MAX];
	const struct path *visible[PEER_PATHS_MAX];
};

/* NULL: no memory. */
struct peer_row *peer_new(TALLOC_CTX *mem_ctx,
			  const struct settings *settings, uint32_t node);

/* One that counts. After it, and after the next ones: peer_evaluate(). */
void peer_beacon(struct peer_row *row, uint32_t own_node,
		 const struct sent *sent, const struct own_interface *own,
		 const struct beacon *beacon, uint64_t now_us);
/* The carrier of one of our interfaces has changed. */
void peer_carrier(struct peer_row *row, const struct own_interface *own);
/* One of our interfaces is no more. */
void peer_forget_interface(struct peer_row *row, uint32_t index);

/* All that follows from the paths and from the time. */
void peer_evaluate(struct peer_row *row, uint64_t now_us);
/* When that is due, if nothing comes in; UINT64_MAX: never. */
uint64_t peer_next(const struct peer_row *row);
void peer_paused(struct peer_row *row, uint64_t us);

/* Hearings of it, on the interface or on all others. False: no room. */
bool peer_fill(const struct peer_row *row, uint32_t interface,
	       bool on_it, struct beacon *beacon, uint64_t now_us);

#endif /* ARPD_PEER_H */
