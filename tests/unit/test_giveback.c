/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a service goes home, and what keeps it. ctdb, the volumes and the clocks
 * are stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "ctdb_view.h"
#include "giveback_private.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"
#include "stub_service_move.h"
#include "../common/timer.h"

#define HOUR 3600
#define discard_const(p) ((void *)(uintptr_t)(p))
/* 2026-11-20 00:00 UTC */
#define DAY INT64_C(1795132800)

/* -------------------------------------------------------------------- stubs */

static struct {
	bool settled;
	bool connected;
	bool excluded;
	bool healthy;
	bool up;
	int host;
	struct service_volume volume;
	struct service_volume other;
	struct owner_status status;
} stub;

static struct giveback_clock now;

struct service_volume *service_volume_find(struct services *services,
					   const char *name)
{
	return strcmp(name, "data") == 0 ? &stub.volume : &stub.other;
}

void owner_status(struct owner *owner, struct owner_status *status)
{
	*status = stub.status;
}

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	return node == 1 ? (struct peer *)&stub : NULL;
}

bool peer_is_up(const struct peer *peer)
{
	return peer != NULL && stub.up;
}

bool ctdb_view_settled(const struct ctdb_view *view)
{
	return stub.settled;
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return stub.connected;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return stub.excluded;
}

bool ctdb_view_healthy(const struct ctdb_view *view, uint32_t node)
{
	return stub.healthy;
}

int ctdb_view_host(const struct ctdb_view *view, const char *address)
{
	return stub.host;
}

struct timer *timer_start(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
			  uint64_t ms, timer_handler handler,
			  void *private_data)
{
	return NULL;
}

/* -------------------------------------------------------------------- world */

static char folder[] = "/tmp/test_giveback.XXXXXX";

/* Node 0, with service FILES, which is at home on node 1, and service OTHER. */
static int make_world(void **state)
{
	static const char *addresses[] = { "10.0.0.5", NULL };
	static struct nodes nodes = { .own = 0, .count = 2 };
	struct giveback *giveback = talloc_zero(NULL, struct giveback);
	struct mirrord *mirrord = talloc_zero(giveback, struct mirrord);
	struct mirror_config *config = talloc_zero(giveback,
						   struct mirror_config);
	struct config_service *service = talloc_zero(config,
						     struct config_service);
	struct config_volume *data = talloc_zero(config,
						 struct config_volume);
	struct config_volume *other = talloc_zero(config,
						  struct config_volume);

	memset(&stub, 0, sizeof(stub));
	memset(&stub_move, 0, sizeof(stub_move));
	stub.settled = stub.connected = stub.healthy = stub.up = true;
	stub.volume.state = SERVICE_ABSENT;
	stub.other.state = SERVICE_OWNER;
	stub.status.mode = PAGE_MIRRORED;
	nodes.node[0].used = nodes.node[1].used = true;
	data->name = "data";
	other->name = "other";
	service->name = "FILES";
	service->home = 1;
	service->addresses = addresses;
	service->volumes = talloc_zero_array(config, struct config_volume *,
					     2);
	service->volumes[0] = data;
	config->services = talloc_zero_array(config, struct config_service *,
					     2);
	config->services[0] = service;
	config->volumes = talloc_zero_array(config, struct config_volume *, 3);
	config->volumes[0] = data;
	config->volumes[1] = other;
	config->run_directory = folder;
	config->giveback_delay_s = 60;
	mirrord->config = config;
	mirrord->nodes = &nodes;
	giveback->mirrord = mirrord;
	giveback->services = talloc_array(giveback, struct giveback_service *,
					  0);
	now = (struct giveback_clock){ .boot = 1000, .wall = DAY + 12 * HOUR };
	giveback_look(giveback, now);
	*state = giveback;
	return 0;
}

static int free_world(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/giveback.FILES", folder);
	unlink(path);
	return talloc_free(*state);
}

static struct config_service *config_of(struct giveback *giveback)
{
	return giveback->mirrord->config->services[0];
}

static void set_policy(struct giveback *giveback, const char *text)
{
	assert_true(giveback_policy_parse(text,
					  &config_of(giveback)->giveback));
}

static void pass(struct giveback *giveback, int64_t seconds)
{
	for (; seconds > 0; seconds--) {
		now.boot++;
		now.wall++;
		giveback_look(giveback, now);
	}
}

/* Home fails, the service comes here, home returns. */
static void fail_over(struct giveback *giveback)
{
	stub.up = stub.connected = stub.healthy = false;
	stub.excluded = true;
	stub.status.mode = PAGE_DEGRADED;
	stub.volume.state = SERVICE_OWNER;
	stub.host = 0;
	pass(giveback, 5);
	stub.up = stub.connected = stub.healthy = true;
	stub.excluded = false;
	stub.status.mode = PAGE_MIRRORED;
}

static void gone_home(struct giveback *giveback)
{
	tevent_req_done(stub_move.running);
	stub.volume.state = SERVICE_ABSENT;
	stub.host = 1;
	pass(giveback, 2);
}

/* At so many seconds of the next day. */
static void pass_until(struct giveback *giveback, int64_t of_day)
{
	int64_t day = (now.wall - DAY) / (24 * HOUR) + 1;

	pass(giveback, DAY + day * 24 * HOUR + of_day - now.wall);
}

/* -------------------------------------------------------------------- tests */

static void test_words(void **state)
{
	static const struct {
		const char *text;
		const char *same;	/* NULL: refused */
	} cases[] = {
		{ "manual", "manual" }, { "at 03:00", "at 03:00" },
		{ "AT 3:05", "at 03:05" }, { "idle 600", "idle 600" },
		{ "idle 60  at 23:59", "at 23:59 idle 60" },
		{ "", NULL }, { "at", NULL }, { "at 24:00", NULL },
		{ "at 3", NULL }, { "at 03:60", NULL }, { "at 03:0", NULL },
		{ "at -3:00", NULL }, { "idle", NULL }, { "idle 0", NULL },
		{ "idle 604801", NULL }, { "idle 10m", NULL },
		{ "idle 99999999999", NULL }, { "at 03:00 at 04:00", NULL },
		{ "manual idle 5", NULL }, { "idle 5 manual", NULL },
		{ "at 03:00 idle", NULL }, { "night", NULL },
		{ "at 03:00:00", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct giveback_policy policy = { .idle_s = 7 };
		bool ok = giveback_policy_parse(cases[i].text, &policy);
		char *text;

		assert_int_equal(ok, cases[i].same != NULL);
		if (!ok) {
			assert_int_equal(policy.idle_s, 7);
			continue;
		}
		text = giveback_policy_describe(NULL, &policy);
		assert_string_equal(text, cases[i].same);
		talloc_free(text);
	}
}

static void test_manual_stays(void **state)
{
	fail_over(*state);
	pass(*state, 3 * 24 * HOUR);
	assert_int_equal(stub_move.count, 0);
}

/* Seen to fail with an idle time that nobody's changes end. */
static void test_idle(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "idle 600");
	fail_over(giveback);
	pass(giveback, 300);
	stub.status.records_sent++;
	pass(giveback, 600);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 2);
	assert_int_equal(stub_move.count, 1);
	assert_int_equal(stub_move.node, 1);
}

static void test_time_of_day(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	pass_until(giveback, 3 * HOUR - 1);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 1);
	assert_int_equal(stub_move.count, 1);
}

/* A home that comes back after the time, within the hour, and one that comes
 * back later. */
static void test_hour(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	stub.healthy = false;
	pass_until(giveback, 3 * HOUR + 3500);
	stub.healthy = true;
	pass(giveback, 24 * HOUR - 3501);
	/* The hour was over before all had been well for the delay. */
	assert_int_equal(stub_move.count, 1);
	assert_int_equal((now.wall - DAY) % (24 * HOUR), 3 * HOUR - 1);
}

/* Both: in the hour, when nothing is changed. */
static void test_time_and_idle(void **state)
{
	struct giveback *giveback = *state;
	int i;

	set_policy(giveback, "at 03:00 idle 120");
	fail_over(giveback);
	pass_until(giveback, 3 * HOUR - 60);
	for (i = 0; i < 20; i++) {
		stub.status.records_sent++;
		pass(giveback, 60);
	}
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 59);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 3);
	assert_int_equal(stub_move.count, 1);
}

/* Each of these alone keeps it, however due it is. Seen to fail with
 * home_is_not_well() that does not ask ctdb for flags, and without the
 * delay. */
static void test_unsafe(void **state)
{
	struct giveback *giveback = *state;
	static const char *const plan = "checking";
	static const struct {
		void *what;
		int bad;
		int good;
	} flags[] = {
		{ &stub.settled, false, true }, { &stub.up, false, true },
		{ &stub.connected, false, true },
		{ &stub.excluded, true, false },
		{ &stub.healthy, false, true },
		{ &stub.status.sync_failed, true, false },
	};
	size_t i;

	set_policy(giveback, "idle 1");
	fail_over(giveback);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		*(bool *)flags[i].what = flags[i].bad;
		pass(giveback, 300);
		assert_int_equal(stub_move.count, 0);
		*(bool *)flags[i].what = flags[i].good;
	}
	stub.host = -1;
	pass(giveback, 300);
	stub.host = 0;
	stub.status.mode = PAGE_DEGRADED;
	pass(giveback, 300);
	stub.status.mode = PAGE_WAITING;
	pass(giveback, 300);
	stub.status.mode = PAGE_MIRRORED;
	stub.status.plan = plan;
	pass(giveback, 300);
	stub.status.plan = NULL;
	stub.other.state = SERVICE_REPLAYING;
	pass(giveback, 300);
	stub.other.state = SERVICE_UNMOUNTING;
	pass(giveback, 300);
	stub.other.state = SERVICE_OWNER;
	assert_int_equal(stub_move.count, 0);
	/* And all of it for the delay. */
	pass(giveback, 59);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 2);
	assert_int_equal(stub_move.count, 1);
}

/* Moved here although home is well: somebody wants it so. */
static void test_moved_by_hand(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "idle 60");
	stub.volume.state = SERVICE_OWNER;
	pass(giveback, HOUR);
	assert_int_equal(stub_move.count, 0);
	/* Until its home fails. */
	stub.healthy = false;
	pass(giveback, 1);
	stub.healthy = true;
	pass(giveback, 62);
	assert_int_equal(stub_move.count, 1);
}

static void order(struct giveback *giveback, const char *key, json_t *value,
		  int code)
{
	json_t *request = json_pack("{s:s,s:o}", "service", "FILES", key,
				    value);
	json_t *reply = giveback_request(giveback, request);

	assert_int_equal(json_integer_value(json_object_get(reply, "code")),
			 code);
	json_decref(reply);
	json_decref(request);
}

static void test_orders(void **state)
{
	struct giveback *giveback = *state;

	order(giveback, "now", json_true(), SERVICE_FAILED);
	stub.volume.state = SERVICE_OWNER;
	pass(giveback, 10);
	order(giveback, "order", json_string("nonsense"), SERVICE_FAILED);
	order(giveback, "order", json_string("idle 30"), SERVICE_OK);
	order(giveback, "cancel", json_true(), SERVICE_OK);
	pass(giveback, 300);
	assert_int_equal(stub_move.count, 0);
	/* Not while it is unsafe, but then without delay. */
	stub.status.mode = PAGE_DEGRADED;
	order(giveback, "now", json_true(), SERVICE_NOT_YET);
	assert_int_equal(stub_move.count, 0);
	stub.status.mode = PAGE_MIRRORED;
	pass(giveback, 1);
	assert_int_equal(stub_move.count, 1);
	gone_home(giveback);
	/* It was for this once. */
	stub.volume.state = SERVICE_OWNER;
	stub.host = 0;
	pass(giveback, HOUR);
	assert_int_equal(stub_move.count, 1);
}

static void test_order_outlives_mirrord(void **state)
{
	struct giveback *giveback = *state, *next;

	stub.volume.state = SERVICE_OWNER;
	pass(giveback, 10);
	order(giveback, "order", json_string("idle 30"), SERVICE_OK);
	next = talloc_zero(giveback, struct giveback);
	next->mirrord = giveback->mirrord;
	next->services = talloc_array(next, struct giveback_service *, 0);
	pass(next, 20);
	assert_int_equal(stub_move.count, 0);
	pass(next, 60);
	assert_int_equal(stub_move.count, 1);
}

/* A service is taken out of the configuration, which is freed then. Under
 * valgrind or with the sanitizer it is seen if a pointer was kept. */
static void test_service_is_removed(void **state)
{
	struct giveback *giveback = *state;
	struct mirror_config *old = discard_const(giveback->mirrord->config);
	struct mirror_config *config = talloc_zero(giveback,
						   struct mirror_config);
	json_t *list;

	set_policy(giveback, "idle 1");
	fail_over(giveback);
	config->services = talloc_zero_array(config, struct config_service *,
					     1);
	config->volumes = talloc_zero_array(config, struct config_volume *,
					    1);
	config->run_directory = folder;
	giveback->mirrord->config = config;
	talloc_free(old);
	list = giveback_json(giveback);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	order(giveback, "now", json_true(), SERVICE_FAILED);
	pass(giveback, 600);
	assert_int_equal(stub_move.count, 0);
}

/* A failed attempt is not made every second. */
static void test_not_again_and_again(void **state)
{
	struct giveback *giveback = *state;
	int minute;

	set_policy(giveback, "idle 10");
	fail_over(giveback);
	stub_move.result = 5;
	for (minute = 0; minute < 24 * 60; minute++) {
		pass(giveback, 60);
		if (stub_move.running != NULL) {
			struct tevent_req *req = stub_move.running;

			stub_move.running = NULL;
			tevent_req_done(req);
		}
	}
	assert_in_range(stub_move.count, 20, 40);
}

/* -------------------------------------------------------- steps of clocks */

/* In the middle of the day somebody sets the clock to just before the time. */
static void test_wrong_clock(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	pass_until(giveback, 14 * HOUR);
	/* That was one night. */
	assert_int_equal(stub_move.count, 1);
	gone_home(giveback);
	fail_over(giveback);
	now.wall -= 11 * HOUR + 10;
	pass(giveback, HOUR / 2);
	now.wall += 11 * HOUR + 10;
	pass(giveback, 2 * HOUR);
	assert_int_equal(stub_move.count, 1);
}

/* It is believed at last, and what lies between has not come. */
static void test_clock_put_right(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	/* It is 12:00; in truth it is 23:00. */
	now.wall += 11 * HOUR;
	pass(giveback, 4 * HOUR - 20);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 40);
	assert_int_equal(stub_move.count, 1);
}

/* Seen to fail with a day_clock that believes on after a step. */
static void test_step_over_the_time(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	pass_until(giveback, 2 * HOUR);
	/* From 02:00 to 10:00: 03:00 is not made up for at 11:00. */
	now.wall += 8 * HOUR;
	pass(giveback, 16 * HOUR);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 2 * HOUR);
	assert_int_equal(stub_move.count, 1);
}

/* Set back when it was done: not once more. Seen to fail with an hour that a
 * step of the clock does not end. */
static void test_not_twice(void **state)
{
	struct giveback *giveback = *state;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	pass_until(giveback, 3 * HOUR + 10);
	assert_int_equal(stub_move.count, 1);
	gone_home(giveback);
	now.wall -= 3 * HOUR;
	pass(giveback, 10);
	fail_over(giveback);
	pass(giveback, 12 * HOUR);
	assert_int_equal(stub_move.count, 1);
}

/* Slewed clocks are followed. */
static void test_slew(void **state)
{
	struct giveback *giveback = *state;
	int i;

	set_policy(giveback, "at 03:00");
	fail_over(giveback);
	for (i = 0; i < HOUR; i++) {
		now.wall++;
		pass(giveback, 1);
	}
	pass_until(giveback, 3 * HOUR - 1);
	assert_int_equal(stub_move.count, 0);
	pass(giveback, 1);
	assert_int_equal(stub_move.count, 1);
}

/* Summer time: 02:30 is done once in the night when it is there twice, and in
 * the night when it is not there at all. */
static void test_summer_time(void **state)
{
	/* Berlin: 2026-10-25 03:00 -> 02:00, 2027-03-28 02:00 -> 03:00 (UTC
	 * 01:00 both) */
	static const int64_t nights[] = { 1792890000, 1806195600 };
	struct giveback *giveback = *state;
	struct giveback_service *service = giveback->services[0];
	size_t i;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	set_policy(giveback, "at 02:30");
	for (i = 0; i < 2; i++) {
		int64_t began = service->window_began;
		int opened = 0;
		int minute;

		giveback->clock = (struct day_clock){ .known = false };
		now.wall = nights[i] - 4 * HOUR;
		now.boot += 24 * HOUR;
		for (minute = 0; minute < 8 * 60; minute++) {
			pass(giveback, 60);
			opened += service->window_began != began;
			began = service->window_began;
		}
		assert_int_equal(opened, 1);
	}
	setenv("TZ", "UTC", 1);
	tzset();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		TEST(test_manual_stays),
		TEST(test_idle),
		TEST(test_time_of_day),
		TEST(test_hour),
		TEST(test_time_and_idle),
		TEST(test_unsafe),
		TEST(test_moved_by_hand),
		TEST(test_orders),
		TEST(test_order_outlives_mirrord),
		TEST(test_service_is_removed),
		TEST(test_not_again_and_again),
		TEST(test_wrong_clock),
		TEST(test_clock_put_right),
		TEST(test_step_over_the_time),
		TEST(test_not_twice),
		TEST(test_slew),
		TEST(test_summer_time),
	};
	int failed;

	setenv("TZ", "UTC", 1);
	if (mkdtemp(folder) == NULL) {
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
