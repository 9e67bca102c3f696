/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/mirrord/watchdog.c: who is ended, and who is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watchdog.h"

static int fds[2];
static pid_t child;

static void nap(long ms)
{
	const struct timespec ts = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000
	};

	nanosleep(&ts, NULL);
}

static void sleeps(void)
{
	for (;;) {
		pause();
	}
}

static void spins(void)
{
	for (;;) {
		continue;
	}
}

/* Now and then it gets a bit further, as on a machine that is overloaded. */
static void crawls(void)
{
	for (;;) {
		nap(50);
	}
}

static void answers(void)
{
	nap(700);
	if (write(fds[1], "x", 1) == 1) {
		sleeps();
	}
}

static void start(void (*life)(void))
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		life();
		_exit(0);
	}
	close(fds[1]);
}

/* Was it killed? Its connection ends before it can be waited for. */
static bool ended(void)
{
	int status = 0;
	int tries;

	for (tries = 0; tries < 20; tries++) {
		if (waitpid(child, &status, WNOHANG) == child) {
			child = 0;
			return WIFSIGNALED(status) &&
				WTERMSIG(status) == SIGKILL;
		}
		nap(10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	child = 0;
	return false;
}

static enum watchdog_result wait_for(uint32_t idle, uint32_t busy,
				     uint32_t total, char *why, size_t size)
{
	const struct watchdog_limits limits = { idle, busy, total };
	enum watchdog_result result = watchdog_wait(fds[0], child, &limits,
						    why, size);

	close(fds[0]);
	return result;
}

static void test_sleeper_is_ended(void **state)
{
	char why[128] = "";

	start(sleeps);
	assert_int_equal(wait_for(600, 60000, 60000, why, sizeof(why)),
			 WATCHDOG_ENDED);
	assert_non_null(strstr(why, "asleep"));
	assert_true(ended());
}

static void test_stopped_is_ended(void **state)
{
	char why[128] = "";

	start(sleeps);
	kill(child, SIGSTOP);
	waitpid(child, NULL, WUNTRACED);
	assert_int_equal(wait_for(600, 60000, 60000, why, sizeof(why)),
			 WATCHDOG_ENDED);
	assert_non_null(strstr(why, "stopped"));
	assert_true(ended());
}

static void test_limit_0_ends_nobody(void **state)
{
	char why[128] = "";

	start(sleeps);
	assert_int_equal(wait_for(0, 0, 1000, why, sizeof(why)),
			 WATCHDOG_LATE);
	assert_false(ended());
}

static void test_slow_is_left_alone(void **state)
{
	char why[128] = "";

	start(crawls);
	assert_int_equal(wait_for(600, 600, 2500, why, sizeof(why)),
			 WATCHDOG_LATE);
	assert_true(strlen(why) > 0);
	assert_false(ended());
}

static void test_endless_work_gets_more_time(void **state)
{
	struct timespec before, after;
	char why[128] = "";

	start(spins);
	clock_gettime(CLOCK_MONOTONIC, &before);
	/* This machine may have other work, too. */
	assert_int_equal(wait_for(600, 2000, 60000, why, sizeof(why)),
			 WATCHDOG_ENDED);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec >= 1);
	assert_non_null(strstr(why, "worked"));
	assert_true(ended());
}

static void test_answer(void **state)
{
	char why[128] = "";

	start(answers);
	assert_int_equal(wait_for(60000, 60000, 60000, why, sizeof(why)),
			 WATCHDOG_ANSWERS);
	assert_false(ended());
}

/* One that was stopped before it knew whose child it is. */
static int kill_child(void **state)
{
	if (child > 0) {
		kill(child, SIGKILL);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sleeper_is_ended, kill_child),
		cmocka_unit_test_teardown(test_stopped_is_ended, kill_child),
		cmocka_unit_test_teardown(test_limit_0_ends_nobody, kill_child),
		cmocka_unit_test_teardown(test_slow_is_left_alone, kill_child),
		cmocka_unit_test_teardown(test_endless_work_gets_more_time,
					  kill_child),
		cmocka_unit_test_teardown(test_answer, kill_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
