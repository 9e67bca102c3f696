/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tree.h. */

#include <sys/stat.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../source/common/mirror_id.h"
#include "tree.h"

#define OBJECTS_MAX 64
#define VALUE_MAX 65536
#define NTTIME_EPOCH INT64_C(11644473600)
#define DAY 86400

struct walk {
	char *text;
	size_t size, used;
	time_t now;
	ino_t seen[OBJECTS_MAX];
	struct mirror_id ids[OBJECTS_MAX];
	int count;
	bool doubled;
	int error;
};

static void put(struct walk *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct walk *w, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(w->text + w->used, w->size - w->used, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= w->size - w->used) {
		w->error = ENOSPC;
		return;
	}
	w->used += (size_t)n;
}

static bool is_recent(const struct walk *w, int64_t seconds)
{
	return seconds > w->now - DAY && seconds < w->now + DAY;
}

static uint64_t fnv(uint64_t hash, const uint8_t *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	}
	return hash;
}

#define FNV_START UINT64_C(0xcbf29ce484222325)

/* Samba keeps times in attributes, as 64 bits of 100 ns. */
static int hide_times(const struct walk *w, uint8_t *value, size_t length)
{
	int hidden = 0;
	size_t i, k;

	for (i = 0; i + 8 <= length; i++) {
		uint64_t time = 0;

		for (k = 8; k > 0; k--) {
			time = time << 8 | value[i + k - 1];
		}
		if (time < INT64_MAX &&
		    is_recent(w, (int64_t)(time / 10000000) - NTTIME_EPOCH)) {
			memset(value + i, 0, 8);
			hidden++;
		}
	}
	return hidden;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_attributes(struct walk *w, int fd)
{
	static uint8_t value[VALUE_MAX];
	char path[32], list[2048];
	const char *names[64];
	ssize_t length, at;
	int count = 0;
	int i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = listxattr(path, list, sizeof(list));
	if (length == -1) {
		w->error = errno;
		return;
	}
	for (at = 0; at < length && count < 64; at += strlen(list + at) + 1) {
		names[count++] = list + at;
	}
	qsort(names, (size_t)count, sizeof(*names), by_name);
	for (i = 0; i < count; i++) {
		ssize_t n;
		int hidden;

		if (strcmp(names[i], MIRROR_ID_XATTR) == 0) {
			continue;
		}
		n = getxattr(path, names[i], value, sizeof(value));
		if (n == -1) {
			w->error = errno;
			return;
		}
		hidden = hide_times(w, value, (size_t)n);
		put(w, "  %s=%zd:%08jx%s\n", names[i], n,
		    (uintmax_t)(uint32_t)fnv(FNV_START, value, (size_t)n),
		    hidden ? ",now" : "");
	}
}

static void put_content(struct walk *w, int fd)
{
	uint8_t buffer[8192];
	uint64_t hash = FNV_START;
	off_t at = 0;
	char path[32];
	ssize_t n;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file == -1) {
		w->error = errno;
		return;
	}
	while ((n = pread(file, buffer, sizeof(buffer), at)) > 0) {
		hash = fnv(hash, buffer, (size_t)n);
		at += n;
	}
	if (n == -1) {
		w->error = errno;
	}
	close(file);
	put(w, " %jd bytes %08jx", (intmax_t)at, (uintmax_t)(uint32_t)hash);
}

static void put_time(struct walk *w, const struct timespec *time)
{
	if (is_recent(w, time->tv_sec)) {
		put(w, " now");
	} else {
		put(w, " %jd.%09ld", (intmax_t)time->tv_sec, time->tv_nsec);
	}
}

/* The number of the object, in the order in which they are met. */
static int number_of(struct walk *w, int fd, ino_t inode, bool *again)
{
	struct mirror_id id;
	struct mirror_handle handle;
	int i;

	*again = true;
	for (i = 0; i < w->count; i++) {
		if (w->seen[i] == inode) {
			return i;
		}
	}
	*again = false;
	if (w->count == OBJECTS_MAX) {
		w->error = E2BIG;
		return 0;
	}
	if (mirror_id_of_fd(fd, &id, &handle, NULL) == 0) {
		for (i = 0; i < w->count; i++) {
			w->doubled |= mirror_id_equal(&id, &w->ids[i]);
		}
		w->ids[w->count] = id;
	}
	w->seen[w->count] = inode;
	return w->count++;
}

static void walk_directory(struct walk *w, int fd, const char *path);

static void put_object(struct walk *w, int directory, const char *path,
		       const char *name)
{
	struct stat st;
	bool again;
	int number;
	int fd;

	fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1) {
		w->error = errno;
		return;
	}
	number = number_of(w, fd, st.st_ino, &again);
	if (again) {
		put(w, "%s = #%d\n", path, number);
		close(fd);
		return;
	}
	put(w, "%s #%d %06o %u:%u", path, number, st.st_mode, st.st_uid,
	    st.st_gid);
	put_time(w, &st.st_mtim);
	if (S_ISREG(st.st_mode)) {
		put(w, " %u names", (unsigned int)st.st_nlink);
		put_content(w, fd);
	}
	put(w, "\n");
	put_attributes(w, fd);
	if (S_ISDIR(st.st_mode)) {
		walk_directory(w, fd, path);
	}
	close(fd);
}

static void walk_directory(struct walk *w, int fd, const char *path)
{
	char *names[OBJECTS_MAX];
	char below[512];
	struct dirent *entry;
	int count = 0;
	DIR *dir;
	int i;

	snprintf(below, sizeof(below), "/proc/self/fd/%d", fd);
	dir = opendir(below);
	if (dir == NULL) {
		w->error = errno;
		return;
	}
	while ((entry = readdir(dir)) != NULL && count < OBJECTS_MAX) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			names[count++] = strdup(entry->d_name);
		}
	}
	closedir(dir);
	qsort(names, (size_t)count, sizeof(*names), by_name);
	for (i = 0; i < count; i++) {
		snprintf(below, sizeof(below), "%s/%s", path, names[i]);
		put_object(w, fd, below, names[i]);
		free(names[i]);
	}
}

int tree_read(const char *path, char *text, size_t size, bool *doubled)
{
	struct walk w = {
		.text = text,
		.size = size,
		.now = time(NULL),
	};

	text[0] = '\0';
	put_object(&w, AT_FDCWD, ".", path);
	*doubled = w.doubled;
	return w.error;
}

/* ------------------------------------------------------------- difference */

static bool has_line(const char *text, const char *line, size_t length)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (n == length && memcmp(text, line, n) == 0) {
			return true;
		}
		text += n + (text[n] == '\n');
	}
	return false;
}

bool tree_between(const char *first, const char *last, const char *found)
{
	const char *at;
	size_t n;

	for (at = first; *at != '\0'; at += n + (at[n] == '\n')) {
		n = strcspn(at, "\n");
		if (!has_line(found, at, n)) {
			return false;
		}
	}
	for (at = found; *at != '\0'; at += n + (at[n] == '\n')) {
		n = strcspn(at, "\n");
		if (!has_line(first, at, n) && !has_line(last, at, n)) {
			return false;
		}
	}
	return true;
}

/* Up to the second field: a path and its number, or an attribute's name. */
static size_t key_length(const char *line)
{
	size_t n = strspn(line, " ");

	n += strcspn(line + n, " =\n");
	if (line[0] != ' ' && line[n] == ' ') {
		n += 1 + strcspn(line + n + 1, " \n");
	}
	return n;
}

bool tree_like(const char *first, const char *last, const char *like,
	       const char *found)
{
	while (*like != '\0' && *found != '\0') {
		size_t n = strcspn(like, "\n"), m = strcspn(found, "\n");
		size_t key = key_length(like);

		if (n != m || memcmp(like, found, n) != 0) {
			if (key_length(found) != key ||
			    memcmp(like, found, key) != 0 ||
			    (has_line(first, like, n) &&
			     has_line(last, like, n))) {
				return false;
			}
		}
		like += n + (like[n] == '\n');
		found += m + (found[m] == '\n');
	}
	return *like == '\0' && *found == '\0';
}

static void lines_missing(const char *from, const char *in, char sign,
			  void (*line)(char, const char *, int))
{
	while (*from != '\0') {
		size_t n = strcspn(from, "\n");

		if (!has_line(in, from, n)) {
			line(sign, from, (int)n);
		}
		from += n + (from[n] == '\n');
	}
}

void tree_difference(const char *wanted, const char *found,
		     void (*line)(char sign, const char *text, int length))
{
	lines_missing(wanted, found, '-', line);
	lines_missing(found, wanted, '+', line);
}
