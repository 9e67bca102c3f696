/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is this node well? See health.h. */

#include <sys/statvfs.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "health.h"
#include "job.h"
#include "owner.h"
#include "service.h"

#define LOOK_MS 1000
#define PROBE_MS 5000		/* between two questions to a disk */
/* In a row: a single one may be that of a path that multipath is about to
 * leave. */
#define PROBE_FAILURES 2
#define STALL_MS 10000
#define LAG_MS 60000
#define LEASE_MS 10000
#define MEMORY_MS 30000
#define CLOCK_STEP_MS 1000

/* Of a volume, or of the node. */
struct trouble {
	bool told;
	uint64_t since;		/* ms; 0: it is not there */
};

enum volume_trouble {
	READ_ONLY, IO_ERROR, STALLS, LAG, LEASE, VOLUME_TROUBLE_END
};

/* How long it lasts until it is told, and what is told then. */
static const struct {
	uint64_t patience_ms;
	enum event_id event;
	bool unhealthy;
	const char *text;
} volume_troubles[VOLUME_TROUBLE_END] = {
	[READ_ONLY] = { 0, EVENT_VOLUME_READ_ONLY, true,
		"the kernel made it read-only" },
	[IO_ERROR] = { 0, EVENT_VOLUME_IO_ERROR, true,
		"its disk answers with errors" },
	[STALLS] = { STALL_MS, EVENT_VOLUME_STALLS, false,
		"its disk has not answered for 10 s" },
	[LAG] = { LAG_MS, EVENT_LAG_HIGH, false,
		"changes have waited for its disk for 60 s" },
	[LEASE] = { LEASE_MS, EVENT_LEASE_MISSED, false,
		"no lease for 10 s: clients wait" },
};

struct health_volume {
	struct health *health;
	struct service_volume *volume;
	struct trouble trouble[VOLUME_TROUBLE_END];
	struct tevent_req *probe;
	uint64_t probed_at;	/* ms, when it was asked */
	uint32_t failures;	/* in a row */
	int error;		/* the last */
};

struct health {
	struct mirrord *mirrord;
	struct timer *timer;
	struct health_volume **volumes;	/* talloc array */
	int64_t clock_offset_ms;	/* wall clock, seen from the other */
	struct trouble memory;
	uint64_t memory_looked_at;
	uint64_t memory_lacks;		/* MiB */
};

/* -------------------------------------------------------------- volumes */

static void volume_trouble(struct health_volume *v, enum volume_trouble which,
			   bool there)
{
	struct trouble *trouble = &v->trouble[which];
	const char *name = v->volume->config->name;
	uint64_t now = service_now();

	if (!there) {
		if (trouble->told) {
			event_log(EVENT_TROUBLE_OVER, "volume %s: no more: %s",
				  name, volume_troubles[which].text);
		}
		*trouble = (struct trouble){ .told = false };
		return;
	}
	if (trouble->since == 0) {
		trouble->since = now;
	}
	if (!trouble->told &&
	    now - trouble->since >= volume_troubles[which].patience_ms) {
		trouble->told = true;
		event_log(volume_troubles[which].event, "volume %s: %s%s%s",
			  name, volume_troubles[which].text,
			  which == IO_ERROR ? ": " : "",
			  which == IO_ERROR ? strerror(v->error) : "");
	}
}

/* The job's argument: it may not touch anything of ours. */
struct probe {
	char device[PATH_MAX];
	char mount_point[PATH_MAX];
};

static int probe_job(void *argument)
{
	const struct probe *probe = argument;

	return health_probe_disk(probe->device, probe->mount_point);
}

static void probed(struct tevent_req *req)
{
	struct health_volume *v = tevent_req_callback_data(
		req, struct health_volume);
	int ret = job_recv(req);

	TALLOC_FREE(v->probe);
	if (v->volume->state != SERVICE_OWNER) {
		return;
	}
	if (ret == 0) {
		v->failures = 0;
	} else if (ret != ENOMEM && ret != EAGAIN && ret != EMFILE) {
		v->failures++;
		v->error = ret;
	}
	volume_trouble(v, STALLS, false);
	volume_trouble(v, READ_ONLY, v->failures >= PROBE_FAILURES &&
		       v->error == EROFS);
	volume_trouble(v, IO_ERROR, v->failures >= PROBE_FAILURES &&
		       v->error != EROFS);
}

static void probe_start(struct health_volume *v)
{
	const struct config_volume *config = v->volume->config;
	struct probe probe;

	/* A cluster file system has no device of ours. */
	snprintf(probe.device, sizeof(probe.device), "%s",
		 config->device != NULL ? config->device : "");
	snprintf(probe.mount_point, sizeof(probe.mount_point), "%s",
		 config->mount_point);
	v->probed_at = service_now();
	v->probe = job_send(v->health, v->health->mirrord->ev, probe_job,
			    &probe, sizeof(probe));
	if (v->probe != NULL) {
		tevent_req_set_callback(v->probe, probed, v);
	}
}

static void look_volume(struct health_volume *v)
{
	struct owner_status status;
	enum volume_trouble i;
	uint64_t wait = v->failures == 0 ? PROBE_MS : LOOK_MS;

	if (v->volume->state != SERVICE_OWNER || v->volume->owner == NULL ||
	    v->volume->release_wanted) {
		/* Whoever has it next looks at it. */
		for (i = 0; i < VOLUME_TROUBLE_END; i++) {
			v->trouble[i] = (struct trouble){ .told = false };
		}
		v->failures = 0;
		return;
	}
	owner_status(v->volume->owner, &status);
	volume_trouble(v, LAG, status.lag_ms > LAG_MS);
	volume_trouble(v, LEASE, !status.lease &&
		       status.mode != PAGE_RELEASING);
	if (v->probe != NULL) {
		volume_trouble(v, STALLS, true);
	} else if (service_now() - v->probed_at >= wait) {
		probe_start(v);
	}
}

/* ------------------------------------------------------------- the node */

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void look_clock(struct health *health)
{
	int64_t offset = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
	int64_t step = offset - health->clock_offset_ms;

	/* Slewing is 0.1 % at most, so this is no slewing. */
	if (step > CLOCK_STEP_MS || step < -CLOCK_STEP_MS) {
		event_log(EVENT_CLOCK_STEPPED, "the wall clock of this node "
			  "was set %s by %.1f s", step > 0 ? "forward" :
			  "back", (double)(step > 0 ? step : -step) / 1000);
	}
	health->clock_offset_ms = offset;
}

/* In bytes; 0: unknown. */
static uint64_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) {
			break;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return (uint64_t)kib << 10;
}

/* All volumes of others may get their store here: what is made of them is in
 * use already. */
static uint64_t memory_wanted(struct health *health)
{
	const struct mirror_config *config = health->mirrord->config;
	size_t i, n = talloc_array_length(health->volumes);
	uint64_t wanted = 0;
	struct statvfs fs;

	for (i = 0; i < n; i++) {
		if (health->volumes[i]->volume->state != SERVICE_OWNER) {
			wanted += config->store_size;
		}
	}
	if (statvfs(config->store_directory, &fs) == 0) {
		uint64_t used = (uint64_t)(fs.f_blocks - fs.f_bfree) *
			fs.f_frsize;

		wanted -= used < wanted ? used : wanted;
	}
	return wanted;
}

static void look_memory(struct health *health)
{
	uint64_t now = service_now();
	uint64_t available, wanted;

	if (now - health->memory_looked_at < MEMORY_MS) {
		return;
	}
	health->memory_looked_at = now;
	available = memory_available();
	wanted = memory_wanted(health);
	if (available == 0 || wanted <= available) {
		if (health->memory.told) {
			event_log(EVENT_TROUBLE_OVER, "there is memory for "
				  "the mirror stores again");
		}
		health->memory.told = false;
		return;
	}
	health->memory_lacks = (wanted - available) >> 20;
	if (!health->memory.told) {
		health->memory.told = true;
		event_log(EVENT_MEMORY_LOW, "the mirror stores may take %llu "
			  "MiB more, and %llu MiB are available",
			  (unsigned long long)(wanted >> 20),
			  (unsigned long long)(available >> 20));
	}
}

/* ---------------------------------------------------------------- life */

static void look(void *private_data)
{
	struct health *health = private_data;
	size_t i, n = talloc_array_length(health->volumes);

	health->timer = timer_start(health, health->mirrord->ev, LOOK_MS,
				    look, health);
	for (i = 0; i < n; i++) {
		look_volume(health->volumes[i]);
	}
	look_clock(health);
	look_memory(health);
}

static int volume_destructor(struct health_volume *v)
{
	TALLOC_FREE(v->probe);
	return 0;
}

static struct health_volume *find_volume(const struct health *health,
					 const struct service_volume *volume)
{
	size_t i, n = talloc_array_length(health->volumes);

	for (i = 0; i < n; i++) {
		if (health->volumes[i]->volume == volume) {
			return health->volumes[i];
		}
	}
	return NULL;
}

int health_configure(struct health *health)
{
	struct mirrord *mirrord = health->mirrord;
	struct config_volume *const *volumes = mirrord->config->volumes;
	size_t i, n = talloc_array_length(volumes) - 1;
	struct health_volume **next;

	next = talloc_zero_array(health, struct health_volume *, n);
	if (next == NULL) {
		return ENOMEM;
	}
	for (i = 0; i < n; i++) {
		struct service_volume *volume = service_volume_find(
			mirrord->services, volumes[i]->name);
		struct health_volume *v = find_volume(health, volume);

		if (v == NULL) {
			v = talloc_zero(next, struct health_volume);
			if (v == NULL) {
				return ENOMEM;
			}
			v->health = health;
			v->volume = volume;
			talloc_set_destructor(v, volume_destructor);
		}
		next[i] = talloc_steal(next, v);
	}
	/* With those that are gone. */
	talloc_free(health->volumes);
	health->volumes = next;
	return 0;
}

int health_new(struct mirrord *mirrord, struct health **_health)
{
	struct health *health = talloc_zero(mirrord, struct health);

	if (health == NULL) {
		return ENOMEM;
	}
	health->mirrord = mirrord;
	if (health_configure(health) != 0) {
		talloc_free(health);
		return ENOMEM;
	}
	health->clock_offset_ms = clock_ms(CLOCK_REALTIME) -
		clock_ms(CLOCK_BOOTTIME);
	health->timer = timer_start(health, mirrord->ev, LOOK_MS, look,
				    health);
	if (health->timer == NULL) {
		talloc_free(health);
		return ENOMEM;
	}
	*_health = health;
	return 0;
}

/* -------------------------------------------------------------- answers */

char *health_unhealthy(TALLOC_CTX *mem_ctx, struct health *health)
{
	char *text = talloc_strdup(mem_ctx, "");
	size_t i, n = talloc_array_length(health->volumes);

	for (i = 0; i < n; i++) {
		struct health_volume *v = health->volumes[i];
		const char *name = v->volume->config->name;
		struct owner_status status = { .sync_failed = false };
		enum volume_trouble t;

		if (v->volume->owner != NULL) {
			owner_status(v->volume->owner, &status);
		}
		if (status.sync_failed) {
			text = talloc_asprintf_append(
				text, "%svolume %s: its disk failed",
				text[0] != '\0' ? "; " : "", name);
		}
		for (t = 0; t < VOLUME_TROUBLE_END; t++) {
			if (v->trouble[t].told &&
			    volume_troubles[t].unhealthy) {
				text = talloc_asprintf_append(
					text, "%svolume %s: %s",
					text[0] != '\0' ? "; " : "", name,
					volume_troubles[t].text);
			}
		}
	}
	return text;
}

json_t *health_told(struct health *health)
{
	json_t *told = json_array();
	size_t i, n = talloc_array_length(health->volumes);

	for (i = 0; i < n; i++) {
		struct health_volume *v = health->volumes[i];
		enum volume_trouble t;

		for (t = 0; t < VOLUME_TROUBLE_END; t++) {
			if (v->trouble[t].told &&
			    !volume_troubles[t].unhealthy) {
				json_array_append_new(told, json_sprintf(
					"volume %s: %s",
					v->volume->config->name,
					volume_troubles[t].text));
			}
		}
	}
	if (health->memory.told) {
		json_array_append_new(told, json_sprintf(
			"%llu MiB of memory are missing for the mirror stores",
			(unsigned long long)health->memory_lacks));
	}
	return told;
}
