/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A service that this node cannot serve, because of a disk of its own, is
 * given to a node that may have a better way to it.
 *
 * To call the node unhealthy would not do: ctdb takes all its services away
 * then, and stops those of a cluster that has no healthy node left.
 */

#include "../common/event_log.h"
#include "ctdb_view.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"
#include "service_move.h"

/* Nobody may be able to serve it: not for ever to and fro. */
#define PAUSE_MIN_MS 5000
#define PAUSE_MAX_MS 300000

static void moved(struct tevent_req *req)
{
	struct service_volume *volume = tevent_req_callback_data(
		req, struct service_volume);
	char *problem = NULL;

	if (service_move_recv(req, volume, &problem) != 0) {
		event_log_once(EVENT_NOT_MOVED, volume->config->name,
			       "service %s cannot be moved: %s",
			       volume->config->service->name, problem);
	}
	talloc_free(problem);
}

/* The next in the ring that is part of the cluster and answers. */
static bool find_other(const struct mirrord *mirrord, uint32_t *other)
{
	const struct nodes *nodes = mirrord->nodes;
	uint32_t i;

	for (i = 1; i < nodes->count; i++) {
		*other = (nodes->own + i) % nodes->count;
		if (peer_is_up(peer_find(mirrord->peers, *other)) &&
		    ctdb_view_connected(mirrord->view, *other) &&
		    !ctdb_view_excluded(mirrord->view, *other)) {
			return true;
		}
	}
	return false;
}

void move_away(struct service_volume *volume)
{
	const struct mirrord *mirrord = volume->mirrord;
	const char *anchor = volume->config->service->addresses[0];
	uint64_t now = service_now();
	struct tevent_req *req;
	uint32_t other;

	if (now < volume->next_move || !ctdb_view_settled(mirrord->view) ||
	    ctdb_view_host(mirrord->view, anchor) !=
	    (int)mirrord->nodes->own || !find_other(mirrord, &other)) {
		return;
	}
	volume->move_pause = volume->move_pause == 0 ? PAUSE_MIN_MS :
		2 * volume->move_pause;
	if (volume->move_pause > PAUSE_MAX_MS) {
		volume->move_pause = PAUSE_MAX_MS;
	}
	volume->next_move = now + volume->move_pause;
	event_log(EVENT_MOVED_AWAY, "service %s: this node cannot serve it, "
		  "node %u may", volume->config->service->name, other);
	req = service_move_send(volume, mirrord, volume->config->service,
				other, SERVICE_MOVE_SECONDS);
	if (req != NULL) {
		tevent_req_set_callback(req, moved, volume);
	}
}
