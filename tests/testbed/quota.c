/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Users that are at their disk quota, for kernels that have no quotas: loaded
 * with LD_PRELOAD into whatever changes a volume.
 *
 * While the file QUOTA_FOLDER/VOLUME exists, nobody gets anything more of
 * QUOTA_VOLUMES/VOLUME: "blocks", "inodes", or both, as the file says. EDQUOT,
 * as dquot_alloc_space() and dquot_alloc_inode() of the kernel have it: for
 * what root owns there is no limit, and for who has CAP_SYS_RESOURCE neither.
 * What is allocated already can be written again.
 *
 * Root has that capability, also on a machine that has taken it from its root:
 * so this keeps account of it, and the kernel does not hear of it.
 */

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOP_MAJOR 7
#define EXPORT __attribute__((visibility("default")))

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* This thread, not being root, has raised CAP_SYS_RESOURCE. */
static __thread bool raised;

EXPORT long syscall(long number, ...)
{
	struct __user_cap_data_struct *data;
	long a[6], ret;
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++) {
		a[i] = va_arg(args, long);
	}
	va_end(args);
	data = (void *)a[1];
	if (number == SYS_capset) {
		raised = data[0].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
		data[0].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
		data[0].permitted &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
	}
	ret = NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_capget && ret == 0 && data != NULL) {
		data[0].permitted |= CAP_TO_MASK(CAP_SYS_RESOURCE);
	}
	if (number == SYS_setresuid && ret == 0) {
		raised = false;
	}
	return ret;
}

/* Is there none left of this on the volume where this descriptor leads? */
static bool exhausted(int fd, const char *what)
{
	const char *folder = getenv("QUOTA_FOLDER");
	const char *volumes = getenv("QUOTA_VOLUMES");
	char proc[32], path[PATH_MAX], flag[PATH_MAX], says[32] = "";
	size_t length;
	ssize_t n;
	FILE *file;

	if (folder == NULL || volumes == NULL || geteuid() == 0 || raised) {
		return false;
	}
	if (fd == AT_FDCWD) {
		strcpy(proc, "/proc/self/cwd");
	} else {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	}
	n = readlink(proc, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	length = strlen(volumes);
	if (strncmp(path, volumes, length) != 0 || path[length] != '/') {
		return false;
	}
	path[length + 1 + strcspn(path + length + 1, "/")] = '\0';
	snprintf(flag, sizeof(flag), "%.2000s%.2000s", folder, path + length);
	file = fopen(flag, "re");
	if (file == NULL) {
		return false;
	}
	if (fgets(says, sizeof(says), file) == NULL) {
		says[0] = '\0';
	}
	fclose(file);
	return strstr(says, what) != NULL;
}

static bool needs_blocks(int fd, off_t offset, size_t count)
{
	struct stat st;
	off_t at, hole;

	if (count == 0 || fstat(fd, &st) == -1 || st.st_uid == 0) {
		return false;
	}
	at = lseek(fd, 0, SEEK_CUR);
	hole = lseek(fd, offset, SEEK_HOLE);
	lseek(fd, at, SEEK_SET);
	return hole == -1 || hole < offset + (off_t)count;
}

static bool refused(bool yes)
{
	if (yes) {
		errno = EDQUOT;
	}
	return yes;
}

static bool no_blocks(int fd, off_t offset, size_t count)
{
	return refused(exhausted(fd, "blocks") &&
		       needs_blocks(fd, offset, count));
}

static bool no_inode(int fd)
{
	return refused(exhausted(fd, "inodes"));
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
	return no_blocks(fd, offset, count) ? -1 :
		NEXT(pwrite)(fd, data, count, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
	return pwrite(fd, data, count, offset);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return no_blocks(fd, offset, (size_t)length) ? -1 :
		NEXT(fallocate)(fd, mode, offset, length);
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	return fallocate(fd, mode, offset, length);
}

EXPORT int openat(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	struct stat st;
	va_list args;

	if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if ((flags & O_CREAT) != 0 && path[0] != '/' &&
	    fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT && no_inode(fd)) {
		return -1;
	}
	return NEXT(openat)(fd, path, flags, mode);
}

EXPORT int openat64(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
		mode = va_arg(args, mode_t);
	}
	va_end(args);
	return openat(fd, path, flags, mode);
}

EXPORT int mkdirat(int fd, const char *path, mode_t mode)
{
	struct stat st;

	if (path[0] != '/' &&
	    fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT && no_inode(fd)) {
		return -1;
	}
	return NEXT(mkdirat)(fd, path, mode);
}
