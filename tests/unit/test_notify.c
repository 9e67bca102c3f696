/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/mirrord/notify_keep.c and notify_settings.c. */

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
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "event_file.h"
#include "notify_keep.h"
#include "notify_settings.h"

static char directory[] = "/dev/shm/test-notify-XXXXXX";
static char fresh[64], kept[64], before[64], cursor[64], settings[64];
static struct notify_keep keep;

static int set_up(void **state)
{
	strcpy(strrchr(directory, '-'), "-XXXXXX");
	if (mkdtemp(directory) == NULL) {
		return 1;
	}
	snprintf(fresh, sizeof(fresh), "%s/fresh", directory);
	snprintf(kept, sizeof(kept), "%s/kept", directory);
	snprintf(before, sizeof(before), "%s/kept.1", directory);
	snprintf(cursor, sizeof(cursor), "%s/cursor", directory);
	snprintf(settings, sizeof(settings), "%s/settings", directory);
	return notify_keep_open(&keep, fresh, kept, cursor);
}

static int tear_down(void **state)
{
	close(keep.fd);
	unlink(fresh);
	unlink(kept);
	unlink(before);
	unlink(cursor);
	unlink(settings);
	return rmdir(directory);
}

static void say(const char *text)
{
	const struct event_file_line line = {
		.program = "test", .id = "M020", .severity = LOG_ERR,
		.text = text,
	};

	assert_int_equal(event_file_append(keep.fd, &line), 0);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* A new mirror-notify, after the first one was killed. */
static void start_again(void)
{
	close(keep.fd);
	assert_int_equal(notify_keep_open(&keep, fresh, kept, cursor), 0);
}

static char *next(off_t *end)
{
	return notify_keep_next(&keep, NULL, end);
}

static void test_goes_on(void **state)
{
	off_t end = 0, size;
	char *line;

	say("one");
	say("two");
	assert_int_equal(notify_keep_step(&keep), 0);
	size = size_of(kept);
	assert_int_equal(size, size_of(fresh));
	line = next(&end);
	assert_non_null(strstr(line, "\"one\""));
	talloc_free(line);
	/* Killed while it told: told again. */
	start_again();
	line = next(&end);
	assert_non_null(strstr(line, "\"one\""));
	talloc_free(line);
	notify_keep_told(&keep, end);
	start_again();
	/* And nothing is kept twice. */
	assert_int_equal(notify_keep_step(&keep), 0);
	assert_int_equal(size_of(kept), size);
	line = next(&end);
	assert_non_null(strstr(line, "\"two\""));
	talloc_free(line);
	notify_keep_told(&keep, end);
	assert_null(next(&end));
	say("three");
	line = next(&end);
	assert_non_null(strstr(line, "\"three\""));
	talloc_free(line);
}

/* All of many events get to the end, in little space. */
static void test_bounded(void **state)
{
	char text[2000];
	struct stat st;
	off_t end;
	int i;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < 3000; i++) {
		char *line;

		snprintf(text, 12, "%06d", i);
		text[6] = ' ';
		say(text);
		assert_int_equal(notify_keep_step(&keep), 0);
		line = next(&end);
		assert_non_null(line);
		assert_non_null(strstr(line, "\"text\":\""));
		assert_int_equal(atoi(strstr(line, "\"text\":\"") + 8), i);
		talloc_free(line);
		notify_keep_told(&keep, end);
	}
	assert_true(size_of(fresh) > 5 << 20);
	assert_int_equal(stat(fresh, &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 18);
	assert_true(size_of(kept) < NOTIFY_KEEP_MAX + (1 << 18));
	assert_true(size_of(before) >= NOTIFY_KEEP_MAX);
	assert_true(size_of(before) < NOTIFY_KEEP_MAX + (1 << 18));
}

/* Somebody removed or emptied it; the events after that are told. */
static void test_file_is_replaced(void **state)
{
	off_t end;
	char *line;

	say("one");
	assert_int_equal(notify_keep_step(&keep), 0);
	line = next(&end);
	talloc_free(line);
	notify_keep_told(&keep, end);
	assert_int_equal(truncate(fresh, 0), 0);
	say("2");
	assert_int_equal(notify_keep_step(&keep), 0);
	line = next(&end);
	assert_non_null(strstr(line, "\"2\""));
	talloc_free(line);
	unlink(fresh);
	assert_int_equal(notify_keep_step(&keep), 0);
	say("three");
	line = next(&end);
	assert_non_null(strstr(line, "\"three\""));
	talloc_free(line);
}

static void test_disk_is_full(void **state)
{
	assert_int_equal(mkdir(kept, 0700), 0);
	say("one");
	assert_int_not_equal(notify_keep_step(&keep), 0);
	assert_int_equal(keep.kept, 0);
	assert_int_equal(rmdir(kept), 0);
	assert_int_equal(notify_keep_step(&keep), 0);
	assert_int_equal(size_of(kept), size_of(fresh));
}

static void test_settings(void **state)
{
	struct mirror_config config = {
		.notify_trap = "192.0.2.9 a community",
		.notify_mail = "a@example.org, b@example.org",
		.notify_severity = "err", .notify_rate = 3,
	};
	struct notify_settings *s;
	struct stat first, second;

	assert_int_equal(notify_settings_store(settings, &config), 0);
	stat(settings, &first);
	s = notify_settings_load(NULL, settings);
	assert_string_equal(s->trap_address, "192.0.2.9");
	assert_string_equal(s->trap_community, "a community");
	assert_string_equal(s->mail, "a@example.org, b@example.org");
	assert_int_equal(s->severity, LOG_ERR);
	assert_int_equal(s->rate, 3);
	talloc_free(s);
	assert_int_equal(first.st_mode & 0777, 0600);
	/* The same once more: mirror-notify need not read it again. */
	assert_int_equal(notify_settings_store(settings, &config), 0);
	stat(settings, &second);
	assert_int_equal(first.st_ino, second.st_ino);

	config.notify_trap = config.notify_mail = NULL;
	assert_int_equal(notify_settings_store(settings, &config), 0);
	s = notify_settings_load(NULL, settings);
	assert_null(s->trap_address);
	assert_null(s->mail);
	talloc_free(s);
	unlink(settings);
	s = notify_settings_load(NULL, settings);
	assert_null(s->trap_address);
	assert_int_equal(s->severity, LOG_WARNING);
	assert_true(s->rate > 0);
	talloc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_goes_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_file_is_replaced, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_disk_is_full, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_settings, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
