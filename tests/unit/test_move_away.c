/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a service that cannot be served here is moved to another node, and how
 * often. ctdb is stubbed.
 *
 * Seen to fail with find_other() that does not look at the link, and with a
 * pause that does not grow.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "ctdb_view.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"
#include "stub_service_move.h"

/* -------------------------------------------------------------------- stubs */

static struct {
	uint64_t now;
	bool settled;
	int host;
	bool up[3];
	bool excluded[3];
} stub;

uint64_t service_now(void)
{
	return stub.now;
}

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	return (struct peer *)&stub.up[node];
}

bool peer_is_up(const struct peer *peer)
{
	return *(const bool *)peer;
}

bool ctdb_view_settled(const struct ctdb_view *view)
{
	return stub.settled;
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return true;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return stub.excluded[node];
}

int ctdb_view_host(const struct ctdb_view *view, const char *address)
{
	assert_string_equal(address, "10.0.0.5");
	return stub.host;
}

/* -------------------------------------------------------------------- tests */

static int make_world(void **state)
{
	static const char *addresses[] = { "10.0.0.5", "10.0.0.6", NULL };
	static struct nodes nodes = { .own = 1, .count = 3 };
	struct service_volume *volume = talloc_zero(NULL,
						    struct service_volume);
	struct mirrord *mirrord = talloc_zero(volume, struct mirrord);
	struct config_service *service = talloc_zero(volume,
						     struct config_service);
	struct config_volume *config = talloc_zero(volume,
						   struct config_volume);

	memset(&stub, 0, sizeof(stub));
	memset(&stub_move, 0, sizeof(stub_move));
	stub.now = 1000000;
	stub.settled = true;
	stub.host = 1;
	stub.up[0] = stub.up[2] = true;
	service->name = "FILES";
	service->addresses = addresses;
	config->name = "data";
	config->service = service;
	mirrord->nodes = &nodes;
	volume->mirrord = mirrord;
	volume->config = config;
	*state = volume;
	return 0;
}

static int free_world(void **state)
{
	return talloc_free(*state);
}

static void test_to_the_next_that_can(void **state)
{
	struct service_volume *volume = *state;

	move_away(volume);
	assert_int_equal(stub_move.count, 1);
	assert_int_equal(stub_move.node, 2);
	tevent_req_done(stub_move.running);
	volume->next_move = 0;
	stub.up[2] = false;
	move_away(volume);
	assert_int_equal(stub_move.node, 0);
	volume->next_move = 0;
	stub.excluded[0] = true;
	move_away(volume);
	assert_int_equal(stub_move.count, 2);
}

static void test_only_what_is_ours(void **state)
{
	struct service_volume *volume = *state;

	stub.host = 0;
	move_away(volume);
	stub.host = -1;
	move_away(volume);
	stub.host = 1;
	stub.settled = false;
	move_away(volume);
	assert_int_equal(stub_move.count, 0);
}

static void test_not_for_ever(void **state)
{
	struct service_volume *volume = *state;
	uint32_t minute;

	for (minute = 0; minute < 60; minute++) {
		move_away(volume);
		move_away(volume);
		stub.now += 60000;
	}
	/* Each minute at first, later every five. */
	assert_in_range(stub_move.count, 10, 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_to_the_next_that_can),
		TEST(test_only_what_is_ours),
		TEST(test_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
