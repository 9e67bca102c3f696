/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking a volume's disk how it is, see health.h. */

#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "health.h"

#define BLOCK 4096

/*
 * A change that cannot be made: an attribute that nobody has cannot be
 * replaced. The file system says ENODATA, after it has seen whether it could
 * change anything: EROFS when the kernel made it read-only, EIO when it was
 * shut down. Nothing is written, nothing gets to the disk by it, and no file
 * is open when somebody wants to unmount.
 */
static int probe_file_system(const char *mount_point)
{
	if (setxattr(mount_point, "trusted.samba-mirror.never", "", 0,
		     XATTR_REPLACE) == 0 || errno == ENODATA) {
		return 0;
	}
	return errno;
}

/* Past the cache: is the way to the disk open? */
static int probe_device(const char *device)
{
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *block;
	ssize_t n;
	int ret;

	if (fd == -1) {
		return errno;
	}
	if (posix_memalign(&block, BLOCK, BLOCK) != 0) {
		close(fd);
		return 0;	/* it says nothing of the disk */
	}
	n = pread(fd, block, BLOCK, 0);
	ret = n == BLOCK ? 0 : n == -1 ? errno : EIO;
	free(block);
	close(fd);
	return ret;
}

int health_probe_disk(const char *device, const char *mount_point)
{
	int ret = probe_file_system(mount_point);

	return ret != 0 || device[0] == '\0' ? ret : probe_device(device);
}
