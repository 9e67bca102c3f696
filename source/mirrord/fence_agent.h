/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Calling a fence agent of the fence-agents package, as it is: options on its
 * standard input, name=value, so that no secret is in the list of processes.
 *
 * Owns: the agent's process, its time limit, what its exit status means.
 * Does not own: which agents (config_fence.h), when (fence.h).
 *
 * These functions wait: for child processes of mirrord and for mirrorctl.
 */

#ifndef MIRRORD_FENCE_AGENT_H
#define MIRRORD_FENCE_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "../common/config_fence.h"

/* Exit status of action status. */
#define FENCE_AGENT_ON 0
#define FENCE_AGENT_OFF 2

/*
 * 0 with *status, its exit status; ENOENT: there is no such program; ETIMEDOUT
 * (it is killed then); errno. *said (child of mem_ctx): its last line, or all
 * of its output, at most 256 KiB.
 */
int fence_agent_run(TALLOC_CTX *mem_ctx,
		    const struct config_agent *agent,
		    const char *action,
		    uint32_t timeout_ms,
		    bool all,
		    int *status,
		    char **said);

/* The same for a command of a shell. */
int fence_agent_shell(TALLOC_CTX *mem_ctx,
		      const char *command,
		      uint32_t timeout_ms,
		      int *status,
		      char **said);

/* Does the agent want action `on' of a node before that may use its disks
 * (fence_scsi)? 0; or errno, EIO: its metadata could not be had. */
int fence_agent_unfences(TALLOC_CTX *mem_ctx,
			 const struct config_agent *agent,
			 uint32_t timeout_ms,
			 bool *unfences);

/* Why it failed, in words; child of mem_ctx. */
char *fence_agent_why(TALLOC_CTX *mem_ctx, const char *agent, int ret,
		      int status, const char *said);

#endif /* MIRRORD_FENCE_AGENT_H */
