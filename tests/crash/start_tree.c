/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See start_tree.h. */

#include <sys/stat.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "start_tree.h"

#define LONG_AGO 946684800	/* 2000-01-01 */

static void fail(const char *path) __attribute__((noreturn));

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void make_file(int directory, const char *name, size_t size,
		      uint8_t seed)
{
	uint8_t bytes[8192];
	size_t i;
	int fd;

	fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd == -1) {
		fail(name);
	}
	for (i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(seed + i * 3 + i / 253);
	}
	if (write(fd, bytes, size) != (ssize_t)size) {
		fail(name);
	}
	if (name[0] == 'a' &&
	    fsetxattr(fd, "user.before", "base", 4, 0) == -1) {
		fail(name);
	}
	/* As streams_xattr keeps a stream: with a zero at its end. */
	if (name[0] == 'b' &&
	    fsetxattr(fd, "user.DosStream.s:$DATA", "stream", 7, 0) == -1) {
		fail(name);
	}
	close(fd);
}

static void set_old(int directory, const char *name)
{
	const struct timespec times[2] = {
		{ .tv_sec = LONG_AGO }, { .tv_sec = LONG_AGO }
	};

	if (utimensat(directory, name, times, 0) == -1) {
		fail(name);
	}
}

void start_tree_make(const char *path)
{
	static const char *const all[] = { "d/x", "a", "b", "d", "e", "." };
	size_t i;
	int fd;

	if (mkdir(path, 0755) == -1) {
		fail(path);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd == -1 || mkdirat(fd, "d", 0755) == -1 ||
	    mkdirat(fd, "e", 0755) == -1) {
		fail(path);
	}
	make_file(fd, "a", 6000, 11);
	make_file(fd, "b", 300, 12);
	make_file(fd, "d/x", 4096, 13);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		set_old(fd, all[i]);
	}
	close(fd);
}
