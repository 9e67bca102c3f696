/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file system: an image on a tmpfs, a pristine copy of it for every
 * batch, and its power cut (see driver.h).
 */

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "driver.h"

/* _IOR('X', 125, u32): shut down; 2 = and do not write the log. */
#define FS_SHUTDOWN 0x8004587dUL
#define FS_SHUTDOWN_NOLOGFLUSH 2

#define LONG_AGO 946684800	/* 2000-01-01 */

struct disk {
	const char *type;
	const char *mount;
	const char *pristine;
	const char *image;
	const char *options;
};

/* ---------------------------------------------------------- what is there */

static void make_file(int directory, const char *name, size_t size,
		      uint8_t seed)
{
	uint8_t bytes[8192];
	size_t i;
	int fd;

	fd = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd == -1) {
		die("%s: %s", name, strerror(errno));
	}
	for (i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(seed + i * 3 + i / 253);
	}
	if (write(fd, bytes, size) != (ssize_t)size) {
		die("%s: %s", name, strerror(errno));
	}
	if (name[0] == 'a' &&
	    fsetxattr(fd, "user.before", "base", 4, 0) == -1) {
		die("%s: %s", name, strerror(errno));
	}
	/* As streams_xattr keeps a stream: with a zero at its end. */
	if (name[0] == 'b' &&
	    fsetxattr(fd, "user.DosStream.s:$DATA", "stream", 7, 0) == -1) {
		die("%s: %s", name, strerror(errno));
	}
	close(fd);
}

static void set_old(int directory, const char *name)
{
	const struct timespec times[2] = {
		{ .tv_sec = LONG_AGO }, { .tv_sec = LONG_AGO }
	};

	if (utimensat(directory, name, times, 0) == -1) {
		die("%s: %s", name, strerror(errno));
	}
}

static void make_case(const char *path)
{
	static const char *const all[] = { "d/x", "a", "b", "d", "e", "." };
	size_t i;
	int fd;

	if (mkdir(path, 0755) == -1) {
		die("%s: %s", path, strerror(errno));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd == -1 || mkdirat(fd, "d", 0755) == -1 ||
	    mkdirat(fd, "e", 0755) == -1) {
		die("%s: %s", path, strerror(errno));
	}
	make_file(fd, "a", 6000, 11);
	make_file(fd, "b", 300, 12);
	make_file(fd, "d/x", 4096, 13);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		set_old(fd, all[i]);
	}
	close(fd);
}

static void make_tree(struct disk *disk, uint32_t cases)
{
	char path[128];
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		snprintf(path, sizeof(path), "%s/v%u", disk->mount, i);
		if (mkdir(path, 0755) == -1) {
			die("%s: %s", path, strerror(errno));
		}
	}
	for (i = 0; i < cases; i++) {
		snprintf(path, sizeof(path), "%s/v%u/c%u", disk->mount,
			 i % VOLUMES, i);
		make_case(path);
	}
}

/* ----------------------------------------------------------- mount and cut */

struct disk *disk_new(TALLOC_CTX *mem_ctx, const char *type,
		      const char *directory, const char *mount,
		      uint32_t cases)
{
	struct disk *disk = talloc_zero(mem_ctx, struct disk);

	disk->type = type;
	disk->mount = mount;
	disk->pristine = talloc_asprintf(disk, "%s/pristine", directory);
	disk->image = talloc_asprintf(disk, "%s/image", directory);
	if (strcmp(type, "ext4") == 0) {
		/* Nothing may be committed but by syncfs. */
		disk->options = "loop,noatime,commit=1000";
		run_command("truncate -s 96M %s", disk->image);
		run_command("mkfs.ext4 -q -F -I 512 -J size=16 "
			    "-E lazy_itable_init=0,nodiscard %s",
			    disk->image);
	} else {
		disk->options = "loop,noatime,nouuid";
		run_command("truncate -s 320M %s", disk->image);
		run_command("mkfs.xfs -q -f %s", disk->image);
		run_command("echo 720000 >/proc/sys/fs/xfs/"
			    "xfssyncd_centisecs");
	}
	disk_mount(disk);
	make_tree(disk, cases);
	disk_unmount(disk);
	run_command("mv %s %s", disk->image, disk->pristine);
	return disk;
}

void disk_mount(struct disk *disk)
{
	run_command("mount -t %s -o %s %s %s", disk->type, disk->options,
		    disk->image, disk->mount);
}

void disk_unmount(struct disk *disk)
{
	int tries;

	for (tries = 0; umount2(disk->mount, 0) == -1; tries++) {
		if (errno != EBUSY || tries == 1000) {
			die("umount %s: %s", disk->mount, strerror(errno));
		}
		usleep(2000);
	}
}

void disk_fresh(struct disk *disk)
{
	run_command("cp --sparse=always %s %s", disk->pristine, disk->image);
	disk_mount(disk);
}

void disk_cut(struct disk *disk)
{
	uint32_t how = FS_SHUTDOWN_NOLOGFLUSH;
	int fd = open(disk->mount, O_RDONLY | O_DIRECTORY);

	if (fd == -1 || ioctl(fd, FS_SHUTDOWN, &how) == -1) {
		die("cannot shut %s down: %s", disk->mount, strerror(errno));
	}
	close(fd);
}

void disk_sync(struct disk *disk)
{
	int fd = open(disk->mount, O_RDONLY | O_DIRECTORY);

	if (fd == -1 || syncfs(fd) == -1) {
		die("syncfs %s: %s", disk->mount, strerror(errno));
	}
	close(fd);
}
