/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Control links to other nodes, see peer.h. */

#include <netinet/in.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "dlinklist.h"
#include "link_io.h"
#include "nodes.h"
#include "peer.h"

#define CONNECT_MS 2000
#define AGAIN_MS 100
#define PING_MS 500
/* A loop that does not turn for so long is as bad as dead. */
#define PING_TIMEOUT_MS 2500

struct peer_request;

struct peer {
	struct peers *peers;
	uint32_t node;
	struct link_io *io;
	bool up;
	bool was_up;
	uint64_t down_since;	/* ms */
	uint64_t times_up;
	uint64_t pings;
	struct timer *timer;	/* to connect again, or to ping */
	struct peer_request *requests;	/* in the order of sending */
};

struct peers {
	struct mirrord *mirrord;
	struct peer **peer;	/* by pnn; NULL: own, or unused */
	peers_changed changed;
	void *private_data;
};

struct peer_request {
	struct peer_request *prev, *next;
	struct tevent_req *req;
	struct peer *peer;
	enum frame_type asked;
	enum frame_type expected;
	char *volume;
	struct message *reply;
	struct timer *deadline;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void peer_connect(struct peer *peer);

static void connect_again(void *private_data)
{
	struct peer *peer = private_data;

	peer->timer = NULL;
	peer_connect(peer);
}

static void connect_later(struct peer *peer)
{
	TALLOC_FREE(peer->timer);
	peer->timer = timer_start(peer, peer->peers->mirrord->ev, AGAIN_MS,
				  connect_again, peer);
}

static void peer_lost(struct peer *peer)
{
	struct peers *peers = peer->peers;
	const struct nodes *nodes = peers->mirrord->nodes;
	bool was_up = peer->up;

	TALLOC_FREE(peer->io);
	peer->up = false;
	if (was_up) {
		peer->down_since = now_ms();
	}
	while (peer->requests != NULL) {
		struct peer_request *request = peer->requests;

		DLIST_REMOVE(peer->requests, request);
		request->peer = NULL;
		tevent_req_error(request->req, ENOTCONN);
	}
	connect_later(peer);
	if (was_up) {
		event_log(EVENT_LINK_DOWN, "node %u (%s) is out of reach",
			  peer->node, peer->node < nodes->count ?
			  nodes->node[peer->node].name : "gone");
		if (peers->changed != NULL) {
			peers->changed(peer->node, false, peers->private_data);
		}
	}
}

/* ------------------------------------------------------------------- pings */

static void ping_later(struct peer *peer);

static void ping_done(struct tevent_req *req)
{
	struct peer *peer = tevent_req_callback_data(req, struct peer);
	struct message *reply = NULL;

	if (peer_request_recv(req, peer, &reply) == 0) {
		ping_later(peer);
	}
	talloc_free(reply);
	talloc_free(req);
}

static void ping(struct peer *peer, uint32_t timeout_ms)
{
	const struct message message = {
		.type = FRAME_PING,
		.sequence = ++peer->pings,
	};
	struct tevent_req *req;

	req = peer_request_send(peer, peer, &message, timeout_ms);
	if (req != NULL) {
		tevent_req_set_callback(req, ping_done, peer);
	}
}

static void ping_now(void *private_data)
{
	struct peer *peer = private_data;

	peer->timer = NULL;
	ping(peer, PING_TIMEOUT_MS);
}

void peer_doubt(struct peer *peer)
{
	if (peer->up) {
		ping(peer, PEER_DOUBT_MS);
	}
}

static void ping_later(struct peer *peer)
{
	TALLOC_FREE(peer->timer);
	peer->timer = timer_start(peer, peer->peers->mirrord->ev, PING_MS,
				  ping_now, peer);
}

/* -------------------------------------------------------------------- link */

static void on_ready(struct link_io *io, void *private_data)
{
	struct peer *peer = private_data;
	const struct message hello = {
		.type = FRAME_HELLO,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.role = HELLO_ROLE_CONTROL,
		.node = peer->peers->mirrord->nodes->own,
	};

	link_io_send(io, &hello);
}

static void on_welcome(struct peer *peer, const struct message *welcome)
{
	struct peers *peers = peer->peers;
	const struct node *node = &peers->mirrord->nodes->node[peer->node];

	if (welcome->node != peer->node) {
		event_log_once(EVENT_LINK_NOT_PEER, node->name,
			       "%s says that it is node %u, but by our nodes "
			       "file it is node %u", node->name,
			       welcome->node, peer->node);
		link_io_close(peer->io, EBADMSG);
		return;
	}
	peer->up = true;
	peer->was_up = true;
	peer->times_up++;
	event_log(EVENT_LINK_UP, "node %u (%s) is in reach", peer->node,
		  node->name);
	ping_later(peer);
	if (peers->changed != NULL) {
		peers->changed(peer->node, true, peers->private_data);
	}
}

static bool answers(const struct peer_request *request,
		    const struct message *reply)
{
	const char *volume = reply->volume != NULL ? reply->volume : "";

	if (strcmp(request->volume, volume) != 0) {
		return false;
	}
	if (reply->type == FRAME_REFUSED) {
		return request->asked != FRAME_STATE &&
			request->asked != FRAME_PING &&
			request->asked != FRAME_LEASE &&
			request->asked != FRAME_FACTS;
	}
	return reply->type == request->expected;
}

static void on_reply(struct peer *peer, struct message *reply)
{
	struct peer_request *request, *found = NULL;

	/* The list has the newest first. */
	for (request = peer->requests; request != NULL;
	     request = request->next) {
		if (answers(request, reply)) {
			found = request;
		}
	}
	if (found == NULL) {
		/* Its asker has given up; we have not: no harm. */
		talloc_free(reply);
		return;
	}
	DLIST_REMOVE(peer->requests, found);
	found->peer = NULL;
	found->reply = talloc_steal(found, reply);
	if (reply->type == FRAME_REFUSED) {
		tevent_req_error(found->req, EREMOTEIO);
	} else {
		tevent_req_done(found->req);
	}
}

static void on_frame(struct link_io *io,
		     enum frame_type type,
		     uint8_t *payload,
		     size_t length,
		     void *private_data)
{
	struct peer *peer = private_data;
	struct message *message = talloc_zero(peer, struct message);

	if (message == NULL) {
		link_io_close(io, ENOMEM);
		return;
	}
	if (type == FRAME_RECORD ||
	    message_decode(message, type, payload, length, message) != 0) {
		talloc_free(message);
		link_io_close(io, EBADMSG);
		return;
	}
	if (peer->up) {
		on_reply(peer, message);
		return;
	}
	if (type == FRAME_WELCOME) {
		on_welcome(peer, message);
	} else if (type == FRAME_REFUSED) {
		event_log_once(EVENT_LINK_NOT_PEER, link_io_peer(io),
			       "%s refuses us: %s", link_io_peer(io),
			       message->text);
		link_io_close(io, ECONNREFUSED);
	} else {
		link_io_close(io, EBADMSG);
	}
	talloc_free(message);
}

static void on_drained(struct link_io *io, void *private_data)
{
}

static void on_closed(struct link_io *io, int error, void *private_data)
{
	struct peer *peer = private_data;

	if (error == EACCES) {
		event_log_once(EVENT_LINK_WRONG_KEY, link_io_peer(io),
			       "%s does not have our cluster key",
			       link_io_peer(io));
	}
	peer_lost(peer);
}

static const struct link_io_ops peer_ops = {
	.ready = on_ready,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

int peer_connect_fresh(TALLOC_CTX *mem_ctx,
		       struct mirrord *mirrord,
		       uint32_t node,
		       struct peer_link **link)
{
	const struct nodes *nodes = mirrord->nodes;
	struct sockaddr_storage local = nodes->node[nodes->own].address;

	/* From our identity: the other side knows nodes by it. Any port. */
	if (local.ss_family == AF_INET) {
		((struct sockaddr_in *)&local)->sin_port = 0;
	} else {
		((struct sockaddr_in6 *)&local)->sin6_port = 0;
	}
	return link_connect(mem_ctx, mirrord->key, &local,
			    &nodes->node[node].address, link);
}

static void peer_connect(struct peer *peer)
{
	struct mirrord *mirrord = peer->peers->mirrord;
	struct peer_link *link;

	if (peer_connect_fresh(peer, mirrord, peer->node, &link) != 0) {
		connect_later(peer);
		return;
	}
	if (link_io_new(peer, mirrord->ev, link, CONNECT_MS, &peer_ops, peer,
			&peer->io) != 0) {
		talloc_free(link);
		connect_later(peer);
	}
}

/* ---------------------------------------------------------------- requests */

static void request_cleanup(struct tevent_req *req,
			    enum tevent_req_state req_state)
{
	struct peer_request *request = tevent_req_data(req,
						       struct peer_request);

	TALLOC_FREE(request->deadline);
	if (request->peer != NULL) {
		DLIST_REMOVE(request->peer->requests, request);
		request->peer = NULL;
	}
}

static void request_overdue(void *private_data)
{
	struct tevent_req *req = private_data;
	struct peer_request *request = tevent_req_data(req,
						       struct peer_request);

	request->deadline = NULL;
	if (request->peer->io != NULL) {
		link_io_close(request->peer->io, ETIMEDOUT);
	}
	tevent_req_error(req, ETIMEDOUT);
}

struct tevent_req *peer_request_send(TALLOC_CTX *mem_ctx,
				     struct peer *peer,
				     const struct message *message,
				     uint32_t timeout_ms)
{
	static const enum frame_type replies[FRAME_TYPE_END] = {
		[FRAME_STATE] = FRAME_VOLUME_STATE,
		[FRAME_BEGIN] = FRAME_BEGUN,
		[FRAME_WIPE] = FRAME_WIPED,
		[FRAME_END] = FRAME_ENDED,
		[FRAME_PING] = FRAME_PONG,
		[FRAME_LEASE] = FRAME_LEASED,
		[FRAME_FACTS] = FRAME_FACTS_TOLD,
	};
	struct tevent_context *ev = peer->peers->mirrord->ev;
	struct peer_request *request;
	struct tevent_req *req;

	req = tevent_req_create(mem_ctx, &request, struct peer_request);
	if (req == NULL) {
		return NULL;
	}
	request->req = req;
	request->asked = message->type;
	request->expected = replies[message->type];
	request->volume = talloc_strdup(
		request, message->volume != NULL ? message->volume : "");
	if (tevent_req_nomem(request->volume, req)) {
		return tevent_req_post(req, ev);
	}
	if (!peer->up) {
		tevent_req_error(req, ENOTCONN);
		return tevent_req_post(req, ev);
	}
	request->deadline = timer_start(request, ev, timeout_ms,
					request_overdue, req);
	if (tevent_req_nomem(request->deadline, req)) {
		return tevent_req_post(req, ev);
	}
	request->peer = peer;
	DLIST_ADD(peer->requests, request);
	tevent_req_set_cleanup_fn(req, request_cleanup);
	link_io_send(peer->io, message);
	return req;
}

int peer_request_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      struct message **reply)
{
	struct peer_request *request = tevent_req_data(req,
						       struct peer_request);
	enum tevent_req_state state;
	uint64_t error = 0;

	*reply = NULL;
	if (tevent_req_is_error(req, &state, &error)) {
		if (state == TEVENT_REQ_NO_MEMORY) {
			error = ENOMEM;
		}
	}
	if (error == 0 || error == EREMOTEIO) {
		*reply = talloc_move(mem_ctx, &request->reply);
	}
	tevent_req_received(req);
	return (int)error;
}

/* ------------------------------------------------------------------- peers */

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	return node < talloc_array_length(peers->peer) ? peers->peer[node] :
		NULL;
}

bool peer_is_up(const struct peer *peer)
{
	return peer != NULL && peer->up;
}

uint64_t peer_down_ms(const struct peer *peer)
{
	/* At least 1: "down" and "up" are to be told apart. */
	return peer->up ? 0 : now_ms() - peer->down_since + 1;
}

uint64_t peer_times_up(const struct peer *peer)
{
	return peer->times_up;
}

void peers_watch(struct peers *peers, peers_changed changed,
		 void *private_data)
{
	peers->changed = changed;
	peers->private_data = private_data;
}

int peers_configure(struct peers *peers)
{
	const struct nodes *nodes = peers->mirrord->nodes;
	size_t i, before = talloc_array_length(peers->peer);

	if (nodes->count > before) {
		struct peer **list = talloc_realloc(peers, peers->peer,
						    struct peer *,
						    nodes->count);

		if (list == NULL) {
			return ENOMEM;
		}
		for (i = before; i < nodes->count; i++) {
			list[i] = NULL;
		}
		peers->peer = list;
	}
	for (i = 0; i < talloc_array_length(peers->peer); i++) {
		bool wanted = i < nodes->count && i != nodes->own &&
			nodes->node[i].used;
		struct peer *peer = peers->peer[i];

		if (!wanted && peer != NULL) {
			/* Who waits for its answer hears that none comes. */
			peer_lost(peer);
			TALLOC_FREE(peers->peer[i]);
		}
		if (!wanted || peer != NULL) {
			continue;
		}
		peer = talloc_zero(peers, struct peer);
		if (peer == NULL) {
			return ENOMEM;
		}
		peer->peers = peers;
		peer->node = (uint32_t)i;
		peer->down_since = now_ms();
		peers->peer[i] = peer;
		peer_connect(peer);
	}
	return 0;
}

int peers_new(struct mirrord *mirrord, struct peers **_peers)
{
	struct peers *peers = talloc_zero(mirrord, struct peers);

	if (peers == NULL) {
		return ENOMEM;
	}
	peers->mirrord = mirrord;
	peers->peer = talloc_zero_array(peers, struct peer *,
					mirrord->nodes->count);
	if (peers->peer == NULL) {
		return ENOMEM;
	}
	*_peers = peers;
	return peers_configure(peers);
}
