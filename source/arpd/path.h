/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One path: an interface of ours, one of theirs.
 *
 * Owns: its state, the times that it depends on, its statistics; the EVENT
 * lines of paths.
 * Does not own: which beacons count (session.h), which path is used (peers.h).
 *
 *           good                 good for the hold time
 *   DOWN ──────────►  HOLD  ─────────────────────────────►  UP
 *    ▲                 │                                     │
 *    ├──── not good ───┘                                     │
 *    └──── not good ─────────────────────────────────────────┘
 *
 * Good: hear, heard, and our carrier.
 *
 *   hear    a beacon that counts came within the detection interval.
 *   heard   they say that they heard us within it. What they say is as old as
 *           their last beacon, so without news it lasts one beacon interval
 *           longer; if they say that it was longer ago, it is over at once.
 *
 * The hold time is two beacons for a path that was never up, else the
 * settings'. A path that goes down within PATH_FLAP_US of coming up has to
 * hold twice as long the next time, up to PATH_HOLD_FACTOR_MAX times; after
 * PATH_QUIET_US without that, it is the settings' again.
 */

#ifndef ARPD_PATH_H
#define ARPD_PATH_H

#include "peers.h"

#define PATH_FLAP_US (10 * UINT64_C(1000000))
#define PATH_QUIET_US (60 * UINT64_C(1000000))
#define PATH_HOLD_FACTOR_MAX 16
#define PATH_LOSS_SECONDS 10

enum path_event {
	PATH_EVENT_BAD,
	PATH_EVENT_GOOD,
	PATH_EVENT_HELD,	/* good, and for the hold time */
	PATH_EVENT_END
};

struct path_row {
	struct path path;	/* what others see of it */
	const struct settings *settings;
	const char *name;	/* of our interface */
	uint32_t rank;		/* of our interface in the settings */
	bool carrier;
	bool left;		/* the node said good-bye */
	bool was_up;
	uint64_t hear_until;	/* us; before that it is true */
	uint64_t heard_until;
	uint64_t hold_until;
	uint64_t up_since;
	uint64_t flapped;
	uint32_t hold_factor;
	uint64_t session;	/* of the last beacon that counted */
	uint64_t sequence;
	uint64_t count;		/* beacon.h */
	struct {
		uint64_t second;
		uint32_t received;
		uint32_t missed;
	} loss[PATH_LOSS_SECONDS];
};

/* Down, never heard. */
void path_init(struct path_row *row, const struct settings *settings,
	       uint32_t node, uint32_t interface, uint32_t their_interface);

/* A beacon that counts came on it: hear, loss, MAC. */
void path_received(struct path_row *row, const struct beacon *beacon,
		   uint64_t now_us);
/* They say that they heard us that long ago. */
void path_heard(struct path_row *row, uint32_t age_us, uint64_t now_us);
void path_round_trip(struct path_row *row, uint64_t us);
/* They said good-bye: down without an alarm, and up again as a new one. */
void path_left(struct path_row *row);
/* Time in which we did not run does not count. */
void path_paused(struct path_row *row, uint64_t us);

/* What has become of it by now. Was there a change of state, hear, heard, or
 * of what is wrong? Logs. */
bool path_step(struct path_row *row, uint64_t now_us);
/* When path_step() has something to do, if nothing comes in. UINT64_MAX:
 * never. */
uint64_t path_next(const struct path_row *row);

#endif /* ARPD_PATH_H */
