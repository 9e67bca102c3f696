/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ask ctdb to move a service, see service_move.h. */

#include <stdio.h>
#include <string.h>
#include "child.h"
#include "service_move.h"

#define MOVE_MS 20000

struct tevent_req *service_move_send(TALLOC_CTX *mem_ctx,
				     const struct mirrord *mirrord,
				     const struct config_service *service,
				     uint32_t node)
{
	char number[16];
	const char *argv[] = {
		"ctdb", "-t", "5", "moveip", service->addresses[0], number,
		NULL
	};

	snprintf(number, sizeof(number), "%u", node);
	return child_command_send(mem_ctx, mirrord->ev, argv, MOVE_MS, NULL,
				  NULL);
}

int service_move_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      char **problem)
{
	char *last = NULL;
	int ret = child_recv(req, mem_ctx, NULL, &last);

	*problem = NULL;
	if (ret != 0) {
		*problem = last != NULL ? last :
			talloc_strdup(mem_ctx, strerror(ret));
	} else {
		talloc_free(last);
	}
	talloc_free(req);
	return ret;
}
