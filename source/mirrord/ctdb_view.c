/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ctdb knows, see ctdb_view.h. */

#include <errno.h>
#include <string.h>
#include <time.h>
#include "../common/timer.h"
#include "ctdb_query.h"
#include "ctdb_view.h"
#include "nodes.h"

#define POLL_MS 1000
#define POLL_HURRY_MS 100
#define HURRY_MS 10000
#define ANSWER_MS 2000
/* One that is restarted in less time has not been away. */
#define GONE_MS 1000
#define FRESH_MS 4000
#define RECMODE_NORMAL 0

enum question {
	ASK_RECMODE,
	ASK_VNNMAP,
	ASK_NODEMAP,
	ASK_ADDRESSES,
	ASK_END
};

static const struct ctdb_question questions[ASK_END] = {
	[ASK_RECMODE] = { CTDB_GET_RECMODE, CTDB_THIS_NODE },
	[ASK_VNNMAP] = { CTDB_GET_VNNMAP, CTDB_THIS_NODE },
	[ASK_NODEMAP] = { CTDB_GET_NODEMAP, CTDB_THIS_NODE },
	[ASK_ADDRESSES] = { CTDB_GET_ADDRESSES, CTDB_THIS_NODE },
};

struct answer {
	bool normal;
	struct ctdb_members members;
	struct ctdb_flags flags;
	struct ctdb_hosted *hosted;
};

struct ctdb_view {
	struct mirrord *mirrord;
	ctdb_view_changed changed;
	void *private_data;
	struct answer answer;
	uint64_t answered;	/* ms; 0: never */
	bool decreed;
	uint64_t hurry_until;
	uint64_t refused_since;	/* ms; 0: somebody listens */
	struct timer *poll;
	struct tevent_req *round;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t node_bit(uint32_t node)
{
	return node < NODES_MAX ? UINT64_C(1) << node : 0;
}

/* ------------------------------------------------------------------- round */

static bool take_answers(struct ctdb_view *view,
			 const struct ctdb_answer *answers)
{
	struct answer next = {
		.normal = answers[ASK_RECMODE].status == RECMODE_NORMAL,
	};

	if (!ctdb_answer_vnnmap(&answers[ASK_VNNMAP], &next.members) ||
	    !ctdb_answer_nodemap(&answers[ASK_NODEMAP], &next.flags) ||
	    !ctdb_answer_addresses(&answers[ASK_ADDRESSES], view,
				   &next.hosted)) {
		return false;
	}
	talloc_free(view->answer.hosted);
	view->answer = next;
	view->answered = now_ms();
	view->decreed = false;
	return true;
}

static void round_done(struct tevent_req *req)
{
	struct ctdb_view *view = tevent_req_callback_data(req,
							  struct ctdb_view);
	struct ctdb_answer *answers = NULL;
	bool taken;
	int ret;

	ret = ctdb_query_recv(req, view, &answers);
	TALLOC_FREE(view->round);
	if (ret != ECONNREFUSED && ret != ENOENT) {
		view->refused_since = 0;
	} else if (view->refused_since == 0) {
		view->refused_since = now_ms();
		ctdb_view_hurry(view);
	}
	taken = ret == 0 && take_answers(view, answers);
	talloc_free(answers);
	if (taken && view->changed != NULL) {
		view->changed(view->private_data);
	}
}

void ctdb_view_ask(struct ctdb_view *view)
{
	if (view->round != NULL) {
		return;
	}
	view->round = ctdb_query_send(view, view->mirrord->ev,
				      view->mirrord->config->ctdb_socket,
				      questions, ASK_END, ANSWER_MS);
	if (view->round != NULL) {
		tevent_req_set_callback(view->round, round_done, view);
	}
}

static void poll_now(void *private_data);

static void poll_later(struct ctdb_view *view)
{
	bool hurry = now_ms() < view->hurry_until;

	TALLOC_FREE(view->poll);
	view->poll = timer_start(view, view->mirrord->ev,
				 hurry ? POLL_HURRY_MS : POLL_MS, poll_now,
				 view);
}

static void poll_now(void *private_data)
{
	struct ctdb_view *view = private_data;

	view->poll = NULL;
	ctdb_view_ask(view);
	poll_later(view);
}

void ctdb_view_hurry(struct ctdb_view *view)
{
	bool idle = now_ms() >= view->hurry_until;

	view->hurry_until = now_ms() + HURRY_MS;
	if (idle) {
		ctdb_view_ask(view);
		poll_later(view);
	}
}

/* ----------------------------------------------------------------- verdict */

bool ctdb_view_known(const struct ctdb_view *view)
{
	return view->decreed ||
		(view->answered != 0 && now_ms() - view->answered < FRESH_MS);
}

bool ctdb_view_gone(const struct ctdb_view *view)
{
	return view->answered != 0 && !view->decreed &&
		view->refused_since != 0 &&
		now_ms() - view->refused_since > GONE_MS;
}

bool ctdb_view_settled(const struct ctdb_view *view)
{
	uint64_t own = node_bit(view->mirrord->nodes->own);

	return ctdb_view_known(view) && view->answer.normal &&
		(view->answer.members.nodes & own) != 0;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return ctdb_view_settled(view) &&
		(view->answer.members.nodes & node_bit(node)) == 0 &&
		(view->answer.flags.active & node_bit(node)) == 0;
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return ctdb_view_known(view) &&
		(view->answer.flags.connected & node_bit(node)) != 0;
}

bool ctdb_view_healthy(const struct ctdb_view *view, uint32_t node)
{
	return ctdb_view_known(view) &&
		(view->answer.flags.healthy & node_bit(node)) != 0;
}

int ctdb_view_host(const struct ctdb_view *view, const char *address)
{
	size_t i, n = talloc_array_length(view->answer.hosted);

	if (!ctdb_view_known(view)) {
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (strcmp(view->answer.hosted[i].address, address) == 0) {
			return (int)view->answer.hosted[i].node;
		}
	}
	return -1;
}

bool ctdb_view_has(const struct ctdb_view *view, const char *address)
{
	size_t i, n = talloc_array_length(view->answer.hosted);

	for (i = 0; i < n; i++) {
		if (strcmp(view->answer.hosted[i].address, address) == 0) {
			return true;
		}
	}
	return false;
}

void ctdb_view_decree(struct ctdb_view *view, uint64_t alive)
{
	view->answer.normal = true;
	view->answer.members.nodes = alive;
	view->answer.flags.connected = alive;
	view->answer.flags.active = alive;
	view->answer.flags.healthy = alive;
	view->decreed = true;
	if (view->changed != NULL) {
		view->changed(view->private_data);
	}
}

void ctdb_view_watch(struct ctdb_view *view,
		     ctdb_view_changed changed,
		     void *private_data)
{
	view->changed = changed;
	view->private_data = private_data;
}

int ctdb_view_new(struct mirrord *mirrord, struct ctdb_view **_view)
{
	struct ctdb_view *view = talloc_zero(mirrord, struct ctdb_view);

	if (view == NULL) {
		return ENOMEM;
	}
	view->mirrord = mirrord;
	ctdb_view_ask(view);
	poll_later(view);
	*_view = view;
	return 0;
}
