/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who waits for an address that was given up, and for how long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <cmocka.h>
#include "connections_left.h"

#define SOON 1000
#define LATER (SOON + CONNECTIONS_LEFT_MS)

static struct connections_left *left;
static struct connection here[4];
static struct connection found[CONNECTIONS_MAX];

static struct net_address address(const char *text)
{
	struct net_address parsed;

	assert_true(net_address_parse(text, &parsed));
	return parsed;
}

static struct connection connection(const char *to, uint16_t client_port)
{
	return (struct connection){
		.address = address(to), .client = address("10.77.0.100"),
		.port = 445, .client_port = client_port,
	};
}

static int setup(void **state)
{
	left = connections_left_new(NULL);
	here[0] = connection("10.77.0.200", 1);
	here[1] = connection("10.77.0.201", 2);
	here[2] = connection("10.77.0.200", 3);
	here[3] = connection("fd77::200", 4);
	return left == NULL;
}

static int teardown(void **state)
{
	TALLOC_FREE(left);
	return 0;
}

static void note(const char *to, uint64_t now)
{
	struct net_address given_up = address(to);

	connections_left_note(left, here, 4, &given_up, now);
}

static uint32_t all(uint64_t now)
{
	return connections_left_append(left, NULL, found, 0, CONNECTIONS_MAX,
				       now);
}

static void test_only_clients_of_the_address(void **state)
{
	note("10.77.0.200", 0);
	assert_int_equal(all(SOON), 2);
	assert_int_equal(found[0].client_port, 1);
	assert_int_equal(found[1].client_port, 3);
	note("fd77::200", 0);
	assert_int_equal(all(SOON), 3);
}

static void test_one_address(void **state)
{
	struct net_address wanted = address("fd77::200");

	note("10.77.0.200", 0);
	note("fd77::200", 0);
	assert_int_equal(connections_left_append(left, &wanted, found, 0,
						 CONNECTIONS_MAX, SOON), 1);
	assert_int_equal(found[0].client_port, 4);
}

static void test_taken_is_forgotten(void **state)
{
	struct net_address taken = address("10.77.0.200");

	note("10.77.0.200", 0);
	note("10.77.0.201", 0);
	connections_left_forget(left, &taken);
	assert_int_equal(all(SOON), 1);
	assert_int_equal(found[0].client_port, 2);
}

/* It was here again in between. */
static void test_given_up_twice(void **state)
{
	note("10.77.0.200", 0);
	here[0].client_port = 9;
	here[2] = connection("10.77.0.201", 3);
	note("10.77.0.200", SOON);
	assert_int_equal(all(SOON), 1);
	assert_int_equal(found[0].client_port, 9);
	assert_int_equal(all(LATER - 1), 1);
}

static void test_for_some_minutes(void **state)
{
	note("10.77.0.200", 0);
	note("10.77.0.201", SOON);
	assert_int_equal(all(CONNECTIONS_LEFT_MS - 1), 3);
	assert_int_equal(all(CONNECTIONS_LEFT_MS), 1);
	assert_int_equal(found[0].client_port, 2);
	assert_int_equal(all(LATER), 0);
}

static void test_appended_and_bounded(void **state)
{
	uint32_t i;

	note("10.77.0.200", 0);
	found[0].client_port = 7;
	assert_int_equal(connections_left_append(left, NULL, found, 1, 2,
						 SOON), 2);
	assert_int_equal(found[0].client_port, 7);
	assert_int_equal(found[1].client_port, 1);
	/* More than there is room for: the first ones are kept. */
	for (i = 0; i < CONNECTIONS_MAX; i++) {
		found[i] = connection("10.77.0.201", (uint16_t)i);
	}
	connections_left_note(left, found, CONNECTIONS_MAX,
			      &here[1].address, 0);
	assert_int_equal(all(SOON), CONNECTIONS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_only_clients_of_the_address, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_one_address, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_taken_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_given_up_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_for_some_minutes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_appended_and_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
