/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Neighbours, routes, rules and proxies, see kernel_object.h. */

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include "kernel_object.h"

/* Less than that of the routes that addresses bring with them (256). */
#define METRIC_IPV6 1
/* Beside the kernel's own, which has none and is dead with the port. */
#define METRIC_BROADCAST 1

static int put_address(struct nl_msg *message, int type,
		       const struct net_address *address)
{
	return nla_put(message, type, (int)net_address_size(address),
		       address->bytes);
}

/* attribute NULL: none. */
static void get_address(const struct nlattr *attribute, uint8_t family,
			struct net_address *address)
{
	struct net_address found = { .family = family };

	*address = (struct net_address){ .family = 0 };
	if (attribute == NULL ||
	    (size_t)nla_len(attribute) != net_address_size(&found)) {
		return;
	}
	memcpy(found.bytes, nla_data(attribute), net_address_size(&found));
	found.prefix = net_address_bits(&found);
	*address = found;
}

static bool is_ours(const struct nlattr *attribute)
{
	return attribute != NULL && nla_len(attribute) == sizeof(uint8_t) &&
		nla_get_u8(attribute) == ARPD_PROTOCOL;
}

/* "10.0.0.5" in what follows; the mem_ctx is freed with the message. */
static const char *text(TALLOC_CTX *mem_ctx, const struct net_address *address)
{
	return net_address_print(mem_ctx, address);
}

/* -------------------------------------------------- neighbours and proxies */

static int put_neighbour_header(struct nl_msg *message,
				const struct net_address *address,
				uint32_t interface,
				uint8_t flags)
{
	const struct ndmsg header = {
		.ndm_family = address->family,
		.ndm_ifindex = (int)interface,
		.ndm_state = NUD_PERMANENT,
		.ndm_flags = flags,
	};

	return nlmsg_append(message, (void *)(uintptr_t)&header,
			    sizeof(header), NLMSG_ALIGNTO) < 0 ||
		put_address(message, NDA_DST, address) < 0 ||
		nla_put_u8(message, NDA_PROTOCOL, ARPD_PROTOCOL) < 0 ?
		ENOMEM : 0;
}

static int put_neighbour_dump(struct nl_msg *message, uint8_t family)
{
	struct ndmsg header = { .ndm_family = family };

	return nlmsg_append(message, &header, sizeof(header),
			    NLMSG_ALIGNTO) < 0 ? ENOMEM : 0;
}

static int put_proxy_dump(struct nl_msg *message, uint8_t family)
{
	struct ndmsg header = { .ndm_family = family,
				.ndm_flags = NTF_PROXY };

	return nlmsg_append(message, &header, sizeof(header),
			    NLMSG_ALIGNTO) < 0 ? ENOMEM : 0;
}

static int put_neighbour(struct nl_msg *message, const void *data)
{
	const struct kernel_neighbour *row = data;
	int ret = put_neighbour_header(message, &row->address, row->interface,
				       0);

	if (ret == 0 && nla_put(message, NDA_LLADDR, NET_MAC_SIZE,
				row->mac.bytes) < 0) {
		return ENOMEM;
	}
	return ret;
}

static int put_proxy(struct nl_msg *message, const void *data)
{
	const struct kernel_proxy *row = data;

	return put_neighbour_header(message, &row->address, row->interface,
				    NTF_PROXY);
}

static const struct ndmsg *get_neighbour_header(const struct nlmsghdr *header,
						bool is_proxy,
						struct nlattr **attributes)
{
	const struct ndmsg *ndm = nlmsg_data(header);

	if (header->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(*ndm),
			attributes, NDA_MAX, NULL) < 0 ||
	    !is_ours(attributes[NDA_PROTOCOL]) ||
	    ((ndm->ndm_flags & NTF_PROXY) != 0) != is_proxy) {
		return NULL;
	}
	return ndm;
}

static bool get_neighbour(const struct nlmsghdr *header, void *data)
{
	struct nlattr *attributes[NDA_MAX + 1];
	const struct ndmsg *ndm = get_neighbour_header(header, false,
						       attributes);
	struct kernel_neighbour *row = data;
	const struct nlattr *mac;

	if (ndm == NULL) {
		return false;
	}
	mac = attributes[NDA_LLADDR];
	get_address(attributes[NDA_DST], ndm->ndm_family, &row->address);
	row->interface = (uint32_t)ndm->ndm_ifindex;
	/* One that somebody made less than permanent is as none: all zero. */
	if (mac != NULL && nla_len(mac) == NET_MAC_SIZE &&
	    (ndm->ndm_state & NUD_PERMANENT)) {
		memcpy(row->mac.bytes, nla_data(mac), NET_MAC_SIZE);
	}
	return row->address.family != 0;
}

static bool get_proxy(const struct nlmsghdr *header, void *data)
{
	struct nlattr *attributes[NDA_MAX + 1];
	const struct ndmsg *ndm = get_neighbour_header(header, true,
						       attributes);
	struct kernel_proxy *row = data;

	if (ndm == NULL) {
		return false;
	}
	get_address(attributes[NDA_DST], ndm->ndm_family, &row->address);
	row->interface = (uint32_t)ndm->ndm_ifindex;
	return row->address.family != 0;
}

static bool same_key_neighbour(const void *a, const void *b)
{
	const struct kernel_neighbour *x = a, *y = b;

	return x->interface == y->interface &&
		net_address_same(&x->address, &y->address);
}

static bool same_neighbour(const void *a, const void *b)
{
	const struct kernel_neighbour *x = a, *y = b;

	return same_key_neighbour(a, b) && net_mac_same(&x->mac, &y->mac);
}

static bool same_proxy(const void *a, const void *b)
{
	const struct kernel_proxy *x = a, *y = b;

	return x->interface == y->interface &&
		net_address_same(&x->address, &y->address);
}

static char *print_neighbour(TALLOC_CTX *mem_ctx, const void *data)
{
	const struct kernel_neighbour *row = data;

	return talloc_asprintf(mem_ctx, "%s on interface %u",
			       text(mem_ctx, &row->address), row->interface);
}

static char *print_proxy(TALLOC_CTX *mem_ctx, const void *data)
{
	const struct kernel_proxy *row = data;

	return talloc_asprintf(mem_ctx, "%s on interface %u",
			       text(mem_ctx, &row->address), row->interface);
}

/* ------------------------------------------------------------------ routes */

static int put_route_dump(struct nl_msg *message, uint8_t family)
{
	struct rtmsg header = { .rtm_family = family };

	return nlmsg_append(message, &header, sizeof(header),
			    NLMSG_ALIGNTO) < 0 ? ENOMEM : 0;
}

/* A gateway of the other family (IPv4 by an IPv6 neighbour) is said so. */
static int put_gateway(struct nl_msg *message, const struct kernel_route *row)
{
	const struct net_address *gateway = &row->gateway;
	uint8_t via[sizeof(struct rtvia) + sizeof(gateway->bytes)];
	__kernel_sa_family_t family = gateway->family;

	if (gateway->family == row->destination.family) {
		return put_address(message, RTA_GATEWAY, gateway);
	}
	memcpy(via, &family, sizeof(family));
	memcpy(via + sizeof(family), gateway->bytes,
	       net_address_size(gateway));
	return nla_put(message, RTA_VIA,
		       (int)(sizeof(family) + net_address_size(gateway)), via);
}

static int put_route(struct nl_msg *message, const void *data)
{
	const struct kernel_route *row = data;
	bool is_direct = row->gateway.family == 0;
	bool is_ipv6 = row->destination.family == AF_INET6;
	bool is_broadcast = row->table == ARPD_BROADCAST;
	struct rtmsg header = {
		.rtm_family = row->destination.family,
		.rtm_dst_len = row->destination.prefix,
		.rtm_table = RT_TABLE_UNSPEC,	/* in an attribute */
		.rtm_protocol = ARPD_PROTOCOL,
		.rtm_scope = is_direct && !is_ipv6 ? RT_SCOPE_LINK :
			RT_SCOPE_UNIVERSE,
		.rtm_type = is_broadcast ? RTN_BROADCAST : RTN_UNICAST,
		.rtm_flags = is_direct ? 0 : RTNH_F_ONLINK,
	};
	uint32_t table = row->table == 0 ? RT_TABLE_MAIN : row->table;

	if (nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(message, RTA_TABLE, table) < 0 ||
	    nla_put_u32(message, RTA_OIF, row->interface) < 0 ||
	    (row->destination.prefix != 0 &&
	     put_address(message, RTA_DST, &row->destination) < 0) ||
	    (!is_direct && put_gateway(message, row) < 0) ||
	    (row->source.family != 0 &&
	     put_address(message, RTA_PREFSRC, &row->source) < 0) ||
	    (is_ipv6 &&
	     nla_put_u32(message, RTA_PRIORITY, METRIC_IPV6) < 0) ||
	    (is_broadcast &&
	     nla_put_u32(message, RTA_PRIORITY, METRIC_BROADCAST) < 0)) {
		return ENOMEM;
	}
	return 0;
}

static void get_gateway(struct nlattr **attributes, uint8_t family,
			struct net_address *gateway)
{
	const struct nlattr *via = attributes[RTA_VIA];
	__kernel_sa_family_t via_family;

	get_address(attributes[RTA_GATEWAY], family, gateway);
	if (via == NULL || (size_t)nla_len(via) < sizeof(via_family)) {
		return;
	}
	memcpy(&via_family, nla_data(via), sizeof(via_family));
	gateway->family = (uint8_t)via_family;
	if ((size_t)nla_len(via) - sizeof(via_family) !=
	    net_address_size(gateway)) {
		gateway->family = 0;
		return;
	}
	gateway->prefix = net_address_bits(gateway);
	memcpy(gateway->bytes,
	       (const uint8_t *)nla_data(via) + sizeof(via_family),
	       net_address_size(gateway));
}

static bool get_route(const struct nlmsghdr *header, void *data)
{
	struct nlattr *attributes[RTA_MAX + 1];
	const struct rtmsg *rtm = nlmsg_data(header);
	struct kernel_route *row = data;

	if (header->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(*rtm),
			attributes, RTA_MAX, NULL) < 0 ||
	    rtm->rtm_protocol != ARPD_PROTOCOL ||
	    (rtm->rtm_flags & RTM_F_CLONED) ||
	    attributes[RTA_TABLE] == NULL || attributes[RTA_OIF] == NULL) {
		return false;
	}
	get_address(attributes[RTA_DST], rtm->rtm_family, &row->destination);
	row->destination.family = rtm->rtm_family;
	row->destination.prefix = rtm->rtm_dst_len;
	row->table = nla_get_u32(attributes[RTA_TABLE]);
	if (row->table == RT_TABLE_MAIN) {
		row->table = 0;
	}
	row->interface = nla_get_u32(attributes[RTA_OIF]);
	get_gateway(attributes, rtm->rtm_family, &row->gateway);
	get_address(attributes[RTA_PREFSRC], rtm->rtm_family, &row->source);
	return net_address_size(&row->destination) != 0;
}

static bool same_key_route(const void *a, const void *b)
{
	const struct kernel_route *x = a, *y = b;

	return x->table == y->table &&
		x->destination.prefix == y->destination.prefix &&
		net_address_same(&x->destination, &y->destination);
}

static bool same_route(const void *a, const void *b)
{
	const struct kernel_route *x = a, *y = b;

	return same_key_route(a, b) && x->interface == y->interface &&
		net_address_same(&x->gateway, &y->gateway) &&
		net_address_same(&x->source, &y->source);
}

static char *print_route(TALLOC_CTX *mem_ctx, const void *data)
{
	const struct kernel_route *row = data;

	return talloc_asprintf(mem_ctx, "to %s by interface %u (table %u)",
			       text(mem_ctx, &row->destination),
			       row->interface, row->table);
}

/* ------------------------------------------------------------------- rules */

static int put_rule_dump(struct nl_msg *message, uint8_t family)
{
	struct fib_rule_hdr header = { .family = family };

	return nlmsg_append(message, &header, sizeof(header),
			    NLMSG_ALIGNTO) < 0 ? ENOMEM : 0;
}

static int put_rule(struct nl_msg *message, const void *data)
{
	const struct kernel_rule *row = data;
	struct fib_rule_hdr header = {
		.family = row->from.family,
		.src_len = net_address_bits(&row->from),
		.table = RT_TABLE_UNSPEC,	/* in an attribute */
		.action = FR_ACT_TO_TBL,
	};

	return nlmsg_append(message, &header, sizeof(header),
			    NLMSG_ALIGNTO) < 0 ||
		put_address(message, FRA_SRC, &row->from) < 0 ||
		nla_put_u32(message, FRA_TABLE, row->table) < 0 ||
		nla_put_u32(message, FRA_PRIORITY, ARPD_RULE_PRIORITY) < 0 ||
		nla_put_u8(message, FRA_PROTOCOL, ARPD_PROTOCOL) < 0 ?
		ENOMEM : 0;
}

static bool get_rule(const struct nlmsghdr *header, void *data)
{
	struct nlattr *attributes[FRA_MAX + 1];
	const struct fib_rule_hdr *frh = nlmsg_data(header);
	struct kernel_rule *row = data;

	if (header->nlmsg_type != RTM_NEWRULE ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(*frh),
			attributes, FRA_MAX, NULL) < 0 ||
	    !is_ours(attributes[FRA_PROTOCOL]) ||
	    attributes[FRA_TABLE] == NULL) {
		return false;
	}
	get_address(attributes[FRA_SRC], frh->family, &row->from);
	row->table = nla_get_u32(attributes[FRA_TABLE]);
	return row->from.family != 0;
}

static bool same_rule(const void *a, const void *b)
{
	const struct kernel_rule *x = a, *y = b;

	return x->table == y->table && net_address_same(&x->from, &y->from);
}

static char *print_rule(TALLOC_CTX *mem_ctx, const void *data)
{
	const struct kernel_rule *row = data;

	return talloc_asprintf(mem_ctx, "from %s to table %u",
			       text(mem_ctx, &row->from), row->table);
}

/* ------------------------------------------------------------------- table */

#define PLACE(name, plural)						\
	offsetof(struct kernel_plan, plural),				\
	offsetof(struct kernel_plan, num_##plural),			\
	sizeof(struct kernel_##name)

const struct kernel_object kernel_objects[KERNEL_OBJECTS] = {
	/* A learned one is no obstacle. */
	{ "neighbour", PLACE(neighbour, neighbours),
	  RTM_GETNEIGH, RTM_NEWNEIGH, RTM_DELNEIGH,
	  NLM_F_CREATE | NLM_F_REPLACE, NLM_F_CREATE | NLM_F_REPLACE,
	  put_neighbour_dump, put_neighbour, get_neighbour,
	  same_key_neighbour, same_neighbour, print_neighbour, NULL },
	/* Somebody else's route of the same kind stays: EEXIST. */
	{ "route", PLACE(route, routes),
	  RTM_GETROUTE, RTM_NEWROUTE, RTM_DELROUTE,
	  NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE | NLM_F_REPLACE,
	  put_route_dump, put_route, get_route,
	  same_key_route, same_route, print_route, NULL },
	{ "rule", PLACE(rule, rules),
	  RTM_GETRULE, RTM_NEWRULE, RTM_DELRULE,
	  NLM_F_CREATE | NLM_F_EXCL, 0,
	  put_rule_dump, put_rule, get_rule,
	  same_rule, same_rule, print_rule, kernel_recheck },
	{ "proxy", PLACE(proxy, proxies),
	  RTM_GETNEIGH, RTM_NEWNEIGH, RTM_DELNEIGH,
	  NLM_F_CREATE | NLM_F_REPLACE, 0,
	  put_proxy_dump, put_proxy, get_proxy,
	  same_proxy, same_proxy, print_proxy, NULL },
};
