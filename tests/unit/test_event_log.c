/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/event_log.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "event_log.h"

static time_t clock_ahead;

/* Put forward, so that no test waits for a minute. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	ts->tv_sec += clock_ahead;
	return ret;
}

/* What is written to stderr between these two. */
static int real_stderr;
static int pipe_fds[2];
static char captured[65536];

static void capture(void)
{
	fflush(stderr);
	assert_int_equal(pipe(pipe_fds), 0);
	real_stderr = dup(STDERR_FILENO);
	dup2(pipe_fds[1], STDERR_FILENO);
	close(pipe_fds[1]);
}

static const char *release(void)
{
	size_t length = 0;
	ssize_t got;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	while ((got = read(pipe_fds[0], captured + length,
			   sizeof(captured) - 1 - length)) > 0) {
		length += (size_t)got;
	}
	captured[length] = '\0';
	close(pipe_fds[0]);
	return captured;
}

/* An id is for ever: one more row is fine, a changed one is not. */
static void test_ids(void **state)
{
	enum event_id a;
	enum event_id b;

	for (a = 0; a < EVENT_END; a++) {
		assert_int_equal(strlen(event_log_code(a)), 4);
		/* M: the mirror. N: the network. L: the cluster lock. */
		assert_non_null(strchr("MNL", event_log_code(a)[0]));
		assert_true(strlen(event_log_name(a)) > 0);
		assert_non_null(event_log_advice(a));
		for (b = 0; b < a; b++) {
			assert_string_not_equal(event_log_code(a),
						event_log_code(b));
			assert_string_not_equal(event_log_name(a),
						event_log_name(b));
		}
	}
	assert_string_equal(event_log_code(EVENT_LINK_WRONG_KEY), "M003");
	assert_string_equal(event_log_code(EVENT_DEGRADED), "M020");
	assert_string_equal(event_log_code(EVENT_TAKEOVER_REFUSED), "M036");
}

static void test_line(void **state)
{
	event_log_init("mirrord", EVENT_TO_STDERR);
	capture();
	event_log(EVENT_LINK_UP, "link to %s is up", "node 1");
	assert_string_equal(release(),
			    "mirrord: M005 link-up: link to node 1 is up.\n");
	capture();
	event_log(EVENT_TAKEOVER_REFUSED, "no fence is configured");
	assert_string_equal(release(),
			    "mirrord: M036 takeover-refused: no fence is "
			    "configured. The service stays down until the "
			    "cause is removed.\n");
}

/* A peer that sends line ends does not write lines of its own. */
static void test_one_line(void **state)
{
	char text[5000];

	capture();
	event_log(EVENT_LINK_UP, "a\nmirrord: M035 fake: b\x1b[2J");
	assert_string_equal(release(), "mirrord: M005 link-up: "
			    "a?mirrord: M035 fake: b?[2J.\n");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture();
	event_log(EVENT_STORE_LOST, "%s", text);
	assert_non_null(strstr(release(), "Nothing to do"));
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text != '\0'; text++) {
		lines += *text == '\n';
	}
	return lines;
}

static void test_once(void **state)
{
	int i;

	capture();
	for (i = 0; i < 5; i++) {
		event_log_once(EVENT_LINK_WRONG_KEY, "10.0.0.1", "one");
		event_log_once(EVENT_LINK_WRONG_KEY, "10.0.0.2", "two");
		event_log_once(EVENT_LINK_DOWN, "10.0.0.1", "three");
	}
	assert_int_equal(count_lines(release()), 3);

	clock_ahead += 59;
	capture();
	event_log_once(EVENT_LINK_WRONG_KEY, "10.0.0.1", "one");
	assert_string_equal(release(), "");

	clock_ahead += 2;
	capture();
	event_log_once(EVENT_LINK_WRONG_KEY, "10.0.0.1", "one");
	assert_non_null(strstr(release(), "one (5 more times before)."));
	capture();
	event_log_once(EVENT_LINK_WRONG_KEY, "10.0.0.1", "one");
	assert_string_equal(release(), "");
}

/* More peers than the list has room for: no crash, the newest are kept. */
static void test_once_many(void **state)
{
	char key[200];
	int i;

	clock_ahead += 120;
	capture();
	for (i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%0150d", i);
		event_log_once(EVENT_LINK_WRONG_KEY, key + 100, "x");
		clock_ahead += i % 2;
	}
	event_log_once(EVENT_LINK_WRONG_KEY, key + 100, "x");
	assert_int_equal(count_lines(release()), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_once_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
