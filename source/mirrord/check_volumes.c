/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the service's volumes be mounted here? See check.h. */

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check.h"
#include "facts.h"
#include "known_disk.h"
#include "mount.h"

static bool is_owner(const struct check *check)
{
	return check->owner != -1 && (uint32_t)check->owner == check->own;
}

static void check_device(struct check *check,
			 const struct config_volume *volume)
{
	char *problem, *id, *known;
	struct stat st;

	if (stat(volume->device, &st) == -1 || !S_ISBLK(st.st_mode)) {
		check_found(check, CHECK_DEVICE_MISSING, "volume %s: %s is no "
			    "disk of this node", volume->name, volume->device);
		return;
	}
	id = facts_device(check->ctx, volume->device, &problem);
	if (id == NULL) {
		check_found(check, CHECK_DEVICE_UNREADABLE, "volume %s: %s: %s",
			    volume->name, volume->device, problem);
		return;
	}
	known = known_disk_kept(check->ctx, KNOWN_DISK_FOLDER, volume);
	if (known != NULL && strcmp(id, known) != 0) {
		check_found(check, CHECK_DEVICE_CHANGED, "volume %s: %s is %s, "
			    "and this node had it on %s", volume->name,
			    volume->device, id, known);
	}
}

static bool is_empty(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	bool empty = true;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0) {
			empty = false;
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
	return empty;
}

static void check_mount_point(struct check *check,
			      const struct config_volume *volume)
{
	enum mount_state state = MOUNT_NONE;
	char *other = NULL;
	struct stat st;

	if (stat(volume->mount_point, &st) == -1 || !S_ISDIR(st.st_mode)) {
		check_found(check, CHECK_MOUNT_POINT_MISSING, "volume %s: %s "
			    "is no folder of this node", volume->name,
			    volume->mount_point);
		return;
	}
	if (is_owner(check) ||
	    mount_look(check->ctx, volume, &state, &other) != 0) {
		return;
	}
	if (state == MOUNT_OTHER) {
		check_found(check, CHECK_MOUNT_POINT_IN_USE, "volume %s: %s is "
			    "mounted on %s", volume->name, other,
			    volume->mount_point);
	} else if (state != MOUNT_NONE) {
		check_found(check, CHECK_MOUNTED_ELSEWHERE, "volume %s: this "
			    "node does not serve it, and has it mounted on %s",
			    volume->name, state == MOUNT_HERE ?
			    volume->mount_point : other);
	} else if (!is_empty(volume->mount_point)) {
		check_found(check, CHECK_MOUNT_POINT_NOT_EMPTY, "volume %s: "
			    "there are files in %s, below which it is mounted",
			    volume->name, volume->mount_point);
	}
}

static void check_fstab(struct check *check,
			const struct config_volume *volume)
{
	FILE *file = fopen("/etc/fstab", "re");
	char *line = NULL;
	size_t size = 0;

	while (file != NULL && getline(&line, &size, file) != -1) {
		char source[4096], place[4096];

		if (sscanf(line, "%4095s %4095s", source, place) == 2 &&
		    source[0] != '#' &&
		    (strcmp(source, volume->device) == 0 ||
		     strcmp(place, volume->mount_point) == 0)) {
			check_found(check, CHECK_IN_FSTAB, "volume %s: %s on "
				    "%s", volume->name, source, place);
			break;
		}
	}
	free(line);
	if (file != NULL) {
		fclose(file);
	}
}

static bool kernel_knows(struct check *check, const char *name)
{
	const char *list = check_command(check, "cat /proc/filesystems");
	const char *at = list;

	while (at != NULL && (at = strstr(at, name)) != NULL) {
		if (at > list && at[-1] == '\t' && at[strlen(name)] == '\n') {
			return true;
		}
		at++;
	}
	return check_command(check, talloc_asprintf(
		check->ctx, "modprobe -n -q %s", name)) != NULL;
}

static void check_file_system(struct check *check,
			      const struct config_volume *volume)
{
	char *problem;
	char *id = facts_device(check->ctx, volume->device, &problem);

	if (id == NULL || strchr(id, ':') == NULL) {
		return;
	}
	*strchr(id, ':') = '\0';
	if (!kernel_knows(check, id)) {
		check_found(check, CHECK_FILE_SYSTEM_UNKNOWN, "volume %s: the "
			    "kernel does not know %s", volume->name, id);
	}
}

/* Its own cluster file system mounts it, on every node. */
static void check_cluster(struct check *check,
			  const struct config_volume *volume)
{
	enum mount_state state = MOUNT_NONE;
	char *other = NULL;
	int ret = mount_look(check->ctx, volume, &state, &other);

	if (ret != 0 || (state != MOUNT_HERE && state != MOUNT_NONE)) {
		check_found(check, CHECK_CLUSTER_VOLUME_UNFIT, "volume %s: %s",
			    volume->name, ret != 0 ? strerror(ret) :
			    other != NULL ? other : "it cannot be used");
	} else if (state == MOUNT_NONE) {
		check_found(check, CHECK_CLUSTER_VOLUME_UNFIT, "volume %s: "
			    "nothing is mounted on %s", volume->name,
			    volume->mount_point);
	}
}

void check_volumes(struct check *check)
{
	struct config_volume **v;

	for (v = check->service->volumes; *v != NULL; v++) {
		if ((*v)->cluster) {
			check_cluster(check, *v);
			continue;
		}
		check_device(check, *v);
		check_mount_point(check, *v);
		check_fstab(check, *v);
		check_file_system(check, *v);
	}
}

void check_equal_devices(struct check *check)
{
	const json_t *own = json_object_get(check->facts[check->own],
					    "devices");
	struct config_volume **v;
	uint32_t node;

	for (v = check->service->volumes; *v != NULL; v++) {
		const char *here = check_text(own, (*v)->name);

		for (node = 0; node < check->nodes->count; node++) {
			const char *there = check_text(json_object_get(
				check->facts[node], "devices"), (*v)->name);

			if (node != check->own && here[0] != '\0' &&
			    there[0] != '\0' && strcmp(here, there) != 0) {
				check_found(check, CHECK_DEVICE_DIFFERS,
					    "volume %s: %s is %s here and %s "
					    "on node %u", (*v)->name,
					    (*v)->device, here, there, node);
			}
		}
	}
}
