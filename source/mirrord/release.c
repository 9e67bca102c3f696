/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving a volume away: release, unmount, tell the others. See service.h. */

#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "child.h"
#include "ctdb_view.h"
#include "mount.h"
#include "mount_cluster.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"

#define AGAIN_MS 200
#define FREE_AGAIN_MS 20
/* smbds whose clients are gone end by themselves; the others are ended. */
#define PATIENCE_MS 1500
#define END_MS 2000
#define ADDRESSES_MS 5000

/* --------------------------------------------------------------- RELEASING */

static void owner_is_done(const struct label *label, void *private_data)
{
	struct service_volume *volume = private_data;

	volume->label = *label;
	if (label->protection != LABEL_CLEAN) {
		event_log(EVENT_RELEASE_FAILED, "volume %s: its disk failed; "
			  "the next owner replays what node %u holds",
			  volume->config->name, label->partner);
	}
	TALLOC_FREE(volume->owner);
	service_event(volume, SERVICE_EVENT_OK);
}

void release_start(struct service_volume *volume)
{
	volume->timeline = (struct service_timeline){
		.started = service_now()
	};
	/* A node that is not part of ctdb has its databases for itself. */
	if (!ctdb_view_settled(volume->mirrord->view)) {
		volume->forget_locks = true;
	}
	/* What this node's own databases have stays here, and the volume may
	 * come back after others changed it: nobody may find it then. */
	owner_release(volume->owner, volume->forget_locks ||
		      volume->mirrord->config->local_locks, owner_is_done,
		      volume);
}

static void addresses_done(struct tevent_req *req)
{
	struct service_volume *volume = tevent_req_callback_data(
		req, struct service_volume);
	char *last = NULL;

	if (child_recv(req, volume, NULL, &last) != 0) {
		event_log(EVENT_RELEASE_FAILED, "volume %s: the addresses of "
			  "its service stay on this node: %s",
			  volume->config->name, last != NULL ? last : "?");
	}
	talloc_free(last);
	talloc_free(req);
}

void release_addresses(struct service_volume *volume)
{
	static const char drop[] =
		"for a; do ip -o address show to \"$a\" | "
		"while read -r _ dev _ prefix _; do "
		"ip address del \"$prefix\" dev \"$dev\"; done; done";
	const char **addresses = volume->config->service->addresses;
	size_t i, n = talloc_array_length(addresses) - 1;
	const char **argv = talloc_zero_array(volume, const char *, n + 5);
	struct tevent_req *req = NULL;

	if (argv != NULL) {
		argv[0] = "/bin/sh";
		argv[1] = "-c";
		argv[2] = drop;
		argv[3] = "sh";
		for (i = 0; i < n; i++) {
			argv[4 + i] = addresses[i];
		}
		req = child_command_send(volume, volume->mirrord->ev, argv,
					 ADDRESSES_MS, NULL, NULL);
	}
	if (req != NULL) {
		tevent_req_set_callback(req, addresses_done, volume);
	}
	talloc_free(argv);
}

/* -------------------------------------------------------------- UNMOUNTING */

struct unmount {
	struct service_volume *volume;
	struct tevent_req *request;
	struct timer *timer;
	uint64_t ended_holders;		/* ms */
};

static void unmount_try(struct unmount *unmount);
static void free_try(struct unmount *unmount);

static void unmount_again(void *private_data)
{
	struct unmount *unmount = private_data;

	unmount->timer = NULL;
	if (unmount->volume->config->cluster) {
		free_try(unmount);
	} else {
		unmount_try(unmount);
	}
}

static void unmount_later(struct unmount *unmount, uint32_t ms)
{
	struct service_volume *volume = unmount->volume;

	unmount->timer = timer_start(unmount, volume->mirrord->ev, ms,
				     unmount_again, unmount);
}

static void unmount_done(struct tevent_req *req)
{
	struct unmount *unmount = tevent_req_callback_data(req,
							   struct unmount);
	struct service_volume *volume = unmount->volume;
	uint64_t now = service_now();
	char *problem = NULL;
	int ret;

	ret = umount_recv(req, unmount, &problem);
	TALLOC_FREE(unmount->request);
	if (ret == 0) {
		/* It may have been mounted more than once. */
		unmount_later(unmount, 1);
		return;
	}
	service_problem(volume, SERVICE_NOT_YET,
			talloc_asprintf(volume, "cannot unmount: %s",
					problem));
	talloc_free(problem);
	if (now - volume->state_since > PATIENCE_MS &&
	    now - unmount->ended_holders > PATIENCE_MS) {
		unmount->ended_holders = now;
		mount_end_holders(volume->mirrord, volume->config);
	}
	unmount_later(unmount, AGAIN_MS);
}

/* ------------------------------------------------ volumes that stay mounted */

static void freed(struct tevent_req *req)
{
	struct unmount *unmount = tevent_req_callback_data(req,
							   struct unmount);
	int ret = mount_free_recv(req);

	TALLOC_FREE(unmount->request);
	if (ret == 0) {
		service_event(unmount->volume, SERVICE_EVENT_OK);
	} else {
		unmount_later(unmount, FREE_AGAIN_MS);
	}
}

/* No smbd that has files open here may find the volume again when it is back:
 * what it knows of them is old then. */
static void free_try(struct unmount *unmount)
{
	struct service_volume *volume = unmount->volume;
	bool end = service_now() - volume->state_since > PATIENCE_MS;

	unmount->request = mount_free_send(unmount, volume->mirrord,
					   volume->config, end);
	if (unmount->request == NULL) {
		unmount_later(unmount, AGAIN_MS);
		return;
	}
	tevent_req_set_callback(unmount->request, freed, unmount);
}

static void unmount_try(struct unmount *unmount)
{
	struct service_volume *volume = unmount->volume;
	enum mount_state state = MOUNT_NONE;
	int ret;

	ret = mount_look(unmount, volume->config, &state, NULL);
	if (ret == 0 && state != MOUNT_HERE) {
		service_event(volume, SERVICE_EVENT_OK);
		return;
	}
	unmount->request = umount_send(unmount, volume->mirrord->ev,
				       volume->config);
	if (unmount->request == NULL) {
		unmount_later(unmount, AGAIN_MS);
		return;
	}
	tevent_req_set_callback(unmount->request, unmount_done, unmount);
}

void release_unmount(struct service_volume *volume)
{
	takeover_abort(volume);
	volume->unmount = talloc_zero(volume, struct unmount);
	if (volume->unmount == NULL) {
		return;
	}
	volume->unmount->volume = volume;
	unmount_later(volume->unmount, 0);
}

/* ------------------------------------------------------------- and goodbye */

static void end_answered(struct tevent_req *req)
{
	struct mirrord *mirrord = tevent_req_callback_data(req,
							   struct mirrord);
	struct message *reply;

	peer_request_recv(req, mirrord, &reply);
	talloc_free(reply);
	talloc_free(req);
}

/*
 * END to everybody: to the partner that its store is of no use, and to all
 * that this node does not have the volume. When it then goes down nobody need
 * fence it. Only if the label is clean: else the store is needed.
 */
static void tell_others(struct service_volume *volume)
{
	struct mirrord *mirrord = volume->mirrord;
	const struct message request = {
		.type = FRAME_END,
		.volume = volume->config->name,
		.generation = volume->label.generation,
		.role = VOLUME_ROLE_NONE,
	};
	uint32_t i;

	for (i = 0; i < mirrord->nodes->count; i++) {
		struct peer *peer = peer_find(mirrord->peers, i);
		struct tevent_req *req;

		if (!peer_is_up(peer)) {
			continue;
		}
		req = peer_request_send(mirrord, peer, &request, END_MS);
		if (req != NULL) {
			tevent_req_set_callback(req, end_answered, mirrord);
		}
	}
}

void release_done(struct service_volume *volume)
{
	TALLOC_FREE(volume->unmount);
	if (volume->label.protection == LABEL_CLEAN) {
		service_problem(volume, SERVICE_OK, NULL);
		event_log(EVENT_RELEASED, "volume %s: %s (%s)",
			  volume->config->name, volume->config->cluster ?
			  "given away" : "unmounted",
			  label_describe(volume, &volume->label));
		tell_others(volume);
	}
	volume->label = (struct label){ .generation = 0 };
	/* Whoever heard it may mount it now without asking us. */
	volume->released = 0;
}
