/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections over IPv6 look for their route again, see kernel_object.h.
 *
 * A socket keeps its route until that route's part of its table changes. For
 * IPv4 a rule that comes or goes counts as such a change, for IPv6 it does not:
 * a connection would go on by the dead port until the kernel has asked in vain
 * for three seconds where the client is. A host route below all others of a
 * table, for a moment, makes all look again. Nobody uses it: its destination
 * is an address of this node.
 */

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "kernel_object.h"

static struct nl_msg *host_route(int type, int flags,
				 const struct net_address *address,
				 uint32_t table, uint32_t interface)
{
	const struct rtmsg header = {
		.rtm_family = AF_INET6,
		.rtm_dst_len = 128,
		.rtm_table = RT_TABLE_UNSPEC,
		.rtm_protocol = ARPD_PROTOCOL,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg != NULL &&
	    (nlmsg_append(msg, (void *)(uintptr_t)&header, sizeof(header),
			  NLMSG_ALIGNTO) < 0 ||
	     nla_put_u32(msg, RTA_TABLE, table) < 0 ||
	     nla_put_u32(msg, RTA_OIF, interface) < 0 ||
	     nla_put(msg, RTA_DST, 16, address->bytes) < 0)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* In vain: they find it out in three seconds. */
static void touch(struct kernel *kernel, const struct net_address *address,
		 uint32_t table)
{
	uint32_t lo = if_nametoindex("lo");

	if (kernel_talk(kernel->route, host_route(
			RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, address,
			table, lo)) == 0) {
		kernel_talk(kernel->route, host_route(RTM_DELROUTE, 0,
						      address, table, lo));
	}
}

void kernel_recheck(struct kernel *kernel, const void *data)
{
	const struct kernel_rule *rule = data;

	if (rule->from.family == AF_INET6) {
		touch(kernel, &rule->from, RT_TABLE_MAIN);
		touch(kernel, &rule->from, rule->table);
	}
}
