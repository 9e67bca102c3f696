/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/mirror_id.c (R4). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mirror_id.h"

struct place {
	char dir[64];
	int dirfd;
	bool attributes;	/* root, and the file system has them */
};

static int set_up(void **state)
{
	static struct place place;
	int fd;

	strcpy(place.dir, "/var/tmp/test_mirror_id.XXXXXX");
	if (mkdtemp(place.dir) == NULL) {
		return -1;
	}
	place.dirfd = open(place.dir, O_RDONLY | O_DIRECTORY);
	fd = openat(place.dirfd, "file", O_CREAT | O_RDWR, 0600);
	place.attributes =
		fsetxattr(fd, "security.mirror.test", "x", 1, 0) == 0;
	close(fd);
	*state = &place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unlinkat(place->dirfd, "file", 0);
	unlinkat(place->dirfd, "new", 0);
	unlinkat(place->dirfd, "link", 0);
	close(place->dirfd);
	rmdir(place->dir);
	return 0;
}

static void test_choose(void **state)
{
	struct mirror_id a;
	struct mirror_id b;

	mirror_id_choose(&a);
	mirror_id_choose(&b);
	assert_int_equal(a.bytes[0], MIRROR_ID_CHOSEN);
	assert_false(mirror_id_equal(&a, &b));
	assert_true(mirror_id_equal(&a, &a));
	assert_false(mirror_id_is_none(&a));
	assert_true(mirror_id_hash(&a) != mirror_id_hash(&b));
	b = (struct mirror_id){ .bytes = { 0 } };
	assert_true(mirror_id_is_none(&b));
}

static void test_derive(void **state)
{
	struct mirror_handle handle = { .type = 0x81, .length = 12 };
	struct mirror_handle back;
	struct mirror_id other;
	struct mirror_id id;
	uint8_t length;

	for (length = 0; length < 12; length++) {
		handle.bytes[length] = (uint8_t)(length * 23);
	}
	assert_true(mirror_id_derive(&handle, &id));
	assert_true(mirror_id_underive(&id, &back));
	assert_memory_equal(&back, &handle, sizeof(handle));

	/* The generation, last in a handle, makes another object of it. */
	handle.bytes[11]++;
	assert_true(mirror_id_derive(&handle, &other));
	assert_false(mirror_id_equal(&id, &other));

	for (length = 0; length <= MIRROR_HANDLE_MAX; length++) {
		handle.length = length;
		assert_int_equal(mirror_id_derive(&handle, &id),
				 length > 0 && length <= 13);
	}
	assert_true(mirror_id_is_none(&id));
}

static void test_underive_forged(void **state)
{
	struct mirror_id id = { .bytes = { MIRROR_ID_DERIVED, 1, 14 } };
	struct mirror_handle handle;

	assert_false(mirror_id_underive(&id, &handle));
	id.bytes[2] = 255;
	assert_false(mirror_id_underive(&id, &handle));
	id.bytes[2] = 0;
	assert_false(mirror_id_underive(&id, &handle));
	mirror_id_choose(&id);
	assert_false(mirror_id_underive(&id, &handle));
}

static void test_string(void **state)
{
	struct mirror_id id = { .bytes = { 1, 0xab, 0xff } };
	char buf[MIRROR_ID_STRING_SIZE];

	assert_string_equal(mirror_id_string(&id, buf),
			    "01abff00000000000000000000000000");
}

/* Without the attribute, every way to an object leads to one derived id. */
static void test_of_object(void **state)
{
	struct place *place = *state;
	struct mirror_handle handle;
	struct mirror_handle handle2;
	struct mirror_id id;
	struct mirror_id id2;
	bool chosen = true;
	int flags[] = { O_RDWR, O_RDONLY, O_PATH };
	size_t i;

	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &id, &handle,
					   &chosen), 0);
	assert_false(chosen);
	assert_int_equal(id.bytes[0], MIRROR_ID_DERIVED);

	for (i = 0; i < 3; i++) {
		int fd = openat(place->dirfd, "file", flags[i]);

		assert_int_equal(mirror_id_of_fd(fd, &id2, &handle2, NULL), 0);
		assert_true(mirror_id_equal(&id, &id2));
		assert_memory_equal(&handle, &handle2, sizeof(handle));
		close(fd);
	}
	assert_int_equal(mirror_id_of_name(place->dirfd, "none", &id, &handle,
					   NULL), ENOENT);
	assert_int_equal(mirror_id_of_fd(-1, &id, &handle, NULL), EBADF);
}

/* R4: an inode that is used again is not the object that it was. */
static void test_generation(void **state)
{
	struct place *place = *state;
	struct mirror_handle handle;
	struct mirror_id before;
	struct mirror_id after;

	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &before,
					   &handle, NULL), 0);
	assert_int_equal(unlinkat(place->dirfd, "file", 0), 0);
	close(openat(place->dirfd, "file", O_CREAT | O_RDWR, 0600));
	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &after,
					   &handle, NULL), 0);
	assert_false(mirror_id_equal(&before, &after));
}

static void test_attribute(void **state)
{
	struct place *place = *state;
	struct mirror_handle handle;
	struct mirror_id id;
	struct mirror_id got;
	bool chosen = false;
	int fd;

	if (!place->attributes) {
		skip();
	}
	mirror_id_choose(&id);
	assert_int_equal(mirror_id_set_name(place->dirfd, "file", &id), 0);
	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &got, &handle,
					   &chosen), 0);
	assert_true(chosen);
	assert_true(mirror_id_equal(&id, &got));
	assert_true(handle.length != 0);

	/* By a descriptor as replay has it. */
	mirror_id_choose(&id);
	fd = openat(place->dirfd, "file", O_PATH);
	assert_int_equal(mirror_id_set_fd(fd, &id), 0);
	assert_int_equal(mirror_id_of_fd(fd, &got, &handle, &chosen), 0);
	assert_true(mirror_id_equal(&id, &got));
	close(fd);

	/* The id goes with the object, not with its name. */
	assert_int_equal(renameat(place->dirfd, "file", place->dirfd, "new"),
			 0);
	assert_int_equal(mirror_id_of_name(place->dirfd, "new", &got, &handle,
					   NULL), 0);
	assert_true(mirror_id_equal(&id, &got));
	assert_int_equal(renameat(place->dirfd, "new", place->dirfd, "file"),
			 0);
}

/* Not its target's: replay makes and removes symlinks, too. */
static void test_symlink(void **state)
{
	struct place *place = *state;
	struct mirror_handle handle;
	struct mirror_id file;
	struct mirror_id link;
	struct mirror_id got;

	assert_int_equal(symlinkat("file", place->dirfd, "link"), 0);
	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &file,
					   &handle, NULL), 0);
	assert_int_equal(mirror_id_of_name(place->dirfd, "link", &link,
					   &handle, NULL), 0);
	assert_false(mirror_id_equal(&file, &link));
	if (!place->attributes) {
		skip();
	}
	mirror_id_choose(&link);
	assert_int_equal(mirror_id_set_name(place->dirfd, "link", &link), 0);
	assert_int_equal(mirror_id_of_name(place->dirfd, "link", &got,
					   &handle, NULL), 0);
	assert_true(mirror_id_equal(&link, &got));
	assert_int_equal(mirror_id_of_name(place->dirfd, "file", &got,
					   &handle, NULL), 0);
	assert_true(mirror_id_equal(&file, &got));
}

/* Damage must not become a second identity. */
static void test_damaged(void **state)
{
	struct place *place = *state;
	struct mirror_handle handle;
	struct mirror_id id = { .bytes = { 0 } };
	int fd;

	if (!place->attributes) {
		skip();
	}
	fd = openat(place->dirfd, "file", O_RDWR);
	assert_int_equal(fsetxattr(fd, MIRROR_ID_XATTR, "short", 5, 0), 0);
	assert_int_equal(mirror_id_of_fd(fd, &id, &handle, NULL), EIO);
	assert_int_equal(fsetxattr(fd, MIRROR_ID_XATTR,
				   "this one is too long to be an id", 32, 0),
			 0);
	assert_int_equal(mirror_id_of_fd(fd, &id, &handle, NULL), EIO);
	memset(&id, 0, sizeof(id));
	assert_int_equal(mirror_id_set_fd(fd, &id), 0);
	assert_int_equal(mirror_id_of_fd(fd, &id, &handle, NULL), EIO);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_derive),
		cmocka_unit_test(test_underive_forged),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_of_object),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_symlink),
		cmocka_unit_test(test_attribute),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
