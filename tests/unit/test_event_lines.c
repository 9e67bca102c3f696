/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/event_file.c, source/mirrord/event_lines.c and the
 * times that `mirrorctl log' understands. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "event_file.h"
#include "event_lines.h"
#include "log_command.h"

static char fresh[] = "/dev/shm/test-events-XXXXXX";
static char kept[sizeof(fresh) + 8];
static char before[sizeof(kept) + 8];
static int fd;

static int set_up(void **state)
{
	int made;

	strcpy(strrchr(fresh, '-'), "-XXXXXX");
	made = mkstemp(fresh);
	close(made);
	snprintf(kept, sizeof(kept), "%s.kept", fresh);
	snprintf(before, sizeof(before), "%s.1", kept);
	fd = event_file_open(fresh);
	return fd == -1;
}

static int tear_down(void **state)
{
	close(fd);
	unlink(fresh);
	unlink(kept);
	unlink(before);
	return 0;
}

static int say(const char *id, const char *text)
{
	const struct event_file_line line = {
		.program = "test", .id = id, .severity = LOG_WARNING,
		.text = text,
	};

	return event_file_append(fd, &line);
}

static const char *field(const json_t *events, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(events, i),
						 key));
}

static void write_file(const char *path, const char *data, size_t length)
{
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(out, data, length), length);
	close(out);
}

static size_t copy_to(const char *path, size_t cut)
{
	static char data[1 << 20];
	ssize_t n = pread(fd, data, sizeof(data), 0);

	write_file(path, data, (size_t)n - cut);
	return (size_t)n;
}

/* Whatever bytes a peer or a file name puts into a text. */
static void test_any_text(void **state)
{
	static const char *const texts[][2] = {
		{ "volume \"a\\b\"", "volume \"a\\b\"" },
		{ "a\nb\tc\x7f", "a?b?c?" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac",
			"gr\xc3\xbc\xc3\x9f \xe2\x82\xac" },
		{ "\xff\xc3+\xe2\x82", "??+??" },
		{ "\xed\xa0\x80\xc0\xaf", "?????" },
	};
	json_t *events;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(say("M020", texts[i][0]), 0);
	}
	events = event_lines_read(kept, fresh);
	assert_int_equal(json_array_size(events), i);
	while (i-- > 0) {
		assert_string_equal(field(events, i, "text"), texts[i][1]);
		assert_string_equal(field(events, i, "name"), "degraded");
		assert_string_equal(field(events, i, "severity"), "warning");
		assert_true(strlen(field(events, i, "advice")) > 0);
	}
	json_decref(events);
}

static void test_long_text(void **state)
{
	char text[10000];
	json_t *events;

	memset(text, '"', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(say("M020", text), 0);
	assert_int_equal(say("Z999", "of a later version"), 0);
	events = event_lines_read(kept, fresh);
	assert_int_equal(json_array_size(events), 2);
	assert_string_equal(field(events, 1, "text"), "of a later version");
	assert_string_equal(field(events, 1, "name"), "");
	json_decref(events);
}

/* Nobody carries events away: the file ends to grow, and tells so. */
static void test_bounded(void **state)
{
	char text[2048];
	int i, ret = 0;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < 5000 && ret == 0; i++) {
		ret = say("M020", text);
	}
	assert_int_equal(ret, ENOSPC);
	assert_in_range(lseek(fd, 0, SEEK_END), EVENT_FILE_MAX,
			EVENT_FILE_MAX + EVENT_FILE_LINE_MAX);
	/* Carried away: there is room again. */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 0, EVENT_FILE_MAX), 0);
	assert_int_equal(say("M021", "again"), 0);
}

/* mirror-notify died between keeping a line and forgetting it; and a power cut
 * left half a line on the disk. */
static void test_no_line_twice(void **state)
{
	json_t *events;
	size_t size;

	say("M001", "first");
	copy_to(before, 0);
	say("M002", "second");
	say("M003", "third");
	size = copy_to(kept, 0);
	say("M004", "fourth");
	events = event_lines_read(kept, fresh);
	/* "first" was carried twice, by the file before the last one. */
	assert_int_equal(json_array_size(events), 5);
	assert_string_equal(field(events, 4, "id"), "M004");
	json_decref(events);

	unlink(before);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 0, size / 3), 0);
	events = event_lines_read(kept, fresh);
	assert_string_equal(field(events, json_array_size(events) - 1, "id"),
			    "M004");
	json_decref(events);

	copy_to(kept, 10);
	write_file(fresh, "", 0);
	events = event_lines_read(kept, fresh);
	assert_int_equal(json_array_size(events), 2);
	json_decref(events);
}

static void test_since(void **state)
{
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 21,
		.tm_hour = 21, .tm_min = 30, .tm_isdst = -1 };
	time_t now = mktime(&tm);
	time_t when;

	assert_true(log_parse_since("10m", now, &when));
	assert_int_equal(when, now - 600);
	assert_true(log_parse_since("3d", now, &when));
	assert_int_equal(when, now - 3 * 86400);
	assert_true(log_parse_since("21:05", now, &when));
	assert_int_equal(when, now - 25 * 60);
	assert_true(log_parse_since("2026-11-21 21:29:58", now, &when));
	assert_int_equal(when, now - 2);
	assert_true(log_parse_since("2026-11-21", now, &when));
	assert_int_equal(when, now - 21 * 3600 - 30 * 60);
	assert_false(log_parse_since("yesterday", now, &when));
	assert_false(log_parse_since("10", now, &when));
	assert_false(log_parse_since("-10m", now, &when));
	assert_false(log_parse_since("", now, &when));
}

static void test_severities(void **state)
{
	int i;

	for (i = LOG_EMERG; i <= LOG_DEBUG; i++) {
		assert_int_equal(event_file_severity(
			event_file_severity_name(i)), i);
	}
	assert_int_equal(event_file_severity("Critical"), LOG_CRIT);
	assert_int_equal(event_file_severity("bad"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_any_text, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_long_text, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_no_line_twice, set_up,
						tear_down),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_severities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
