/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One other node, see peer.h. */

#include "event_log.h"
#include "path.h"
#include "peer.h"

/* A path that was not heard since before its node was restarted. */
#define FORGET_US (60 * UINT64_C(1000000))

struct peer_row *peer_new(TALLOC_CTX *mem_ctx,
			  const struct settings *settings, uint32_t node)
{
	struct peer_row *row = talloc_zero(mem_ctx, struct peer_row);

	if (row != NULL) {
		row->settings = settings;
		row->peer.node = node;
		row->peer.paths = row->visible;
	}
	return row;
}

static void mark(struct peer_row *row, enum peers_change change)
{
	row->changes |= UINT32_C(1) << change;
}

/* ------------------------------------------------------------------- paths */

static void remove_path(struct peer_row *row, uint32_t at)
{
	struct peer *peer = &row->peer;

	if (peer->best == row->visible[at]) {
		peer->best = NULL;
	}
	TALLOC_FREE(row->paths[at]);
	peer->num_paths--;
	for (; at < peer->num_paths; at++) {
		row->paths[at] = row->paths[at + 1];
		row->visible[at] = row->visible[at + 1];
	}
	row->paths[peer->num_paths] = NULL;
	row->visible[peer->num_paths] = NULL;
	mark(row, PEERS_PATH);
}

/* There is always room for one that is heard: the one that was not heard for
 * the longest time goes. False: all are heard. */
static bool make_room(struct peer_row *row)
{
	uint32_t oldest = PEER_PATHS_MAX;
	uint32_t i;

	if (row->peer.num_paths < PEER_PATHS_MAX) {
		return true;
	}
	for (i = 0; i < PEER_PATHS_MAX; i++) {
		const struct path *path = row->visible[i];

		if (!path->hear &&
		    (oldest == PEER_PATHS_MAX ||
		     path->last_us < row->visible[oldest]->last_us)) {
			oldest = i;
		}
	}
	if (oldest == PEER_PATHS_MAX) {
		return false;
	}
	remove_path(row, oldest);
	return true;
}

static struct path_row *find_path(struct peer_row *row, uint32_t interface,
				  uint32_t their_interface)
{
	uint32_t i;

	for (i = 0; i < row->peer.num_paths; i++) {
		const struct path *path = row->visible[i];

		if (path->interface == interface &&
		    path->their_interface == their_interface) {
			return row->paths[i];
		}
	}
	return NULL;
}

/* NULL: no room. */
static struct path_row *add_path(struct peer_row *row,
				 const struct own_interface *own,
				 uint32_t their_interface)
{
	struct path_row *path;
	uint32_t at;

	if (!make_room(row)) {
		return NULL;
	}
	path = talloc(row, struct path_row);
	if (path == NULL) {
		return NULL;
	}
	path_init(path, row->settings, row->peer.node, own->index,
		  their_interface);
	path->name = own->name;
	path->rank = own->rank;
	path->carrier = own->carrier;
	/* In the order of the settings, then of their interfaces. */
	for (at = row->peer.num_paths; at > 0; at--) {
		const struct path_row *before = row->paths[at - 1];

		if (before->rank < own->rank ||
		    (before->rank == own->rank &&
		     before->path.their_interface < their_interface)) {
			break;
		}
		row->paths[at] = row->paths[at - 1];
		row->visible[at] = row->visible[at - 1];
	}
	row->paths[at] = path;
	row->visible[at] = &path->path;
	row->peer.num_paths++;
	mark(row, PEERS_PATH);
	return path;
}

/*
 * The numbers of their interfaces change when they are restarted. What is not
 * heard and has the MAC of this path, or was last heard long ago and before
 * the restart, is its old number.
 */
static void forget_replaced(struct peer_row *row, const struct path_row *heard,
			    uint64_t now_us)
{
	uint32_t i;

	for (i = row->peer.num_paths; i > 0; i--) {
		const struct path_row *old = row->paths[i - 1];

		if (old == heard || old->rank != heard->rank ||
		    old->path.hear) {
			continue;
		}
		if (net_mac_same(&old->path.their_mac,
				 &heard->path.their_mac) ||
		    (old->session != heard->session &&
		     now_us - old->path.last_us > FORGET_US)) {
			remove_path(row, i - 1);
		}
	}
}

/* ------------------------------------------------------------ what follows */

static void clear_addresses(struct peer_row *row)
{
	if (row->peer.num_addresses != 0) {
		row->peer.num_addresses = 0;
		mark(row, PEERS_ADDRESSES);
	}
}

static void set_state(struct peer_row *row, enum peer_state state,
		      uint64_t now_us)
{
	struct peer *peer = &row->peer;

	if (peer->state == state) {
		return;
	}
	switch (state) {
	case PEER_ALIVE:
		if (peer->state == PEER_SILENT) {
			event_log(EVENT_PEER_HEARD, "node %u is heard again, "
				  "after %.1f s", peer->node,
				  (double)(now_us - row->silent_since) / 1e6);
		} else {
			event_log(EVENT_PEER_HEARD, "node %u is heard",
				  peer->node);
		}
		break;
	case PEER_SILENT:
		row->silent_since = now_us;
		event_log(EVENT_PEER_SILENT, "nothing is heard of node %u on "
			  "any path", peer->node);
		break;
	case PEER_UNKNOWN:
		event_log(EVENT_PEER_LEFT, "node %u says good-bye",
			  peer->node);
		break;
	case PEER_STATE_END:
		break;
	}
	peer->state = state;
	peer->changed = now_us / 1000;
	if (state != PEER_ALIVE) {
		clear_addresses(row);
	}
	mark(row, PEERS_STATE);
}

void peer_evaluate(struct peer_row *row, uint64_t now_us)
{
	struct peer *peer = &row->peer;
	const struct path *best = NULL;
	uint32_t i;

	for (i = 0; i < peer->num_paths; i++) {
		if (path_step(row->paths[i], now_us)) {
			mark(row, PEERS_PATH);
		}
		if (best == NULL && row->visible[i]->state == PATH_UP) {
			best = row->visible[i];
		}
	}
	if (best != peer->best) {
		peer->best = best;
		mark(row, PEERS_PATH);
	}
	if (now_us < row->hear_until) {
		set_state(row, PEER_ALIVE, now_us);
	} else if (peer->state == PEER_ALIVE) {
		set_state(row, PEER_SILENT, now_us);
	}
}

/* ----------------------------------------------------------------- beacons */

static void take_addresses(struct peer_row *row, const struct beacon *beacon)
{
	struct peer *peer = &row->peer;
	bool same = peer->num_addresses == beacon->num_addresses;
	bool was_starting = peer->starting;
	uint32_t i;

	peer->starting = (beacon->flags & BEACON_STARTING) != 0;
	if (peer->starting != was_starting) {
		mark(row, PEERS_ADDRESSES);
	}
	if (peer->starting) {
		return;
	}
	for (i = 0; i < beacon->num_addresses; i++) {
		const struct beacon_address *from = &beacon->addresses[i];
		struct peer_address *to = &peer->addresses[i];

		same = same && to->state == from->state &&
			to->node == from->node &&
			net_address_same(&to->address, &from->address);
		to->state = from->state;
		to->node = from->node;
		to->address = from->address;
	}
	peer->num_addresses = beacon->num_addresses;
	if (!same) {
		mark(row, PEERS_ADDRESSES);
	}
}

/* What they heard of us. on: the path that the beacon came by. */
static void take_hearings(struct peer_row *row, uint32_t own_node,
			  const struct sent *sent,
			  const struct path_row *on,
			  const struct beacon *beacon, uint64_t now_us)
{
	uint32_t i;

	for (i = 0; i < beacon->num_hearings; i++) {
		const struct beacon_hearing *hearing = &beacon->hearings[i];
		struct path_row *path;
		uint64_t sent_us;

		if (hearing->node != own_node ||
		    !sent_is_fresh(sent, hearing, now_us, &sent_us)) {
			continue;
		}
		path = find_path(row, hearing->their_interface,
				 hearing->interface);
		if (path == NULL) {
			continue;
		}
		path_heard(path, hearing->age_us, now_us);
		/* There and back on the same path. */
		if (path == on && now_us - sent_us >= hearing->age_us) {
			path_round_trip(path, now_us - sent_us -
					hearing->age_us);
		}
	}
}

void peer_beacon(struct peer_row *row, uint32_t own_node,
		 const struct sent *sent, const struct own_interface *own,
		 const struct beacon *beacon, uint64_t now_us)
{
	struct path_row *path;
	uint32_t i;

	if ((beacon->flags & BEACON_BYE) != 0) {
		/* It is the last of its session: none is sent again. */
		session_retire(&row->sessions, now_us);
		row->hear_until = 0;
		for (i = 0; i < row->peer.num_paths; i++) {
			path_left(row->paths[i]);
		}
		set_state(row, PEER_UNKNOWN, now_us);
		return;
	}
	path = find_path(row, own->index, beacon->interface);
	if (path == NULL) {
		path = add_path(row, own, beacon->interface);
	}
	if (path == NULL || (path->session == beacon->session &&
			     path->sequence >= beacon->sequence)) {
		return;
	}
	path_received(path, beacon, now_us);
	row->hear_until = now_us +
		(uint64_t)path->settings->silence_ms * 1000;
	/* Of what came by several paths the last word counts. */
	if (beacon->sequence > row->freshest) {
		row->freshest = beacon->sequence;
		take_hearings(row, own_node, sent, path, beacon, now_us);
		take_addresses(row, beacon);
	}
	forget_replaced(row, path, now_us);
}

bool peer_fill(const struct peer_row *row, uint32_t interface,
	       bool on_it, struct beacon *beacon, uint64_t now_us)
{
	size_t i;

	for (i = 0; i < SESSION_HEARINGS_MAX; i++) {
		const struct session_hearing *from = &row->sessions.hearings[i];

		if (from->interface == 0 ||
		    (from->interface == interface) != on_it ||
		    now_us - from->at_us >= SESSION_FRESH_US) {
			continue;
		}
		if (beacon->num_hearings == BEACON_HEARINGS_MAX) {
			return false;
		}
		beacon->hearings[beacon->num_hearings++] =
			(struct beacon_hearing){
				.node = row->peer.node,
				.interface = from->interface,
				.their_interface = from->their_interface,
				.session = from->session,
				.sequence = from->sequence,
				.age_us = (uint32_t)(now_us - from->at_us),
			};
	}
	return true;
}

/* ------------------------------------------------------------ links, time */

void peer_carrier(struct peer_row *row, const struct own_interface *own)
{
	uint32_t i;

	for (i = 0; i < row->peer.num_paths; i++) {
		if (row->visible[i]->interface == own->index) {
			row->paths[i]->carrier = own->carrier;
		}
	}
}

void peer_forget_interface(struct peer_row *row, uint32_t index)
{
	uint32_t i;

	session_forget_interface(&row->sessions, index);
	for (i = row->peer.num_paths; i > 0; i--) {
		if (row->visible[i - 1]->interface == index) {
			remove_path(row, i - 1);
		}
	}
}

uint64_t peer_next(const struct peer_row *row)
{
	uint64_t next = row->peer.state == PEER_ALIVE ? row->hear_until :
		UINT64_MAX;
	uint32_t i;

	for (i = 0; i < row->peer.num_paths; i++) {
		uint64_t one = path_next(row->paths[i]);

		next = one < next ? one : next;
	}
	return next;
}

void peer_paused(struct peer_row *row, uint64_t us)
{
	uint32_t i;

	if (row->peer.state == PEER_ALIVE) {
		row->hear_until += us;
	}
	for (i = 0; i < row->peer.num_paths; i++) {
		path_paused(row->paths[i], us);
	}
}

const struct path *peer_path_on(const struct peer *peer, uint32_t interface)
{
	const struct path *most = NULL;
	uint32_t i;

	for (i = 0; i < peer->num_paths; i++) {
		const struct path *path = peer->paths[i];

		if (path->interface == interface &&
		    (most == NULL || path->state > most->state ||
		     (path->state == most->state && path->hear &&
		      !most->hear))) {
			most = path;
		}
	}
	return most;
}
