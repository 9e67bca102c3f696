/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The owner's right to answer (R12), see owner.h.
 *
 * Whoever may take the volume over grants it, for a lease at a time:
 *
 *   label MIRRORED   the partner, by LEASE; it grants nothing any more once
 *                    it has begun to take over
 *   label DEGRADED   the disk, by accepting a new label: a fenced owner's is
 *                    refused, and who fenced it waits for one lease
 *
 * A lease counts from before it was asked for, so it ends here before it ends
 * there, however long the answer was on its way.
 */

#include <string.h>
#include "../common/event_log.h"
#include "nodes.h"
#include "owner_private.h"
#include "peer.h"

/* Asked for so many times in its length. */
#define LEASE_PARTS 4
/* As for a ping: a loop that does not turn for so long is as bad as dead. */
#define LEASE_TIMEOUT_MS 2500

static uint64_t lease_ns(const struct owner *owner)
{
	return (uint64_t)owner->mirrord->config->lease_ms * 1000000;
}

void owner_lease_renewed(struct owner *owner, uint64_t asked_at)
{
	state_page_set_lease(owner->page, asked_at + lease_ns(owner));
}

void owner_lease_stop(struct owner *owner)
{
	owner->lease.stopped = true;
	state_page_set_lease(owner->page, 0);
}

void owner_lease_go_on(struct owner *owner)
{
	owner->lease.stopped = false;
	owner->lease.next = 0;
	owner_lease_look(owner);
}

bool owner_lease_writes(const struct owner *owner)
{
	return owner->lease.request != NULL && owner->lease.by_disk;
}

/* Is what was asked for still what is wanted? */
static bool lease_counts(const struct owner *owner)
{
	return !owner->lease.stopped &&
		owner->lease.generation == owner->label.generation;
}

static void partner_answered(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	struct message *reply = NULL;
	int ret;

	ret = peer_request_recv(req, owner, &reply);
	TALLOC_FREE(owner->lease.request);
	if (ret == 0 && lease_counts(owner) &&
	    reply->generation == owner->label.store_generation &&
	    reply->duration_ms == owner->mirrord->config->lease_ms) {
		owner_lease_renewed(owner, owner->lease.asked_at);
	}
	talloc_free(reply);
}

static void ask_partner(struct owner *owner)
{
	struct peer *peer = peer_find(owner->mirrord->peers,
				      owner->label.partner);
	const struct message request = {
		.type = FRAME_LEASE,
		.volume = owner->volume->name,
		.generation = owner->label.store_generation,
		.duration_ms = owner->mirrord->config->lease_ms,
	};

	if (!peer_is_up(peer)) {
		/* The first thing to do when it is. */
		owner->lease.next = 0;
		return;
	}
	owner->lease.request = peer_request_send(owner, peer, &request,
						 LEASE_TIMEOUT_MS);
	if (owner->lease.request != NULL) {
		tevent_req_set_callback(owner->lease.request,
					partner_answered, owner);
	}
}

static void disk_answered(struct tevent_req *req)
{
	struct owner *owner = tevent_req_callback_data(req, struct owner);
	int ret;

	ret = label_write_recv(req);
	TALLOC_FREE(owner->lease.request);
	owner_disk_answered(owner, ret);
	if (ret != 0) {
		event_log_once(EVENT_LABEL_FAILED, owner->volume->name,
			       "volume %s: the disk refuses the label, so "
			       "nothing is answered: %s", owner->volume->name,
			       strerror(ret));
		return;
	}
	owner->label.beat = owner->lease.beat;
	if (lease_counts(owner)) {
		owner_lease_renewed(owner, owner->lease.asked_at);
	}
}

static void ask_disk(struct owner *owner)
{
	struct label label = owner->label;

	if (owner->writing_label) {
		owner->lease.next = 0;
		return;
	}
	/* The same attribute once more would not reach the disk. */
	label.beat++;
	owner->lease.beat = label.beat;
	owner->lease.request = label_write_send(owner, owner->mirrord->ev,
						owner->root_fd,
						owner_label_there(owner),
						&label);
	if (owner->lease.request != NULL) {
		tevent_req_set_callback(owner->lease.request, disk_answered,
					owner);
	}
}

void owner_lease_look(struct owner *owner)
{
	uint64_t now = state_page_clock();

	if (owner->lease.stopped || owner->lease.request != NULL ||
	    now < owner->lease.next) {
		return;
	}
	owner->lease.next = now + lease_ns(owner) / LEASE_PARTS;
	owner->lease.asked_at = now;
	owner->lease.generation = owner->label.generation;
	owner->lease.by_disk = owner->label.protection == LABEL_DEGRADED;
	if (owner->lease.by_disk) {
		ask_disk(owner);
	} else if (owner->label.protection == LABEL_MIRRORED) {
		ask_partner(owner);
	}
}
