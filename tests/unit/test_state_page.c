/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The state page: locks order what conflicts (R3), an epoch closes only when
 * nothing of it is in flight (R8), a dead process is found with what it had in
 * flight, room is bounded (R9).
 *
 * Seen to fail: conflicts() returning false for overlapping ranges
 * (test_conflicts), state_page_epoch_busy() ignoring APPLYING entries
 * (test_epoch), reserve() without the bound (test_room), state_page_reap()
 * not looking at the liveness lock (test_dead_process).
 */

#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "state_page.h"

struct fixture {
	TALLOC_CTX *mem_ctx;
	char directory[64];
	struct state_page *page;
	struct state_page *owner;	/* as mirrord has it: no slot */
	uint32_t slot;
	uint32_t other;
};

static struct mirror_id id_of(uint8_t n)
{
	struct mirror_id id = { .bytes = { MIRROR_ID_CHOSEN, n } };

	return id;
}

static void mirrored(struct state_page *page, uint64_t capacity)
{
	struct page_partner partner = { .generation = 7 };

	state_page_set_capacity(page, capacity);
	state_page_set_mode(page, PAGE_MIRRORED, 7, &partner);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct mirror_id session = id_of(200);

	assert_non_null(f);
	f->mem_ctx = talloc_new(NULL);
	strcpy(f->directory, "/tmp/test_state_page.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(state_page_create(f->mem_ctx, f->directory, "data",
					   &f->owner), 0);
	assert_int_equal(state_page_open(f->mem_ctx, f->directory, "data",
					 &f->page), 0);
	assert_int_equal(state_page_attach(f->page, &session, &f->slot), 0);
	assert_int_equal(state_page_attach(f->page, &session, &f->other), 0);
	assert_int_not_equal(f->slot, f->other);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	talloc_free(f->mem_ctx);
	snprintf(command, sizeof(command), "rm -rf %s", f->directory);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int lock1(struct fixture *f, uint32_t slot, struct page_lock lock,
		 struct page_hold *hold)
{
	return state_page_lock(f->page, slot, &lock, 1, hold);
}

static void test_conflicts(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1), b = id_of(2);
	struct page_hold held, tried;
	const struct {
		struct page_lock first, second;
		int result;
	} cases[] = {
		{ page_lock_bytes(&a, 0, 10), page_lock_bytes(&a, 9, 1),
		  EAGAIN },
		{ page_lock_bytes(&a, 0, 10), page_lock_bytes(&a, 10, 1), 0 },
		{ page_lock_bytes(&a, 0, 10), page_lock_bytes(&b, 0, 10), 0 },
		{ page_lock_bytes(&a, 100, 1), page_lock_bytes_from(&a, 5),
		  EAGAIN },
		{ page_lock_bytes(&a, 0, 5), page_lock_bytes_from(&a, 5), 0 },
		{ page_lock_bytes(&a, UINT64_MAX - 1, 100),
		  page_lock_name(&a, "x"), 0 },
		{ page_lock_name(&a, "x"), page_lock_name(&a, "x"), EAGAIN },
		{ page_lock_name(&a, "x"), page_lock_name(&a, "y"), 0 },
		{ page_lock_name(&a, "x"), page_lock_name(&b, "x"), 0 },
		{ page_lock_exists(&a, true), page_lock_exists(&a, true), 0 },
		{ page_lock_exists(&a, true), page_lock_exists(&a, false),
		  EAGAIN },
		{ page_lock_links(&a), page_lock_links(&a), EAGAIN },
		{ page_lock_attribute(&a, "user.x"),
		  page_lock_attribute(&a, "user.x"), EAGAIN },
		{ page_lock_attribute(&a, "user.x"),
		  page_lock_attribute(&a, "user.y"), 0 },
		{ page_lock_permissions(&a), page_lock_times(&a), 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(lock1(f, f->slot, cases[i].first, &held), 0);
		assert_int_equal(lock1(f, f->other, cases[i].second, &tried),
				 cases[i].result);
		if (cases[i].result == 0) {
			state_page_unlock(f->page, &tried);
		}
		state_page_unlock(f->page, &held);
		assert_int_equal(lock1(f, f->other, cases[i].second, &tried),
				 0);
		state_page_unlock(f->page, &tried);
	}
	assert_int_equal(state_page_in_flight(f->page), 0);
}

static void test_all_or_none(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1), b = id_of(2);
	struct page_lock both[] = {
		page_lock_name(&a, "x"),
		page_lock_name(&a, "x"),	/* the same twice */
		page_lock_name(&b, "x"),
	};
	struct page_hold held, tried;

	assert_int_equal(lock1(f, f->slot, page_lock_name(&b, "x"), &held), 0);
	assert_int_equal(state_page_lock(f->page, f->other, both, 3, &tried),
			 EAGAIN);
	/* Nothing is left of the failed attempt. */
	assert_int_equal(state_page_in_flight(f->page), 1);
	state_page_unlock(f->page, &held);
	assert_int_equal(state_page_lock(f->page, f->other, both, 3, &tried),
			 0);
	state_page_unlock(f->page, &tried);
	assert_int_equal(state_page_in_flight(f->page), 0);
}

static void test_epoch(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1);
	struct page_hold hold, late;
	uint64_t regime, closed;

	mirrored(f->page, 1000);
	regime = state_page_regime(f->page);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 0);
	/* Waiting for its tag, it holds no epoch open. */
	assert_false(state_page_epoch_busy(f->page, 1));
	assert_int_equal(state_page_tag(f->page, &hold, regime, 100), 0);
	assert_int_equal(hold.epoch, 1);
	assert_true(state_page_epoch_busy(f->page, 1));

	assert_int_equal(state_page_advance(f->page, &closed), 0);
	assert_int_equal(closed, 1);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 5, 1), &late),
			 0);
	assert_int_equal(state_page_tag(f->page, &late, regime, 100), 0);
	assert_int_equal(late.epoch, 2);
	assert_int_equal(state_page_apply(f->page, &hold, PAGE_MIRRORED,
					  regime), 0);
	assert_true(state_page_epoch_busy(f->page, 1));
	assert_true(state_page_applying(f->page));
	state_page_unlock(f->page, &hold);
	assert_false(state_page_epoch_busy(f->page, 1));
	assert_true(state_page_epoch_busy(f->page, 2));
	state_page_unlock(f->page, &late);
	assert_false(state_page_epoch_busy(f->page, 2));
}

static void test_room(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1);
	struct page_hold hold, next;
	uint64_t regime, closed;
	int i;

	mirrored(f->page, 1000);
	regime = state_page_regime(f->page);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 0);
	assert_int_equal(state_page_tag(f->page, &hold, regime, 900), 0);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 1, 1), &next),
			 0);
	assert_int_equal(state_page_tag(f->page, &next, regime, 200), EAGAIN);
	assert_int_equal(state_page_used(f->page), 900);
	assert_int_equal(state_page_advance(f->page, &closed), 0);
	assert_int_equal(state_page_tag(f->page, &next, regime, 200), 0);
	assert_int_equal(next.epoch, 2);
	assert_int_equal(state_page_used_total(f->page), 1100);

	/* The ring is full when nothing is wiped. */
	for (i = 3; i <= PAGE_EPOCH_RING; i++) {
		assert_int_equal(state_page_advance(f->page, &closed), 0);
	}
	assert_int_equal(state_page_advance(f->page, &closed), EBUSY);
	state_page_set_wiped(f->page, 1);
	assert_int_equal(state_page_advance(f->page, &closed), 0);
	state_page_unlock(f->page, &hold);
	state_page_unlock(f->page, &next);
}

/* R11: what was sent under one regime is not applied under another. */
static void test_regime(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1);
	struct page_hold hold;
	uint64_t regime;

	mirrored(f->page, 1000);
	regime = state_page_regime(f->page);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 0);
	assert_int_equal(state_page_tag(f->page, &hold, regime, 10), 0);
	state_page_report_partner(f->page, regime);
	assert_int_equal(state_page_mode(f->page), PAGE_WAITING);
	assert_int_equal(state_page_apply(f->page, &hold, PAGE_MIRRORED,
					  regime), ESTALE);
	assert_false(state_page_applying(f->page));
	assert_int_equal(state_page_tag(f->page, &hold, regime, 10), ESTALE);
	state_page_set_mode(f->page, PAGE_DEGRADED, 8, NULL);
	assert_int_equal(state_page_apply(f->page, &hold, PAGE_DEGRADED,
					  state_page_regime(f->page)), 0);
	state_page_unlock(f->page, &hold);
	/* A late report about the old regime changes nothing. */
	state_page_report_partner(f->page, regime);
	assert_int_equal(state_page_mode(f->page), PAGE_DEGRADED);
}

/* An attribute change that was applied before its acknowledgement (R1) lets
 * the same process pass, and nobody else. */
static void test_pass(void **state)
{
	struct fixture *f = *state;
	struct mirror_id a = id_of(1);
	struct page_lock lock = page_lock_permissions(&a);
	struct page_hold hold, own, foreign;
	uint64_t regime;

	mirrored(f->page, 1000);
	regime = state_page_regime(f->page);
	assert_int_equal(lock1(f, f->slot, lock, &hold), 0);
	assert_int_equal(state_page_tag(f->page, &hold, regime, 10), 0);
	assert_int_equal(lock1(f, f->slot, lock, &own), EAGAIN);
	assert_int_equal(state_page_apply(f->page, &hold, PAGE_MIRRORED,
					  regime), 0);
	state_page_pass(f->page, &hold);
	assert_int_equal(lock1(f, f->slot, lock, &own), 0);
	assert_int_equal(lock1(f, f->other, lock, &foreign), EAGAIN);
	assert_true(state_page_epoch_busy(f->page, 1));
	state_page_unlock(f->page, &own);
	state_page_unlock(f->page, &hold);
}

struct found {
	int count;
	uint32_t slot;
	uint64_t first;
};

static void found_dead(struct state_page *page,
		       uint32_t slot,
		       const struct mirror_id *session,
		       uint64_t first_sequence,
		       void *private_data)
{
	struct found *found = private_data;

	(void)page;
	(void)session;
	found->count++;
	found->slot = slot;
	found->first = first_sequence;
}

static void dying_child(struct fixture *f, int ready)
{
	struct state_page *page;
	struct mirror_id session = id_of(99), a = id_of(1);
	struct page_lock lock = page_lock_bytes(&a, 0, 10);
	struct page_hold hold;
	uint32_t slot;
	uint64_t regime;
	char ok = 1;

	if (state_page_open(f->mem_ctx, f->directory, "data", &page) != 0 ||
	    state_page_attach(page, &session, &slot) != 0) {
		_exit(1);
	}
	regime = state_page_regime(page);
	if (state_page_lock(page, slot, &lock, 1, &hold) != 0 ||
	    state_page_tag(page, &hold, regime, 10) != 0) {
		_exit(1);
	}
	state_page_sequence(page, &hold, 42);
	if (write(ready, &ok, 1) != 1) {
		_exit(1);
	}
	for (;;) {
		pause();
	}
}

static void test_dead_process(void **state)
{
	struct fixture *f = *state;
	struct found found = { .count = 0 };
	struct mirror_id a = id_of(1);
	struct page_hold hold;
	int ready[2];
	pid_t pid;
	char ok;

	mirrored(f->page, 1000);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		dying_child(f, ready[1]);
	}
	assert_int_equal(read(ready[0], &ok, 1), 1);

	state_page_reap(f->owner, found_dead, &found);
	assert_int_equal(found.count, 0);	/* it lives */

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	state_page_reap(f->owner, found_dead, &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.first, 42);
	/* Its locks stay until its operations are settled. */
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 EAGAIN);
	assert_true(state_page_epoch_busy(f->page, 1));
	state_page_free_slot(f->page, found.slot);
	assert_false(state_page_epoch_busy(f->page, 1));
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 0);
	state_page_unlock(f->page, &hold);
	close(ready[0]);
	close(ready[1]);
}

/* Killed at any instruction, a process leaves a page that others can use. */
static void hammering_child(struct fixture *f, unsigned seed)
{
	struct state_page *page;
	struct mirror_id session = id_of(98);
	uint32_t slot;

	srandom(seed);
	if (state_page_open(f->mem_ctx, f->directory, "data", &page) != 0 ||
	    state_page_attach(page, &session, &slot) != 0) {
		_exit(1);
	}
	for (;;) {
		struct mirror_id id = id_of(random() % 4);
		struct page_lock locks[] = {
			page_lock_bytes(&id, random() % 8, 1 + random() % 8),
			page_lock_exists(&id, random() % 2),
		};
		struct page_hold hold;
		uint64_t regime = state_page_regime(page);

		if (state_page_lock(page, slot, locks, 2, &hold) != 0) {
			continue;
		}
		if (state_page_tag(page, &hold, regime, 1) == 0) {
			state_page_apply(page, &hold, PAGE_MIRRORED, regime);
		}
		state_page_unlock(page, &hold);
	}
}

static void free_found(struct state_page *page,
		       uint32_t slot,
		       const struct mirror_id *session,
		       uint64_t first_sequence,
		       void *private_data)
{
	(void)session;
	(void)first_sequence;
	(void)private_data;
	state_page_free_slot(page, slot);
}

static void test_killed_anywhere(void **state)
{
	struct fixture *f = *state;
	int round;

	mirrored(f->page, 1ULL << 60);
	for (round = 0; round < 100; round++) {
		pid_t pids[2];
		int i;

		for (i = 0; i < 2; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				hammering_child(f, round * 2 + i);
			}
		}
		usleep(random() % 3000);
		for (i = 0; i < 2; i++) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		state_page_reap(f->owner, free_found, NULL);
		assert_int_equal(state_page_in_flight(f->page), 0);
		assert_int_equal(state_page_processes(f->page), 2);
	}
}

static void test_survives_restart(void **state)
{
	struct fixture *f = *state;
	struct state_page *again;
	struct mirror_id a = id_of(1);
	struct page_hold hold;

	mirrored(f->page, 1000);
	assert_int_equal(lock1(f, f->slot, page_lock_bytes(&a, 0, 1), &hold),
			 0);
	assert_int_equal(state_page_create(f->mem_ctx, f->directory, "data",
					   &again), 0);
	assert_int_equal(state_page_mode(again), PAGE_MIRRORED);
	assert_int_equal(state_page_generation(again), 7);
	assert_int_equal(state_page_in_flight(again), 1);
	state_page_unlock(again, &hold);
	assert_int_equal(state_page_in_flight(f->page), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conflicts, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_all_or_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_regime, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_process, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_killed_anywhere, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_survives_restart, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
