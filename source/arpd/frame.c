/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ARP, neighbour messages, NetBIOS broadcasts; see frame.h (R6). */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>
#include "frame.h"

#define ETHERNET 14		/* its header */
#define ETHERNET_MIN 60		/* a frame, without its checksum */
#define TYPE_IPV4 0x0800
#define TYPE_ARP 0x0806
#define TYPE_IPV6 0x86dd
#define ARP_SIZE 28
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define IPV4_MIN 20
#define UDP_HEADER 8
#define PROTOCOL_UDP 17
#define IPV6_SIZE 40
#define PROTOCOL_ICMPV6 58
#define HOP_LIMIT 255		/* it was not forwarded (RFC 4861, 11.2) */
#define ND_SIZE 24		/* without options */
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_SOLICITED 0x40
#define ND_OVERRIDE 0x20
#define ND_SOURCE_MAC 1
#define ND_TARGET_MAC 2
#define NETBIOS_NAME 137
#define NETBIOS_DATAGRAM 138

static const struct net_mac broadcast = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
};
static const struct net_mac no_mac;
static const uint8_t zero[16];

/* ------------------------------------------------------------- the cursors */

/* A place in what is read or made. Only take() moves it. */
struct cursor {
	size_t offset;
	size_t length;
};

/* The one bounds check: size bytes at *at, or false. */
static bool take(struct cursor *cursor, size_t size, size_t *at)
{
	if (size > cursor->length - cursor->offset) {
		return false;
	}
	*at = cursor->offset;
	cursor->offset += size;
	return true;
}

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* Writers append to a frame that has room for all that they make. */
struct writer {
	uint8_t *frame;
	size_t length;
};

static void add(struct writer *writer, const void *bytes, size_t size)
{
	memcpy(writer->frame + writer->length, bytes, size);
	writer->length += size;
}

static void add8(struct writer *writer, uint8_t value)
{
	add(writer, &value, 1);
}

static void add16(struct writer *writer, uint16_t value)
{
	put16(writer->frame + writer->length, value);
	writer->length += 2;
}

static struct writer begin(uint8_t *frame, const struct net_mac *to,
			   const struct net_mac *from, uint16_t type)
{
	struct writer writer = { .frame = frame };

	memset(frame, 0, ETHERNET_MIN);
	add(&writer, to->bytes, NET_MAC_SIZE);
	add(&writer, from->bytes, NET_MAC_SIZE);
	add16(&writer, type);
	return writer;
}

static size_t end(const struct writer *writer)
{
	return writer->length < ETHERNET_MIN ? ETHERNET_MIN : writer->length;
}

/* ---------------------------------------------------------------- checksums */

/* The sum of RFC 1071, not yet inverted. */
static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t start)
{
	size_t i;

	for (i = 0; i + 1 < size; i += 2) {
		start += get16(bytes + i);
	}
	if (size % 2 != 0) {
		start += (uint32_t)bytes[size - 1] << 8;
	}
	return start;
}

static uint16_t fold(uint32_t value)
{
	while (value > 0xffff) {
		value = (value & 0xffff) + (value >> 16);
	}
	return (uint16_t)value;
}

/* Of an IPv6 packet; 0xffff if the checksum that is in it is right. */
static uint16_t icmp6_sum(const uint8_t *ip, size_t payload)
{
	return fold(sum(ip + 8, 32 + payload,
			(uint32_t)payload + PROTOCOL_ICMPV6));
}

/* ------------------------------------------------------------------- making */

static size_t make_arp(uint8_t *frame, const struct net_mac *to,
		       uint16_t operation,
		       const struct net_mac *sender, const uint8_t *sender_ip,
		       const struct net_mac *target, const uint8_t *target_ip)
{
	struct writer writer = begin(frame, to, sender, TYPE_ARP);

	add16(&writer, 1);		/* Ethernet */
	add16(&writer, TYPE_IPV4);
	add8(&writer, NET_MAC_SIZE);
	add8(&writer, 4);
	add16(&writer, operation);
	add(&writer, sender->bytes, NET_MAC_SIZE);
	add(&writer, sender_ip, 4);
	add(&writer, target->bytes, NET_MAC_SIZE);
	add(&writer, target_ip, 4);
	return end(&writer);
}

/* A group of IPv6 has its last four bytes in its MAC. */
static struct net_mac group_mac(const uint8_t group[16])
{
	struct net_mac mac = { { 0x33, 0x33 } };

	memcpy(mac.bytes + 2, group + 12, 4);
	return mac;
}

/* A neighbour message, with one option or none (0). */
static size_t make_nd(uint8_t *frame, const uint8_t *from,
		      const uint8_t group[16], uint8_t type, uint8_t flags,
		      const uint8_t *target, uint8_t option,
		      const struct net_mac *mac)
{
	struct net_mac to = group_mac(group);
	struct writer writer = begin(frame, &to, mac, TYPE_IPV6);
	size_t payload = ND_SIZE + (option != 0 ? 8 : 0);
	uint8_t *ip = frame + ETHERNET;

	add8(&writer, 6 << 4);
	add(&writer, zero, 3);
	add16(&writer, (uint16_t)payload);
	add8(&writer, PROTOCOL_ICMPV6);
	add8(&writer, HOP_LIMIT);
	add(&writer, from, 16);
	add(&writer, group, 16);
	add8(&writer, type);
	add8(&writer, 0);
	add16(&writer, 0);		/* the checksum, below */
	add8(&writer, flags);
	add(&writer, zero, 3);
	add(&writer, target, 16);
	if (option != 0) {
		add8(&writer, option);
		add8(&writer, 1);	/* of eight bytes */
		add(&writer, mac->bytes, NET_MAC_SIZE);
	}
	put16(ip + IPV6_SIZE + 2, (uint16_t)~icmp6_sum(ip, payload));
	return end(&writer);
}

size_t frame_probe(uint8_t *frame, const struct net_address *address,
		   const struct net_mac *mac)
{
	/* ff02::1:ff00:0 and the last three bytes of the address. */
	uint8_t group[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	switch (address->family) {
	case AF_INET:
		return make_arp(frame, &broadcast, ARP_REQUEST, mac, zero,
				&no_mac, address->bytes);
	case AF_INET6:
		memcpy(group + 13, address->bytes + 13, 3);
		return make_nd(frame, zero, group, ND_SOLICITATION, 0,
			       address->bytes, 0, mac);
	default:
		return 0;
	}
}

size_t frame_announcement(uint8_t *frame, const struct net_address *address,
			  const struct net_mac *mac, bool reply)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

	switch (address->family) {
	case AF_INET:
		/* Both as ctdb's arp_build() has them. */
		return make_arp(frame, &broadcast,
				reply ? ARP_REPLY : ARP_REQUEST,
				mac, address->bytes,
				reply ? mac : &no_mac, address->bytes);
	case AF_INET6:
		if (!reply) {
			return 0;
		}
		return make_nd(frame, address->bytes, all_nodes,
			       ND_ADVERTISEMENT, ND_OVERRIDE,
			       address->bytes, ND_TARGET_MAC, mac);
	default:
		return 0;
	}
}

size_t frame_unicast_probe(uint8_t *frame, const struct net_address *address,
			   const struct net_mac *to,
			   const struct net_address *source,
			   const struct net_mac *mac)
{
	if (address->family != AF_INET || source->family != AF_INET) {
		return 0;
	}
	return make_arp(frame, to, ARP_REQUEST, mac, source->bytes,
			&no_mac, address->bytes);
}

/* ------------------------------------------------------------------ reading */

static struct net_address make_address(uint8_t family, const uint8_t *bytes)
{
	struct net_address address = { .family = family };

	memcpy(address.bytes, bytes, net_address_size(&address));
	address.prefix = net_address_bits(&address);
	return address;
}

static struct net_mac make_mac(const uint8_t *bytes)
{
	struct net_mac mac;

	memcpy(mac.bytes, bytes, NET_MAC_SIZE);
	return mac;
}

static bool is_group(const struct net_address *address)
{
	return address->family == AF_INET ? address->bytes[0] >= 224 :
		address->bytes[0] == 0xff;
}

static bool is_none(const struct net_address *address)
{
	return memcmp(address->bytes, zero, net_address_size(address)) == 0;
}

/* An address and a MAC that one host can have. */
static int check_claim(const struct frame_claim *claim)
{
	if (is_none(&claim->address) || is_group(&claim->address) ||
	    net_mac_same(&claim->mac, &no_mac) ||
	    (claim->mac.bytes[0] & 1) != 0) {
		return EBADMSG;
	}
	return 0;
}

static int read_arp(const uint8_t *frame, struct cursor *cursor,
		    struct frame_claim *claim)
{
	/* Ethernet, IPv4, their sizes. */
	static const uint8_t head[] = { 0, 1, 8, 0, NET_MAC_SIZE, 4 };
	struct net_address sender;
	const uint8_t *arp;
	uint16_t operation;
	size_t at;

	if (!take(cursor, ARP_SIZE, &at)) {
		return EBADMSG;
	}
	arp = frame + at;
	operation = get16(arp + 6);
	if (memcmp(arp, head, sizeof(head)) != 0 ||
	    (operation != ARP_REQUEST && operation != ARP_REPLY)) {
		return EBADMSG;
	}
	sender = make_address(AF_INET, arp + 14);
	claim->mac = make_mac(arp + 8);
	claim->is_probe = operation == ARP_REQUEST && is_none(&sender);
	claim->is_claim = !claim->is_probe;
	claim->address = claim->is_probe ? make_address(AF_INET, arp + 24) :
		sender;
	return check_claim(claim);
}

/* The MAC in the options, of that kind; none: *mac stays. False: malformed. */
static bool read_options(const uint8_t *frame, struct cursor *cursor,
			 uint8_t kind, bool *found, struct net_mac *mac)
{
	*found = false;
	while (cursor->offset != cursor->length) {
		size_t at;
		size_t rest;

		if (!take(cursor, 8, &at) || frame[at + 1] == 0 ||
		    !take(cursor, ((size_t)frame[at + 1] - 1) * 8, &rest)) {
			return false;
		}
		if (frame[at] != kind) {
			continue;
		}
		if (frame[at + 1] != 1 || *found) {
			return false;
		}
		*mac = make_mac(frame + at + 2);
		*found = true;
	}
	return true;
}

static int read_solicitation(const uint8_t *frame, struct cursor *cursor,
			     const struct net_address *source,
			     const struct net_address *target,
			     struct frame_claim *claim)
{
	bool found;

	if (!read_options(frame, cursor, ND_SOURCE_MAC, &found, &claim->mac)) {
		return EBADMSG;
	}
	claim->is_probe = is_none(source);
	claim->is_claim = found;
	/* A probe with a MAC would claim ::, which check_claim() refuses. */
	claim->address = found ? *source : *target;
	return 0;
}

static int read_advertisement(const uint8_t *frame, struct cursor *cursor,
			      const struct net_address *target,
			      struct frame_claim *claim)
{
	bool found;

	if (!read_options(frame, cursor, ND_TARGET_MAC, &found, &claim->mac)) {
		return EBADMSG;
	}
	claim->is_probe = false;
	claim->is_claim = true;
	claim->address = *target;
	return 0;
}

static int read_nd(const uint8_t *frame, struct cursor *cursor,
		   struct frame_claim *claim)
{
	struct net_address source;
	struct net_address target;
	struct cursor inside;
	const uint8_t *ip;
	const uint8_t *nd;
	size_t payload;
	size_t at;
	int ret;

	if (!take(cursor, IPV6_SIZE, &at)) {
		return EBADMSG;
	}
	ip = frame + at;
	payload = get16(ip + 4);
	if (ip[0] >> 4 != 6 || ip[6] != PROTOCOL_ICMPV6 ||
	    ip[7] != HOP_LIMIT || payload < ND_SIZE ||
	    !take(cursor, payload, &at) ||
	    icmp6_sum(ip, payload) != 0xffff) {
		return EBADMSG;
	}
	nd = frame + at;
	source = make_address(AF_INET6, ip + 8);
	target = make_address(AF_INET6, nd + 8);
	if (nd[1] != 0 || is_group(&source) || is_group(&target)) {
		return EBADMSG;
	}
	/* If there is none inside: who sent the frame. */
	claim->mac = make_mac(frame + NET_MAC_SIZE);
	inside = (struct cursor){ .offset = at + ND_SIZE,
				  .length = at + payload };
	switch (nd[0]) {
	case ND_SOLICITATION:
		ret = read_solicitation(frame, &inside, &source, &target,
					claim);
		break;
	case ND_ADVERTISEMENT:
		/* To all, it cannot be an answer (RFC 4861, 7.1.2). */
		if (ip[24] == 0xff && (nd[4] & ND_SOLICITED) != 0) {
			return EBADMSG;
		}
		ret = read_advertisement(frame, &inside, &target, claim);
		break;
	default:
		return EBADMSG;
	}
	return ret != 0 ? ret : check_claim(claim);
}

int frame_read_claim(const uint8_t *frame, size_t length,
		     struct frame_claim *claim)
{
	struct cursor cursor = { .offset = 0, .length = length };
	size_t at;

	*claim = (struct frame_claim){ .is_claim = false };
	if (!take(&cursor, ETHERNET, &at)) {
		return EBADMSG;
	}
	switch (get16(frame + 12)) {
	case TYPE_ARP:
		return read_arp(frame, &cursor, claim);
	case TYPE_IPV6:
		return read_nd(frame, &cursor, claim);
	default:
		return EBADMSG;
	}
}

/* ------------------------------------------------------------------ NetBIOS */

/* Where the UDP header is, and how long it says that it is with its data. */
static int find_udp(const uint8_t *frame, size_t length,
		    size_t *udp, size_t *udp_length)
{
	struct cursor cursor = { .offset = 0, .length = length };
	const uint8_t *ip;
	size_t header;
	size_t total;
	size_t at;

	if (!take(&cursor, ETHERNET, &at) ||
	    get16(frame + 12) != TYPE_IPV4 ||
	    !take(&cursor, IPV4_MIN, &at)) {
		return EBADMSG;
	}
	ip = frame + at;
	header = (size_t)(ip[0] & 0x0f) * 4;
	total = get16(ip + 2);
	/* 0x3fff: not the first piece of several, nor another one. */
	if (ip[0] >> 4 != 4 || header < IPV4_MIN || total < header ||
	    ip[9] != PROTOCOL_UDP || (get16(ip + 6) & 0x3fff) != 0 ||
	    !take(&cursor, header - IPV4_MIN, &at) ||
	    fold(sum(ip, header, 0)) != 0xffff) {
		return EBADMSG;
	}
	*udp = cursor.offset;
	if (total - header > cursor.length - cursor.offset) {
		return EBADMSG;
	}
	cursor.length = cursor.offset + total - header;
	if (!take(&cursor, UDP_HEADER, &at)) {
		return EBADMSG;
	}
	*udp_length = get16(frame + at + 4);
	if (*udp_length < UDP_HEADER ||
	    !take(&cursor, *udp_length - UDP_HEADER, &at)) {
		return EBADMSG;
	}
	return 0;
}

int frame_read_netbios(const uint8_t *frame, size_t length,
		       struct net_address *source,
		       struct net_address *destination)
{
	size_t udp_length;
	uint16_t port;
	size_t udp;

	if (find_udp(frame, length, &udp, &udp_length) != 0 ||
	    memcmp(frame, broadcast.bytes, NET_MAC_SIZE) != 0) {
		return EBADMSG;
	}
	port = get16(frame + udp + 2);
	*source = make_address(AF_INET, frame + ETHERNET + 12);
	*destination = make_address(AF_INET, frame + ETHERNET + 16);
	if ((port != NETBIOS_NAME && port != NETBIOS_DATAGRAM) ||
	    is_none(source) || is_group(source)) {
		return EBADMSG;
	}
	return 0;
}

/*
 * What a packet socket sees of a sender on the same machine has only the sum
 * of the pseudo header in it: the hardware was to do the rest.
 */
static void complete_checksum(uint8_t *frame, size_t length)
{
	uint32_t pseudo;
	size_t size;
	size_t udp;
	uint16_t value;

	if (find_udp(frame, length, &udp, &size) != 0) {
		return;
	}
	pseudo = sum(frame + ETHERNET + 12, 8, PROTOCOL_UDP + (uint32_t)size);
	if (get16(frame + udp + 6) != fold(pseudo) ||
	    fold(sum(frame + udp, size, pseudo)) == 0xffff) {
		return;
	}
	value = (uint16_t)~fold(sum(frame + udp, size, 0));
	/* 0 would mean that there is none. */
	put16(frame + udp + 6, value != 0 ? value : 0xffff);
}

size_t frame_relay(uint8_t *frame, const uint8_t *received, size_t length,
		   const struct net_mac *to, const struct net_mac *from)
{
	if (length < ETHERNET || length > FRAME_MAX) {
		return 0;
	}
	memcpy(frame, received, length);
	memcpy(frame, to->bytes, NET_MAC_SIZE);
	memcpy(frame + NET_MAC_SIZE, from->bytes, NET_MAC_SIZE);
	complete_checksum(frame, length);
	return length;
}
