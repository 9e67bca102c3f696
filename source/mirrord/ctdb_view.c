/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ctdb knows, see ctdb_view.h. */

#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "ctdb_view.h"
#include "nodes.h"

#define POLL_MS 1000
#define POLL_HURRY_MS 100
#define HURRY_MS 10000
#define ANSWER_MS 2000
/* One that is restarted in less time has not been away. */
#define GONE_MS 1000
#define FRESH_MS 4000

/*
 * ctdb's client protocol, as far as we need it (ctdb/protocol/protocol.h; the
 * same in 4.17 and 4.22). Native byte order: it is a local socket.
 */
#define CTDB_MAGIC 0x43544442
#define CTDB_VERSION 1
#define CTDB_REQ_CONTROL 7
#define CTDB_REPLY_CONTROL 8
#define CTDB_CURRENT_NODE 0xF0000001
#define CTDB_RECOVERY_NORMAL 0
#define CTDB_INVALID_GENERATION 1
#define NODE_DISCONNECTED 0x01
#define NODE_INACTIVE (0x10 | NODE_DISCONNECTED | 0x08 | 0x20)
#define PACKET_MAX 65536
#define ADDRESS_SIZE 28		/* union of sockaddr_in and _in6 */

struct ctdb_header {
	uint32_t length;
	uint32_t magic;
	uint32_t version;
	uint32_t generation;
	uint32_t operation;
	uint32_t destination;
	uint32_t source;
	uint32_t request;
};

struct ctdb_control {
	struct ctdb_header header;
	uint32_t opcode;
	uint32_t pad;
	uint64_t srvid;
	uint32_t client;
	uint32_t flags;
	uint32_t length;
	uint32_t pad2;
};

struct ctdb_reply {
	struct ctdb_header header;
	int32_t status;
	uint32_t data_length;
	uint32_t error_length;
};

enum question {
	ASK_RECMODE,
	ASK_VNNMAP,
	ASK_NODEMAP,
	ASK_ADDRESSES,
	ASK_END
};

static const uint32_t opcodes[ASK_END] = {
	[ASK_RECMODE] = 15,
	[ASK_VNNMAP] = 5,
	[ASK_NODEMAP] = 91,
	[ASK_ADDRESSES] = 90,
};

struct hosted {
	char address[INET6_ADDRSTRLEN];
	uint32_t node;
};

struct answer {
	bool normal;
	uint64_t members;	/* in the vnnmap; a bit per node */
	uint64_t connected;
	uint64_t active;
	struct hosted *hosted;
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
	struct tevent_timer *poll;

	/* one round of questions */
	int fd;
	struct tevent_fd *fde;
	struct tevent_timer *deadline;
	struct answer next;
	uint32_t missing;
	uint8_t *buf;
	size_t used;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct timeval in_ms(uint32_t ms)
{
	return tevent_timeval_current_ofs(ms / 1000, ms % 1000 * 1000);
}

static uint64_t node_bit(uint32_t node)
{
	return node < NODES_MAX ? UINT64_C(1) << node : 0;
}

/* ----------------------------------------------------------------- answers */

static uint32_t pull_u32(const uint8_t *data, size_t at)
{
	uint32_t value;

	memcpy(&value, data + at, sizeof(value));
	return value;
}

static bool take_vnnmap(struct answer *answer, const uint8_t *data,
			size_t length)
{
	uint32_t i, n;

	if (length < 8 || (n = pull_u32(data, 4)) > (length - 8) / 4) {
		return false;
	}
	answer->members = 0;
	if (pull_u32(data, 0) == CTDB_INVALID_GENERATION) {
		return true;
	}
	for (i = 0; i < n; i++) {
		answer->members |= node_bit(pull_u32(data, 8 + 4 * i));
	}
	return true;
}

static bool take_nodemap(struct answer *answer, const uint8_t *data,
			 size_t length)
{
	const size_t entry = 8 + ADDRESS_SIZE;
	uint32_t i, n;

	if (length < 4 || (n = pull_u32(data, 0)) > (length - 4) / entry) {
		return false;
	}
	answer->connected = answer->active = 0;
	for (i = 0; i < n; i++) {
		uint64_t bit = node_bit(pull_u32(data, 4 + entry * i));
		uint32_t flags = pull_u32(data, 4 + entry * i + 4);

		answer->connected |= flags & NODE_DISCONNECTED ? 0 : bit;
		answer->active |= flags & NODE_INACTIVE ? 0 : bit;
	}
	return true;
}

static bool take_addresses(struct ctdb_view *view, struct answer *answer,
			   const uint8_t *data, size_t length)
{
	const size_t entry = 4 + ADDRESS_SIZE;
	uint32_t i, n;

	if (length < 4 || (n = pull_u32(data, 0)) > (length - 4) / entry) {
		return false;
	}
	answer->hosted = talloc_zero_array(view, struct hosted, n);
	if (answer->hosted == NULL) {
		return n == 0;
	}
	for (i = 0; i < n; i++) {
		union {
			struct sockaddr sa;
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} address;

		memcpy(&address, data + 4 + entry * i + 4, ADDRESS_SIZE);
		answer->hosted[i].node = pull_u32(data, 4 + entry * i);
		inet_ntop(address.sa.sa_family,
			  address.sa.sa_family == AF_INET6 ?
			  (const void *)&address.in6.sin6_addr :
			  (const void *)&address.in.sin_addr,
			  answer->hosted[i].address, INET6_ADDRSTRLEN);
	}
	return true;
}

static bool take_reply(struct ctdb_view *view, const uint8_t *packet,
		       size_t length)
{
	struct ctdb_reply reply;
	const uint8_t *data = packet + sizeof(reply);

	if (length < sizeof(reply)) {
		return false;
	}
	memcpy(&reply, packet, sizeof(reply));
	if (reply.header.operation != CTDB_REPLY_CONTROL ||
	    reply.header.request >= ASK_END) {
		return true;	/* not for us */
	}
	if (reply.data_length > length - sizeof(reply)) {
		return false;
	}
	view->missing &= ~(1U << reply.header.request);
	switch ((enum question)reply.header.request) {
	case ASK_RECMODE:
		view->next.normal = reply.status == CTDB_RECOVERY_NORMAL;
		return true;
	case ASK_VNNMAP:
		return reply.status == 0 &&
			take_vnnmap(&view->next, data, reply.data_length);
	case ASK_NODEMAP:
		return reply.status == 0 &&
			take_nodemap(&view->next, data, reply.data_length);
	case ASK_ADDRESSES:
		return reply.status == 0 &&
			take_addresses(view, &view->next, data,
				       reply.data_length);
	case ASK_END:
		break;
	}
	return false;
}

/* ------------------------------------------------------------------- round */

static void round_end(struct ctdb_view *view)
{
	TALLOC_FREE(view->fde);
	TALLOC_FREE(view->deadline);
	TALLOC_FREE(view->buf);
	TALLOC_FREE(view->next.hosted);
	if (view->fd != -1) {
		close(view->fd);
		view->fd = -1;
	}
}

static void round_done(struct ctdb_view *view)
{
	TALLOC_FREE(view->answer.hosted);
	view->answer = view->next;
	view->next.hosted = NULL;
	view->answered = now_ms();
	view->decreed = false;
	round_end(view);
	if (view->changed != NULL) {
		view->changed(view->private_data);
	}
}

static bool round_packets(struct ctdb_view *view)
{
	for (;;) {
		uint32_t length;

		if (view->used < sizeof(struct ctdb_header)) {
			return true;
		}
		length = pull_u32(view->buf, 0);
		if (length < sizeof(struct ctdb_header) ||
		    length > PACKET_MAX) {
			return false;
		}
		if (view->used < length) {
			return true;
		}
		if (!take_reply(view, view->buf, length)) {
			return false;
		}
		memmove(view->buf, view->buf + length, view->used - length);
		view->used -= length;
	}
}

static void round_read(struct tevent_context *ev,
		       struct tevent_fd *fde,
		       uint16_t flags,
		       void *private_data)
{
	struct ctdb_view *view = private_data;
	ssize_t n;

	n = recv(view->fd, view->buf + view->used, PACKET_MAX - view->used,
		 MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		round_end(view);
		return;
	}
	view->used += (size_t)n;
	if (!round_packets(view)) {
		round_end(view);
		return;
	}
	if (view->missing == 0) {
		round_done(view);
	}
}

static void round_overdue(struct tevent_context *ev,
			  struct tevent_timer *te,
			  struct timeval now,
			  void *private_data)
{
	struct ctdb_view *view = private_data;

	view->deadline = NULL;
	round_end(view);
}

static bool round_send(struct ctdb_view *view)
{
	struct ctdb_control controls[ASK_END];
	uint32_t i;

	for (i = 0; i < ASK_END; i++) {
		controls[i] = (struct ctdb_control){
			.header = {
				.length = sizeof(controls[i]),
				.magic = CTDB_MAGIC,
				.version = CTDB_VERSION,
				.operation = CTDB_REQ_CONTROL,
				.destination = CTDB_CURRENT_NODE,
				.request = i,
			},
			.opcode = opcodes[i],
		};
	}
	view->missing = (1U << ASK_END) - 1;
	return send(view->fd, controls, sizeof(controls), MSG_DONTWAIT |
		    MSG_NOSIGNAL) == (ssize_t)sizeof(controls);
}

static bool round_connect(struct ctdb_view *view,
			  const struct sockaddr_un *address)
{
	if (connect(view->fd, (const struct sockaddr *)address,
		    sizeof(*address)) == 0) {
		view->refused_since = 0;
		return true;
	}
	if ((errno == ECONNREFUSED || errno == ENOENT) &&
	    view->refused_since == 0) {
		view->refused_since = now_ms();
		ctdb_view_hurry(view);
	}
	return false;
}

void ctdb_view_ask(struct ctdb_view *view)
{
	const char *path = view->mirrord->config->ctdb_socket;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (view->fd != -1 || strlen(path) >= sizeof(address.sun_path)) {
		return;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	view->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0);
	if (view->fd == -1) {
		return;
	}
	view->used = 0;
	view->buf = talloc_array(view, uint8_t, PACKET_MAX);
	if (view->buf == NULL || !round_connect(view, &address) ||
	    !round_send(view)) {
		round_end(view);
		return;
	}
	view->fde = tevent_add_fd(view->mirrord->ev, view, view->fd,
				  TEVENT_FD_READ, round_read, view);
	view->deadline = tevent_add_timer(view->mirrord->ev, view,
					  in_ms(ANSWER_MS), round_overdue,
					  view);
	if (view->fde == NULL || view->deadline == NULL) {
		round_end(view);
	}
}

static void poll_now(struct tevent_context *ev,
		     struct tevent_timer *te,
		     struct timeval now,
		     void *private_data);

static void poll_later(struct ctdb_view *view)
{
	bool hurry = now_ms() < view->hurry_until;

	TALLOC_FREE(view->poll);
	view->poll = tevent_add_timer(view->mirrord->ev, view,
				      in_ms(hurry ? POLL_HURRY_MS : POLL_MS),
				      poll_now, view);
}

static void poll_now(struct tevent_context *ev,
		     struct tevent_timer *te,
		     struct timeval now,
		     void *private_data)
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
		(view->answer.members & own) != 0;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return ctdb_view_settled(view) &&
		(view->answer.members & node_bit(node)) == 0 &&
		(view->answer.active & node_bit(node)) == 0;
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return ctdb_view_known(view) &&
		(view->answer.connected & node_bit(node)) != 0;
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

void ctdb_view_decree(struct ctdb_view *view, uint64_t alive)
{
	view->answer.normal = true;
	view->answer.members = alive;
	view->answer.connected = alive;
	view->answer.active = alive;
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

static int view_destructor(struct ctdb_view *view)
{
	round_end(view);
	return 0;
}

int ctdb_view_new(struct mirrord *mirrord, struct ctdb_view **_view)
{
	struct ctdb_view *view = talloc_zero(mirrord, struct ctdb_view);

	if (view == NULL) {
		return ENOMEM;
	}
	view->mirrord = mirrord;
	view->fd = -1;
	talloc_set_destructor(view, view_destructor);
	ctdb_view_ask(view);
	poll_later(view);
	*_view = view;
	return 0;
}
