/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which disk a volume was on (R11): it is kept, what cannot be read is no
 * answer, and the name in a label is whole.
 */

#include <sys/stat.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
#include <cmocka.h>
#include "known_disk.h"
#include "label.h"

#define DISK "ext4:0a6c4b5e-7b0f-4c12-9f5c-1d2e3f405162"
#define OTHER "xfs:ffffffff-7b0f-4c12-9f5c-1d2e3f405162"

struct world {
	char *top;
	char *folder;	/* not made yet */
};

static int make_world(void **state)
{
	struct world *world = talloc_zero(NULL, struct world);
	char name[] = "/var/tmp/test_known_disk.XXXXXX";

	if (mkdtemp(name) == NULL) {
		return -1;
	}
	world->top = talloc_strdup(world, name);
	world->folder = talloc_asprintf(world, "%s/disks", name);
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	struct world *world = *state;
	char *command = talloc_asprintf(world, "rm -rf %s", world->top);
	int ret = system(command);

	talloc_free(world);
	return ret;
}

static void assert_kept(struct world *world, const char *name,
			const char *device, const char *wanted)
{
	const struct config_volume volume = {
		.name = name, .device = device
	};
	char *kept = known_disk_kept(world, world->folder, &volume);

	if (wanted == NULL) {
		assert_null(kept);
	} else {
		assert_non_null(kept);
		assert_string_equal(kept, wanted);
	}
	talloc_free(kept);
}

static int keep(struct world *world, const char *device, const char *id)
{
	return known_disk_keep(world->folder, "data", device, id);
}

static void test_kept(void **state)
{
	struct world *world = *state;

	assert_kept(world, "data", "/dev/sdb", NULL);
	assert_int_equal(keep(world, "/dev/sdb", DISK), 0);
	assert_kept(world, "data", "/dev/sdb", DISK);
	assert_kept(world, "media", "/dev/sdb", NULL);
	assert_int_equal(keep(world, "/dev/sdb", OTHER), 0);
	assert_kept(world, "data", "/dev/sdb", OTHER);
}

/* It was changed in the configuration, on purpose. */
static void test_another_name_is_not_known(void **state)
{
	struct world *world = *state;

	assert_int_equal(keep(world, "/dev/sdb", DISK), 0);
	assert_kept(world, "data", "/dev/sdc", NULL);
	assert_kept(world, "data", "/dev/sd", NULL);
	assert_kept(world, "data", "/dev/sdb1", NULL);
	assert_int_equal(keep(world, "/dev/my disk", DISK), 0);
	assert_kept(world, "data", "/dev/my disk", DISK);
}

static void test_half_a_file_is_no_answer(void **state)
{
	struct world *world = *state;
	char *path = talloc_asprintf(world, "%s/data", world->folder);
	off_t size;

	for (size = 0; size < (off_t)strlen(DISK " /dev/sdb"); size++) {
		assert_int_equal(keep(world, "/dev/sdb", DISK), 0);
		assert_int_equal(truncate(path, size), 0);
		assert_kept(world, "data", "/dev/sdb", NULL);
	}
}

static void test_no_room(void **state)
{
	struct world *world = *state;
	int fd = creat(world->folder, 0600);	/* a file is in the way */

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(keep(world, "/dev/sdb", DISK), ENOTDIR);
	assert_kept(world, "data", "/dev/sdb", NULL);
}

static void test_name_of_a_label(void **state)
{
	struct world *world = *state;
	int fd = open(world->top, O_RDONLY | O_DIRECTORY);
	char *name = NULL;
	int ret;

	assert_true(fd >= 0);
	ret = label_volume_read(world, fd, &name);
	assert_int_equal(ret, 0);
	assert_null(name);
	ret = label_volume_write(fd, "data");
	assert_int_equal(ret, 0);
	ret = label_volume_read(world, fd, &name);
	assert_int_equal(ret, 0);
	assert_string_equal(name, "data");
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept),
		TEST(test_another_name_is_not_known),
		TEST(test_half_a_file_is_no_answer),
		TEST(test_no_room),
		TEST(test_name_of_a_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
