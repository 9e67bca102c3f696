/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Letting this node use its disks again, see unfence.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "child.h"
#include "fence_agent.h"
#include "mount.h"
#include "nodes.h"
#include "unfence.h"

#define AGAIN_MS 10000
#define ON "on: "

/* ------------------------------------------------------------ in the child */

static bool any_mounted(const struct mirror_config *config, TALLOC_CTX *ctx,
			char **which)
{
	struct config_volume **v;

	for (v = config->volumes; *v != NULL; v++) {
		enum mount_state state = MOUNT_NONE;

		if ((*v)->cluster) {
			continue;	/* always; its file system knows */
		}
		mount_look(ctx, *v, &state, NULL);
		if (state == MOUNT_HERE || state == MOUNT_ELSEWHERE) {
			*which = talloc_strdup(ctx, (*v)->name);
			return true;
		}
	}
	return false;
}

static int unfence_agent(const struct mirror_config *config,
			 const struct config_agent *agent, int out,
			 TALLOC_CTX *ctx)
{
	const uint32_t ms = config->fence_timeout_ms;
	bool wanted, on;
	int status = -1;
	char *said = NULL;
	char *which;
	int ret;

	ret = fence_agent_unfences(ctx, agent, ms, &wanted);
	if (ret != 0 || !wanted) {
		/* Whether it works at all: check-takeover. */
		return 0;
	}
	ret = fence_agent_run(ctx, agent, "status", ms, false, &status, &said);
	on = ret == 0 && status == FENCE_AGENT_ON;
	if (on) {
		/* Able to fence others as well? It may lack its own key,
		 * which a restart takes away. */
		ret = fence_agent_run(ctx, agent, "monitor", ms, false,
				      &status, &said);
		if (ret == 0 && status == 0) {
			return 0;
		}
	}
	if (!on && any_mounted(config, ctx, &which)) {
		dprintf(out, "%s: this node is cut off its disks, and has "
			"volume %s mounted: restart it\n", agent->name, which);
		return EBUSY;
	}
	ret = fence_agent_run(ctx, agent, "on", ms, false, &status, &said);
	if (ret != 0 || status != 0) {
		dprintf(out, "%s\n", fence_agent_why(ctx, agent->name, ret,
						     status, said));
		return ret != 0 ? ret : EIO;
	}
	dprintf(out, ON "%s\n", agent->name);
	return 0;
}

static int unfence_all(int out, void *private_data)
{
	const struct mirrord *mirrord = private_data;
	const struct config_fence *fence = config_fence_find(
		mirrord->config->fences, mirrord->nodes->own);
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct config_level **level;
	struct config_agent **agent;
	int result = 0;

	child_close_sockets(-1);
	child_close_directories();
	for (level = fence->levels; *level != NULL; level++) {
		for (agent = (*level)->agents; *agent != NULL; agent++) {
			int ret = unfence_agent(mirrord->config, *agent, out,
						ctx);

			result = ret != 0 ? ret : result;
		}
	}
	return result;
}

/* ----------------------------------------------------------------- mirrord */

static void take_line(const char *line, void *private_data)
{
	if (strncmp(line, ON, strlen(ON)) == 0) {
		event_log(EVENT_UNFENCED, "this node may use its disks: %s",
			  line + strlen(ON));
	} else {
		event_log_once(EVENT_UNFENCE_FAILED, line, "%s", line);
	}
}

static void again(void *private_data)
{
	unfence_start(private_data);
}

static void done(struct tevent_req *req)
{
	struct mirrord *mirrord = tevent_req_callback_data(req,
							   struct mirrord);
	int ret = child_recv(req, mirrord, NULL, NULL);

	talloc_free(req);
	if (ret != 0) {
		timer_start(mirrord, mirrord->ev, AGAIN_MS, again, mirrord);
	}
}

void unfence_start(struct mirrord *mirrord)
{
	struct tevent_req *req;

	if (config_fence_find(mirrord->config->fences,
			      mirrord->nodes->own) == NULL) {
		return;
	}
	req = child_function_send(mirrord, mirrord->ev, unfence_all, mirrord,
				  0, take_line, NULL);
	if (req == NULL) {
		timer_start(mirrord, mirrord->ev, AGAIN_MS, again, mirrord);
		return;
	}
	tevent_req_set_callback(req, done, mirrord);
}
