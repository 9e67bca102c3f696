/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Degraded mode: what a client is told is on the disk.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "mirror_share.h"

int harden_fd(int fd)
{
	return fdatasync(fd);
}

/*
 * An O_PATH descriptor cannot be synced and the user may not be allowed to
 * open the object: open it again as root. Opening a FIFO must not block.
 */
int harden_object(int fd)
{
	char path[64];
	int saved_errno;
	int again;
	int ret;

	if (fd == AT_FDCWD) {
		snprintf(path, sizeof(path), ".");
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	become_root();
	again = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unbecome_root();
	if (again == -1) {
		return -1;
	}
	ret = fsync(again);
	saved_errno = errno;
	close(again);
	errno = saved_errno;
	return ret;
}

int harden_directory(int fd)
{
	return harden_object(fd);
}
