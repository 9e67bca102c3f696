/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A disk whose flush takes longer than that of the machine below: loaded with
 * LD_PRELOAD into whatever flushes a volume. After a flush of anything on a
 * loop device, which the disks of the testbed are, it waits for as many
 * microseconds as DISK_FLUSH says.
 *
 * Other processes do not wait meanwhile, as if the disk had a queue; what the
 * kernel flushes by itself is as fast as ever.
 */

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOOP_MAJOR 7
#define EXPORT __attribute__((visibility("default")))

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int late(int fd, int ret)
{
	const char *text = getenv("DISK_FLUSH");
	long time = text != NULL ? atol(text) : 0;
	struct timespec left = {
		.tv_sec = time / 1000000, .tv_nsec = time % 1000000 * 1000,
	};
	struct stat st;
	int error = errno;

	if (time > 0 && fstat(fd, &st) == 0 && major(st.st_dev) == LOOP_MAJOR) {
		while (nanosleep(&left, &left) != 0 && errno == EINTR) {
		}
	}
	errno = error;
	return ret;
}

EXPORT int fsync(int fd)
{
	return late(fd, NEXT(fsync)(fd));
}

EXPORT int fdatasync(int fd)
{
	return late(fd, NEXT(fdatasync)(fd));
}

EXPORT int syncfs(int fd)
{
	return late(fd, NEXT(syncfs)(fd));
}
