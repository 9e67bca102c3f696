/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The witness, see lock_witness.h: the third machine. */

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/peer_link.h"
#include "lock_format.h"
#include "lock_witness_wire.h"

/* Two for each node: an old connection may not be known to be dead yet. */
#define CLIENTS (2 * LOCK_NODES)
#define LISTEN_QUEUE 16

struct client {
	struct peer_link *link;
	bool ready;		/* it has shown that it has the key */
};

struct witness {
	int file;
	int listener;
	struct link_key *key;
	struct client clients[CLIENTS];
	uint8_t *block;
	uint8_t answer[(1 + LOCK_NODES) * WITNESS_BLOCK];
};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "mirror-ctdb-lock: %s: %s\n", what, why);
	return 1;
}

static uint64_t place_of(uint32_t node)
{
	return LOCK_BLOCK * (1 + (uint64_t)node);
}

/*
 * Of two writes of a node the newer one stays, whichever comes in later: a
 * frame can be under way for long in a network that was cut.
 */
static int write_sector(struct witness *witness, const uint8_t *bytes)
{
	struct sector sector, before;
	uint32_t node;
	int ret;

	memset(witness->block, 0, LOCK_BLOCK);
	memcpy(witness->block, bytes, WITNESS_BLOCK);
	for (node = 0; node < LOCK_NODES; node++) {
		if (sector_pull(witness->block, node, &sector) == 0 &&
		    sector.sequence != 0) {
			break;
		}
	}
	if (node == LOCK_NODES) {
		return EBADMSG;
	}
	ret = copy_read_block(witness->file, place_of(node), witness->block);
	if (ret == 0 && sector_pull(witness->block, node, &before) == 0 &&
	    before.sequence >= sector.sequence) {
		ret = ESTALE;
	}
	if (ret == 0) {
		sector_push(&sector, witness->block);
		ret = copy_write_block(witness->file, place_of(node),
				       witness->block);
	}
	return ret;
}

static int read_blocks(struct witness *witness, uint32_t count)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++) {
		ret = copy_read_block(witness->file, LOCK_BLOCK * (uint64_t)i,
				      witness->block);
		memcpy(witness->answer + (size_t)i * WITNESS_BLOCK,
		       witness->block, WITNESS_BLOCK);
	}
	return ret;
}

static int answer(struct witness *witness, struct peer_link *link)
{
	struct witness_head head, reply = { .number = 0 };
	const uint8_t *blocks;
	int ret;

	for (;;) {
		ret = witness_receive(link, &head, &blocks);
		if (ret != 0) {
			return ret;
		}
		if (head.number > LOCK_NODES || head.blocks > 1) {
			return EBADMSG;
		}
		if (head.blocks == 1) {
			ret = write_sector(witness, blocks);
		}
		if (ret == 0) {
			ret = read_blocks(witness, 1 + head.number);
		}
		reply.number = (uint32_t)ret;
		reply.blocks = ret == 0 ? 1 + head.number : 0;
		ret = witness_send(link, &reply, witness->answer);
		if (ret != 0) {
			return ret;
		}
	}
}

static void serve_client(struct witness *witness, struct client *client)
{
	char key[EVENT_KEY_SIZE];
	int ret = 0;

	if (!client->ready) {
		ret = link_handshake(client->link);
		client->ready = ret == 0;
		if (ret == EACCES || ret == EPROTO) {
			event_log_once(ret == EACCES ? EVENT_LINK_WRONG_KEY :
				       EVENT_LINK_NOT_PEER,
				       event_key_of_host(
					       link_peer(client->link), key),
				       "%s is no node of this witness",
				       link_peer(client->link));
		}
	}
	if (ret == 0) {
		ret = answer(witness, client->link);
	}
	if (ret == EAGAIN && client->ready) {
		ret = link_flush(client->link);
	}
	if (ret == 0 || ret == EAGAIN) {
		return;
	}
	if (ret != ECONNRESET && client->ready) {
		event_log_once(EVENT_LINK_DOWN, link_peer(client->link),
			       "%s: %s", link_peer(client->link),
			       strerror(ret));
	}
	TALLOC_FREE(client->link);
}

static void accept_client(struct witness *witness)
{
	struct client *client = NULL;
	int fd = accept4(witness->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd == -1) {
		return;
	}
	for (i = 0; i < CLIENTS && client == NULL; i++) {
		if (witness->clients[i].link == NULL) {
			client = &witness->clients[i];
		}
	}
	/* Full: whoever has not shown the key yet makes room. */
	for (i = 0; i < CLIENTS && client == NULL; i++) {
		if (!witness->clients[i].ready) {
			client = &witness->clients[i];
			TALLOC_FREE(client->link);
		}
	}
	if (client == NULL) {
		close(fd);
		return;
	}
	client->ready = false;
	if (link_accept(witness, witness->key, fd, &client->link) != 0) {
		client->link = NULL;
	}
}

static void loop(struct witness *witness)
{
	struct pollfd fds[CLIENTS + 1];
	size_t i;

	for (i = 0; i < CLIENTS; i++) {
		struct peer_link *link = witness->clients[i].link;

		fds[i] = (struct pollfd) {
			.fd = link != NULL ? link_fd(link) : -1,
			.events = link != NULL ? link_events(link) : 0,
		};
	}
	fds[CLIENTS] = (struct pollfd) {
		.fd = witness->listener, .events = POLLIN,
	};
	if (poll(fds, CLIENTS + 1, 1000) == -1) {
		return;
	}
	for (i = 0; i < CLIENTS; i++) {
		/* A handshake that does not end is ended by being asked. */
		if (witness->clients[i].link != NULL &&
		    (fds[i].revents != 0 || !witness->clients[i].ready)) {
			serve_client(witness, &witness->clients[i]);
		}
	}
	if (fds[CLIENTS].revents != 0) {
		accept_client(witness);
	}
}

static int open_file(const char *path, uint32_t lease_ms, int *fd)
{
	struct lock_header header = { .lease_ms = lease_ms, .copies = 1 };
	uint8_t *block = copy_blocks(1);
	struct stat st;
	int ret;

	*fd = copy_open(path, O_RDWR | O_CREAT | O_NOFOLLOW);
	if (*fd == -1 || fstat(*fd, &st) == -1) {
		ret = errno;
	} else if (st.st_size == 0) {
		ret = getrandom(header.id, sizeof(header.id), 0) ==
			(ssize_t)sizeof(header.id) ?
			lock_write_empty(*fd, 0, &header) : EIO;
		/* Its name as well as what is in it. */
		sync();
	} else {
		ret = copy_read_block(*fd, 0, block);
		if (ret == 0) {
			ret = lock_header_pull(block, &header);
		}
	}
	free(block);
	return ret;
}

static int open_listener(uint16_t port, int *fd)
{
	const struct sockaddr_in6 address = {
		.sin6_family = AF_INET6, .sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
	const int yes = 1, no = 0;

	*fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd == -1 ||
	    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes,
		       sizeof(yes)) == -1 ||
	    setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &no,
		       sizeof(no)) == -1 ||
	    bind(*fd, (const struct sockaddr *)&address,
		 sizeof(address)) == -1 ||
	    listen(*fd, LISTEN_QUEUE) == -1) {
		return errno;
	}
	return 0;
}

int witness_serve(const char *file, const char *key_file, uint16_t port,
		  uint32_t lease_ms)
{
	struct witness *witness = talloc_zero(NULL, struct witness);
	char *problem = NULL;
	int ret;

	if (witness == NULL) {
		return fail("memory", strerror(ENOMEM));
	}
	witness->block = copy_blocks(1);
	ret = open_file(file, lease_ms, &witness->file);
	if (ret != 0) {
		return fail(file, ret == ENOENT ? "it is not a file of a "
			    "witness" : strerror(ret));
	}
	if (link_key_load(witness, key_file, true, &witness->key,
			  &problem) != 0) {
		return fail(key_file, problem != NULL ? problem : "unusable");
	}
	ret = open_listener(port, &witness->listener);
	if (ret != 0) {
		return fail("port", strerror(ret));
	}
	event_log(EVENT_STARTED, "witness with %s, port %u", file, port);
	for (;;) {
		loop(witness);
	}
}
