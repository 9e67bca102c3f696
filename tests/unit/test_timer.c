/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Timers while the wall clock steps: what tevent takes it for is told here.
 * Seen to fail: timer_start() with tevent_add_timer().
 */

#include <sys/time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "timer.h"

static time_t step;

/* For the library: the executable is looked through first. */
__attribute__((visibility("default")))
int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	tv->tv_sec = now.tv_sec + step;
	tv->tv_usec = now.tv_nsec / 1000;
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void count(void *private_data)
{
	(*(int *)private_data)++;
}

static void too_long(struct tevent_context *ev, struct tevent_fd *fde,
		     uint16_t flags, void *private_data)
{
}

/* Seconds until it has fired, or 3. */
static double fires(time_t by)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	double begun = now();
	int fired = 0, fds[2];

	step = 0;
	/* So that the loop ends if nothing happens. */
	assert_int_equal(pipe(fds), 0);
	if (fork() == 0) {
		sleep(3);
		_exit(0);
	}
	close(fds[1]);
	assert_non_null(tevent_add_fd(ev, ev, fds[0], TEVENT_FD_READ, too_long,
				      NULL));
	assert_non_null(timer_start(ev, ev, 200, count, &fired));
	step = by;
	while (fired == 0 && now() - begun < 3) {
		assert_int_equal(tevent_loop_once(ev), 0);
	}
	talloc_free(ev);
	close(fds[0]);
	assert_int_equal(fired, now() - begun < 3);
	return now() - begun;
}

static void test_step_back(void **state)
{
	assert_true(fires(-3600) < 1);
}

static void test_step_forward(void **state)
{
	assert_true(fires(3600) > 0.19);
}

static void test_freed(void **state)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	int freed = 0, fired = 0;
	struct timer *timer;

	step = 0;
	timer = timer_start(ev, ev, 0, count, &freed);
	assert_non_null(timer);
	assert_non_null(timer_start(ev, ev, 50, count, &fired));
	talloc_free(timer);
	while (fired == 0) {
		assert_int_equal(tevent_loop_once(ev), 0);
	}
	assert_int_equal(freed, 0);
	talloc_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_back),
		cmocka_unit_test(test_step_forward),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
