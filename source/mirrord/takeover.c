/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking over a volume: who has it, fence, mount. See service.h; what comes
 * after mounting is in takeover_replay.c.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "ctdb_view.h"
#include "fence.h"
#include "known_disk.h"
#include "mount.h"
#include "mount_cluster.h"
#include "nodes.h"
#include "partner.h"
#include "peer.h"
#include "takeover.h"

/* A node that ctdb sees, or that says it is the owner although ctdb has
 * excluded it, has so long to answer properly. */
#define CHECK_PATIENCE_MS 30000
#define STATE_MS 2000
/* Attempts with less time between them are one takeover: ctdb asks for some
 * seconds, and again when releaseip is over, which may hang elsewhere. */
#define ROW_MS 20000
/* A node that ctdb does not see will hardly answer. */
#define STATE_SHORT_MS 300

static int takeover_destructor(struct takeover *takeover)
{
	TALLOC_FREE(takeover->request);
	if (takeover->root_fd != -1) {
		close(takeover->root_fd);
	}
	return 0;
}

struct takeover *takeover_get(struct service_volume *volume)
{
	if (volume->takeover == NULL) {
		volume->takeover = talloc_zero(volume, struct takeover);
		if (volume->takeover == NULL) {
			return NULL;
		}
		volume->takeover->volume = volume;
		volume->takeover->mirrord = volume->mirrord;
		volume->takeover->root_fd = -1;
		talloc_set_destructor(volume->takeover, takeover_destructor);
	}
	return volume->takeover;
}

void takeover_abort(struct service_volume *volume)
{
	volume->release_wanted = volume->release_wanted &&
		volume->state != SERVICE_ABSENT;
	TALLOC_FREE(volume->takeover);
}

void takeover_end(struct takeover *takeover, enum service_event event,
		  enum service_result result, char *problem)
{
	struct service_volume *volume = takeover->volume;

	service_problem(volume, result, problem);
	service_event(volume, event);
}

/* Tell at which time of the takeover it is. */
uint64_t takeover_time(struct service_volume *volume)
{
	uint64_t ms = service_now() - volume->timeline.started;

	return ms != 0 ? ms : 1;
}

/* ------------------------------------------------------ who has the volume */

static void check_next(struct takeover *takeover);

static void not_yet(struct takeover *takeover, char *problem)
{
	ctdb_view_hurry(takeover->mirrord->view);
	takeover_end(takeover, SERVICE_EVENT_FAILED, SERVICE_NOT_YET, problem);
}

static void has_not(struct takeover *takeover)
{
	takeover->node++;
	check_next(takeover);
}

static void fence_finished(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	char *problem;
	int ret;

	ret = fence_recv(req, volume, &problem);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		takeover_end(takeover, SERVICE_EVENT_FAILED, SERVICE_FAILED,
			     problem);
		return;
	}
	talloc_free(problem);
	volume->timeline.fenced = takeover_time(volume);
	has_not(takeover);
}

static void fence(struct takeover *takeover)
{
	if (fence_holds(takeover->mirrord, takeover->node)) {
		has_not(takeover);
		return;
	}
	/* R13: the side that was not elected must not shoot the other. */
	if (!ctdb_view_settled(takeover->mirrord->view)) {
		not_yet(takeover, talloc_asprintf(
			takeover->volume, "ctdb is in recovery, or this node "
			"is not part of its cluster; node %u is not fenced "
			"before that is over", takeover->node));
		return;
	}
	/* Its file system cuts off who is out. R12 and the label do the rest
	 * (takeover_replay.c). */
	if (!takeover->volume->config->fence) {
		if (ctdb_view_excluded(takeover->mirrord->view,
				       takeover->node)) {
			has_not(takeover);
			return;
		}
		not_yet(takeover, talloc_asprintf(
			takeover->volume, "node %u does not answer, ctdb has "
			"not excluded it, and this volume is not to be fenced "
			"by mirrord; restart mirrord there, or stop the node",
			takeover->node));
		return;
	}
	takeover->request = fence_send(takeover, takeover->mirrord,
				       takeover->node);
	if (takeover->request == NULL) {
		not_yet(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, fence_finished, takeover);
}

/* For how long have attempts in a row been waiting for others? */
static bool patience_is_over(struct service_volume *volume)
{
	return service_now() - volume->first_attempt > CHECK_PATIENCE_MS;
}

static void no_answer(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;

	if (ctdb_view_connected(takeover->mirrord->view, takeover->node) &&
	    !patience_is_over(volume)) {
		/* It may be starting, which it does not go on with while ctdb
		 * waits for us here. */
		volume->giving_at = service_now();
		not_yet(takeover, talloc_asprintf(
			volume, "ctdb sees node %u, but its mirrord does not "
			"answer; waiting for it before it is fenced",
			takeover->node));
		return;
	}
	fence(takeover);
}

static void state_answered(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	struct message *reply;
	uint32_t role;
	int ret;

	ret = peer_request_recv(req, takeover, &reply);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		talloc_free(reply);
		no_answer(takeover);
		return;
	}
	role = reply->role;
	talloc_free(reply);
	if (role != VOLUME_ROLE_OWNER) {
		has_not(takeover);
		return;
	}
	/*
	 * It is releasing, as a rule. But if ctdb has excluded it and it does
	 * not let go, its word is not enough.
	 */
	if (ctdb_view_excluded(takeover->mirrord->view, takeover->node) &&
	    patience_is_over(volume)) {
		fence(takeover);
		return;
	}
	if (ctdb_view_connected(takeover->mirrord->view, takeover->node)) {
		volume->giving_at = service_now();
	}
	not_yet(takeover, talloc_asprintf(
		volume, "node %u has not released it yet", takeover->node));
}

static void check_next(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;
	struct mirrord *mirrord = takeover->mirrord;
	const struct message request = {
		.type = FRAME_STATE,
		.volume = volume->config->name,
	};
	struct peer *peer = NULL;
	bool seen;

	for (; takeover->node < mirrord->nodes->count; takeover->node++) {
		peer = peer_find(mirrord->peers, takeover->node);
		if (peer != NULL &&
		    !service_has_released(volume, takeover->node)) {
			break;
		}
	}
	if (takeover->node >= mirrord->nodes->count) {
		volume->timeline.checked = takeover_time(volume);
		service_event(volume, SERVICE_EVENT_OK);
		return;
	}
	if (!peer_is_up(peer)) {
		no_answer(takeover);
		return;
	}
	seen = ctdb_view_connected(mirrord->view, takeover->node);
	takeover->request = peer_request_send(takeover, peer, &request,
					      seen ? STATE_MS :
					      STATE_SHORT_MS);
	if (takeover->request == NULL) {
		not_yet(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, state_answered, takeover);
}

static void check_later(struct tevent_context *ev,
			struct tevent_immediate *im,
			void *private_data)
{
	check_next(private_data);
}

void takeover_check(struct service_volume *volume)
{
	struct takeover *takeover = takeover_get(volume);
	struct tevent_immediate *im;
	uint64_t now = service_now();

	if (volume->last_attempt == 0 ||
	    now - volume->last_attempt > ROW_MS) {
		volume->first_attempt = now;
		volume->timeline = (struct service_timeline){ .started = now };
	}
	volume->last_attempt = now;
	if (takeover == NULL) {
		return;
	}
	im = tevent_create_immediate(takeover);
	if (im != NULL) {
		tevent_schedule_immediate(im, volume->mirrord->ev, check_later,
					  takeover);
	}
}

/* ------------------------------------------------------------------- mount */

static void mounted(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;

	volume->timeline.mounted = takeover_time(volume);
	if (!volume->config->cluster) {
		event_log(EVENT_MOUNTED, "volume %s: %s on %s",
			  volume->config->name, volume->config->device,
			  volume->config->mount_point);
	}
	service_event(volume, SERVICE_EVENT_OK);
}

static void cannot_mount(struct takeover *takeover, char *problem)
{
	struct service_volume *volume = takeover->volume;

	takeover_end(takeover, SERVICE_EVENT_FAILED, SERVICE_FAILED, problem);
	/* The first one may have been bad luck. */
	if (volume->failures > 1) {
		move_away(volume);
	}
}

static void mount_finished(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	char *problem;
	int ret;

	ret = mount_recv(req, takeover, &problem);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		cannot_mount(takeover, talloc_asprintf(
			volume, "cannot mount %s: %s", volume->config->device,
			problem));
		return;
	}
	mounted(takeover);
}

static void mount_now(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;

	takeover->request = mount_send(takeover, volume->mirrord->ev,
				       volume->config);
	if (takeover->request == NULL) {
		cannot_mount(takeover, talloc_strdup(volume, "out of memory"));
		return;
	}
	tevent_req_set_callback(takeover->request, mount_finished, takeover);
}

static void looked(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	char *problem;

	known_disk_look_recv(req, takeover, takeover->volume->config,
			     &takeover->disk, &problem);
	TALLOC_FREE(takeover->request);
	if (problem != NULL) {
		cannot_mount(takeover, problem);
		return;
	}
	mount_now(takeover);
}

static void answered(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	int ret = mount_answer_recv(req);

	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		cannot_mount(takeover, talloc_asprintf(
			volume, "%s: cannot read the volume's label: %s",
			volume->config->mount_point, strerror(ret)));
		return;
	}
	mounted(takeover);
}

void takeover_mount(struct service_volume *volume)
{
	const struct config_volume *config = volume->config;
	struct takeover *takeover = takeover_get(volume);
	enum mount_state state;
	char *other = NULL;
	char *problem;
	int ret;

	/* From here on nobody else's records count: whoever sent them is
	 * known not to be the owner any more. */
	partner_seal(volume->mirrord->partner, config->name);

	ret = mount_look(takeover, config, &state, &other);
	if (ret != 0) {
		problem = talloc_asprintf(
			volume, "mirror:%s device = %s: %s", config->name,
			config->device, ret == ENOTBLK ?
			"is not a block device" : strerror(ret));
	} else if (state == MOUNT_ELSEWHERE) {
		problem = talloc_asprintf(
			volume, "%s is mounted on %s already; unmount it there",
			config->device, other);
	} else if (state == MOUNT_OTHER) {
		problem = talloc_asprintf(
			volume, "%s is occupied by %s; mirror:%s mount point "
			"must be a folder of its own", config->mount_point,
			other, config->name);
	} else if (state == MOUNT_HERE && config->cluster) {
		takeover->request = mount_answer_send(
			takeover, volume->mirrord->ev, config);
		if (takeover->request != NULL) {
			tevent_req_set_callback(takeover->request, answered,
						takeover);
			return;
		}
		problem = talloc_strdup(volume, "out of memory");
	} else if (state == MOUNT_HERE) {
		mounted(takeover);
		return;
	} else if (state == MOUNT_UNFIT) {
		problem = talloc_asprintf(
			volume, "%s: %s", config->mount_point, other);
	} else {
		takeover->request = known_disk_look_send(
			takeover, volume->mirrord->ev, config);
		if (takeover->request != NULL) {
			tevent_req_set_callback(takeover->request, looked,
						takeover);
			return;
		}
		problem = talloc_strdup(volume, "out of memory");
	}
	cannot_mount(takeover, problem);
}
