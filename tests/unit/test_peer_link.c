/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of source/common/peer_link.c, link_tls.c and link_key.c (R6): two
 * links of one process over loopback, and links against raw sockets.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer_link.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER_KEY "100102030405060708090a0b0c0d0e0f"

/* ---- a clock that can be put forward ----------------------------------- */

static time_t clock_ahead;

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	ts->tv_sec += clock_ahead;
	return ret;
}

/* ---- how often the socket is asked ------------------------------------- */

static int looks;

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	looks++;
	return syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);
}

/* ---- two ends ---------------------------------------------------------- */

struct pair {
	TALLOC_CTX *mem_ctx;
	struct link_key *client_key;
	struct link_key *server_key;
	int listener;
	struct sockaddr_storage address;
	struct peer_link *client;
	struct peer_link *server;
};

static bool plain = false;
static bool tls = true;

static struct link_key *make_key(TALLOC_CTX *mem_ctx,
				 const char *digits,
				 bool encrypt)
{
	char path[] = "/tmp/test_peer_link.XXXXXX";
	struct link_key *key;
	char *problem;
	int fd = mkstemp(path);

	assert_true(fd != -1);
	assert_int_equal(write(fd, digits, strlen(digits)), strlen(digits));
	close(fd);
	assert_int_equal(link_key_load(mem_ctx, path, encrypt, &key, &problem),
			 0);
	unlink(path);
	return key;
}

static int listen_on(struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	socklen_t length = sizeof(*in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(address, 0, sizeof(*address));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)in, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)in, &length), 0);
	assert_int_equal(listen(fd, 10), 0);
	return fd;
}

/* The ends with these keys, before the handshake. */
static struct pair *start_pair(bool client_encrypts,
			       const char *client_digits,
			       bool server_encrypts,
			       const char *server_digits)
{
	struct pair *pair = talloc_zero(NULL, struct pair);

	pair->mem_ctx = pair;
	pair->client_key = make_key(pair, client_digits, client_encrypts);
	pair->server_key = make_key(pair, server_digits, server_encrypts);
	pair->listener = listen_on(&pair->address);
	assert_int_equal(link_connect(NULL, pair->client_key, NULL,
				      &pair->address, &pair->client), 0);
	assert_int_equal(link_accept(NULL, pair->server_key,
				     accept(pair->listener, NULL, NULL),
				     &pair->server), 0);
	return pair;
}

static void free_pair(struct pair *pair)
{
	talloc_free(pair->client);
	talloc_free(pair->server);
	close(pair->listener);
	talloc_free(pair);
}

static void wait_for(struct peer_link *a, struct peer_link *b)
{
	struct pollfd pfd[2] = {
		{ .fd = link_fd(a), .events = link_events(a) },
		{ .fd = link_fd(b), .events = link_events(b) },
	};

	if (poll(pfd, 2, 5000) == 0) {
		fail_msg("nothing happens");
	}
}

static void shake_hands(struct pair *pair, int *client, int *server)
{
	*client = EAGAIN;
	*server = EAGAIN;
	while (*client == EAGAIN || *server == EAGAIN) {
		struct peer_link *a = pair->client;
		struct peer_link *b = pair->server;

		if (*client == EAGAIN) {
			*client = link_handshake(a);
		}
		if (*server == EAGAIN) {
			*server = link_handshake(b);
		}
		if (*client == EAGAIN && *server == EAGAIN) {
			wait_for(a, b);
		} else if (*client == EAGAIN) {
			wait_for(a, a);
		} else if (*server == EAGAIN) {
			wait_for(b, b);
		}
	}
}

static struct pair *ready_pair(bool encrypt)
{
	struct pair *pair = start_pair(encrypt, KEY, encrypt, KEY);
	int client;
	int server;

	shake_hands(pair, &client, &server);
	assert_int_equal(client, 0);
	assert_int_equal(server, 0);
	return pair;
}

/* ---- frames ------------------------------------------------------------ */

/* Different in every place, so that nothing can be swapped unnoticed. */
static void fill_payload(uint8_t *payload, size_t length, uint32_t seed)
{
	size_t i;

	for (i = 0; i < length; i++) {
		payload[i] = (uint8_t)((i + seed) * 2654435761U >> 24);
	}
}

/* In three pieces, as the module sends a record: header, head, data. */
static int send_frame(struct peer_link *link, size_t length, uint32_t seed)
{
	uint8_t header[WIRE_FRAME_HEADER];
	uint8_t *payload = malloc(length + 1);
	size_t head = length < 90 ? length : 90;
	struct iovec iov[3] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		{ .iov_base = payload, .iov_len = head },
		{ .iov_base = payload + head, .iov_len = length - head },
	};
	int ret;

	fill_payload(payload, length, seed);
	frame_header_push(header, FRAME_RECORD, (uint32_t)length);
	ret = link_send(link, iov, 3);
	/* The link must have taken a copy of what is not sent. */
	memset(payload, 0xee, length);
	free(payload);
	return ret;
}

static void check_frame(enum frame_type type,
			const uint8_t *payload,
			size_t length,
			size_t want,
			uint32_t seed)
{
	uint8_t *copy = malloc(want + 1);

	assert_int_equal(type, FRAME_RECORD);
	assert_int_equal(length, want);
	fill_payload(copy, want, seed);
	assert_int_equal(memcmp(payload, copy, want), 0);
	free(copy);
}

/* Wait for the next frame, and let the sender send meanwhile. */
static void expect_frame(struct peer_link *from,
			 struct peer_link *to,
			 size_t want,
			 uint32_t seed)
{
	enum frame_type type;
	uint8_t *payload;
	size_t length;
	int ret;

	while ((ret = link_receive(to, &type, &payload, &length)) == EAGAIN) {
		ret = link_flush(from);
		assert_true(ret == 0 || ret == EAGAIN);
		wait_for(from, to);
	}
	assert_int_equal(ret, 0);
	check_frame(type, payload, length, want, seed);
}

static int receive_any(struct peer_link *link)
{
	enum frame_type type;
	uint8_t *payload;
	size_t length;

	return link_receive(link, &type, &payload, &length);
}

/* Whatever comes of it, but not "wait". */
static int receive_end(struct peer_link *link)
{
	int ret;

	while ((ret = receive_any(link)) == EAGAIN) {
		wait_for(link, link);
	}
	return ret;
}

static void test_handshake(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);

	assert_int_equal(link_handshake(pair->client), 0);
	assert_int_equal(strncmp(link_peer(pair->client), "127.0.0.1:", 10),
			 0);
	assert_int_equal(link_events(pair->client), POLLIN);
	assert_int_equal(receive_any(pair->client), EAGAIN);
	assert_int_equal(receive_any(pair->server), EAGAIN);
	free_pair(pair);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		0, 1, 7, 200, 4096, 16375, 16376, 16377, 16384, 65535, 65536,
		65537, 131072, 262144, 1048576, 1048577, WIRE_FRAME_MAX,
		3, 1048576,
	};
	struct pair *pair = ready_pair(*(bool *)*state);
	uint32_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send_frame(pair->client, sizes[i], i), 0);
		expect_frame(pair->client, pair->server, sizes[i], i);
		assert_int_equal(send_frame(pair->server, sizes[i], ~i), 0);
		expect_frame(pair->server, pair->client, sizes[i], ~i);
	}
	/* All in a row, and only then read. */
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send_frame(pair->client, sizes[i], i), 0);
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_frame(pair->client, pair->server, sizes[i], i);
	}
	assert_int_equal(link_pending(pair->client), 0);
	free_pair(pair);
}

static void test_many_small(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	uint32_t sent = 0;
	uint32_t got = 0;

	while (got < 50000) {
		uint32_t i;

		link_cork(pair->client);
		for (i = 0; i < 100; i++, sent++) {
			assert_int_equal(send_frame(pair->client, sent % 300,
						    sent), 0);
		}
		assert_true(link_pending(pair->client) > 0);
		(void)link_flush(pair->client);
		for (; got < sent; got++) {
			expect_frame(pair->client, pair->server, got % 300,
				     got);
		}
	}
	free_pair(pair);
}

/* A frame that waits for more is sent by the flush, not by the next frame. */
static void test_cork(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	struct pollfd pfd = { .fd = link_fd(pair->server), .events = POLLIN };

	link_cork(pair->client);
	assert_int_equal(send_frame(pair->client, 100, 1), 0);
	assert_int_equal(send_frame(pair->client, 100, 2), 0);
	assert_int_equal(poll(&pfd, 1, 20), 0);
	assert_int_equal(link_flush(pair->client), 0);
	expect_frame(pair->client, pair->server, 100, 1);
	expect_frame(pair->client, pair->server, 100, 2);
	/* and no longer corked */
	assert_int_equal(send_frame(pair->client, 100, 3), 0);
	assert_int_equal(link_pending(pair->client), 0);
	expect_frame(pair->client, pair->server, 100, 3);
	free_pair(pair);
}

/*
 * Both sides send and nobody reads for a while: neither may block, and
 * nothing may be lost. 64 MiB each way also show that the cost per byte does
 * not depend on how much is queued.
 */
static void test_both_ways(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	uint32_t i;

	for (i = 0; i < 64; i++) {
		assert_int_equal(send_frame(pair->client, 1048576, i), 0);
		assert_int_equal(send_frame(pair->server, 1048576, ~i), 0);
	}
	assert_true(link_pending(pair->client) > 10 * 1048576);
	assert_int_equal(link_events(pair->client), POLLIN | POLLOUT);
	for (i = 0; i < 64; i++) {
		expect_frame(pair->client, pair->server, 1048576, i);
		(void)link_flush(pair->server);
		expect_frame(pair->server, pair->client, 1048576, ~i);
	}
	free_pair(pair);
}

static void test_messages(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	struct message hello = {
		.type = FRAME_HELLO,
		.role = HELLO_ROLE_RECORD,
		.volume = "projects",
		.generation = 7,
	};
	struct message got;
	enum frame_type type;
	uint8_t *payload;
	size_t length;

	assert_int_equal(link_send_message(pair->client, &hello), 0);
	while (link_receive(pair->server, &type, &payload, &length) ==
	       EAGAIN) {
		wait_for(pair->server, pair->server);
	}
	assert_int_equal(message_decode(pair, type, payload, length, &got), 0);
	assert_int_equal(got.type, FRAME_HELLO);
	assert_string_equal(got.volume, "projects");
	hello.volume = "a/b";
	assert_int_equal(link_send_message(pair->client, &hello), EINVAL);
	/* An error of the caller does not break the link. */
	assert_int_equal(send_frame(pair->client, 10, 1), 0);
	expect_frame(pair->client, pair->server, 10, 1);
	free_pair(pair);
}

/* What came before the end is delivered; then the end is told, for ever. */
static void test_closed(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);

	assert_int_equal(send_frame(pair->client, 1000, 1), 0);
	assert_int_equal(send_frame(pair->client, 2000, 2), 0);
	TALLOC_FREE(pair->client);
	expect_frame(pair->server, pair->server, 1000, 1);
	expect_frame(pair->server, pair->server, 2000, 2);
	assert_int_equal(receive_end(pair->server), ECONNRESET);
	assert_int_equal(receive_any(pair->server), ECONNRESET);
	assert_int_equal(send_frame(pair->server, 10, 1), ECONNRESET);
	free_pair(pair);
}

/* A peer that says why and closes is heard, although we cannot send. */
static void test_last_words(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	int ret = 0;
	int i;

	/* The socket is empty after this, and was not asked again. */
	assert_int_equal(send_frame(pair->server, 200, 8), 0);
	wait_for(pair->client, pair->client);
	assert_int_equal(receive_any(pair->client), 0);
	assert_int_equal(send_frame(pair->server, 300, 9), 0);
	TALLOC_FREE(pair->server);
	for (i = 0; i < 100 && ret == 0; i++) {
		ret = send_frame(pair->client, 1000, 1);
		usleep(1000);
	}
	assert_int_not_equal(ret, 0);
	expect_frame(pair->client, pair->client, 300, 9);
	assert_int_not_equal(receive_end(pair->client), 0);
	free_pair(pair);
}

/*
 * A socket that had less than was asked for is empty: to ask it again would be
 * a system call for each record, in vain. Once only; and not in the middle of
 * a frame.
 *
 * Tried, and seen: "empty" is never believed (here); it is never forgotten
 * (tests wait for ever); it is believed on a link that cannot send any more
 * (test_last_words).
 */
static void test_emptied(void **state)
{
	struct pair *pair = ready_pair(*(bool *)*state);
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(send_frame(pair->client, 300, 1), 0);
		wait_for(pair->server, pair->server);
		looks = 0;
		assert_int_equal(receive_any(pair->server), 0);
		assert_int_equal(receive_any(pair->server), EAGAIN);
		assert_int_equal(looks, 1);
	}
	/* It looks as soon as it is asked again. */
	assert_int_equal(receive_any(pair->server), EAGAIN);
	assert_int_equal(looks, 2);
	assert_int_equal(send_frame(pair->client, 300, 2), 0);
	wait_for(pair->server, pair->server);
	assert_int_equal(receive_any(pair->server), 0);
	free_pair(pair);
}

static void test_too_early(void **state)
{
	struct pair *pair = start_pair(*(bool *)*state, KEY, *(bool *)*state,
				       KEY);

	assert_int_equal(send_frame(pair->client, 10, 1), ENOTCONN);
	assert_int_equal(link_flush(pair->client), ENOTCONN);
	assert_int_equal(receive_any(pair->server), ENOTCONN);
	free_pair(pair);
}

static void test_refused_connection(void **state)
{
	struct pair *pair = start_pair(false, KEY, false, KEY);
	struct sockaddr_storage nobody;
	struct peer_link *link;
	int ret;

	close(listen_on(&nobody));
	ret = link_connect(NULL, pair->client_key, NULL, &nobody, &link);
	if (ret == 0) {
		while ((ret = link_handshake(link)) == EAGAIN) {
			wait_for(link, link);
		}
		assert_int_equal(link_handshake(link), ECONNREFUSED);
		talloc_free(link);
	}
	assert_int_equal(ret, ECONNREFUSED);
	free_pair(pair);
}

static void test_local_address(void **state)
{
	struct pair *pair = start_pair(false, KEY, false, KEY);
	struct sockaddr_storage local = { .ss_family = AF_INET };
	struct sockaddr_in *in = (struct sockaddr_in *)&local;
	struct peer_link *link;
	struct peer_link *accepted;

	inet_pton(AF_INET, "127.0.0.77", &in->sin_addr);
	assert_int_equal(link_connect(NULL, pair->client_key, &local,
				      &pair->address, &link), 0);
	assert_int_equal(link_accept(NULL, pair->server_key,
				     accept(pair->listener, NULL, NULL),
				     &accepted), 0);
	assert_int_equal(strncmp(link_peer(accepted), "127.0.0.77:", 11), 0);
	talloc_free(link);
	talloc_free(accepted);

	inet_pton(AF_INET, "192.0.2.1", &in->sin_addr);
	assert_int_equal(link_connect(NULL, pair->client_key, &local,
				      &pair->address, &link), EADDRNOTAVAIL);
	free_pair(pair);
}

/* ---- peers that are none (R6) ------------------------------------------ */

static void test_wrong_key(void **state)
{
	struct pair *pair = start_pair(true, KEY, true, OTHER_KEY);
	int client;
	int server;

	shake_hands(pair, &client, &server);
	assert_int_equal(client, EACCES);
	assert_int_equal(server, EACCES);
	assert_int_equal(link_handshake(pair->server), EACCES);
	assert_int_equal(send_frame(pair->client, 10, 1), EACCES);
	assert_int_equal(receive_any(pair->server), EACCES);
	free_pair(pair);
}

static void test_only_one_encrypts(void **state)
{
	struct pair *pair = start_pair(false, KEY, true, KEY);
	int ret;

	/* A plain peer is ready at once, and its hello is no TLS. */
	while (link_handshake(pair->client) == EAGAIN) {
		wait_for(pair->client, pair->client);
	}
	assert_int_equal(send_frame(pair->client, 300, 1), 0);
	while ((ret = link_handshake(pair->server)) == EAGAIN) {
		wait_for(pair->server, pair->server);
	}
	assert_int_equal(ret, EPROTO);
	free_pair(pair);

	pair = start_pair(true, KEY, false, KEY);
	while (link_handshake(pair->server) == EAGAIN) {
		wait_for(pair->server, pair->server);
	}
	do {
		ret = link_handshake(pair->client);
		assert_int_equal(ret, EAGAIN);
	} while (receive_any(pair->server) == EAGAIN);
	assert_int_equal(receive_any(pair->server), EBADMSG);
	TALLOC_FREE(pair->server);
	while ((ret = link_handshake(pair->client)) == EAGAIN) {
		wait_for(pair->client, pair->client);
	}
	assert_int_equal(ret, ECONNRESET);
	free_pair(pair);
}

/* A link and the bare socket at its other end. */
static struct peer_link *link_and_socket(struct pair *pair,
					 const struct link_key *key,
					 int *fd)
{
	struct peer_link *link;

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*fd, (struct sockaddr *)&pair->address,
				 sizeof(struct sockaddr_in)), 0);
	assert_int_equal(link_accept(NULL, key,
				     accept(pair->listener, NULL, NULL),
				     &link), 0);
	return link;
}

static struct pair *listening(bool encrypt)
{
	struct pair *pair = start_pair(encrypt, KEY, encrypt, KEY);

	TALLOC_FREE(pair->client);
	TALLOC_FREE(pair->server);
	return pair;
}

static void test_garbage(void **state)
{
	bool encrypt = *(bool *)*state;
	struct pair *pair = listening(encrypt);
	unsigned round;

	srandom(1);
	for (round = 0; round < 200; round++) {
		uint8_t bytes[4096];
		struct peer_link *link;
		size_t i;
		int fd;
		int ret;

		for (i = 0; i < sizeof(bytes); i++) {
			bytes[i] = (uint8_t)random();
		}
		if (round == 0) {
			strcpy((char *)bytes, "GET / HTTP/1.0\r\n\r\n");
		}
		link = link_and_socket(pair, pair->server_key, &fd);
		assert_int_equal(write(fd, bytes, sizeof(bytes)),
				 sizeof(bytes));
		shutdown(fd, SHUT_WR);
		while ((ret = link_handshake(link)) == EAGAIN) {
			wait_for(link, link);
		}
		if (encrypt) {
			assert_true(ret == EPROTO || ret == ECONNRESET);
		} else {
			assert_int_equal(ret, 0);
			assert_int_equal(receive_end(link), EBADMSG);
			assert_int_equal(send_frame(link, 1, 1), EBADMSG);
		}
		talloc_free(link);
		close(fd);
	}
	free_pair(pair);
}

/* Byte by byte: neither blocks nor comes to a wrong end. */
static void test_partial(void **state)
{
	struct pair *pair = listening(false);
	struct peer_link *link;
	uint8_t frame[WIRE_FRAME_HEADER + 300];
	unsigned round;
	size_t i;
	int fd;

	link = link_and_socket(pair, pair->server_key, &fd);
	assert_int_equal(link_handshake(link), 0);
	frame_header_push(frame, FRAME_RECORD, 300);
	for (round = 0; round < 3; round++) {
		fill_payload(frame + WIRE_FRAME_HEADER, 300, round);
		for (i = 0; i < sizeof(frame); i++) {
			assert_int_equal(receive_any(link), EAGAIN);
			assert_int_equal(write(fd, frame + i, 1), 1);
		}
		expect_frame(link, link, 300, round);
	}
	/* Half a frame, then the end. */
	assert_int_equal(write(fd, frame, 100), 100);
	close(fd);
	assert_int_equal(receive_end(link), ECONNRESET);
	talloc_free(link);
	free_pair(pair);
}

/* A length that cannot be is refused before it costs memory. */
static void test_too_long(void **state)
{
	struct pair *pair = listening(false);
	struct peer_link *link;
	uint8_t header[WIRE_FRAME_HEADER];
	int fd;

	link = link_and_socket(pair, pair->server_key, &fd);
	assert_int_equal(link_handshake(link), 0);
	frame_header_push(header, FRAME_RECORD, WIRE_FRAME_MAX + 1);
	assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
	assert_int_equal(receive_end(link), EBADMSG);
	assert_true(talloc_total_size(link) < 1024 * 1024);
	talloc_free(link);
	close(fd);

	link = link_and_socket(pair, pair->server_key, &fd);
	assert_int_equal(link_handshake(link), 0);
	frame_header_push(header, FRAME_ACK, WIRE_SMALL_FRAME_MAX + 1);
	assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
	assert_int_equal(receive_end(link), EBADMSG);
	talloc_free(link);
	close(fd);
	free_pair(pair);
}

/* A peer that is silent, or says a byte now and then. */
static void test_slow_handshake(void **state)
{
	/* The begin of a TLS record of a handshake. */
	static const uint8_t hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3 };
	struct pair *pair = listening(true);
	struct peer_link *link;
	size_t i;
	int fd;

	link = link_and_socket(pair, pair->server_key, &fd);
	for (i = 0; i < sizeof(hello); i++) {
		assert_int_equal(link_handshake(link), EAGAIN);
		assert_int_equal(write(fd, hello + i, 1), 1);
	}
	clock_ahead += LINK_HANDSHAKE_SECONDS - 1;
	assert_int_equal(link_handshake(link), EAGAIN);
	clock_ahead += 2;
	assert_int_equal(link_handshake(link), ETIMEDOUT);
	clock_ahead = 0;
	assert_int_equal(link_handshake(link), ETIMEDOUT);
	talloc_free(link);
	close(fd);
	free_pair(pair);
}

/* ---- somebody in between (R6) ------------------------------------------ */

/* A TLS pair whose bytes go through our hands. */
struct relay {
	struct pair *pair;
	int client_fd;		/* where the client is connected to */
	int server_fd;		/* what the server has accepted */
	uint8_t seen[65536];	/* what was carried last */
	size_t seen_length;
};

/* Carry what there is from one end to the other, one bit of it changed. */
static size_t carry(struct relay *relay, int from, int to, int flip)
{
	struct pollfd pfd = { .fd = from, .events = POLLIN };
	ssize_t got;

	if (poll(&pfd, 1, 5) != 1) {
		return 0;
	}
	got = read(from, relay->seen, sizeof(relay->seen));
	assert_true(got >= 0);
	relay->seen_length = (size_t)got;
	if (flip >= 0 && got > flip / 8) {
		relay->seen[flip / 8] ^= (uint8_t)(1 << flip % 8);
	}
	assert_int_equal(write(to, relay->seen, (size_t)got), got);
	return (size_t)got;
}

static void start_relay(struct relay *relay)
{
	struct pair *pair = listening(true);
	int client = EAGAIN;
	int server = EAGAIN;

	relay->pair = pair;
	assert_int_equal(link_connect(NULL, pair->client_key, NULL,
				      &pair->address, &pair->client), 0);
	relay->client_fd = accept(pair->listener, NULL, NULL);
	pair->server = link_and_socket(pair, pair->server_key,
				       &relay->server_fd);
	while (client == EAGAIN || server == EAGAIN) {
		client = link_handshake(pair->client);
		carry(relay, relay->client_fd, relay->server_fd, -1);
		server = link_handshake(pair->server);
		carry(relay, relay->server_fd, relay->client_fd, -1);
	}
	assert_int_equal(client, 0);
	assert_int_equal(server, 0);
}

static void end_relay(struct relay *relay)
{
	close(relay->client_fd);
	close(relay->server_fd);
	free_pair(relay->pair);
}

/*
 * What is delivered is what was sent. (GnuTLS overlooks a changed type in the
 * clear part of a TLS record, as the real one is inside.)
 */
static void test_tampered(void **state)
{
	struct relay relay;
	int bit;

	for (bit = 0; bit < 8 * 330; bit += 37) {
		enum frame_type type;
		uint8_t *payload;
		size_t length;
		int ret;

		start_relay(&relay);
		assert_int_equal(send_frame(relay.pair->client, 300, 1), 0);
		carry(&relay, relay.client_fd, relay.server_fd, bit);
		shutdown(relay.server_fd, SHUT_WR);
		while ((ret = link_receive(relay.pair->server, &type, &payload,
					   &length)) == EAGAIN) {
			wait_for(relay.pair->server, relay.pair->server);
		}
		if (ret == 0) {
			assert_true(bit < 8 * 5);
			check_frame(type, payload, length, 300, 1);
		} else {
			/* A length that grew is a TLS record that was cut. */
			assert_true(ret == EBADMSG || ret == ECONNRESET);
		}
		end_relay(&relay);
	}
}

/* Said twice is not heard twice. */
static void test_repeated(void **state)
{
	struct relay relay;

	start_relay(&relay);
	assert_int_equal(send_frame(relay.pair->client, 300, 1), 0);
	carry(&relay, relay.client_fd, relay.server_fd, -1);
	assert_int_equal(write(relay.server_fd, relay.seen,
			       relay.seen_length), relay.seen_length);
	expect_frame(relay.pair->server, relay.pair->server, 300, 1);
	assert_int_equal(receive_end(relay.pair->server), EBADMSG);
	end_relay(&relay);
}

static void test_nothing_to_read(void **state)
{
	struct message refused = {
		.type = FRAME_REFUSED,
		.text = "a secret that must not be on the wire",
	};
	struct relay relay;

	start_relay(&relay);
	assert_int_equal(link_send_message(relay.pair->client, &refused), 0);
	assert_true(carry(&relay, relay.client_fd, relay.server_fd, -1) > 0);
	assert_null(memmem(relay.seen, relay.seen_length, "secret", 6));
	assert_int_equal(receive_end(relay.pair->server), 0);
	end_relay(&relay);
}

/* ---- the key file ------------------------------------------------------ */

static const struct {
	const char *text;
	mode_t mode;
	int ret;
	const char *problem;	/* part of it */
} key_files[] = {
	{ KEY "\n", 0600, 0, NULL },
	{ KEY, 0400, 0, NULL },
	{ OTHER_KEY, 0600, 0, NULL },
	{ "0001020304050607 0809\n0A0B0C0D0E0F\n", 0600, 0, NULL },
	{ KEY KEY, 0600, 0, NULL },
	{ KEY KEY "00", 0600, EINVAL, "more than 128" },
	{ KEY, 0640, EACCES, "0640" },
	{ KEY, 0604, EACCES, "chmod 600" },
	{ "00010203", 0600, EINVAL, "too short (8 hex digits" },
	{ "", 0600, EINVAL, "head -c 32" },
	{ KEY "1", 0600, EINVAL, "odd number" },
	{ "my favourite password is long enough", 0600, EINVAL, "hex digits" },
};

static void test_key_files(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	size_t i;

	for (i = 0; i < sizeof(key_files) / sizeof(key_files[0]); i++) {
		char path[] = "/tmp/test_peer_link.XXXXXX";
		struct link_key *key;
		char *problem;
		int fd = mkstemp(path);
		ssize_t length = (ssize_t)strlen(key_files[i].text);

		assert_int_equal(write(fd, key_files[i].text, (size_t)length),
				 length);
		assert_int_equal(fchmod(fd, key_files[i].mode), 0);
		close(fd);
		assert_int_equal(link_key_load(mem_ctx, path, true, &key,
					       &problem), key_files[i].ret);
		if (key_files[i].ret != 0) {
			assert_non_null(strstr(problem, path));
			assert_non_null(strstr(problem,
					       key_files[i].problem));
			/* Never a piece of the key in a message. */
			assert_null(strstr(problem, "0203"));
		}
		unlink(path);
	}
	talloc_free(mem_ctx);
}

static void test_key_missing(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct link_key *key;
	char *problem;

	assert_int_equal(link_key_load(mem_ctx, "/nonexistent/key", true,
				       &key, &problem), ENOENT);
	assert_non_null(strstr(problem, "/nonexistent/key"));
	assert_non_null(strstr(problem, "head -c 32 /dev/urandom"));
	assert_int_equal(link_key_load(mem_ctx, "/tmp", true, &key, &problem),
			 EINVAL);
	/* Plain links need no key. */
	assert_int_equal(link_key_load(mem_ctx, "/nonexistent/key", false,
				       &key, &problem), 0);
	talloc_free(mem_ctx);
}

static void test_key_of_somebody_else(void **state)
{
	char path[] = "/tmp/test_peer_link.XXXXXX";
	struct link_key *key;
	char *problem;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, KEY, strlen(KEY)), strlen(KEY));
	if (fchown(fd, 12345, 0) == -1) {
		close(fd);
		unlink(path);
		skip();
	}
	close(fd);
	assert_int_equal(link_key_load(NULL, path, true, &key, &problem),
			 EACCES);
	assert_non_null(strstr(problem, "12345"));
	talloc_free(problem);
	unlink(path);
}

#define BOTH(test) \
	{ #test " (plain)", test, NULL, NULL, &plain }, \
	{ #test " (TLS)", test, NULL, NULL, &tls }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_handshake),
		BOTH(test_sizes),
		BOTH(test_many_small),
		BOTH(test_cork),
		BOTH(test_both_ways),
		BOTH(test_messages),
		BOTH(test_closed),
		BOTH(test_last_words),
		BOTH(test_emptied),
		BOTH(test_too_early),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_local_address),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_only_one_encrypts),
		BOTH(test_garbage),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_slow_handshake),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_nothing_to_read),
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_key_missing),
		cmocka_unit_test(test_key_of_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
