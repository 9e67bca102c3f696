/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay: how records get in: copied, spilled to a file, or looked at where
 * they lie; and what is no record.
 */

#include "replay_fixture.h"
#include "replay_internal.h"

/* More records than are kept in memory. */
static void test_spill(void **state)
{
	struct fixture *f = *state;
	struct replay *replay;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	int object = logged(f, 0, &s);
	size_t i;

	for (i = 0; i < 40; i++) {
		s = write_to(object, 20000);
		s.offset = i * 10000;
		s.fill = (uint8_t)i;
		logged(f, (int)i & 1, &s);
	}
	assert_int_equal(replay_new(f, f->v.root_fd, &replay), 0);
	replay->log->memory_limit = 100000;
	for (i = 0; i < f->log->count; i++) {
		assert_int_equal(replay_add(replay, &f->log->entries[i].session,
					    f->log->entries[i].bytes,
					    f->log->entries[i].length), 0);
	}
	assert_true(replay->log->spilled > 600000);
	assert_int_equal(replay_run(replay, NULL, NULL, &f->result), 0);
	expect_model(f);
	/* And again, with the same records. */
	assert_int_equal(replay_run(replay, NULL, NULL, &f->result), 0);
	expect_model(f);
}

/* A store whose records are looked at where they lie. */
struct lying {
	struct fixture *f;
	unsigned int shown;
	size_t missing;	/* of the length of each */
	int error;
};

static int show_lying(uint64_t order,
		      replay_viewer viewer,
		      void *viewer_data,
		      void *private_data)
{
	struct lying *lying = private_data;
	const struct log_entry *e = &lying->f->log->entries[order - 100];

	lying->shown++;
	return lying->error != 0 ? lying->error :
		viewer(e->bytes, e->length - lying->missing, viewer_data);
}

static int run_stored(struct lying *lying)
{
	struct fixture *f = lying->f;
	struct replay *replay;
	size_t i;
	int ret;

	assert_int_equal(replay_new(f, f->v.root_fd, &replay), 0);
	replay_set_logger(replay, quiet, &f->warnings);
	replay_set_reader(replay, show_lying, lying);
	for (i = 0; i < f->log->count; i++) {
		assert_int_equal(replay_add_stored(
			replay, 100 + i, &f->log->entries[i].session,
			f->log->entries[i].bytes,
			f->log->entries[i].length), 0);
	}
	lying->shown = 0;
	ret = replay_run(replay, NULL, NULL, &f->result);
	talloc_free(replay);
	return ret;
}

/* Short records are copied, long ones, cancelled or not, shown. */
static void test_stored(void **state)
{
	struct fixture *f = *state;
	struct lying lying = { .f = f };
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	struct record cancel = { .type = RECORD_CANCEL };
	int object = logged(f, 0, &s);
	size_t i;

	for (i = 0; i < 20; i++) {
		s = write_to(object, 20000);
		s.offset = i * 10000;
		s.fill = (uint8_t)i;
		logged(f, 0, &s);
	}
	s.fill = 'c';
	vain(f, 0, &s);
	cancel.cancels = f->log->sequences[0];
	log_add(f->log, 0, &cancel);
	assert_int_equal(run_stored(&lying), 0);
	assert_int_equal(f->result.redone, 21);
	assert_int_equal(f->result.cancelled, 2);
	/* In the plan, and when it is redone. */
	assert_int_equal(lying.shown, 40);
	expect_model(f);

	lying.missing = 1;
	assert_int_equal(run_stored(&lying), EIO);
	lying.missing = 0;
	lying.error = ENOENT;
	assert_int_equal(run_stored(&lying), ENOENT);
	lying.error = 0;
	assert_int_equal(run_stored(&lying), 0);
	expect_model(f);
}

static void test_bad_records(void **state)
{
	struct fixture *f = *state;
	struct record r = { .type = RECORD_UNLINK, .name = "x" };
	uint8_t garbage[64] = { 99 };
	struct replay *replay;

	assert_int_equal(replay_new(f, f->v.root_fd, &replay), 0);
	assert_int_equal(replay_add(replay, &f->log->sessions[0], garbage,
				    sizeof(garbage)), EBADMSG);
	/* Of no object. */
	log_add(f->log, 0, &r);
	assert_int_equal(run(f), EBADMSG);
	/* Twice the same one. */
	assert_int_equal(replay_add(replay, &f->log->sessions[0],
				    f->log->entries[0].bytes,
				    f->log->entries[0].length), 0);
	assert_int_equal(replay_add(replay, &f->log->sessions[0],
				    f->log->entries[0].bytes,
				    f->log->entries[0].length), EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_spill),
		TEST(test_stored),
		TEST(test_bad_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
