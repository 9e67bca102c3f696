/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions to ctdbd, see ctdb_query.h. */

#include <sys/socket.h>
#include <sys/un.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <tdb.h>
#include <unistd.h>
#include "../common/timer.h"
#include "ctdb_query.h"
#include "nodes.h"

/* Native byte order: it is a local socket. */
#define CTDB_MAGIC 0x43544442
#define CTDB_VERSION 1
#define CTDB_REQ_CONTROL 7
#define CTDB_REPLY_CONTROL 8
#define CTDB_INVALID_GENERATION 1
#define NODE_DISCONNECTED 0x01
#define NODE_DELETED 0x10
#define NODE_INACTIVE (NODE_DELETED | NODE_DISCONNECTED | 0x08 | 0x20)
#define REGISTRY "registry.tdb"
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

struct query {
	int fd;
	struct ctdb_answer *answers;
	size_t count;
	uint64_t missing;	/* a bit per question */
	uint8_t *buf;
	size_t used;
};

/* ------------------------------------------------------------------ packets */

static uint32_t pull_u32(const uint8_t *data, size_t at)
{
	uint32_t value;

	memcpy(&value, data + at, sizeof(value));
	return value;
}

static uint64_t pull_u64(const uint8_t *data, size_t at)
{
	uint64_t value;

	memcpy(&value, data + at, sizeof(value));
	return value;
}

static int take_reply(struct query *query, const uint8_t *packet,
		      size_t length)
{
	struct ctdb_reply reply;
	struct ctdb_answer *answer;

	if (length < sizeof(reply)) {
		return EPROTO;
	}
	memcpy(&reply, packet, sizeof(reply));
	if (reply.header.operation != CTDB_REPLY_CONTROL ||
	    reply.header.request >= query->count) {
		return 0;	/* not for us */
	}
	if (reply.data_length > length - sizeof(reply)) {
		return EPROTO;
	}
	answer = &query->answers[reply.header.request];
	answer->status = reply.status;
	answer->length = reply.data_length;
	answer->data = talloc_memdup(query->answers, packet + sizeof(reply),
				     reply.data_length);
	if (answer->data == NULL && reply.data_length > 0) {
		return ENOMEM;
	}
	query->missing &= ~(UINT64_C(1) << reply.header.request);
	return 0;
}

static int take_packets(struct query *query)
{
	while (query->used >= sizeof(struct ctdb_header)) {
		uint32_t length = pull_u32(query->buf, 0);
		int ret;

		if (length < sizeof(struct ctdb_header) ||
		    length > PACKET_MAX) {
			return EPROTO;
		}
		if (query->used < length) {
			break;
		}
		ret = take_reply(query, query->buf, length);
		if (ret != 0) {
			return ret;
		}
		memmove(query->buf, query->buf + length,
			query->used - length);
		query->used -= length;
	}
	return 0;
}

/* ------------------------------------------------------------------ request */

static void query_cleanup(struct tevent_req *req,
			  enum tevent_req_state req_state)
{
	struct query *query = tevent_req_data(req, struct query);

	/* The handler of the descriptor goes before it. */
	TALLOC_FREE(query->buf);
	if (query->fd != -1) {
		close(query->fd);
		query->fd = -1;
	}
}

static void query_read(struct tevent_context *ev,
		       struct tevent_fd *fde,
		       uint16_t flags,
		       void *private_data)
{
	struct tevent_req *req = private_data;
	struct query *query = tevent_req_data(req, struct query);
	ssize_t n;
	int ret;

	n = recv(query->fd, query->buf + query->used,
		 PACKET_MAX - query->used, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		tevent_req_error(req, n == 0 ? ECONNRESET : (uint64_t)errno);
		return;
	}
	query->used += (size_t)n;
	ret = take_packets(query);
	if (ret != 0) {
		tevent_req_error(req, (uint64_t)ret);
	} else if (query->missing == 0) {
		tevent_req_done(req);
	}
}

static void query_overdue(void *private_data)
{
	tevent_req_error(private_data, ETIMEDOUT);
}

static int query_connect(struct query *query, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path)) {
		return ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	query->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			   0);
	if (query->fd == -1 ||
	    connect(query->fd, (const struct sockaddr *)&address,
		    sizeof(address)) == -1) {
		return errno;
	}
	return 0;
}

static int query_ask(struct query *query,
		     const struct ctdb_question *questions)
{
	/* An argument begins where the padding is, and ends as aligned. */
	const size_t start = offsetof(struct ctdb_control, pad2);
	/* ctdb's number of a database is the hash of its name. */
	TDB_DATA name = {
		.dptr = (uint8_t *)(uintptr_t)REGISTRY,
		.dsize = sizeof(REGISTRY),
	};
	const uint64_t registry = tdb_jenkins_hash(&name);
	uint8_t packets[CTDB_QUESTIONS_MAX * (sizeof(struct ctdb_control) +
					      sizeof(uint64_t))] = { 0 };
	size_t size = 0;
	size_t i;

	for (i = 0; i < query->count; i++) {
		const uint32_t length =
			questions[i].opcode == CTDB_GET_DB_SEQNUM ?
			sizeof(registry) : 0;
		uint8_t *packet = packets + size;
		const struct ctdb_control control = {
			.header = {
				.length = sizeof(control) + length,
				.magic = CTDB_MAGIC,
				.version = CTDB_VERSION,
				.operation = CTDB_REQ_CONTROL,
				.destination = questions[i].node,
				.request = (uint32_t)i,
			},
			.opcode = questions[i].opcode,
			.length = length,
		};

		memcpy(packet, &control, sizeof(control));
		memcpy(packet + start, &registry, length);
		size += sizeof(control) + length;
		query->missing |= UINT64_C(1) << i;
	}
	return send(query->fd, packets, size, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		(ssize_t)size ? 0 : EPROTO;
}

static int query_start(struct tevent_req *req, struct tevent_context *ev,
		       const char *path,
		       const struct ctdb_question *questions,
		       uint32_t timeout_ms)
{
	struct query *query = tevent_req_data(req, struct query);
	int ret;

	query->answers = talloc_zero_array(query, struct ctdb_answer,
					   query->count);
	query->buf = talloc_array(query, uint8_t, PACKET_MAX);
	if (query->answers == NULL || query->buf == NULL) {
		return ENOMEM;
	}
	ret = query_connect(query, path);
	if (ret == 0) {
		ret = query_ask(query, questions);
	}
	if (ret == 0 &&
	    (tevent_add_fd(ev, query->buf, query->fd, TEVENT_FD_READ,
			   query_read, req) == NULL ||
	     timer_start(query->buf, ev, timeout_ms, query_overdue,
			 req) == NULL)) {
		ret = ENOMEM;
	}
	return ret;
}

struct tevent_req *ctdb_query_send(TALLOC_CTX *mem_ctx,
				   struct tevent_context *ev,
				   const char *socket_path,
				   const struct ctdb_question *questions,
				   size_t count,
				   uint32_t timeout_ms)
{
	struct query *query;
	struct tevent_req *req;
	int ret;

	req = tevent_req_create(mem_ctx, &query, struct query);
	if (req == NULL) {
		return NULL;
	}
	query->fd = -1;
	query->count = count;
	tevent_req_set_cleanup_fn(req, query_cleanup);
	ret = count <= CTDB_QUESTIONS_MAX ?
		query_start(req, ev, socket_path, questions, timeout_ms) :
		EINVAL;
	if (ret != 0) {
		tevent_req_error(req, (uint64_t)ret);
		return tevent_req_post(req, ev);
	}
	if (count == 0) {
		tevent_req_done(req);
		return tevent_req_post(req, ev);
	}
	return req;
}

int ctdb_query_recv(struct tevent_req *req,
		    TALLOC_CTX *mem_ctx,
		    struct ctdb_answer **answers)
{
	struct query *query = tevent_req_data(req, struct query);
	enum tevent_req_state state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &state, &error)) {
		tevent_req_received(req);
		return error != 0 ? (int)error : EIO;
	}
	*answers = talloc_move(mem_ctx, &query->answers);
	tevent_req_received(req);
	return 0;
}

/* ------------------------------------------------------------------ answers */

static uint64_t node_bit(uint32_t node)
{
	return node < NODES_MAX ? UINT64_C(1) << node : 0;
}

bool ctdb_answer_u32(const struct ctdb_answer *answer, uint32_t *value)
{
	if (answer->status != 0 || answer->length < sizeof(*value)) {
		return false;
	}
	*value = pull_u32(answer->data, 0);
	return true;
}

bool ctdb_answer_vnnmap(const struct ctdb_answer *answer,
			struct ctdb_members *members)
{
	uint32_t i, n;

	if (answer->status != 0 || answer->length < 8 ||
	    (n = pull_u32(answer->data, 4)) > (answer->length - 8) / 4) {
		return false;
	}
	members->generation = pull_u32(answer->data, 0);
	members->valid = members->generation != CTDB_INVALID_GENERATION;
	members->nodes = 0;
	for (i = 0; i < n && members->valid; i++) {
		members->nodes |= node_bit(pull_u32(answer->data, 8 + 4 * i));
	}
	return true;
}

bool ctdb_answer_nodemap(const struct ctdb_answer *answer,
			 struct ctdb_flags *flags)
{
	const size_t entry = 8 + ADDRESS_SIZE;
	const uint8_t *data = answer->data;
	uint32_t i, n;

	if (answer->status != 0 || answer->length < 4 ||
	    (n = pull_u32(data, 0)) > (answer->length - 4) / entry) {
		return false;
	}
	*flags = (struct ctdb_flags){ .connected = 0 };
	for (i = 0; i < n; i++) {
		uint64_t bit = node_bit(pull_u32(data, 4 + entry * i));
		uint32_t flag = pull_u32(data, 4 + entry * i + 4);

		flags->connected |= flag & NODE_DISCONNECTED ? 0 : bit;
		flags->active |= flag & NODE_INACTIVE ? 0 : bit;
		flags->healthy |= flag != 0 ? 0 : bit;
	}
	return true;
}

bool ctdb_answer_node_address(const struct ctdb_answer *answer,
			      uint32_t node,
			      uint16_t port,
			      struct sockaddr_storage *address)
{
	const size_t entry = 8 + ADDRESS_SIZE;
	const uint8_t *data = answer->data;
	uint32_t i, n;

	if (answer->status != 0 || answer->length < 4 ||
	    (n = pull_u32(data, 0)) > (answer->length - 4) / entry) {
		return false;
	}
	for (i = 0; i < n; i++) {
		const uint8_t *at = data + 4 + entry * i;

		if (pull_u32(at, 0) != node ||
		    (pull_u32(at, 4) & NODE_DELETED) != 0) {
			continue;
		}
		*address = (struct sockaddr_storage){
			.ss_family = AF_UNSPEC
		};
		memcpy(address, at + 8, ADDRESS_SIZE);
		if (address->ss_family == AF_INET6) {
			((struct sockaddr_in6 *)address)->sin6_port =
				htons(port);
		} else {
			((struct sockaddr_in *)address)->sin_port =
				htons(port);
		}
		return address->ss_family == AF_INET ||
			address->ss_family == AF_INET6;
	}
	return false;
}

bool ctdb_answer_addresses(const struct ctdb_answer *answer,
			   TALLOC_CTX *mem_ctx,
			   struct ctdb_hosted **_hosted)
{
	const size_t entry = 4 + ADDRESS_SIZE;
	const uint8_t *data = answer->data;
	struct ctdb_hosted *hosted;
	uint32_t i, n;

	if (answer->status != 0 || answer->length < 4 ||
	    (n = pull_u32(data, 0)) > (answer->length - 4) / entry) {
		return false;
	}
	hosted = talloc_zero_array(mem_ctx, struct ctdb_hosted, n);
	if (hosted == NULL) {
		return false;
	}
	for (i = 0; i < n; i++) {
		union {
			struct sockaddr sa;
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} address;

		memcpy(&address, data + 4 + entry * i + 4, ADDRESS_SIZE);
		hosted[i].node = pull_u32(data, 4 + entry * i);
		inet_ntop(address.sa.sa_family,
			  address.sa.sa_family == AF_INET6 ?
			  (const void *)&address.in6.sin6_addr :
			  (const void *)&address.in.sin_addr,
			  hosted[i].address, INET6_ADDRSTRLEN);
	}
	*_hosted = hosted;
	return true;
}

bool ctdb_answer_recovered(const struct ctdb_answer *answer, uint64_t *us)
{
	const size_t at = 3 * sizeof(struct timeval);

	if (answer->status != 0 ||
	    answer->length < at + sizeof(struct timeval)) {
		return false;
	}
	*us = pull_u64(answer->data, at) * 1000000 +
		pull_u64(answer->data, at + 8);
	return true;
}
