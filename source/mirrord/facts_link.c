/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Facts of this and of other nodes, see facts.h.
 *
 * A child collects them, as disks may hang. The answer goes out in any case
 * before the asker gives the link up: empty, if there is none by then.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/timer.h"
#include "child.h"
#include "control.h"
#include "facts.h"
#include "files.h"
#include "nodes.h"
#include "partner_private.h"
#include "peer.h"

#define COLLECT_MS 5000
#define ANSWER_MS 15000
#define FACTS_MAX (WIRE_FACTS_MAX - 64)

/* What is asked for; child of a request. */
struct question {
	struct mirrord *mirrord;
	const char *file;	/* "": facts */
};

/* ------------------------------------------------------------ this node's */

struct collect {
	struct timer *timer;
	char *text;
};

static int write_lines(const char *buffer, size_t size, void *data)
{
	const int *out = data;

	return write(*out, buffer, size) == (ssize_t)size ? 0 : -1;
}

static json_t *find_answer(const struct question *question)
{
	struct mirrord *mirrord = question->mirrord;
	json_t *status, *facts;

	if (question->file[0] != '\0') {
		child_close_sockets(-1);
		return files_read(mirrord, mirrord->config, question->file);
	}
	/* Before its sockets are closed. */
	status = status_json(mirrord);
	child_close_sockets(-1);
	facts = facts_collect(mirrord, mirrord->config);
	json_object_set_new(facts, "status", status);
	return facts;
}

static int in_child(int out, void *private_data)
{
	json_t *answer = find_answer(private_data);

	/* child.h hands over lines, and short ones. */
	if (json_dump_callback(answer, write_lines, &out,
			       JSON_INDENT(1)) != 0) {
		return EIO;
	}
	return dprintf(out, "\n") == 1 ? 0 : EIO;
}

static void take_line(const char *line, void *private_data)
{
	struct collect *collect = private_data;

	if (collect->text != NULL &&
	    strlen(collect->text) + strlen(line) < FACTS_MAX) {
		collect->text = talloc_asprintf_append(collect->text, "%s\n",
						       line);
	} else {
		TALLOC_FREE(collect->text);
	}
}

static void collected(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct collect *collect = tevent_req_data(req, struct collect);
	int ret = child_recv(subreq, collect, NULL, NULL);

	talloc_free(subreq);
	TALLOC_FREE(collect->timer);
	if (ret == 0 && collect->text == NULL) {
		ret = EMSGSIZE;
	}
	if (ret != 0) {
		tevent_req_error(req, ret);
	} else {
		tevent_req_done(req);
	}
}

static void late(void *private_data)
{
	struct tevent_req *req = private_data;
	struct collect *collect = tevent_req_data(req, struct collect);

	collect->timer = NULL;
	tevent_req_error(req, ETIMEDOUT);
}

static struct tevent_req *collect_send(TALLOC_CTX *mem_ctx,
				       struct mirrord *mirrord,
				       const char *file)
{
	struct question *question;
	struct tevent_req *req, *subreq;
	struct collect *collect;

	req = tevent_req_create(mem_ctx, &collect, struct collect);
	if (req == NULL) {
		return NULL;
	}
	question = talloc_zero(collect, struct question);
	if (tevent_req_nomem(question, req)) {
		return tevent_req_post(req, mirrord->ev);
	}
	question->mirrord = mirrord;
	question->file = file;	/* the child has a copy */
	collect->text = talloc_strdup(collect, "");
	collect->timer = timer_start(collect, mirrord->ev, COLLECT_MS, late,
				     req);
	subreq = child_function_send(collect, mirrord->ev, in_child,
				     question, 0, take_line, collect);
	if (tevent_req_nomem(subreq, req) ||
	    tevent_req_nomem(collect->timer, req)) {
		return tevent_req_post(req, mirrord->ev);
	}
	tevent_req_set_callback(subreq, collected, req);
	return req;
}

static int collect_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			char **text)
{
	struct collect *collect = tevent_req_data(req, struct collect);
	enum tevent_req_state state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &state, &error) && error == 0) {
		error = ENOMEM;
	}
	*text = talloc_move(mem_ctx, &collect->text);
	tevent_req_received(req);
	return (int)error;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ------------------------------------------------------------ another's ask */

static void answer(struct tevent_req *req)
{
	struct partner_link *link = tevent_req_callback_data(
		req, struct partner_link);
	struct message message = { .type = FRAME_FACTS_TOLD };
	char *text = NULL;

	message.reason = (uint32_t)collect_recv(req, link, &text);
	talloc_free(req);
	message.sequence = clock_ns();
	if (message.reason == 0) {
		message.data = (const uint8_t *)text;
		message.data_length = strlen(text);
	}
	link_io_send(link->io, &message);
	talloc_free(text);
}

void facts_answer(struct partner_link *link, const char *file)
{
	struct tevent_req *req = collect_send(link, link->partner->mirrord,
					      file);

	if (req == NULL) {
		link_io_close(link->io, ENOMEM);
		return;
	}
	tevent_req_set_callback(req, answer, link);
}

/* ------------------------------------------------------------- of any node */

struct facts_state {
	json_t *facts;
};

static int facts_destructor(struct facts_state *state)
{
	json_decref(state->facts);
	return 0;
}

static void take_facts(struct tevent_req *req, const char *text,
		       size_t length, uint64_t clock)
{
	struct facts_state *state = tevent_req_data(req, struct facts_state);

	state->facts = json_loadb(text, length, 0, NULL);
	if (!json_is_object(state->facts)) {
		tevent_req_error(req, EBADMSG);
		return;
	}
	json_object_set_new(state->facts, "clock",
			    json_real((double)clock / 1e9));
	tevent_req_done(req);
}

static void own_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	char *text = NULL;
	int ret = collect_recv(subreq, req, &text);

	talloc_free(subreq);
	if (ret != 0) {
		tevent_req_error(req, ret);
		return;
	}
	take_facts(req, text, strlen(text), clock_ns());
}

static void told(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct message *reply = NULL;
	int ret = peer_request_recv(subreq, req, &reply);

	talloc_free(subreq);
	if (ret == 0 && reply->reason != 0) {
		ret = (int)reply->reason;
	}
	if (ret != 0) {
		tevent_req_error(req, ret);
		return;
	}
	take_facts(req, (const char *)reply->data, reply->data_length,
		   reply->sequence);
}

struct tevent_req *facts_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord,
			      uint32_t node, const char *file)
{
	const struct message message = { .type = FRAME_FACTS, .text = file };
	struct tevent_req *req, *subreq;
	struct facts_state *state;
	struct peer *peer = peer_find(mirrord->peers, node);

	req = tevent_req_create(mem_ctx, &state, struct facts_state);
	if (req == NULL) {
		return NULL;
	}
	talloc_set_destructor(state, facts_destructor);
	if (node != mirrord->nodes->own && peer == NULL) {
		tevent_req_error(req, ENOTCONN);
		return tevent_req_post(req, mirrord->ev);
	}
	subreq = peer == NULL ? collect_send(state, mirrord, file) :
		peer_request_send(state, peer, &message, ANSWER_MS);
	if (tevent_req_nomem(subreq, req)) {
		return tevent_req_post(req, mirrord->ev);
	}
	tevent_req_set_callback(subreq, peer == NULL ? own_done : told, req);
	return req;
}

int facts_recv(struct tevent_req *req, json_t **facts)
{
	struct facts_state *state = tevent_req_data(req, struct facts_state);
	enum tevent_req_state req_state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &req_state, &error) && error == 0) {
		error = ENOMEM;
	}
	*facts = json_incref(state->facts);
	tevent_req_received(req);
	return (int)error;
}
