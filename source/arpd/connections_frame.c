/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames that tell connections, and tickles; see connections.h. */

#include <sys/socket.h>
#include <netinet/in.h>
#include <errno.h>
#include <string.h>
#include "beacon.h"
#include "connections.h"

#define MAGIC 0x534d4243	/* "SMBC" */
#define VERSION 1
#define ETHERNET_HEADER 14
#define HEADER 36
#define ROW 38
#define TCP_HEADER 20
#define TCP_ACK 0x10
#define TTL 64

/* A place in a buffer; what does not fit makes it bad for good. */
struct cursor {
	uint8_t *data;
	size_t offset;
	size_t length;
	bool bad;
};

static uint8_t *take(struct cursor *c, size_t size)
{
	uint8_t *at = c->data + c->offset;

	if (c->bad || size > c->length - c->offset) {
		c->bad = true;
		return NULL;
	}
	c->offset += size;
	return at;
}

static void push(struct cursor *c, uint64_t value, size_t size)
{
	uint8_t *at = take(c, size);

	for (; at != NULL && size > 0; size--) {
		at[size - 1] = value & 0xff;
		value >>= 8;
	}
}

static void push_bytes(struct cursor *c, const void *bytes, size_t size)
{
	uint8_t *at = take(c, size);

	if (at != NULL) {
		memcpy(at, bytes, size);
	}
}

static uint64_t pull(struct cursor *c, size_t size)
{
	const uint8_t *at = take(c, size);
	uint64_t value = 0;
	size_t i;

	for (i = 0; at != NULL && i < size; i++) {
		value = value << 8 | at[i];
	}
	return value;
}

static void pull_bytes(struct cursor *c, void *bytes, size_t size)
{
	const uint8_t *at = take(c, size);

	if (at != NULL) {
		memcpy(bytes, at, size);
	}
}

/* ------------------------------------------------------------------- frames */

size_t connections_push(uint8_t *frame, const struct connections_frame *list,
			const struct net_mac *to, const struct net_mac *from)
{
	struct cursor c = {
		.data = frame,
		.length = BEACON_FRAME_MAX - BEACON_HMAC_SIZE,
	};
	uint32_t i;

	if (list->count > CONNECTIONS_ROWS) {
		return 0;
	}
	push_bytes(&c, to->bytes, NET_MAC_SIZE);
	push_bytes(&c, from->bytes, NET_MAC_SIZE);
	push(&c, BEACON_ETHERTYPE, 2);
	push(&c, MAGIC, 4);
	push(&c, VERSION, 1);
	push(&c, list->part, 1);
	push(&c, list->parts, 1);
	push(&c, list->count, 1);
	push(&c, list->node, 4);
	push(&c, list->session, 8);
	push(&c, list->sequence, 8);
	push(&c, list->for_session, 8);
	for (i = 0; i < list->count; i++) {
		const struct connection *row = &list->rows[i];

		push(&c, row->address.family, 1);
		push(&c, 0, 1);
		push(&c, row->port, 2);
		push(&c, row->client_port, 2);
		push_bytes(&c, row->address.bytes, 16);
		push_bytes(&c, row->client.bytes, 16);
	}
	return c.bad ? 0 : c.offset;
}

static void pull_address(struct cursor *c, uint8_t family,
			 struct net_address *address)
{
	*address = (struct net_address){ .family = family };
	address->prefix = net_address_bits(address);
	pull_bytes(c, address->bytes, 16);
}

int connections_pull(const uint8_t *frame, size_t length,
		     struct connections_frame *list)
{
	/* pull() does not write. */
	struct cursor c = { .data = (uint8_t *)frame, .length = length };
	uint32_t i;

	*list = (struct connections_frame){ .part = 0 };
	take(&c, ETHERNET_HEADER);
	if (pull(&c, 4) != MAGIC || pull(&c, 1) != VERSION) {
		return EBADMSG;
	}
	list->part = pull(&c, 1);
	list->parts = pull(&c, 1);
	list->count = pull(&c, 1);
	list->node = pull(&c, 4);
	list->session = pull(&c, 8);
	list->sequence = pull(&c, 8);
	list->for_session = pull(&c, 8);
	if (c.bad || list->count > CONNECTIONS_ROWS ||
	    list->part >= list->parts) {
		return EBADMSG;
	}
	for (i = 0; i < list->count; i++) {
		struct connection *row = &list->rows[i];
		uint8_t family = pull(&c, 1);

		if ((family != AF_INET && family != AF_INET6) ||
		    pull(&c, 1) != 0) {
			return EBADMSG;
		}
		row->port = pull(&c, 2);
		row->client_port = pull(&c, 2);
		pull_address(&c, family, &row->address);
		pull_address(&c, family, &row->client);
	}
	return c.bad || c.offset != c.length ? EBADMSG : 0;
}

/* ------------------------------------------------------------------ tickles */

static uint32_t sum(const uint8_t *data, size_t length)
{
	uint32_t total = 0;
	size_t i;

	for (i = 0; i + 1 < length; i += 2) {
		total += (uint32_t)data[i] << 8 | data[i + 1];
	}
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16 != 0) {
		total = (total & 0xffff) + (total >> 16);
	}
	return ~total & 0xffff;
}

static void push_tcp(struct cursor *c, const struct connection *connection)
{
	size_t size = net_address_size(&connection->address);
	uint8_t *tcp = c->data + c->offset;
	uint16_t checksum;

	push(c, connection->port, 2);
	push(c, connection->client_port, 2);
	push(c, 0, 4);			/* sequence */
	push(c, 0, 4);			/* acknowledgement */
	push(c, TCP_HEADER / 4 << 4, 1);
	push(c, TCP_ACK, 1);
	push(c, 1234, 2);		/* window; as ctdb's have it */
	push(c, 0, 2);			/* checksum */
	push(c, 0, 2);			/* urgent */
	checksum = fold(sum(connection->address.bytes, size) +
			sum(connection->client.bytes, size) +
			TCP_HEADER + IPPROTO_TCP + sum(tcp, TCP_HEADER));
	tcp[16] = checksum >> 8;
	tcp[17] = checksum & 0xff;
}

size_t connections_tickle_packet(uint8_t *packet,
				 const struct connection *connection)
{
	size_t size = net_address_size(&connection->address);
	struct cursor c = { .data = packet, .length = BEACON_FRAME_MAX };
	uint16_t checksum;

	if (connection->address.family == AF_INET6) {
		push(&c, 6 << 4, 1);
		push(&c, 0, 3);
		push(&c, TCP_HEADER, 2);
		push(&c, IPPROTO_TCP, 1);
		push(&c, TTL, 1);
		push_bytes(&c, connection->address.bytes, size);
		push_bytes(&c, connection->client.bytes, size);
	} else {
		push(&c, 0x4500, 2);
		push(&c, 20 + TCP_HEADER, 2);
		push(&c, 0, 4);
		push(&c, TTL, 1);
		push(&c, IPPROTO_TCP, 1);
		push(&c, 0, 2);
		push_bytes(&c, connection->address.bytes, size);
		push_bytes(&c, connection->client.bytes, size);
		checksum = fold(sum(packet, 20));
		packet[10] = checksum >> 8;
		packet[11] = checksum & 0xff;
	}
	push_tcp(&c, connection);
	return c.offset;
}
