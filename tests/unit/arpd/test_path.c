/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One path, and what an echo is (R6): the exact times. The rest is in
 * test_peers, with a network. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "path.h"
#include "session.h"

#define START UINT64_C(100000000)
#define MS UINT64_C(1000)

static const struct settings settings = {
	.beacon_ms = 100, .detection_ms = 300, .hold_ms = 1000,
};

/* Heard, and they say that they heard us 40 ms ago. */
static struct path_row good_path(void)
{
	struct path_row row;
	struct beacon beacon = { .session = 1, .sequence = 10, .count = 5 };

	path_init(&row, &settings, 1, 2, 3);
	row.name = "net0";
	row.carrier = true;
	path_received(&row, &beacon, START);
	path_heard(&row, 40 * MS, START);
	assert_true(path_step(&row, START));
	assert_int_equal(row.path.state, PATH_HOLD);
	return row;
}

/* When it is to be looked at: the hold, then what expires first. */
static void test_times(void **state)
{
	struct path_row row = good_path();

	assert_int_equal(path_next(&row), START + 200 * MS);
	assert_false(path_step(&row, START + 200 * MS - 1));
	assert_true(path_step(&row, START + 200 * MS));
	assert_int_equal(row.path.state, PATH_UP);
	assert_int_equal(path_next(&row), START + 300 * MS);
	assert_false(path_step(&row, START + 300 * MS - 1));
	assert_true(path_step(&row, START + 300 * MS));
	assert_int_equal(row.path.state, PATH_DOWN);
	assert_int_equal(row.path.fault, PATH_NOT_HEARD);
	/* Heard 40 ms before, and one beacon longer than the interval. */
	assert_int_equal(path_next(&row), START + 360 * MS);
	assert_true(path_step(&row, START + 360 * MS));
	assert_int_equal(path_next(&row), UINT64_MAX);
}

/* What they say last: later is later, too long ago is the end. */
static void test_heard(void **state)
{
	struct path_row row = good_path();

	path_heard(&row, 100 * MS, START);
	assert_int_equal(row.heard_until, START + 360 * MS);
	path_heard(&row, 0, START + 10);
	assert_int_equal(row.heard_until, START + 400 * MS + 10);
	path_heard(&row, 300 * MS - 1, START + 10);
	assert_int_equal(row.heard_until, START + 400 * MS + 10);
	path_heard(&row, 300 * MS, START + 10);
	assert_true(path_step(&row, START + 10));
	assert_int_equal(row.path.fault, PATH_ONE_WAY);
	path_heard(&row, UINT32_MAX, START + 10);
	assert_false(path_step(&row, START + 10));
}

static void test_paused(void **state)
{
	struct path_row row = good_path();

	path_paused(&row, 5000 * MS);
	assert_false(path_step(&row, START + 5199 * MS));
	assert_int_equal(path_next(&row), START + 5200 * MS);
	assert_true(path_step(&row, START + 5200 * MS));
	assert_int_equal(row.path.state, PATH_UP);
}

/* Their count begins again with each session. */
static void test_count(void **state)
{
	struct path_row row = good_path();
	struct beacon beacon = { .session = 1, .sequence = 20, .count = 8 };

	path_received(&row, &beacon, START + 100 * MS);
	assert_int_equal(row.path.missed, 2);
	beacon.session = 2;
	beacon.sequence = 1;
	beacon.count = 20;
	path_received(&row, &beacon, START + 200 * MS);
	assert_int_equal(row.path.missed, 2);
	assert_int_equal(row.path.received, 3);
}

static void test_round_trip(void **state)
{
	struct path_row row = good_path();

	assert_int_equal(row.path.round_trip_us, 0);
	path_round_trip(&row, 0);
	assert_int_equal(row.path.round_trip_us, 1);
	path_round_trip(&row, 801);
	assert_int_equal(row.path.round_trip_us, 101);
	path_round_trip(&row, UINT64_MAX);
	assert_int_equal(row.path.round_trip_us, 101);
}

/* R6: our session, a sequence of ours, on the interface it was sent on, of
 * the last second. */
static void test_echo(void **state)
{
	static struct sent sent = { .session = 7 };
	const struct beacon_hearing echo = {
		.session = 7, .sequence = 1000, .their_interface = 3,
	};
	struct beacon_hearing hearing = echo;
	uint64_t at_us = 0;

	sent_add(&sent, 1000, 3, START);
	assert_true(sent_is_fresh(&sent, &hearing, START + 999999, &at_us));
	assert_int_equal(at_us, START);
	assert_false(sent_is_fresh(&sent, &hearing, START + 1000000, &at_us));
	hearing.session = 8;
	assert_false(sent_is_fresh(&sent, &hearing, START, &at_us));
	hearing = echo;
	hearing.their_interface = 4;
	assert_false(sent_is_fresh(&sent, &hearing, START, &at_us));
	hearing = echo;
	hearing.sequence = 1000 - SENT_MAX;
	assert_false(sent_is_fresh(&sent, &hearing, START, &at_us));
	hearing.sequence = 0;
	hearing.their_interface = 0;
	assert_false(sent_is_fresh(&sent, &hearing, 1, &at_us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
