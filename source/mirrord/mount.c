/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mounting and unmounting, see mount.h. */

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "child.h"
#include "mount.h"
#include "mount_cluster.h"

/* A journal is recovered meanwhile. */
#define MOUNT_MS 600000
#define UMOUNT_MS 600000
#define HOLDERS_MS 10000

/* ------------------------------------------------------------- mount table */

struct mount_line {
	unsigned int major;
	unsigned int minor;
	char *place;
	char *source;
};

/* mountinfo writes blanks and the like as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text != '\0') {
		unsigned int code;

		if (text[0] == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
			*to++ = (char)code;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /place options - type source options" */
static bool parse_line(TALLOC_CTX *mem_ctx, const char *line,
		       struct mount_line *mount)
{
	char place[4096], source[4096];
	const char *dash = strstr(line, " - ");

	if (dash == NULL ||
	    sscanf(line, "%*u %*u %u:%u %*s %4095s", &mount->major,
		   &mount->minor, place) != 3 ||
	    sscanf(dash, " - %*s %4095s", source) != 1) {
		return false;
	}
	unescape(place);
	unescape(source);
	mount->place = talloc_strdup(mem_ctx, place);
	mount->source = talloc_strdup(mem_ctx, source);
	return mount->place != NULL && mount->source != NULL;
}

static bool same_device(const struct mount_line *mount, const struct stat *st,
			const char *device)
{
	if (makedev(mount->major, mount->minor) == st->st_rdev) {
		return true;
	}
	/* File systems with device numbers of their own (btrfs). */
	return strcmp(mount->source, device) == 0;
}

int mount_look(TALLOC_CTX *mem_ctx,
	       const struct config_volume *volume,
	       enum mount_state *state,
	       char **other)
{
	TALLOC_CTX *frame = talloc_new(mem_ctx);
	char *line = NULL;
	size_t size = 0;
	struct stat st;
	FILE *file;

	*state = MOUNT_NONE;
	if (volume->cluster) {
		talloc_free(frame);
		return mount_cluster_look(mem_ctx, volume, state, other);
	}
	if (stat(volume->device, &st) == -1) {
		talloc_free(frame);
		return errno;
	}
	if (!S_ISBLK(st.st_mode)) {
		talloc_free(frame);
		return ENOTBLK;
	}
	file = fopen("/proc/self/mountinfo", "re");
	if (file == NULL) {
		talloc_free(frame);
		return errno;
	}
	while (getline(&line, &size, file) != -1) {
		struct mount_line mount;
		enum mount_state found = MOUNT_NONE;
		bool here;

		if (!parse_line(frame, line, &mount)) {
			continue;
		}
		here = strcmp(mount.place, volume->mount_point) == 0;
		if (same_device(&mount, &st, volume->device)) {
			found = here ? MOUNT_HERE : MOUNT_ELSEWHERE;
		} else if (here) {
			found = MOUNT_OTHER;
		}
		/* What was mounted last at a place is what one sees. */
		if (found != MOUNT_NONE) {
			*state = found;
			if (other != NULL) {
				TALLOC_FREE(*other);
				*other = talloc_strdup(mem_ctx, here ?
						       mount.source :
						       mount.place);
			}
		}
	}
	free(line);
	fclose(file);
	talloc_free(frame);
	return 0;
}

/* ---------------------------------------------------------------- commands */

struct tevent_req *mount_send(TALLOC_CTX *mem_ctx,
			      struct tevent_context *ev,
			      const struct config_volume *volume)
{
	const char *argv[] = {
		"mount", "-o", volume->mount_options, "--", volume->device,
		volume->mount_point, NULL
	};
	const char *plain[] = {
		"mount", "--", volume->device, volume->mount_point, NULL
	};

	return child_command_send(mem_ctx, ev,
				  volume->mount_options[0] != '\0' ? argv :
				  plain, MOUNT_MS, NULL, NULL);
}

int mount_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem)
{
	char *last = NULL;
	int ret = child_recv(req, mem_ctx, NULL, &last);

	*problem = NULL;
	if (ret != 0) {
		*problem = last != NULL ? last :
			talloc_strdup(mem_ctx, strerror(ret));
	} else {
		talloc_free(last);
	}
	return ret;
}

struct tevent_req *umount_send(TALLOC_CTX *mem_ctx,
			       struct tevent_context *ev,
			       const struct config_volume *volume)
{
	const char *argv[] = { "umount", "--", volume->mount_point, NULL };

	return child_command_send(mem_ctx, ev, argv, UMOUNT_MS, NULL, NULL);
}

int umount_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem)
{
	return mount_recv(req, mem_ctx, problem);
}

/* ----------------------------------------------------------------- holders */

static bool is_on(const char *path, dev_t device)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == device;
}

static bool holds(const char *pid, dev_t device)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	char path[600];
	struct dirent *entry;
	bool found = false;
	DIR *directory;
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, links[i]);
		if (is_on(path, device)) {
			return true;
		}
	}
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory = opendir(path);
	while (directory != NULL && !found &&
	       (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid,
			 entry->d_name);
		found = entry->d_name[0] != '.' && is_on(path, device);
	}
	if (directory != NULL) {
		closedir(directory);
	}
	return found;
}

static void process_name(const char *pid, char *name, size_t size)
{
	char path[300];
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, (int)size, file) == NULL) {
			name[0] = '\0';
		}
		name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
}

struct holders {
	struct mirrord *mirrord;
	const struct config_volume *volume;
	pid_t mirrord_pid;
};

static int holders_in_child(int out, void *private_data)
{
	const struct holders *holders = private_data;
	struct dirent *entry;
	struct stat st;
	DIR *proc;

	if (stat(holders->volume->mount_point, &st) == -1) {
		return errno;
	}
	proc = opendir("/proc");
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		pid_t pid = atoi(entry->d_name);
		char name[64];

		if (pid <= 0 || pid == getpid() ||
		    pid == holders->mirrord_pid ||
		    !holds(entry->d_name, st.st_dev)) {
			continue;
		}
		process_name(entry->d_name, name, sizeof(name));
		if (strncmp(name, "smbd", 4) == 0 ||
		    strncmp(name, "rpcd", 4) == 0 ||
		    strncmp(name, "samba-dcerpcd", 13) == 0) {
			kill(pid, SIGKILL);
			dprintf(out, "%s (%d): ended\n", name, (int)pid);
		} else {
			dprintf(out, "%s (%d)\n", name, (int)pid);
		}
	}
	if (proc != NULL) {
		closedir(proc);
	}
	return 0;
}

static void holder_line(const char *line, void *private_data)
{
	const struct holders *holders = private_data;

	event_log_once(EVENT_RELEASE_FAILED, line, "volume %s is kept busy by "
		       "%s", holders->volume->name, line);
}

static void holders_done(struct tevent_req *req)
{
	struct holders *holders = tevent_req_callback_data(req,
							   struct holders);

	child_recv(req, holders, NULL, NULL);
	talloc_free(holders);
}

void mount_end_holders(struct mirrord *mirrord,
		       const struct config_volume *volume)
{
	struct holders *holders = talloc_zero(mirrord, struct holders);
	struct tevent_req *req;

	if (holders == NULL) {
		return;
	}
	if (volume->cluster) {
		/* Others may be on the same file system. */
		req = mount_free_send(holders, mirrord, volume, true);
		if (req == NULL) {
			talloc_free(holders);
			return;
		}
		tevent_req_set_callback(req, holders_done, holders);
		return;
	}
	holders->mirrord = mirrord;
	holders->volume = volume;
	holders->mirrord_pid = getpid();
	req = child_function_send(holders, mirrord->ev, holders_in_child,
				  holders, HOLDERS_MS, holder_line, holders);
	if (req == NULL) {
		talloc_free(holders);
		return;
	}
	tevent_req_set_callback(req, holders_done, holders);
}
