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
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "child.h"
#include "fence.h"
#include "fence_agent.h"
#include "nodes.h"
#include "peer.h"

/* -------------------------------------------------------------------- stubs */

static struct {
	struct tevent_req *running;
	uint32_t commands;
	int result;
	char *last;
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

/* Agents: what the child would do is done at once. */
struct tevent_req *child_function_send(TALLOC_CTX *mem_ctx,
				       struct tevent_context *ev,
				       child_function function,
				       void *function_data,
				       uint32_t timeout_ms,
				       child_line line,
				       void *line_data)
{
	struct child_state *state;
	char text[500] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	stub.commands++;
	stub.result = function(fds[1], function_data);
	close(fds[1]);
	if (read(fds[0], text, sizeof(text) - 1) > 0) {
		text[strcspn(text, "\n")] = '\0';
		line(text, line_data);
		stub.last = talloc_strdup(mem_ctx, text);
	}
	close(fds[0]);
	stub.running = tevent_req_create(mem_ctx, &state, struct child_state);
	return stub.running;
}

void child_close_sockets(int keep)
{
}

void child_close_directories(void)
{
}

int child_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, int *status,
	       char **last)
{
	*status = stub.result != 0;
	*last = stub.last;
	stub.last = NULL;
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
	stub.last = NULL;
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

static void test_pauses(void **state)
{
	struct mirrord *mirrord = *state;
	uint32_t i;

	stub.result = ECHILD;
	begin(mirrord);
	end();
	assert_int_equal(stub.commands, 1);
	/* ctdb asks again a second later, or sooner. */
	begin(mirrord);
	tevent_loop_once(mirrord->ev);
	assert_int_equal(stub.commands, 1);
	assert_int_equal(result, EAGAIN);
	assert_non_null(strstr(problem, "mirrorctl fenced 1"));

	/* It was on again meanwhile: a new case. */
	fence_forget(1);
	stub.result = 0;
	fence_it(mirrord);
	assert_int_equal(stub.commands, 2);

	assert_int_equal(fence_pause_ms(0), 0);
	for (i = 1; i < 100; i++) {
		assert_true(fence_pause_ms(i) >= 1000);
		assert_true(fence_pause_ms(i) >= fence_pause_ms(i - 1));
		assert_true(fence_pause_ms(i) <= FENCE_PAUSE_MAX_MS);
	}
}

/* ------------------------------------------------------------------- agents */

#define AGENT "/tmp/test_fence.agent"

/* Notes what it was told; fails for plug=bad. */
static void make_agent(void)
{
	FILE *file = fopen(AGENT, "w");

	assert_non_null(file);
	fputs("#!/bin/sh\n"
	      "cat >>" AGENT ".said\n"
	      "[ $# -eq 0 ] || exit 3\n"
	      "! tail -n 2 " AGENT ".said | grep -q plug=bad || "
	      "{ echo no such plug; exit 1; }\n", file);
	fclose(file);
	assert_int_equal(chmod(AGENT, 0755), 0);
	unlink(AGENT ".said");
}

static void assert_said(const char *expected)
{
	char text[2000] = "";
	FILE *file = fopen(AGENT ".said", "r");

	assert_non_null(file);
	(void)!fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	assert_string_equal(text, expected);
	unlink(AGENT ".said");
}

static const char *levels_of_test[3];

static const char *get_level(const char *option)
{
	return strcmp(option, "fence 1") == 0 ? levels_of_test[0] :
		strcmp(option, "fence 1 second") == 0 ? levels_of_test[1] :
		strcmp(option, "fence 1 third") == 0 ? levels_of_test[2] :
		NULL;
}

static void set_levels(struct mirrord *mirrord, const char *first,
		       const char *second)
{
	struct mirror_config *config = talloc_zero(mirrord,
						   struct mirror_config);
	char *wrong = NULL;

	levels_of_test[0] = first;
	levels_of_test[1] = second;
	config->fence_timeout_ms = 5000;
	config->fences = config_fence_read(config, get_level, config, &wrong);
	assert_null(wrong);
	mirrord->config = config;
	make_agent();
}

static void test_levels(void **state)
{
	struct mirrord *mirrord = *state;

	/* The first that works ends it. */
	set_levels(mirrord, AGENT " plug=3", AGENT " plug=4");
	fence_it(mirrord);
	assert_said("action=off\nplug=3\n");

	fence_forget(1);
	set_levels(mirrord, AGENT " plug=bad", AGENT " plug=4 action=reboot");
	fence_it(mirrord);
	assert_said("action=off\nplug=bad\naction=reboot\nplug=4\n");

	/* A level of which one agent fails is none. */
	fence_forget(1);
	set_levels(mirrord, AGENT " plug=1 and " AGENT " plug=bad",
		   AGENT " plug=\"a b\"");
	fence_it(mirrord);
	assert_said("action=off\nplug=1\naction=off\nplug=bad\n"
		    "action=off\nplug=a b\n");
	assert_true(fence_holds(mirrord, 1));
}

static void test_no_level_works(void **state)
{
	struct mirrord *mirrord = *state;

	set_levels(mirrord, AGENT " plug=bad", NULL);
	begin(mirrord);
	end();
	assert_int_equal(result, ECHILD);
	assert_non_null(strstr(problem, "no such plug"));
	assert_false(fence_holds(mirrord, 1));
	fence_forget(1);

	set_levels(mirrord, "fence_which_is_not_there plug=1", NULL);
	begin(mirrord);
	end();
	assert_int_equal(result, ECHILD);
	assert_non_null(strstr(problem, "no such program"));
	assert_false(fence_holds(mirrord, 1));
	fence_forget(1);

	/* The command is the last level. */
	set_levels(mirrord, AGENT " plug=bad", NULL);
	((struct mirror_config *)(uintptr_t)mirrord->config)->fence_command =
		"test %N = 1";
	fence_it(mirrord);
	fence_forget(1);
	unlink(AGENT);
	unlink(AGENT ".said");
}

static void test_wrong_levels(void **state)
{
	static const char *const wrong[] = {
		"", " ", "ipmilan ip=1", "fence_", "fence_x ip", "fence_x =1",
		"fence_x ip=1 and", "fence_x ip=\"1", "fence_x action=on",
		"fence_x action=", "fence_x; rm=1", "fence_x a;b=1",
		"fence_x ip=1\naction=on", "and", "fence_x and and fence_x"
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *why = NULL;

		assert_null(config_fence_parse(*state, wrong[i], &why));
		assert_non_null(why);
	}
	levels_of_test[0] = "fence_x ip=1";
	levels_of_test[1] = "fence_x ip";
	assert_null(config_fence_read(*state, get_level, *state, &problem));
	assert_non_null(strstr(problem, "mirror:fence 1 second: "));
}

static void test_unfences(void **state)
{
	static const struct {
		const char *metadata;
		int result;
		bool unfences;
	} cases[] = {
		{ "<resource-agent><action name=\"on\" automatic=\"0\"/>"
		  "<action name=\"x\" automatic=\"1\"/>", 0, false },
		{ "<resource-agent><action name=\"on\" on_target=\"1\" "
		  "automatic=\"1\"/>", 0, true },
		{ "<resource-agent></resource-agent>", 0, false },
		{ "usage: ...", EIO, false },
	};
	struct config_agent agent = {
		.name = AGENT, .options = (const char *[]){ NULL }
	};
	bool unfences;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *file = fopen(AGENT, "w");

		fprintf(file, "#!/bin/sh\ncat <<X\n%s\nX\n",
			cases[i].metadata);
		fclose(file);
		chmod(AGENT, 0755);
		assert_int_equal(fence_agent_unfences(*state, &agent, 5000,
						      &unfences),
				 cases[i].result);
		assert_int_equal(unfences, cases[i].unfences);
	}
	unlink(AGENT);
}

static void test_agent_hangs(void **state)
{
	struct config_agent agent = {
		.name = AGENT, .options = (const char *[]){ NULL }
	};
	FILE *file = fopen(AGENT, "w");
	char *said;
	int status;

	fputs("#!/bin/sh\nsleep 1000 &\nsleep 1000\n", file);
	fclose(file);
	chmod(AGENT, 0755);
	assert_int_equal(fence_agent_run(*state, &agent, "off", 100, false,
					 &status, &said), ETIMEDOUT);
	unlink(AGENT);
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
		TEST(test_pauses),
		TEST(test_levels),
		TEST(test_no_level_works),
		TEST(test_wrong_levels),
		TEST(test_unfences),
		TEST(test_agent_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
