/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sender.h. */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include <poll.h>
#include <sched.h>
#include "batch.h"
#include "operation_trace.h"
#include "sender.h"

/* Between two attempts to connect. */
#define RETRY_US 10000
/* Without a link for so long, mirrord has to decide what happens. */
#define PATIENCE_US 300000
/* While writes are in flight, how often to look for a new regime. */
#define TICK_MS 20
/* Waiting for the partner, stay awake for so long. */
#define AWAKE_US 50

static struct mirror_volume *volumes;

uint64_t sender_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ------------------------------------------------------------------- link */

static void link_drop(struct mirror_volume *volume, uint32_t retry_us)
{
	TALLOC_FREE(volume->fde);
	TALLOC_FREE(volume->link);
	batch_pushed(volume);
	volume->state = SENDER_NONE;
	volume->next_attempt = sender_now() + retry_us;
	if (volume->failing_since == 0) {
		volume->failing_since = sender_now();
	}
}

static void link_failed(struct mirror_volume *volume, const char *what, int err)
{
	DBG_NOTICE("volume %s: %s %s: %s\n", volume->name, what,
		   volume->link != NULL ? link_peer(volume->link) : "partner",
		   strerror(err));
	link_drop(volume, RETRY_US);
}

static void link_start(struct mirror_volume *volume)
{
	int ret;

	if (sender_now() < volume->next_attempt) {
		return;
	}
	ret = state_page_partner(volume->page, &volume->partner,
				 &volume->regime);
	if (ret != 0) {
		return;
	}
	ret = link_connect(volume, volume->key, NULL, &volume->partner.address,
			   &volume->link);
	if (ret != 0) {
		link_failed(volume, "cannot connect to", ret);
		return;
	}
	volume->state = SENDER_HANDSHAKE;
}

static void link_greet(struct mirror_volume *volume)
{
	struct message hello = {
		.type = FRAME_HELLO,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.role = HELLO_ROLE_RECORD,
		.session = volume->session,
		.volume = volume->name,
		.generation = volume->partner.generation,
		.incarnation = volume->partner.incarnation,
	};
	int ret;

	ret = link_handshake(volume->link);
	if (ret == EAGAIN) {
		return;
	}
	if (ret == 0) {
		ret = link_send_message(volume->link, &hello);
	}
	if (ret != 0) {
		link_failed(volume, "no link to", ret);
		return;
	}
	volume->state = SENDER_HELLO;
}

static void operation_queue(struct mirror_volume *volume,
			    struct mirror_operation *operation)
{
	uint8_t header[WIRE_FRAME_HEADER];
	struct iovec iov[3] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		{ .iov_base = operation->head,
		  .iov_len = operation->head_length },
		{ .iov_base = discard_const(operation->record.data),
		  .iov_len = operation->record.data_length },
	};
	bool may_wait = batch_may_wait(volume, operation);
	int ret;

	frame_header_push(header, FRAME_RECORD,
			  operation->head_length +
			  operation->record.data_length);
	if (may_wait) {
		link_cork(volume->link);
	}
	ret = link_send(volume->link, iov, 3);
	if (ret != 0) {
		link_failed(volume, "lost", ret);
	} else if (!may_wait && volume->num_held > 0) {
		sender_push(volume);
	}
}

static void mark_acknowledged(struct mirror_volume *volume, uint64_t sequence)
{
	struct mirror_operation *operation;

	for (operation = volume->in_flight; operation != NULL;
	     operation = operation->next) {
		if (operation->record.sequence != 0 &&
		    operation->record.sequence <= sequence &&
		    !operation->acknowledged) {
			operation->acknowledged = true;
			volume->news = true;
			if (operation->trace != NULL) {
				operation_trace_acknowledged(operation);
			}
		}
	}
}

/* R5: what the partner has is done, the rest is sent again in order. */
static void link_welcome(struct mirror_volume *volume,
			 const struct message *welcome)
{
	struct mirror_operation *operation;

	volume->state = SENDER_READY;
	volume->failing_since = 0;
	mark_acknowledged(volume, welcome->sequence);
	for (operation = volume->in_flight;
	     operation != NULL && volume->link != NULL;
	     operation = operation->next) {
		bool sent = operation->state == OPERATION_SENT ||
			operation->state == OPERATION_CANCELLING;
		bool same_store = mirror_id_equal(&operation->incarnation,
					&volume->partner.incarnation);

		if (sent && same_store && !operation->acknowledged) {
			operation_queue(volume, operation);
		}
	}
}

static void link_refused(struct mirror_volume *volume,
			 const struct message *refused)
{
	DBG_WARNING("volume %s: the partner refuses records: %s: %s\n",
		    volume->name, refused_reason_name(refused->reason),
		    refused->text != NULL ? refused->text : "");
	link_drop(volume, RETRY_US * 5);
	state_page_report_partner(volume->page, volume->regime);
}

static void link_frame(struct mirror_volume *volume,
		       enum frame_type type,
		       const uint8_t *payload,
		       size_t length)
{
	struct message message;
	TALLOC_CTX *frame = talloc_stackframe();
	int ret;

	ret = message_decode(frame, type, payload, length, &message);
	if (ret != 0) {
		link_failed(volume, "nonsense from", ret);
	} else if (type == FRAME_ACK && volume->state == SENDER_READY) {
		mark_acknowledged(volume, message.sequence);
	} else if (type == FRAME_WELCOME && volume->state == SENDER_HELLO) {
		link_welcome(volume, &message);
	} else if (type == FRAME_REFUSED) {
		link_refused(volume, &message);
	} else {
		link_failed(volume, frame_type_name(type), EPROTO);
	}
	TALLOC_FREE(frame);
}

static void link_read(struct mirror_volume *volume)
{
	if (volume->traced != NULL) {
		volume->answered = trace_now();
	}
	while (volume->link != NULL && volume->state >= SENDER_HELLO) {
		enum frame_type type;
		uint8_t *payload = NULL;
		size_t length;
		int ret;

		ret = link_receive(volume->link, &type, &payload, &length);
		if (ret == EAGAIN) {
			volume->look = false;
			return;
		}
		if (ret != 0) {
			link_failed(volume, "lost", ret);
			return;
		}
		link_frame(volume, type, payload, length);
	}
}

static void link_watch(struct mirror_volume *volume);

void sender_push(struct mirror_volume *volume)
{
	int ret;

	batch_pushed(volume);
	if (volume->state < SENDER_HELLO) {
		return;
	}
	ret = link_flush(volume->link);
	if (ret != 0 && ret != EAGAIN) {
		link_failed(volume, "lost", ret);
	}
	link_watch(volume);
}

void sender_service(struct mirror_volume *volume)
{
	if (volume->state != SENDER_NONE &&
	    volume->regime != state_page_regime(volume->page)) {
		/* mirrord decided something: whatever it is, greet again. */
		link_drop(volume, 0);
		volume->failing_since = 0;
	}
	if (volume->state == SENDER_NONE) {
		link_start(volume);
	}
	if (volume->state == SENDER_HANDSHAKE) {
		link_greet(volume);
	}
	sender_push(volume);
	/* An operation that has sent just now, or is about to, need not ask
	 * the socket for what cannot have come yet. */
	if (volume->look || volume->state != SENDER_READY ||
	    volume->num_async > 0) {
		link_read(volume);
	}

	if (volume->failing_since != 0 &&
	    sender_now() - volume->failing_since > PATIENCE_US) {
		state_page_report_partner(volume->page, volume->regime);
		volume->failing_since = sender_now();
	}
	link_watch(volume);
}

void sender_prepare(struct mirror_volume *volume)
{
	if (volume->state != SENDER_READY ||
	    volume->regime != state_page_regime(volume->page)) {
		sender_service(volume);
	}
}

/*
 * To sleep and be woken costs more than most round trips, above all in a
 * virtual machine whose idle processor halts. Whoever else wants the processor
 * gets it.
 */
static bool poll_awake(struct pollfd *pollfd)
{
	const struct timespec at_once = { .tv_sec = 0 };
	uint64_t end = 0;

	while (ppoll(pollfd, 1, &at_once, NULL) == 0) {
		uint64_t now = sender_now();

		if (end == 0) {
			end = now + AWAKE_US;
		} else if (now >= end) {
			return false;
		}
		sched_yield();
	}
	return true;
}

void sender_wait(struct mirror_volume *volume,
		 uint32_t microseconds,
		 bool for_answer)
{
	struct timespec timeout = {
		.tv_sec = microseconds / 1000000,
		.tv_nsec = (microseconds % 1000000) * 1000,
	};
	struct pollfd pollfd = { .fd = -1 };

	if (volume->link != NULL) {
		pollfd.fd = link_fd(volume->link);
		pollfd.events = link_events(volume->link);
	} else {
		/* Nothing will wake us: look again soon. */
		timeout.tv_sec = 0;
		timeout.tv_nsec = MIN(microseconds, 5000) * 1000;
	}
	if (!for_answer || volume->link == NULL || !poll_awake(&pollfd)) {
		ppoll(&pollfd, 1, &timeout, NULL);
	}
	volume->look = true;
}

int sender_send(struct mirror_volume *volume,
		struct mirror_operation *operation)
{
	int ret;

	operation->record.sequence = volume->last_sequence + 1;
	TALLOC_FREE(operation->head);
	ret = record_encode(operation, &operation->record, &operation->head,
			    &operation->head_length);
	if (ret != 0) {
		operation->record.sequence = 0;
		return ret;
	}
	volume->last_sequence++;
	operation->acknowledged = false;
	/* The list stays in the order in which the records are sent. */
	DLIST_DEMOTE(volume->in_flight, operation);
	/* Should this process die before a cancellation arrives, the record
	 * that it cancels has to be settled, not the cancellation. */
	if (operation->record.type != RECORD_CANCEL) {
		state_page_sequence(volume->page, &operation->hold,
				    operation->record.sequence);
	}
	operation_point(operation, TRACE_ENCODED);
	if (volume->state != SENDER_READY) {
		return ENOTCONN;
	}
	operation_queue(volume, operation);
	operation_point(operation, TRACE_SENT);
	return 0;
}

/* ------------------------------------------------------------- event loop */

static void sender_event(struct mirror_volume *volume)
{
	volume->look = true;
	sender_service(volume);
	operation_advance_all(volume);
}

static void sender_fd_handler(struct tevent_context *ev,
			      struct tevent_fd *fde,
			      uint16_t flags,
			      void *private_data)
{
	sender_event(talloc_get_type_abort(private_data,
					   struct mirror_volume));
}

static void sender_tick(void *private_data)
{
	struct mirror_volume *volume = talloc_get_type_abort(
		private_data, struct mirror_volume);

	volume->timer = NULL;
	if (volume->num_async > 0) {
		sender_event(volume);
		sender_watch(volume, volume->ev);
	}
}

static void link_watch(struct mirror_volume *volume)
{
	uint16_t flags = TEVENT_FD_READ;

	if (volume->ev == NULL || volume->link == NULL) {
		return;
	}
	if (volume->fde == NULL) {
		volume->fde = tevent_add_fd(volume->ev, volume,
					    link_fd(volume->link), flags,
					    sender_fd_handler, volume);
		if (volume->fde == NULL) {
			return;
		}
	}
	/* What is kept back is not there because the socket is full. */
	if (volume->num_held == 0 && (link_events(volume->link) & POLLOUT)) {
		flags |= TEVENT_FD_WRITE;
	}
	if (tevent_fd_get_flags(volume->fde) != flags) {
		tevent_fd_set_flags(volume->fde, flags);
	}
}

void sender_watch(struct mirror_volume *volume, struct tevent_context *ev)
{
	volume->ev = ev;
	link_watch(volume);
	if (volume->timer == NULL) {
		volume->timer = timer_start(volume, ev, TICK_MS, sender_tick,
					    volume);
	}
}

/* ------------------------------------------------------------ open, close */

static int volume_destructor(struct mirror_volume *volume)
{
	DLIST_REMOVE(volumes, volume);
	batch_pushed(volume);
	if (volume->root_fd != -1) {
		close(volume->root_fd);
	}
	return 0;
}

static struct mirror_volume *volume_find(const char *name)
{
	struct mirror_volume *volume;

	for (volume = volumes; volume != NULL; volume = volume->next) {
		if (strcmp(volume->name, name) == 0) {
			return volume;
		}
	}
	return NULL;
}

/* A link at hand saves the first operation the handshake; without a partner
 * we do not wait for one. */
#define FIRST_LINK_US 200000

static void first_link(struct mirror_volume *volume)
{
	uint64_t end = sender_now() + FIRST_LINK_US;

	while (state_page_mode(volume->page) == PAGE_MIRRORED &&
	       volume->state != SENDER_READY && sender_now() < end) {
		sender_service(volume);
		if (volume->state != SENDER_READY) {
			sender_wait(volume, RETRY_US, false);
		}
	}
}

struct mirror_volume *sender_open(const char *name,
				  const char *run_directory,
				  const char *key_file,
				  bool encrypt,
				  const char *root,
				  char **problem)
{
	struct mirror_volume *volume = volume_find(name);
	int ret;

	if (volume != NULL) {
		volume->references++;
		return volume;
	}

	volume = talloc_zero(NULL, struct mirror_volume);
	if (volume == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	volume->root_fd = -1;
	volume->references = 1;
	DLIST_ADD(volumes, volume);
	talloc_set_destructor(volume, volume_destructor);
	volume->name = talloc_strdup(volume, name);
	volume->umask = umask(0);
	umask(volume->umask);
	mirror_id_choose(&volume->session);

	ret = state_page_open(volume, run_directory, name, &volume->page);
	if (ret != 0) {
		*problem = talloc_asprintf(
			talloc_tos(),
			"no state page of volume %s in %s (%s): mirrord has "
			"not made this node its owner. See `mirrorctl status` "
			"and `ctdb ip`.", name, run_directory, strerror(ret));
		if (ret == ENOENT) {
			ret = ESTALE;
		}
		goto fail;
	}
	/* Without one nothing is traced; that is all. */
	(void)trace_open(volume, run_directory, name, &volume->trace);
	ret = link_key_load(volume, key_file, encrypt, &volume->key, problem);
	if (ret != 0) {
		goto fail;
	}
	volume->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volume->root_fd == -1) {
		ret = errno;
		*problem = talloc_asprintf(talloc_tos(), "cannot open %s: %s",
					   root, strerror(ret));
		goto fail;
	}
	ret = state_page_attach(volume->page, &volume->session, &volume->slot);
	if (ret != 0) {
		*problem = talloc_asprintf(
			talloc_tos(), "more than %u smbd processes use volume "
			"%s", PAGE_SLOTS, name);
		goto fail;
	}
	first_link(volume);
	return volume;

fail:
	TALLOC_FREE(volume);
	errno = ret;
	return NULL;
}

void sender_close(struct mirror_volume *volume)
{
	if (--volume->references > 0) {
		return;
	}
	while (volume->in_flight != NULL) {
		struct mirror_operation *operation = volume->in_flight;

		operation_finish(operation);
		if (operation->done != NULL) {
			operation->done(operation, operation->private_data);
		}
	}
	state_page_detach(volume->page, volume->slot);
	operation_trace_close(volume);
	TALLOC_FREE(volume);
}
