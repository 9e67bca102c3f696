/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom does a node ask that wants to know whether it hears anybody? */

#include <sys/socket.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "connections.h"
#include "ports.h"
#include "probe.h"

#define LAN 2
#define IC 3

static struct arpd *arpd;
static struct interface rows[2];
static struct peer peer;
static struct path paths[2];
static const struct path *path_list[] = { &paths[0], &paths[1] };
static const struct peer *peer_list[] = { &peer };
static struct net_address asked[600];
static uint32_t num_asked;
static const char *client;

static struct net_address address(const char *text)
{
	struct net_address result;

	assert_true(net_address_parse(text, &result));
	return result;
}

const struct interface *interfaces_list(const struct interfaces *interfaces,
					uint32_t *count)
{
	*count = 2;
	return rows;
}

const struct peer *const *peers_list(const struct peers *peers,
				     uint32_t *count)
{
	*count = 1;
	return peer_list;
}

const struct path *peer_path_on(const struct peer *unused, uint32_t interface)
{
	return &paths[interface - LAN];
}

uint32_t connections_clients(const struct connections *connections,
			     struct net_address *clients, uint32_t max)
{
	if (client == NULL) {
		return 0;
	}
	clients[0] = address(client);
	return 1;
}

size_t frame_unicast_probe(uint8_t *frame, const struct net_address *host,
			   const struct net_mac *to,
			   const struct net_address *source,
			   const struct net_mac *mac)
{
	struct net_address own = address("10.77.0.10");

	assert_true(net_address_same(source, &own));
	assert_true(net_mac_same(mac, &rows[0].mac));
	asked[num_asked++] = *host;
	return 60;
}

void ports_send(struct ports *ports, uint32_t interface,
		const uint8_t *frame, size_t length)
{
	assert_int_equal(interface, LAN);
}

static int setup(void **state)
{
	arpd = talloc_zero(NULL, struct arpd);
	assert_int_equal(probe_new(arpd, &arpd->probe), 0);
	memset(rows, 0, sizeof(rows));
	rows[0] = (struct interface){
		.index = LAN, .carrier = true, .num_addresses = 2,
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.addresses = {
			{ address("10.77.0.200/24"), ARPD_PROTOCOL },
			{ address("10.77.0.10/24"), 0 },
		},
	};
	rows[1] = (struct interface){
		.index = IC, .carrier = true, .interconnect = true,
	};
	peer = (struct peer){
		.node = 1, .state = PEER_ALIVE, .num_paths = 2,
		.paths = path_list,
	};
	/* In doubt on both. */
	paths[0] = paths[1] = (struct path){
		.heard = true, .their_mac = { { 2, 0, 0, 0, 0, 2 } },
	};
	num_asked = 0;
	client = NULL;
	return 0;
}

static int teardown(void **state)
{
	TALLOC_FREE(arpd);
	return 0;
}

static void see(const char *text, uint8_t last_of_mac)
{
	const struct frame_claim claim = {
		.address = address(text),
		.mac = { { 2, 0, 0, 0, 0, last_of_mac } },
		.is_claim = true,
	};

	probe_seen(arpd, LAN, &claim);
}

static void test_whom(void **state)
{
	see("10.77.0.100", 100);
	see("10.77.0.100", 100);
	/* A node, another network, IPv6. */
	see("10.77.0.11", 2);
	see("10.99.0.1", 99);
	see("fd77::100", 100);
	client = "10.77.0.101";
	probe_ask(arpd);
	assert_int_equal(num_asked, 2);
	assert_int_equal(asked[0].bytes[3], 100);
	assert_int_equal(asked[1].bytes[3], 101);
}

/* Nobody is known: all of the network are asked, once, and then whom that has
 * made known. */
static void test_sweep(void **state)
{
	bool seen[256] = { false };
	uint32_t i;

	for (i = 0; i < 20; i++) {
		probe_ask(arpd);
	}
	assert_int_equal(num_asked, 256);
	for (i = 0; i < num_asked; i++) {
		assert_int_equal(asked[i].bytes[2], 0);
		seen[asked[i].bytes[3]] = true;
	}
	assert_true(seen[1] && seen[100] && seen[254]);
	see("10.77.0.100", 100);
	num_asked = 0;
	probe_ask(arpd);
	assert_int_equal(num_asked, 1);
}

static void test_when(void **state)
{
	see("10.77.0.100", 100);
	paths[0].hear = true;
	probe_ask(arpd);
	paths[0].hear = paths[0].heard = false;
	probe_ask(arpd);
	paths[0].heard = true;
	rows[0].carrier = false;
	probe_ask(arpd);
	rows[0].carrier = true;
	peer.state = PEER_SILENT;
	probe_ask(arpd);
	assert_int_equal(num_asked, 0);
	peer.state = PEER_ALIVE;
	probe_ask(arpd);
	assert_int_equal(num_asked, 1);
}

static void test_bounds(void **state)
{
	char text[16];
	int i;

	for (i = 1; i <= 100; i++) {
		snprintf(text, sizeof(text), "10.77.0.%d", 100 + i);
		see(text, 100);
	}
	probe_ask(arpd);
	assert_int_equal(num_asked, PROBE_HOSTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whom, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_when, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
