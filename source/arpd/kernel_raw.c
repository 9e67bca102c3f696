/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packet sockets for the unprivileged part, see kernel.h.
 *
 * Each has a filter in the kernel, locked: what is not arpd's business is not
 * even read. Protocol 0 until the filter is there: nothing comes before it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "beacon.h"
#include "kernel.h"

#define WHOLE 65535	/* bytes of what passes */

/* Offsets in a frame. */
#define ETHER_TYPE 12
#define IP 14
#define IPV4_PROTOCOL (IP + 9)
#define IPV4_FRAGMENT (IP + 6)
#define IPV6_NEXT_HEADER (IP + 6)
#define IPV6_HOP_LIMIT (IP + 7)
#define ICMPV6_TYPE (IP + 40)

#define LOAD_BYTE(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (at))
#define LOAD_HALF(at) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (at))
/* Go on if it is the value, else skip so many. */
#define UNLESS(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
/* Skip so many if it is the value. */
#define IF(value, skip) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)
#define PASS BPF_STMT(BPF_RET | BPF_K, WHOLE)
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)

static struct sock_filter beacon_filter[] = {
	LOAD_HALF(ETHER_TYPE),
	UNLESS(BEACON_ETHERTYPE, 1),
	PASS,
	DROP,
};

static struct sock_filter arp_filter[] = {
	LOAD_HALF(ETHER_TYPE),
	UNLESS(ETH_P_ARP, 1),
	PASS,
	DROP,
};

static struct sock_filter nd_filter[] = {
	LOAD_HALF(ETHER_TYPE),
	UNLESS(ETH_P_IPV6, 8),
	LOAD_BYTE(IPV6_NEXT_HEADER),
	UNLESS(IPPROTO_ICMPV6, 6),
	/* 255: no router has passed it on (RFC 4861). */
	LOAD_BYTE(IPV6_HOP_LIMIT),
	UNLESS(255, 4),
	LOAD_BYTE(ICMPV6_TYPE),
	IF(135, 1),
	UNLESS(136, 1),
	PASS,
	DROP,
};

static struct sock_filter netbios_filter[] = {
	LOAD_BYTE(SKF_AD_OFF + SKF_AD_PKTTYPE),
	UNLESS(PACKET_BROADCAST, 14),
	LOAD_HALF(ETHER_TYPE),
	UNLESS(ETH_P_IP, 12),
	LOAD_BYTE(IP),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	UNLESS(0x40, 9),
	LOAD_BYTE(IPV4_PROTOCOL),
	UNLESS(IPPROTO_UDP, 7),
	/* Neither an offset nor more to come. */
	LOAD_HALF(IPV4_FRAGMENT),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 5, 0),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IP),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, IP + 2),
	IF(137, 1),
	UNLESS(138, 1),
	PASS,
	DROP,
};

#define FILTER(name) \
	name##_filter, sizeof(name##_filter) / sizeof(name##_filter[0])

static const struct {
	struct sock_filter *filter;
	uint16_t length;
	uint16_t protocol;
	uint16_t membership;	/* PACKET_MR_...; 0: none */
} kinds[RAW_KIND_END] = {
	[RAW_BEACON] = { FILTER(beacon), BEACON_ETHERTYPE,
			 PACKET_MR_MULTICAST },
	[RAW_ARP] = { FILTER(arp), ETH_P_ARP, 0 },
	/* Solicitations go to groups that depend on the address. */
	[RAW_ND] = { FILTER(nd), ETH_P_IPV6, PACKET_MR_ALLMULTI },
	[RAW_NETBIOS] = { FILTER(netbios), ETH_P_IP, 0 },
};

static int set(int fd, int level, int option, const void *value, size_t size)
{
	return setsockopt(fd, level, option, value, (socklen_t)size) == -1 ?
		errno : 0;
}

static int set_filter(int fd, enum raw_kind kind)
{
	const struct sock_fprog program = {
		.len = kinds[kind].length,
		.filter = kinds[kind].filter,
	};
	int one = 1;
	int ret = set(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		      sizeof(program));

	return ret != 0 ? ret :
		set(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof(one));
}

static int join(int fd, enum raw_kind kind, uint32_t interface)
{
	static const struct net_mac group = BEACON_GROUP;
	struct packet_mreq request = {
		.mr_ifindex = (int)interface,
		.mr_type = kinds[kind].membership,
	};

	if (request.mr_type == 0) {
		return 0;
	}
	if (request.mr_type == PACKET_MR_MULTICAST) {
		request.mr_alen = NET_MAC_SIZE;
		memcpy(request.mr_address, group.bytes, NET_MAC_SIZE);
	}
	return set(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request,
		   sizeof(request));
}

static int set_up(int fd, enum raw_kind kind, uint32_t interface)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(kinds[kind].protocol),
		.sll_ifindex = (int)interface,
	};
	int one = 1;
	int ret = set_filter(fd, kind);

	if (ret == 0) {
		ret = set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
			  sizeof(one));
	}
	if (ret == 0) {
		ret = join(fd, kind, interface);
	}
	if (ret == 0 && bind(fd, (const struct sockaddr *)&address,
			     sizeof(address)) == -1) {
		ret = errno;
	}
	return ret;
}

/* IPPROTO_RAW: the headers are ours, and nothing is ever received. */
static int open_tickle(int family, int *fd)
{
	*fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		     IPPROTO_RAW);
	return *fd == -1 ? errno : 0;
}

int kernel_open(enum raw_kind kind, uint32_t interface, int *fd)
{
	int ret;

	if (kind == RAW_TICKLE || kind == RAW_TICKLE6) {
		return open_tickle(kind == RAW_TICKLE ? AF_INET : AF_INET6,
				   fd);
	}
	*fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd == -1) {
		return errno;
	}
	ret = set_up(*fd, kind, interface);
	if (ret != 0) {
		close(*fd);
		*fd = -1;
	}
	return ret;
}
