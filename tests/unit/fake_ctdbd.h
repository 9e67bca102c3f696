/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A ctdbd that a test plays: its packets, for one client. What it answers is
 * the test's: on_control() and on_message().
 */

#ifndef TESTS_UNIT_FAKE_CTDBD_H
#define TESTS_UNIT_FAKE_CTDBD_H

#include <sys/socket.h>
#include <arpa/inet.h>
#include <string.h>

#define FAKE_CTDBD_OWN 1	/* its node */

struct world;

static void on_control(const struct world *world, uint32_t opcode,
		       uint32_t request);
static void on_message(struct world *world, uint64_t srvid,
		       const uint8_t *data, uint32_t length);

static int client = -1;

struct header {
	uint32_t length, magic, version, generation, operation, destination;
	uint32_t source, request;
};

static void send_packet(uint32_t operation, uint32_t request,
			const void *body, size_t length)
{
	struct header header = {
		.length = (uint32_t)(sizeof(header) + length),
		.magic = 0x43544442, .version = 1, .operation = operation,
		.source = FAKE_CTDBD_OWN, .request = request,
	};

	assert_int_equal(send(client, &header, sizeof(header), MSG_NOSIGNAL),
			 sizeof(header));
	assert_int_equal(send(client, body, length, MSG_NOSIGNAL), length);
}

static void send_reply(uint32_t request, int32_t status, const void *data,
		       uint32_t length)
{
	uint8_t body[512] = { 0 };

	memcpy(body, &status, 4);
	memcpy(body + 4, &length, 4);
	if (length > 0) {
		memcpy(body + 12, data, length);
	}
	send_packet(8, request, body, 12 + length);
}

static void send_message(uint64_t srvid, const void *data, uint32_t length)
{
	uint8_t body[1024] = { 0 };

	memcpy(body, &srvid, 8);
	memcpy(body + 8, &length, 4);
	memcpy(body + 12, data, length);
	send_packet(5, 0, body, 12 + length);
}

/* Of the node map; returns its length. */
static uint32_t push_node(uint8_t *at, uint32_t pnn, uint32_t flags,
			  const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(at, &pnn, 4);
	memcpy(at + 4, &flags, 4);
	memcpy(at + 8, &in, sizeof(in));
	return 36;
}

static void on_packet(struct world *world, const uint8_t *packet)
{
	struct header header;
	uint64_t srvid;
	uint32_t value;

	memcpy(&header, packet, sizeof(header));
	if (header.operation == 7) {
		memcpy(&value, packet + sizeof(header), 4);
		on_control(world, value, header.request);
	} else if (header.operation == 5) {
		memcpy(&srvid, packet + sizeof(header), 8);
		memcpy(&value, packet + sizeof(header) + 8, 4);
		on_message(world, srvid, packet + sizeof(header) + 12, value);
	}
}

/* False: the client has gone. */
static bool serve_once(struct world *world)
{
	uint8_t packet[512];
	struct header header;

	if (recv(client, &header, sizeof(header), MSG_WAITALL) !=
	    sizeof(header)) {
		return false;
	}
	assert_true(header.length >= sizeof(header) &&
		    header.length <= sizeof(packet));
	memcpy(packet, &header, sizeof(header));
	assert_int_equal(recv(client, packet + sizeof(header),
			      header.length - sizeof(header), MSG_WAITALL),
			 header.length - sizeof(header));
	on_packet(world, packet);
	return true;
}

#endif /* TESTS_UNIT_FAKE_CTDBD_H */
