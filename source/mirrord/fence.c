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
#include "fence_agent.h"
#include "nodes.h"
#include "peer.h"

struct fence_wait {
	struct fence_wait *prev, *next;
	struct tevent_req *req;
	uint32_t node;
	char *problem;
};

static struct {
	uint64_t times_up;	/* of the link, when the fence began */
	uint64_t time;		/* when it ended; ns, state_page_clock() */
	struct tevent_req *running;
	struct fence_wait *waiting;
	bool fenced;
	bool link_was_up;	/* when the fence began */
	bool heard;		/* of the node, since then */
	uint32_t failures;	/* in a row */
	uint64_t not_before;	/* no attempt before; ns, as time */
	char *problem;		/* of the last one that failed */
} fences[NODES_MAX];

/* ctdb asks again every second, and an agent that fails does not get better by
 * being called as often: it may even lock the account that it uses. */
uint32_t fence_pause_ms(uint32_t failures)
{
	static const uint32_t pauses_ms[] = {
		0, 1000, 2000, 4000, 8000, 16000
	};
	const uint32_t n = sizeof(pauses_ms) / sizeof(pauses_ms[0]);

	return failures < n ? pauses_ms[failures] : FENCE_PAUSE_MAX_MS;
}

static void worked(uint32_t node)
{
	fences[node].failures = 0;
	fences[node].not_before = 0;
	TALLOC_FREE(fences[node].problem);
}

bool fence_holds(struct mirrord *mirrord, uint32_t node)
{
	struct peer *peer = peer_find(mirrord->peers, node);

	return fences[node].fenced && peer != NULL && !peer_is_up(peer) &&
		peer_times_up(peer) == fences[node].times_up;
}

/* From here on a word of the node makes the fence a thing of the past. */
static void begin(uint32_t node, const struct peer *peer)
{
	fences[node].times_up = peer_times_up(peer);
	fences[node].link_was_up = peer_is_up(peer);
	fences[node].heard = false;
}

static void confirm(uint32_t node, const struct peer *peer)
{
	fences[node].time = state_page_clock();
	/* It may be on again already, or never have been off the network. */
	fences[node].fenced = !fences[node].heard &&
		!fences[node].link_was_up &&
		peer_times_up(peer) == fences[node].times_up;
}

void fence_confirm(struct mirrord *mirrord, uint32_t node)
{
	struct peer *peer = peer_find(mirrord->peers, node);

	if (peer != NULL) {
		begin(node, peer);
		confirm(node, peer);
		worked(node);
	}
}

void fence_forget(uint32_t node)
{
	if (node < NODES_MAX) {
		fences[node].fenced = false;
		fences[node].heard = true;
		worked(node);
	}
}

uint64_t fence_time(uint32_t node)
{
	return node < NODES_MAX ? fences[node].time : 0;
}

static void failed(struct mirrord *mirrord, uint32_t node, int ret,
		   int status, const char *last)
{
	uint32_t pause_ms = fence_pause_ms(++fences[node].failures);
	const char *why = ret == ETIMEDOUT ? "no answer in time" :
		last != NULL && last[0] != '\0' ? last : "it said nothing";

	fences[node].not_before = state_page_clock() +
		UINT64_C(1000000) * pause_ms;
	talloc_free(fences[node].problem);
	fences[node].problem = talloc_asprintf(
		mirrord, "node %u could not be fenced (%s); when it is surely "
		"off: mirrorctl fenced %u", node, why, node);
	event_log(EVENT_FENCE_FAILED, "node %u: fencing failed %u times, "
		  "status %d: %s; not tried again for %u ms", node,
		  fences[node].failures, status, why, pause_ms);
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
	if (ret == 0 && peer_find(mirrord->peers, node) != NULL) {
		confirm(node, peer_find(mirrord->peers, node));
		event_log(EVENT_FENCED, "node %u is cut off", node);
		worked(node);
	} else {
		failed(mirrord, node, ret, status, last);
	}
	while (fences[node].waiting != NULL) {
		struct fence_wait *wait = fences[node].waiting;

		DLIST_REMOVE(fences[node].waiting, wait);
		if (ret == 0) {
			tevent_req_done(wait->req);
			continue;
		}
		wait->problem = talloc_strdup(wait, fences[node].problem);
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

/* ------------------------------------------------------------------ levels */

/* In the child. A level counts if all its agents succeed. */
static bool run_level(TALLOC_CTX *mem_ctx, const struct config_level *level,
		      uint32_t timeout_ms, int out)
{
	struct config_agent **agent;

	for (agent = level->agents; *agent != NULL; agent++) {
		char *said;
		int status;
		int ret = fence_agent_run(mem_ctx, *agent, (*agent)->action,
					  timeout_ms, false, &status, &said);

		if (ret != 0 || status != 0) {
			dprintf(out, "%s\n", fence_agent_why(
				mem_ctx, (*agent)->name, ret, status, said));
			return false;
		}
	}
	return true;
}

struct levels {
	const struct mirror_config *config;
	const struct config_fence *fence;
	const char *command;	/* the last level; NULL: none */
};

static int run_levels(int out, void *private_data)
{
	const struct levels *levels = private_data;
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct config_level **level;
	char *said;
	int status;
	int ret;

	/* What it starts has no business with our links and volumes. */
	child_close_sockets(-1);
	child_close_directories();
	for (level = levels->fence->levels; *level != NULL; level++) {
		if (run_level(ctx, *level, levels->config->fence_timeout_ms,
			      out)) {
			return 0;
		}
	}
	if (levels->command == NULL) {
		return ECHILD;
	}
	ret = fence_agent_shell(ctx, levels->command,
				levels->config->fence_timeout_ms, &status,
				&said);
	if (ret != 0 || status != 0) {
		dprintf(out, "%s\n", fence_agent_why(ctx, "fence command",
						     ret, status, said));
		return ECHILD;
	}
	return 0;
}

static void level_failed(const char *line, void *private_data)
{
	const uint32_t *node = private_data;

	event_log(EVENT_FENCE_LEVEL, "node %u: %s", *node, line);
}

static uint32_t own_number[NODES_MAX];

static struct tevent_req *start_levels(struct mirrord *mirrord, uint32_t node,
				       const char *command)
{
	struct levels levels = {
		.config = mirrord->config,
		.fence = config_fence_find(mirrord->config->fences, node),
		.command = command,
	};
	struct config_level **level;
	uint32_t agents = 1;	/* the command, and time for the rest */

	/* No line is without an agent. */
	if (levels.fence->levels[0] == NULL) {
		return NULL;
	}
	for (level = levels.fence->levels; *level != NULL; level++) {
		agents += (uint32_t)talloc_array_length((*level)->agents) - 1;
	}
	event_log(EVENT_FENCING, "node %u: %s%s", node,
		  levels.fence->levels[0]->agents[0]->name,
		  agents > 2 ? " first" : "");
	own_number[node] = node;
	/* The child has a copy of levels. */
	return child_function_send(
		mirrord, mirrord->ev, run_levels, &levels,
		agents * (mirrord->config->fence_timeout_ms + 2000),
		level_failed, &own_number[node]);
}

static int fence_start(struct mirrord *mirrord, uint32_t node)
{
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	char *command = NULL;
	char number[16];

	snprintf(number, sizeof(number), "%u", node);
	if (mirrord->config->fence_command != NULL) {
		command = substitute(mirrord, mirrord->config->fence_command,
				     number);
		if (command == NULL) {
			return ENOMEM;
		}
	}
	if (config_fence_find(mirrord->config->fences, node) != NULL) {
		fences[node].running = start_levels(mirrord, node, command);
	} else {
		event_log(EVENT_FENCING, "node %u: %s", node, command);
		argv[2] = command;
		fences[node].running = child_command_send(
			mirrord, mirrord->ev, argv,
			mirrord->config->fence_timeout_ms, NULL, NULL);
	}
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
	if (mirrord->config->fence_command == NULL &&
	    config_fence_find(mirrord->config->fences, node) == NULL) {
		wait->problem = talloc_asprintf(
			wait, "node %u does not answer and may have the volume "
			"mounted; no fence is configured for it. Set "
			"mirror:fence %u or mirror:fence command, or, when the "
			"node is surely off: mirrorctl fenced %u", node, node,
			node);
		tevent_req_error(req, ENOENT);
		return tevent_req_post(req, mirrord->ev);
	}
	if (fences[node].running == NULL && fences[node].problem != NULL &&
	    state_page_clock() < fences[node].not_before) {
		wait->problem = talloc_strdup(wait, fences[node].problem);
		tevent_req_error(req, EAGAIN);
		return tevent_req_post(req, mirrord->ev);
	}
	if (fences[node].running == NULL) {
		begin(node, peer_find(mirrord->peers, node));
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
