/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * R1, R2: what an operation waits for before its reply may leave, and what
 * error it tells. operation.c and the state page are real; the sender
 * acknowledges when a test wants it.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "operation.h"
#include "sender.h"
#include <setjmp.h>
#include <cmocka.h>

/* -------------------------------------------------------------------- stubs */

/* What happens while the operation waits. */
static void (*meanwhile)(struct mirror_volume *volume);
/* What happens between the sending and the waiting. */
static void (*at_once)(struct mirror_volume *volume);
static uint32_t sent;
static uint32_t cancels;
static uint32_t waits;

int sender_send(struct mirror_volume *volume,
		struct mirror_operation *operation)
{
	operation->record.sequence = ++volume->last_sequence;
	sent++;
	cancels += operation->record.type == RECORD_CANCEL;
	return 0;
}

void sender_service(struct mirror_volume *volume)
{
	if (at_once != NULL) {
		at_once(volume);
	}
}

void sender_prepare(struct mirror_volume *volume)
{
	sender_service(volume);
}

void sender_wait(struct mirror_volume *volume,
		 uint32_t microseconds,
		 bool for_answer)
{
	/* A test that waits for ever has failed. */
	assert_true(++waits < 100);
	if (meanwhile != NULL) {
		meanwhile(volume);
	}
}

static void acknowledge(struct mirror_volume *volume)
{
	struct mirror_operation *operation;

	for (operation = volume->in_flight; operation != NULL;
	     operation = operation->next) {
		if (operation->state == OPERATION_LOCKED) {
			continue;
		}
		volume->news = volume->news || !operation->acknowledged;
		operation->acknowledged = true;
	}
}

static void lose_partner(struct mirror_volume *volume)
{
	state_page_set_mode(volume->page, PAGE_DEGRADED, 2, NULL);
	volume->state = SENDER_NONE;
}

/* -------------------------------------------------------------------- world */

static const char template[] = "/tmp/test_operation.XXXXXX";
static char directory[sizeof(template)];
static uint32_t applied, hardened;
static int apply_error;

static int make_world(void **state)
{
	struct mirror_volume *volume = talloc_zero(NULL, struct mirror_volume);
	const struct mirror_id session = { .bytes = { 1 } };
	struct page_partner partner = { .node = 1 };
	uint64_t closed;

	memcpy(directory, template, sizeof(directory));
	assert_non_null(mkdtemp(directory));
	assert_int_equal(state_page_create(volume, directory, "data",
					   &volume->page), 0);
	state_page_set_capacity(volume->page, 1 << 20);
	state_page_set_wiped(volume->page, state_page_epoch(volume->page));
	state_page_advance(volume->page, &closed);
	state_page_set_lease(volume->page, UINT64_MAX);
	state_page_set_mode(volume->page, PAGE_MIRRORED, 1, &partner);
	assert_int_equal(state_page_attach(volume->page, &session,
					   &volume->slot), 0);
	volume->name = talloc_strdup(volume, "data");
	volume->root_fd = open(directory, O_RDONLY | O_DIRECTORY);
	volume->state = SENDER_READY;
	volume->regime = state_page_regime(volume->page);
	meanwhile = at_once = NULL;
	sent = cancels = waits = applied = hardened = 0;
	apply_error = 0;
	*state = volume;
	return 0;
}

static int free_world(void **state)
{
	struct mirror_volume *volume = *state;
	char *command = talloc_asprintf(volume, "rm -rf %s", directory);

	close(volume->root_fd);
	assert_int_equal(system(command), 0);
	return talloc_free(volume);
}

static int apply(struct mirror_operation *operation, void *private_data)
{
	applied++;
	errno = apply_error;
	return apply_error != 0 ? -1 : 0;
}

static int harden(struct mirror_operation *operation, void *private_data)
{
	hardened++;
	return 0;
}

static struct mirror_operation *attribute(struct mirror_volume *volume)
{
	const struct mirror_id file = { .bytes = { 2 } };
	struct mirror_operation *operation = operation_new(
		volume, volume, RECORD_SETXATTR);

	assert_non_null(operation);
	operation->record.object = file;
	operation->record.name = "user.DOSATTRIB";
	operation_lock(operation, page_lock_attribute(
		&file, operation->record.name));
	operation->apply = apply;
	operation->harden = harden;
	return operation;
}

/* -------------------------------------------------------------------- tests */

static void test_waits_for_the_partner(void **state)
{
	struct mirror_volume *volume = *state;

	meanwhile = acknowledge;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_int_equal(waits, 1);
	assert_int_equal(applied, 1);
	assert_null(volume->in_flight);
}

/* The partner was faster than we came to wait for it. */
static void test_nobody_sleeps_over_what_is_read(void **state)
{
	struct mirror_volume *volume = *state;

	at_once = acknowledge;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_int_equal(waits, 0);

	at_once = NULL;
	volume->num_collect = 1;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	at_once = acknowledge;
	operation_collect(volume);
	assert_int_equal(waits, 0);
	assert_null(volume->in_flight);
}

static void test_collected_at_the_end_of_a_create(void **state)
{
	struct mirror_volume *volume = *state;

	volume->num_collect = 1;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_int_equal(waits, 0);
	assert_int_equal(applied, 2);
	assert_int_equal(sent, 2);
	volume->num_collect = 0;
	meanwhile = acknowledge;
	operation_collect(volume);
	assert_true(waits > 0);
	assert_null(volume->in_flight);
	assert_int_equal(state_page_in_flight(volume->page), 0);
}

static void test_failure_is_cancelled_and_told(void **state)
{
	struct mirror_volume *volume = *state;

	apply_error = ENOSPC;
	meanwhile = acknowledge;
	assert_int_equal(operation_run_attribute(attribute(volume)), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(cancels, 1);
	/* Inside a create, too: an error is told at once. */
	volume->num_collect = 1;
	assert_int_equal(operation_run_attribute(attribute(volume)), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(cancels, 2);
}

static void test_failure_survives_the_partner(void **state)
{
	struct mirror_volume *volume = *state;

	/* It failed here, and the partner dies before it acknowledges. */
	apply_error = ENOSPC;
	volume->num_collect = 1;
	meanwhile = lose_partner;
	assert_int_equal(operation_run_attribute(attribute(volume)), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(applied, 1);
	assert_int_equal(hardened, 0);
	assert_null(volume->in_flight);
}

static void note_done(struct mirror_operation *operation, void *private_data)
{
	uint32_t *done = private_data;

	(*done)++;
}

static void test_nothing_between_a_name_and_its_record(void **state)
{
	struct mirror_volume *volume = *state;
	struct mirror_operation *name = attribute(volume);
	struct mirror_operation *data = attribute(volume);
	uint32_t done = 0;

	/* What a dead process may have left undone is its last record. */
	name->alone = true;
	name->done = data->done = note_done;
	data->locks[0] = page_lock_name(&data->record.object, "other");
	name->private_data = data->private_data = &done;
	assert_int_equal(operation_start(name), 0);
	assert_int_equal(operation_start(data), 0);
	assert_int_equal(sent, 1);
	operation_advance_all(volume);
	assert_int_equal(sent, 1);
	name->acknowledged = true;
	operation_advance_all(volume);
	operation_advance_all(volume);
	assert_int_equal(done, 1);
	assert_int_equal(sent, 2);
	data->acknowledged = true;
	operation_advance_all(volume);
	assert_int_equal(done, 2);
}

/* Others' acknowledgements are read by whoever reads: they go on as well. */
static void test_news_for_others(void **state)
{
	struct mirror_volume *volume = *state;
	struct mirror_operation *first = attribute(volume);
	struct mirror_operation *second = attribute(volume);
	uint32_t done = 0;

	first->done = second->done = note_done;
	second->locks[0] = page_lock_name(&second->record.object, "other");
	first->private_data = second->private_data = &done;
	assert_int_equal(operation_start(first), 0);
	assert_int_equal(done, 0);
	/* Starting the second reads the first one's. */
	at_once = acknowledge;
	assert_int_equal(operation_start(second), 0);
	assert_int_equal(done, 1);
	at_once = NULL;
	meanwhile = acknowledge;
	operation_finish(second);
	assert_int_equal(applied, 2);
}

static void test_alone_after_all(void **state)
{
	struct mirror_volume *volume = *state;

	/* Sent, not applied: done once, and on the disk. */
	meanwhile = lose_partner;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_int_equal(applied, 1);
	assert_int_equal(hardened, 1);

	meanwhile = NULL;
	apply_error = ENOSPC;
	assert_int_equal(operation_run_attribute(attribute(volume)), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(hardened, 1);
}

/* -------------------------------------------------------------------- trace */

/* On: every point that was passed, in the right order. Off: nothing. */
static void test_traced(void **state)
{
	static const enum trace_owner_point order[] = {
		TRACE_BEGUN, TRACE_ASKED, TRACE_LOCKED, TRACE_TAGGED,
		TRACE_MAY_APPLY, TRACE_APPLIED, TRACE_UNLOCKED,
		TRACE_RETURNED,
	};
	struct mirror_volume *volume = *state;
	struct mirror_operation *operation = NULL;
	struct trace_reader reader;
	struct trace_entry entry;
	size_t i;

	assert_int_equal(trace_create(volume, directory, "data",
				      &volume->trace), 0);
	trace_read_from_now(&reader, volume->trace);
	meanwhile = acknowledge;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_false(trace_read(&reader, &entry));

	assert_int_equal(trace_keep_on(&reader, 600000), 0);
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_true(trace_read(&reader, &entry));
	assert_int_equal(entry.type, RECORD_SETXATTR);
	assert_int_equal(entry.sequence, 2);
	assert_int_equal(entry.flags, 0);
	assert_memory_equal(&entry.session, &volume->session,
			    sizeof(entry.session));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		assert_true(entry.at[order[i]] != 0);
		assert_true(i == 0 ||
			    entry.at[order[i]] >= entry.at[order[i - 1]]);
	}

	apply_error = ENOSPC;
	assert_int_equal(operation_run_attribute(attribute(volume)), -1);
	apply_error = 0;
	assert_true(trace_read(&reader, &entry));
	assert_int_equal(entry.flags, TRACE_FAILED);
	/* Of the record, not of its cancellation. */
	assert_int_equal(entry.sequence, 3);
	assert_int_equal(entry.type, RECORD_SETXATTR);

	/* One that found nothing to do has not failed. */
	operation = attribute(volume);
	assert_int_equal(operation_take_locks(operation), 0);
	operation_abandon(operation);
	assert_true(trace_read(&reader, &entry));
	assert_int_equal(entry.flags, TRACE_ABANDONED);

	trace_off(&reader);
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	assert_false(trace_read(&reader, &entry));
	assert_null(volume->traced);
}

static void test_traced_and_collected(void **state)
{
	struct mirror_volume *volume = *state;
	struct trace_reader reader;
	struct trace_entry entry;

	assert_int_equal(trace_create(volume, directory, "data",
				      &volume->trace), 0);
	trace_read_from_now(&reader, volume->trace);
	assert_int_equal(trace_keep_on(&reader, 600000), 0);
	volume->num_collect = 1;
	assert_int_equal(operation_run_attribute(attribute(volume)), 0);
	volume->num_collect = 0;
	assert_false(trace_read(&reader, &entry));
	meanwhile = acknowledge;
	operation_collect(volume);
	assert_true(trace_read(&reader, &entry));
	assert_int_equal(entry.flags, TRACE_DEFERRED);
	assert_true(entry.at[TRACE_RETURNED] >= entry.at[TRACE_APPLIED]);
	assert_true(entry.at[TRACE_COLLECTED] >= entry.at[TRACE_RETURNED]);
	assert_true(entry.at[TRACE_UNLOCKED] >= entry.at[TRACE_COLLECTED]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waits_for_the_partner),
		TEST(test_nobody_sleeps_over_what_is_read),
		TEST(test_collected_at_the_end_of_a_create),
		TEST(test_failure_is_cancelled_and_told),
		TEST(test_failure_survives_the_partner),
		TEST(test_nothing_between_a_name_and_its_record),
		TEST(test_news_for_others),
		TEST(test_alone_after_all),
		TEST(test_traced),
		TEST(test_traced_and_collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
