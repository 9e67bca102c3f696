/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See operation.h. */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "operation.h"
#include "operation_trace.h"
#include "sender.h"

/* What a CANCEL takes is reserved with the operation that may need it, so
 * that cancelling never waits for room (R9). */
#define CANCEL_BYTES 512
/* At least what the store counts for a record on top of its encoding. */
#define RECORD_OVERHEAD 192

/* Waiting for somebody else's lock, for room, or for a decision. */
#define WAIT_MIN_US 50
#define WAIT_MAX_US 4000
/* Waiting for an acknowledgement: the link wakes us. */
#define WAIT_ACK_US 20000

/*
 * R7. The kernel is asked, not smbd: the groups in its current_user are freed
 * memory while it deletes on close.
 */
static int fill_credentials(struct mirror_operation *operation)
{
	struct record_credentials *credentials =
		&operation->record.credentials;
	gid_t groups[64];
	int n = getgroups(ARRAY_SIZE(groups), groups);
	int i;

	if (n == -1 && errno == EINVAL) {
		gid_t *many = NULL;

		n = getgroups(0, NULL);
		many = talloc_array(operation, gid_t, MAX(n, 1));
		if (many == NULL || getgroups(n, many) == -1) {
			return -1;
		}
		credentials->groups = talloc_array(operation, uint32_t, n);
		for (i = 0; credentials->groups != NULL && i < n; i++) {
			credentials->groups[i] = many[i];
		}
		TALLOC_FREE(many);
	} else if (n > 0) {
		credentials->groups = talloc_array(operation, uint32_t, n);
		for (i = 0; credentials->groups != NULL && i < n; i++) {
			credentials->groups[i] = groups[i];
		}
	}
	if (n > 0 && credentials->groups == NULL) {
		errno = ENOMEM;
		return -1;
	}
	credentials->num_groups = MAX(n, 0);
	credentials->uid = geteuid();
	credentials->gid = getegid();
	credentials->umask = operation->volume->umask;
	return 0;
}

struct mirror_operation *operation_new(TALLOC_CTX *mem_ctx,
				       struct mirror_volume *volume,
				       enum record_type type)
{
	struct mirror_operation *operation;
	struct timespec now;

	operation = talloc_zero(mem_ctx, struct mirror_operation);
	if (operation == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	operation->volume = volume;
	operation->record.type = type;
	if (trace_is_on(volume->trace)) {
		operation_trace_begin(operation);
	}
	if (fill_credentials(operation) == -1) {
		TALLOC_FREE(operation);
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	operation->record.time.seconds = now.tv_sec;
	operation->record.time.nanoseconds = now.tv_nsec;
	return operation;
}

void operation_lock(struct mirror_operation *operation, struct page_lock lock)
{
	SMB_ASSERT(operation->num_locks < PAGE_LOCKS_MAX);
	operation->locks[operation->num_locks++] = lock;
}

/* ------------------------------------------------------------------ steps */

/*
 * R11: this node does not own the volume any more. No answer may leave, not
 * even an error: the connection ends, the client comes back and finds the new
 * owner.
 */
static void volume_gone(struct mirror_volume *volume)
{
	if (volume->gone) {
		return;
	}
	volume->gone = true;
	DBG_NOTICE("volume %s is no longer owned by this node: "
		   "closing the connection\n", volume->name);
	while (volume->in_flight != NULL) {
		struct mirror_operation *operation = volume->in_flight;

		DLIST_REMOVE(volume->in_flight, operation);
		state_page_unlock(volume->page, &operation->hold);
		operation->state = OPERATION_DONE;
		operation->error = EIO;
	}
	exit_server_cleanly("samba-mirror: the volume moved to another node");
}

static void operation_end(struct mirror_operation *operation, int error)
{
	struct mirror_volume *volume = operation->volume;

	state_page_unlock(volume->page, &operation->hold);
	DLIST_REMOVE(volume->in_flight, operation);
	if (volume->alone == operation) {
		volume->alone = NULL;
	}
	operation->state = OPERATION_DONE;
	operation->error = error;
	if (operation->trace != NULL) {
		operation_trace_end(operation);
	}
}

static int operation_apply_now(struct mirror_operation *operation)
{
	int error = 0;

	operation_point(operation, TRACE_MAY_APPLY);
	errno = 0;
	if (operation->apply(operation, operation->private_data) == -1) {
		error = errno != 0 ? errno : EIO;
	}
	operation_point(operation, TRACE_APPLIED);
	return error;
}

/* Degraded: no partner, so the disk has to have it before the reply (R2). */
static bool step_degraded(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	uint64_t regime = state_page_regime(volume->page);
	/* A deferred one may have been applied, and have failed, before. */
	int error = operation->error;

	if (state_page_apply(volume->page, &operation->hold, PAGE_DEGRADED,
			     regime) != 0) {
		return true;
	}
	if (!operation->applied) {
		error = operation_apply_now(operation);
	}
	if (error == 0 && !volume->write_back &&
	    operation->harden(operation, operation->private_data) == -1) {
		error = errno;
		DBG_ERR("volume %s: the disk refused a write-through (%s); "
			"the client was told\n",
			volume->name, strerror(error));
	}
	operation_point(operation, TRACE_HARDENED);
	operation_end(operation, error);
	return true;
}

static bool step_send(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	uint64_t bytes;
	int ret;

	if (volume->state != SENDER_READY ||
	    volume->regime != state_page_regime(volume->page) ||
	    (volume->alone != NULL && volume->alone != operation)) {
		return false;
	}
	bytes = record_head_bound(&operation->record) +
		operation->record.data_length + RECORD_OVERHEAD + CANCEL_BYTES;
	ret = state_page_tag(volume->page, &operation->hold, volume->regime,
			     bytes);
	if (ret != 0) {
		/* R9: no room: wait, nothing is dropped. */
		return false;
	}
	operation_point(operation, TRACE_TAGGED);
	operation->regime = volume->regime;
	operation->incarnation = volume->partner.incarnation;
	operation->record.epoch = operation->hold.epoch;
	ret = sender_send(volume, operation);
	if (ret != 0 && ret != ENOTCONN) {
		DBG_ERR("volume %s: cannot encode a record: %s\n",
			volume->name, strerror(ret));
		operation_end(operation, ret);
		return true;
	}
	if (operation->alone) {
		volume->alone = operation;
	}
	operation->state = OPERATION_SENT;
	return true;
}

/*
 * The regime that the record was sent under is over. With the same store the
 * record counts, and what was not acknowledged is sent again (R5); a new
 * store has nothing of it, and in degraded mode there is none.
 */
static bool step_new_regime(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	enum page_mode mode = state_page_mode(volume->page);
	struct page_partner partner;
	uint64_t regime;

	if (mode == PAGE_MIRRORED &&
	    state_page_partner(volume->page, &partner, &regime) == 0 &&
	    mirror_id_equal(&partner.incarnation, &operation->incarnation)) {
		operation->regime = regime;
		return true;
	}
	if (mode != PAGE_MIRRORED && mode != PAGE_DEGRADED) {
		return false;
	}
	if (operation->state == OPERATION_CANCELLING) {
		/* The store that had the record is void. */
		operation_end(operation, operation->error);
		return true;
	}
	/* Its old number must not be taken for one of the new store's. */
	operation->record.sequence = 0;
	operation->acknowledged = false;
	operation->state = OPERATION_LOCKED;
	return true;
}

static bool step_cancel(struct mirror_operation *operation, int error)
{
	struct mirror_volume *volume = operation->volume;
	struct record *record = &operation->record;

	/* R2: the partner forgets it before the client hears of the error. */
	operation->error = error;
	*record = (struct record) {
		.type = RECORD_CANCEL,
		.cancels = record->sequence,
		.epoch = record->epoch,
		.time = record->time,
		.credentials = record->credentials,
	};
	operation->acknowledged = false;
	operation->state = OPERATION_CANCELLING;
	sender_send(volume, operation);
	return true;
}

static bool step_sent(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	bool may_apply = operation->acknowledged || operation->deferred;
	int error;

	if (!operation->applied && may_apply) {
		if (state_page_apply(volume->page, &operation->hold,
				     PAGE_MIRRORED, operation->regime) != 0) {
			return step_new_regime(operation);
		}
		error = operation_apply_now(operation);
		if (volume->alone == operation) {
			volume->alone = NULL;
		}
		if (error != 0 && operation->acknowledged) {
			return step_cancel(operation, error);
		}
		operation->error = error;
		operation->applied = true;
		state_page_pass(volume->page, &operation->hold);
		return true;
	}
	if (operation->applied && operation->acknowledged) {
		if (operation->error != 0) {
			return step_cancel(operation, operation->error);
		}
		operation_end(operation, 0);
		return true;
	}
	if (operation->regime != state_page_regime(volume->page)) {
		return step_new_regime(operation);
	}
	return false;
}

static bool step_cancelling(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;

	if (operation->acknowledged) {
		operation_end(operation, operation->error);
		return true;
	}
	if (operation->regime != state_page_regime(volume->page)) {
		return step_new_regime(operation);
	}
	return false;
}

static bool step_locked(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;

	switch (state_page_mode(volume->page)) {
	case PAGE_MIRRORED:
		return step_send(operation);
	case PAGE_DEGRADED:
		return step_degraded(operation);
	case PAGE_WAITING:
		return false;
	default:
		volume_gone(volume);
		return true;
	}
}

/* One step; false when it has to wait for something. */
static bool operation_step(struct mirror_operation *operation)
{
	switch (operation->state) {
	case OPERATION_LOCKED:
		return step_locked(operation);
	case OPERATION_SENT:
		return step_sent(operation);
	case OPERATION_CANCELLING:
		return step_cancelling(operation);
	default:
		return false;
	}
}

static void operation_advance(struct mirror_operation *operation)
{
	enum page_mode mode = state_page_mode(operation->volume->page);

	if (mode == PAGE_ABSENT || mode == PAGE_RELEASING) {
		volume_gone(operation->volume);
		return;
	}
	while (operation->state != OPERATION_DONE &&
	       operation_step(operation)) {
		;
	}
}

void operation_advance_all(struct mirror_volume *volume)
{
	struct mirror_operation *operation, *next;

	volume->news = false;
	for (operation = volume->in_flight; operation != NULL;
	     operation = next) {
		next = operation->next;
		if (operation->driven) {
			continue;
		}
		operation_advance(operation);
		if (operation->state != OPERATION_DONE) {
			continue;
		}
		if (operation->done != NULL) {
			operation->done(operation, operation->private_data);
		} else if (operation->deferred) {
			TALLOC_FREE(operation);
		}
	}
}

/* ---------------------------------------------------------------- waiting */

static void operation_wait(struct mirror_volume *volume,
			   bool for_link,
			   uint32_t *backoff)
{
	bool news;

	sender_service(volume);
	news = volume->news;
	operation_advance_all(volume);
	if (news) {
		/* It is read already: nothing would wake us up for it. */
		return;
	}
	if (for_link) {
		sender_wait(volume, WAIT_ACK_US, true);
	} else {
		sender_wait(volume, *backoff, false);
		*backoff = MIN(*backoff * 2, WAIT_MAX_US);
	}
	sender_service(volume);
}

void operation_await_right(struct mirror_volume *volume)
{
	uint32_t backoff = WAIT_MIN_US;
	int ret;

	while (!volume->gone &&
	       (ret = state_page_may_answer(volume->page)) != 0) {
		if (ret == ESTALE) {
			volume_gone(volume);
			return;
		}
		operation_wait(volume, false, &backoff);
	}
}

int operation_take_locks(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	uint32_t backoff = WAIT_MIN_US;
	int ret;

	if (volume->gone) {
		errno = EIO;
		return -1;
	}
	operation_point(operation, TRACE_ASKED);
	for (;;) {
		ret = state_page_lock(volume->page, volume->slot,
				      operation->locks, operation->num_locks,
				      &operation->hold);
		if (ret == 0) {
			break;
		}
		if (ret != EAGAIN) {
			errno = ret;
			return -1;
		}
		operation_wait(volume, false, &backoff);
		if (volume->gone) {
			errno = EIO;
			return -1;
		}
	}
	operation_point(operation, TRACE_LOCKED);
	operation->state = OPERATION_LOCKED;
	DLIST_ADD_END(volume->in_flight, operation);
	return 0;
}

void operation_abandon(struct mirror_operation *operation)
{
	int saved_errno = errno;

	if (operation->trace != NULL) {
		operation_trace_abandon(operation);
	}
	if (operation->state == OPERATION_LOCKED) {
		operation_end(operation, ECANCELED);
	}
	TALLOC_FREE(operation);
	errno = saved_errno;
}

static void operation_drive(struct mirror_operation *operation,
			    bool (*enough)(const struct mirror_operation *))
{
	struct mirror_volume *volume = operation->volume;
	uint32_t backoff = WAIT_MIN_US;

	operation->driven = true;
	sender_service(volume);
	for (;;) {
		bool for_link;

		operation_advance(operation);
		if (operation->state == OPERATION_DONE || enough(operation)) {
			break;
		}
		for_link = (operation->state == OPERATION_SENT ||
			    operation->state == OPERATION_CANCELLING) &&
			volume->state == SENDER_READY;
		operation_wait(volume, for_link, &backoff);
	}
	if (volume->news) {
		/* Others must not wait for the next acknowledgement. */
		operation_advance_all(volume);
	}
	operation->driven = false;
}

static bool enough_never(const struct mirror_operation *operation)
{
	return false;
}

static bool enough_applied(const struct mirror_operation *operation)
{
	return operation->applied && operation->error == 0;
}

static int operation_result(struct mirror_operation *operation)
{
	int error = operation->error;

	operation_await_right(operation->volume);
	operation_point(operation, TRACE_RETURNED);
	TALLOC_FREE(operation);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return 0;
}

int operation_run(struct mirror_operation *operation)
{
	if (operation->state == OPERATION_NEW &&
	    operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	operation_drive(operation, enough_never);
	return operation_result(operation);
}

static int harden_volume(struct mirror_operation *operation,
			 void *private_data)
{
	return syncfs(operation->volume->root_fd);
}

int operation_run_attribute(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;

	if (volume->num_collect == 0) {
		return operation_run(operation);
	}
	/* It outlives this call; operation_collect() waits for it. */
	talloc_steal(volume, operation);
	operation->deferred = true;
	if (operation->state == OPERATION_NEW &&
	    operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	operation_drive(operation, enough_applied);
	if (operation->state == OPERATION_DONE) {
		return operation_result(operation);
	}
	/* What the caller has on its stack is gone soon. */
	operation->apply = NULL;
	operation->harden = harden_volume;
	operation->private_data = NULL;
	operation_point(operation, TRACE_RETURNED);
	return 0;
}

static bool deferred_left(const struct mirror_volume *volume)
{
	const struct mirror_operation *operation;

	for (operation = volume->in_flight; operation != NULL;
	     operation = operation->next) {
		if (operation->deferred) {
			return true;
		}
	}
	return false;
}

void operation_collect(struct mirror_volume *volume)
{
	uint32_t backoff = WAIT_MIN_US;

	if (volume->traced != NULL) {
		operation_trace_collect(volume);
	}
	while (deferred_left(volume)) {
		operation_wait(volume, volume->state == SENDER_READY, &backoff);
		operation_advance_all(volume);
	}
	if (volume->traced != NULL) {
		operation_trace_collected(volume);
	}
}

int operation_start(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;

	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	operation->driven = true;
	operation->starting = true;
	sender_prepare(volume);
	operation_advance(operation);
	operation->starting = false;
	operation->driven = false;
	if (operation->state == OPERATION_DONE) {
		operation->done(operation, operation->private_data);
	}
	if (volume->news) {
		operation_advance_all(volume);
	}
	return 0;
}

void operation_finish(struct mirror_operation *operation)
{
	if (operation->state != OPERATION_DONE) {
		operation_drive(operation, enough_never);
	}
}
