/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A volume that this node owns: life and decisions, see owner.h. */

#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "ctdb_view.h"
#include "nodes.h"
#include "owner_private.h"
#include "peer.h"

#define TICK_MS 20

/* A control link that comes back sooner freezes nobody. */
#define BLINK_MS 200

uint64_t owner_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------- kicks */

/* smbds kick a futex, which no event loop can wait for. */
struct owner_kick {
	struct owner *owner;
	struct state_page *page;
	pthread_t thread;
	atomic_bool stop;
	int event_fd;
	struct tevent_fd *fde;
};

static void *kick_thread(void *private_data)
{
	struct owner_kick *kick = private_data;
	uint32_t seen = 0;

	while (!atomic_load(&kick->stop)) {
		uint64_t one = 1;

		seen = state_page_wait_kick(kick->page, seen);
		if (write(kick->event_fd, &one, sizeof(one)) == -1) {
			/* Full: the loop will look anyway. */
			continue;
		}
	}
	return NULL;
}

static int kick_destructor(struct owner_kick *kick)
{
	atomic_store(&kick->stop, true);
	state_page_kick(kick->page);
	pthread_join(kick->thread, NULL);
	TALLOC_FREE(kick->fde);
	close(kick->event_fd);
	return 0;
}

static void kicked(struct tevent_context *ev,
		   struct tevent_fd *fde,
		   uint16_t flags,
		   void *private_data)
{
	struct owner_kick *kick = private_data;
	uint64_t count;

	if (read(kick->event_fd, &count, sizeof(count)) == sizeof(count)) {
		owner_look(kick->owner);
	}
}

static int kick_start(struct owner *owner)
{
	struct owner_kick *kick = talloc_zero(owner, struct owner_kick);
	sigset_t all, before;
	int ret;

	if (kick == NULL) {
		return ENOMEM;
	}
	kick->owner = owner;
	kick->page = owner->page;
	kick->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kick->event_fd == -1) {
		return errno;
	}
	kick->fde = tevent_add_fd(owner->mirrord->ev, kick, kick->event_fd,
				  TEVENT_FD_READ, kicked, kick);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&kick->thread, NULL, kick_thread, kick);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret != 0) {
		close(kick->event_fd);
		return ret;
	}
	talloc_set_destructor(kick, kick_destructor);
	owner->kick = kick;
	return 0;
}

/* --------------------------------------------------------------- decisions */

struct peer *owner_find_candidate(struct owner *owner)
{
	struct mirrord *mirrord = owner->mirrord;
	const struct nodes *nodes = mirrord->nodes;
	uint32_t i;

	/* The next in the ring that is there. */
	for (i = 1; i < nodes->count; i++) {
		uint32_t node = (nodes->own + i) % nodes->count;
		struct peer *peer = peer_find(mirrord->peers, node);

		if (peer != NULL && peer_is_up(peer) &&
		    !ctdb_view_excluded(mirrord->view, node)) {
			owner->candidate = node;
			return peer;
		}
	}
	return NULL;
}

static bool partner_is_out(struct owner *owner)
{
	return ctdb_view_excluded(owner->mirrord->view, owner->label.partner);
}

/*
 * ctdb sees a partner that is not there for us: its mirrord does not run, or
 * answers nonsense. Clients do not wait for ever: on a shared volume it is
 * safe to go on alone, as the label is raised first (R11), and only while
 * this node is part of a healthy cluster (R13).
 */
static bool patience_is_over(struct owner *owner)
{
	uint64_t waited = owner_now() - owner->waiting_since;

	return ctdb_view_settled(owner->mirrord->view) &&
		waited > owner->mirrord->config->partner_timeout_ms;
}

static void look_mirrored(struct owner *owner)
{
	struct peer *peer = peer_find(owner->mirrord->peers,
				      owner->label.partner);
	bool lost = peer == NULL || peer_down_ms(peer) > BLINK_MS;

	owner->waiting_since = 0;
	if (lost || partner_is_out(owner)) {
		state_page_set_mode(owner->page, PAGE_WAITING,
				    owner->label.generation, NULL);
		owner_look(owner);
	} else if (peer_is_up(peer) &&
		   peer_times_up(peer) != owner->times_up) {
		/* It was away for a moment: has it still our store? Clients
		 * that are idle would not find out. */
		owner->candidate = owner->label.partner;
		owner_plan_start(owner, &owner_plan_check);
	}
}

static void look_waiting(struct owner *owner)
{
	struct mirrord *mirrord = owner->mirrord;
	struct peer *peer = peer_find(mirrord->peers, owner->label.partner);
	bool void_store;

	if (owner->waiting_since == 0) {
		owner->waiting_since = owner_now();
		ctdb_view_hurry(mirrord->view);
	}
	if (!owner->lost_logged &&
	    owner_now() - owner->waiting_since > BLINK_MS) {
		owner->lost_logged = true;
		event_log(EVENT_PARTNER_LOST, "volume %s: no way to send "
			  "records to node %u", owner->volume->name,
			  owner->label.partner);
	}
	if (owner->label.protection != LABEL_MIRRORED) {
		/* A mirrord that was killed on its way here or from there. */
		owner_plan_start(owner, &owner_plan_degrade);
		return;
	}
	void_store = state_page_generation(owner->page) !=
		owner->label.generation;
	if (void_store || partner_is_out(owner) || patience_is_over(owner)) {
		owner_plan_start(owner, &owner_plan_degrade);
	} else if (peer_is_up(peer)) {
		owner->candidate = owner->label.partner;
		owner_plan_start(owner, &owner_plan_resume);
	} else {
		ctdb_view_hurry(mirrord->view);
	}
}

static void look_degraded(struct owner *owner)
{
	owner->waiting_since = 0;
	if (!owner->sync_failed && owner_find_candidate(owner) != NULL) {
		owner_plan_start(owner, &owner_plan_begin);
	}
}

static void decide(struct owner *owner)
{
	if (owner->released != NULL ||
	    state_page_mode(owner->page) == PAGE_RELEASING) {
		/* A label that is on its way to the disk would come after
		 * ours; anything else may be given up. */
		if (owner->plan != &owner_plan_release &&
		    !owner->writing_label) {
			owner_plan_start(owner, &owner_plan_release);
		}
		return;
	}
	if (owner->plan != NULL || owner_now() < owner->not_before) {
		return;
	}
	switch (state_page_mode(owner->page)) {
	case PAGE_MIRRORED:
		look_mirrored(owner);
		break;
	case PAGE_WAITING:
		look_waiting(owner);
		break;
	case PAGE_DEGRADED:
		look_degraded(owner);
		break;
	default:
		break;
	}
}

void owner_look(struct owner *owner)
{
	decide(owner);
	owner_reap_look(owner);
	owner_epoch_look(owner);
	owner_lease_look(owner);
	if (owner->plan != NULL && owner->poll != NULL) {
		owner->poll(owner);
	}
}

static void tick(void *private_data)
{
	struct owner *owner = private_data;

	/* First, as owner_look() may be the end of the owner. */
	owner->tick = timer_start(owner, owner->mirrord->ev, TICK_MS, tick,
				  owner);
	owner_look(owner);
}

/* -------------------------------------------------------------------- life */

static int owner_destructor(struct owner *owner)
{
	TALLOC_FREE(owner->tick);
	TALLOC_FREE(owner->kick);
	TALLOC_FREE(owner->request);
	TALLOC_FREE(owner->epoch_request);
	TALLOC_FREE(owner->lease.request);
	TALLOC_FREE(owner->rolling);
	TALLOC_FREE(owner->page);
	if (owner->root_fd != -1) {
		close(owner->root_fd);
	}
	return 0;
}

int owner_new(TALLOC_CTX *mem_ctx,
	      struct mirrord *mirrord,
	      const struct config_volume *volume,
	      struct state_page *page,
	      int root_fd,
	      const struct label *label,
	      struct owner **_owner)
{
	struct owner *owner = talloc_zero(mem_ctx, struct owner);
	int ret;

	if (owner == NULL) {
		return ENOMEM;
	}
	*owner = (struct owner){
		.mirrord = mirrord,
		.volume = volume,
		.page = talloc_steal(owner, page),
		.root_fd = root_fd,
		.label = *label,
		/* What an earlier mirrord closed, it has not wiped. */
		.closed = state_page_epoch(page) - 1,
		.closed_at = owner_now(),
	};
	owner->tick = timer_start(owner, mirrord->ev, 0, tick, owner);
	ret = owner->tick != NULL ? kick_start(owner) : ENOMEM;
	if (ret != 0) {
		owner->root_fd = -1;
		talloc_steal(mem_ctx, page);
		owner->page = NULL;
		talloc_free(owner);
		return ret;
	}
	talloc_set_destructor(owner, owner_destructor);
	*_owner = owner;
	return 0;
}

void owner_configure(struct owner *owner, const struct config_volume *volume)
{
	owner->volume = volume;
}

void owner_release(struct owner *owner,
		   bool forget_locks,
		   owner_released released,
		   void *private_data)
{
	owner->forget_locks = forget_locks;
	owner->released = released;
	owner->released_data = private_data;
	owner_look(owner);
}

void owner_disk_answered(struct owner *owner, int error)
{
	if (error == 0) {
		owner->refused_since = 0;
	} else if (owner->refused_since == 0) {
		owner->refused_since = owner_now();
	}
}

uint64_t owner_refused_ms(const struct owner *owner)
{
	return owner->refused_since != 0 ?
		owner_now() - owner->refused_since : 0;
}

const struct label *owner_label_there(const struct owner *owner)
{
	return owner->volume->cluster ? &owner->label : NULL;
}

void owner_sync_failed(struct owner *owner, int error)
{
	owner->sync_failed = true;
	event_log_once(EVENT_SYNCFS_FAILED, owner->volume->name,
		       "volume %s: syncfs of %s: %s", owner->volume->name,
		       owner->volume->mount_point, strerror(error));
}

void owner_status(struct owner *owner, struct owner_status *status)
{
	struct state_page *page = owner->page;

	*status = (struct owner_status){
		.mode = state_page_mode(page),
		.generation = owner->label.generation,
		.epoch = state_page_epoch(page),
		.wiped = state_page_wiped(page),
		.reserved = state_page_used_total(page),
		.capacity = state_page_capacity(page),
		.partner = owner->label.partner,
		.in_flight = state_page_in_flight(page),
		.processes = state_page_processes(page),
		.records_sent = state_page_records(page),
		.bytes_sent = state_page_bytes(page),
		.sync_failed = owner->sync_failed,
		.lease = state_page_lease(page) > state_page_clock(),
		.plan = owner->plan != NULL ? owner->plan->name : NULL,
		.problem = owner->problem,
	};
	if (status->mode == PAGE_MIRRORED && status->reserved > 0) {
		status->lag_ms = owner_now() - owner->closed_at;
	}
}
