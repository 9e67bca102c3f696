/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Announcements, with timers that the test moves. */

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>
#include "announce.h"
#include "frame.h"
#include "timer.h"

/* ------------------------------------------------ in the place of timer.c */

struct timer {
	struct timer *next;
	uint64_t at;
	timer_handler handler;
	void *private_data;
};

static struct timer *timers;
static uint64_t now;

static int timer_destructor(struct timer *timer)
{
	struct timer **at = &timers;

	while (*at != timer) {
		at = &(*at)->next;
	}
	*at = timer->next;
	return 0;
}

struct timer *timer_start(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
			  uint64_t ms, timer_handler handler,
			  void *private_data)
{
	struct timer *timer = talloc_zero(mem_ctx, struct timer);

	timer->at = now + ms;
	timer->handler = handler;
	timer->private_data = private_data;
	timer->next = timers;
	timers = timer;
	talloc_set_destructor(timer, timer_destructor);
	return timer;
}

static void run_to(uint64_t ms)
{
	for (;;) {
		struct timer *first = NULL;
		struct timer *timer;
		timer_handler handler;
		void *private_data;

		for (timer = timers; timer != NULL; timer = timer->next) {
			if (timer->at <= ms &&
			    (first == NULL || timer->at < first->at)) {
				first = timer;
			}
		}
		if (first == NULL) {
			now = ms;
			return;
		}
		now = first->at;
		handler = first->handler;
		private_data = first->private_data;
		talloc_free(first);
		handler(private_data);
	}
}

/* ------------------------------------------------------------------ frames */

#define SENT_MAX 256

static struct {
	uint64_t at;
	uint32_t interface;
	size_t length;
	uint8_t frame[FRAME_MAX];
} sent[SENT_MAX];
static size_t num_sent;

static void on_send(void *private_data, uint32_t interface,
		    const uint8_t *frame, size_t length)
{
	assert_true(num_sent < SENT_MAX);
	sent[num_sent].at = now;
	sent[num_sent].interface = interface;
	sent[num_sent].length = length;
	memcpy(sent[num_sent].frame, frame, length);
	num_sent++;
}

static const struct net_mac ours = { { 2, 0, 0, 0, 0, 1 } };
static const struct net_mac other = { { 2, 0, 0, 0, 0, 2 } };
static struct net_address v4;
static struct net_address v6;

static struct announce *setup(void)
{
	struct announce *announce;

	assert_true(net_address_parse("10.0.0.5/24", &v4));
	assert_true(net_address_parse("fd00::5/64", &v6));
	now = 0;
	num_sent = 0;
	assert_int_equal(announce_new(NULL, NULL, on_send, NULL, &announce),
			 0);
	return announce;
}

static void done(struct announce *announce)
{
	talloc_free(announce);
	assert_null(timers);
}

/* Request and reply, at that time. */
static void assert_said(size_t at, uint64_t ms, const struct net_mac *mac)
{
	uint8_t frame[FRAME_MAX];
	size_t i;

	assert_true(at + 1 < num_sent);
	for (i = 0; i < 2; i++) {
		size_t length = frame_announcement(frame, &v4, mac, i == 1);

		assert_int_equal(sent[at + i].at, ms);
		assert_int_equal(sent[at + i].interface, 3);
		assert_int_equal(sent[at + i].length, length);
		assert_memory_equal(sent[at + i].frame, frame, length);
	}
}

static void test_schedule(void **state)
{
	static const uint64_t times[] = {
		0, 50, 150, 350, 750, 1500, 3000,
	};
	struct announce *announce = setup();
	uint64_t last = 3000;
	bool jitter = false;
	size_t i;

	assert_int_equal(announce_start(announce, &v4, 3, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	assert_int_equal(num_sent, 2);
	run_to(4000);
	assert_int_equal(num_sent, 14);
	for (i = 0; i < 7; i++) {
		assert_said(2 * i, times[i], &ours);
	}
	run_to(1000000);
	assert_in_range(num_sent, 14 + 2 * 15, 14 + 2 * 18);
	for (i = 14; i < num_sent; i += 2) {
		uint64_t pause = sent[i].at - last;

		assert_in_range(pause, 54000, 66000);
		jitter = jitter || pause != ANNOUNCE_REFRESH_MS;
		last = sent[i].at;
	}
	assert_true(jitter);
	done(announce);
}

/* Not at once, and from then on as often as that. */
static void test_later(void **state)
{
	struct announce *announce = setup();
	size_t i;

	assert_int_equal(announce_later(announce, &v4, 3, &ours,
					ANNOUNCE_TROUBLE_MS), 0);
	run_to(ANNOUNCE_TROUBLE_MS / 2);
	assert_int_equal(num_sent, 0);
	run_to(10 * ANNOUNCE_TROUBLE_MS);
	assert_in_range(num_sent, 2 * 9, 2 * 11);
	/* What is announced already changes its pace, and nothing else. */
	assert_int_equal(announce_later(announce, &v4, 3, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	i = num_sent;
	run_to(10 * ANNOUNCE_TROUBLE_MS + ANNOUNCE_REFRESH_MS / 2);
	assert_int_equal(num_sent, i);
	done(announce);
}

/* IPv6 has one form only. */
static void test_ipv6(void **state)
{
	struct announce *announce = setup();
	uint8_t frame[FRAME_MAX];
	size_t length = frame_announcement(frame, &v6, &ours, true);

	assert_int_equal(announce_start(announce, &v6, 4, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	run_to(49);
	assert_int_equal(num_sent, 1);
	assert_int_equal(sent[0].interface, 4);
	assert_int_equal(sent[0].length, length);
	assert_memory_equal(sent[0].frame, frame, length);
	run_to(50);
	assert_int_equal(num_sent, 2);
	done(announce);
}

/* Again from the beginning, with the new MAC, once. */
static void test_restart(void **state)
{
	struct announce *announce = setup();

	assert_int_equal(announce_start(announce, &v4, 3, &other,
					ANNOUNCE_REFRESH_MS), 0);
	run_to(400);
	num_sent = 0;
	assert_int_equal(announce_start(announce, &v4, 3, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	run_to(400 + 3000);
	assert_int_equal(num_sent, 14);
	assert_said(0, 400, &ours);
	assert_said(2, 450, &ours);
	done(announce);
}

static void test_stop(void **state)
{
	struct announce *announce = setup();

	assert_int_equal(announce_start(announce, &v4, 3, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	assert_int_equal(announce_start(announce, &v4, 4, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	assert_int_equal(announce_start(announce, &v6, 4, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	num_sent = 0;
	announce_stop(announce, &v4, 4);
	run_to(50);
	assert_int_equal(num_sent, 3);
	announce_stop(announce, &v4, 0);
	run_to(150);
	assert_int_equal(num_sent, 4);
	assert_int_equal(sent[3].interface, 4);
	assert_false(announce_heard(announce, 3, &v4, &other));
	announce_stop(announce, &v4, 0);
	announce_stop(announce, &v6, 0);
	run_to(100000);
	assert_int_equal(num_sent, 4);
	done(announce);
}

/* The last word is ours, but not more often than each 100 ms. */
static void test_heard(void **state)
{
	struct announce *announce = setup();
	uint64_t ms;

	assert_int_equal(announce_start(announce, &v4, 3, &ours,
					ANNOUNCE_REFRESH_MS), 0);
	run_to(10000);
	num_sent = 0;
	assert_false(announce_heard(announce, 3, &v4, &ours));
	assert_false(announce_heard(announce, 4, &v4, &other));
	assert_false(announce_heard(announce, 3, &v6, &other));
	assert_int_equal(num_sent, 0);

	assert_true(announce_heard(announce, 3, &v4, &other));
	assert_said(0, 10000, &ours);
	run_to(10200);
	assert_int_equal(num_sent, 2);

	for (ms = 10201; ms <= 10450; ms++) {
		assert_true(announce_heard(announce, 3, &v4, &other));
		run_to(ms);
	}
	run_to(20000);
	assert_int_equal(num_sent, 10);
	assert_said(2, 10200, &ours);
	assert_said(4, 10300, &ours);
	assert_said(6, 10400, &ours);
	assert_said(8, 10500, &ours);
	/* While an answer is owed it can be stopped. */
	assert_true(announce_heard(announce, 3, &v4, &other));
	assert_true(announce_heard(announce, 3, &v4, &other));
	num_sent = 0;
	announce_stop(announce, &v4, 3);
	run_to(30000);
	assert_int_equal(num_sent, 0);
	done(announce);
}

static void test_refused(void **state)
{
	struct announce *announce = setup();
	struct net_address none = { .family = 0 };

	assert_int_equal(announce_start(announce, &none, 3, &ours,
					ANNOUNCE_REFRESH_MS), EINVAL);
	assert_int_equal(num_sent, 0);
	done(announce);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
