/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A service that ctdb was told "not yet" of: when ctdb's tool is asked to add
 * its addresses, and when no more. ctdb, takeovers and interfaces are stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "../common/timer.h"
#include "child.h"
#include "ctdb_view.h"
#include "death_recoverd.h"
#include "nodes.h"
#include "service.h"
#include "stub_service_move.h"
#include "wanted.h"

#define ADDRESS "10.0.0.5"

/* -------------------------------------------------------------------- stubs */

static struct {
	uint64_t now;
	int host;
	bool alone;
	bool is_here;			/* the address */
	enum service_result taken;
	uint32_t takeovers;
	uint32_t runs;			/* of ctdb's tool */
} stub;

struct tevent_req *child_command_send(TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      const char *const *argv,
				      uint32_t timeout_ms,
				      child_line line,
				      void *line_data)
{
	int *state;

	assert_string_equal(argv[0], "ctdb");
	assert_string_equal(argv[3], "ipreallocate");
	stub.runs++;
	return tevent_req_create(mem_ctx, &state, int);
}

int child_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, int *status,
	       char **last)
{
	*last = NULL;
	return ECHILD;
}

uint64_t service_now(void)
{
	return stub.now;
}

enum service_result service_taken(TALLOC_CTX *mem_ctx,
				  struct services *services,
				  const struct config_service *service,
				  bool *under_way,
				  char **problem)
{
	*under_way = stub.takeovers > 0;
	*problem = NULL;
	return stub.taken;
}

void service_takeover(struct services *services,
		      const struct config_service *service,
		      bool accept_loss)
{
	assert_false(accept_loss);
	stub.takeovers++;
}

void ctdb_view_hurry(struct ctdb_view *view)
{
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return !stub.alone;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return false;
}

int ctdb_view_host(const struct ctdb_view *view, const char *address)
{
	assert_string_equal(address, ADDRESS);
	return stub.host;
}

int getifaddrs(struct ifaddrs **list)
{
	static struct sockaddr_in in = { .sin_family = AF_INET };
	static struct ifaddrs row = { .ifa_addr = (struct sockaddr *)&in };

	inet_pton(AF_INET, ADDRESS, &in.sin_addr);
	*list = stub.is_here ? &row : NULL;
	return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
}

/* ------------------------------------------------------------------ fixture */

static const char *addresses[] = { ADDRESS, NULL };
static struct config_service service = {
	.name = "ALPHA", .addresses = addresses, .enabled = true,
};
static struct config_service *services[] = { &service, NULL };
static const struct mirror_config config = { .services = services };
static struct nodes nodes = { .own = 1, .count = 3 };

static int setup(void **state)
{
	struct mirrord *mirrord = talloc_zero(NULL, struct mirrord);

	memset(&stub, 0, sizeof(stub));
	memset(&stub_move, 0, sizeof(stub_move));
	stub.host = 1;
	mirrord->ev = tevent_context_init(mirrord);
	mirrord->config = &config;
	mirrord->nodes = &nodes;
	assert_int_equal(wanted_new(mirrord, &mirrord->wanted), 0);
	wanted_note(mirrord->wanted, &service);
	*state = mirrord;
	return 0;
}

static int teardown(void **state)
{
	talloc_free(*state);
	return 0;
}

static void look_once(const struct mirrord *mirrord)
{
	stub.now += 100;
	assert_int_equal(tevent_loop_once(mirrord->ev), 0);
}

static void is_over(void *private_data)
{
	*(bool *)private_data = true;
}

/* Long enough for a look, if anybody looks yet. */
static void let_look(const struct mirrord *mirrord)
{
	bool over = false;

	assert_non_null(timer_start(mirrord->ev, mirrord->ev, 250, is_over,
				    &over));
	while (!over) {
		assert_int_equal(tevent_loop_once(mirrord->ev), 0);
	}
}

/* -------------------------------------------------------------------- tests */

static void test_not_served_yet(void **state)
{
	struct mirrord *mirrord = *state;

	stub.taken = SERVICE_NOT_YET;
	look_once(mirrord);
	look_once(mirrord);
	assert_int_equal(stub.takeovers, 1);
	assert_int_equal(stub_move.count, 0);
}

static void test_served(void **state)
{
	struct mirrord *mirrord = *state;

	look_once(mirrord);
	assert_int_equal(stub_move.count, 1);
	assert_int_equal(stub_move.node, 1);
	/* One at a time. */
	look_once(mirrord);
	assert_int_equal(stub_move.count, 1);
}

/* It was refused: the next look begins another one. */
static void test_again(void **state)
{
	struct mirrord *mirrord = *state;

	look_once(mirrord);
	stub_move.result = EBUSY;
	tevent_req_error(stub_move.running, EBUSY);
	assert_null(stub_move.running);
	assert_false(recoverd_move_is_at_work());
	look_once(mirrord);
	assert_int_equal(stub_move.count, 2);
	assert_non_null(stub_move.running);
}

/* ctdb's tool gave up, and its event may come yet: when a recovery is over. */
static void test_in_flight(void **state)
{
	struct mirrord *mirrord = *state;

	look_once(mirrord);
	assert_true(recoverd_move_is_at_work());
	stub_move.result = ETIMEDOUT;
	tevent_req_error(stub_move.running, ETIMEDOUT);
	assert_true(recoverd_move_is_at_work());
	wanted_note(mirrord->wanted, &service);
	assert_false(recoverd_move_is_at_work());
	look_once(mirrord);
	assert_true(recoverd_move_is_at_work());
	wanted_forget(mirrord->wanted, &service);
	assert_false(recoverd_move_is_at_work());
}

/* An event that does not come holds nobody up for ever. */
static void test_in_flight_for_long(void **state)
{
	struct mirrord *mirrord = *state;
	int i;

	look_once(mirrord);
	stub_move.result = ETIMEDOUT;
	tevent_req_error(stub_move.running, ETIMEDOUT);
	stub.now += 10001;
	for (i = 0; i < 2; i++) {
		let_look(mirrord);
		assert_false(recoverd_move_is_at_work());
	}
	assert_int_equal(stub_move.count, 2);
}

static void test_alone(void **state)
{
	struct mirrord *mirrord = *state;

	stub.alone = true;
	look_once(mirrord);
	assert_int_equal(stub_move.count, 0);
	assert_int_equal(stub.runs, 1);
}

/*
 * A move that waits for its turn would bring back what somebody has moved on by
 * then.
 *
 * Seen to fail with a look that leaves a running move alone.
 */
static void test_move_ends_with_its_cause(void **state)
{
	struct mirrord *mirrord = *state;

	look_once(mirrord);
	assert_non_null(stub_move.running);
	stub.is_here = true;
	look_once(mirrord);
	assert_null(stub_move.running);
	assert_int_equal(stub_move.count, 1);
}

static void test_forgotten(void **state)
{
	struct mirrord *mirrord = *state;

	look_once(mirrord);
	assert_non_null(stub_move.running);
	wanted_forget(mirrord->wanted, &service);
	assert_null(stub_move.running);
}

/* What ctdb gave to another node is not for us, once its view is new enough. */
static void test_given_to_another(void **state)
{
	struct mirrord *mirrord = *state;

	stub.host = 2;
	look_once(mirrord);
	stub.now += 3000;
	look_once(mirrord);
	stub.host = 1;
	let_look(mirrord);
	assert_int_equal(stub_move.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_served_yet, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_served, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_flight, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_in_flight_for_long, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_ends_with_its_cause,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_given_to_another, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
