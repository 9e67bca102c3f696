/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A link to another node, see peer_link.h. */

#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "byte_queue.h"
#include "link_key.h"
#include "link_tls.h"
#include "peer_link.h"

/*
 * The kernel gives up on a peer that is silent for so long. ctdb's verdict
 * comes sooner; this is for a link that nobody else watches. Not shorter, as
 * a peer that is merely busy (its store is full, R9) stops reading, too.
 */
#define SILENCE_SECONDS 20

/*
 * Push at the latest when so much is queued, so that the peer decrypts while
 * we encrypt: a frame of 1 MiB is acknowledged in half the time. Frames of
 * 64 KiB are still one system call.
 */
#define PUSH_SIZE (128 * 1024)

/* Read so many bytes at least by one call. */
#define READ_AHEAD (64 * 1024)

/* An idle link keeps no more memory than this in each direction. */
#define KEEP_SIZE (2 * 1024 * 1024)

/* Pieces of a frame that are sent from where they are, without TLS. */
#define PIECES_MAX 16

enum link_state {
	LINK_CONNECTING,
	LINK_HANDSHAKE,
	LINK_READY
};

struct peer_link {
	int fd;
	enum link_state state;
	int error;		/* broken for good */
	int send_error;		/* nothing can be sent, but perhaps the peer
				   has told why before it left */
	time_t deadline;	/* of the handshake */
	struct link_tls *tls;	/* NULL: plain */
	bool corked;
	bool blocked;		/* the socket took less than all */
	bool drained;		/* it had less than was asked for */
	struct byte_queue out;	/* what the socket did not take yet */
	struct byte_queue in;	/* frames received */
	char peer[INET6_ADDRSTRLEN + sizeof("[]:65535")];
};

static int link_fail(struct peer_link *link, int error)
{
	if (link->error == 0) {
		link->error = error;
	}
	return link->error;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void set_peer(struct peer_link *link, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	char address[INET6_ADDRSTRLEN] = "?";

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
		snprintf(link->peer, sizeof(link->peer), "%s:%u", address,
			 ntohs(in->sin_port));
	} else if (ss->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
		snprintf(link->peer, sizeof(link->peer), "[%s]:%u", address,
			 ntohs(in6->sin6_port));
	} else {
		snprintf(link->peer, sizeof(link->peer), "local");
	}
}

static socklen_t address_size(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					   sizeof(struct sockaddr_in);
}

/*
 * Everything here makes a link better and none of it is needed, so a socket
 * that does not know an option (a socketpair) is no error.
 */
static void set_options(int fd)
{
	static const struct {
		int level;
		int option;
		int value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_SECONDS / 4 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, SILENCE_SECONDS / 4 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		(void)setsockopt(fd, options[i].level, options[i].option,
				 &options[i].value, sizeof(int));
	}
}

/*
 * No goodbye: after a fork the child frees its copy, and must not speak on a
 * connection that is its parent's. A cut stream loses nothing, as every frame
 * has its length and every record is acknowledged.
 */
static int link_destructor(struct peer_link *link)
{
	TALLOC_FREE(link->tls);
	if (link->fd != -1) {
		close(link->fd);
	}
	return 0;
}

/* Takes over fd, whatever happens. */
static int link_new(TALLOC_CTX *mem_ctx,
		    const struct link_key *key,
		    bool server,
		    int fd,
		    struct peer_link **_link)
{
	struct peer_link *link;

	link = talloc_zero(mem_ctx, struct peer_link);
	if (link == NULL) {
		close(fd);
		return ENOMEM;
	}
	link->fd = fd;
	talloc_set_destructor(link, link_destructor);
	link->deadline = now() + LINK_HANDSHAKE_SECONDS;
	set_options(fd);

	if (key->encrypt) {
		int ret;

		ret = link_tls_new(link, key, server, fd, &link->out,
				   &link->tls);
		if (ret != 0) {
			talloc_free(link);
			return ret;
		}
	}
	*_link = link;
	return 0;
}

int link_connect(TALLOC_CTX *mem_ctx,
		 const struct link_key *key,
		 const struct sockaddr_storage *local,
		 const struct sockaddr_storage *peer,
		 struct peer_link **_link)
{
	struct peer_link *link;
	int fd;
	int ret;

	fd = socket(peer->ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		return errno;
	}
	ret = link_new(mem_ctx, key, false, fd, &link);
	if (ret != 0) {
		return ret;
	}
	link->state = LINK_CONNECTING;
	set_peer(link, peer);

	if (local != NULL &&
	    bind(fd, (const struct sockaddr *)local,
		 address_size(local)) == -1) {
		ret = errno;
		talloc_free(link);
		return ret;
	}
	if (connect(fd, (const struct sockaddr *)peer,
		    address_size(peer)) == -1 && errno != EINPROGRESS) {
		ret = errno;
		talloc_free(link);
		return ret;
	}
	*_link = link;
	return 0;
}

int link_accept(TALLOC_CTX *mem_ctx,
		const struct link_key *key,
		int fd,
		struct peer_link **_link)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(peer);
	struct peer_link *link;
	int flags;
	int ret;

	flags = fcntl(fd, F_GETFL);
	if (flags == -1 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    getpeername(fd, (struct sockaddr *)&peer, &length) == -1) {
		ret = errno;
		close(fd);
		return ret;
	}
	ret = link_new(mem_ctx, key, true, fd, &link);
	if (ret != 0) {
		return ret;
	}
	link->state = LINK_HANDSHAKE;
	set_peer(link, &peer);
	*_link = link;
	return 0;
}

/*
 * Send what is queued, then the pieces, by one call if the socket takes them.
 * What it does not take of the pieces is queued.
 */
static int push(struct peer_link *link, const struct iovec *iov, size_t count)
{
	struct iovec pieces[1 + PIECES_MAX];
	struct msghdr msg = { .msg_iov = pieces };
	size_t queued = byte_queue_length(&link->out);
	size_t sent = 0;
	size_t i;

	if (queued != 0) {
		/* sendmsg() does not write to it. */
		pieces[msg.msg_iovlen++] = (struct iovec){
			.iov_base = link->out.buf + link->out.start,
			.iov_len = queued,
		};
	}
	for (i = 0; i < count; i++) {
		pieces[msg.msg_iovlen++] = iov[i];
	}
	if (!link->blocked && msg.msg_iovlen != 0) {
		ssize_t ret;

		do {
			ret = sendmsg(link->fd, &msg,
				      MSG_DONTWAIT | MSG_NOSIGNAL);
		} while (ret == -1 && errno == EINTR);
		if (ret == -1 && errno != EAGAIN) {
			link->send_error = errno;
			return link->send_error;
		}
		sent = ret == -1 ? 0 : (size_t)ret;
	}

	if (sent < queued) {
		byte_queue_consume(&link->out, sent);
		sent = 0;
	} else {
		byte_queue_consume(&link->out, queued);
		sent -= queued;
	}
	for (i = 0; i < count; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		sent -= skip;
		if (skip == iov[i].iov_len) {
			continue;
		}
		if (byte_queue_append(link, &link->out,
				      (const uint8_t *)iov[i].iov_base + skip,
				      iov[i].iov_len - skip) != 0) {
			return link_fail(link, ENOMEM);
		}
	}
	link->blocked = byte_queue_length(&link->out) != 0;
	if (!link->blocked) {
		byte_queue_trim(&link->out, KEEP_SIZE);
	}
	return 0;
}

static int finish_connect(struct peer_link *link)
{
	struct pollfd pfd = { .fd = link->fd, .events = POLLOUT };
	socklen_t length = sizeof(int);
	int error = 0;

	if (poll(&pfd, 1, 0) <= 0) {
		return EAGAIN;
	}
	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error,
		       &length) == -1) {
		error = errno;
	}
	return error;
}

static int handshake_step(struct peer_link *link)
{
	int ret;

	if (link->state == LINK_CONNECTING) {
		ret = finish_connect(link);
		if (ret != 0) {
			return ret;
		}
		link->state = LINK_HANDSHAKE;
	}
	if (link->tls != NULL) {
		ret = link_tls_handshake(link->tls);
		/* Also after an error: it may be an alert, to say why. */
		link->blocked = false;
		(void)push(link, NULL, 0);
		if (ret == 0 || ret == EAGAIN) {
			ret = link->send_error != 0 ? link->send_error : ret;
		}
		if (ret != 0) {
			return ret;
		}
		/* Whatever the handshake has read, it was not just now. */
		(void)link_tls_drained(link->tls);
	}
	link->state = LINK_READY;
	return 0;
}

int link_handshake(struct peer_link *link)
{
	int ret;

	if (link->error != 0) {
		return link->error;
	}
	if (link->state == LINK_READY) {
		return 0;
	}
	ret = handshake_step(link);
	if (ret == EAGAIN && now() < link->deadline) {
		return EAGAIN;
	}
	if (ret == EAGAIN) {
		ret = ETIMEDOUT;
	}
	if (ret != 0) {
		link->error = ret;
	}
	return ret;
}

int link_fd(const struct peer_link *link)
{
	return link->fd;
}

short link_events(const struct peer_link *link)
{
	if (link->state == LINK_CONNECTING) {
		return POLLOUT;
	}
	if (byte_queue_length(&link->out) != 0) {
		return POLLIN | POLLOUT;
	}
	return POLLIN;
}

const char *link_peer(const struct peer_link *link)
{
	return link->peer;
}

size_t link_pending(const struct peer_link *link)
{
	size_t unsealed = 0;

	if (link->tls != NULL) {
		unsealed = link_tls_unsealed(link->tls);
	}
	return unsealed + byte_queue_length(&link->out);
}

static int check_ready(const struct peer_link *link)
{
	if (link->error != 0) {
		return link->error;
	}
	return link->state == LINK_READY ? 0 : ENOTCONN;
}

static int check_can_send(const struct peer_link *link)
{
	return link->send_error != 0 ? link->send_error : check_ready(link);
}

static int send_plain(struct peer_link *link,
		      const struct iovec *iov,
		      int count)
{
	size_t length = byte_queue_length(&link->out);
	int i;

	for (i = 0; i < count; i++) {
		length += iov[i].iov_len;
	}
	if (count <= PIECES_MAX && !(link->corked && length < PUSH_SIZE)) {
		return push(link, iov, (size_t)count);
	}
	for (i = 0; i < count; i++) {
		int ret;

		ret = byte_queue_append(link, &link->out, iov[i].iov_base,
					iov[i].iov_len);
		if (ret != 0) {
			return link_fail(link, ret);
		}
	}
	if (link->corked && length < PUSH_SIZE) {
		return 0;
	}
	return push(link, NULL, 0);
}

/* Encrypt one piece; push now and then, so that the peer decrypts meanwhile. */
static int send_piece(struct peer_link *link, const struct iovec *piece)
{
	const uint8_t *next = piece->iov_base;
	size_t left = piece->iov_len;

	while (left != 0) {
		size_t part = left < PUSH_SIZE ? left : PUSH_SIZE;
		int ret;

		ret = link_tls_write(link->tls, next, part);
		if (ret != 0) {
			return link_fail(link, ret);
		}
		next += part;
		left -= part;
		if (byte_queue_length(&link->out) >= PUSH_SIZE) {
			ret = push(link, NULL, 0);
			if (ret != 0) {
				return ret;
			}
		}
	}
	return 0;
}

static int seal_and_push(struct peer_link *link)
{
	if (link->tls != NULL) {
		int ret;

		ret = link_tls_seal(link->tls);
		if (ret != 0) {
			return link_fail(link, ret);
		}
	}
	return push(link, NULL, 0);
}

int link_send(struct peer_link *link, const struct iovec *iov, int count)
{
	int ret;
	int i;

	ret = check_can_send(link);
	if (ret != 0) {
		return ret;
	}
	if (link->tls == NULL) {
		return send_plain(link, iov, count);
	}
	for (i = 0; i < count; i++) {
		ret = send_piece(link, &iov[i]);
		if (ret != 0) {
			return ret;
		}
	}
	return link->corked ? 0 : seal_and_push(link);
}

void link_cork(struct peer_link *link)
{
	link->corked = true;
}

int link_flush(struct peer_link *link)
{
	int ret;

	ret = check_can_send(link);
	if (ret != 0) {
		return ret;
	}
	link->corked = false;
	link->blocked = false;
	ret = seal_and_push(link);
	if (ret != 0) {
		return ret;
	}
	return link_pending(link) != 0 ? EAGAIN : 0;
}

int link_send_message(struct peer_link *link, const struct message *message)
{
	struct iovec iov;
	uint8_t *frame;
	size_t length;
	int ret;

	ret = message_encode(link, message, &frame, &length);
	if (ret != 0) {
		return ret;
	}
	iov = (struct iovec){ .iov_base = frame, .iov_len = length };
	ret = link_send(link, &iov, 1);
	talloc_free(frame);
	return ret;
}

/*
 * Is it in vain to ask the socket, as it has been emptied just now? Not in the
 * middle of a frame: the rest of it may have come meanwhile. Who is told to
 * wait polls, and is told then; but nobody waits who cannot send any more.
 */
static bool is_drained(struct peer_link *link)
{
	bool drained = link->drained;

	if (byte_queue_length(&link->in) != 0 || link->send_error != 0) {
		return false;
	}
	link->drained = false;
	return link->tls != NULL ? link_tls_drained(link->tls) : drained;
}

/* Read once, as much as there is and fits. */
static int fill(struct peer_link *link, size_t want)
{
	uint8_t *room;
	size_t size;
	ssize_t ret;

	if (is_drained(link)) {
		return EAGAIN;
	}
	room = byte_queue_reserve(link, &link->in,
				  want > READ_AHEAD ? want : READ_AHEAD);
	if (room == NULL) {
		return link_fail(link, ENOMEM);
	}
	size = byte_queue_room(&link->in);

	if (link->tls != NULL) {
		size_t got;
		int error;

		error = link_tls_read(link->tls, room, size, &got);
		if (error == EAGAIN) {
			return EAGAIN;
		}
		if (error != 0) {
			return link_fail(link, error);
		}
		byte_queue_commit(&link->in, got);
		return 0;
	}

	do {
		ret = recv(link->fd, room, size, MSG_DONTWAIT);
	} while (ret == -1 && errno == EINTR);
	if (ret == -1 && errno == EAGAIN) {
		return EAGAIN;
	}
	if (ret <= 0) {
		return link_fail(link, ret == 0 ? ECONNRESET : errno);
	}
	link->drained = (size_t)ret < size;
	byte_queue_commit(&link->in, (size_t)ret);
	return 0;
}

int link_receive(struct peer_link *link,
		 enum frame_type *type,
		 uint8_t **payload,
		 size_t *length)
{
	for (;;) {
		size_t have = byte_queue_length(&link->in);
		size_t need = WIRE_FRAME_HEADER;
		uint32_t size = 0;
		int ret;

		if (have >= WIRE_FRAME_HEADER) {
			ret = frame_header_pull(byte_queue_head(&link->in),
						type, &size);
			if (ret != 0) {
				return link_fail(link, ret);
			}
			need += size;
		}
		if (have >= WIRE_FRAME_HEADER && have >= need) {
			*payload = link->in.buf + link->in.start +
				   WIRE_FRAME_HEADER;
			*length = size;
			byte_queue_consume(&link->in, need);
			return 0;
		}

		/* Frames that came before the link broke are as good as any. */
		ret = check_ready(link);
		if (ret == 0) {
			ret = fill(link, need - have);
		}
		if (ret == EAGAIN) {
			byte_queue_trim(&link->in, KEEP_SIZE);
			/* Nothing will come of waiting if we cannot send. */
			return link->send_error != 0 ? link->send_error :
						       EAGAIN;
		}
		if (ret != 0) {
			return ret;
		}
	}
}
