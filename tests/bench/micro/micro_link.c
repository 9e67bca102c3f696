/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames over a link, encrypted and plain; see micro.h. */

#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "micro.h"
#include "peer_link.h"

struct link_state {
	struct peer_link *smbd;
	struct peer_link *partner;
	uint8_t header[WIRE_FRAME_HEADER];
	struct iovec pieces[2];
	TALLOC_CTX *scratch;
	uint64_t sequence;
};

const char *micro_key_file(TALLOC_CTX *mem_ctx, const char *directory)
{
	static const char digits[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d";
	char *path = talloc_asprintf(mem_ctx, "%s/key", directory);
	int fd;

	micro_check(path != NULL, "no memory");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	micro_check(fd != -1 && write(fd, digits, strlen(digits)) ==
		    (ssize_t)strlen(digits), "cannot write a key");
	close(fd);
	return path;
}

/*
 * link_connect() takes the address of any family for as long as one of IPv4:
 * room for an abstract name of 14 bytes.
 */
int micro_listen(struct sockaddr_storage *address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)address;
	char name[14];
	int fd;

	memset(address, 0, sizeof(*address));
	snprintf(name, sizeof(name), "micro%08x", (unsigned)getpid());
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, name, sizeof(name) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	micro_check(fd != -1 &&
		    bind(fd, (struct sockaddr *)address,
			 sizeof(sa_family_t) + sizeof(name)) == 0 &&
		    listen(fd, 4) == 0, "cannot listen");
	return fd;
}

/* As users of links do: until there is nothing left, and then they poll. */
static void no_more(struct peer_link *link)
{
	enum frame_type type;
	uint8_t *payload;
	size_t length;

	micro_check(link_receive(link, &type, &payload, &length) == EAGAIN,
		    "more than was sent");
}

static void *begin(TALLOC_CTX *mem_ctx, const struct micro_case *micro_case)
{
	struct link_state *state = talloc_zero(mem_ctx, struct link_state);
	const char *directory = micro_directory(mem_ctx);
	struct sockaddr_storage address;
	struct link_key *key;
	char *problem;
	int ends[2] = { EAGAIN, EAGAIN };
	int fd;

	micro_check(state != NULL, "no memory");
	micro_check(link_key_load(state, micro_key_file(state, directory),
				  micro_case->encrypt, &key, &problem) == 0,
		    "cannot load the key: are you root?");
	fd = micro_listen(&address);
	micro_check(link_connect(state, key, NULL, &address,
				 &state->smbd) == 0, "cannot connect");
	micro_check(link_accept(state, key, accept(fd, NULL, NULL),
				&state->partner) == 0, "cannot accept");
	close(fd);
	while (ends[0] == EAGAIN || ends[1] == EAGAIN) {
		ends[0] = link_handshake(state->smbd);
		ends[1] = link_handshake(state->partner);
	}
	micro_check(ends[0] == 0 && ends[1] == 0, "no handshake");
	no_more(state->smbd);
	no_more(state->partner);

	frame_header_push(state->header, FRAME_RECORD,
			  (uint32_t)micro_case->size);
	state->pieces[0] = (struct iovec){ .iov_base = state->header,
					   .iov_len = WIRE_FRAME_HEADER };
	state->pieces[1] = (struct iovec){
		.iov_base = micro_bytes(state, micro_case->size),
		.iov_len = micro_case->size,
	};
	state->scratch = talloc_pool(state, 4096);
	return state;
}

static void frame(void *private_data)
{
	struct link_state *state = private_data;
	enum frame_type type;
	uint8_t *payload;
	size_t length;
	int ret;

	micro_check(link_send(state->smbd, state->pieces, 2) == 0,
		    "cannot send");
	while ((ret = link_receive(state->partner, &type, &payload,
				   &length)) == EAGAIN) {
		ret = link_flush(state->smbd);
		micro_check(ret == 0 || ret == EAGAIN, "cannot flush");
	}
	micro_check(ret == 0 && type == FRAME_RECORD &&
		    length == state->pieces[1].iov_len, "cannot receive");
	no_more(state->partner);
}

/* What comes back for a record, as the sender reads it. */
static void acknowledgement(void *private_data)
{
	struct link_state *state = private_data;
	struct message message = {
		.type = FRAME_ACK, .sequence = ++state->sequence
	};
	enum frame_type type;
	uint8_t *payload;
	size_t length;

	micro_check(link_send_message(state->partner, &message) == 0,
		    "cannot send");
	micro_check(link_receive(state->smbd, &type, &payload, &length) == 0,
		    "cannot receive");
	micro_check(message_decode(state->scratch, type, payload, length,
				   &message) == 0 &&
		    message.sequence == state->sequence, "cannot decode");
	no_more(state->smbd);
	talloc_free_children(state->scratch);
}

#define BOTH(name_, turns_, size_) \
	{ .name = "link/" name_ "-tls", .turns = (turns_), .size = (size_), \
	  .encrypt = true, .begin = begin, .turn = frame }, \
	{ .name = "link/" name_ "-plain", .turns = (turns_), .size = (size_), \
	  .begin = begin, .turn = frame }

const struct micro_case micro_link_cases[] = {
	BOTH("200", 100, 200),
	BOTH("4k", 50, 4096),
	BOTH("64k", 10, 65536),
	BOTH("1m", 2, 1048576),
	{ .name = "link/ack-tls", .turns = 100, .encrypt = true,
	  .begin = begin, .turn = acknowledgement },
	{ .name = NULL }
};
