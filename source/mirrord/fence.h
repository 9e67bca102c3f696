/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cutting a node off its disks.
 *
 * Owns: running the configured fence command, one at a time for a node; the
 * knowledge that a node was fenced and has not been heard of since.
 * Does not own: who is to be fenced (takeover.c).
 */

#ifndef MIRRORD_FENCE_H
#define MIRRORD_FENCE_H

#include "mirrord.h"

/* Was it fenced, and has it not been in reach since? */
bool fence_holds(struct mirrord *mirrord, uint32_t node);

/* Somebody else who fences the same node at the same time shares it. */
struct tevent_req *fence_send(TALLOC_CTX *mem_ctx,
			      struct mirrord *mirrord,
			      uint32_t node);
/* 0; else *problem (child of mem_ctx) says what to do. */
int fence_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem);

/* When was it fenced last? ns of state_page_clock(); 0: never. */
uint64_t fence_time(uint32_t node);

/* The administrator vouches for it (mirrorctl fenced PNN). */
void fence_confirm(struct mirrord *mirrord, uint32_t node);

#endif /* MIRRORD_FENCE_H */
