/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Carries events from the tmpfs to the disk, see notify_keep.h. */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "notify_keep.h"

#define CHUNK 65536
#define CURSOR_SIZE 64
/* What was carried is given back to the system in pieces of this size. */
#define PUNCH_SIZE 65536

static void cursor_load(struct notify_keep *keep)
{
	int fd = open(keep->cursor_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[CURSOR_SIZE + 1] = "";
	long long kept = 0, told = 0;

	if (fd != -1) {
		if (read(fd, buf, CURSOR_SIZE) > 0) {
			sscanf(buf, "%lld %lld", &kept, &told);
		}
		close(fd);
	}
	keep->kept = kept;
	keep->told = told;
}

static void cursor_save(const struct notify_keep *keep)
{
	int fd = open(keep->cursor_path, O_WRONLY | O_CREAT | O_CLOEXEC |
		      O_NOFOLLOW, 0600);
	char buf[CURSOR_SIZE + 1];

	if (fd == -1) {
		return;
	}
	/* One write of a size that does not change: old or new. */
	snprintf(buf, sizeof(buf), "%-30lld %-32lld\n", (long long)keep->kept,
		 (long long)keep->told);
	if (write(fd, buf, CURSOR_SIZE) != CURSOR_SIZE) {
		/* Events are told twice then. */
		unlink(keep->cursor_path);
	}
	close(fd);
}

int notify_keep_open(struct notify_keep *keep, const char *fresh_path,
		     const char *kept_path, const char *cursor_path)
{
	*keep = (struct notify_keep){
		.fresh_path = fresh_path,
		.kept_path = kept_path,
		.cursor_path = cursor_path,
	};
	keep->fd = event_file_open(fresh_path);
	if (keep->fd == -1) {
		return errno;
	}
	cursor_load(keep);
	return 0;
}

/* Somebody may have removed or emptied the file. */
static int follow_file(struct notify_keep *keep)
{
	struct stat ours, there;
	off_t end;

	if (fstat(keep->fd, &ours) == -1) {
		return errno;
	}
	if (stat(keep->fresh_path, &there) == -1 ||
	    there.st_ino != ours.st_ino || there.st_dev != ours.st_dev) {
		int fd = event_file_open(keep->fresh_path);

		if (fd == -1) {
			return errno;
		}
		close(keep->fd);
		keep->fd = fd;
		keep->kept = keep->told = 0;
	}
	end = lseek(keep->fd, 0, SEEK_END);
	if (keep->kept > end || keep->told > end) {
		keep->kept = keep->told = event_file_begin(keep->fd);
	}
	return 0;
}

/* The kept file becomes the one before. */
static int rotate(const struct notify_keep *keep)
{
	char *before = talloc_asprintf(NULL, "%s.1", keep->kept_path);
	int ret = 0;

	if (before == NULL) {
		return ENOMEM;
	}
	if (rename(keep->kept_path, before) == -1) {
		ret = errno;
	}
	talloc_free(before);
	return ret;
}

static int append(const struct notify_keep *keep, const char *data,
		  size_t length)
{
	int fd = event_file_open(keep->kept_path);
	ssize_t written;
	struct stat st;
	int ret = 0;

	if (fd == -1) {
		return errno;
	}
	if (fstat(fd, &st) == 0 && st.st_size > NOTIFY_KEEP_MAX) {
		close(fd);
		ret = rotate(keep);
		return ret != 0 ? ret : EAGAIN;
	}
	written = write(fd, data, length);
	if (written != (ssize_t)length) {
		/* A disk that is full: no half line. */
		ret = written == -1 ? errno : ENOSPC;
		if (written > 0 && ftruncate(fd, st.st_size) == -1) {
			ret = errno;
		}
	} else {
		fdatasync(fd);
	}
	close(fd);
	return ret;
}

static void give_back(struct notify_keep *keep)
{
	off_t done = keep->kept < keep->told ? keep->kept : keep->told;
	off_t begin = event_file_begin(keep->fd);

	if (done - begin >= PUNCH_SIZE) {
		/* Offsets stay, and no line that comes meanwhile is lost, as
		 * it would be if the file were cut off. */
		if (fallocate(keep->fd, FALLOC_FL_PUNCH_HOLE |
			      FALLOC_FL_KEEP_SIZE, 0, done) == -1) {
			return;
		}
	}
}

int notify_keep_step(struct notify_keep *keep)
{
	char buf[CHUNK];
	int ret = follow_file(keep);

	while (ret == 0) {
		ssize_t n = pread(keep->fd, buf, sizeof(buf), keep->kept);
		size_t skip = 0;
		const char *end;

		if (n <= 0) {
			break;
		}
		while (skip < (size_t)n && buf[skip] == '\0') {
			skip++;
		}
		end = memrchr(buf + skip, '\n', (size_t)n - skip);
		if (end == NULL) {
			keep->kept += (off_t)skip;
			break;
		}
		ret = append(keep, buf + skip, (size_t)(end + 1 - buf) - skip);
		if (ret == EAGAIN) {
			ret = 0;
			continue;
		}
		if (ret == 0) {
			keep->kept += end + 1 - buf;
			cursor_save(keep);
		}
	}
	give_back(keep);
	return ret;
}

char *notify_keep_next(struct notify_keep *keep, TALLOC_CTX *mem_ctx,
		       off_t *end)
{
	char buf[2 * EVENT_FILE_LINE_MAX];
	off_t begin = event_file_begin(keep->fd);
	const char *newline;
	size_t skip = 0;
	ssize_t n;

	if (keep->told < begin) {
		keep->told = begin;
	}
	n = pread(keep->fd, buf, sizeof(buf), keep->told);
	if (n <= 0) {
		return NULL;
	}
	while (skip < (size_t)n && buf[skip] == '\0') {
		skip++;
	}
	newline = memchr(buf + skip, '\n', (size_t)n - skip);
	if (newline == NULL) {
		/* No line is so long: this is none. */
		if (skip != 0 || n == (ssize_t)sizeof(buf)) {
			keep->told += skip != 0 ? (off_t)skip : (off_t)n;
		}
		return NULL;
	}
	*end = keep->told + (newline + 1 - buf);
	return talloc_strndup(mem_ctx, buf + skip,
			      (size_t)(newline - buf) - skip);
}

void notify_keep_told(struct notify_keep *keep, off_t end)
{
	keep->told = end;
	cursor_save(keep);
}
