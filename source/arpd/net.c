/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses, see net.h. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"

size_t net_address_size(const struct net_address *address)
{
	switch (address->family) {
	case AF_INET:
		return 4;
	case AF_INET6:
		return 16;
	default:
		return 0;
	}
}

uint8_t net_address_bits(const struct net_address *address)
{
	return 8 * net_address_size(address);
}

static bool parse(const char *text, struct net_address *address)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long prefix;
	char *end;

	if (length >= sizeof(host)) {
		return false;
	}
	memcpy(host, text, length);
	host[length] = '\0';
	address->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(address->family, host, address->bytes) != 1) {
		return false;
	}
	address->prefix = net_address_bits(address);
	if (slash == NULL) {
		return true;
	}
	if (slash[1] < '0' || slash[1] > '9') {
		return false;
	}
	prefix = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || prefix > net_address_bits(address)) {
		return false;
	}
	address->prefix = prefix;
	return true;
}

bool net_address_parse(const char *text, struct net_address *address)
{
	*address = (struct net_address){ .family = 0 };
	if (!parse(text, address)) {
		*address = (struct net_address){ .family = 0 };
		return false;
	}
	return true;
}

char *net_address_print(TALLOC_CTX *mem_ctx,
			const struct net_address *address)
{
	char host[INET6_ADDRSTRLEN];

	if (inet_ntop(address->family, address->bytes, host,
		      sizeof(host)) == NULL) {
		return talloc_strdup(mem_ctx, "none");
	}
	if (address->prefix == net_address_bits(address)) {
		return talloc_strdup(mem_ctx, host);
	}
	return talloc_asprintf(mem_ctx, "%s/%u", host, address->prefix);
}

char *net_mac_print(TALLOC_CTX *mem_ctx, const struct net_mac *mac)
{
	const uint8_t *b = mac->bytes;

	return talloc_asprintf(mem_ctx, "%02x:%02x:%02x:%02x:%02x:%02x",
			       b[0], b[1], b[2], b[3], b[4], b[5]);
}

bool net_address_same(const struct net_address *a,
		      const struct net_address *b)
{
	return a->family == b->family &&
		memcmp(a->bytes, b->bytes, net_address_size(a)) == 0;
}

bool net_address_within(const struct net_address *host,
			const struct net_address *network)
{
	size_t whole = network->prefix / 8;
	uint8_t mask = 0xff00 >> (network->prefix % 8);

	if (host->family != network->family || host->family == 0) {
		return false;
	}
	return memcmp(host->bytes, network->bytes, whole) == 0 &&
		(mask == 0 || ((host->bytes[whole] ^ network->bytes[whole]) &
			       mask) == 0);
}

bool net_address_is_link_local(const struct net_address *address)
{
	return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
		(address->bytes[1] & 0xc0) == 0x80;
}

struct net_address net_address_broadcast(const struct net_address *network)
{
	struct net_address broadcast = *network;
	uint8_t bit;

	for (bit = network->prefix; bit < 32; bit++) {
		broadcast.bytes[bit / 8] |= 0x80 >> (bit % 8);
	}
	broadcast.prefix = 32;
	return broadcast;
}

bool net_mac_same(const struct net_mac *a, const struct net_mac *b)
{
	return memcmp(a->bytes, b->bytes, NET_MAC_SIZE) == 0;
}
