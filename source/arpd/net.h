/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses, as all parts of arpd know them.
 *
 * Owns: parsing, printing, comparing.
 * Does not own: where they are (interfaces.h), who has them (peers.h).
 */

#ifndef ARPD_NET_H
#define ARPD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define NET_MAC_SIZE 6
#define NET_NAME_SIZE 16	/* of an interface, IFNAMSIZ */
#define NET_NOBODY UINT32_MAX	/* no node */

/* Marks all that arpd adds: routes, rules, neighbours (RTPROT_*) and
 * addresses (IFA_PROTO). */
#define ARPD_PROTOCOL 67

struct net_address {
	uint8_t family;		/* AF_INET, AF_INET6; 0: none */
	uint8_t prefix;		/* bits */
	uint8_t bytes[16];	/* network order; IPv4: the first four */
};

struct net_mac {
	uint8_t bytes[NET_MAC_SIZE];
};

/* "10.0.0.5/24"; without a prefix: all bits. */
bool net_address_parse(const char *text, struct net_address *address);
/* With the prefix only if it is not all bits. Child of mem_ctx. */
char *net_address_print(TALLOC_CTX *mem_ctx,
			const struct net_address *address);
char *net_mac_print(TALLOC_CTX *mem_ctx, const struct net_mac *mac);

/* 4, 16, or 0. */
size_t net_address_size(const struct net_address *address);
uint8_t net_address_bits(const struct net_address *address);
/* The same host; prefixes do not count. */
bool net_address_same(const struct net_address *a,
		      const struct net_address *b);
/* Is the host in the network that network's prefix makes? */
bool net_address_within(const struct net_address *host,
			const struct net_address *network);
bool net_address_is_link_local(const struct net_address *address);
/* All bits of the host part set; IPv4 only. */
struct net_address net_address_broadcast(const struct net_address *network);

bool net_mac_same(const struct net_mac *a, const struct net_mac *b);

#endif /* ARPD_NET_H */
