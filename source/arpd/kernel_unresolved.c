/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Neighbours that the kernel asks for in vain, see kernel.h.
 *
 * It asks again a second after the last question, and gives up after three;
 * and as long as a packet waits for that, TCP does not send it again, by no
 * other way either. What is forgotten is asked for with the next packet.
 */

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <errno.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "kernel.h"

#define UNRESOLVED_MAX 1024	/* more are asked for in their time */

struct unresolved {
	uint32_t interface;
	struct net_address rows[UNRESOLVED_MAX];
	uint32_t count;
};

static void found(const struct nlmsghdr *header, void *private_data)
{
	struct unresolved *unresolved = private_data;
	const struct ndmsg *ndm = nlmsg_data(header);
	struct nlattr *attributes[NDA_MAX + 1];
	struct net_address *row = &unresolved->rows[unresolved->count];
	const struct nlattr *address;

	if (header->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)header, sizeof(*ndm),
			attributes, NDA_MAX, NULL) < 0 ||
	    ndm->ndm_ifindex != (int)unresolved->interface ||
	    (ndm->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) == 0 ||
	    unresolved->count == UNRESOLVED_MAX) {
		return;
	}
	address = attributes[NDA_DST];
	*row = (struct net_address){ .family = ndm->ndm_family };
	if (address == NULL || net_address_size(row) == 0 ||
	    (size_t)nla_len(address) != net_address_size(row)) {
		return;
	}
	memcpy(row->bytes, nla_data(address), net_address_size(row));
	unresolved->count++;
}

static struct nl_msg *message(int type, int flags, uint8_t family,
			      uint32_t interface)
{
	const struct ndmsg header = {
		.ndm_family = family,
		.ndm_ifindex = (int)interface,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg != NULL && nlmsg_append(msg, (void *)(uintptr_t)&header,
					sizeof(header), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static void forget(struct kernel *kernel, uint32_t interface,
		   const struct net_address *address)
{
	struct nl_msg *msg = message(RTM_DELNEIGH, 0, address->family,
				     interface);

	if (msg != NULL &&
	    nla_put(msg, NDA_DST, (int)net_address_size(address),
		    address->bytes) == 0) {
		/* It may be resolved, or gone, in this moment. */
		kernel_talk(kernel->route, msg);
	} else {
		nlmsg_free(msg);
	}
}

int kernel_forget_unresolved(struct kernel *kernel, uint32_t interface)
{
	struct unresolved *unresolved = talloc_zero(NULL, struct unresolved);
	uint32_t i;
	int ret;

	if (unresolved == NULL) {
		return ENOMEM;
	}
	unresolved->interface = interface;
	ret = kernel_dump(kernel->route,
			  message(RTM_GETNEIGH, NLM_F_DUMP, AF_UNSPEC, 0),
			  found, unresolved);
	for (i = 0; i < unresolved->count; i++) {
		forget(kernel, interface, &unresolved->rows[i]);
	}
	talloc_free(unresolved);
	return ret == EINTR ? 0 : ret;
}
