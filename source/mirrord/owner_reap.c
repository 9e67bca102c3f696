/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations of dead smbds.
 *
 * Its clients were not answered, but the partner has records and would replay
 * them, in a state that others have changed since. So what a dead process had
 * sent is applied here, while its locks keep everybody else away (R3), and
 * only then its locks are freed.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/record.h"
#include "child.h"
#include "fetch.h"
#include "owner_private.h"
#include "replay.h"

#define REAP_MS 200
#define RETRY_MS 500
#define ROLL_MAX 4096

/* ---------------------------------------------- in the child: roll forward */

struct roll {
	struct owner *owner;
	struct replay *replay;
	struct mirror_id session;
	uint64_t first;
	uint64_t sequences[ROLL_MAX];
	uint32_t count;
	bool any;
};

static int sequence_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int roll_take(const struct mirror_id *session,
		     const uint8_t *record,
		     size_t length,
		     void *private_data)
{
	struct roll *roll = private_data;
	enum record_type type;
	uint64_t sequence, epoch;
	int ret;

	ret = record_peek(record, length, &type, &sequence, &epoch);
	if (ret != 0) {
		return ret;
	}
	/*
	 * Others of the same process were applied and answered, and may have
	 * been changed again since: not these. A cancellation counts.
	 */
	if (type != RECORD_CANCEL &&
	    bsearch(&sequence, roll->sequences, roll->count,
		    sizeof(sequence), sequence_compare) == NULL) {
		return 0;
	}
	roll->any = true;
	return replay_add(roll->replay, session, record, length);
}

static int roll_in_child(int out, void *private_data)
{
	struct roll *roll = private_data;
	struct owner *owner = roll->owner;
	struct replay_result result;
	int ret;

	child_close_sockets(-1);
	ret = replay_new(roll, owner->root_fd, &roll->replay);
	if (ret != 0) {
		return ret;
	}
	/* Also if there is nothing to redo: it ends the session, so that
	 * nothing of it arrives later. */
	ret = fetch_records(roll, owner->mirrord, owner->label.partner,
			    owner->volume->name,
			    owner->label.store_generation, &roll->session,
			    roll->first, roll_take, roll);
	if (ret != 0) {
		return ret;
	}
	if (!roll->any) {
		/* Inside of a create it may have changed attributes that the
		 * partner has no record of (R1's exception), and others see
		 * them from now on. replay_run() would do it as well. */
		return syncfs(owner->root_fd) == 0 ? 0 : errno;
	}
	ret = replay_run(roll->replay, NULL, NULL, &result);
	dprintf(out, "%s\n", replay_describe(roll, &result));
	return ret;
}

/* -------------------------------------------------------------- in mirrord */

static void roll_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	char *last = NULL;
	int ret;

	ret = child_recv(req, owner, NULL, &last);
	TALLOC_FREE(owner->rolling);
	if (ret == 0) {
		event_log(EVENT_ROLLED_FORWARD, "volume %s: a smbd died with "
			  "operations in flight: %s", owner->volume->name,
			  last != NULL ? last : "none");
		state_page_free_slot(owner->page, owner->rolling_slot);
		owner->next_reap = 0;
	} else {
		event_log_once(EVENT_ROLL_FORWARD_FAILED, owner->volume->name,
			       "volume %s: operations of a dead smbd: %s",
			       owner->volume->name, strerror(ret));
		owner->roll_retry = owner_now() + RETRY_MS;
	}
	talloc_free(last);
}

static void roll_start(struct owner *owner,
		       uint32_t slot,
		       const struct mirror_id *session,
		       uint64_t first_sequence)
{
	struct roll *roll = talloc_zero(owner, struct roll);
	uint32_t n;

	if (roll == NULL) {
		return;
	}
	roll->owner = owner;
	roll->session = *session;
	n = state_page_slot_sequences(owner->page, slot, roll->sequences,
				      ROLL_MAX);
	roll->first = first_sequence;
	roll->count = n < ROLL_MAX ? n : ROLL_MAX;
	owner->rolling_slot = slot;
	owner->rolling = child_function_send(owner, owner->mirrord->ev,
					     roll_in_child, roll, 0, NULL,
					     NULL);
	/* The child has its copy. */
	talloc_free(roll);
	if (owner->rolling != NULL) {
		tevent_req_set_callback(owner->rolling, roll_done, owner);
	}
}

static void reap_one(struct state_page *page,
		     uint32_t slot,
		     const struct mirror_id *session,
		     uint64_t first_sequence,
		     void *private_data)
{
	struct owner *owner = private_data;

	if (first_sequence == 0 ||
	    state_page_mode(page) == PAGE_DEGRADED) {
		/* It had sent nothing, or to a store that is void. */
		state_page_free_slot(page, slot);
		return;
	}
	if (state_page_mode(page) == PAGE_MIRRORED &&
	    owner->rolling == NULL && owner_now() >= owner->roll_retry) {
		roll_start(owner, slot, session, first_sequence);
	}
}

void owner_reap_look(struct owner *owner)
{
	if (owner_now() < owner->next_reap ||
	    (owner->plan != NULL &&
	     state_page_mode(owner->page) != PAGE_DEGRADED)) {
		return;
	}
	owner->next_reap = owner_now() + REAP_MS;
	state_page_reap(owner->page, reap_one, owner);
}

static void drop_one(struct state_page *page,
		     uint32_t slot,
		     const struct mirror_id *session,
		     uint64_t first_sequence,
		     void *private_data)
{
	state_page_free_slot(page, slot);
}

bool owner_reap_drop(struct owner *owner)
{
	if (owner->rolling != NULL) {
		child_kill(owner->rolling);
		return false;
	}
	state_page_reap(owner->page, drop_one, NULL);
	return true;
}
