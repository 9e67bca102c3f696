/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Services go home, see giveback.h. */

#include <errno.h>
#include <string.h>
#include <time.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "ctdb_view.h"
#include "giveback_private.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"
#include "service_move.h"

#define LOOK_MS 1000
/* After an attempt that failed. */
#define PAUSE_MIN_S 60
#define PAUSE_MAX_S 3600

/* ------------------------------------------------------------ how it stands */

static struct service_volume *volume_of(const struct giveback *giveback,
					const struct config_volume *config)
{
	return service_volume_find(giveback->mirrord->services, config->name);
}

/* All of it is served by this node. */
static bool is_here(const struct giveback *giveback,
		    const struct config_service *service)
{
	struct config_volume **v;

	for (v = service->volumes; *v != NULL; v++) {
		const struct service_volume *volume = volume_of(giveback, *v);

		if (volume == NULL || volume->state != SERVICE_OWNER) {
			return false;
		}
	}
	return true;
}

/* NULL: home can have it, as far as this node knows. */
static const char *home_is_not_well(const struct giveback *giveback,
				    const struct config_service *service)
{
	const struct mirrord *mirrord = giveback->mirrord;
	const struct nodes *nodes = mirrord->nodes;
	uint32_t home = service->home;

	if (home >= nodes->count || !nodes->node[home].used) {
		return "its home is not in ctdb's nodes file";
	}
	if (!peer_is_up(peer_find(mirrord->peers, home))) {
		return "mirrord of its home does not answer";
	}
	if (!ctdb_view_connected(mirrord->view, home) ||
	    ctdb_view_excluded(mirrord->view, home)) {
		return "its home is not part of ctdb's cluster";
	}
	if (!ctdb_view_healthy(mirrord->view, home)) {
		return "its home is disabled, stopped, banned or unhealthy "
			"(ctdb status)";
	}
	return NULL;
}

/* Of the volumes: NULL, or what must not be disturbed. */
static const char *volumes_are_not_well(const struct giveback *giveback,
					const struct config_service *service)
{
	struct config_volume **v;

	for (v = service->volumes; *v != NULL; v++) {
		struct owner_status status;

		owner_status(volume_of(giveback, *v)->owner, &status);
		if (status.sync_failed) {
			return "the disk of a volume failed";
		}
		if (status.mode != PAGE_MIRRORED) {
			return "a volume has no partner (degraded), or waits "
				"for it";
		}
		if (status.plan != NULL) {
			return "the partner of a volume is being changed or "
				"checked";
		}
	}
	return NULL;
}

/* Another service comes or goes here: one thing after the other. */
static const char *node_is_busy(const struct giveback *giveback)
{
	struct config_volume **v;

	for (v = giveback->mirrord->config->volumes; *v != NULL; v++) {
		const struct service_volume *volume = volume_of(giveback, *v);

		if (volume != NULL && volume->state != SERVICE_ABSENT &&
		    volume->state != SERVICE_OWNER) {
			return "a takeover, a replay or a release is under "
				"way on this node";
		}
	}
	return NULL;
}

static uint64_t records_of(const struct giveback *giveback,
			   const struct config_service *service)
{
	uint64_t records = 0;
	struct config_volume **v;

	for (v = service->volumes; *v != NULL; v++) {
		struct owner_status status;

		owner_status(volume_of(giveback, *v)->owner, &status);
		records += status.records_sent;
	}
	return records;
}

const struct giveback_policy *giveback_policy_of(
	const struct giveback_service *service)
{
	return service->order == GIVEBACK_POLICY ?
		&service->config->giveback : &service->ordered;
}

static const char *held(const struct giveback_service *service)
{
	if (service->order != GIVEBACK_POLICY) {
		return NULL;	/* an order is newer than any reason */
	}
	switch (service->hold) {
	case GIVEBACK_MOVED:
		return "it was moved here while its home was well: by hand, or "
			"because its home cannot serve it (mirrorctl giveback "
			"SERVICE --now, if it can)";
	case GIVEBACK_CANCELLED:
		return "cancelled by mirrorctl giveback --cancel";
	default:
		return NULL;
	}
}

/* Is it safe? NULL, or why not: the first reason. */
static const char *unsafe(const struct giveback *giveback,
			  const struct giveback_service *service)
{
	const struct config_service *config = service->config;
	const struct mirrord *mirrord = giveback->mirrord;
	const char *why;

	if (!ctdb_view_settled(mirrord->view)) {
		return "ctdb is in recovery, or this node is not part of its "
			"cluster";
	}
	if (ctdb_view_host(mirrord->view, config->addresses[0]) !=
	    (int)mirrord->nodes->own) {
		return "ctdb does not have its anchor here";
	}
	why = home_is_not_well(giveback, config);
	if (why == NULL) {
		why = volumes_are_not_well(giveback, config);
	}
	return why != NULL ? why : node_is_busy(giveback);
}

static const char *not_due(const struct giveback *giveback,
			   const struct giveback_service *service)
{
	const struct giveback_policy *policy = giveback_policy_of(service);
	int64_t now = giveback->now.boot;

	if (service->order == GIVEBACK_NOW) {
		return NULL;
	}
	if (!policy->at && !policy->idle) {
		return "nothing says when: giveback is manual";
	}
	if (policy->at && now >= service->window_ends) {
		return "it is not the time of day";
	}
	if (policy->idle &&
	    now - service->changed_at < (int64_t)policy->idle_s) {
		return "clients changed something not long enough ago";
	}
	return NULL;
}

const char *giveback_why_not(const struct giveback *giveback,
			     const struct giveback_service *service)
{
	int64_t delay = giveback->mirrord->config->giveback_delay_s;
	const char *why = held(service);

	if (why == NULL) {
		why = not_due(giveback, service);
	}
	if (why == NULL) {
		why = unsafe(giveback, service);
	}
	if (why == NULL && service->order != GIVEBACK_NOW &&
	    giveback->now.boot - service->fine_since < delay) {
		why = "all has not been well for long enough (mirror:giveback "
			"delay)";
	}
	if (why == NULL && giveback->now.boot < service->not_before) {
		why = "the last attempt failed; the next one comes later";
	}
	return why;
}

/* -------------------------------------------------------------------- going */

static void moved(struct tevent_req *req)
{
	struct giveback_service *service = tevent_req_callback_data(
		req, struct giveback_service);
	struct giveback *giveback = service->giveback;
	char *problem = NULL;
	int ret;

	ret = service_move_recv(req, service, &problem);
	service->move = NULL;
	service->pause = service->pause == 0 ? PAUSE_MIN_S :
		2 * service->pause;
	if (service->pause > PAUSE_MAX_S) {
		service->pause = PAUSE_MAX_S;
	}
	/* Even if ctdb says it is done: it is, when it is not here any more. */
	service->not_before = giveback->now.boot + service->pause;
	if (ret != 0) {
		event_log(EVENT_GIVEBACK_FAILED, "service %s stays here, ctdb "
			  "did not move it to node %u: %s", service->name,
			  service->target, problem);
	}
	talloc_free(problem);
}

static void go_home(struct giveback_service *service)
{
	struct giveback *giveback = service->giveback;
	char *policy = giveback_policy_describe(service,
						giveback_policy_of(service));

	event_log(EVENT_GIVEBACK, "service %s goes home to node %u (%s%s)",
		  service->config->name, service->config->home,
		  service->order == GIVEBACK_POLICY ? "" : "ordered: ",
		  service->order == GIVEBACK_NOW ? "now" : policy);
	talloc_free(policy);
	service->target = service->config->home;
	service->move = service_move_send(service, giveback->mirrord,
					  service->config,
					  service->config->home,
					  SERVICE_MOVE_SECONDS);
	if (service->move != NULL) {
		tevent_req_set_callback(service->move, moved, service);
	}
}

/* ------------------------------------------------------------------ looking */

static void came_here(struct giveback_service *service, bool adopted)
{
	struct giveback *giveback = service->giveback;

	service->hold = GIVEBACK_FREE;
	service->order = GIVEBACK_POLICY;
	service->pause = 0;
	service->not_before = 0;
	service->changed_at = giveback->now.boot;
	service->fine_since = giveback->now.boot;
	if (adopted) {
		giveback_load(service);
	} else if (home_is_not_well(giveback, service->config) == NULL) {
		service->hold = GIVEBACK_MOVED;
		giveback_save(service);
	} else {
		giveback_forget(service);
	}
}

static void look_at_window(struct giveback_service *service)
{
	const struct giveback_policy *policy = giveback_policy_of(service);
	const struct giveback *giveback = service->giveback;
	int64_t late;

	if (giveback->clock.stepped) {
		service->window_ends = 0;	/* is it still night? */
	}
	if (!policy->at ||
	    !day_clock_came(&giveback->clock, policy->minute, &late)) {
		return;
	}
	/* A wrong clock that was put right does not make a second night. */
	if (service->window_began != 0 &&
	    giveback->now.boot - service->window_began < GIVEBACK_ONCE_S) {
		return;
	}
	service->window_began = giveback->now.boot;
	service->window_ends = giveback->now.boot - late + GIVEBACK_WINDOW_S;
}

static void look_at(struct giveback_service *service, bool adopted)
{
	struct giveback *giveback = service->giveback;
	const struct config_service *config = service->config;
	bool here = config->home != giveback->mirrord->nodes->own &&
		is_here(giveback, config);
	const char *why;
	uint64_t records;

	if (here && !service->here) {
		came_here(service, adopted);
	} else if (!here && service->here) {
		giveback_forget(service);
	}
	service->here = here;
	look_at_window(service);
	if (!here) {
		return;
	}
	records = records_of(giveback, config);
	if (records != service->records) {
		service->records = records;
		service->changed_at = giveback->now.boot;
	}
	if (service->hold == GIVEBACK_MOVED &&
	    home_is_not_well(giveback, config) != NULL) {
		/* It failed since, so the next return is one after a failure */
		service->hold = GIVEBACK_FREE;
		giveback_save(service);
	}
	if (unsafe(giveback, service) != NULL) {
		service->fine_since = giveback->now.boot;
	}
	if (service->move != NULL || held(service) != NULL ||
	    not_due(giveback, service) != NULL) {
		return;
	}
	why = giveback_why_not(giveback, service);
	if (why == NULL) {
		go_home(service);
		service->told = NULL;
	} else if (why != service->told) {
		/* For days, perhaps: only what is new. */
		service->told = why;
		event_log(EVENT_GIVEBACK_WAITS, "service %s would go home to "
			  "node %u, but: %s", config->name, config->home, why);
	}
}

struct giveback_service *giveback_find(struct giveback *giveback,
				       const char *name)
{
	size_t i, n = talloc_array_length(giveback->services);

	for (i = 0; i < n; i++) {
		if (strcasecmp(giveback->services[i]->name, name) == 0) {
			return giveback->services[i];
		}
	}
	return NULL;
}

/* Services may come and go while mirrord runs: no pointer into its
 * configuration is kept from one call to the next. */
void giveback_refresh(struct giveback *giveback)
{
	size_t i, kept = 0, n = talloc_array_length(giveback->services);

	for (i = 0; i < n; i++) {
		struct giveback_service *service = giveback->services[i];

		service->config = config_service_by_name(
			giveback->mirrord->config, service->name);
		if (service->config == NULL) {
			giveback_forget(service);
			talloc_free(service);
			continue;
		}
		giveback->services[kept++] = service;
	}
	if (kept != n) {
		giveback->services = talloc_realloc(
			giveback, giveback->services,
			struct giveback_service *, kept);
		if (kept == 0) {
			giveback->services = talloc_array(
				giveback, struct giveback_service *, 0);
		}
	}
}

static struct giveback_service *get(struct giveback *giveback,
				    const struct config_service *config)
{
	struct giveback_service *service = giveback_find(giveback,
							 config->name);
	size_t n = talloc_array_length(giveback->services);
	struct giveback_service **list;

	if (service != NULL) {
		return service;
	}
	list = talloc_realloc(giveback, giveback->services,
			      struct giveback_service *, n + 1);
	if (list == NULL) {
		return NULL;
	}
	giveback->services = list;
	service = list[n] = talloc_zero(list, struct giveback_service);
	if (service == NULL) {
		giveback->services = talloc_realloc(
			giveback, list, struct giveback_service *, n);
		return NULL;
	}
	service->giveback = giveback;
	service->config = config;
	service->name = talloc_strdup(service, config->name);
	return service;
}

void giveback_look(struct giveback *giveback, struct giveback_clock now)
{
	struct config_service **s;
	int64_t step;

	giveback->now = now;
	giveback_refresh(giveback);
	step = day_clock_look(&giveback->clock, now.boot, now.wall);
	if (step != 0) {
		event_log(EVENT_TIME_UNSURE, "the wall clock of this node "
			  "was set %s by %lld s", step > 0 ? "forward" : "back",
			  (long long)(step > 0 ? step : -step));
	}
	for (s = giveback->mirrord->config->services; *s != NULL; s++) {
		struct giveback_service *service = get(giveback, *s);

		if (service != NULL) {
			look_at(service, !giveback->looked);
		}
	}
	giveback->looked = true;
}

static void look(void *private_data)
{
	struct giveback *giveback = private_data;
	struct timespec boot, wall;

	giveback->timer = timer_start(giveback, giveback->mirrord->ev, LOOK_MS,
				      look, giveback);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	giveback_look(giveback, (struct giveback_clock){
		.boot = boot.tv_sec, .wall = wall.tv_sec });
}

int giveback_new(struct mirrord *mirrord, struct giveback **_giveback)
{
	struct giveback *giveback = talloc_zero(mirrord, struct giveback);

	if (giveback == NULL) {
		return ENOMEM;
	}
	giveback->mirrord = mirrord;
	giveback->services = talloc_array(giveback, struct giveback_service *,
					  0);
	if (giveback->services == NULL) {
		return ENOMEM;
	}
	look(giveback);
	*_giveback = giveback;
	return giveback->timer != NULL ? 0 : ENOMEM;
}
