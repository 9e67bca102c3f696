/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trees of cases, for whoever has them on a volume somewhere else:
 *
 *   crash_tree make FOLDER COUNT UID    FOLDER/c0 .. with the tree of
 *                                       operations.h, and syncfs
 *   crash_tree show FOLDER COUNT        "tree N", and what is there
 */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "crash.h"
#include "start_tree.h"
#include "tree.h"

static void fail(const char *path) __attribute__((noreturn));

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void make(const char *folder, unsigned int count, uid_t uid)
{
	static const char *const all[] = { ".", "a", "b", "d", "d/x", "e" };
	char path[256], object[300];
	unsigned int i;
	size_t k;
	int fd;

	umask(0);
	if (mkdir(folder, 0755) == -1) {
		fail(folder);
	}
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/c%u", folder, i);
		start_tree_make(path);
		for (k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
			snprintf(object, sizeof(object), "%s/%s", path,
				 all[k]);
			if (chown(object, uid, uid) == -1) {
				fail(object);
			}
		}
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	if (fd == -1 || syncfs(fd) == -1) {
		fail(folder);
	}
	close(fd);
}

static void show(const char *folder, unsigned int count)
{
	static char tree[TREE_SIZE];
	char path[256];
	unsigned int i;

	for (i = 0; i < count; i++) {
		bool doubled = false;
		int ret;

		snprintf(path, sizeof(path), "%s/c%u", folder, i);
		ret = tree_read(path, tree, sizeof(tree), &doubled);
		if (ret != 0) {
			errno = ret;
			fail(path);
		}
		printf("tree %u%s\n%s", i, doubled ? " an id twice" : "",
		       tree);
	}
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "make") == 0) {
		make(argv[2], (unsigned int)atoi(argv[3]),
		     (uid_t)atoi(argv[4]));
	} else if (argc == 4 && strcmp(argv[1], "show") == 0) {
		show(argv[2], (unsigned int)atoi(argv[3]));
	} else {
		fprintf(stderr, "crash_tree: make or show?\n");
		return 2;
	}
	return 0;
}
