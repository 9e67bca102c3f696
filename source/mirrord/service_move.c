/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ask ctdb to move a service, see service_move.h. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "child.h"
#include "ctdb_session.h"
#include "death_recoverd.h"
#include "nodes.h"
#include "service_move.h"

/* Whoever asked may ask again. */
#define HOLD_MS 5000
#define HOLD_AGAIN_MS 250
#define ANSWER_MS 1000
#define MOVE_MS 20000

struct move {
	const char *socket;
	const char *anchor;
	uint32_t own;
	uint32_t node;
	uint32_t seconds;
};

struct move_state {
	struct tevent_req *child;
	char *problem;
};

/* --------------------------------------------------------------- in a child */

static int connected_nodes(struct session *session, uint64_t *nodes)
{
	const struct ctdb_question question = {
		CTDB_GET_NODEMAP, CTDB_THIS_NODE
	};
	struct ctdb_answer *answer;
	struct ctdb_flags flags;
	int ret = session_ask(session, session, &question, 1,
			      session_now() + ANSWER_MS, &answer);

	if (ret != 0) {
		return ret;
	}
	ret = ctdb_answer_nodemap(answer, &flags) ? 0 : EPROTO;
	*nodes = flags.connected;
	talloc_free(answer);
	return ret;
}

static int hold_once(struct session *session, const struct move *move)
{
	uint64_t nodes = 0;
	int ret;

	if (recoverd_death_is_at_work()) {
		return EBUSY;
	}
	ret = connected_nodes(session, &nodes);
	/* As long as the tool would. */
	return ret != 0 ? ret :
		recoverd_hold_takeovers_of(session, nodes, move->own,
					   2 * move->seconds,
					   session_now() + ANSWER_MS);
}

/* Nobody tells when a takeover run is over. */
static int hold(struct session *session, const struct move *move)
{
	const uint64_t until = session_now() + HOLD_MS;
	int ret = session_listen(session, recoverd_reply_srvid(),
				 session_now() + ANSWER_MS);

	if (ret != 0) {
		return ret;
	}
	for (;;) {
		ret = hold_once(session, move);
		if ((ret != EBUSY && ret != ETIMEDOUT) ||
		    session_now() > until) {
			return ret;
		}
		poll(NULL, 0, HOLD_AGAIN_MS);
	}
}

static int move_in_child(int out, void *private_data)
{
	const struct move *move = private_data;
	char seconds[16], node[16];
	const char *argv[] = {
		"ctdb", "-t", seconds, "moveip", move->anchor, node, NULL
	};
	struct session *session;
	int ret;

	child_close_sockets(out);
	child_close_directories();
	/* Until the tool ends, which inherits it. */
	fcntl(recoverd_move_begins(), F_SETFD, 0);
	ret = session_open(NULL, move->socket, &session);
	if (ret == 0) {
		ret = hold(session, move);
	}
	/* A recovery daemon that says nothing for so long is stuck, or not
	 * there yet, and begins no takeover run: no service waits for it. */
	if (ret != 0 && ret != ETIMEDOUT) {
		dprintf(out, "%s\n", ret == EBUSY ?
			"ctdb is moving addresses itself" : strerror(ret));
		return ret;
	}
	snprintf(seconds, sizeof(seconds), "%u", move->seconds);
	snprintf(node, sizeof(node), "%u", move->node);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	ret = errno;
	dprintf(out, "%s: %s\n", argv[0], strerror(ret));
	return ret;
}

/* ----------------------------------------------------------------- requests */

/* After these words the tool waits, to try it again. */
static void told(const char *line, void *private_data)
{
	struct tevent_req *req = private_data;
	struct move_state *state = tevent_req_data(req, struct move_state);

	talloc_free(state->problem);
	state->problem = talloc_strdup(state, line);
	if (strstr(line, "Failed to ") != NULL ||
	    strstr(line, "CANNOT host") != NULL) {
		child_kill(state->child);
	}
}

static void moved(struct tevent_req *child)
{
	struct tevent_req *req = tevent_req_callback_data(child,
							  struct tevent_req);
	struct move_state *state = tevent_req_data(req, struct move_state);
	int ret = child_recv(child, state, NULL, NULL);

	TALLOC_FREE(state->child);
	if (ret != 0) {
		tevent_req_error(req, (uint64_t)ret);
	} else {
		tevent_req_done(req);
	}
}

struct tevent_req *service_move_send(TALLOC_CTX *mem_ctx,
				     const struct mirrord *mirrord,
				     const struct config_service *service,
				     uint32_t node,
				     uint32_t seconds)
{
	struct move move = {
		.socket = mirrord->config->ctdb_socket,
		.anchor = service->addresses[0],
		.own = mirrord->nodes->own,
		.node = node,
		.seconds = seconds,
	};
	struct tevent_req *req;
	struct move_state *state;

	req = tevent_req_create(mem_ctx, &state, struct move_state);
	if (req == NULL) {
		return NULL;
	}
	/* The child has a copy of all this. */
	state->child = child_function_send(state, mirrord->ev, move_in_child,
					   &move, MOVE_MS, told, req);
	if (tevent_req_nomem(state->child, req)) {
		return tevent_req_post(req, mirrord->ev);
	}
	tevent_req_set_callback(state->child, moved, req);
	return req;
}

int service_move_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      char **problem)
{
	struct move_state *state = tevent_req_data(req, struct move_state);
	enum tevent_req_state req_state;
	uint64_t error = 0;

	*problem = NULL;
	if (tevent_req_is_error(req, &req_state, &error)) {
		if (req_state != TEVENT_REQ_USER_ERROR) {
			error = ENOMEM;
		}
		*problem = state->problem != NULL ?
			talloc_move(mem_ctx, &state->problem) :
			talloc_strdup(mem_ctx, strerror((int)error));
	}
	talloc_free(req);
	return (int)error;
}
