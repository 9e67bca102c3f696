/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stores, listening, hello; see partner.h. */

#include <sys/socket.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "dlinklist.h"
#include "fence.h"
#include "nodes.h"
#include "partner_private.h"
#include "partner_trace.h"
#include "service.h"

/* R6: nobody without the key gets more than a few of our descriptors. */
#define STRANGERS_MAX 256
#define HANDSHAKE_MS 5000
#define HELLO_MS 5000
#define BACKLOG 1024

/* ----------------------------------------------------------------- volumes */

struct partner_volume *partner_volume_find(struct partner *partner,
					   const char *name)
{
	size_t i, n = talloc_array_length(partner->volumes);

	for (i = 0; i < n; i++) {
		if (strcmp(partner->volumes[i]->name, name) == 0) {
			return partner->volumes[i];
		}
	}
	return NULL;
}

static void cut_links(struct partner_volume *volume,
		      const struct mirror_id *session)
{
	struct partner_link *link, *next;

	for (link = volume->partner->links; link != NULL; link = next) {
		next = link->next;
		if (link->volume == volume &&
		    (session == NULL ||
		     mirror_id_equal(&link->session, session))) {
			/* What has not been read yet will never be. */
			link->volume = NULL;
			link_io_close(link->io, ECANCELED);
		}
	}
}

void partner_volume_seal(struct partner_volume *volume)
{
	volume->sealed = true;
	cut_links(volume, NULL);
}

void partner_volume_reset(struct partner_volume *volume)
{
	cut_links(volume, NULL);
	volume->sealed = false;
	TALLOC_FREE(volume->ended);
}

bool partner_session_ended(const struct partner_volume *volume,
			   const struct mirror_id *session)
{
	size_t i, n = talloc_array_length(volume->ended);

	for (i = 0; i < n; i++) {
		if (mirror_id_equal(&volume->ended[i], session)) {
			return true;
		}
	}
	return false;
}

int partner_session_end(struct partner_volume *volume,
			const struct mirror_id *session)
{
	size_t n = talloc_array_length(volume->ended);

	if (!partner_session_ended(volume, session)) {
		struct mirror_id *ended;

		ended = talloc_realloc(volume, volume->ended,
				       struct mirror_id, n + 1);
		if (ended == NULL) {
			return ENOMEM;
		}
		ended[n] = *session;
		volume->ended = ended;
	}
	cut_links(volume, session);
	return 0;
}

void partner_info(struct partner *partner,
		  const char *name,
		  struct store_info *info)
{
	struct partner_volume *volume = partner_volume_find(partner, name);

	*info = (struct store_info){ .records = 0 };
	if (volume != NULL && volume->store != NULL) {
		store_info(volume->store, info);
	}
}

void partner_seal(struct partner *partner, const char *name)
{
	struct partner_volume *volume = partner_volume_find(partner, name);

	if (volume != NULL) {
		partner_volume_seal(volume);
	}
}

struct store *partner_store(struct partner *partner, const char *name)
{
	struct partner_volume *volume = partner_volume_find(partner, name);
	struct store_info info;

	partner_info(partner, name, &info);
	return mirror_id_is_none(&info.incarnation) ? NULL : volume->store;
}

int partner_discard(struct partner *partner, const char *name)
{
	struct partner_volume *volume = partner_volume_find(partner, name);

	if (volume == NULL || volume->store == NULL) {
		return 0;
	}
	partner_volume_reset(volume);
	return store_end(volume->store);
}

uint64_t partner_lease_end(uint32_t duration_ms)
{
	uint64_t ns = (uint64_t)duration_ms * 1000000;

	return state_page_clock() + ns + ns / 64;
}

uint64_t partner_lease_until(struct partner *partner, const char *name)
{
	struct partner_volume *volume = partner_volume_find(partner, name);

	return volume != NULL ? volume->lease_until : 0;
}

uint32_t partner_links(struct partner *partner, const char *name)
{
	const struct partner_link *link;
	uint32_t n = 0;

	for (link = partner->links; link != NULL; link = link->next) {
		n += link->volume != NULL &&
			strcmp(link->volume->name, name) == 0;
	}
	return n;
}

bool partner_is_traced(struct partner *partner, const char *name)
{
	struct partner_volume *volume = partner_volume_find(partner, name);

	return volume != NULL && trace_is_on(volume->trace);
}

/* Also that of a volume which was there before and comes again. */
static int open_store(struct partner *partner,
		      const struct mirror_config *config,
		      const char *name,
		      char **problem)
{
	size_t n = talloc_array_length(partner->volumes);
	struct partner_volume **list;
	struct partner_volume *volume;
	char *directory;
	bool lost;
	int ret;

	volume = talloc_zero(partner, struct partner_volume);
	if (volume == NULL) {
		return ENOMEM;
	}
	volume->partner = partner;
	volume->name = talloc_strdup(volume, name);
	directory = talloc_asprintf(volume, "%s/%s", config->store_directory,
				    name);
	if (volume->name == NULL || directory == NULL) {
		talloc_free(volume);
		return ENOMEM;
	}
	/* What the mirrord before us granted, nobody knows. */
	volume->lease_until = partner_lease_end(config->lease_ms);
	ret = store_open(volume, directory, name, &volume->store, &lost);
	if (ret != 0) {
		*problem = talloc_asprintf(
			partner->mirrord, "mirror store %s: %s", directory,
			strerror(ret));
		talloc_free(volume);
		return ret;
	}
	/* Without one nothing is traced; that is all. */
	(void)trace_create(volume, config->run_directory, name,
			   &volume->trace);
	if (lost) {
		event_log(EVENT_STORE_LOST, "volume %s: the mirror store in "
			  "%s was damaged and is discarded", name, directory);
	}
	list = talloc_realloc(partner, partner->volumes,
			      struct partner_volume *, n + 1);
	if (list == NULL) {
		talloc_free(volume);
		return ENOMEM;
	}
	list[n] = volume;
	partner->volumes = list;
	return 0;
}

int partner_configure(struct partner *partner,
		      const struct mirror_config *config,
		      char **problem)
{
	struct config_volume **v;
	int ret = 0;

	for (v = config->volumes; ret == 0 && *v != NULL; v++) {
		if (partner_volume_find(partner, (*v)->name) == NULL) {
			ret = open_store(partner, config, (*v)->name, problem);
		}
	}
	return ret;
}

/* ------------------------------------------------------------------- links */

static void update_listening(struct partner *partner)
{
	/* Who waits in the backlog waits for free. */
	if (partner->strangers >= STRANGERS_MAX) {
		TEVENT_FD_NOT_READABLE(partner->fde);
	} else {
		TEVENT_FD_READABLE(partner->fde);
	}
}

static int partner_link_destructor(struct partner_link *link)
{
	size_t i, n = talloc_array_length(link->partner->volumes);

	for (i = 0; i < n; i++) {
		if (link->partner->volumes[i]->begin_for == link) {
			link->partner->volumes[i]->begin_for = NULL;
		}
	}
	if (link->role == 0) {
		link->partner->strangers--;
		update_listening(link->partner);
	}
	DLIST_REMOVE(link->partner->links, link);
	return 0;
}

void partner_refuse(struct partner_link *link,
		    const char *volume,
		    enum refused_reason reason,
		    const char *text)
{
	const struct message refused = {
		.type = FRAME_REFUSED,
		.volume = volume,
		.reason = reason,
		.text = text,
	};

	link_io_send(link->io, &refused);
	link_io_close(link->io, 0);
}

static void on_hello(struct partner_link *link,
		     const uint8_t *payload,
		     size_t length)
{
	struct partner *partner = link->partner;
	TALLOC_CTX *frame = talloc_new(link);
	struct message hello;
	struct message welcome = {
		.type = FRAME_WELCOME,
		.node = partner->mirrord->nodes->own,
	};

	if (message_decode(frame, FRAME_HELLO, payload, length, &hello) != 0) {
		link_io_close(link->io, EBADMSG);
		talloc_free(frame);
		return;
	}
	welcome.version = hello.version_max < WIRE_VERSION_MAX ?
		hello.version_max : WIRE_VERSION_MAX;
	if (welcome.version < hello.version_min ||
	    welcome.version < WIRE_VERSION_MIN) {
		partner_refuse(link, hello.volume, REFUSED_VERSION,
			       "no common protocol version: the nodes run "
			       "releases that are too far apart");
		talloc_free(frame);
		return;
	}
	if (hello.role != HELLO_ROLE_RECORD &&
	    hello.role != HELLO_ROLE_CONTROL) {
		link_io_close(link->io, EBADMSG);
		talloc_free(frame);
		return;
	}
	TALLOC_FREE(link->hello_deadline);
	partner->strangers--;
	update_listening(partner);
	link->role = hello.role;
	link->node = hello.node;
	link->number = ++partner->last_number;
	fence_forget(hello.node);
	service_heard(partner->mirrord, hello.node);
	if (hello.role == HELLO_ROLE_RECORD) {
		partner_record_hello(link, &hello, welcome.version);
	} else {
		link_io_send(link->io, &welcome);
	}
	talloc_free(frame);
}

static void on_frame(struct link_io *io,
		     enum frame_type type,
		     uint8_t *payload,
		     size_t length,
		     void *private_data)
{
	struct partner_link *link = private_data;

	if (link->role == 0) {
		if (type == FRAME_HELLO) {
			on_hello(link, payload, length);
		} else {
			link_io_close(io, EBADMSG);
		}
	} else if (link->role == HELLO_ROLE_RECORD) {
		partner_record_frame(link, type, payload, length);
	} else {
		partner_control_frame(link, type, payload, length);
	}
}

static void on_readable(struct link_io *io, void *private_data)
{
	struct partner_link *link = private_data;

	if (link->volume != NULL && trace_is_on(link->volume->trace)) {
		partner_trace_readable(link);
	}
}

static void on_drained(struct link_io *io, void *private_data)
{
	struct partner_link *link = private_data;

	if (link->role == HELLO_ROLE_RECORD) {
		partner_record_drained(link);
	}
}

static void hello_overdue(void *private_data)
{
	struct partner_link *link = private_data;

	link->hello_deadline = NULL;
	link_io_close(link->io, ETIMEDOUT);
}

static void on_ready(struct link_io *io, void *private_data)
{
	struct partner_link *link = private_data;

	link->hello_deadline = timer_start(link, link->partner->mirrord->ev,
					   HELLO_MS, hello_overdue, link);
}

static void on_closed(struct link_io *io, int error, void *private_data)
{
	struct partner_link *link = private_data;
	const char *peer = link_io_peer(io);
	char key[EVENT_KEY_SIZE];

	event_key_of_host(peer, key);
	if (error == EACCES) {
		event_log_once(EVENT_LINK_WRONG_KEY, key,
			       "%s does not have our cluster key", peer);
	} else if (error == EPROTO || error == EBADMSG) {
		event_log_once(EVENT_LINK_NOT_PEER, key,
			       "%s does not speak our protocol", peer);
	}
	talloc_free(link);
}

static const struct link_io_ops link_ops = {
	.ready = on_ready,
	.readable = on_readable,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

static void take_link(struct partner *partner, int fd)
{
	struct mirrord *mirrord = partner->mirrord;
	struct partner_link *link;
	struct peer_link *peer;

	link = talloc_zero(partner, struct partner_link);
	if (link == NULL) {
		close(fd);
		return;
	}
	if (link_accept(link, mirrord->key, fd, &peer) != 0) {
		talloc_free(link);
		return;
	}
	link->partner = partner;
	DLIST_ADD(partner->links, link);
	partner->strangers++;
	talloc_set_destructor(link, partner_link_destructor);
	if (link_io_new(link, mirrord->ev, peer, HANDSHAKE_MS, &link_ops, link,
			&link->io) != 0) {
		talloc_free(link);
	}
}

static void on_connection(struct tevent_context *ev,
			  struct tevent_fd *fde,
			  uint16_t flags,
			  void *private_data)
{
	struct partner *partner = private_data;
	int turn;

	for (turn = 0; turn < 32 && partner->strangers < STRANGERS_MAX;
	     turn++) {
		struct sockaddr_storage ss;
		socklen_t length = sizeof(ss);
		int fd;

		fd = accept4(partner->fd, (struct sockaddr *)&ss, &length,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			break;
		}
		/* The key decides who may come in (R6). On a cable without
		 * keys it is at least the address. */
		if (!partner->mirrord->config->encrypt &&
		    nodes_find(partner->mirrord->nodes, &ss) == -1) {
			event_log_once(EVENT_LINK_NOT_PEER, "address",
				       "a connection from an address that is "
				       "not in the nodes file was closed");
			close(fd);
			continue;
		}
		take_link(partner, fd);
	}
	update_listening(partner);
}

static int start_listening(struct partner *partner, char **problem)
{
	struct mirrord *mirrord = partner->mirrord;
	const struct node *own = &mirrord->nodes->node[mirrord->nodes->own];
	int one = 1;
	int ret;

	partner->fd = socket(own->address.ss_family,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (partner->fd == -1) {
		return errno;
	}
	setsockopt(partner->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(partner->fd, (const struct sockaddr *)&own->address,
		 sizeof(own->address)) == -1 ||
	    listen(partner->fd, BACKLOG) == -1) {
		ret = errno;
		*problem = talloc_asprintf(mirrord, "cannot listen on %s port "
					   "%u: %s", own->name,
					   mirrord->config->port,
					   strerror(ret));
		return ret;
	}
	partner->fde = tevent_add_fd(mirrord->ev, partner, partner->fd,
				     TEVENT_FD_READ, on_connection, partner);
	return partner->fde != NULL ? 0 : ENOMEM;
}

static int partner_destructor(struct partner *partner)
{
	while (partner->links != NULL) {
		talloc_free(partner->links);
	}
	TALLOC_FREE(partner->fde);
	if (partner->fd != -1) {
		close(partner->fd);
	}
	return 0;
}

int partner_new(struct mirrord *mirrord,
		struct partner **_partner,
		char **problem)
{
	struct partner *partner = talloc_zero(mirrord, struct partner);
	int ret;

	*problem = NULL;
	if (partner == NULL) {
		return ENOMEM;
	}
	partner->mirrord = mirrord;
	partner->fd = -1;
	talloc_set_destructor(partner, partner_destructor);
	/* Listen last: who can connect finds the stores. */
	ret = partner_configure(partner, mirrord->config, problem);
	if (ret == 0) {
		ret = start_listening(partner, problem);
	}
	if (ret != 0) {
		talloc_free(partner);
		return ret;
	}
	*_partner = partner;
	return 0;
}
