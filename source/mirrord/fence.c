/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cutting a node off its disks, see fence.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/state_page.h"
#include "child.h"
#include "dlinklist.h"
#include "fence.h"
#include "nodes.h"
#include "peer.h"

struct fence_wait {
	struct fence_wait *prev, *next;
	struct tevent_req *req;
	uint32_t node;
	char *problem;
};

static struct {
	bool fenced;
	uint64_t times_up;	/* of the link, when it was fenced */
	uint64_t time;
	struct tevent_req *running;
	struct fence_wait *waiting;
} fences[NODES_MAX];

bool fence_holds(struct mirrord *mirrord, uint32_t node)
{
	struct peer *peer = peer_find(mirrord->peers, node);

	return fences[node].fenced && peer != NULL && !peer_is_up(peer) &&
		peer_times_up(peer) == fences[node].times_up;
}

void fence_confirm(struct mirrord *mirrord, uint32_t node)
{
	struct peer *peer = peer_find(mirrord->peers, node);

	if (peer != NULL) {
		fences[node].fenced = true;
		fences[node].times_up = peer_times_up(peer);
		fences[node].time = state_page_clock();
	}
}

uint64_t fence_time(uint32_t node)
{
	return node < NODES_MAX ? fences[node].time : 0;
}

static void fence_done(struct tevent_req *subreq)
{
	struct mirrord *mirrord = tevent_req_callback_data(subreq,
							   struct mirrord);
	TALLOC_CTX *frame = talloc_new(mirrord);
	char *last = NULL;
	uint32_t node;
	int status, ret;

	for (node = 0; node < NODES_MAX; node++) {
		if (fences[node].running == subreq) {
			break;
		}
	}
	ret = child_recv(subreq, frame, &status, &last);
	talloc_free(subreq);
	if (node == NODES_MAX) {
		talloc_free(frame);
		return;
	}
	fences[node].running = NULL;
	if (ret == 0) {
		fence_confirm(mirrord, node);
		event_log(EVENT_FENCED, "node %u is cut off", node);
	} else if (ret == ETIMEDOUT) {
		event_log(EVENT_FENCE_FAILED, "node %u: the fence command did "
			  "not end within %u ms", node,
			  mirrord->config->fence_timeout_ms);
	} else {
		event_log(EVENT_FENCE_FAILED, "node %u: the fence command "
			  "failed with status %d: %s", node, status,
			  last != NULL ? last : "it said nothing");
	}
	while (fences[node].waiting != NULL) {
		struct fence_wait *wait = fences[node].waiting;

		DLIST_REMOVE(fences[node].waiting, wait);
		if (ret == 0) {
			tevent_req_done(wait->req);
			continue;
		}
		wait->problem = talloc_asprintf(
			wait, "node %u could not be fenced (%s); when it is "
			"surely off: mirrorctl fenced %u", node,
			ret == ETIMEDOUT ? "no answer in time" :
			last != NULL ? last : "the fence command failed",
			node);
		tevent_req_error(wait->req, ret);
	}
	talloc_free(frame);
}

/* Every %N becomes the number. */
static char *substitute(TALLOC_CTX *mem_ctx, const char *text,
			const char *number)
{
	char *result = talloc_strdup(mem_ctx, "");
	const char *at;

	while ((at = strstr(text, "%N")) != NULL && result != NULL) {
		result = talloc_asprintf_append(result, "%.*s%s",
						(int)(at - text), text,
						number);
		text = at + 2;
	}
	return result != NULL ? talloc_asprintf_append(result, "%s", text) :
		NULL;
}

static int fence_start(struct mirrord *mirrord, uint32_t node)
{
	char number[16];
	char *command;
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };

	snprintf(number, sizeof(number), "%u", node);
	command = substitute(mirrord, mirrord->config->fence_command, number);
	if (command == NULL) {
		return ENOMEM;
	}
	event_log(EVENT_FENCING, "node %u: %s", node, command);
	argv[2] = command;
	fences[node].running = child_command_send(
		mirrord, mirrord->ev, argv, mirrord->config->fence_timeout_ms,
		NULL, NULL);
	talloc_free(command);
	if (fences[node].running == NULL) {
		return ENOMEM;
	}
	tevent_req_set_callback(fences[node].running, fence_done, mirrord);
	return 0;
}

static void wait_cleanup(struct tevent_req *req,
			 enum tevent_req_state req_state)
{
	struct fence_wait *wait = tevent_req_data(req, struct fence_wait);

	if (wait->prev != NULL || fences[wait->node].waiting == wait) {
		DLIST_REMOVE(fences[wait->node].waiting, wait);
	}
}

struct tevent_req *fence_send(TALLOC_CTX *mem_ctx,
			      struct mirrord *mirrord,
			      uint32_t node)
{
	struct fence_wait *wait;
	struct tevent_req *req;
	int ret = 0;

	req = tevent_req_create(mem_ctx, &wait, struct fence_wait);
	if (req == NULL) {
		return NULL;
	}
	wait->req = req;
	wait->node = node;
	if (mirrord->config->fence_command == NULL) {
		wait->problem = talloc_asprintf(
			wait, "node %u does not answer and may have the volume "
			"mounted; no fence command is configured. Set "
			"mirror:fence command, or, when the node is surely "
			"off: mirrorctl fenced %u", node, node);
		tevent_req_error(req, ENOENT);
		return tevent_req_post(req, mirrord->ev);
	}
	if (fences[node].running == NULL) {
		ret = fence_start(mirrord, node);
	}
	if (ret != 0) {
		tevent_req_error(req, ret);
		return tevent_req_post(req, mirrord->ev);
	}
	DLIST_ADD(fences[node].waiting, wait);
	tevent_req_set_cleanup_fn(req, wait_cleanup);
	return req;
}

int fence_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem)
{
	struct fence_wait *wait = tevent_req_data(req, struct fence_wait);
	enum tevent_req_state state;
	uint64_t error = 0;

	tevent_req_is_error(req, &state, &error);
	*problem = talloc_move(mem_ctx, &wait->problem);
	if (error != 0 && *problem == NULL) {
		*problem = talloc_strdup(mem_ctx, strerror((int)error));
	}
	tevent_req_received(req);
	return (int)error;
}
