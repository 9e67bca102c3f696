/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Epochs of a volume that this node owns: how records go away (R8, R9).
 *
 *   advance ─► nobody has the old epoch any more ─► syncfs ─► WIPE ─► wiped
 *
 * One epoch is on this way at a time; those that are closed meanwhile go
 * together the next time. So do those that are closed only because they are
 * large, as long as there is room for more: each syncfs costs the clients some
 * of the disk's time, and what is short-lived never gets there.
 */

#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "job.h"
#include "owner_private.h"
#include "peer.h"

#define WIPE_MS 10000
#define RETRY_MS 1000

/* So many of the ring are synced together under load; the others have room for
 * what comes meanwhile. */
#define TOGETHER (PAGE_EPOCH_RING / 2)

static void wipe_done(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	struct message *reply;
	int ret;

	ret = peer_request_recv(req, owner, &reply);
	TALLOC_FREE(owner->epoch_request);
	if (ret == 0 && reply->epoch == owner->closing) {
		state_page_set_wiped(owner->page, owner->closing);
		owner->closed_at = owner_now();
	} else {
		if (ret == EREMOTEIO) {
			event_log_once(EVENT_STORE_BROKEN,
				       owner->volume->name,
				       "volume %s: node %u does not wipe: %s",
				       owner->volume->name,
				       owner->label.partner, reply->text);
		}
		/* It is synced once more; nothing is lost by that. */
		owner->epoch_retry = owner_now() + RETRY_MS;
	}
	talloc_free(reply);
	owner_epoch_look(owner);
}

static void epoch_synced(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	const struct message wipe = {
		.type = FRAME_WIPE,
		.volume = owner->volume->name,
		.generation = owner->label.store_generation,
		.epoch = owner->closing,
	};
	struct peer *peer;
	int ret;

	ret = sync_recv(req);
	TALLOC_FREE(owner->epoch_request);
	if (ret != 0) {
		/*
		 * R9: after an error the kernel takes the pages for clean, so
		 * that a later success proves nothing: never purge again. The
		 * partner's store is what is left of these operations.
		 */
		owner_sync_failed(owner, ret);
		owner->epoch_retry = owner_now() + RETRY_MS;
		return;
	}
	if (owner->sync_failed) {
		owner->epoch_retry = owner_now() + 10 * RETRY_MS;
		return;
	}
	peer = peer_find(owner->mirrord->peers, owner->label.partner);
	if (peer == NULL || state_page_mode(owner->page) != PAGE_MIRRORED) {
		return;
	}
	owner->epoch_request = peer_request_send(owner, peer, &wipe, WIPE_MS);
	if (owner->epoch_request != NULL) {
		tevent_req_set_callback(owner->epoch_request, wipe_done,
					owner);
	}
}

static void close_epoch(struct owner *owner)
{
	if (owner->epoch_request != NULL ||
	    owner->closed <= state_page_wiped(owner->page) ||
	    owner_now() < owner->epoch_retry) {
		return;
	}
	if (owner->closed - state_page_wiped(owner->page) < TOGETHER &&
	    owner_now() < owner->close_at) {
		return;
	}
	/* R8: every operation of these epochs has been applied. */
	if (state_page_epoch_busy(owner->page, owner->closed)) {
		return;
	}
	owner->closing = owner->closed;
	owner->epoch_request = sync_send(owner, owner->mirrord->ev,
					 owner->root_fd);
	if (owner->epoch_request != NULL) {
		tevent_req_set_callback(owner->epoch_request, epoch_synced,
					owner);
	}
}

static void advance_epoch(struct owner *owner)
{
	uint64_t used = state_page_used(owner->page);
	uint64_t now = owner_now();
	bool first = owner->closed <= state_page_wiped(owner->page);
	bool half = used > state_page_capacity(owner->page) / 2;
	bool old = now >= owner->next_epoch;

	if (used == 0) {
		/* Age counts from the first record. */
		if (first) {
			owner->closed_at = now;
		}
		return;
	}
	/* While one is on its way a new one is begun only for room. */
	if (!half && !(old && first)) {
		return;
	}
	if (state_page_advance(owner->page, &owner->closed) == 0) {
		owner->next_epoch = now +
			owner->mirrord->config->epoch_interval_ms;
		owner->close_at = old ? now : owner->next_epoch;
	}
}

void owner_epoch_look(struct owner *owner)
{
	if (state_page_mode(owner->page) != PAGE_MIRRORED ||
	    owner->released != NULL) {
		return;
	}
	advance_epoch(owner);
	close_epoch(owner);
}

void owner_epoch_reset(struct owner *owner)
{
	uint64_t closed;

	TALLOC_FREE(owner->epoch_request);
	state_page_set_wiped(owner->page, state_page_epoch(owner->page));
	state_page_advance(owner->page, &closed);
	owner->closed = closed;
	owner->closed_at = owner_now();
	owner->epoch_retry = 0;
}
