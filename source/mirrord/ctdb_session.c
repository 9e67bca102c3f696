/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to ctdbd for one thing after the other, see ctdb_session.h. */

#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "ctdb_session.h"
#include "dlinklist.h"

/* Native byte order: it is a local socket. */
#define CTDB_MAGIC 0x43544442
#define CTDB_VERSION 1
#define REQ_MESSAGE 5
#define REQ_CONTROL 7
#define REPLY_CONTROL 8
/* A dump of the recovery daemon's memory is some 30 KB; more than this is
 * nothing that we asked for. */
#define PACKET_MAX (16 * 1024 * 1024)
#define DATA_MAX 256

struct header {
	uint32_t length;
	uint32_t magic;
	uint32_t version;
	uint32_t generation;
	uint32_t operation;
	uint32_t destination;
	uint32_t source;
	uint32_t request;
};

struct control {
	struct header header;
	uint32_t opcode;
	uint32_t pad;
	uint64_t srvid;
	uint32_t client;
	uint32_t flags;
	uint32_t length;
	uint32_t pad2;
};

struct reply {
	struct header header;
	int32_t status;
	uint32_t data_length;
	uint32_t error_length;
};

/* As on the wire: the data follows srvid and length without a gap. */
#define MESSAGE_SRVID sizeof(struct header)
#define MESSAGE_LENGTH (MESSAGE_SRVID + 8)
#define MESSAGE_DATA (MESSAGE_LENGTH + 4)

struct session {
	int fd;
	uint32_t last_request;
	struct session_message *messages;
	uint8_t *packet;	/* the one being received */
	size_t used;
};

uint64_t session_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int session_fd(const struct session *session)
{
	return session->fd;
}

static int session_destructor(struct session *session)
{
	close(session->fd);
	return 0;
}

int session_open(TALLOC_CTX *mem_ctx, const char *path,
		 struct session **_session)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct session *session;
	int ret;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	session = talloc_zero(mem_ctx, struct session);
	if (session == NULL) {
		return ENOMEM;
	}
	session->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (session->fd == -1) {
		ret = errno;
		talloc_free(session);
		return ret;
	}
	talloc_set_destructor(session, session_destructor);
	if (connect(session->fd, (const struct sockaddr *)&address,
		    sizeof(address)) == -1) {
		ret = errno;
		talloc_free(session);
		return ret;
	}
	*_session = session;
	return 0;
}

/* ---------------------------------------------------------------- receiving */

static int wait_readable(struct session *session, uint64_t until)
{
	struct pollfd pfd = { .fd = session->fd, .events = POLLIN };
	uint64_t now = session_now();
	int ret;

	ret = poll(&pfd, 1, now < until ? (int)(until - now) : 0);
	if (ret == -1) {
		return errno == EINTR ? EAGAIN : errno;
	}
	return ret == 0 ? ETIMEDOUT : 0;
}

/* 0: a whole packet is in session->packet; EAGAIN: a part of one. */
static int read_some(struct session *session)
{
	size_t want = sizeof(struct header);
	uint32_t length = 0;
	ssize_t n;

	if (session->packet == NULL) {
		session->packet = talloc_array(session, uint8_t, want);
		session->used = 0;
	}
	if (session->packet == NULL) {
		return ENOMEM;
	}
	if (session->used >= sizeof(struct header)) {
		want = talloc_get_size(session->packet);
	}
	n = recv(session->fd, session->packet + session->used,
		 want - session->used, MSG_DONTWAIT);
	if (n == -1) {
		return errno == EAGAIN || errno == EINTR ? EAGAIN : errno;
	}
	if (n == 0) {
		return ECONNRESET;
	}
	session->used += (size_t)n;
	if (session->used < want) {
		return EAGAIN;
	}
	memcpy(&length, session->packet, sizeof(length));
	if (length < sizeof(struct header) || length > PACKET_MAX) {
		return EPROTO;
	}
	if (session->used < length) {
		session->packet = talloc_realloc(session, session->packet,
						 uint8_t, length);
		return session->packet != NULL ? EAGAIN : ENOMEM;
	}
	return 0;
}

static int next_packet(struct session *session, uint64_t until)
{
	int ret = EAGAIN;

	while (ret == EAGAIN) {
		ret = wait_readable(session, until);
		if (ret == 0) {
			ret = read_some(session);
		}
	}
	return ret;
}

static void packet_done(struct session *session)
{
	TALLOC_FREE(session->packet);
	session->used = 0;
}

/* At the end of the list. */
static void add_message(struct session *session,
			struct session_message *message)
{
	struct session_message **at = &session->messages;

	while (*at != NULL) {
		message->prev = *at;
		at = &(*at)->next;
	}
	*at = message;
}

static int keep_message(struct session *session)
{
	struct session_message *message;
	uint32_t length;

	if (session->used < MESSAGE_DATA) {
		return EPROTO;
	}
	memcpy(&length, session->packet + MESSAGE_LENGTH, sizeof(length));
	if (length > session->used - MESSAGE_DATA) {
		return EPROTO;
	}
	message = talloc_zero(session, struct session_message);
	if (message == NULL) {
		return ENOMEM;
	}
	memcpy(&message->srvid, session->packet + MESSAGE_SRVID,
	       sizeof(message->srvid));
	message->source = ((const struct header *)session->packet)->source;
	message->length = length;
	message->data = talloc_memdup(message, session->packet + MESSAGE_DATA,
				      length);
	if (message->data == NULL && length > 0) {
		talloc_free(message);
		return ENOMEM;
	}
	add_message(session, message);
	return 0;
}

static int keep_answer(struct session *session, uint32_t first,
		       struct ctdb_answer *answers, size_t count,
		       uint64_t *missing)
{
	struct ctdb_answer *answer;
	struct reply reply;
	uint32_t i;

	if (session->used < sizeof(reply)) {
		return EPROTO;
	}
	memcpy(&reply, session->packet, sizeof(reply));
	if (reply.data_length > session->used - sizeof(reply)) {
		return EPROTO;
	}
	i = reply.header.request - first;
	if (i >= count) {
		return 0;	/* came after its time */
	}
	answer = &answers[i];
	answer->status = reply.status;
	answer->length = reply.data_length;
	answer->data = talloc_memdup(answers, session->packet + sizeof(reply),
				     reply.data_length);
	if (answer->data == NULL && reply.data_length > 0) {
		return ENOMEM;
	}
	*missing &= ~(UINT64_C(1) << i);
	return 0;
}

static uint32_t packet_operation(const struct session *session)
{
	return ((const struct header *)session->packet)->operation;
}

/* ------------------------------------------------------------------ sending */

static int send_all(struct session *session, const void *data, size_t length)
{
	const uint8_t *at = data;
	ssize_t n;

	while (length > 0) {
		n = send(session->fd, at, length, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n == -1) {
			return errno;
		}
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int session_send(struct session *session,
		 uint32_t node,
		 uint64_t srvid,
		 const void *data,
		 size_t length)
{
	uint8_t packet[MESSAGE_DATA + DATA_MAX + 8] = { 0 };
	/* ctdb wants multiples of 8. */
	const size_t size = (MESSAGE_DATA + length + 7) & ~(size_t)7;
	const uint32_t length32 = (uint32_t)length;
	const struct header header = {
		.length = (uint32_t)size,
		.magic = CTDB_MAGIC,
		.version = CTDB_VERSION,
		.operation = REQ_MESSAGE,
		.destination = node,
	};

	if (length > DATA_MAX) {
		return EMSGSIZE;
	}
	memcpy(packet, &header, sizeof(header));
	memcpy(packet + MESSAGE_SRVID, &srvid, sizeof(srvid));
	memcpy(packet + MESSAGE_LENGTH, &length32, sizeof(length32));
	if (length > 0) {
		memcpy(packet + MESSAGE_DATA, data, length);
	}
	return send_all(session, packet, size);
}

static int send_control(struct session *session,
			enum ctdb_opcode opcode,
			uint32_t node,
			uint64_t srvid)
{
	const struct control control = {
		.header = {
			.length = sizeof(control),
			.magic = CTDB_MAGIC,
			.version = CTDB_VERSION,
			.operation = REQ_CONTROL,
			.destination = node,
			.request = session->last_request++,
		},
		.opcode = opcode,
		.srvid = srvid,
	};

	return send_all(session, &control, sizeof(control));
}

/* ----------------------------------------------------------------- together */

static int await_answers(struct session *session, uint32_t first,
			 struct ctdb_answer *answers, size_t count,
			 uint64_t until)
{
	uint64_t missing = (UINT64_C(2) << (count - 1)) - 1;
	int ret = 0;

	while (ret == 0 && missing != 0) {
		ret = next_packet(session, until);
		if (ret != 0) {
			break;
		}
		if (packet_operation(session) == REPLY_CONTROL) {
			ret = keep_answer(session, first, answers, count,
					  &missing);
		} else if (packet_operation(session) == REQ_MESSAGE) {
			ret = keep_message(session);
		}
		packet_done(session);
	}
	return ret;
}

int session_ask(struct session *session,
		TALLOC_CTX *mem_ctx,
		const struct ctdb_question *questions,
		size_t count,
		uint64_t until,
		struct ctdb_answer **_answers)
{
	const uint32_t first = session->last_request;
	struct ctdb_answer *answers;
	size_t i;
	int ret = 0;

	if (count == 0 || count > CTDB_QUESTIONS_MAX) {
		return EINVAL;
	}
	answers = talloc_zero_array(mem_ctx, struct ctdb_answer, count);
	if (answers == NULL) {
		return ENOMEM;
	}
	for (i = 0; ret == 0 && i < count; i++) {
		ret = send_control(session, questions[i].opcode,
				   questions[i].node, 0);
	}
	if (ret == 0) {
		ret = await_answers(session, first, answers, count, until);
	}
	if (ret != 0) {
		talloc_free(answers);
		return ret;
	}
	*_answers = answers;
	return 0;
}

int session_listen(struct session *session, uint64_t srvid, uint64_t until)
{
	const uint32_t first = session->last_request;
	struct ctdb_answer *answers;
	int ret;

	answers = talloc_zero_array(session, struct ctdb_answer, 1);
	if (answers == NULL) {
		return ENOMEM;
	}
	ret = send_control(session, CTDB_REGISTER_SRVID, CTDB_THIS_NODE,
			   srvid);
	if (ret == 0) {
		ret = await_answers(session, first, answers, 1, until);
	}
	if (ret == 0 && answers[0].status != 0) {
		ret = EIO;
	}
	talloc_free(answers);
	return ret;
}

static struct session_message *find_message(struct session *session,
					    uint64_t srvid)
{
	struct session_message *message;

	for (message = session->messages; message != NULL;
	     message = message->next) {
		if (srvid == 0 || message->srvid == srvid) {
			break;
		}
	}
	return message;
}

int session_receive(struct session *session,
		    TALLOC_CTX *mem_ctx,
		    uint64_t srvid,
		    uint64_t until,
		    struct session_message **message)
{
	int ret;

	while ((*message = find_message(session, srvid)) == NULL) {
		ret = next_packet(session, until);
		if (ret == 0 && packet_operation(session) == REQ_MESSAGE) {
			ret = keep_message(session);
		}
		if (ret != 0) {
			return ret;
		}
		packet_done(session);
	}
	DLIST_REMOVE(session->messages, *message);
	talloc_steal(mem_ctx, *message);
	return 0;
}

void session_drop(struct session *session, uint64_t srvid)
{
	struct session_message *message;

	while ((message = find_message(session, srvid)) != NULL) {
		DLIST_REMOVE(session->messages, message);
		talloc_free(message);
	}
}
