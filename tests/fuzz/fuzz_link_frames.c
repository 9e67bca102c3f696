/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes from a peer (R6): to a plain link, and to the TLS handshake of
 * one that encrypts. The first byte says which, and in how large pieces they
 * come. It must not block, crash or deliver what was not sent.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <unistd.h>

#include "fuzz.h"
#include "peer_link.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct link_key *plain_key;
static struct link_key *tls_key;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char digits[] = "000102030405060708090a0b0c0d0e0f";
	char path[] = "/tmp/fuzz_link_frames.XXXXXX";
	char *problem;
	int fd = mkstemp(path);

	FUZZ_CHECK(write(fd, digits, 32) == 32);
	close(fd);
	FUZZ_CHECK(link_key_load(NULL, "", false, &plain_key, &problem) == 0);
	FUZZ_CHECK(link_key_load(NULL, path, true, &tls_key, &problem) == 0);
	unlink(path);
	return 0;
}

/* All frames that are there; an error other than EAGAIN stays. */
static int receive_all(struct peer_link *link, size_t *received)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct message message;
	struct record record;
	enum frame_type type;
	uint8_t *payload;
	size_t length;
	int ret;

	while ((ret = link_receive(link, &type, &payload, &length)) == 0) {
		*received += WIRE_FRAME_HEADER + length;
		if (type == FRAME_RECORD) {
			(void)record_decode(mem_ctx, payload, length, &record);
		} else {
			(void)message_decode(mem_ctx, type, payload, length,
					     &message);
		}
	}
	talloc_free(mem_ctx);
	return ret;
}

static void feed(struct peer_link *link,
		 int fd,
		 const uint8_t *bytes,
		 size_t size,
		 size_t piece)
{
	size_t received = 0;
	size_t sent = 0;
	int ret = EAGAIN;

	while (sent < size && ret == EAGAIN) {
		size_t part = size - sent < piece ? size - sent : piece;

		if (send(fd, bytes + sent, part, MSG_NOSIGNAL) !=
		    (ssize_t)part) {
			break;
		}
		sent += part;
		ret = link_handshake(link);
		if (ret == 0) {
			ret = receive_all(link, &received);
		}
		FUZZ_CHECK(ret != 0);
		FUZZ_CHECK(received <= sent);
	}
	shutdown(fd, SHUT_WR);
	if (ret == EAGAIN) {
		ret = link_handshake(link);
		if (ret == 0) {
			ret = receive_all(link, &received);
		}
		/* A peer that is gone never leaves us waiting. */
		FUZZ_CHECK(ret != 0 && ret != EAGAIN);
	}
	FUZZ_CHECK(received <= sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct peer_link *link;
	int fds[2];

	if (size == 0 || size > 65536) {
		return 0;
	}
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	FUZZ_CHECK(link_accept(NULL, bytes[0] & 1 ? tls_key : plain_key,
			       fds[0], &link) == 0);
	feed(link, fds[1], bytes + 1, size - 1, 1 + 8 * (size_t)bytes[0]);
	talloc_free(link);
	close(fds[1]);
	return 0;
}

/* A handful of frames in a row. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed)
{
	struct table_random random = { .state = seed | 1 };
	size_t frames = 1 + table_next(&random) % 4;
	size_t at = 1;

	if (seed % FUZZ_NEW_ONE_IN != 0 || max_size < 2) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	bytes[0] = (uint8_t)(seed >> 8) & ~1;
	for (; frames > 0; frames--) {
		at += fuzz_message(&random, bytes + at, max_size - at);
	}
	return at;
}
