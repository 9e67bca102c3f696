/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ask ctdb to move a service: its anchor to another node. That ctdb agrees is
 * not yet that the service is there: releaseip and takeip do the rest.
 *
 * Owns: how ctdb is asked.
 * Does not own: whether it shall be moved (giveback.h, move_away.c).
 */

#ifndef MIRRORD_SERVICE_MOVE_H
#define MIRRORD_SERVICE_MOVE_H

#include "mirrord.h"

struct tevent_req *service_move_send(TALLOC_CTX *mem_ctx,
				     const struct mirrord *mirrord,
				     const struct config_service *service,
				     uint32_t node);
/* 0; else *problem (child of mem_ctx) is what ctdb said. */
int service_move_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      char **problem);

#endif /* MIRRORD_SERVICE_MOVE_H */
