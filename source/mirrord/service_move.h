/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ask ctdb to move a service: its anchor to another node, or to this one once
 * more. That ctdb agrees is not yet that the service is there: releaseip and
 * takeip do the rest.
 *
 * Owns: how ctdb is asked, and when: never while it moves addresses itself.
 * Does not own: whether it shall be moved (giveback.h, move_away.c, wanted.h).
 *
 * `ctdb moveip' does not look whether one of ctdb's takeover runs is under way.
 * The run then finds the address "in flight", twice, and its node is banned. So
 * takeover runs are held back first, and only if all nodes say that they hold
 * (or one has said nothing for five seconds) is the tool asked. What it cannot
 * do at once it would try again after three seconds, without a look at what
 * happened since: it is ended before.
 */

#ifndef MIRRORD_SERVICE_MOVE_H
#define MIRRORD_SERVICE_MOVE_H

#include "mirrord.h"

/* ctdb may take so many seconds for each of its steps. */
#define SERVICE_MOVE_SECONDS 5
/* To the node that has it already: takeip is called, nothing is released. */
#define SERVICE_MOVE_HERE_SECONDS 2

/* Freed: the tool is killed. */
struct tevent_req *service_move_send(TALLOC_CTX *mem_ctx,
				     const struct mirrord *mirrord,
				     const struct config_service *service,
				     uint32_t node,
				     uint32_t seconds);
/* 0; else *problem (child of mem_ctx) is what ctdb said. */
int service_move_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      char **problem);

#endif /* MIRRORD_SERVICE_MOVE_H */
