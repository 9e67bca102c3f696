/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Can the other nodes be cut off from here? See check.h. */

#include <errno.h>
#include <string.h>
#include "check.h"
#include "fence_agent.h"

static bool in_reach(const struct check *check, uint32_t node)
{
	return check->facts[node] != NULL;
}

/* What can be tried of an agent without cutting anybody off. */
static void check_agent(struct check *check, uint32_t node,
			const struct config_agent *agent)
{
	const uint32_t ms = check->config->fence_timeout_ms;
	int status = -1;
	char *said;
	int ret;

	ret = fence_agent_run(check->ctx, agent, "monitor", ms, false, &status,
			      &said);
	if (ret == ENOENT) {
		check_found(check, CHECK_FENCE_AGENT_MISSING, "of node %u: %s",
			    node, agent->name);
		return;
	}
	if (ret != 0 || status != 0) {
		check_found(check, CHECK_FENCE_AGENT_FAILS, "of node %u, "
			    "action monitor: %s", node,
			    fence_agent_why(check->ctx, agent->name, ret,
					    status, said));
		return;
	}
	if (!check->fence_test) {
		return;
	}
	ret = fence_agent_run(check->ctx, agent, "status", ms, false, &status,
			      &said);
	if (ret == 0 && status == FENCE_AGENT_OFF && in_reach(check, node)) {
		check_found(check, CHECK_FENCE_WRONG_NODE, "%s says that node "
			    "%u is off, and it runs", agent->name, node);
	} else if (ret != 0 || (status != FENCE_AGENT_ON &&
				status != FENCE_AGENT_OFF)) {
		check_found(check, CHECK_FENCE_AGENT_FAILS, "of node %u, "
			    "action status: %s", node,
			    fence_agent_why(check->ctx, agent->name, ret,
					    status, said));
	}
}

static void check_node(struct check *check, uint32_t node)
{
	const struct config_fence *fence = config_fence_find(
		check->config->fences, node);
	struct config_level **level;
	struct config_agent **agent;

	if (fence == NULL && check->config->fence_command == NULL) {
		check_found(check, CHECK_NO_FENCE, "node %u cannot be cut off "
			    "its disks", node);
		return;
	}
	for (level = fence != NULL ? fence->levels : NULL;
	     level != NULL && *level != NULL; level++) {
		for (agent = (*level)->agents; *agent != NULL; agent++) {
			check_agent(check, node, *agent);
		}
	}
	if (check->fence_test && check->config->fence_command != NULL) {
		check_found(check, CHECK_FENCE_NOT_TESTABLE, "node %u: mirror:"
			    "fence command can only be tried by cutting the "
			    "node off", node);
	}
}

/* A cluster file system may do it itself. */
static bool is_needed(const struct check *check)
{
	struct config_volume **v;

	for (v = check->service->volumes; *v != NULL; v++) {
		if ((*v)->fence) {
			return true;
		}
	}
	return false;
}

void check_fence(struct check *check)
{
	uint32_t node;

	if (!is_needed(check)) {
		return;
	}

	for (node = 0; node < check->nodes->count; node++) {
		if (check->nodes->node[node].used && node != check->own) {
			check_node(check, node);
		}
	}
}
