/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Services and the life of their volumes, see service.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "ctdb_view.h"
#include "mount.h"
#include "nodes.h"
#include "partner.h"
#include "peer.h"
#include "service.h"

#define TICK_MS 500
/* Mounted and nobody wants it: another node may. */
#define NOBODY_ASKS_MS 30000
/* ctdb has moved the anchor and no releaseip came: release by ourselves. */
#define ELSEWHERE_MS 5000
/* A word that nobody repeats is not believed for longer. */
#define RELEASED_MS 60000
/* What another node gave away so long ago is not being moved any more. */
#define GIVEN_MS 20000
#define REFUSED_MS 5000
/* Each failure in a row (and the last one again and again). */
static const uint32_t pauses_ms[] = { 1000, 2000, 5000 };

struct services {
	struct mirrord *mirrord;
	struct service_volume **volumes;
	struct timer *tick;
	services_changed changed;
	void *private_data;
};

uint64_t service_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *service_state_name(enum service_state state)
{
	static const char *const names[SERVICE_STATE_END] = {
		[SERVICE_ABSENT] = "absent",
		[SERVICE_CHECKING] = "checking",
		[SERVICE_MOUNTING] = "mounting",
		[SERVICE_REPLAYING] = "replaying",
		[SERVICE_MOUNTED] = "mounted",
		[SERVICE_OWNER] = "owner",
		[SERVICE_RELEASING] = "releasing",
		[SERVICE_UNMOUNTING] = "unmounting",
	};

	return (unsigned int)state < SERVICE_STATE_END ? names[state] :
		"unknown";
}

/* --------------------------------------------------------------- the table */

static void want_release(struct service_volume *volume)
{
	volume->release_wanted = true;
}

static void forget_release(struct service_volume *volume)
{
	volume->release_wanted = false;
}

static void serve(struct service_volume *volume);
static void failed(struct service_volume *volume);
static void refused(struct service_volume *volume);

struct transition {
	bool valid;
	enum service_state next;
	void (*action)(struct service_volume *volume);
};

#define ON(state, event) [SERVICE_##state][SERVICE_EVENT_##event]
#define TO(state, what) { true, SERVICE_##state, what }

/* What is not here is ignored. */
static const struct transition
table[SERVICE_STATE_END][SERVICE_EVENT_END] = {
	ON(ABSENT, TAKEOVER) = TO(CHECKING, takeover_check),

	ON(CHECKING, TAKEOVER) = TO(CHECKING, forget_release),
	ON(CHECKING, RELEASE) = TO(ABSENT, takeover_abort),
	ON(CHECKING, OK) = TO(MOUNTING, takeover_mount),
	ON(CHECKING, FAILED) = TO(ABSENT, takeover_abort),

	ON(MOUNTING, TAKEOVER) = TO(MOUNTING, forget_release),
	ON(MOUNTING, RELEASE) = TO(MOUNTING, want_release),
	ON(MOUNTING, OK) = TO(REPLAYING, takeover_replay),
	ON(MOUNTING, FAILED) = TO(ABSENT, failed),

	/* A replay is not interrupted: what it does has to be done, here or
	 * by the next. */
	ON(REPLAYING, TAKEOVER) = TO(REPLAYING, forget_release),
	ON(REPLAYING, RELEASE) = TO(REPLAYING, want_release),
	ON(REPLAYING, OK) = TO(OWNER, serve),
	ON(REPLAYING, FAILED) = TO(MOUNTED, failed),
	ON(REPLAYING, REFUSED) = TO(UNMOUNTING, refused),

	ON(MOUNTED, TAKEOVER) = TO(REPLAYING, takeover_replay),
	ON(MOUNTED, RELEASE) = TO(UNMOUNTING, release_unmount),
	ON(MOUNTED, NOBODY_ASKS) = TO(UNMOUNTING, release_unmount),

	ON(OWNER, RELEASE) = TO(RELEASING, release_start),

	ON(RELEASING, OK) = TO(UNMOUNTING, release_unmount),

	ON(UNMOUNTING, OK) = TO(ABSENT, release_done),
};

static void tell_state(const struct service_volume *volume,
		       enum service_state next)
{
	const char *old = service_state_name(volume->state);
	char key[PAGE_VOLUME_MAX];

	/* Attempts that have to wait for others are many. */
	if (volume->state + next == SERVICE_ABSENT + SERVICE_CHECKING) {
		return;
	}
	if (volume->failures != 0) {
		/* Once more the same: not once more in the log. */
		snprintf(key, sizeof(key), "%s>%s %s", old,
			 service_state_name(next), volume->config->name);
		event_log_once(EVENT_STATE, key, "volume %s: %s -> %s",
			       volume->config->name, old,
			       service_state_name(next));
	} else {
		event_log(EVENT_STATE, "volume %s: %s -> %s",
			  volume->config->name, old,
			  service_state_name(next));
	}
}

void service_event(struct service_volume *volume, enum service_event event)
{
	const struct transition *t = &table[volume->state][event];
	struct services *services = volume->services;

	if (!t->valid) {
		return;
	}
	if (t->next != volume->state) {
		tell_state(volume, t->next);
		volume->state = t->next;
		volume->state_since = service_now();
	}
	t->action(volume);
	if (services->changed != NULL) {
		services->changed(services->private_data);
	}
}

static void serve(struct service_volume *volume)
{
	takeover_abort(volume);
	volume->result = SERVICE_OK;
	volume->failures = 0;
	volume->move_pause = 0;
	volume->next_move = 0;
	volume->last_attempt = 0;
	TALLOC_FREE(volume->problem);
	if (volume->release_wanted) {
		volume->release_wanted = false;
		service_event(volume, SERVICE_EVENT_RELEASE);
	}
}

/* It costs a mount or a replay: not several times a second. */
static void failed(struct service_volume *volume)
{
	const uint32_t most = sizeof(pauses_ms) / sizeof(pauses_ms[0]);
	uint32_t i = volume->failures < most ? volume->failures : most - 1;

	takeover_abort(volume);
	volume->not_before = service_now() + pauses_ms[i];
	volume->failures++;
}

/* Others may have what is needed: it is theirs meanwhile. */
static void refused(struct service_volume *volume)
{
	failed(volume);
	release_unmount(volume);
}

void service_problem(struct service_volume *volume,
		     enum service_result result,
		     char *problem)
{
	talloc_free(volume->problem);
	volume->problem = talloc_steal(volume, problem);
	volume->result = result;
	if (problem != NULL) {
		event_log_once(result == SERVICE_FAILED ?
			       EVENT_TAKEOVER_REFUSED : EVENT_NOT_YET, problem,
			       "service %s, volume %s: %s",
			       volume->config->service->name,
			       volume->config->name, problem);
	}
}

/* --------------------------------------------------------------- questions */

struct service_volume *service_volume_find(struct services *services,
					   const char *name)
{
	size_t i, n;

	n = services != NULL ? talloc_array_length(services->volumes) : 0;
	for (i = 0; i < n; i++) {
		if (strcmp(services->volumes[i]->config->name, name) == 0) {
			return services->volumes[i];
		}
	}
	return NULL;
}

enum volume_role service_volume_role(const struct mirrord *mirrord,
				     const char *name)
{
	struct service_volume *volume = service_volume_find(mirrord->services,
							    name);

	return volume == NULL || volume->state == SERVICE_ABSENT ?
		VOLUME_ROLE_NONE : VOLUME_ROLE_OWNER;
}

void service_told_released(struct mirrord *mirrord, const char *name,
			   uint32_t node)
{
	struct service_volume *volume = service_volume_find(mirrord->services,
							    name);

	if (volume != NULL && node < NODES_MAX) {
		volume->released |= UINT64_C(1) << node;
		volume->released_at = service_now();
	}
}

void service_told_wanted(struct mirrord *mirrord, const char *name,
			 uint32_t node)
{
	struct service_volume *volume = service_volume_find(mirrord->services,
							    name);

	if (volume != NULL && node < NODES_MAX) {
		volume->released &= ~(UINT64_C(1) << node);
	}
}

void service_heard(struct mirrord *mirrord, uint32_t node)
{
	struct services *services = mirrord->services;
	size_t i, n;

	n = services != NULL ? talloc_array_length(services->volumes) : 0;
	for (i = 0; i < n && node < NODES_MAX; i++) {
		services->volumes[i]->released &= ~(UINT64_C(1) << node);
	}
}

bool service_has_released(const struct service_volume *volume, uint32_t node)
{
	return (volume->released & UINT64_C(1) << node) != 0 &&
		service_now() - volume->released_at < RELEASED_MS;
}

bool service_is_given(struct services *services,
		      const struct config_service *service)
{
	uint64_t since = service_now() - GIVEN_MS;
	struct config_volume **v;
	bool given = false;

	for (v = service->volumes; *v != NULL; v++) {
		const struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume->timeline.fenced != 0) {
			return false;
		}
		given = given || volume->giving_at > since ||
			(volume->released != 0 && volume->released_at > since);
	}
	return given;
}

void services_watch(struct services *services, services_changed changed,
		    void *private_data)
{
	services->changed = changed;
	services->private_data = private_data;
}

/* ---------------------------------------------------------------- requests */

void service_takeover(struct services *services,
		      const struct config_service *service,
		      bool accept_loss)
{
	struct config_volume **v;

	for (v = service->volumes; *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume == NULL) {
			continue;
		}
		if (!service->enabled) {
			service_problem(volume, SERVICE_NOT_YET,
					talloc_asprintf(
				volume, "service %s is stopped (mirror:%s "
				"enabled = no)", service->name,
				service->name));
			continue;
		}
		volume->accept_loss = accept_loss;
		if (volume->failures != 0 && !accept_loss &&
		    (volume->state == SERVICE_ABSENT ||
		     volume->state == SERVICE_MOUNTED) &&
		    service_now() < volume->not_before) {
			continue;
		}
		service_event(volume, SERVICE_EVENT_TAKEOVER);
	}
}

void service_release(struct services *services,
		     const struct config_service *service)
{
	struct config_volume **v;

	for (v = service->volumes; *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume == NULL) {
			continue;
		}
		/* Who asks after that asks anew. */
		volume->not_before = 0;
		volume->last_attempt = 0;
		service_event(volume, SERVICE_EVENT_RELEASE);
	}
}

enum service_result service_taken(TALLOC_CTX *mem_ctx,
				  struct services *services,
				  const struct config_service *service,
				  bool *under_way,
				  char **problem)
{
	enum service_result result = SERVICE_OK;
	struct config_volume **v;

	*under_way = false;
	*problem = NULL;
	for (v = service->volumes; *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume == NULL) {
			/* It was asked for before it was removed. */
			*problem = talloc_asprintf(
				mem_ctx, "volume %s is not there any more",
				(*v)->name);
			return SERVICE_FAILED;
		}
		switch (volume->state) {
		case SERVICE_OWNER:
			continue;
		case SERVICE_ABSENT:
		case SERVICE_MOUNTED:
			break;
		default:
			*under_way = true;
			break;
		}
		if (result != SERVICE_FAILED) {
			result = *under_way || volume->result == SERVICE_OK ?
				SERVICE_NOT_YET : volume->result;
			talloc_free(*problem);
			*problem = talloc_asprintf(
				mem_ctx, "volume %s is %s%s%s", (*v)->name,
				service_state_name(volume->state),
				volume->problem != NULL ? ": " : "",
				volume->problem != NULL ? volume->problem :
				"");
		}
	}
	return result;
}

enum service_result service_released(TALLOC_CTX *mem_ctx,
				     struct services *services,
				     const struct config_service *service,
				     bool *under_way,
				     char **problem)
{
	struct config_volume **v;

	*under_way = false;
	*problem = NULL;
	for (v = service->volumes; *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume == NULL || volume->state == SERVICE_ABSENT) {
			continue;
		}
		*under_way = true;
		*problem = talloc_asprintf(
			mem_ctx, "volume %s is still %s%s%s", (*v)->name,
			service_state_name(volume->state),
			volume->problem != NULL ? ": " : "",
			volume->problem != NULL ? volume->problem : "");
		return SERVICE_NOT_YET;
	}
	return SERVICE_OK;
}

/* -------------------------------------------------------------------- time */

/* ctdb moved the anchor, but no releaseip event came: a takeover that did not
 * get as far as the address has none. */
static void look_elsewhere(struct service_volume *volume)
{
	struct mirrord *mirrord = volume->services->mirrord;
	const struct config_service *service = volume->config->service;
	int host = ctdb_view_host(mirrord->view, service->addresses[0]);

	if (host == -1 || (uint32_t)host == mirrord->nodes->own ||
	    volume->state == SERVICE_ABSENT) {
		volume->hosted_elsewhere = 0;
		return;
	}
	if (volume->hosted_elsewhere == 0) {
		volume->hosted_elsewhere = service_now();
	} else if (service_now() - volume->hosted_elsewhere > ELSEWHERE_MS) {
		volume->hosted_elsewhere = service_now();
		volume->forget_locks = true;
		service_event(volume, SERVICE_EVENT_RELEASE);
	}
}

/* Nobody at ctdb asked for it, or knows of it. */
static void give_up(struct service_volume *volume)
{
	volume->forget_locks = true;
	release_addresses(volume);
	service_event(volume, SERVICE_EVENT_RELEASE);
}

void services_left_out(struct services *services)
{
	size_t i, n = talloc_array_length(services->volumes);

	for (i = 0; i < n; i++) {
		services->volumes[i]->forget_locks = true;
		if (services->volumes[i]->state == SERVICE_OWNER) {
			give_up(services->volumes[i]);
		}
	}
}

/* Volumes that the node had, or still has: it may not know it itself. */
static void left_out(struct services *services)
{
	size_t i, n = talloc_array_length(services->volumes);

	for (i = 0; i < n; i++) {
		if (services->volumes[i]->state != SERVICE_OWNER) {
			services->volumes[i]->forget_locks = true;
		}
	}
}

/*
 * ctdbd has died: ctdb gives the address to another node, and nobody tells us.
 * smbd ends without it, too.
 */
static void look_gone(struct service_volume *volume)
{
	if (volume->state == SERVICE_OWNER &&
	    ctdb_view_gone(volume->mirrord->view)) {
		event_log(EVENT_CTDB_GONE, "volume %s: ctdbd does not run on "
			  "this node any more; it is given up",
			  volume->config->name);
		give_up(volume);
	}
}

/* Its disk is gone, or somebody else cut this node off it. */
static void look_disk(struct service_volume *volume)
{
	if (volume->state == SERVICE_OWNER &&
	    owner_refused_ms(volume->owner) > REFUSED_MS) {
		event_log(EVENT_DISK_REFUSES, "volume %s: its disk has "
			  "refused the label for %u ms; it is given up",
			  volume->config->name, REFUSED_MS);
		give_up(volume);
	}
}

static void tick(void *private_data)
{
	struct services *services = private_data;
	size_t i, n = talloc_array_length(services->volumes);

	services->tick = timer_start(services, services->mirrord->ev, TICK_MS,
				     tick, services);
	for (i = 0; i < n; i++) {
		struct service_volume *volume = services->volumes[i];

		look_elsewhere(volume);
		look_gone(volume);
		look_disk(volume);
		if (volume->state == SERVICE_MOUNTED &&
		    service_now() - volume->state_since > NOBODY_ASKS_MS) {
			service_event(volume, SERVICE_EVENT_NOBODY_ASKS);
		}
	}
}

static void look_all(struct services *services)
{
	size_t i, n = talloc_array_length(services->volumes);

	for (i = 0; i < n; i++) {
		if (services->volumes[i]->owner != NULL) {
			owner_look(services->volumes[i]->owner);
		}
	}
}

static void peer_changed(uint32_t node, bool up, void *private_data)
{
	struct services *services = private_data;

	if (!up) {
		ctdb_view_hurry(services->mirrord->view);
	} else {
		service_heard(services->mirrord, node);
	}
	look_all(services);
}

static void view_changed(void *private_data)
{
	struct services *services = private_data;
	const struct nodes *nodes = services->mirrord->nodes;
	uint32_t node;

	for (node = 0; node < nodes->count; node++) {
		if (node != nodes->own &&
		    ctdb_view_excluded(services->mirrord->view, node)) {
			left_out(services);
		}
	}
	look_all(services);
	if (services->changed != NULL) {
		services->changed(services->private_data);
	}
}

/* -------------------------------------------------------------------- life */

static int add_volume(struct services *services,
		      const struct config_volume *config)
{
	size_t n = talloc_array_length(services->volumes);
	struct service_volume *volume;
	struct service_volume **list;

	volume = talloc_zero(services, struct service_volume);
	list = talloc_realloc(services, services->volumes,
			      struct service_volume *, n + 1);
	if (list != NULL) {
		services->volumes = list;
	}
	if (volume == NULL || list == NULL) {
		return ENOMEM;
	}
	volume->services = services;
	volume->mirrord = services->mirrord;
	volume->config = config;
	volume->state_since = service_now();
	list[n] = volume;
	return 0;
}

/* Those that are not in the configuration are at rest: it was looked. */
static void drop_volumes(struct services *services)
{
	size_t i, kept = 0, n = talloc_array_length(services->volumes);

	for (i = 0; i < n; i++) {
		struct service_volume *volume = services->volumes[i];

		if (config_volume_by_name(services->mirrord->config,
					  volume->config->name) != NULL) {
			services->volumes[kept++] = volume;
		} else {
			talloc_free(volume);
		}
	}
	services->volumes = talloc_realloc(services, services->volumes,
					   struct service_volume *, kept);
}

int services_configure(struct services *services)
{
	struct config_volume **v = services->mirrord->config->volumes;
	int ret = 0;

	drop_volumes(services);
	for (; ret == 0 && *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			services, (*v)->name);

		if (volume == NULL) {
			ret = add_volume(services, *v);
			continue;
		}
		volume->config = *v;
		if (volume->owner != NULL) {
			owner_configure(volume->owner, *v);
		}
	}
	if (services->changed != NULL) {
		services->changed(services->private_data);
	}
	return ret;
}

int services_new(struct mirrord *mirrord, struct services **_services)
{
	struct services *services = talloc_zero(mirrord, struct services);
	int ret;

	if (services == NULL) {
		return ENOMEM;
	}
	services->mirrord = mirrord;
	services->volumes = talloc_zero_array(services,
					      struct service_volume *, 0);
	ret = services_configure(services);
	if (ret != 0) {
		return ret;
	}
	services->tick = timer_start(services, mirrord->ev, 1000, tick,
				     services);
	peers_watch(mirrord->peers, peer_changed, services);
	ctdb_view_watch(mirrord->view, view_changed, services);
	*_services = services;
	return services->tick != NULL ? 0 : ENOMEM;
}

/* True if it is served, or was being released. */
static bool adopt_owner(struct service_volume *volume, struct state_page *page)
{
	struct mirrord *mirrord = volume->services->mirrord;
	enum page_mode mode = state_page_mode(page);
	struct label label = { .generation = 0 };
	int root_fd;
	int ret;

	if (mode == PAGE_ABSENT) {
		return false;
	}
	root_fd = open(volume->config->mount_point,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = root_fd == -1 ? errno : label_read(root_fd, &label);
	if (ret == 0 && label.owner != mirrord->nodes->own) {
		ret = EPERM;
	}
	if (ret == 0) {
		ret = owner_new(volume, mirrord, volume->config, page,
				root_fd, &label, &volume->owner);
	}
	if (ret != 0) {
		event_log(EVENT_LABEL_FAILED, "volume %s: cannot go on with "
			  "it: %s", volume->config->name, strerror(ret));
		if (root_fd != -1) {
			close(root_fd);
		}
		return false;
	}
	volume->state = SERVICE_OWNER;
	if (mode == PAGE_RELEASING) {
		service_event(volume, SERVICE_EVENT_RELEASE);
	}
	return true;
}

void services_adopt(struct services *services)
{
	const char *run = services->mirrord->config->run_directory;
	size_t i, n = talloc_array_length(services->volumes);

	for (i = 0; i < n; i++) {
		struct service_volume *volume = services->volumes[i];
		enum mount_state mount = MOUNT_NONE;
		struct state_page *page = NULL;

		mount_look(volume, volume->config, &mount, NULL);
		if (state_page_open(volume, run, volume->config->name,
				    &page) != 0) {
			page = NULL;
		}
		if (mount == MOUNT_HERE) {
			if (page != NULL && adopt_owner(volume, page)) {
				continue;
			}
		}
		if (mount == MOUNT_HERE && !volume->config->cluster) {
			volume->state = SERVICE_MOUNTED;
		} else if (page != NULL) {
			/* Somebody unmounted it behind our back; or it is
			 * mounted, as always, and another node's now. */
			state_page_set_mode(page, PAGE_ABSENT,
					    state_page_generation(page),
					    NULL);
		}
		TALLOC_FREE(page);
	}
}
