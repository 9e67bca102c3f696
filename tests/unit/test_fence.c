/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * R11: what is known of a node that was fenced, and for how long. The fence
 * command and the links are stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "child.h"
#include "fence.h"
#include "nodes.h"
#include "peer.h"

/* -------------------------------------------------------------------- stubs */

static struct {
	struct tevent_req *running;
	uint32_t commands;
	int result;
	bool up;
	uint64_t times_up;
} stub;

struct child_state {
	int unused;
};

struct tevent_req *child_command_send(TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      const char *const *argv,
				      uint32_t timeout_ms,
				      child_line line,
				      void *line_data)
{
	struct child_state *state;

	assert_string_equal(argv[2], "cut 1 off, 1");
	stub.commands++;
	stub.running = tevent_req_create(mem_ctx, &state, struct child_state);
	return stub.running;
}

int child_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, int *status,
	       char **last)
{
	*status = stub.result != 0;
	*last = NULL;
	return stub.result;
}

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	return node == 1 ? (struct peer *)&stub : NULL;
}

bool peer_is_up(const struct peer *peer)
{
	return stub.up;
}

uint64_t peer_times_up(const struct peer *peer)
{
	return stub.times_up;
}

/* -------------------------------------------------------------------- world */

static int make_world(void **state)
{
	struct mirrord *mirrord = talloc_zero(NULL, struct mirrord);
	struct mirror_config *config = talloc_zero(mirrord,
						   struct mirror_config);

	stub.commands = 0;
	stub.result = 0;
	stub.up = false;
	stub.times_up = 7;
	config->fence_command = "cut %N off, %N";
	mirrord->config = config;
	mirrord->ev = tevent_context_init(mirrord);
	/* What a test before this one has learned. */
	fence_forget(1);
	*state = mirrord;
	return 0;
}

static int free_world(void **state)
{
	return talloc_free(*state);
}

static int result;
static char *problem;

static void answered(struct tevent_req *req)
{
	struct mirrord *mirrord = tevent_req_callback_data(req,
							   struct mirrord);

	result = fence_recv(req, mirrord, &problem);
	talloc_free(req);
}

static void begin(struct mirrord *mirrord)
{
	struct tevent_req *req = fence_send(mirrord, mirrord, 1);

	assert_non_null(req);
	result = -1;
	problem = NULL;
	tevent_req_set_callback(req, answered, mirrord);
}

static void end(void)
{
	tevent_req_done(stub.running);
}

static void fence_it(struct mirrord *mirrord)
{
	begin(mirrord);
	end();
	assert_int_equal(result, 0);
}

/* -------------------------------------------------------------------- tests */

static void test_holds(void **state)
{
	struct mirrord *mirrord = *state;
	uint64_t before = fence_time(1);

	assert_false(fence_holds(mirrord, 1));
	begin(mirrord);
	assert_false(fence_holds(mirrord, 1));
	end();
	assert_int_equal(result, 0);
	assert_true(fence_holds(mirrord, 1));
	assert_true(fence_time(1) > before);
	assert_false(fence_holds(mirrord, 0));
}

static void test_heard_again(void **state)
{
	struct mirrord *mirrord = *state;

	/* It opened a link to us: it is on again. */
	fence_it(mirrord);
	fence_forget(1);
	assert_false(fence_holds(mirrord, 1));
	/* When it dies again it has to be fenced again. */
	fence_it(mirrord);
	assert_int_equal(stub.commands, 2);
	assert_true(fence_holds(mirrord, 1));
	/* Nonsense from the wire. */
	fence_forget(UINT32_MAX);
	assert_true(fence_holds(mirrord, 1));
}

static void test_heard_meanwhile(void **state)
{
	struct mirrord *mirrord = *state;

	begin(mirrord);
	fence_forget(1);
	end();
	assert_int_equal(result, 0);
	assert_false(fence_holds(mirrord, 1));
}

static void test_our_own_link(void **state)
{
	struct mirrord *mirrord = *state;

	fence_it(mirrord);
	stub.up = true;
	stub.times_up++;
	assert_false(fence_holds(mirrord, 1));
	/* It was there, if only for a moment. */
	stub.up = false;
	assert_false(fence_holds(mirrord, 1));

	/* Up and down while the command ran. */
	begin(mirrord);
	stub.times_up++;
	end();
	assert_false(fence_holds(mirrord, 1));

	/* Up all the time: only cut off its disks, perhaps. */
	stub.up = true;
	fence_it(mirrord);
	stub.up = false;
	assert_false(fence_holds(mirrord, 1));
}

static void test_fails(void **state)
{
	struct mirrord *mirrord = *state;

	stub.result = ECHILD;
	begin(mirrord);
	end();
	assert_int_equal(result, ECHILD);
	assert_non_null(strstr(problem, "mirrorctl fenced 1"));
	assert_false(fence_holds(mirrord, 1));

	/* The administrator has switched it off. */
	fence_confirm(mirrord, 1);
	assert_true(fence_holds(mirrord, 1));
	fence_forget(1);
	assert_false(fence_holds(mirrord, 1));
}

static void test_one_command_for_all(void **state)
{
	struct mirrord *mirrord = *state;

	begin(mirrord);
	begin(mirrord);
	assert_int_equal(stub.commands, 1);
	/* Who does not wait any more is not told. */
	talloc_free(fence_send(mirrord, mirrord, 1));
	end();
	assert_int_equal(result, 0);
	assert_int_equal(stub.commands, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_holds),
		TEST(test_heard_again),
		TEST(test_heard_meanwhile),
		TEST(test_our_own_link),
		TEST(test_fails),
		TEST(test_one_command_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
