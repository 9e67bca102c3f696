/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a node is fenced: options mirror:fence PNN of [global].
 *
 *   mirror:fence 0 = fence_ipmilan ip=10.9.0.1 username=admin
 *                    password_script=/etc/samba/ipmi-password lanplus=1
 *   mirror:fence 0 second = fence_pdu ip=10.9.0.9 plug=3 and
 *                           fence_pdu ip=10.9.0.10 plug=3
 *   mirror:fence 0 third = fence_scsi devices=/dev/mapper/a key=ab0
 *
 * As in Pacemaker's fencing topology: the levels are tried in their order, and
 * one counts only if all its agents succeed (two power supplies). Options are
 * those of the agent, as `AGENT -o metadata' shows them; quotes keep blanks.
 *
 * Owns: the syntax, its messages.
 * Does not own: calling an agent (fence_agent.h), when (fence.h).
 */

#ifndef MIRROR_CONFIG_FENCE_H
#define MIRROR_CONFIG_FENCE_H

#include <stdint.h>
#include <talloc.h>

#define CONFIG_FENCE_NODES 64
#define CONFIG_FENCE_LEVELS 3

struct config_agent {
	const char *name;	/* fence_NAME, or a path */
	const char *action;	/* "off", or "reboot" if that was asked for */
	const char **options;	/* "name=value", NULL terminated */
};

struct config_level {
	struct config_agent **agents;	/* NULL terminated */
};

struct config_fence {
	uint32_t node;
	struct config_level **levels;	/* NULL terminated, at least one */
};

/*
 * One level. NULL if it is wrong; *problem (child of mem_ctx) then says what.
 */
struct config_level *config_fence_parse(TALLOC_CTX *mem_ctx,
					const char *text,
					char **problem);

/* NULL: none configured. fences: NULL terminated. */
const struct config_fence *config_fence_find(
	struct config_fence *const *fences, uint32_t node);

/*
 * All of them, with what get() says of an option; NULL if one is wrong, as
 * config_read().
 */
struct config_fence **config_fence_read(TALLOC_CTX *mem_ctx,
					const char *(*get)(const char *option),
					TALLOC_CTX *problem_ctx,
					char **problem);

#endif /* MIRROR_CONFIG_FENCE_H */
