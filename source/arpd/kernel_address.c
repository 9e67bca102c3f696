/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses of services, see kernel.h. */

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "kernel.h"

static int put_address(struct nl_msg *message, bool add,
		       const struct net_address *address,
		       uint32_t interface)
{
	struct net_address broadcast = net_address_broadcast(address);
	struct ifaddrmsg header = {
		.ifa_family = address->family,
		.ifa_prefixlen = address->prefix,
		.ifa_index = interface,
		/* arpd has probed for a duplicate; the kernel would make
		 * clients wait a second for the same. */
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
	};
	int size = (int)net_address_size(address);

	if (nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put(message, IFA_LOCAL, size, address->bytes) < 0 ||
	    nla_put(message, IFA_ADDRESS, size, address->bytes) < 0 ||
	    nla_put_u8(message, IFA_PROTO, ARPD_PROTOCOL) < 0) {
		return ENOMEM;
	}
	if (add && address->family == AF_INET && address->prefix < 31 &&
	    nla_put(message, IFA_BROADCAST, size, broadcast.bytes) < 0) {
		return ENOMEM;
	}
	return 0;
}

int kernel_address(struct kernel *kernel, bool add,
		   const struct net_address *address, uint32_t interface)
{
	struct nl_msg *message = nlmsg_alloc_simple(
		add ? RTM_NEWADDR : RTM_DELADDR,
		add ? NLM_F_CREATE | NLM_F_EXCL : 0);

	if (message == NULL ||
	    put_address(message, add, address, interface) != 0) {
		nlmsg_free(message);
		return ENOMEM;
	}
	return kernel_talk(kernel->route, message);
}

#define FLUSH_MAX 256

struct flush {
	struct {
		struct net_address address;
		uint32_t interface;
	} rows[FLUSH_MAX];
	size_t count;
};

static void take_address(const struct nlmsghdr *header, void *private_data)
{
	struct flush *flush = private_data;
	const struct ifaddrmsg *ifa = nlmsg_data(header);
	struct nlattr *attributes[IFA_MAX + 1];
	const struct nlattr *local;
	struct net_address address = { .family = 0 };

	if (header->nlmsg_type != RTM_NEWADDR || flush->count == FLUSH_MAX ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(*ifa),
			attributes, IFA_MAX, NULL) < 0 ||
	    attributes[IFA_PROTO] == NULL ||
	    nla_get_u8(attributes[IFA_PROTO]) != ARPD_PROTOCOL) {
		return;
	}
	local = attributes[IFA_LOCAL] != NULL ? attributes[IFA_LOCAL] :
		attributes[IFA_ADDRESS];
	address.family = ifa->ifa_family;
	address.prefix = ifa->ifa_prefixlen;
	if (local == NULL || net_address_size(&address) == 0 ||
	    (size_t)nla_len(local) != net_address_size(&address)) {
		return;
	}
	memcpy(address.bytes, nla_data(local), net_address_size(&address));
	flush->rows[flush->count].address = address;
	flush->rows[flush->count].interface = ifa->ifa_index;
	flush->count++;
}

static int dump_addresses(struct kernel *kernel, struct flush *flush)
{
	int tries, ret = EINTR;

	for (tries = 0; ret == EINTR && tries < 10; tries++) {
		struct ifaddrmsg header = { .ifa_family = AF_UNSPEC };
		struct nl_msg *message = nlmsg_alloc_simple(RTM_GETADDR,
							    NLM_F_DUMP);

		if (message == NULL ||
		    nlmsg_append(message, &header, sizeof(header),
				 NLMSG_ALIGNTO) < 0) {
			nlmsg_free(message);
			return ENOMEM;
		}
		flush->count = 0;
		ret = kernel_dump(kernel->route, message, take_address, flush);
	}
	return ret;
}

int kernel_flush_addresses(struct kernel *kernel)
{
	struct flush *flush = talloc_zero(NULL, struct flush);
	int ret, first;
	size_t i;

	if (flush == NULL) {
		return ENOMEM;
	}
	first = dump_addresses(kernel, flush);
	for (i = 0; i < flush->count; i++) {
		ret = kernel_address(kernel, false, &flush->rows[i].address,
				     flush->rows[i].interface);
		if (ret != 0 && ret != EADDRNOTAVAIL && first == 0) {
			first = ret;
		}
	}
	talloc_free(flush);
	return first;
}
