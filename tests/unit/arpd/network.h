/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network for tests of peers: nodes with some interfaces each, interface n
 * of all of them on segment n, and a clock that the test moves. A peers_tick()
 * is called only when the last one said so, or something came in.
 *
 * Included by one .c file only.
 */

#ifndef TESTS_NETWORK_H
#define TESTS_NETWORK_H

#include <sys/socket.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "event_log.h"
#include "peers.h"

#define NODES 3
#define SEGMENTS 2
#define LATENCY_US 100
#define RECORD_MAX 4096

struct frame {
	uint32_t to;
	uint32_t segment;
	struct beacon beacon;
};

struct node {
	struct network *network;
	struct peers *peers;		/* NULL: off */
	uint32_t own;
	uint32_t first_index;		/* of its interfaces */
	uint64_t phase_ms;		/* when it sends, of the period */
	uint64_t next_us;
	uint8_t flags;
	uint32_t num_addresses;
	struct beacon_address addresses[BEACON_ADDRESSES_MAX];
	uint32_t changes[PEERS_STATE + 1];
};

struct network {
	struct settings settings;
	uint64_t now_us;
	uint32_t period_ms;		/* 100, if nothing else is said */
	struct node nodes[NODES];
	bool cut[SEGMENTS][NODES][NODES];	/* from, to */
	uint32_t drop_every;		/* on segment 0, each nth; 0: none */
	uint32_t dropped;
	uint32_t num_sent;
	struct frame *record;		/* RECORD_MAX; NULL: not recording */
	uint32_t num_record;
};

/* What was logged since the last time, as "N010 N012 ". */
static char logged[65536];

static void note_line(const char *line)
{
	size_t length = strlen(logged);

	snprintf(logged + length, sizeof(logged) - length, "%.4s ", line);
}

static uint32_t times_logged(const char *code)
{
	const char *at = logged;
	uint32_t times = 0;

	while ((at = strstr(at, code)) != NULL) {
		times++;
		at += 4;
	}
	return times;
}

static void on_change(void *private_data, const struct peer *peer,
		      enum peers_change change)
{
	struct node *node = private_data;

	assert_ptr_equal(peers_find(node->peers, peer->node), peer);
	node->changes[change]++;
}

static void set_link(struct network *network, uint32_t own, uint32_t segment,
		     uint32_t index, bool carrier)
{
	struct node *node = &network->nodes[own];
	struct interface interface = { .index = index, .carrier = carrier };

	snprintf(interface.name, sizeof(interface.name), "net%u", segment);
	peers_link(node->peers, &interface, network->now_us);
	node->next_us = 0;
}

static uint32_t index_of(const struct node *node, uint32_t segment)
{
	return node->first_index + segment;
}

/* Starts its arpd, again if it was running. */
static void start_node(struct network *network, uint32_t own)
{
	static uint64_t session = 1000;
	struct node *node = &network->nodes[own];
	uint32_t i;

	TALLOC_FREE(node->peers);
	memset(node->changes, 0, sizeof(node->changes));
	assert_int_equal(peers_new(network, &network->settings, own,
				   ++session, on_change, node,
				   &node->peers), 0);
	for (i = 0; i < SEGMENTS; i++) {
		set_link(network, own, i, index_of(node, i), true);
	}
}

static void stop_node(struct network *network, uint32_t own)
{
	TALLOC_FREE(network->nodes[own].peers);
}

static struct network *new_network(uint32_t nodes)
{
	struct network *network = talloc_zero(NULL, struct network);
	struct settings *settings = &network->settings;
	uint32_t i;

	assert_non_null(network);
	logged[0] = '\0';
	event_log_watch(note_line);
	*settings = (struct settings){
		.num_interfaces = SEGMENTS, .num_nodes = nodes,
		.beacon_ms = 100, .detection_ms = 300, .hold_ms = 1000,
		.silence_ms = 300,
	};
	for (i = 0; i < SEGMENTS; i++) {
		snprintf(settings->interfaces[i].name, NET_NAME_SIZE,
			 "net%u", i);
	}
	network->now_us = 5000000;
	network->period_ms = 100;
	for (i = 0; i < nodes; i++) {
		settings->nodes[i].family = AF_INET;
	}
	for (i = 0; i < nodes; i++) {
		network->nodes[i].network = network;
		network->nodes[i].own = i;
		network->nodes[i].first_index = 10 * (i + 1);
		network->nodes[i].phase_ms = 37 * i;
		start_node(network, i);
	}
	return network;
}

static void deliver(struct network *network, const struct frame *frame)
{
	struct node *node = &network->nodes[frame->to];

	if (node->peers != NULL) {
		peers_beacon(node->peers, index_of(node, frame->segment),
			     &frame->beacon, network->now_us);
		node->next_us = 0;
	}
}

static bool is_lost(struct network *network, uint32_t segment, uint32_t from,
		    uint32_t to)
{
	if (network->cut[segment][from][to]) {
		return true;
	}
	if (segment != 0 || network->drop_every == 0 ||
	    ++network->num_sent % network->drop_every != 0) {
		return false;
	}
	network->dropped++;
	return true;
}

static void send_beacon(struct network *network, struct node *node,
			uint32_t segment)
{
	struct frame frame = { .segment = segment };
	struct beacon *beacon = &frame.beacon;

	beacon->flags = node->flags;
	beacon->num_addresses = node->num_addresses;
	memcpy(beacon->addresses, node->addresses, sizeof(node->addresses));
	beacon->mac.bytes[0] = 2;
	beacon->mac.bytes[4] = (uint8_t)node->own;
	beacon->mac.bytes[5] = (uint8_t)segment;
	peers_fill(node->peers, index_of(node, segment), beacon,
		   network->now_us);
	network->now_us += LATENCY_US;
	for (frame.to = 0; frame.to < network->settings.num_nodes;
	     frame.to++) {
		if (frame.to == node->own ||
		    is_lost(network, segment, node->own, frame.to)) {
			continue;
		}
		if (network->record != NULL &&
		    network->num_record < RECORD_MAX) {
			network->record[network->num_record++] = frame;
		}
		deliver(network, &frame);
	}
}

static void send_round(struct network *network, struct node *node)
{
	uint32_t segment;

	for (segment = 0; segment < SEGMENTS; segment++) {
		send_beacon(network, node, segment);
	}
}

/* To the next ms. */
static void step(struct network *network)
{
	uint32_t i;

	network->now_us = (network->now_us / 1000 + 1) * 1000;
	for (i = 0; i < NODES; i++) {
		struct node *node = &network->nodes[i];

		if (node->peers != NULL &&
		    network->now_us / 1000 % network->period_ms ==
		    node->phase_ms) {
			send_round(network, node);
		}
	}
	for (i = 0; i < NODES; i++) {
		struct node *node = &network->nodes[i];

		if (node->peers != NULL && network->now_us >= node->next_us) {
			node->next_us = peers_tick(node->peers,
						   network->now_us);
			assert_true(node->next_us > network->now_us);
		}
	}
}

static void run(struct network *network, uint32_t ms)
{
	while (ms-- > 0) {
		step(network);
	}
}

static const struct peer *peer_of(const struct network *network,
				  uint32_t own, uint32_t node)
{
	const struct peer *peer = peers_find(network->nodes[own].peers, node);

	assert_non_null(peer);
	return peer;
}

/* The path of own to the node on the segment. */
static const struct path *path_of(const struct network *network,
				  uint32_t own, uint32_t node,
				  uint32_t segment)
{
	return peer_path_on(peer_of(network, own, node),
			    index_of(&network->nodes[own], segment));
}

static enum path_state state_of(const struct network *network, uint32_t own,
				uint32_t node, uint32_t segment)
{
	const struct path *path = path_of(network, own, node, segment);

	return path != NULL ? path->state : PATH_DOWN;
}

/* Both directions, between two nodes. */
static void set_cut(struct network *network, uint32_t segment, uint32_t a,
		    uint32_t b, bool cut)
{
	network->cut[segment][a][b] = cut;
	network->cut[segment][b][a] = cut;
}

/* Runs until the path is in that state; ms that it took. */
static uint32_t run_until(struct network *network, uint32_t own, uint32_t node,
			  uint32_t segment, enum path_state state,
			  uint32_t limit)
{
	uint32_t ms = 0;

	while (state_of(network, own, node, segment) != state) {
		assert_true(ms < limit);
		step(network);
		ms++;
	}
	return ms;
}

#endif /* TESTS_NETWORK_H */
