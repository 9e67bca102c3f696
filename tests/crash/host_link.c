/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link to the partner, seen from the inside: the record boundaries of a
 * case. Links are plain here (mirror:encrypt = no), so that what goes over
 * them can be told; what they carry is the same.
 *
 * STOP_SENT n   from record n on nothing arrives: the bytes are swallowed. The
 *               case ends when it cannot do anything without the partner.
 * STOP_HELD n   from record n on no acknowledgement is seen; the case ends
 *               when the partner has all that was sent.
 *
 * Besides, a link may break at a record (R5): half of the times before the
 * record arrives, else before its acknowledgement does.
 */

#include <sys/socket.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../source/common/record.h"
#include "../../source/common/wire.h"
#include "crash.h"
#include "host.h"

/* A stream of frames, cut into them. */
struct stream {
	uint8_t header[WIRE_FRAME_HEADER];
	size_t got;
	enum frame_type type;
	uint32_t left;
	uint8_t payload[WIRE_SMALL_FRAME_MAX];
	size_t kept;
};

static struct stream out, in;
static bool swallowing;	/* STOP_SENT has come */
static bool deaf;	/* STOP_HELD has come */
static bool in_loop;
static int link_socket = -1;
static uint8_t before;	/* records of earlier sessions */
static enum { WHOLE, BREAKING, BROKEN } condition;

void link_in_event_loop(bool is)
{
	in_loop = is;
}

void link_forget(void)
{
	link_socket = -1;
	out = in = (struct stream) { .got = 0 };
	before = case_current()->records;
}

void link_skip(uint8_t records)
{
	before += records;
}

static bool is_link(int fd)
{
	return case_current() != NULL && fd == link_socket;
}

/*
 * Take bytes up to the end of a header or of a frame. *complete: a frame
 * ends there; *begins: its header does.
 */
static size_t stream_take(struct stream *s, const uint8_t *bytes, size_t n,
			  bool *begins, bool *complete)
{
	size_t take;

	*begins = *complete = false;
	if (s->got < WIRE_FRAME_HEADER) {
		take = WIRE_FRAME_HEADER - s->got;
		take = take < n ? take : n;
		memcpy(s->header + s->got, bytes, take);
		s->got += take;
		if (s->got == WIRE_FRAME_HEADER) {
			if (frame_header_pull(s->header, &s->type,
					      &s->left) != 0) {
				case_fail("not a frame");
			}
			*begins = true;
			s->kept = 0;
		}
	} else {
		take = s->left < n ? s->left : n;
		if (s->kept + take <= sizeof(s->payload)) {
			memcpy(s->payload + s->kept, bytes, take);
			s->kept += take;
		}
		s->left -= (uint32_t)take;
	}
	if (s->got == WIRE_FRAME_HEADER && s->left == 0) {
		*complete = true;
		s->got = 0;
	}
	return take;
}

static void note_record(struct crash_case *c)
{
	enum record_type type;
	uint64_t sequence, epoch;

	if (record_peek(out.payload, out.kept, &type, &sequence,
			&epoch) != 0) {
		case_fail("a frame with no record");
	}
	if (before + sequence <= c->records) {
		/* Sent again. */
		return;
	}
	if (c->records == RECORDS_MAX) {
		case_fail("more than %d records", RECORDS_MAX);
	}
	c->records++;
	case_sent(c->records);
	deaf |= case_stop_kind() == STOP_HELD && c->records >= c->point.stop_at;
	if (condition == WHOLE && c->records == c->point.sequence.break_at) {
		condition = BREAKING;
	}
}

static void note_session(struct crash_case *c, const struct mirror_id *id)
{
	const uint8_t n = c->num_sessions;
	uint8_t i;

	for (i = 0; i < n; i++) {
		if (mirror_id_equal(&c->sessions[i], id)) {
			return;
		}
	}
	if (n == OPERATIONS_MAX + 1) {
		case_fail("more sessions than operations");
	}
	c->sessions[n] = *id;
	c->num_sessions++;
}

static void note_sent(struct crash_case *c)
{
	struct message hello;

	if (out.type == FRAME_RECORD) {
		note_record(c);
	} else if (out.type == FRAME_HELLO &&
		   message_decode(NULL, FRAME_HELLO, out.payload, out.kept,
				  &hello) == 0) {
		note_session(c, &hello.session);
	}
}

static uint64_t acknowledged_by(const struct stream *s)
{
	struct message ack;

	if ((s->type != FRAME_ACK && s->type != FRAME_WELCOME) ||
	    message_decode(NULL, s->type, s->payload, s->kept, &ack) != 0) {
		return 0;
	}
	return before + ack.sequence;
}

/* Has the partner acknowledged all that was sent, unheard by us? */
static bool held_all(struct crash_case *c)
{
	static uint8_t bytes[4096];
	struct stream peek = in;
	uint64_t last = c->acknowledged;
	size_t at = 0;
	ssize_t n;

	/* recv() is ours, recvfrom() is not. */
	n = recvfrom(link_socket, bytes, sizeof(bytes),
		     MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
	while (n > 0 && at < (size_t)n) {
		bool begins, complete;

		at += stream_take(&peek, bytes + at, (size_t)n - at, &begins,
				  &complete);
		if (complete && acknowledged_by(&peek) > last) {
			last = acknowledged_by(&peek);
		}
	}
	return last >= c->records;
}

/* Nothing more can happen without the partner. */
static void check_stop(void)
{
	struct crash_case *c = case_current();

	if ((swallowing && c->acknowledged >= c->records) ||
	    (deaf && held_all(c))) {
		case_stop();
	}
}

static void *real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL) {
		abort();
	}
	return function;
}

/* How many of the first bytes may go: up to the record that must not. */
static size_t look_at_sent(const struct msghdr *msg, struct stream *s)
{
	struct crash_case *c = case_current();
	uint32_t record = c->records;
	size_t before_frame = 0, total = 0;
	size_t i;

	for (i = 0; i < (size_t)msg->msg_iovlen; i++) {
		const uint8_t *bytes = msg->msg_iov[i].iov_base;
		size_t n = msg->msg_iov[i].iov_len;

		while (n > 0) {
			bool begins, complete;
			size_t took = stream_take(s, bytes, n, &begins,
						  &complete);

			bytes += took;
			n -= took;
			total += took;
			if (begins && s->type == FRAME_RECORD &&
			    case_stop_kind() == STOP_SENT &&
			    ++record == c->point.stop_at) {
				swallowing = true;
				return before_frame;
			}
			if (complete) {
				before_frame = total;
			}
		}
	}
	return total;
}

static void account(const struct msghdr *msg, size_t sent)
{
	size_t i;

	for (i = 0; i < (size_t)msg->msg_iovlen && sent > 0; i++) {
		const uint8_t *bytes = msg->msg_iov[i].iov_base;
		size_t n = msg->msg_iov[i].iov_len;

		n = n < sent ? n : sent;
		sent -= n;
		while (n > 0) {
			bool begins, complete;
			size_t took = stream_take(&out, bytes, n, &begins,
						  &complete);

			bytes += took;
			n -= took;
			if (complete) {
				note_sent(case_current());
			}
		}
	}
}

static size_t total_of(const struct msghdr *msg)
{
	size_t total = 0;
	size_t i;

	for (i = 0; i < (size_t)msg->msg_iovlen; i++) {
		total += msg->msg_iov[i].iov_len;
	}
	return total;
}

/* An odd one breaks before it is sent: nobody ever counts it then. */
static bool breaks_before(const struct msghdr *msg)
{
	const struct crash_case *c = case_current();
	const uint8_t at = c->point.sequence.break_at;

	return condition == WHOLE && at % 2 == 1 && c->records + 1 == at &&
		msg->msg_iovlen > 1;
}

/* What is in front of the record that must not arrive. */
static void send_first(int fd, const struct msghdr *msg, size_t length)
{
	size_t at = 0;
	size_t i;

	for (i = 0; i < (size_t)msg->msg_iovlen && at < length; i++) {
		size_t n = msg->msg_iov[i].iov_len;

		n = n < length - at ? n : length - at;
		if (sendto(fd, msg->msg_iov[i].iov_base, n, MSG_NOSIGNAL,
			   NULL, 0) != (ssize_t)n) {
			case_fail("the link is full");
		}
		at += n;
	}
	account(msg, length);
}

#define WRAPPER __attribute__((visibility("default")))

WRAPPER int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	static int (*next)(int, const struct sockaddr *, socklen_t);

	if (next == NULL) {
		next = (int (*)(int, const struct sockaddr *, socklen_t))
			real("connect");
	}
	if (case_current() != NULL && address->sa_family == AF_INET) {
		if (swallowing || deaf) {
			/* Whatever it is told now comes after the crash. */
			case_stop();
		}
		link_socket = fd;
		out = in = (struct stream) { .got = 0 };
	}
	return next(fd, address, length);
}

WRAPPER ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static ssize_t (*next)(int, const struct msghdr *, int);
	size_t total = 0, allowed;
	struct stream ahead;
	ssize_t sent;

	if (next == NULL) {
		next = (ssize_t (*)(int, const struct msghdr *, int))
			real("sendmsg");
	}
	if (!is_link(fd)) {
		return next(fd, msg, flags);
	}
	total = total_of(msg);
	if (condition == BREAKING) {
		errno = EPIPE;
		condition = BROKEN;
		return -1;
	}
	if (swallowing) {
		return (ssize_t)total;
	}
	ahead = out;
	allowed = look_at_sent(msg, &ahead);
	if (allowed < total) {
		send_first(fd, msg, allowed);
		return (ssize_t)total;
	}
	if (breaks_before(msg)) {
		errno = EPIPE;
		condition = BROKEN;
		return -1;
	}
	sent = next(fd, msg, flags);
	if (sent > 0) {
		account(msg, (size_t)sent);
	}
	return sent;
}

WRAPPER ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	static ssize_t (*next)(int, void *, size_t, int);
	ssize_t n;
	size_t at = 0;

	if (next == NULL) {
		next = (ssize_t (*)(int, void *, size_t, int))real("recv");
	}
	if (!is_link(fd)) {
		return next(fd, buffer, size, flags);
	}
	if (condition == BREAKING) {
		errno = ECONNRESET;
		condition = BROKEN;
		return -1;
	}
	if (in_loop) {
		check_stop();
	}
	if (deaf) {
		errno = EAGAIN;
		return -1;
	}
	n = next(fd, buffer, size, flags);
	while (n > 0 && at < (size_t)n) {
		bool begins, complete;

		at += stream_take(&in, (uint8_t *)buffer + at, (size_t)n - at,
				  &begins, &complete);
		if (complete &&
		    acknowledged_by(&in) > case_current()->acknowledged) {
			case_current()->acknowledged =
				(uint8_t)acknowledged_by(&in);
		}
	}
	return n;
}

WRAPPER int ppoll(struct pollfd *fds, nfds_t count,
		  const struct timespec *timeout, const sigset_t *mask)
{
	static int (*next)(struct pollfd *, nfds_t, const struct timespec *,
			   const sigset_t *);
	const struct timespec soon = { .tv_nsec = 500000 };

	if (next == NULL) {
		next = (int (*)(struct pollfd *, nfds_t,
				const struct timespec *, const sigset_t *))
			real("ppoll");
	}
	if (case_current() == NULL || count != 1 || fds->fd != link_socket ||
	    (!swallowing && !deaf)) {
		return next(fds, count, timeout, mask);
	}
	check_stop();
	if (deaf) {
		/* It may be readable all the time. */
		next(NULL, 0, &soon, mask);
		fds->revents = 0;
		return 0;
	}
	return next(fds, count, timeout, mask);
}
