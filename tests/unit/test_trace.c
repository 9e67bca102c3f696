/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace: off unless somebody asks again and again, whole entries only, and
 * it tells how many were lost.
 *
 * Seen to fail: trace_has_time() returning true (test_lapses), trace_off()
 * that stores 0 (test_off_leaves_others), read_slot() without its second look
 * at the stamp (test_many_writers), trace_read() that does not jump
 * (test_wrap), trace_add() without its look at the stamp (test_dead_writer),
 * is_sane() returning true (test_nonsense).
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "record.h"
#include "trace.h"

#define FAR_MS 600000

struct fixture {
	TALLOC_CTX *mem_ctx;
	char directory[64];
	char path[128];
	struct trace *mirrord;
	struct trace *smbd;
	struct trace_reader reader;
	atomic_int writing;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->mem_ctx = talloc_new(NULL);
	strcpy(f->directory, "/tmp/test_trace.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/data.trace", f->directory);
	assert_int_equal(trace_create(f->mem_ctx, f->directory, "data",
				      &f->mirrord), 0);
	assert_int_equal(trace_open(f->mem_ctx, f->directory, "data",
				    &f->smbd), 0);
	trace_read_from_now(&f->reader, f->mirrord);
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

/* One that can be told from a mixture of two. */
static struct trace_entry entry_of(uint64_t n)
{
	struct trace_entry entry = {
		.role = TRACE_OWNER,
		.type = RECORD_WRITE,
		.bytes = (uint32_t)n,
		.sequence = n,
	};
	int p;

	memcpy(entry.session.bytes, &n, sizeof(n));
	for (p = 0; p < TRACE_POINTS; p++) {
		entry.at[p] = n;
	}
	return entry;
}

static void assert_whole(const struct trace_entry *entry)
{
	struct trace_entry expected = entry_of(entry->sequence);

	assert_memory_equal(entry, &expected, sizeof(expected));
}

static void add(struct fixture *f, uint64_t n)
{
	struct trace_entry entry = entry_of(n);

	trace_add(f->smbd, &entry);
}

static void test_off_at_first(void **state)
{
	struct fixture *f = *state;
	struct trace_entry entry;
	struct stat st;

	assert_false(trace_is_on(f->smbd));
	assert_false(trace_is_on(NULL));
	assert_false(trace_read(&f->reader, &entry));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Its memory is taken when it is switched on. */
	assert_true(st.st_blocks * 512 < st.st_size / 4);
	assert_int_equal(trace_keep_on(&f->reader, FAR_MS), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_blocks * 512 >= st.st_size);
}

static void test_on_and_off(void **state)
{
	struct fixture *f = *state;
	struct trace_entry entry;

	assert_int_equal(trace_keep_on(&f->reader, FAR_MS), 0);
	assert_true(trace_is_on(f->smbd));
	add(f, 7);
	assert_true(trace_read(&f->reader, &entry));
	assert_int_equal(entry.sequence, 7);
	assert_whole(&entry);
	assert_false(trace_read(&f->reader, &entry));
	trace_off(&f->reader);
	assert_false(trace_is_on(f->smbd));
}

static void test_lapses(void **state)
{
	struct fixture *f = *state;
	int turns;

	/* As when the tracer is killed: nobody switches it off. */
	assert_int_equal(trace_keep_on(&f->reader, 50), 0);
	assert_true(trace_is_on(f->smbd));
	for (turns = 0; turns < 500 && trace_is_on(f->smbd); turns++) {
		usleep(1000);
	}
	assert_false(trace_is_on(f->smbd));
	/* One word to look at again, and no clock. */
	assert_int_equal(atomic_load(f->smbd->until), 0);
}

static void test_off_leaves_others(void **state)
{
	struct fixture *f = *state;
	struct trace_reader other;

	trace_read_from_now(&other, f->smbd);
	assert_int_equal(trace_keep_on(&f->reader, FAR_MS), 0);
	assert_int_equal(trace_keep_on(&other, 2 * FAR_MS), 0);
	/* Nor does one who wants it for less shorten it. */
	assert_int_equal(trace_keep_on(&f->reader, FAR_MS), 0);
	trace_off(&f->reader);
	assert_true(trace_is_on(f->smbd));
	trace_off(&other);
	assert_false(trace_is_on(f->smbd));
}

static void test_wrap(void **state)
{
	struct fixture *f = *state;
	struct trace_entry entry;
	uint64_t n;

	for (n = 1; n <= TRACE_ENTRIES + 100; n++) {
		add(f, n);
	}
	for (n = 101; n <= TRACE_ENTRIES + 100; n++) {
		assert_true(trace_read(&f->reader, &entry));
		assert_int_equal(entry.sequence, n);
		assert_whole(&entry);
	}
	assert_false(trace_read(&f->reader, &entry));
	assert_int_equal(f->reader.lost, 100);
}

/* ------------------------------------------------------------------- torn */

#define WRITERS 4
#define EACH 600000

static void *write_many(void *private_data)
{
	struct fixture *f = private_data;
	uint64_t n;

	for (n = 1; n <= EACH; n++) {
		add(f, n);
	}
	atomic_fetch_sub(&f->writing, 1);
	return NULL;
}

static void test_many_writers(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[WRITERS];
	struct trace_entry entry;
	uint64_t seen = 0;
	int i;

	atomic_store(&f->writing, WRITERS);
	for (i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, write_many,
						f), 0);
	}
	/* Always the oldest, which is the next to be written over. */
	while (atomic_load(&f->writing) > 0) {
		f->reader.next = 0;
		if (trace_read(&f->reader, &entry)) {
			assert_whole(&entry);
			seen++;
		}
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_true(seen > 0);
	f->reader.next = 0;
	f->reader.lost = 0;
	for (seen = 0; trace_read(&f->reader, &entry); seen++) {
		assert_whole(&entry);
	}
	/* Passed over ones at the end may still be waited for. */
	assert_true(seen + f->reader.lost <= (uint64_t)WRITERS * EACH);
}

/* Where an entry lies in the file: its stamp is before it. */
static uint64_t *find_stamp(struct fixture *f, uint64_t n, void **map)
{
	const struct trace_entry wanted = entry_of(n);
	int fd = open(f->path, O_RDWR);
	struct stat st;
	off_t i;

	assert_int_equal(fstat(fd, &st), 0);
	*map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	close(fd);
	assert_ptr_not_equal(*map, MAP_FAILED);
	for (i = 8; i + (off_t)sizeof(wanted) <= st.st_size; i += 8) {
		if (memcmp((char *)*map + i, &wanted, sizeof(wanted)) == 0) {
			return (uint64_t *)((char *)*map + i - 8);
		}
	}
	fail();
	return NULL;
}

static void test_dead_writer(void **state)
{
	struct fixture *f = *state;
	struct trace_entry entry;
	uint64_t *stamp, n;
	void *map;

	/* Killed while it copied its entry into place 0. */
	add(f, 42);
	stamp = find_stamp(f, 42, &map);
	(*stamp)--;
	assert_false(trace_read(&f->reader, &entry));
	for (n = 1; n < TRACE_ENTRIES; n++) {
		add(f, n);
	}
	/* The others are read, and nobody writes to that place again: the
	 * dead one may only be slow. */
	for (n = 1; n < TRACE_ENTRIES; n++) {
		assert_true(trace_read(&f->reader, &entry));
		assert_int_equal(entry.sequence, n);
	}
	assert_int_equal(f->reader.lost, 1);
	add(f, 43);
	assert_int_equal(((struct trace_entry *)(stamp + 1))->sequence, 42);
}

static void test_nonsense(void **state)
{
	struct fixture *f = *state;
	struct trace_entry bad = entry_of(1);
	struct trace_entry entry;

	bad.type = RECORD_TYPE_END;
	trace_add(f->smbd, &bad);
	bad = entry_of(2);
	bad.role = TRACE_ROLE_END;
	trace_add(f->smbd, &bad);
	add(f, 3);
	assert_true(trace_read(&f->reader, &entry));
	assert_int_equal(entry.sequence, 3);
	assert_int_equal(f->reader.lost, 2);
}

static void test_other_version(void **state)
{
	struct fixture *f = *state;
	struct trace *trace;
	int fd;

	/* A restarted mirrord goes on with what there is. */
	assert_int_equal(trace_keep_on(&f->reader, FAR_MS), 0);
	assert_int_equal(trace_create(f->mem_ctx, f->directory, "data",
				      &trace), 0);
	assert_true(trace_is_on(trace));

	fd = open(f->path, O_RDWR | O_TRUNC);
	assert_int_equal(write(fd, "other", 5), 5);
	close(fd);
	assert_int_equal(trace_open(f->mem_ctx, f->directory, "data", &trace),
			 EPROTO);
	assert_int_equal(trace_create(f->mem_ctx, f->directory, "data",
				      &trace), 0);
	assert_false(trace_is_on(trace));
	assert_int_equal(trace_open(f->mem_ctx, f->directory, "none", &trace),
			 ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_off_at_first, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_on_and_off, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_lapses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_off_leaves_others, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_writers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_dead_writer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_other_version, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
