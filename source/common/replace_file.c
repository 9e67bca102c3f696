/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file's content is replaced as a whole, see replace_file.h. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "replace_file.h"

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	/* A disk that gets full takes a part first, and says why the next
	 * time. */
	while (left > 0) {
		ssize_t n = write(fd, text, left);

		if (n == -1) {
			return errno;
		}
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int write_new(int folder, const char *name, mode_t mode, bool on_disk,
		     const char *text)
{
	int fd, ret;

	/* One that a dead process left may have another mode. */
	unlinkat(folder, name, 0);
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
		    O_NOFOLLOW, mode);
	if (fd == -1) {
		return errno;
	}
	ret = write_all(fd, text);
	if (ret == 0 && on_disk && fsync(fd) == -1) {
		ret = errno;
	}
	if (close(fd) == -1 && ret == 0) {
		ret = errno;
	}
	return ret;
}

int replace_file(const char *path, mode_t mode, bool on_disk,
		 const char *text)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	char parent[PATH_MAX] = ".", fresh[NAME_MAX + 1];
	int folder, ret;

	if (slash != NULL &&
	    snprintf(parent, sizeof(parent), "%.*s", (int)(name - path),
		     path) >= (int)sizeof(parent)) {
		return ENAMETOOLONG;
	}
	if (snprintf(fresh, sizeof(fresh), ".%s.new", name) >=
	    (int)sizeof(fresh)) {
		return ENAMETOOLONG;
	}
	folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder == -1) {
		return errno;
	}
	ret = write_new(folder, fresh, mode, on_disk, text);
	if (ret == 0 && renameat(folder, fresh, folder, name) == -1) {
		ret = errno;
	}
	if (ret != 0) {
		unlinkat(folder, fresh, 0);
	} else if (on_disk && fsync(folder) == -1) {
		ret = errno;
	}
	close(folder);
	return ret;
}
