/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See leafs.h. */

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "leafs.h"

static dev_t watched;
static __thread int inside;	/* a call that makes others */

void leafs_watch(dev_t device)
{
	watched = device;
}

static bool is_leaf_fd(int fd)
{
	struct stat st;
	int saved_errno = errno;
	bool is;

	if (watched == 0 || inside > 0) {
		return false;
	}
	if (fd == AT_FDCWD) {
		is = stat(".", &st) == 0 && st.st_dev == watched;
	} else {
		is = fstat(fd, &st) == 0 && st.st_dev == watched;
	}
	errno = saved_errno;
	return is;
}

static bool is_leaf_path(const char *path)
{
	struct stat st;
	int saved_errno = errno;
	bool is;

	is = watched != 0 && inside == 0 && stat(path, &st) == 0 &&
		st.st_dev == watched;
	errno = saved_errno;
	return is;
}

/* Where a path that may be absolute begins. */
static bool is_leaf_at(int fd, const char *path)
{
	return path[0] == '/' ? is_leaf_path(path) : is_leaf_fd(fd);
}

static void *real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL) {
		fprintf(stderr, "no %s in the C library\n", name);
		abort();
	}
	return function;
}

/* The body of a wrapper: is says whether the call counts. */
#define LEAF(type, name, is, data_fd, parameters, arguments) \
	static type (*next) parameters; \
	bool counts = (is); \
	type result; \
	int saved_errno; \
	\
	if (next == NULL) { \
		next = (type (*) parameters)real(#name); \
	} \
	if (counts && leaf_before(#name)) { \
		errno = ENOSPC; \
		return (type)-1; \
	} \
	inside += counts; \
	result = next arguments; \
	if (counts) { \
		saved_errno = errno; \
		inside--; \
		if (result != (type)-1) { \
			leaf_after(#name, data_fd); \
		} else { \
			leaf_failed(#name, saved_errno); \
		} \
		errno = saved_errno; \
	} \
	return result

#define WRAPPER __attribute__((visibility("default")))

WRAPPER int openat(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	LEAF(int, openat, (flags & O_CREAT) && is_leaf_at(fd, path), -1,
	     (int, const char *, int, ...), (fd, path, flags, mode));
}

WRAPPER int mkdirat(int fd, const char *path, mode_t mode)
{
	LEAF(int, mkdirat, is_leaf_at(fd, path), -1,
	     (int, const char *, mode_t), (fd, path, mode));
}

WRAPPER int mknodat(int fd, const char *path, mode_t mode, dev_t dev)
{
	LEAF(int, mknodat, is_leaf_at(fd, path), -1,
	     (int, const char *, mode_t, dev_t), (fd, path, mode, dev));
}

WRAPPER int symlinkat(const char *target, int fd, const char *path)
{
	LEAF(int, symlinkat, is_leaf_at(fd, path), -1,
	     (const char *, int, const char *), (target, fd, path));
}

WRAPPER int linkat(int fd, const char *path, int fd2, const char *path2,
		   int flags)
{
	LEAF(int, linkat, is_leaf_at(fd2, path2), -1,
	     (int, const char *, int, const char *, int),
	     (fd, path, fd2, path2, flags));
}

WRAPPER int unlinkat(int fd, const char *path, int flags)
{
	LEAF(int, unlinkat, is_leaf_at(fd, path), -1,
	     (int, const char *, int), (fd, path, flags));
}

WRAPPER int renameat(int fd, const char *path, int fd2, const char *path2)
{
	LEAF(int, renameat, is_leaf_at(fd, path), -1,
	     (int, const char *, int, const char *),
	     (fd, path, fd2, path2));
}

WRAPPER int renameat2(int fd, const char *path, int fd2, const char *path2,
		      unsigned int flags)
{
	LEAF(int, renameat2, is_leaf_at(fd, path), -1,
	     (int, const char *, int, const char *, unsigned int),
	     (fd, path, fd2, path2, flags));
}

WRAPPER ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
	LEAF(ssize_t, pwrite, is_leaf_fd(fd), fd,
	     (int, const void *, size_t, off_t), (fd, data, n, offset));
}

WRAPPER int ftruncate(int fd, off_t length)
{
	LEAF(int, ftruncate, is_leaf_fd(fd), fd, (int, off_t), (fd, length));
}

WRAPPER int fallocate(int fd, int mode, off_t offset, off_t length)
{
	LEAF(int, fallocate, is_leaf_fd(fd), fd, (int, int, off_t, off_t),
	     (fd, mode, offset, length));
}

/* Other than the rest it returns an errno. */
WRAPPER int posix_fallocate(int fd, off_t offset, off_t length)
{
	static int (*next)(int, off_t, off_t);
	bool counts = is_leaf_fd(fd);
	int result;

	if (next == NULL) {
		next = (int (*)(int, off_t, off_t))real("posix_fallocate");
	}
	if (counts && leaf_before("posix_fallocate")) {
		return ENOSPC;
	}
	result = next(fd, offset, length);
	if (counts && result == 0) {
		leaf_after("posix_fallocate", fd);
	} else if (counts) {
		leaf_failed("posix_fallocate", result);
	}
	return result;
}

WRAPPER ssize_t copy_file_range(int fd, off_t *offset, int fd2, off_t *offset2,
				size_t length, unsigned int flags)
{
	LEAF(ssize_t, copy_file_range, is_leaf_fd(fd2), fd2,
	     (int, off_t *, int, off_t *, size_t, unsigned int),
	     (fd, offset, fd2, offset2, length, flags));
}

WRAPPER int fsetxattr(int fd, const char *name, const void *value,
		      size_t size, int flags)
{
	LEAF(int, fsetxattr, is_leaf_fd(fd), -1,
	     (int, const char *, const void *, size_t, int),
	     (fd, name, value, size, flags));
}

WRAPPER int setxattr(const char *path, const char *name, const void *value,
		     size_t size, int flags)
{
	LEAF(int, setxattr, is_leaf_path(path), -1,
	     (const char *, const char *, const void *, size_t, int),
	     (path, name, value, size, flags));
}

WRAPPER int fremovexattr(int fd, const char *name)
{
	LEAF(int, fremovexattr, is_leaf_fd(fd), -1, (int, const char *),
	     (fd, name));
}

WRAPPER int removexattr(const char *path, const char *name)
{
	LEAF(int, removexattr, is_leaf_path(path), -1,
	     (const char *, const char *), (path, name));
}

WRAPPER int fchmod(int fd, mode_t mode)
{
	LEAF(int, fchmod, is_leaf_fd(fd), -1, (int, mode_t), (fd, mode));
}

WRAPPER int chmod(const char *path, mode_t mode)
{
	LEAF(int, chmod, is_leaf_path(path), -1, (const char *, mode_t),
	     (path, mode));
}

WRAPPER int fchown(int fd, uid_t uid, gid_t gid)
{
	LEAF(int, fchown, is_leaf_fd(fd), -1, (int, uid_t, gid_t),
	     (fd, uid, gid));
}

WRAPPER int chown(const char *path, uid_t uid, gid_t gid)
{
	LEAF(int, chown, is_leaf_path(path), -1,
	     (const char *, uid_t, gid_t), (path, uid, gid));
}

WRAPPER int fchownat(int fd, const char *path, uid_t uid, gid_t gid,
		     int flags)
{
	LEAF(int, fchownat, is_leaf_at(fd, path), -1,
	     (int, const char *, uid_t, gid_t, int),
	     (fd, path, uid, gid, flags));
}

WRAPPER int futimens(int fd, const struct timespec times[2])
{
	LEAF(int, futimens, is_leaf_fd(fd), -1,
	     (int, const struct timespec *), (fd, times));
}

WRAPPER int utimensat(int fd, const char *path,
		      const struct timespec times[2], int flags)
{
	LEAF(int, utimensat, is_leaf_at(fd, path), -1,
	     (int, const char *, const struct timespec *, int),
	     (fd, path, times, flags));
}
