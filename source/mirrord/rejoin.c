/* SPDX-License-Identifier: GPL-3.0-or-later */
/* This node joins ctdb again, see rejoin.h. */

#include <errno.h>
#include "../common/event_log.h"
#include "child.h"
#include "ctdb_query.h"
#include "nodes.h"
#include "rejoin.h"
#include "service.h"

#define STEP_MS 1000
#define RECMODE_ACTIVE 1
#define CAPABILITY_LMASTER 0x2

enum about_this_node {
	THIS_VNNMAP,
	THIS_NODEMAP,
	THIS_LOCK,
	THIS_UPTIME,
	THIS_RECMODE,
	THIS_CAPABILITIES,
	THIS_END
};

enum about_another {
	OTHER_VNNMAP,
	OTHER_UPTIME,
	OTHER_END
};

struct rejoin {
	struct mirrord *mirrord;
	uint64_t recovered;	/* us: our last recovery */
	uint32_t others[NODES_MAX];
	size_t num_others;
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

/* ---------------------------------------------------------- it was left out */

static void frozen(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct ctdb_answer *list = answers(subreq, req);

	if (list == NULL) {
		return;
	}
	if (list[0].status != 0) {
		tevent_req_error(req, EIO);
		return;
	}
	tevent_req_done(req);
}

static void smbds_ended(struct tevent_req *subreq)
{
	static const struct ctdb_question freeze = {
		CTDB_FREEZE, CTDB_THIS_NODE
	};
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);

	/* It fails if there are none. */
	child_recv(subreq, req, NULL, NULL);
	talloc_free(subreq);
	ask(req, &freeze, 1, frozen);
}

/* Those of clients: children of the first one that have its name. */
static void end_smbds(struct tevent_req *req)
{
	static const char *const argv[] = {
		"/bin/sh", "-c", "first=$(pgrep -o -x smbd) && "
		"pkill -KILL -P \"$first\" '^smbd([^-]|$)'", NULL
	};
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct tevent_req *subreq;

	subreq = child_command_send(rejoin, rejoin->mirrord->ev, argv,
				    STEP_MS, NULL, NULL);
	if (tevent_req_nomem(subreq, req)) {
		return;
	}
	tevent_req_set_callback(subreq, smbds_ended, req);
}

/* ------------------------------------------------------------ was it? */

/* That node has finished a recovery without us, after our last one. */
static bool left_us_out(const struct rejoin *rejoin, uint32_t node,
			const struct ctdb_answer *about)
{
	struct ctdb_members members;
	uint64_t recovered;

	return ctdb_answer_vnnmap(&about[OTHER_VNNMAP], &members) &&
		ctdb_answer_recovered(&about[OTHER_UPTIME], &recovered) &&
		(members.nodes & UINT64_C(1) << node) != 0 &&
		(members.nodes &
		 UINT64_C(1) << rejoin->mirrord->nodes->own) == 0 &&
		recovered > rejoin->recovered;
}

static void told_by_others(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = answers(subreq, req);
	size_t i;

	if (list == NULL) {
		return;
	}
	for (i = 0; i < rejoin->num_others; i++) {
		if (left_us_out(rejoin, rejoin->others[i],
				&list[i * OTHER_END])) {
			event_log(EVENT_REJOINS, "node %u has recovered ctdb "
				  "without this node, which was not "
				  "restarted: its volatile databases are not "
				  "used, its clients connect again",
				  rejoin->others[i]);
			services_left_out(rejoin->mirrord->services);
			end_smbds(req);
			return;
		}
	}
	tevent_req_done(req);
}

static void ask_others(struct tevent_req *req, uint64_t nodes)
{
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_question questions[CTDB_QUESTIONS_MAX];
	uint32_t node;
	size_t n = 0;

	for (node = 0; node < NODES_MAX &&
	     n + OTHER_END <= CTDB_QUESTIONS_MAX; node++) {
		if ((nodes & UINT64_C(1) << node) != 0) {
			rejoin->others[rejoin->num_others++] = node;
			questions[n++] = (struct ctdb_question){
				CTDB_GET_VNNMAP, node
			};
			questions[n++] = (struct ctdb_question){
				CTDB_GET_UPTIME, node
			};
		}
	}
	ask(req, questions, n, told_by_others);
}

static void told_by_this(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct rejoin *rejoin = tevent_req_data(req, struct rejoin);
	struct ctdb_answer *list = answers(subreq, req);
	uint64_t own = UINT64_C(1) << rejoin->mirrord->nodes->own;
	struct ctdb_members members;
	struct ctdb_flags flags;
	uint32_t capabilities;

	if (list == NULL) {
		return;
	}
	if (!ctdb_answer_vnnmap(&list[THIS_VNNMAP], &members) ||
	    !ctdb_answer_nodemap(&list[THIS_NODEMAP], &flags) ||
	    !ctdb_answer_u32(&list[THIS_CAPABILITIES], &capabilities) ||
	    !ctdb_answer_recovered(&list[THIS_UPTIME], &rejoin->recovered)) {
		tevent_req_error(req, EPROTO);
		return;
	}
	/*
	 * A node that was restarted, stopped or banned has no map. One that
	 * is no lmaster is in nobody's.
	 */
	if ((members.nodes & own) == 0 || list[THIS_LOCK].length <= 1 ||
	    (capabilities & CAPABILITY_LMASTER) == 0 ||
	    list[THIS_RECMODE].status != RECMODE_ACTIVE ||
	    (flags.active & ~own) == 0) {
		tevent_req_done(req);
		return;
	}
	ask_others(req, flags.active & ~own);
}

struct tevent_req *rejoin_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord)
{
	static const struct ctdb_question questions[THIS_END] = {
		[THIS_VNNMAP] = { CTDB_GET_VNNMAP, CTDB_THIS_NODE },
		[THIS_NODEMAP] = { CTDB_GET_NODEMAP, CTDB_THIS_NODE },
		[THIS_LOCK] = { CTDB_GET_CLUSTER_LOCK, CTDB_THIS_NODE },
		[THIS_UPTIME] = { CTDB_GET_UPTIME, CTDB_THIS_NODE },
		[THIS_RECMODE] = { CTDB_GET_RECMODE, CTDB_THIS_NODE },
		[THIS_CAPABILITIES] = { CTDB_GET_CAPABILITIES,
					CTDB_THIS_NODE },
	};
	struct rejoin *rejoin;
	struct tevent_req *req;

	req = tevent_req_create(mem_ctx, &rejoin, struct rejoin);
	if (req == NULL) {
		return NULL;
	}
	rejoin->mirrord = mirrord;
	ask(req, questions, THIS_END, told_by_this);
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
