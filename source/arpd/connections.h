/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Clients that are connected to the addresses of a node are known to the other
 * nodes, so that whoever takes an address can tell them at once.
 *
 * Owns: asking the kernel for connections to what is held here; the frames that
 * tell them; what others told; TCP tickles.
 * Does not own: when an address comes (addresses.h).
 *
 * A client whose server died waits for minutes. A tickle is an ACK from the
 * address that it is connected to, with sequence numbers that cannot be right:
 * it answers, gets a RST, and connects again at once. ctdb does the same, but
 * only for the address that it places, and when all event scripts are over.
 *
 * The frames have the EtherType of beacons and go to one node's interface of
 * the best path. They are authenticated with the same key (R6), and name the
 * session of the node that they are for: an older one is not believed. Integers
 * are big endian:
 *
 *   magic "SMBC"  version u8 (1)  part u8  parts u8  rows u8
 *   node u32  session u64  sequence u64 (of the list)  for session u64
 *   rows: family u8, zero u8, port u16, their port u16, address[16],
 *         their address[16]
 *   HMAC-SHA256
 */

#ifndef ARPD_CONNECTIONS_H
#define ARPD_CONNECTIONS_H

#include "arpd.h"

#define CONNECTIONS_MAX 2048		/* of one node */
#define CONNECTIONS_ROWS 36		/* in a frame */
/* The kernel is asked so often, with many clients less often; others are told
 * what has changed, and all of it every CONNECTIONS_TELL_MS. */
#define CONNECTIONS_ASK_MS 100
#define CONNECTIONS_MANY 256
#define CONNECTIONS_TELL_MS 500

struct connection {
	struct net_address address;	/* the service's */
	struct net_address client;
	uint16_t port;			/* host order */
	uint16_t client_port;
};

struct connections_frame {
	uint8_t part;
	uint8_t parts;
	uint32_t node;
	uint64_t session;
	uint64_t sequence;
	uint64_t for_session;
	uint32_t count;
	struct connection rows[CONNECTIONS_ROWS];
};

struct connections;

int connections_new(struct arpd *arpd, struct connections **connections);

/* A frame with our EtherType came in. False: it is none of these. */
bool connections_heard(struct connections *connections,
		       const uint8_t *frame, size_t length);

/* The address came to this node: tickle those who were connected to it, now and
 * some times again. */
void connections_tickle(struct connections *connections,
			const struct net_address *address);

/* The address is given up: who is connected to it now is told to the others
 * until one of them has it, as that one is to tickle them. */
void connections_leave(struct connections *connections,
		       const struct net_address *address);

/* Clients of the address, at this node or as others told. */
uint32_t connections_count(const struct connections *connections,
			   const struct net_address *address);

/* Some clients of other nodes, each once. How many. */
uint32_t connections_clients(const struct connections *connections,
			     struct net_address *clients, uint32_t max);

/* connections_frame.c. The frame without its HMAC; its length, 0: does not
 * fit. */
size_t connections_push(uint8_t *frame, const struct connections_frame *list,
			const struct net_mac *to, const struct net_mac *from);
/* length is without the HMAC. 0 or EBADMSG. */
int connections_pull(const uint8_t *frame, size_t length,
		     struct connections_frame *list);
/* An IP packet without a link-layer header; its length. */
size_t connections_tickle_packet(uint8_t *packet,
				 const struct connection *connection);

#endif /* ARPD_CONNECTIONS_H */
