/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The volume's label (R11): round trip, damage, and that a volume without one
 * is new. Seen to fail with the check of the sum taken out.
 */

#include <sys/xattr.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
#include <cmocka.h>
#include "label.h"

static struct label example(void)
{
	struct label label = {
		.generation = UINT64_C(0x1122334455667788),
		.owner = 3,
		.protection = LABEL_MIRRORED,
		.partner = 4,
		.store_generation = UINT64_C(0x99aabbccddeeff00),
		.lock_space = UINT64_C(0x0102030405060708),
		.beat = UINT64_C(0x0a0b0c0d0e0f1011),
	};

	memset(label.incarnation.bytes, 0x5a, MIRROR_ID_SIZE);
	return label;
}

static void assert_labels_equal(const struct label *a, const struct label *b)
{
	assert_true(a->generation == b->generation);
	assert_int_equal(a->owner, b->owner);
	assert_int_equal(a->protection, b->protection);
	assert_int_equal(a->partner, b->partner);
	if (a->protection == LABEL_MIRRORED ||
	    a->protection == LABEL_REPLAYING) {
		assert_true(a->store_generation == b->store_generation);
	} else {
		assert_true(a->beat == b->beat);
	}
	assert_true(a->lock_space == b->lock_space);
	assert_memory_equal(&a->incarnation, &b->incarnation,
			    sizeof(a->incarnation));
}

static void test_round_trip(void **state)
{
	struct label label = example(), back;
	uint8_t buf[LABEL_SIZE];
	int protection;

	for (protection = LABEL_CLEAN; protection < LABEL_PROTECTION_END;
	     protection++) {
		label.protection = (enum label_protection)protection;
		label_push(&label, buf);
		assert_int_equal(label_pull(buf, sizeof(buf), &back), 0);
		assert_labels_equal(&label, &back);
	}
}

static void test_damage_is_noticed(void **state)
{
	struct label label = example(), back;
	uint8_t buf[LABEL_SIZE];
	size_t bit;

	for (bit = 0; bit < LABEL_SIZE * 8; bit++) {
		label_push(&label, buf);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(label_pull(buf, sizeof(buf), &back), 0);
	}
	label_push(&label, buf);
	assert_int_equal(label_pull(buf, LABEL_SIZE - 1, &back), EBADMSG);
	assert_int_equal(label_pull(buf, 3, &back), EBADMSG);
}

static void test_newer_version_is_told(void **state)
{
	struct label label = example(), back;
	uint8_t buf[LABEL_SIZE];

	label_push(&label, buf);
	buf[4] = 2;
	assert_int_equal(label_pull(buf, sizeof(buf), &back), EPROTO);
}

/* Needs a file system with trusted attributes, and root. */
static void test_on_a_directory(void **state)
{
	char path[] = "/tmp/test-label.XXXXXX";
	struct label label = example(), back;
	int fd;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(label_read(fd, &back), 0);
	assert_true(back.generation == 0);
	assert_int_equal(back.protection, LABEL_CLEAN);

	if (label_write(fd, &label) == 0) {
		assert_int_equal(label_read(fd, &back), 0);
		assert_labels_equal(&label, &back);
		/* R11: only over the label that one knows. */
		back.generation--;
		label.generation += 5;
		assert_int_equal(label_replace(fd, &back, &label), ESTALE);
		back.generation++;
		back.owner++;
		assert_int_equal(label_replace(fd, &back, &label), ESTALE);
		back.owner--;
		assert_int_equal(label_replace(fd, &back, &label), 0);
		assert_int_equal(label_read(fd, &back), 0);
		assert_labels_equal(&label, &back);
		assert_int_equal(fsetxattr(fd, LABEL_XATTR, "junk", 4, 0), 0);
		assert_int_equal(label_read(fd, &back), EBADMSG);
	} else {
		print_message("skipped: no trusted attributes here\n");
	}
	close(fd);
	rmdir(path);
}

static void test_description(void **state)
{
	struct label label = example();
	char *text = label_describe(NULL, &label);

	assert_non_null(strstr(text, "mirrored"));
	assert_non_null(strstr(text, "owner 3"));
	assert_non_null(strstr(text, "node 4"));
	talloc_free(text);
	assert_string_equal(label_protection_name(LABEL_PROTECTION_END),
			    "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_newer_version_is_told),
		cmocka_unit_test(test_on_a_directory),
		cmocka_unit_test(test_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
