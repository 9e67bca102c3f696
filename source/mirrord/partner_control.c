/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the owner's mirrord asks of its partner, see partner.h. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include "../common/event_log.h"
#include "child.h"
#include "facts.h"
#include "nodes.h"
#include "partner_private.h"
#include "service.h"

/* Longer than any configuration wants it. */
#define LEASE_MAX_MS 60000

/* ---------------------------------------------------------- STATE and PING */

static void on_state(struct partner_link *link,
		     const struct message *request,
		     struct partner_volume *volume)
{
	struct mirrord *mirrord = link->partner->mirrord;
	struct message reply = {
		.type = FRAME_VOLUME_STATE,
		.volume = request->volume,
		.node = mirrord->nodes->own,
		.role = VOLUME_ROLE_NONE,
	};
	struct store_info info;

	if (volume != NULL) {
		partner_info(link->partner, volume->name, &info);
		reply.generation = info.generation;
		reply.incarnation = info.incarnation;
		reply.epoch = info.wiped;
		reply.count = info.records;
		reply.bytes = info.bytes;
		reply.role = service_volume_role(mirrord, volume->name);
		if (reply.role == VOLUME_ROLE_NONE &&
		    !mirror_id_is_none(&info.incarnation)) {
			reply.role = VOLUME_ROLE_PARTNER;
		}
	}
	link_io_send(link->io, &reply);
}

static void on_ping(struct partner_link *link,
		    const struct message *request,
		    struct partner_volume *volume)
{
	const struct message pong = {
		.type = FRAME_PONG,
		.sequence = request->sequence,
	};

	link_io_send(link->io, &pong);
}

static void on_facts(struct partner_link *link,
		     const struct message *request,
		     struct partner_volume *volume)
{
	facts_answer(link, request->text);
}

/* ------------------------------------------------------------------- BEGIN */

static void refuse_request(struct partner_link *link,
			   const struct message *request,
			   enum refused_reason reason,
			   const char *text)
{
	const struct message refused = {
		.type = FRAME_REFUSED,
		.volume = request->volume,
		.generation = request->generation,
		.reason = reason,
		.text = text,
	};

	link_io_send(link->io, &refused);
}

/*
 * To grow a store takes as long as to write all of its memory, so a child does
 * it; the files are all that there is of a store.
 */
struct beginning {
	struct partner_volume *volume;
	const char *directory;
	uint64_t generation;
	uint64_t epoch;
	uint64_t bytes;
};

static int begin_in_child(int out, void *private_data)
{
	struct beginning *b = private_data;
	struct store *store;
	int ret;

	child_close_sockets(-1);
	child_close_directories();
	ret = store_open(b, b->directory, b->volume->name, &store, NULL);
	if (ret == 0) {
		ret = store_begin(store, b->generation, b->epoch, b->bytes);
	}
	return ret;
}

static int reopen(struct beginning *b)
{
	struct partner_volume *volume = b->volume;
	int ret;

	ret = store_open(volume, b->directory, volume->name, &volume->store,
			 NULL);
	if (ret != 0) {
		event_log(EVENT_STORE_BROKEN, "volume %s: cannot open the "
			  "mirror store in %s: %s", volume->name,
			  b->directory, strerror(ret));
	}
	return ret;
}

static void answer_begun(struct partner_link *link, struct beginning *b)
{
	struct message begun = {
		.type = FRAME_BEGUN,
		.volume = b->volume->name,
		.epoch = b->epoch,
	};
	struct store_info info;

	store_info(b->volume->store, &info);
	begun.generation = info.generation;
	begun.incarnation = info.incarnation;
	begun.bytes = info.epoch_capacity;
	link_io_send(link->io, &begun);
}

static void begin_done(struct tevent_req *req)
{
	struct beginning *b = tevent_req_callback_data(req, struct beginning);
	struct partner_volume *volume = b->volume;
	struct partner_link *link = volume->begin_for;
	const struct message request = {
		.volume = volume->name,
		.generation = b->generation,
	};
	int ret, ret2;

	ret = child_recv(req, b, NULL, NULL);
	TALLOC_FREE(volume->beginning);
	volume->begin_for = NULL;
	ret2 = reopen(b);
	ret = ret != 0 ? ret : ret2;
	if (ret == 0) {
		partner_volume_reset(volume);
		if (link != NULL) {
			answer_begun(link, b);
		}
		talloc_free(b);
		return;
	}
	event_log_once(EVENT_STORE_BROKEN, volume->name,
		       "volume %s: cannot begin a mirror store with epochs of "
		       "%llu bytes in %s: %s", volume->name,
		       (unsigned long long)b->bytes, b->directory,
		       strerror(ret));
	if (link != NULL) {
		refuse_request(link, &request, REFUSED_BROKEN,
			       ret == ENOSPC ? "the partner has no memory for "
			       "it, see mirror:store size" : strerror(ret));
	}
	talloc_free(b);
}

static void on_begin(struct partner_link *link,
		     const struct message *request,
		     struct partner_volume *volume)
{
	const struct mirrord *mirrord = link->partner->mirrord;
	const uint64_t most = mirrord->config->store_size / STORE_RING;
	struct beginning *b;

	if (service_volume_role(mirrord, volume->name) == VOLUME_ROLE_OWNER) {
		refuse_request(link, request, REFUSED_NOT_PARTNER,
			       "this node owns the volume or is taking it "
			       "over");
		return;
	}
	if (link->node == volume->begin_node &&
	    link->number < volume->begin_number) {
		/* On its way when the link was given up: the store that it
		 * would replace is in use. */
		link_io_close(link->io, ECANCELED);
		return;
	}
	volume->begin_node = link->node;
	volume->begin_number = link->number;
	if (volume->beginning != NULL) {
		refuse_request(link, request, REFUSED_BROKEN,
			       "a store is being begun already");
		return;
	}
	b = talloc_zero(volume, struct beginning);
	if (b == NULL) {
		link_io_close(link->io, ENOMEM);
		return;
	}
	*b = (struct beginning){
		.volume = volume,
		.directory = talloc_asprintf(
			b, "%s/%s", mirrord->config->store_directory,
			volume->name),
		.generation = request->generation,
		.epoch = request->epoch,
		.bytes = request->bytes < most ? request->bytes : most,
	};
	/* Nobody may use the old files any more while they are replaced. */
	partner_volume_seal(volume);
	TALLOC_FREE(volume->store);
	volume->begin_for = link;
	volume->beginning = child_function_send(b, mirrord->ev, begin_in_child,
						b, 0, NULL, NULL);
	if (volume->beginning == NULL) {
		volume->begin_for = NULL;
		reopen(b);
		talloc_free(b);
		link_io_close(link->io, ENOMEM);
		return;
	}
	tevent_req_set_callback(volume->beginning, begin_done, b);
}

/* ------------------------------------------------------------ WIPE and END */

static bool has_generation(const struct partner_volume *volume,
			   const struct message *request)
{
	struct store_info info;

	partner_info(volume->partner, volume->name, &info);
	return !mirror_id_is_none(&info.incarnation) &&
		info.generation == request->generation;
}

static void on_wipe(struct partner_link *link,
		    const struct message *request,
		    struct partner_volume *volume)
{
	const struct message wiped = {
		.type = FRAME_WIPED,
		.volume = request->volume,
		.generation = request->generation,
		.epoch = request->epoch,
	};
	int ret;

	if (!has_generation(volume, request)) {
		refuse_request(link, request, REFUSED_GENERATION,
			       "no store of this generation");
		return;
	}
	/* Once it may be replayed, the owner's word does not count. */
	if (volume->sealed || service_volume_role(
		    link->partner->mirrord, volume->name) ==
	    VOLUME_ROLE_OWNER) {
		refuse_request(link, request, REFUSED_NOT_PARTNER,
			       "the store is being replayed");
		return;
	}
	ret = store_wipe(volume->store, request->epoch);
	if (ret != 0) {
		event_log_once(EVENT_STORE_BROKEN, volume->name,
			       "volume %s: the mirror store cannot be wiped: "
			       "%s", volume->name, strerror(ret));
		refuse_request(link, request, REFUSED_BROKEN, strerror(ret));
		return;
	}
	link_io_send(link->io, &wiped);
}

/* R12: no grant from the moment on at which we may become the owner. */
static bool may_grant(const struct partner_link *link,
		      const struct message *request,
		      const struct partner_volume *volume)
{
	return volume != NULL && !volume->sealed &&
		request->duration_ms <= LEASE_MAX_MS &&
		has_generation(volume, request) &&
		service_volume_role(link->partner->mirrord, volume->name) !=
			VOLUME_ROLE_OWNER;
}

static void on_lease(struct partner_link *link,
		     const struct message *request,
		     struct partner_volume *volume)
{
	struct message leased = {
		.type = FRAME_LEASED,
		.volume = request->volume,
		.generation = request->generation,
	};
	uint64_t until;

	if (may_grant(link, request, volume)) {
		until = partner_lease_end(request->duration_ms);
		if (until > volume->lease_until) {
			volume->lease_until = until;
		}
		leased.duration_ms = request->duration_ms;
	}
	link_io_send(link->io, &leased);
}

static void on_end(struct partner_link *link,
		   const struct message *request,
		   struct partner_volume *volume)
{
	struct message ended = {
		.type = FRAME_ENDED,
		.volume = request->volume,
		.generation = request->generation,
	};
	struct store_info info;

	if (request->role == VOLUME_ROLE_NONE) {
		service_told_released(link->partner->mirrord, volume->name,
				      link->node);
	}
	partner_info(link->partner, volume->name, &info);
	if (service_volume_role(link->partner->mirrord, volume->name) ==
	    VOLUME_ROLE_OWNER || volume->beginning != NULL) {
		ended.reason = EBUSY;
	} else if (!mirror_id_is_none(&info.incarnation) &&
		   info.generation > request->generation) {
		/* A word about an older store that came late. */
		ended.reason = ESTALE;
	} else {
		ended.reason = partner_discard(link->partner, volume->name);
	}
	link_io_send(link->io, &ended);
}

/* ------------------------------------------------------------------- FETCH */

/* Bytes that a child of ours may have queued before it waits for the peer. */
#define FETCH_QUEUE (1024 * 1024)
/* The reader may be replaying meanwhile; only one that is gone is given up. */
#define FETCH_WAIT_MS 30000

struct fetch {
	struct partner_link *link;
	struct partner_volume *volume;
	struct mirror_id session;
	uint64_t from;
	bool in_child;
	uint64_t count;
};

static int fetch_drain(struct peer_link *link, size_t most)
{
	int ret = 0;

	while (link_pending(link) > most) {
		struct pollfd pfd = {
			.fd = link_fd(link), .events = POLLOUT
		};

		if (poll(&pfd, 1, FETCH_WAIT_MS) <= 0) {
			return ETIMEDOUT;
		}
		ret = link_flush(link);
		if (ret != 0 && ret != EAGAIN) {
			return ret;
		}
	}
	return 0;
}

static int fetch_visitor(uint64_t order,
			 const struct mirror_id *session,
			 const uint8_t *record,
			 size_t length,
			 void *private_data)
{
	struct fetch *fetch = private_data;
	struct peer_link *link = link_io_link(fetch->link->io);
	const struct message fetched = {
		.type = FRAME_FETCHED,
		.volume = fetch->volume->name,
		.session = *session,
		.order = order,
		.data = record,
		.data_length = length,
	};
	int ret;

	fetch->count++;
	ret = link_send_message(link, &fetched);
	if (ret != 0 || !fetch->in_child) {
		return ret;
	}
	return fetch_drain(link, FETCH_QUEUE);
}

static int fetch_run(struct fetch *fetch)
{
	struct peer_link *link = link_io_link(fetch->link->io);
	const bool all = mirror_id_is_none(&fetch->session);
	struct message end = {
		.type = FRAME_FETCH_END,
		.volume = fetch->volume->name,
	};
	int ret;

	ret = store_visit(fetch->volume->store, all ? NULL : &fetch->session,
			  fetch->from, fetch_visitor, fetch);
	end.count = fetch->count;
	end.reason = ret;
	ret = link_send_message(link, &end);
	if (ret == 0 && fetch->in_child) {
		ret = fetch_drain(link, 0);
	}
	return ret;
}

static int fetch_in_child(int out, void *private_data)
{
	struct fetch *fetch = private_data;

	child_close_sockets(link_fd(link_io_link(fetch->link->io)));
	child_close_directories();
	return fetch_run(fetch);
}

static void fetch_child_done(struct tevent_req *req)
{
	struct partner_link *link = tevent_req_callback_data(
		req, struct partner_link);

	/* The child spoke on this connection; the rest of us cannot. */
	child_recv(req, link, NULL, NULL);
	TALLOC_FREE(link->streaming);
	link_io_close(link->io, ECANCELED);
}

static void on_fetch(struct partner_link *link,
		     const struct message *request,
		     struct partner_volume *volume)
{
	struct fetch *fetch;
	int ret;

	if (!has_generation(volume, request)) {
		refuse_request(link, request, REFUSED_NO_STORE,
			       "no store of this generation");
		return;
	}
	fetch = talloc_zero(link, struct fetch);
	if (fetch == NULL) {
		link_io_close(link->io, ENOMEM);
		return;
	}
	*fetch = (struct fetch){
		.link = link,
		.volume = volume,
		.session = request->session,
		.from = request->sequence,
		.in_child = mirror_id_is_none(&request->session),
	};
	if (!fetch->in_child) {
		/* What one process had in flight: little, and the others go
		 * on writing to the store. */
		ret = partner_session_end(volume, &fetch->session);
		if (ret == 0) {
			ret = fetch_run(fetch);
		}
		talloc_free(fetch);
		if (ret != 0) {
			link_io_close(link->io, ret);
		}
		link_io_update(link->io);
		return;
	}
	/* Read-back: all there is, after which the store is of no use. */
	partner_volume_seal(volume);
	link_io_pause(link->io);
	link->streaming = child_function_send(
		fetch, link->partner->mirrord->ev, fetch_in_child, fetch, 0,
		NULL, NULL);
	if (link->streaming == NULL) {
		link_io_close(link->io, ENOMEM);
		return;
	}
	tevent_req_set_callback(link->streaming, fetch_child_done, link);
}

/* ---------------------------------------------------------------- dispatch */

static const struct {
	bool needs_volume;
	void (*handle)(struct partner_link *link,
		       const struct message *request,
		       struct partner_volume *volume);
} requests[FRAME_TYPE_END] = {
	[FRAME_STATE] = { false, on_state },
	[FRAME_PING] = { false, on_ping },
	[FRAME_BEGIN] = { true, on_begin },
	[FRAME_WIPE] = { true, on_wipe },
	[FRAME_END] = { true, on_end },
	[FRAME_FETCH] = { true, on_fetch },
	[FRAME_LEASE] = { false, on_lease },
	[FRAME_FACTS] = { false, on_facts },
};

void partner_control_frame(struct partner_link *link,
			   enum frame_type type,
			   const uint8_t *payload,
			   size_t length)
{
	TALLOC_CTX *frame = talloc_new(link);
	struct partner_volume *volume = NULL;
	struct message request;

	if (type >= FRAME_TYPE_END || requests[type].handle == NULL ||
	    message_decode(frame, type, payload, length, &request) != 0) {
		link_io_close(link->io, EBADMSG);
		talloc_free(frame);
		return;
	}
	if (request.volume != NULL) {
		volume = partner_volume_find(link->partner, request.volume);
		/* END says whether it is released; all others ask for what an
		 * owner needs, or who is going to be one. */
		service_told_wanted(link->partner->mirrord, request.volume,
				    link->node);
	}
	if (volume == NULL && requests[type].needs_volume) {
		refuse_request(link, &request, REFUSED_NO_STORE,
			       "no such volume in the partner's "
			       "configuration");
	} else {
		requests[type].handle(link, &request, volume);
	}
	talloc_free(frame);
}
