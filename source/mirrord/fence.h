/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cutting a node off its disks.
 *
 * Owns: running the node's fence agents, level by level, then the fence
 * command, one at a time for a node; pauses after failures; the knowledge that
 * a node was fenced and has not been heard of since, on whichever side's
 * links.
 * Does not own: who is to be fenced (takeover.c), how an agent is called
 * (fence_agent.h), bringing this node back (unfence.h).
 */

#ifndef MIRRORD_FENCE_H
#define MIRRORD_FENCE_H

#include "mirrord.h"

/* Was it fenced, and has it not been in reach since? */
bool fence_holds(struct mirrord *mirrord, uint32_t node);

/* How long nothing is tried after so many failures in a row; the node heard of,
 * or an administrator's word, end it. */
#define FENCE_PAUSE_MAX_MS 30000
uint32_t fence_pause_ms(uint32_t failures);

/* Somebody else who fences the same node at the same time shares it. EAGAIN
 * while it pauses. */
struct tevent_req *fence_send(TALLOC_CTX *mem_ctx,
			      struct mirrord *mirrord,
			      uint32_t node);
/* 0; else *problem (child of mem_ctx) says what to do. */
int fence_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem);

/* It was heard of. */
void fence_forget(uint32_t node);

/* When was it fenced last? ns of state_page_clock(); 0: never. */
uint64_t fence_time(uint32_t node);

/* The administrator vouches for it (mirrorctl fenced PNN). */
void fence_confirm(struct mirrord *mirrord, uint32_t node);

#endif /* MIRRORD_FENCE_H */
