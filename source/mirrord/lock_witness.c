/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The witness, see lock_witness.h: what goes over the link, and the node. */

#include <sys/socket.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include "../common/event_log.h"
#include "../common/peer_link.h"
#include "lock_witness_wire.h"

/* A witness that takes longer is one that is not there. */
#define ANSWER_MS 1000

struct witness_user {
	struct link_key *key;
	struct peer_link *link;
};

/* ------------------------------------------------------------- on the link */

int witness_send(struct peer_link *link, struct witness_head *head,
		 const uint8_t *blocks)
{
	uint8_t frame[WIRE_FRAME_HEADER];
	const size_t bytes = (size_t)head->blocks * WITNESS_BLOCK;
	const struct iovec iov[] = {
		{ .iov_base = frame, .iov_len = sizeof(frame) },
		{ .iov_base = head, .iov_len = sizeof(*head) },
		{ .iov_base = (void *)(uintptr_t)blocks, .iov_len = bytes },
	};

	memcpy(head->magic, WITNESS_MAGIC, sizeof(head->magic));
	frame_header_push(frame, FRAME_RECORD,
			  (uint32_t)(sizeof(*head) + bytes));
	return link_send(link, iov, bytes > 0 ? 3 : 2);
}

int witness_receive(struct peer_link *link, struct witness_head *head,
		    const uint8_t **blocks)
{
	enum frame_type type;
	uint8_t *payload;
	size_t length;
	int ret;

	ret = link_receive(link, &type, &payload, &length);
	if (ret != 0) {
		return ret;
	}
	if (type != FRAME_RECORD || length < sizeof(*head)) {
		return EBADMSG;
	}
	memcpy(head, payload, sizeof(*head));
	*blocks = payload + sizeof(*head);
	if (memcmp(head->magic, WITNESS_MAGIC, sizeof(head->magic)) != 0 ||
	    head->blocks > 1 + LOCK_NODES || head->number > EHWPOISON ||
	    length != sizeof(*head) + (size_t)head->blocks * WITNESS_BLOCK) {
		return EBADMSG;
	}
	return 0;
}

/* ---------------------------------------------------------------- the node */

static int wait_link(struct peer_link *link, uint64_t until)
{
	struct pollfd pfd = {
		.fd = link_fd(link), .events = link_events(link),
	};
	uint64_t now = lock_now();

	if (now >= until) {
		return ETIMEDOUT;
	}
	return poll(&pfd, 1, (int)(until - now)) == -1 && errno != EINTR ?
		errno : 0;
}

/* HOST, HOST:PORT, [ADDRESS]:PORT, ADDRESS. */
static int find_host(const char *name, struct sockaddr_storage *address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[256], port[16];
	struct addrinfo *found;
	char *colon;

	snprintf(host, sizeof(host), "%s", name[0] == '[' ? name + 1 : name);
	snprintf(port, sizeof(port), "%d", WITNESS_PORT);
	colon = strrchr(host, ':');
	if (colon != NULL && (name[0] == '[' ?
			      colon > host && colon[-1] == ']' :
			      strchr(host, ':') == colon)) {
		*colon = '\0';
		snprintf(port, sizeof(port), "%.15s", colon + 1);
	}
	host[strcspn(host, "]")] = '\0';
	if (getaddrinfo(host, port, &hints, &found) != 0) {
		return EADDRNOTAVAIL;
	}
	memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/*
 * What was sent and has not arrived must not arrive later, behind what is sent
 * by the next connection. (The witness does not take it either.)
 */
static void cut_link(struct witness_user *user)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (user->link != NULL) {
		setsockopt(link_fd(user->link), SOL_SOCKET, SO_LINGER,
			   &linger, sizeof(linger));
	}
	TALLOC_FREE(user->link);
}

static int open_link(struct witness_user *user, const char *name,
		     uint64_t until)
{
	struct sockaddr_storage address;
	int ret = find_host(name, &address);

	if (ret == 0) {
		ret = link_connect(user, user->key, NULL, &address,
				   &user->link);
	}
	while (ret == 0 && (ret = link_handshake(user->link)) == EAGAIN) {
		ret = wait_link(user->link, until);
	}
	return ret;
}

static int exchange(struct witness_user *user,
		    const struct copy_request *request, uint64_t until,
		    struct copy_reply *reply)
{
	struct witness_head head = {
		.number = request->nodes, .blocks = request->write ? 1 : 0,
	};
	uint8_t block[LOCK_BLOCK];
	const uint8_t *blocks;
	uint32_t i;
	int ret;

	if (request->write) {
		sector_push(&request->sector, block);
	}
	ret = witness_send(user->link, &head, block);
	while (ret == 0 && (ret = witness_receive(user->link, &head,
						  &blocks)) == EAGAIN) {
		ret = link_flush(user->link);
		if (ret == 0 || ret == EAGAIN) {
			ret = wait_link(user->link, until);
		}
	}
	if (ret == 0) {
		ret = (int)head.number;
	}
	if (ret == 0 && head.blocks != 1 + request->nodes) {
		ret = EBADMSG;
	}
	if (ret == 0) {
		memset(block, 0, sizeof(block));
		memcpy(block, blocks, WITNESS_BLOCK);
		ret = lock_header_pull(block, &reply->header);
	}
	for (i = 0; ret == 0 && i < request->nodes; i++) {
		blocks += WITNESS_BLOCK;
		memcpy(block, blocks, WITNESS_BLOCK);
		if (sector_pull(block, i, &reply->reading.sectors[i]) != 0) {
			reply->reading.damaged |= UINT64_C(1) << i;
		}
	}
	return ret;
}

int copy_serve_witness(const struct copy_place *place, int socket)
{
	struct witness_user *user = talloc_zero(NULL, struct witness_user);
	struct copy_request request;
	struct copy_reply reply;
	char *problem = NULL;

	if (user == NULL ||
	    link_key_load(user, place->key_file, true, &user->key,
			  &problem) != 0) {
		event_log(EVENT_KEY_UNUSABLE, "%s",
			  problem != NULL ? problem : place->key_file);
		return 1;
	}
	while (recv(socket, &request, sizeof(request), 0) ==
	       (ssize_t)sizeof(request)) {
		const uint64_t until = lock_now() + ANSWER_MS;

		memset(&reply, 0, sizeof(reply));
		if (user->link == NULL) {
			reply.error = open_link(user, place->path, until);
		}
		if (reply.error == 0) {
			reply.error = exchange(user, &request, until, &reply);
		}
		if (reply.error != 0) {
			cut_link(user);
		}
		if (send(socket, &reply, sizeof(reply), MSG_NOSIGNAL) == -1) {
			break;
		}
	}
	return 0;
}
