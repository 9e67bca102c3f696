/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan in situations that are made up: node 0 plans; the others are told.
 * What interfaces.h and peers.h know is said by this test. */

#include <sys/socket.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "plan.h"

#define NOW 100000
#define LAN 2
#define LAN1 3
#define IC 4

static struct settings settings;
static struct interface rows[3];
static struct peer peers[2];
static const struct peer *peer_list[2];
static struct path paths[2][3];
static const struct path *path_list[2][3];
static struct plan before, plan;

static struct net_address address(const char *text)
{
	struct net_address result;

	assert_true(net_address_parse(text, &result));
	return result;
}

/* -------------------------------------------- what the plan asks the others */

const struct interface *interfaces_list(const struct interfaces *interfaces,
					uint32_t *count)
{
	*count = 3;
	return rows;
}

const struct interface *interfaces_by_index(
	const struct interfaces *interfaces, uint32_t index)
{
	return index >= LAN && index <= IC ? &rows[index - LAN] : NULL;
}

const struct interface *interfaces_for_address(
	const struct interfaces *interfaces,
	const struct net_address *wanted, uint8_t *prefix)
{
	uint32_t i;

	for (i = 0; i < 2; i++) {
		struct net_address network = address(
			i == 0 ? "10.77.0.10/24" : "10.79.0.10/24");
		struct net_address network6 = address(
			i == 0 ? "fd77::10/64" : "fd79::10/64");

		if (net_address_within(wanted, &network) ||
		    net_address_within(wanted, &network6)) {
			*prefix = 24;
			return &rows[i];
		}
	}
	return NULL;
}

bool interfaces_is_local(const struct interfaces *interfaces,
			 const struct net_address *wanted)
{
	uint32_t i, j;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < rows[i].num_addresses; j++) {
			if (net_address_same(&rows[i].addresses[j].address,
					     wanted)) {
				return true;
			}
		}
	}
	return false;
}

const struct peer *const *peers_list(const struct peers *unused,
				     uint32_t *count)
{
	*count = settings.num_nodes - 1;
	return peer_list;
}

const struct peer *peers_find(const struct peers *unused, uint32_t node)
{
	return node >= 1 && node < settings.num_nodes ? &peers[node - 1] :
		NULL;
}

/* --------------------------------------------------------------- situations */

static void make(void)
{
	before = plan;
	plan_make(&settings, 0, NULL, NULL, &before, NOW, &plan);
}

static void make_at(uint64_t now)
{
	before = plan;
	plan_make(&settings, 0, NULL, NULL, &before, now, &plan);
}

static void hold(uint32_t interface, const char *text)
{
	struct interface *row = &rows[interface - LAN];

	row->addresses[row->num_addresses++] = (struct interface_address){
		.address = address(text),
		.protocol = ARPD_PROTOCOL,
	};
}

static void set_path(uint32_t node, uint32_t interface, enum path_state state,
		     bool hear, bool heard)
{
	struct path *path = &paths[node - 1][interface - LAN];
	struct peer *peer = &peers[node - 1];
	static const uint32_t order[] = { IC, LAN, LAN1 };
	uint32_t i;

	path->state = state;
	path->hear = hear;
	path->heard = heard;
	peer->best = NULL;
	for (i = 0; i < 3 && peer->best == NULL; i++) {
		path = &paths[node - 1][order[i] - LAN];
		peer->best = path->state == PATH_UP ? path : NULL;
	}
}

static void says(uint32_t node, enum beacon_address_state state,
		 uint32_t about, const char *text)
{
	struct peer *peer = &peers[node - 1];

	peer->addresses[peer->num_addresses++] = (struct peer_address){
		.address = address(text),
		.state = state,
		.node = about,
	};
}

static void says_nothing(uint32_t node)
{
	peers[node - 1].num_addresses = 0;
}

static void port(uint32_t interface, bool carrier, uint64_t since)
{
	rows[interface - LAN].carrier = carrier;
	rows[interface - LAN].carrier_since = since;
}

/* Two nodes, all is well; node 0 holds ALPHA's addresses. */
static int setup(void **state)
{
	uint32_t i, j;

	settings = (struct settings){
		.num_nodes = 2,
		.detection_ms = 300,
		.nodes = { address("10.255.0.1"), address("10.255.0.2"),
			   address("10.255.0.3") },
	};
	memset(rows, 0, sizeof(rows));
	memset(peers, 0, sizeof(peers));
	memset(paths, 0, sizeof(paths));
	memset(&plan, 0, sizeof(plan));
	for (i = 0; i < 3; i++) {
		rows[i].index = LAN + i;
		rows[i].carrier = true;
		rows[i].carrier_since = 1;
		rows[i].interconnect = rows[i].index == IC;
	}
	for (i = 0; i < 2; i++) {
		peer_list[i] = &peers[i];
		peers[i].node = i + 1;
		peers[i].state = PEER_ALIVE;
		peers[i].changed = 1;
		peers[i].num_paths = 3;
		peers[i].paths = path_list[i];
		for (j = 0; j < 3; j++) {
			path_list[i][j] = &paths[i][j];
			paths[i][j].node = i + 1;
			paths[i][j].interface = LAN + j;
			paths[i][j].their_mac.bytes[5] = 16 * (i + 1) + j;
			set_path(i + 1, LAN + j, PATH_UP, true, true);
		}
	}
	hold(LAN, "10.77.0.200/24");
	return 0;
}

static void port_lost(uint32_t interface)
{
	port(interface, false, NOW - 10);
	set_path(1, interface, PATH_DOWN, false, false);
}

static void split(uint32_t interface)
{
	set_path(1, interface, PATH_DOWN, false, false);
}

/* ------------------------------------------------------------------- checks */

static void assert_address(const struct net_address *is, const char *text)
{
	char *string = net_address_print(NULL, is);

	assert_string_equal(string, text);
	talloc_free(string);
}

static const struct kernel_route *route_to(const char *text, uint32_t table)
{
	struct net_address wanted = address(text);
	uint32_t i;

	for (i = 0; i < plan.kernel.num_routes; i++) {
		if (plan.kernel.routes[i].table == table &&
		    plan.kernel.routes[i].destination.prefix ==
		    wanted.prefix &&
		    net_address_same(&plan.kernel.routes[i].destination,
				     &wanted)) {
			return &plan.kernel.routes[i];
		}
	}
	return NULL;
}

static bool has_neighbour(const char *text, uint32_t interface, uint8_t mac)
{
	struct net_address wanted = address(text);
	uint32_t i;

	for (i = 0; i < plan.kernel.num_neighbours; i++) {
		const struct kernel_neighbour *row =
			&plan.kernel.neighbours[i];

		if (row->interface == interface && row->mac.bytes[5] == mac &&
		    net_address_same(&row->address, &wanted)) {
			return true;
		}
	}
	return false;
}

static void assert_nothing_passed(void)
{
	assert_int_equal(plan.kernel.num_rules, 0);
	assert_int_equal(plan.kernel.num_proxies, 0);
	assert_int_equal(plan.kernel.num_forwards, 0);
	assert_int_equal(plan.kernel.num_silences, 0);
	assert_int_equal(plan.kernel.num_doubles, 0);
}

static void test_all_is_well(void **state)
{
	const struct kernel_route *route;

	make();
	assert_nothing_passed();
	assert_int_equal(plan.kernel.num_routes, 1);
	route = route_to("10.255.0.2", 0);
	assert_non_null(route);
	assert_int_equal(route->interface, IC);
	assert_address(&route->source, "10.255.0.1");
	assert_true(has_neighbour("10.255.0.2", IC, 16 + 2));
	assert_int_equal(plan.num_held, 1);
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_int_equal(plan.next, 0);
}

static void test_route_follows_the_best_path(void **state)
{
	set_path(1, IC, PATH_DOWN, false, false);
	make();
	assert_int_equal(route_to("10.255.0.2", 0)->interface, LAN);
	set_path(1, LAN, PATH_DOWN, false, true);
	make();
	assert_int_equal(route_to("10.255.0.2", 0)->interface, LAN1);
	assert_true(has_neighbour("10.255.0.2", LAN1, 16 + 1));
	/* Nothing is left: the last way may be as good as any. */
	set_path(1, LAN1, PATH_DOWN, false, false);
	peers[0].state = PEER_SILENT;
	make();
	assert_int_equal(route_to("10.255.0.2", 0)->interface, LAN1);
	assert_true(has_neighbour("10.255.0.2", LAN1, 16 + 1));
	set_path(1, IC, PATH_UP, true, true);
	make();
	assert_int_equal(route_to("10.255.0.2", 0)->interface, IC);
}

static void test_port_lost(void **state)
{
	const struct kernel_route *route;

	port_lost(LAN);
	make();
	assert_int_equal(plan.held[0].helper, 1);
	assert_false(plan.held[0].passed);
	/* Replies go by the helper at once; nobody answers for us yet. */
	assert_int_equal(plan.kernel.num_rules, 1);
	assert_address(&plan.kernel.rules[0].from, "10.77.0.200");
	assert_int_equal(plan.kernel.rules[0].table, ARPD_TABLE + 1);
	route = route_to("0.0.0.0/0", ARPD_TABLE + 1);
	assert_non_null(route);
	assert_int_equal(route->interface, IC);
	assert_address(&route->gateway, "10.255.0.2");
	route = route_to("10.77.0.255", ARPD_BROADCAST);
	assert_non_null(route);
	assert_int_equal(route->interface, IC);
	assert_int_equal(plan.kernel.num_silences, 0);
	assert_int_equal(plan.kernel.num_doubles, 0);

	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	assert_true(plan.held[0].passed);
	assert_true(plan.held[0].silent);
	assert_int_equal(plan.kernel.num_silences, 1);
	assert_int_equal(plan.kernel.silences[0].interface, LAN);
	assert_int_equal(plan.kernel.num_rules, 1);
}

/* What another node passes for somebody else is not ours. */
static void test_passed_for_another(void **state)
{
	port_lost(LAN);
	says(1, BEACON_PASSING, 2, "10.77.0.200");
	make();
	assert_false(plan.held[0].passed);
}

static void test_split_switch(void **state)
{
	split(LAN);
	make();
	assert_int_equal(plan.held[0].helper, 1);
	assert_int_equal(plan.kernel.num_doubles, 0);
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	/* Each answers in its part, and replies go to both. */
	assert_false(plan.held[0].silent);
	assert_int_equal(plan.kernel.num_silences, 0);
	assert_int_equal(plan.kernel.num_rules, 0);
	assert_int_equal(plan.kernel.num_doubles, 1);
	assert_int_equal(plan.kernel.doubles[0].interface, LAN);
	assert_int_equal(plan.kernel.doubles[0].other, IC);
	assert_address(&plan.kernel.doubles[0].gateway, "10.255.0.2");
}

/* They do not hear us: our sender is broken, or their receiver. */
static void test_our_sender_is_broken(void **state)
{
	set_path(1, LAN, PATH_DOWN, true, false);
	make();
	assert_int_equal(plan.held[0].helper, 1);
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	/* We would be heard by some: only one may answer. */
	assert_true(plan.held[0].silent);
	assert_int_equal(plan.kernel.num_silences, 1);
	assert_int_equal(plan.kernel.num_rules, 0);
	assert_int_equal(plan.kernel.num_doubles, 1);
}

static void test_their_receiver_is_broken(void **state)
{
	set_path(1, LAN, PATH_DOWN, true, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	/* They do not help us, so we go on answering; and help. */
	assert_false(plan.held[0].silent);
	assert_int_equal(plan.num_passing, 1);
}

/* We do not hear them: their sender is broken, or our receiver. */
static void test_our_receiver_is_broken(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, true);
	paths[0][0].last_us = (NOW - 2000) * UINT64_C(1000);
	/* What was counted late was still theirs. */
	rows[0].received_at = NOW - 2000 + PLAN_COUNT_MS - 1;
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	assert_int_equal(plan.held[0].helper, 1);
	/* Who is deaf is no help. */
	assert_int_equal(plan.num_passing, 0);
	assert_true(plan.next != 0);
}

static void test_their_sender_is_broken(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, true);
	paths[0][0].last_us = (NOW - 2000) * UINT64_C(1000);
	rows[0].received_at = NOW - PLAN_QUIET_MS + 1;
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_int_equal(plan.num_passing, 1);
	/* A while without anything, and it may be us after all. */
	make_at(NOW + 1);
	assert_int_equal(plan.held[0].helper, 1);
	assert_int_equal(plan.kernel.num_proxies, 0);
}

/* In the first moment it is not known yet. */
static void test_others_get_the_time_to_be_heard(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, true);
	paths[0][0].last_us = (NOW - 300) * UINT64_C(1000);
	rows[0].received_at = NOW - 300;
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_int_equal(plan.num_passing, 0);
	make_at(NOW + PLAN_COUNT_MS);
	assert_int_equal(plan.held[0].helper, 1);
}

/* What came back is their wish of the time when our port was dead. */
static void test_our_port_was_dead(void **state)
{
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	set_path(1, LAN, PATH_DOWN, false, false);
	port(LAN, true, NOW - 100);
	make();
	assert_int_equal(plan.num_passing, 0);
	assert_int_equal(plan.next, NOW + 200);
	set_path(1, LAN, PATH_HOLD, true, true);
	port(LAN, true, NOW - 1000);
	make();
	assert_int_equal(plan.num_passing, 0);
	/* A real split: nothing was heard. */
	set_path(1, LAN, PATH_DOWN, false, false);
	make();
	assert_int_equal(plan.num_passing, 1);
	/* Which ends: until the holder is sure, we go on. */
	set_path(1, LAN, PATH_HOLD, true, true);
	make();
	assert_int_equal(plan.num_passing, 1);
	assert_int_equal(plan.passing[0].until, 0);
}

static void test_port_is_back(void **state)
{
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	port_lost(LAN);
	make();
	/* Carrier, but nobody can have been heard yet. */
	port(LAN, true, NOW - 100);
	make();
	assert_true(plan.held[0].silent);
	assert_int_equal(plan.next, NOW + 200);
	/* Heard, and on hold. */
	port(LAN, true, NOW - 1000);
	set_path(1, LAN, PATH_HOLD, true, true);
	make();
	assert_true(plan.held[0].silent);
	assert_int_equal(plan.held[0].helper, 1);
	/* Up: no wish. The other one still answers for a moment. */
	set_path(1, LAN, PATH_UP, true, true);
	make();
	assert_false(plan.held[0].asks);
	assert_true(plan.held[0].silent);
	assert_int_equal(plan.kernel.num_doubles, 1);
	says_nothing(1);
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_nothing_passed();
	/* Not heard for long enough: it is a split, and each answers. */
	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	assert_true(plan.held[0].asks);
	assert_false(plan.held[0].silent);
}

/* What was not passed need not wait until the path has proven itself. */
static void test_a_wish_that_nobody_fulfilled(void **state)
{
	split(LAN);
	make();
	assert_int_equal(plan.held[0].helper, 1);
	set_path(1, LAN, PATH_HOLD, true, true);
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	split(LAN);
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	set_path(1, LAN, PATH_HOLD, true, true);
	make();
	assert_int_equal(plan.held[0].helper, 1);
}

/* The holder says that its port has no carrier: that is proof enough. */
static void test_passed_at_once(void **state)
{
	says(1, BEACON_HELD_CUT, 0, "10.77.0.201/24");
	make();
	assert_int_equal(plan.num_passing, 1);
	/* Without that word it could be ours. */
	setup(NULL);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	assert_int_equal(plan.num_passing, 0);
}

static void test_carrier_is_told(void **state)
{
	make();
	assert_true(plan.held[0].carrier);
	assert_true(plan.held[0].whole);
	set_path(1, LAN, PATH_HOLD, true, true);
	make();
	assert_false(plan.held[0].whole);
	port_lost(LAN);
	make();
	assert_false(plan.held[0].carrier);
}

static void test_who_came_just_now_is_waited_for(void **state)
{
	peers[0].changed = NOW - 100;
	split(LAN);
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_int_equal(plan.next, NOW + 200);
	/* Not when our own port is dead: there is nothing to wait for. */
	port_lost(LAN);
	make();
	assert_int_equal(plan.held[0].helper, 1);
}

static void test_next_helper(void **state)
{
	settings.num_nodes = 3;
	port_lost(LAN);
	set_path(2, LAN, PATH_DOWN, false, false);
	make();
	assert_int_equal(plan.held[0].helper, 1);
	assert_int_equal(plan.next, NOW + PLAN_PATIENCE_MS);
	make_at(NOW + PLAN_PATIENCE_MS - 1);
	assert_int_equal(plan.held[0].helper, 1);
	make_at(NOW + PLAN_PATIENCE_MS);
	assert_int_equal(plan.held[0].helper, 2);
	says(2, BEACON_PASSING, 0, "10.77.0.200");
	make_at(NOW + 10 * PLAN_PATIENCE_MS);
	assert_int_equal(plan.held[0].helper, 2);
	/* It dies. */
	peers[1].state = PEER_SILENT;
	make_at(NOW + 11 * PLAN_PATIENCE_MS);
	assert_int_equal(plan.held[0].helper, 1);
}

static void test_nobody_helps(void **state)
{
	port_lost(LAN);
	peers[0].state = PEER_SILENT;
	set_path(1, IC, PATH_DOWN, false, false);
	set_path(1, LAN1, PATH_DOWN, false, false);
	says(1, BEACON_PASSING, 0, "10.77.0.200");
	make();
	assert_int_equal(plan.held[0].helper, NET_NOBODY);
	assert_false(plan.held[0].silent);
	assert_nothing_passed();
}

static void test_pass_for_another(void **state)
{
	const struct kernel_route *route;

	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	says(1, BEACON_HELD, NET_NOBODY, "10.79.0.201/24");
	make();
	assert_int_equal(plan.num_passing, 1);
	assert_int_equal(plan.passing[0].node, 1);
	assert_int_equal(plan.passing[0].interface, LAN);
	assert_int_equal(plan.passing[0].inside, IC);
	assert_int_equal(plan.passing[0].until, 0);
	route = route_to("10.77.0.201", 0);
	assert_non_null(route);
	assert_int_equal(route->interface, IC);
	assert_int_equal(route->gateway.family, 0);
	assert_true(has_neighbour("10.77.0.201", IC, 16 + 2));
	assert_int_equal(plan.kernel.num_proxies, 1);
	assert_address(&plan.kernel.proxies[0].address, "10.77.0.201");
	assert_int_equal(plan.kernel.proxies[0].interface, LAN);
	assert_int_equal(plan.kernel.num_forwards, 1);
	assert_int_equal(plan.kernel.forwards[0].outside, LAN);
	assert_int_equal(plan.kernel.forwards[0].inside, IC);

	/* The interconnect dies: by the other network. */
	set_path(1, IC, PATH_DOWN, false, false);
	make();
	assert_int_equal(plan.passing[0].inside, LAN1);
	assert_int_equal(route_to("10.77.0.201", 0)->interface, LAN1);
	assert_true(has_neighbour("10.77.0.201", LAN1, 16 + 1));
}

static void test_not_passed(void **state)
{
	/* The network has no carrier here, either. */
	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	port(LAN, false, NOW);
	make();
	assert_int_equal(plan.num_passing, 0);
	/* It is here: it was taken over, and the beacon is old. */
	port(LAN, true, 1);
	hold(LAN, "10.77.0.201/24");
	make();
	assert_int_equal(plan.num_passing, 0);
	assert_int_equal(plan.kernel.num_proxies, 0);
	/* Of a network that we do not have. */
	setup(NULL);
	says(1, BEACON_HELD, 0, "10.80.0.201/24");
	make();
	assert_int_equal(plan.num_passing, 0);
	/* Through the network itself there is no way round. */
	setup(NULL);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	set_path(1, IC, PATH_DOWN, false, false);
	set_path(1, LAN1, PATH_DOWN, false, false);
	make();
	assert_int_equal(plan.num_passing, 0);
}

static void test_lingering(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	set_path(1, LAN, PATH_UP, true, true);
	says_nothing(1);
	says(1, BEACON_HELD, NET_NOBODY, "10.77.0.201/24");
	make();
	/* It does not answer any more, but still forwards. */
	assert_int_equal(plan.kernel.num_proxies, 0);
	assert_int_equal(plan.kernel.num_forwards, 1);
	assert_non_null(route_to("10.77.0.201", 0));
	assert_int_equal(plan.next, NOW + PLAN_LINGER_MS);
	make_at(NOW + PLAN_LINGER_MS - 1);
	assert_int_equal(plan.kernel.num_forwards, 1);
	make_at(NOW + PLAN_LINGER_MS);
	assert_int_equal(plan.num_passing, 0);
	assert_null(route_to("10.77.0.201", 0));
}

static void test_wish_while_lingering(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	says_nothing(1);
	make();
	assert_int_equal(plan.kernel.num_proxies, 0);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make_at(NOW + 1000);
	assert_int_equal(plan.num_passing, 1);
	assert_int_equal(plan.passing[0].until, 0);
	assert_int_equal(plan.kernel.num_proxies, 1);
}

static void test_a_dead_holder_is_not_passed(void **state)
{
	set_path(1, LAN, PATH_DOWN, false, false);
	says(1, BEACON_HELD, 0, "10.77.0.201/24");
	make();
	peers[0].state = PEER_SILENT;
	set_path(1, IC, PATH_DOWN, false, false);
	set_path(1, LAN1, PATH_DOWN, false, false);
	says_nothing(1);
	make();
	assert_int_equal(plan.num_passing, 0);
	assert_int_equal(plan.kernel.num_proxies, 0);
}

static void test_ipv6(void **state)
{
	const struct kernel_route *route;

	hold(LAN, "fd77::200/64");
	port_lost(LAN);
	make();
	assert_int_equal(plan.kernel.num_rules, 2);
	route = route_to("::/0", ARPD_TABLE + 1);
	assert_non_null(route);
	assert_address(&route->gateway, "fe80::534d:4200:0:2");
	assert_true(has_neighbour("fe80::534d:4200:0:2", IC, 16 + 2));
	assert_non_null(route_to("0.0.0.0/0", ARPD_TABLE + 1));
}

static void test_several_addresses_share_a_table(void **state)
{
	hold(LAN, "10.77.0.202/24");
	hold(LAN1, "10.79.0.200/24");
	port_lost(LAN);
	make();
	assert_int_equal(plan.kernel.num_rules, 2);
	assert_int_equal(plan.kernel.num_routes, 3);
	assert_int_equal(plan.held[2].helper, NET_NOBODY);
}

static void test_others_addresses_are_left_alone(void **state)
{
	rows[0].addresses[0].protocol = 0;
	port_lost(LAN);
	make();
	assert_int_equal(plan.num_held, 0);
	/* ctdb added it, and it is one of its public addresses. */
	settings.addresses = &rows[0].addresses[0].address;
	settings.num_addresses = 1;
	make();
	assert_int_equal(plan.num_held, 1);
	assert_int_equal(plan.held[0].helper, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_is_well, setup),
		cmocka_unit_test_setup(test_route_follows_the_best_path,
				       setup),
		cmocka_unit_test_setup(test_port_lost, setup),
		cmocka_unit_test_setup(test_passed_for_another, setup),
		cmocka_unit_test_setup(test_split_switch, setup),
		cmocka_unit_test_setup(test_our_sender_is_broken, setup),
		cmocka_unit_test_setup(test_their_receiver_is_broken, setup),
		cmocka_unit_test_setup(test_our_receiver_is_broken, setup),
		cmocka_unit_test_setup(test_their_sender_is_broken, setup),
		cmocka_unit_test_setup(test_others_get_the_time_to_be_heard,
				       setup),
		cmocka_unit_test_setup(test_our_port_was_dead, setup),
		cmocka_unit_test_setup(test_port_is_back, setup),
		cmocka_unit_test_setup(test_who_came_just_now_is_waited_for,
				       setup),
		cmocka_unit_test_setup(test_a_wish_that_nobody_fulfilled,
				       setup),
		cmocka_unit_test_setup(test_passed_at_once, setup),
		cmocka_unit_test_setup(test_carrier_is_told, setup),
		cmocka_unit_test_setup(test_next_helper, setup),
		cmocka_unit_test_setup(test_nobody_helps, setup),
		cmocka_unit_test_setup(test_pass_for_another, setup),
		cmocka_unit_test_setup(test_not_passed, setup),
		cmocka_unit_test_setup(test_lingering, setup),
		cmocka_unit_test_setup(test_wish_while_lingering, setup),
		cmocka_unit_test_setup(test_a_dead_holder_is_not_passed,
				       setup),
		cmocka_unit_test_setup(test_ipv6, setup),
		cmocka_unit_test_setup(test_several_addresses_share_a_table,
				       setup),
		cmocka_unit_test_setup(test_others_addresses_are_left_alone,
				       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
