/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Golden files: what an encoding looks like, byte by byte, so that nobody
 * changes the protocol without noticing.
 *
 * MIRROR_GOLDEN_WRITE=1 writes them anew; then look at the difference, and
 * think of the version in wire.h. MIRROR_GOLDEN_DIR says where they are, if
 * not below the current directory.
 */

#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <talloc.h>

static char *golden_path(TALLOC_CTX *mem_ctx, const char *name)
{
	const char *dir = getenv("MIRROR_GOLDEN_DIR");

	return talloc_asprintf(mem_ctx, "%s/%s.txt",
			       dir != NULL ? dir : "tests/unit/golden", name);
}

/* A line that tells what it is, then 16 bytes a line. */
static char *golden_text(TALLOC_CTX *mem_ctx,
			 const char *title,
			 const uint8_t *bytes,
			 size_t length)
{
	char *text = talloc_asprintf(mem_ctx, "# %s\n", title);
	size_t i;

	for (i = 0; i < length; i++) {
		if (i % 16 == 0) {
			text = talloc_asprintf_append(text, "%04zx ", i);
		}
		text = talloc_asprintf_append(
			text, " %02x%s", bytes[i],
			i % 16 == 15 || i == length - 1 ? "\n" : "");
	}
	return text;
}

static void golden_check(TALLOC_CTX *mem_ctx,
			 const char *name,
			 const char *title,
			 const uint8_t *bytes,
			 size_t length)
{
	char *path = golden_path(mem_ctx, name);
	char *want = golden_text(mem_ctx, title, bytes, length);
	size_t size = talloc_get_size(want);
	char *have = talloc_zero_array(mem_ctx, char, size + 1);
	FILE *file;

	if (getenv("MIRROR_GOLDEN_WRITE") != NULL) {
		file = fopen(path, "w");
		assert_non_null(file);
		assert_int_not_equal(fputs(want, file), EOF);
		assert_int_equal(fclose(file), 0);
	}
	file = fopen(path, "r");
	if (file == NULL) {
		fail_msg("no golden file %s", path);
	}
	(void)fread(have, 1, size, file);
	fclose(file);
	assert_string_equal(have, want);
}

#endif /* TEST_GOLDEN_H */
