/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other nodes, see peers.h. */

#include <errno.h>
#include <string.h>
#include "event_log.h"
#include "peer.h"
#include "peers.h"

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
		peers->interfaces[i].rank = i;
	}
	for (i = 0; i < settings->num_nodes; i++) {
		struct peer_row *row;

		if (settings->nodes[i].family == 0) {
			continue;
		}
		row = peer_new(peers, settings, i);
		if (row == NULL) {
			talloc_free(peers);
			return ENOMEM;
		}
		peers->rows[i] = row;
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
	peer_beacon(row, peers->own, &peers->sent, own, beacon, now_us);
	peer_evaluate(row, now_us);
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

static void set_carrier(struct peers *peers, struct own_interface *own,
			bool carrier, uint64_t now_us)
{
	uint32_t i;

	own->carrier = carrier;
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		if (peers->rows[i] != NULL) {
			peer_carrier(peers->rows[i], own);
			peer_evaluate(peers->rows[i], now_us);
		}
	}
}

static void forget_interface(struct peers *peers, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		if (peers->rows[i] != NULL) {
			peer_forget_interface(peers->rows[i], index);
		}
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

	now_us = forward(peers, now_us);
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		uint64_t one;

		if (peers->rows[i] == NULL) {
			continue;
		}
		peer_evaluate(peers->rows[i], now_us);
		one = peer_next(peers->rows[i]);
		next = one < next ? one : next;
	}
	tell(peers);
	return next;
}

void peers_paused(struct peers *peers, uint64_t us)
{
	uint32_t i;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		if (peers->rows[i] != NULL) {
			peer_paused(peers->rows[i], us);
		}
	}
}

static void fill_hearings(struct peers *peers, uint32_t interface,
			  struct beacon *beacon, uint64_t now_us)
{
	uint32_t first = peers->turn;
	uint32_t i;

	for (i = 0; i < 2 * SETTINGS_NODES_MAX; i++) {
		uint32_t node = (first + i) % SETTINGS_NODES_MAX;

		if (peers->rows[node] != NULL &&
		    !peer_fill(peers->rows[node], interface,
			       i < SETTINGS_NODES_MAX, beacon, now_us)) {
			/* The next beacon begins with who did not fit. */
			peers->turn = node;
			return;
		}
	}
}

void peers_fill(struct peers *peers, uint32_t interface,
		struct beacon *beacon, uint64_t now_us)
{
	struct own_interface *own = own_by_index(peers, interface);
	uint32_t i;

	now_us = forward(peers, now_us);
	beacon->node = peers->own;
	beacon->interface = interface;
	beacon->session = peers->sent.session;
	beacon->sequence = ++peers->sequence;
	beacon->count = own != NULL ? ++own->count : 0;
	beacon->num_hearings = 0;
	sent_add(&peers->sent, beacon->sequence, interface, now_us);
	fill_hearings(peers, interface, beacon, now_us);
	/* What has no carrier hears nothing: nobody need wait to know that. */
	for (i = 0; i < beacon->num_hearings; i++) {
		struct beacon_hearing *row = &beacon->hearings[i];

		own = own_by_index(peers, row->interface);
		if (own == NULL || !own->carrier) {
			row->age_us = UINT32_MAX;
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
