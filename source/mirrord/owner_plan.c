/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps from one mode to another, see owner.h. */

#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "ctdb_view.h"
#include "job.h"
#include "mount.h"
#include "nodes.h"
#include "owner_private.h"
#include "peer.h"

#define STATE_MS 2000
#define BEGIN_MS 30000
#define AGAIN_MS 1000
/* smbds that lost their address go by themselves; those that do not ... */
#define PATIENCE_MS 5000

void owner_plan_start(struct owner *owner, const struct owner_plan *plan)
{
	TALLOC_FREE(owner->request);
	TALLOC_FREE(owner->problem);
	owner->plan = plan;
	owner->step = 0;
	owner->poll = NULL;
	owner->not_before = 0;
	owner->step_since = owner_now();
	plan->steps[0](owner);
}

void owner_plan_next(struct owner *owner)
{
	TALLOC_FREE(owner->request);
	owner->poll = NULL;
	owner->step++;
	owner->step_since = owner_now();
	if (owner->plan->steps[owner->step] == NULL) {
		owner->plan = NULL;
		owner_look(owner);
		return;
	}
	owner->plan->steps[owner->step](owner);
}

void owner_plan_fail(struct owner *owner, uint32_t retry_ms, char *problem)
{
	TALLOC_FREE(owner->request);
	talloc_free(owner->problem);
	owner->problem = problem;
	owner->poll = NULL;
	owner->plan = NULL;
	owner->not_before = owner_now() + retry_ms;
}

/* The step has to be done, whatever it takes: again after a while. */
static void step_again(struct owner *owner, owner_step step)
{
	TALLOC_FREE(owner->request);
	owner->poll = step;
	owner->not_before = owner_now() + AGAIN_MS;
}

static bool step_too_early(struct owner *owner)
{
	return owner->request != NULL || owner_now() < owner->not_before;
}

static void next_label(struct owner *owner, enum label_protection protection)
{
	owner->next = label_next(&owner->label, owner->mirrord->nodes->own,
				 protection);
}

/* --------------------------------------------------------- asking partners */

static bool ask(struct owner *owner, const struct message *request,
		uint32_t timeout_ms, tevent_req_fn done)
{
	struct peer *peer = peer_find(owner->mirrord->peers,
				      owner->candidate);

	if (peer == NULL) {
		owner_plan_fail(owner, AGAIN_MS, NULL);
		return false;
	}
	owner->request = peer_request_send(owner, peer, request, timeout_ms);
	if (owner->request == NULL) {
		owner_plan_fail(owner, AGAIN_MS, NULL);
		return false;
	}
	tevent_req_set_callback(owner->request, done, owner);
	return true;
}

static void ask_state(struct owner *owner, tevent_req_fn done)
{
	const struct message request = {
		.type = FRAME_STATE,
		.volume = owner->volume->name,
		.generation = owner->label.generation,
	};

	ask(owner, &request, STATE_MS, done);
}

static void may_begin_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	struct message *reply;
	int ret;

	ret = peer_request_recv(req, owner, &reply);
	if (ret != 0) {
		talloc_free(reply);
		owner_plan_fail(owner, 100, NULL);
		return;
	}
	if (reply->role == VOLUME_ROLE_OWNER) {
		talloc_free(reply);
		owner_plan_fail(owner, AGAIN_MS, talloc_asprintf(
			owner, "node %u has, or is about to take, the volume",
			owner->candidate));
		return;
	}
	talloc_free(reply);
	owner_plan_next(owner);
}

static void step_may_begin(struct owner *owner)
{
	ask_state(owner, may_begin_done);
}

static void begin_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	struct message *reply;
	int ret;

	ret = peer_request_recv(req, owner, &reply);
	if (ret == EREMOTEIO) {
		owner_plan_fail(owner, AGAIN_MS, talloc_asprintf(
			owner, "node %u cannot be partner: %s",
			owner->candidate, reply->text));
		event_log_once(EVENT_STORE_BROKEN, owner->volume->name,
			       "volume %s: %s", owner->volume->name,
			       owner->problem);
	} else if (ret != 0 ||
		   reply->generation != owner->label.generation + 1 ||
		   mirror_id_is_none(&reply->incarnation)) {
		owner_plan_fail(owner, AGAIN_MS, NULL);
	} else {
		owner->granted = reply->bytes;
		next_label(owner, LABEL_MIRRORED);
		owner->next.partner = owner->candidate;
		owner->next.store_generation = owner->next.generation;
		owner->next.incarnation = reply->incarnation;
		talloc_free(reply);
		owner_plan_next(owner);
		return;
	}
	talloc_free(reply);
}

static void step_begin_store(struct owner *owner)
{
	const struct message request = {
		.type = FRAME_BEGIN,
		.volume = owner->volume->name,
		.generation = owner->label.generation + 1,
		.epoch = state_page_epoch(owner->page) + 1,
		.bytes = owner->mirrord->config->store_size / PAGE_EPOCH_RING,
	};

	ask(owner, &request, BEGIN_MS, begin_done);
}

/* ------------------------------------------------------------ freeze, sync */

static void sync_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	int ret;

	ret = sync_recv(req);
	if (ret == 0) {
		owner_plan_next(owner);
		return;
	}
	owner_sync_failed(owner, ret);
	if (owner->plan == &owner_plan_release) {
		/* The partner's store still has everything. */
		owner_plan_next(owner);
		return;
	}
	step_again(owner, owner->plan->steps[owner->step]);
}

static void step_sync(struct owner *owner)
{
	if (step_too_early(owner)) {
		return;
	}
	owner->poll = NULL;
	owner->request = sync_send(owner, owner->mirrord->ev, owner->root_fd);
	if (owner->request == NULL) {
		step_again(owner, step_sync);
		return;
	}
	tevent_req_set_callback(owner->request, sync_done, owner);
}

/* The generation that is not the label's says: no way back (owner.h). */
static void step_hold(struct owner *owner)
{
	state_page_set_mode(owner->page, PAGE_WAITING,
			    owner->label.generation + 1, NULL);
	if (owner->waiting_since == 0) {
		owner->waiting_since = owner_now();
	}
	owner_plan_next(owner);
}

static void step_drain(struct owner *owner)
{
	if (!owner_reap_drop(owner) || state_page_applying(owner->page)) {
		owner->poll = step_drain;
		return;
	}
	owner_plan_next(owner);
}

/* ------------------------------------------------------------------ labels */

static void label_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	int ret;

	ret = label_write_recv(req);
	owner->writing_label = false;
	owner_disk_answered(owner, ret);
	if (ret == 0) {
		owner->label = owner->next;
		if (owner->label.protection == LABEL_DEGRADED) {
			owner_lease_renewed(owner, owner->label_begun);
		}
		if (owner->label.protection != LABEL_CLEAN) {
			owner_lease_go_on(owner);
		}
		owner_plan_next(owner);
		return;
	}
	event_log_once(EVENT_LABEL_FAILED, owner->volume->name,
		       "volume %s: cannot write the label: %s",
		       owner->volume->name, strerror(ret));
	if (owner->plan == &owner_plan_release) {
		owner->sync_failed = true;
		owner_plan_next(owner);
		return;
	}
	step_again(owner, owner->plan->steps[owner->step]);
}

static void write_label(struct owner *owner)
{
	if (owner_lease_writes(owner)) {
		owner->poll = owner->plan->steps[owner->step];
		return;
	}
	owner->poll = NULL;
	owner->label_begun = state_page_clock();
	owner->request = label_write_send(owner, owner->mirrord->ev,
					  owner->root_fd,
					  owner_label_there(owner),
					  &owner->next);
	if (owner->request == NULL) {
		step_again(owner, owner->plan->steps[owner->step]);
		return;
	}
	owner->writing_label = true;
	tevent_req_set_callback(owner->request, label_done, owner);
}

static void step_label_mirrored(struct owner *owner)
{
	if (step_too_early(owner)) {
		return;
	}
	/* Who finds the new label on the disk waits for the leases that it
	 * granted itself, and not for one of the disk. */
	owner_lease_stop(owner);
	write_label(owner);
}

static void step_label_degraded(struct owner *owner)
{
	if (step_too_early(owner)) {
		return;
	}
	if (owner->label.protection == LABEL_DEGRADED) {
		owner_plan_next(owner);
		return;
	}
	next_label(owner, LABEL_DEGRADED);
	write_label(owner);
}

/* ------------------------------------------------------------------ resume */

static void tell_mirroring(struct owner *owner, bool new_store)
{
	uint64_t paused = owner->waiting_since != 0 ?
		owner_now() - owner->waiting_since : 0;

	/* A link that a single smbd lost is no news. */
	if (owner->lost_logged || paused > 100 || new_store) {
		event_log(EVENT_MIRRORING, "volume %s: node %u has every "
			  "record from now on (%s store, generation %llu, "
			  "clients waited %llu ms)",
			  owner->volume->name, owner->label.partner,
			  new_store ? "new" : "same",
			  (unsigned long long)owner->label.generation,
			  (unsigned long long)paused);
	}
	owner->waiting_since = 0;
	owner->lost_logged = false;
}

static uint64_t link_times_up(struct owner *owner)
{
	struct peer *peer = peer_find(owner->mirrord->peers,
				      owner->label.partner);

	return peer != NULL ? peer_times_up(peer) : 0;
}

static void set_mirrored(struct owner *owner)
{
	struct page_partner partner = {
		.address = owner->mirrord->nodes->node[
			owner->label.partner].address,
		.node = owner->label.partner,
		.incarnation = owner->label.incarnation,
		.generation = owner->label.store_generation,
	};

	owner->times_up = link_times_up(owner);
	state_page_set_mode(owner->page, PAGE_MIRRORED,
			    owner->label.generation, &partner);
}

static void step_mirror_new(struct owner *owner)
{
	/* Epochs of an older store are stable and gone; the new store
	 * expects the next one. */
	owner_epoch_reset(owner);
	/* The store counts what tdb wastes, smbds do not. */
	state_page_set_capacity(owner->page, owner->granted / 4 * 3);
	set_mirrored(owner);
	tell_mirroring(owner, true);
	owner_plan_next(owner);
}

static void step_degraded(struct owner *owner)
{
	owner_epoch_reset(owner);
	state_page_set_mode(owner->page, PAGE_DEGRADED,
			    owner->label.generation, NULL);
	event_log(EVENT_DEGRADED, "volume %s: served without a partner "
		  "(generation %llu, clients waited %llu ms)",
		  owner->volume->name,
		  (unsigned long long)owner->label.generation,
		  (unsigned long long)(owner->waiting_since != 0 ?
				       owner_now() - owner->waiting_since :
				       0));
	owner->waiting_since = 0;
	owner->lost_logged = false;
	owner_plan_next(owner);
}

static void resume_state_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	struct message *reply;
	bool same;
	int ret;

	ret = peer_request_recv(req, owner, &reply);
	if (ret != 0) {
		talloc_free(reply);
		owner_plan_fail(owner, 20, NULL);
		return;
	}
	if (reply->role == VOLUME_ROLE_OWNER) {
		talloc_free(reply);
		owner_plan_fail(owner, AGAIN_MS, talloc_asprintf(
			owner, "node %u is about to take the volume",
			owner->candidate));
		return;
	}
	same = reply->generation == owner->label.store_generation &&
		mirror_id_equal(&reply->incarnation,
				&owner->label.incarnation);
	talloc_free(reply);
	if (same && owner->plan == &owner_plan_check) {
		owner->times_up = link_times_up(owner);
		owner_plan_next(owner);
		return;
	}
	if (same) {
		/* R5: smbds send again what was not acknowledged. */
		set_mirrored(owner);
		tell_mirroring(owner, false);
		/* It may not work for a smbd although it does for us. */
		owner->not_before = owner_now() + 50;
		owner_plan_next(owner);
		return;
	}
	event_log(EVENT_STORE_LOST, "volume %s: node %u has lost its mirror "
		  "store", owner->volume->name, owner->label.partner);
	/* R5: first all has to be stable; then a new store can begin. */
	owner_plan_start(owner, &owner_plan_degrade);
}

static void step_check(struct owner *owner)
{
	ask_state(owner, resume_state_done);
}

static void step_resume(struct owner *owner)
{
	ask_state(owner, resume_state_done);
}

/* ----------------------------------------------------------------- release */

static void step_stop(struct owner *owner)
{
	/* A generation above the label's, as in step_hold(). */
	state_page_set_mode(owner->page, PAGE_RELEASING,
			    owner->label.generation + 1, NULL);
	owner_lease_stop(owner);
	owner_plan_next(owner);
}

static void step_idle(struct owner *owner)
{
	if (owner_reap_drop(owner) &&
	    state_page_in_flight(owner->page) == 0) {
		owner_plan_next(owner);
		return;
	}
	owner->poll = step_idle;
	if (owner_now() - owner->step_since > PATIENCE_MS) {
		/* They hold operations that will never be answered. */
		mount_end_holders(owner->mirrord, owner->volume);
		owner->step_since = owner_now();
	}
}

static void step_label_clean(struct owner *owner)
{
	if (owner->sync_failed) {
		/* R9: nothing says that the disk has it. The next owner
		 * replays the store. */
		owner_plan_next(owner);
		return;
	}
	next_label(owner, LABEL_CLEAN);
	if (owner->forget_locks) {
		owner->next.lock_space = owner->next.generation;
	}
	write_label(owner);
}

static void released_later(struct tevent_context *ev,
			   struct tevent_immediate *im,
			   void *private_data)
{
	struct owner *owner = private_data;

	owner->released(&owner->label, owner->released_data);
}

static void step_absent(struct owner *owner)
{
	struct tevent_immediate *im = tevent_create_immediate(owner);

	owner_epoch_reset(owner);
	state_page_set_mode(owner->page, PAGE_ABSENT,
			    owner->label.generation, NULL);
	owner->poll = NULL;
	if (im != NULL && owner->released != NULL) {
		/* Its callback frees the owner. */
		tevent_schedule_immediate(im, owner->mirrord->ev,
					  released_later, owner);
	}
}

/* ------------------------------------------------------------------- plans */

/*
 * The first sync is long and nobody waits for it, so that the second, during
 * which everybody waits, is short. The label is durable before the first
 * operation under the new regime is answered (R11).
 */
static const owner_step begin_steps[] = {
	step_may_begin, step_begin_store, step_sync, step_hold, step_drain,
	step_sync, step_label_mirrored, step_mirror_new, NULL
};
static const owner_step check_steps[] = { step_check, NULL };
static const owner_step resume_steps[] = { step_resume, NULL };
static const owner_step degrade_steps[] = {
	step_hold, step_drain, step_sync, step_label_degraded, step_degraded,
	NULL
};
static const owner_step release_steps[] = {
	step_sync, step_stop, step_idle, step_sync, step_label_clean,
	step_absent, NULL
};

const struct owner_plan owner_plan_begin = { "beginning to mirror",
	begin_steps };
const struct owner_plan owner_plan_check = { "checking", check_steps };
const struct owner_plan owner_plan_resume = { "resuming", resume_steps };
const struct owner_plan owner_plan_degrade = { "going on alone",
	degrade_steps };
const struct owner_plan owner_plan_release = { "releasing", release_steps };
