/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as what the kernel tells of links and addresses: nothing is read
 * that is not there, and what is kept stays within its bounds.
 */

#include <sys/socket.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include "fuzz_arpd.h"
#include "interfaces.h"

static struct interfaces *interfaces;

static void changed(void *private_data, const struct interface *interface,
		    enum interfaces_change change)
{
	FUZZ_CHECK(interface->num_addresses <= INTERFACE_ADDRESSES_MAX);
}

static void start(void)
{
	static struct settings settings = {
		.interfaces = { { "lan0", false }, { "ic", true } },
		.num_interfaces = 2,
	};
	struct tevent_context *ev = tevent_context_init(NULL);

	FUZZ_CHECK(interfaces_new(ev, ev, &settings, changed, NULL,
				  &interfaces) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct interface *rows;
	uint8_t *copy = malloc(size + 1);
	uint32_t count, i, j;

	if (interfaces == NULL) {
		start();
	}
	FUZZ_CHECK(copy != NULL);
	memcpy(copy, bytes, size);
	interfaces_take(interfaces, copy, size);
	free(copy);
	rows = interfaces_list(interfaces, &count);
	FUZZ_CHECK(count == 2);
	for (i = 0; i < count; i++) {
		FUZZ_CHECK(rows[i].num_addresses <= INTERFACE_ADDRESSES_MAX);
		for (j = 0; j < rows[i].num_addresses; j++) {
			const struct net_address *address =
				&rows[i].addresses[j].address;

			FUZZ_CHECK(net_address_size(address) != 0);
			FUZZ_CHECK(address->prefix <=
				   net_address_bits(address));
		}
	}
	return 0;
}

/* Messages with the right lengths, so that what is in them is reached. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max_size,
			       unsigned int seed)
{
	static const uint16_t types[] = {
		RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR,
	};
	struct nlmsghdr header;
	uint64_t random = seed | 1;

	size = LLVMFuzzerMutate(bytes, size, max_size);
	if (size < sizeof(header) + sizeof(struct ifinfomsg) + 8 ||
	    fuzz_random(&random, 8) == 0) {
		return size;
	}
	memset(&header, 0, sizeof(header));
	header.nlmsg_len = size;
	header.nlmsg_type = types[fuzz_random(&random, 4)];
	memcpy(bytes, &header, sizeof(header));
	if (header.nlmsg_type == RTM_NEWLINK && size >= 44 &&
	    fuzz_random(&random, 2) == 0) {
		const struct rtattr name = { 9, IFLA_IFNAME };

		memcpy(bytes + 32, &name, sizeof(name));
		memcpy(bytes + 36, "lan0", 5);
	}
	return size;
}
