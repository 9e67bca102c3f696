/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which disk a volume was on, see known_disk.h. */

#include <sys/stat.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "../common/replace_file.h"
#include "child.h"
#include "facts.h"
#include "job.h"
#include "known_disk.h"

/* A disk that does not answer for so long is mount's affair. */
#define LOOK_MS 10000

/* ------------------------------------------------------------ what is kept */

char *known_disk_kept(TALLOC_CTX *mem_ctx, const char *folder,
		      const struct config_volume *volume)
{
	char *path = talloc_asprintf(mem_ctx, "%s/%s", folder, volume->name);
	char text[KNOWN_DISK_SIZE + PATH_MAX] = "";
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	char *kept = NULL;
	char *device;

	talloc_free(path);
	if (file == NULL) {
		return NULL;
	}
	if (fgets(text, sizeof(text), file) != NULL) {
		text[strcspn(text, "\n")] = '\0';
	}
	device = strchr(text, ' ');
	if (device != NULL && strcmp(device + 1, volume->device) == 0) {
		kept = talloc_strndup(mem_ctx, text, (size_t)(device - text));
	}
	fclose(file);
	return kept;
}

int known_disk_keep(const char *folder, const char *volume,
		    const char *device, const char *id)
{
	char *path = talloc_asprintf(NULL, "%s/%s", folder, volume);
	char *line = talloc_asprintf(path, "%s %s\n", id, device);
	int ret = ENOMEM;

	if (line != NULL) {
		ret = mkdir(folder, 0700) == -1 && errno != EEXIST ? errno :
			replace_file(path, 0600, true, line);
	}
	talloc_free(path);
	return ret;
}

struct keep {
	char volume[NAME_MAX + 1];
	char device[PATH_MAX];
	char id[KNOWN_DISK_SIZE];
};

/* In a thread. */
static int keep_job(void *argument)
{
	const struct keep *keep = argument;

	(void)!mkdir(EVENT_FILE_KEPT_DIRECTORY, 0700);
	return known_disk_keep(KNOWN_DISK_FOLDER, keep->volume, keep->device,
			       keep->id);
}

static void kept(struct tevent_req *req)
{
	int ret = job_recv(req);

	talloc_free(req);
	if (ret != 0) {
		event_log_once(EVENT_DISK_NOT_KEPT, "", "cannot write below "
			       KNOWN_DISK_FOLDER ": %s", strerror(ret));
	}
}

void known_disk_keep_later(struct mirrord *mirrord,
			   const struct config_volume *volume, const char *id)
{
	struct keep keep;
	struct tevent_req *req;

	memset(&keep, 0, sizeof(keep));
	snprintf(keep.volume, sizeof(keep.volume), "%s", volume->name);
	snprintf(keep.device, sizeof(keep.device), "%s", volume->device);
	snprintf(keep.id, sizeof(keep.id), "%s", id);
	req = job_send(mirrord, mirrord->ev, keep_job, &keep, sizeof(keep));
	if (req != NULL) {
		tevent_req_set_callback(req, kept, NULL);
	}
}

/* -------------------------------------------------------------------- look */

struct look {
	const struct config_volume *volume;
};

/* "ID KEPT", of which the second may be missing; a disk may hang. */
static int look_in_child(int out, void *private_data)
{
	const struct look *look = private_data;
	const struct config_volume *volume = look->volume;
	char *problem, *id, *known;

	child_close_sockets(-1);
	child_close_directories();
	id = facts_device(NULL, volume->device, &problem);
	/* Mount says what is wrong with it, and knows more file systems. */
	if (id == NULL || strchr(id, ':') == NULL) {
		return 0;
	}
	known = known_disk_kept(NULL, KNOWN_DISK_FOLDER, volume);
	dprintf(out, "%s %s\n", id, known != NULL ? known : "");
	return 0;
}

struct tevent_req *known_disk_look_send(TALLOC_CTX *mem_ctx,
					struct tevent_context *ev,
					const struct config_volume *volume)
{
	struct look *look = talloc_zero(mem_ctx, struct look);
	struct tevent_req *req;

	if (look == NULL) {
		return NULL;
	}
	look->volume = volume;
	req = child_function_send(mem_ctx, ev, look_in_child, look, LOOK_MS,
				  NULL, NULL);
	talloc_free(look);	/* the child has a copy */
	return req;
}

void known_disk_look_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			  const struct config_volume *volume,
			  char **id, char **problem)
{
	char now[KNOWN_DISK_SIZE], known[KNOWN_DISK_SIZE];
	char *line = NULL;
	int n;

	*id = NULL;
	*problem = NULL;
	if (child_recv(req, mem_ctx, NULL, &line) != 0 || line == NULL) {
		talloc_free(line);
		return;
	}
	n = sscanf(line, "%63s %63s", now, known);
	talloc_free(line);
	if (n == 2 && strcmp(now, known) == 0) {
		return;
	}
	if (n == 2) {
		*problem = talloc_asprintf(
			mem_ctx, "%s is another disk: %s, and the volume was "
			"on %s. Use a name that stays (/dev/disk/by-id/...); "
			"if the disk was replaced on purpose: rm %s/%s",
			volume->device, now, known, KNOWN_DISK_FOLDER,
			volume->name);
	} else if (n == 1) {
		*id = talloc_strdup(mem_ctx, now);
	}
}
