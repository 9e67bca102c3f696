/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file is replaced as a whole or not at all: after a failure the old one is
 * there, and nothing beside it.
 */

#include <sys/resource.h>
#include <sys/stat.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "replace_file.h"

#define LONG (4096 + 1)

static int enter_folder(void **state)
{
	static char name[] = "/var/tmp/test_replace_file.XXXXXX";

	memcpy(strrchr(name, '.'), ".XXXXXX", 7);
	*state = name;
	return mkdtemp(name) == NULL || chdir(name) == -1 ? -1 : 0;
}

static int leave_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", (char *)*state);
	return chdir("/") == -1 ? -1 : system(command);
}

static void assert_content(const char *path, const char *wanted)
{
	char text[LONG + 1] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, wanted);
}

static void assert_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
}

static unsigned int files(void)
{
	DIR *folder = opendir(".");
	unsigned int count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL) {
		count++;
	}
	closedir(folder);
	return count - 2;
}

static void test_replaced(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", (char *)*state);
	assert_int_equal(replace_file(path, 0600, true, "first"), 0);
	assert_content(path, "first");
	assert_mode(path, 0600);
	assert_int_equal(replace_file("file", 0644, false, ""), 0);
	assert_content(path, "");
	assert_mode(path, 0644);
	assert_int_equal(files(), 1);
}

/* Of a process that died in the middle, with a mode of its own. */
static void test_left_over(void **state)
{
	(void)state;
	assert_int_equal(replace_file(".file.new", 0666, false, "old old"), 0);
	assert_int_equal(chmod(".file.new", 0666), 0);
	assert_int_equal(replace_file("file", 0600, true, "new"), 0);
	assert_content("file", "new");
	assert_mode("file", 0600);
	assert_int_equal(files(), 1);
}

static void test_link_is_not_followed(void **state)
{
	(void)state;
	assert_int_equal(replace_file("target", 0600, false, "theirs"), 0);
	assert_int_equal(symlink("target", "file"), 0);
	assert_int_equal(symlink("target", ".file.new"), 0);
	assert_int_equal(replace_file("file", 0600, false, "ours"), 0);
	assert_content("target", "theirs");
	assert_content("file", "ours");
	assert_mode("file", 0600);
	assert_int_equal(files(), 2);
}

/* The disk takes 4096 bytes, then no more: a short write comes first. */
static void test_full(void **state)
{
	const struct rlimit full = { .rlim_cur = LONG - 1,
				     .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	char text[LONG + 1];
	int ret;

	(void)state;
	memset(text, 'x', LONG);
	text[LONG] = '\0';
	assert_int_equal(replace_file("file", 0600, true, "old"), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	ret = replace_file("file", 0600, true, text);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ret, EFBIG);
	assert_content("file", "old");
	assert_int_equal(files(), 1);
	assert_int_equal(replace_file("file", 0600, true, text), 0);
	assert_content("file", text);
}

static void test_impossible(void **state)
{
	char name[NAME_MAX + 2];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = '\0';
	assert_int_equal(replace_file(name, 0600, true, ""), ENAMETOOLONG);
	assert_int_equal(replace_file("no/file", 0600, true, ""), ENOENT);
	/* A folder stays. */
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(replace_file("folder", 0600, true, ""), EISDIR);
	assert_int_equal(files(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replaced, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(test_left_over, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(test_link_is_not_followed,
						enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(test_full, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(test_impossible, enter_folder,
						leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
