/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instead of service_move.c: ctdb is asked, and does not answer. */

#ifndef TESTS_UNIT_STUB_SERVICE_MOVE_H
#define TESTS_UNIT_STUB_SERVICE_MOVE_H

#include <string.h>
#include <tevent.h>
#include "service_move.h"

static struct {
	uint32_t count;
	uint32_t node;		/* the last one's */
	uint32_t seconds;
	int result;
	struct tevent_req *running;	/* NULL: ended, or killed */
} stub_move;

struct stub_move_state {
	struct tevent_req *req;
};

static int stub_move_destructor(struct stub_move_state *state)
{
	if (stub_move.running == state->req) {
		stub_move.running = NULL;
	}
	return 0;
}

struct tevent_req *service_move_send(TALLOC_CTX *mem_ctx,
				     const struct mirrord *mirrord,
				     const struct config_service *service,
				     uint32_t node,
				     uint32_t seconds)
{
	struct stub_move_state *state;

	stub_move.count++;
	stub_move.node = node;
	stub_move.seconds = seconds;
	stub_move.running = tevent_req_create(mem_ctx, &state,
					      struct stub_move_state);
	state->req = stub_move.running;
	talloc_set_destructor(state, stub_move_destructor);
	return stub_move.running;
}

int service_move_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
		      char **problem)
{
	*problem = stub_move.result != 0 ? talloc_strdup(mem_ctx, "no") : NULL;
	talloc_free(req);
	return stub_move.result;
}

#endif /* TESTS_UNIT_STUB_SERVICE_MOVE_H */
