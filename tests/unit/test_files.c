/* SPDX-License-Identifier: GPL-3.0-or-later */
/* R6: which of two files is taken, and what another node may have. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "files.h"

#define FILE_A "/tmp/test_files.a"
#define FILE_B "/tmp/test_files.b"

static void test_judge(void **state)
{
	static const struct {
		const char *own, *other, *base;
		enum files_verdict verdict;
	} cases[] = {
		{ "x", "x", "", FILES_SAME },
		{ "x", "x", "y", FILES_SAME },
		{ "-", "-", "x", FILES_SAME },
		{ "-", "x", "", FILES_TAKE },
		{ "-", "x", "x", FILES_TAKE },
		{ "x", "-", "x", FILES_LEAVE },
		{ "x", "", "x", FILES_LEAVE },
		{ "x", "y", "x", FILES_TAKE },
		{ "x", "y", "y", FILES_LEAVE },
		{ "x", "y", "z", FILES_CONFLICT },
		/* Never seen alike. */
		{ "x", "y", "", FILES_CONFLICT },
		{ "x", "y", "-", FILES_CONFLICT },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(files_judge(cases[i].own, cases[i].other,
					     cases[i].base),
				 cases[i].verdict);
	}
}

static void write_bytes(const char *path, size_t length)
{
	FILE *file = fopen(path, "w");
	size_t i;

	for (i = 0; i < length; i++) {
		putc((int)(i * 7 % 256), file);
	}
	fclose(file);
}

static void test_there_and_back(void **state)
{
	static const size_t lengths[] = {
		0, 1, 399, 400, 401, 70000, FILES_SIZE_MAX
	};
	const char *list[] = { FILE_A, NULL };
	struct mirror_config config = { .files = list, .encrypt = true };
	TALLOC_CTX *ctx = talloc_new(NULL);
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		json_t *file;
		struct stat st;

		write_bytes(FILE_A, lengths[i]);
		chmod(FILE_A, 0751);
		file = files_read(ctx, &config, FILE_A);
		assert_null(json_object_get(file, "problem"));
		unlink(FILE_B);
		assert_int_equal(files_write(ctx, FILE_B, file), 0);
		assert_string_equal(facts_digest(ctx, FILE_A),
				    facts_digest(ctx, FILE_B));
		assert_int_equal(stat(FILE_B, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0751);
		json_decref(file);
	}
	talloc_free(ctx);
	unlink(FILE_A);
	unlink(FILE_B);
}

static void assert_refused(struct mirror_config *config, const char *path)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	json_t *file = files_read(ctx, config, path);

	assert_non_null(json_object_get(file, "problem"));
	assert_null(json_object_get(file, "content"));
	json_decref(file);
	talloc_free(ctx);
}

static void test_what_is_not_given_away(void **state)
{
	const char *list[] = { FILE_A, "/etc", NULL };
	struct mirror_config config = { .files = list, .encrypt = true };

	assert_refused(&config, FILE_A);
	assert_refused(&config, "/etc");
	assert_refused(&config, "/etc/passwd");
	assert_refused(&config, FILE_A "/../../etc/passwd");
	write_bytes(FILE_A, FILES_SIZE_MAX + 1);
	assert_refused(&config, FILE_A);
	write_bytes(FILE_A, 10);
	config.encrypt = false;
	assert_refused(&config, FILE_A);
	unlink(FILE_A);
}

static void test_nonsense_is_not_written(void **state)
{
	static const char *const texts[] = {
		"{}", "{\"content\": [1]}", "{\"content\": [\"abc\"]}",
		"{\"content\": [\"zz\"]}"
	};
	TALLOC_CTX *ctx = talloc_new(NULL);
	size_t i;

	write_bytes(FILE_B, 10);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *file = json_loads(texts[i], 0, NULL);

		assert_int_equal(files_write(ctx, FILE_B, file), EBADMSG);
		json_decref(file);
	}
	write_bytes(FILE_A, 10);
	assert_string_equal(facts_digest(ctx, FILE_A),
			    facts_digest(ctx, FILE_B));
	unlink(FILE_A);
	unlink(FILE_B);
	talloc_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_what_is_not_given_away),
		cmocka_unit_test(test_nonsense_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
