/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nodes that join ctdb again, see rejoin.h. */

#include <errno.h>
#include "../common/event_log.h"
#include "ctdb_query.h"
#include "ctdb_view.h"
#include "nodes.h"
#include "rejoin.h"

#define STEP_MS 1000
/* ctdb's run states: it has taken part in a recovery, and is not ending. */
#define RUNSTATE_STARTUP 4
#define RUNSTATE_RUNNING 5
#define CAPABILITY_LMASTER 0x2

enum about_here {
	HERE_VNNMAP,
	HERE_NODEMAP,
	HERE_LOCK,
	HERE_UPTIME,
	HERE_END
};

enum about_there {
	THERE_RUNSTATE,
	THERE_CAPABILITIES,
	THERE_UPTIME,
	THERE_END
};

struct rejoin {
	struct mirrord *mirrord;
	uint64_t recovered;	/* us: our last recovery */
	uint64_t nodes;		/* that this step is about */
	uint32_t order[CTDB_QUESTIONS_MAX];	/* of its questions */
};

static void ask(struct tevent_req *req, const struct ctdb_question *questions,
		size_t count, tevent_req_fn done)
{
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct tevent_req *subreq;

	subreq = ctdb_query_send(rejoin, rejoin->mirrord->ev,
				 rejoin->mirrord->config->ctdb_socket,
				 questions, count, STEP_MS);
	if (tevent_req_nomem(subreq, req)) {
		return;
	}
	tevent_req_set_callback(subreq, done, req);
}

/* NULL: the request has ended. */
static struct ctdb_answer *answers(struct tevent_req *subreq,
				   struct tevent_req *req)
{
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = NULL;
	int ret = ctdb_query_recv(subreq, rejoin, &list);

	talloc_free(subreq);
	if (ret != 0) {
		tevent_req_error(req, (uint64_t)ret);
		return NULL;
	}
	return list;
}

/* The same questions to all nodes that the step is about. */
static void ask_nodes(struct tevent_req *req, const enum ctdb_opcode *opcodes,
		      size_t count, tevent_req_fn done)
{
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_question questions[CTDB_QUESTIONS_MAX];
	uint32_t node;
	size_t i, n = 0;

	for (node = 0; node < NODES_MAX; node++) {
		if ((rejoin->nodes & UINT64_C(1) << node) == 0) {
			continue;
		}
		if (n + count > CTDB_QUESTIONS_MAX) {
			break;
		}
		for (i = 0; i < count; i++) {
			rejoin->order[n] = node;
			questions[n++] = (struct ctdb_question){
				opcodes[i], node
			};
		}
	}
	ask(req, questions, n, done);
}

static void continued(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct ctdb_answer *list = answers(subreq, req);

	if (list != NULL) {
		tevent_req_done(req);
	}
}

static void stopped(struct tevent_req *subreq)
{
	static const enum ctdb_opcode opcode = CTDB_CONTINUE_NODE;
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = answers(subreq, req);
	size_t i;

	if (list == NULL) {
		return;
	}
	for (i = 0; i < talloc_array_length(list); i++) {
		event_log(EVENT_REJOINS, "node %u was left out by ctdb and "
			  "was not restarted: its volatile databases are %s",
			  rejoin->order[i], list[i].status == 0 ?
			  "not used" : "used, it could not be stopped");
	}
	ask_nodes(req, &opcode, 1, continued);
}

/* Answers come in the order of enum about_there. */
static bool is_stale(const struct rejoin *rejoin,
		     const struct ctdb_answer *about)
{
	uint32_t runstate, capabilities;
	uint64_t recovered;

	return ctdb_answer_u32(&about[THERE_RUNSTATE], &runstate) &&
		ctdb_answer_u32(&about[THERE_CAPABILITIES], &capabilities) &&
		ctdb_answer_recovered(&about[THERE_UPTIME], &recovered) &&
		(runstate == RUNSTATE_STARTUP ||
		 runstate == RUNSTATE_RUNNING) &&
		(capabilities & CAPABILITY_LMASTER) != 0 &&
		recovered < rejoin->recovered;
}

static void told_there(struct tevent_req *subreq)
{
	static const enum ctdb_opcode opcode = CTDB_STOP_NODE;
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = answers(subreq, req);
	uint64_t stale = 0;
	size_t i;

	if (list == NULL) {
		return;
	}
	for (i = 0; i + THERE_END <= talloc_array_length(list);
	     i += THERE_END) {
		if (is_stale(rejoin, &list[i])) {
			stale |= UINT64_C(1) << rejoin->order[i];
		}
	}
	rejoin->nodes = stale;
	if (stale == 0) {
		tevent_req_done(req);
		return;
	}
	ask_nodes(req, &opcode, 1, stopped);
}

static void told_here(struct tevent_req *subreq)
{
	static const enum ctdb_opcode opcodes[THERE_END] = {
		[THERE_RUNSTATE] = CTDB_GET_RUNSTATE,
		[THERE_CAPABILITIES] = CTDB_GET_CAPABILITIES,
		[THERE_UPTIME] = CTDB_GET_UPTIME,
	};
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = answers(subreq, req);
	uint64_t own = UINT64_C(1) << rejoin->mirrord->nodes->own;
	struct ctdb_members members;
	struct ctdb_flags flags;
	uint32_t node;

	if (list == NULL) {
		return;
	}
	if (!ctdb_answer_vnnmap(&list[HERE_VNNMAP], &members) ||
	    !ctdb_answer_nodemap(&list[HERE_NODEMAP], &flags) ||
	    !ctdb_answer_recovered(&list[HERE_UPTIME], &rejoin->recovered)) {
		tevent_req_error(req, EPROTO);
		return;
	}
	/* The map is that of the last recovery until this one sets its own. */
	if ((members.nodes & own) != 0 && list[HERE_LOCK].length > 1) {
		rejoin->nodes = flags.active & flags.connected &
			~members.nodes;
	}
	for (node = 0; node < NODES_MAX; node++) {
		if (ctdb_view_set_aside(rejoin->mirrord->view, node)) {
			rejoin->nodes &= ~(UINT64_C(1) << node);
		}
	}
	if (rejoin->nodes == 0) {
		tevent_req_done(req);
		return;
	}
	ask_nodes(req, opcodes, THERE_END, told_there);
}

struct tevent_req *rejoin_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord)
{
	static const struct ctdb_question questions[HERE_END] = {
		[HERE_VNNMAP] = { CTDB_GET_VNNMAP, CTDB_THIS_NODE },
		[HERE_NODEMAP] = { CTDB_GET_NODEMAP, CTDB_THIS_NODE },
		[HERE_LOCK] = { CTDB_GET_CLUSTER_LOCK, CTDB_THIS_NODE },
		[HERE_UPTIME] = { CTDB_GET_UPTIME, CTDB_THIS_NODE },
	};
	struct rejoin *rejoin;
	struct tevent_req *req;

	req = tevent_req_create(mem_ctx, &rejoin, struct rejoin);
	if (req == NULL) {
		return NULL;
	}
	rejoin->mirrord = mirrord;
	ask(req, questions, HERE_END, told_here);
	if (!tevent_req_is_in_progress(req)) {
		return tevent_req_post(req, mirrord->ev);
	}
	return req;
}

int rejoin_recv(struct tevent_req *req)
{
	enum tevent_req_state state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &state, &error)) {
		tevent_req_received(req);
		return error != 0 ? (int)error : EIO;
	}
	tevent_req_received(req);
	return 0;
}
