/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Volumes of a cluster file system, see mount_cluster.h. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "child.h"
#include "job.h"
#include "label.h"
#include "mount_cluster.h"

#define FREE_MS 10000

/* ------------------------------------------------------------- is it there? */

/* syncfs() has to mean that the operations are stable (R8), and labels are
 * trusted attributes. */
static const char *unfit_type(const char *type)
{
	if (strncmp(type, "fuse", 4) == 0) {
		return "is mounted by FUSE, where syncfs() does not reach the "
			"servers: use the kernel's client of this file system";
	}
	if (strncmp(type, "nfs", 3) == 0) {
		return "is NFS, which keeps no trusted attributes";
	}
	return NULL;
}

/* "36 35 98:0 /root /place options - type source options": is it of this
 * place? mountinfo writes blanks and the like as \ooo. */
static bool line_is_of(const char *line, const char *place, char type[64])
{
	const char *dash = strstr(line, " - ");
	char there[4096];
	const char *from = there;

	if (dash == NULL ||
	    sscanf(line, "%*u %*u %*s %*s %4095s", there) != 1 ||
	    sscanf(dash, " - %63s", type) != 1) {
		return false;
	}
	for (; *from != '\0' && *place != '\0'; place++) {
		unsigned int code = (unsigned char)*from;

		if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
			from += 4;
		} else {
			from++;
		}
		if (code != (unsigned char)*place) {
			return false;
		}
	}
	return *from == '\0' && *place == '\0';
}

/* The kernel's table alone: the file system itself may not answer just now. */
int mount_cluster_look(TALLOC_CTX *mem_ctx,
		       const struct config_volume *volume,
		       enum mount_state *state,
		       char **other)
{
	const char *why = "nothing is mounted there; mount the cluster file "
		"system on this node (mirrord does not, for kind = cluster)";
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	char type[64];

	*state = MOUNT_UNFIT;
	if (file == NULL) {
		return errno;
	}
	while (getline(&line, &size, file) != -1) {
		if (line_is_of(line, volume->mount_point, type)) {
			why = unfit_type(type);
		}
	}
	free(line);
	fclose(file);
	if (why == NULL) {
		*state = MOUNT_HERE;
	} else if (other != NULL) {
		TALLOC_FREE(*other);
		*other = talloc_strdup(mem_ctx, why);
	}
	return 0;
}

struct answer_job {
	char mount_point[4096];
};

static int answer_run(void *argument)
{
	const struct answer_job *job = argument;
	struct label label;
	int fd, ret;

	fd = open(job->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		return errno;
	}
	ret = label_read(fd, &label);
	close(fd);
	return ret;
}

struct tevent_req *mount_answer_send(TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     const struct config_volume *volume)
{
	struct answer_job job;

	snprintf(job.mount_point, sizeof(job.mount_point), "%s",
		 volume->mount_point);
	return job_send(mem_ctx, ev, answer_run, &job, sizeof(job));
}

int mount_answer_recv(struct tevent_req *req)
{
	return job_recv(req);
}

/* ---------------------------------------------------------- who has files? */

struct free_work {
	const char *mount_point;
	bool end;
};

/* The kernel names a file by the path it has in our mount namespace. Other
 * volumes may be on the same file system, so its device says nothing. */
static bool is_below(const char *link, const char *mount_point)
{
	size_t length = strlen(mount_point);
	char path[4096];
	ssize_t n = readlink(link, path, sizeof(path) - 1);

	if (n < 0) {
		return false;
	}
	path[n] = '\0';
	return strncmp(path, mount_point, length) == 0 &&
		(path[length] == '\0' || path[length] == '/');
}

static bool has_files(const char *pid, const char *mount_point)
{
	char path[600];
	struct dirent *entry;
	bool found;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%s/cwd", pid);
	found = is_below(path, mount_point);
	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory = found ? NULL : opendir(path);
	while (directory != NULL && !found &&
	       (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid,
			 entry->d_name);
		found = entry->d_name[0] != '.' &&
			is_below(path, mount_point);
	}
	if (directory != NULL) {
		closedir(directory);
	}
	return found;
}

static bool is_samba(const char *pid)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof(name), file) == NULL) {
			name[0] = '\0';
		}
		fclose(file);
	}
	return strncmp(name, "smbd", 4) == 0 ||
		strncmp(name, "rpcd", 4) == 0 ||
		strncmp(name, "samba-dcerpcd", 13) == 0;
}

static int free_in_child(int out, void *private_data)
{
	const struct free_work *work = private_data;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int ret = 0;

	if (proc == NULL) {
		return errno;
	}
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || !is_samba(entry->d_name) ||
		    !has_files(entry->d_name, work->mount_point)) {
			continue;
		}
		ret = EBUSY;
		if (work->end) {
			kill(pid, SIGKILL);
		}
	}
	closedir(proc);
	return ret;
}

struct tevent_req *mount_free_send(TALLOC_CTX *mem_ctx,
				   struct mirrord *mirrord,
				   const struct config_volume *volume,
				   bool end)
{
	struct free_work *work = talloc_zero(mem_ctx, struct free_work);
	struct tevent_req *req;

	if (work == NULL) {
		return NULL;
	}
	work->mount_point = volume->mount_point;
	work->end = end;
	req = child_function_send(mem_ctx, mirrord->ev, free_in_child, work,
				  FREE_MS, NULL, NULL);
	if (req == NULL) {
		talloc_free(work);
		return NULL;
	}
	talloc_steal(req, work);
	return req;
}

int mount_free_recv(struct tevent_req *req)
{
	return child_recv(req, NULL, NULL, NULL);
}
