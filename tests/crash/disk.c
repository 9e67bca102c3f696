/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file systems: images on a tmpfs, a pristine copy for every batch, and
 * their power cut (see driver.h).
 */

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "driver.h"
#include "start_tree.h"

/* _IOR('X', 125, u32): shut down; 2 = and do not write the log. */
#define FS_SHUTDOWN 0x8004587dUL
#define FS_SHUTDOWN_NOLOGFLUSH 2

struct disk {
	const char *type;
	const char *options;
	const char *pristine;
	uint32_t count;		/* file systems */
	uint32_t used;		/* of these by this batch */
	const char *mounts[VOLUMES];
	const char *images[VOLUMES];
};

static void make_volume(const char *path, uint32_t first, uint32_t step)
{
	char name[160];
	uint32_t i;

	if (mkdir(path, 0755) == -1 && errno != EEXIST) {
		die("%s: %s", path, strerror(errno));
	}
	for (i = first; i < BATCH; i += step) {
		snprintf(name, sizeof(name), "%s/c%u", path, i);
		start_tree_make(name);
	}
}

/* ----------------------------------------------------------- mount and cut */

static void make_file_system(struct disk *disk, const char *image, bool small)
{
	if (strcmp(disk->type, "ext4") == 0) {
		/* Nothing may be committed but by syncfs or fsync. */
		disk->options = "loop,noatime,commit=1000";
		run_command("truncate -s %s %s", small ? "24M" : "96M", image);
		run_command("mkfs.ext4 -q -F -I 512 -J size=%u "
			    "-E lazy_itable_init=0,nodiscard %s",
			    small ? 4 : 16, image);
	} else {
		disk->options = "loop,noatime,nouuid";
		run_command("truncate -s 320M %s", image);
		run_command("mkfs.xfs -q -f %s", image);
		run_command("echo 720000 >/proc/sys/fs/xfs/"
			    "xfssyncd_centisecs");
	}
}

static void mount_one(const struct disk *disk, uint32_t i)
{
	run_command("mount -t %s -o %s %s %s", disk->type, disk->options,
		    disk->images[i], disk->mounts[i]);
}

struct disk *disk_new(TALLOC_CTX *mem_ctx, const char *type,
		      const char *directory, const char *mount, bool apart)
{
	struct disk *disk = talloc_zero(mem_ctx, struct disk);
	const char *kind = apart ? "apart" : "together";
	char path[128];
	uint32_t i;

	disk->type = type;
	disk->count = apart ? VOLUMES : 1;
	disk->pristine = talloc_asprintf(disk, "%s/%s", directory, kind);
	for (i = 0; i < disk->count; i++) {
		disk->images[i] = talloc_asprintf(disk, "%s/%s%u", directory,
						  kind, i);
		disk->mounts[i] = apart
			? talloc_asprintf(disk, "%s/v%u", mount, i)
			: talloc_strdup(disk, mount);
		mkdir(disk->mounts[i], 0755);
	}
	make_file_system(disk, disk->images[0], apart);
	mount_one(disk, 0);
	if (apart) {
		/* All are copies of this one: of each its own case counts. */
		for (i = 0; i < VOLUMES; i++) {
			make_volume(disk->mounts[0], i, BATCH);
		}
	}
	for (i = 0; i < VOLUMES && !apart; i++) {
		snprintf(path, sizeof(path), "%s/v%u", mount, i);
		make_volume(path, i, VOLUMES);
	}
	if (umount2(disk->mounts[0], 0) == -1) {
		die("umount %s: %s", disk->mounts[0], strerror(errno));
	}
	run_command("cp --sparse=always %s %s && rm %s", disk->images[0],
		    disk->pristine, disk->images[0]);
	return disk;
}

void disk_mount(struct disk *disk)
{
	uint32_t i;

	for (i = 0; i < disk->used; i++) {
		mount_one(disk, i);
	}
}

void disk_unmount(struct disk *disk)
{
	uint32_t i;

	for (i = 0; i < disk->used; i++) {
		int tries;

		for (tries = 0; umount2(disk->mounts[i], 0) == -1; tries++) {
			if (errno != EBUSY || tries == 1000) {
				die("umount %s: %s", disk->mounts[i],
				    strerror(errno));
			}
			usleep(2000);
		}
	}
}

void disk_fresh(struct disk *disk, uint32_t cases)
{
	uint32_t i;

	disk->used = cases < disk->count ? cases : disk->count;
	for (i = 0; i < disk->used; i++) {
		run_command("cp --sparse=always %s %s", disk->pristine,
			    disk->images[i]);
	}
	disk_mount(disk);
}

void disk_cut(struct disk *disk)
{
	uint32_t how = FS_SHUTDOWN_NOLOGFLUSH;
	uint32_t i;

	for (i = 0; i < disk->used; i++) {
		int fd = open(disk->mounts[i], O_RDONLY | O_DIRECTORY);

		if (fd == -1 || ioctl(fd, FS_SHUTDOWN, &how) == -1) {
			die("cannot shut %s down: %s", disk->mounts[i],
			    strerror(errno));
		}
		close(fd);
	}
}

void disk_sync(struct disk *disk)
{
	uint32_t i;

	for (i = 0; i < disk->used; i++) {
		int fd = open(disk->mounts[i], O_RDONLY | O_DIRECTORY);

		if (fd == -1 || syncfs(fd) == -1) {
			die("syncfs %s: %s", disk->mounts[i], strerror(errno));
		}
		close(fd);
	}
}
