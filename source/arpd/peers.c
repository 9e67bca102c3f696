/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other nodes, see peers.h. */

#include <errno.h>
#include <string.h>
#include "event_log.h"
#include "path.h"
#include "peers.h"
#include "session.h"

/* A path that was not heard since before its node was restarted. */
#define FORGET_US (60 * UINT64_C(1000000))

struct own_interface {
	const char *name;
	uint32_t index;		/* 0: not there yet */
	bool carrier;
	uint64_t count;		/* of beacons sent */
};

struct peer_row {
	struct peer peer;	/* what others see of it */
	struct sessions sessions;
	uint64_t freshest;	/* sequence of the last word */
	uint64_t silent_since;	/* us */
	uint32_t changes;	/* bits of enum peers_change */
	struct path_row *paths[PEER_PATHS_MAX];
	const struct path *visible[PEER_PATHS_MAX];
};

struct peers {
	const struct settings *settings;
	uint32_t own;
	peers_changed changed;
	void *private_data;
	struct sent sent;
	uint64_t sequence;
	struct own_interface interfaces[SETTINGS_INTERFACES_MAX];
	/* By the nodes file; what calls itself by our own number has a row,
	 * too, so that it gets an echo and can be told from a recording. */
	struct peer_row *rows[SETTINGS_NODES_MAX];
	const struct peer *list[SETTINGS_NODES_MAX];
	uint32_t num_list;
	uint32_t turn;		/* who is the first to be told of */
	uint64_t now_us;
};

int peers_new(TALLOC_CTX *mem_ctx,
	      const struct settings *settings,
	      uint32_t own,
	      uint64_t session,
	      peers_changed changed,
	      void *private_data,
	      struct peers **_peers)
{
	struct peers *peers;
	uint32_t i;

	if (session == 0 || settings->num_nodes > SETTINGS_NODES_MAX ||
	    settings->num_interfaces > SETTINGS_INTERFACES_MAX) {
		return EINVAL;
	}
	peers = talloc_zero(mem_ctx, struct peers);
	if (peers == NULL) {
		return ENOMEM;
	}
	peers->settings = settings;
	peers->own = own;
	peers->changed = changed;
	peers->private_data = private_data;
	peers->sent.session = session;
	for (i = 0; i < settings->num_interfaces; i++) {
		peers->interfaces[i].name = settings->interfaces[i].name;
	}
	for (i = 0; i < settings->num_nodes; i++) {
		struct peer_row *row;

		if (settings->nodes[i].family == 0) {
			continue;
		}
		row = talloc_zero(peers, struct peer_row);
		if (row == NULL) {
			talloc_free(peers);
			return ENOMEM;
		}
		peers->rows[i] = row;
		row->peer.node = i;
		row->peer.paths = row->visible;
		if (i != own) {
			peers->list[peers->num_list++] = &row->peer;
		}
	}
	*_peers = peers;
	return 0;
}

static struct own_interface *own_by_index(struct peers *peers, uint32_t index)
{
	uint32_t i;

	for (i = 0; index != 0 && i < peers->settings->num_interfaces; i++) {
		if (peers->interfaces[i].index == index) {
			return &peers->interfaces[i];
		}
	}
	return NULL;
}

/* Never back: a caller may have looked at the clock before another one. */
static uint64_t forward(struct peers *peers, uint64_t now_us)
{
	if (now_us > peers->now_us) {
		peers->now_us = now_us;
	}
	return peers->now_us;
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
static struct path_row *add_path(struct peers *peers, struct peer_row *row,
				 struct own_interface *own,
				 uint32_t their_interface)
{
	struct path_row *path;
	uint32_t rank = (uint32_t)(own - peers->interfaces);
	uint32_t at;

	if (!make_room(row)) {
		return NULL;
	}
	path = talloc(row, struct path_row);
	if (path == NULL) {
		return NULL;
	}
	path_init(path, peers->settings, row->peer.node, own->index,
		  their_interface);
	path->name = own->name;
	path->rank = rank;
	path->carrier = own->carrier;
	/* In the order of the settings, then of their interfaces. */
	for (at = row->peer.num_paths; at > 0; at--) {
		const struct path_row *before = row->paths[at - 1];

		if (before->rank < rank ||
		    (before->rank == rank &&
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

/* All that follows from the paths and from the time. */
static void evaluate(struct peer_row *row, uint64_t now_us)
{
	struct peer *peer = &row->peer;
	const struct path *best = NULL;
	bool hear = false;
	uint32_t i;

	for (i = 0; i < peer->num_paths; i++) {
		if (path_step(row->paths[i], now_us)) {
			mark(row, PEERS_PATH);
		}
		if (best == NULL && row->visible[i]->state == PATH_UP) {
			best = row->visible[i];
		}
		hear = hear || row->visible[i]->hear;
	}
	if (best != peer->best) {
		peer->best = best;
		mark(row, PEERS_PATH);
	}
	if (hear) {
		set_state(row, PEER_ALIVE, now_us);
	} else if (peer->state == PEER_ALIVE) {
		set_state(row, PEER_SILENT, now_us);
	}
}

/* When all is as it shall be. */
static void tell(struct peers *peers)
{
	uint32_t i;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		struct peer_row *row = peers->rows[i];
		enum peers_change change;
		uint32_t changes;

		if (row == NULL || row->changes == 0) {
			continue;
		}
		changes = row->changes;
		row->changes = 0;
		for (change = PEERS_PATH; change <= PEERS_STATE; change++) {
			if (peers->changed != NULL &&
			    (changes & (UINT32_C(1) << change)) != 0) {
				peers->changed(peers->private_data,
					       &row->peer, change);
			}
		}
	}
}

/* ----------------------------------------------------------------- beacons */

static void take_addresses(struct peer_row *row, const struct beacon *beacon)
{
	struct peer *peer = &row->peer;
	bool same = peer->num_addresses == beacon->num_addresses;
	uint32_t i;

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

/* What they heard of us. */
static void take_hearings(struct peers *peers, struct peer_row *row,
			  const struct path_row *on,
			  const struct beacon *beacon, uint64_t now_us)
{
	uint32_t i;

	for (i = 0; i < beacon->num_hearings; i++) {
		const struct beacon_hearing *hearing = &beacon->hearings[i];
		struct path_row *path;
		uint64_t sent_us;

		if (hearing->node != peers->own ||
		    !sent_is_fresh(&peers->sent, hearing, now_us, &sent_us)) {
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

static void take_beacon(struct peers *peers, struct peer_row *row,
			struct own_interface *own,
			const struct beacon *beacon, uint64_t now_us)
{
	struct path_row *path;
	uint32_t i;

	if ((beacon->flags & BEACON_BYE) != 0) {
		/* It is the last of its session: none is sent again. */
		session_retire(&row->sessions, now_us);
		for (i = 0; i < row->peer.num_paths; i++) {
			path_left(row->paths[i]);
		}
		set_state(row, PEER_UNKNOWN, now_us);
		return;
	}
	path = find_path(row, own->index, beacon->interface);
	if (path == NULL) {
		path = add_path(peers, row, own, beacon->interface);
	}
	if (path == NULL || (path->session == beacon->session &&
			     path->sequence >= beacon->sequence)) {
		return;
	}
	path_received(path, beacon, now_us);
	/* Of what came by several paths the last word counts. */
	if (beacon->sequence > row->freshest) {
		row->freshest = beacon->sequence;
		take_hearings(peers, row, path, beacon, now_us);
		take_addresses(row, beacon);
	}
	forget_replaced(row, path, now_us);
}

void peers_beacon(struct peers *peers, uint32_t interface,
		  const struct beacon *beacon, uint64_t now_us)
{
	struct own_interface *own = own_by_index(peers, interface);
	enum session_verdict verdict;
	struct peer_row *row = NULL;
	bool echoed;

	now_us = forward(peers, now_us);
	if (own == NULL || beacon->session == peers->sent.session) {
		return;		/* the latter: our own, by another way */
	}
	if (beacon->node < SETTINGS_NODES_MAX) {
		row = peers->rows[beacon->node];
	}
	if (row == NULL) {
		event_log_once(EVENT_NODE_UNKNOWN, own->name,
			       "somebody on %s says that it is node %u, which "
			       "the nodes file does not have", own->name,
			       beacon->node);
		return;
	}
	echoed = sent_echoed(&peers->sent, peers->own, beacon, now_us);
	verdict = session_judge(&row->sessions, interface, beacon, echoed,
				now_us);
	if (beacon->node == peers->own && verdict != SESSION_IGNORED) {
		verdict = SESSION_TWICE;
	}
	switch (verdict) {
	case SESSION_IGNORED:
		return;
	case SESSION_TWICE:
		event_log_once(EVENT_NODE_TWICE, own->name,
			       "on %s there is a second machine that says that "
			       "it is node %u%s", own->name, beacon->node,
			       beacon->node == peers->own ? ", as we are" : "");
		return;
	case SESSION_NEW:
		row->freshest = 0;
		break;
	case SESSION_COUNTS:
		break;
	}
	take_beacon(peers, row, own, beacon, now_us);
	evaluate(row, now_us);
	tell(peers);
}

void peers_refused(struct peers *peers, uint32_t interface,
		   const struct net_mac *from)
{
	const struct own_interface *own = own_by_index(peers, interface);
	char *mac;

	if (own == NULL) {
		return;
	}
	mac = net_mac_print(peers, from);
	/* Once for an interface: a MAC is easily made up. */
	event_log_once(EVENT_BEACON_WRONG_KEY, own->name,
		       "%s, heard on %s, does not have our cluster key",
		       mac != NULL ? mac : "somebody", own->name);
	talloc_free(mac);
}

/* -------------------------------------------------------- links, time, sent */

static void forget_interface(struct peers *peers, uint32_t index)
{
	uint32_t i;
	uint32_t j;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		struct peer_row *row = peers->rows[i];

		if (row == NULL) {
			continue;
		}
		session_forget_interface(&row->sessions, index);
		for (j = row->peer.num_paths; j > 0; j--) {
			if (row->visible[j - 1]->interface == index) {
				remove_path(row, j - 1);
			}
		}
	}
}

static void set_carrier(struct peers *peers, struct own_interface *own,
			bool carrier, uint64_t now_us)
{
	uint32_t i;
	uint32_t j;

	own->carrier = carrier;
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		struct peer_row *row = peers->rows[i];

		if (row == NULL) {
			continue;
		}
		for (j = 0; j < row->peer.num_paths; j++) {
			if (row->visible[j]->interface == own->index) {
				row->paths[j]->carrier = carrier;
			}
		}
		evaluate(row, now_us);
	}
}

void peers_link(struct peers *peers, const struct interface *interface,
		uint64_t now_us)
{
	struct own_interface *own = NULL;
	uint32_t i;

	now_us = forward(peers, now_us);
	for (i = 0; i < peers->settings->num_interfaces; i++) {
		if (strcmp(peers->interfaces[i].name, interface->name) == 0) {
			own = &peers->interfaces[i];
		}
	}
	if (own == NULL) {
		return;
	}
	if (interface->index != own->index && own->index != 0) {
		set_carrier(peers, own, false, now_us);
		/* While there is no other one it is shown as it was. */
		if (interface->index != 0) {
			forget_interface(peers, own->index);
		}
	}
	if (interface->index != 0) {
		own->index = interface->index;
		set_carrier(peers, own, interface->carrier, now_us);
	}
	tell(peers);
}

uint64_t peers_tick(struct peers *peers, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	uint32_t i;
	uint32_t j;

	now_us = forward(peers, now_us);
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		struct peer_row *row = peers->rows[i];

		if (row == NULL) {
			continue;
		}
		evaluate(row, now_us);
		for (j = 0; j < row->peer.num_paths; j++) {
			uint64_t one = path_next(row->paths[j]);

			next = one < next ? one : next;
		}
	}
	tell(peers);
	return next;
}

void peers_paused(struct peers *peers, uint64_t us)
{
	uint32_t i;
	uint32_t j;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		struct peer_row *row = peers->rows[i];

		for (j = 0; row != NULL && j < row->peer.num_paths; j++) {
			path_paused(row->paths[j], us);
		}
	}
}

/* Those of the node, on the interface or on all others. False: no room. */
static bool fill_hearings(const struct peer_row *row, uint32_t interface,
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

void peers_fill(struct peers *peers, uint32_t interface,
		struct beacon *beacon, uint64_t now_us)
{
	struct own_interface *own = own_by_index(peers, interface);
	uint32_t first = peers->turn;
	uint32_t i;

	now_us = forward(peers, now_us);
	beacon->node = peers->own;
	beacon->interface = interface;
	beacon->session = peers->sent.session;
	beacon->sequence = ++peers->sequence;
	beacon->count = own != NULL ? ++own->count : 0;
	beacon->num_hearings = 0;
	sent_add(&peers->sent, beacon->sequence, interface, now_us);

	for (i = 0; i < 2 * SETTINGS_NODES_MAX; i++) {
		uint32_t node = (first + i) % SETTINGS_NODES_MAX;

		if (peers->rows[node] != NULL &&
		    !fill_hearings(peers->rows[node], interface,
				   i < SETTINGS_NODES_MAX, beacon, now_us)) {
			/* The next beacon begins with who did not fit. */
			peers->turn = node;
			return;
		}
	}
}

const struct peer *const *peers_list(const struct peers *peers,
				     uint32_t *count)
{
	*count = peers->num_list;
	return peers->list;
}

const struct peer *peers_find(const struct peers *peers, uint32_t node)
{
	if (node >= SETTINGS_NODES_MAX || node == peers->own ||
	    peers->rows[node] == NULL) {
		return NULL;
	}
	return &peers->rows[node]->peer;
}

uint64_t peers_session(const struct peers *peers, uint32_t node)
{
	return node < SETTINGS_NODES_MAX && peers->rows[node] != NULL ?
		peers->rows[node]->sessions.current : 0;
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
