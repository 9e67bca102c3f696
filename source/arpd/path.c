/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One path, see path.h. */

#include "event_log.h"
#include "path.h"

#define SECOND_US UINT64_C(1000000)

static uint64_t us(uint32_t ms)
{
	return (uint64_t)ms * 1000;
}

void path_init(struct path_row *row, const struct settings *settings,
	       uint32_t node, uint32_t interface, uint32_t their_interface)
{
	*row = (struct path_row){
		.settings = settings,
		.hold_factor = 1,
		.path = {
			.node = node,
			.interface = interface,
			.their_interface = their_interface,
			.fault = PATH_NOT_HEARD,
		},
	};
}

/* ------------------------------------------------------------------ states */

static void begin_hold(struct path_row *row, uint64_t now_us)
{
	const struct settings *settings = row->settings;

	if (now_us - row->flapped >= PATH_QUIET_US) {
		row->hold_factor = 1;
	}
	row->hold_until = now_us +
		(row->was_up ? us(settings->hold_ms) * row->hold_factor :
		 2 * us(settings->beacon_ms));
}

static void came_up(struct path_row *row, uint64_t now_us)
{
	const struct path *path = &row->path;

	row->was_up = true;
	row->up_since = now_us;
	event_log(EVENT_PATH_UP, "the path to node %u over %s (its interface "
		  "%u) is up", path->node, row->name, path->their_interface);
}

/* Whom to look at depends on what is wrong. */
static void log_down(const struct path_row *row)
{
	const struct path *path = &row->path;

	switch (path->fault) {
	case PATH_NO_CARRIER:
		event_log(EVENT_PATH_NO_CARRIER, "the path to node %u over %s "
			  "is down: %s has no carrier", path->node, row->name,
			  row->name);
		break;
	case PATH_NOT_HEARD:
		event_log(EVENT_PATH_NOT_HEARD, "the path to node %u over %s "
			  "is down: nothing is heard of its interface %u",
			  path->node, row->name, path->their_interface);
		break;
	case PATH_ONE_WAY:
		event_log(EVENT_PATH_ONE_WAY, "the path to node %u over %s is "
			  "down: we hear it, but it does not hear us",
			  path->node, row->name);
		break;
	case PATH_FINE:
	case PATH_LEFT:
		break;
	}
}

static void went_down(struct path_row *row, uint64_t now_us)
{
	if (row->path.fault == PATH_LEFT) {
		return;
	}
	row->path.downs++;
	if (now_us - row->up_since < PATH_FLAP_US) {
		if (row->hold_factor < PATH_HOLD_FACTOR_MAX) {
			row->hold_factor *= 2;
		}
		row->flapped = now_us;
	}
	log_down(row);
}

static const struct {
	enum path_state next;
	void (*action)(struct path_row *row, uint64_t now_us);
} transitions[PATH_STATE_END][PATH_EVENT_END] = {
	[PATH_DOWN] = {
		[PATH_EVENT_BAD] = { PATH_DOWN, NULL },
		[PATH_EVENT_GOOD] = { PATH_HOLD, begin_hold },
		[PATH_EVENT_HELD] = { PATH_DOWN, NULL },
	},
	[PATH_HOLD] = {
		[PATH_EVENT_BAD] = { PATH_DOWN, NULL },
		[PATH_EVENT_GOOD] = { PATH_HOLD, NULL },
		[PATH_EVENT_HELD] = { PATH_UP, came_up },
	},
	[PATH_UP] = {
		[PATH_EVENT_BAD] = { PATH_DOWN, went_down },
		[PATH_EVENT_GOOD] = { PATH_UP, NULL },
		[PATH_EVENT_HELD] = { PATH_UP, NULL },
	},
};

/* The one place that changes the state of a path. */
static void happen(struct path_row *row, enum path_event event,
		   uint64_t now_us)
{
	enum path_state state = row->path.state;
	enum path_state next = transitions[state][event].next;

	if (next != state) {
		row->path.state = next;
		row->path.changed = now_us / 1000;
	}
	if (transitions[state][event].action != NULL) {
		transitions[state][event].action(row, now_us);
	}
}

static enum path_fault fault(const struct path_row *row)
{
	if (row->left) {
		return PATH_LEFT;
	}
	if (!row->carrier) {
		return PATH_NO_CARRIER;
	}
	if (!row->path.hear) {
		return PATH_NOT_HEARD;
	}
	return row->path.heard ? PATH_FINE : PATH_ONE_WAY;
}

/* In per mille of what should have come in the last seconds. */
static uint32_t loss(const struct path_row *row, uint64_t now_us)
{
	uint64_t second = now_us / SECOND_US;
	uint64_t received = 0;
	uint64_t missed = 0;
	size_t i;

	for (i = 0; i < PATH_LOSS_SECONDS; i++) {
		if (second - row->loss[i].second < PATH_LOSS_SECONDS) {
			received += row->loss[i].received;
			missed += row->loss[i].missed;
		}
	}
	if (!row->path.hear || received == 0) {
		return 1000;
	}
	return (uint32_t)(missed * 1000 / (missed + received));
}

bool path_step(struct path_row *row, uint64_t now_us)
{
	struct path *path = &row->path;
	const struct path before = *path;

	path->hear = now_us < row->hear_until;
	path->heard = now_us < row->heard_until;
	path->fault = fault(row);
	path->loss_permille = loss(row, now_us);
	if (path->fault != PATH_FINE) {
		happen(row, PATH_EVENT_BAD, now_us);
	} else if (path->state == PATH_HOLD && now_us >= row->hold_until) {
		happen(row, PATH_EVENT_HELD, now_us);
	} else {
		happen(row, PATH_EVENT_GOOD, now_us);
	}
	return path->state != before.state || path->hear != before.hear ||
		path->heard != before.heard || path->fault != before.fault;
}

uint64_t path_next(const struct path_row *row)
{
	const struct path *path = &row->path;
	uint64_t next = UINT64_MAX;

	if (path->hear && row->hear_until < next) {
		next = row->hear_until;
	}
	if (path->heard && row->heard_until < next) {
		next = row->heard_until;
	}
	if (path->state == PATH_HOLD && row->hold_until < next) {
		next = row->hold_until;
	}
	return next;
}

/* -------------------------------------------------------------- what comes */

/*
 * Of the last seconds: each of those that have passed since the beacon before
 * gets its part of what is missing.
 */
static void count_loss(struct path_row *row, uint64_t missed, uint64_t now_us)
{
	uint64_t now = now_us / SECOND_US;
	uint64_t last = row->path.last_us / SECOND_US;
	uint64_t seconds = now > last ? now - last + 1 : 1;
	uint64_t share = missed / seconds;
	uint64_t second = now;

	for (;;) {
		size_t i = second % PATH_LOSS_SECONDS;

		if (row->loss[i].second != second) {
			row->loss[i].second = second;
			row->loss[i].received = 0;
			row->loss[i].missed = 0;
		}
		if (second == now) {
			row->loss[i].received++;
			/* What cannot be divided is of now. */
			row->loss[i].missed += missed % seconds;
		}
		row->loss[i].missed += share;
		second--;
		if (now - second == seconds ||
		    now - second == PATH_LOSS_SECONDS) {
			return;
		}
	}
}

void path_received(struct path_row *row, const struct beacon *beacon,
		   uint64_t now_us)
{
	struct path *path = &row->path;
	uint64_t missed = 0;

	/* Exact: they count what they send on each interface. With a new
	 * session they begin again. */
	if (beacon->session == row->session && row->count != 0 &&
	    beacon->count > row->count) {
		missed = beacon->count - row->count - 1;
	}
	if (path->received == 0) {
		path->last_us = now_us;
	}
	count_loss(row, missed, now_us);
	path->received++;
	path->missed += missed;
	path->last_us = now_us;
	path->their_mac = beacon->mac;
	row->session = beacon->session;
	row->sequence = beacon->sequence;
	row->count = beacon->count;
	row->left = false;
	row->hear_until = now_us + us(row->settings->detection_ms);
}

void path_heard(struct path_row *row, uint32_t age_us, uint64_t now_us)
{
	uint64_t detection = us(row->settings->detection_ms);
	uint64_t until;

	if (age_us >= detection) {
		row->heard_until = 0;
		return;
	}
	until = now_us + detection - age_us + us(row->settings->beacon_ms);
	if (until > row->heard_until) {
		row->heard_until = until;
	}
}

void path_round_trip(struct path_row *row, uint64_t round_trip)
{
	struct path *path = &row->path;

	if (round_trip > UINT32_MAX / 8) {
		return;
	}
	if (path->round_trip_us == 0) {
		path->round_trip_us = (uint32_t)round_trip;
	} else {
		path->round_trip_us = (path->round_trip_us * 7 +
				       (uint32_t)round_trip) / 8;
	}
	/* 0 means that it is not known. */
	if (path->round_trip_us == 0) {
		path->round_trip_us = 1;
	}
}

void path_left(struct path_row *row)
{
	row->left = true;
	row->was_up = false;
	row->hold_factor = 1;
	row->hear_until = 0;
	row->heard_until = 0;
}

void path_paused(struct path_row *row, uint64_t pause)
{
	if (row->path.hear) {
		row->hear_until += pause;
	}
	if (row->path.heard) {
		row->heard_until += pause;
	}
	if (row->path.state == PATH_HOLD) {
		row->hold_until += pause;
	}
}
