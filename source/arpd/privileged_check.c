/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * May the unprivileged part ask for this? See privileged_protocol.h.
 *
 * It reads what anybody on the network sends, so it may be somebody else's
 * one day. What it can do then is bounded here: only on the interfaces of the
 * settings, only for addresses of nodes and services. (With its packet sockets
 * it can lie to these networks anyway, as every machine on them can.)
 */

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include "privileged_protocol.h"

#define NETWORKS_MAX 64

struct check {
	const struct settings *settings;
	uint32_t indexes[SETTINGS_INTERFACES_MAX];	/* 0: not there */
	/* of the client interfaces, as they are now */
	struct net_address networks[NETWORKS_MAX];
	uint32_t num_networks;
};

static bool is_client(const struct settings *settings, const char *name)
{
	uint32_t i;

	for (i = 0; i < settings->num_interfaces; i++) {
		if (strcmp(settings->interfaces[i].name, name) == 0) {
			return !settings->interfaces[i].interconnect;
		}
	}
	return false;
}

static uint8_t mask_bits(const uint8_t *mask, size_t size)
{
	uint8_t bits = 0;

	while (bits < 8 * size && (mask[bits / 8] & (0x80 >> (bits % 8)))) {
		bits++;
	}
	return bits;
}

static void take_network(struct check *check, const struct ifaddrs *entry)
{
	struct net_address *network = &check->networks[check->num_networks];
	const void *address, *mask;

	if (entry->ifa_addr == NULL || entry->ifa_netmask == NULL ||
	    check->num_networks == NETWORKS_MAX ||
	    !is_client(check->settings, entry->ifa_name)) {
		return;
	}
	*network = (struct net_address){
		.family = entry->ifa_addr->sa_family,
	};
	if (network->family == AF_INET) {
		address = &((struct sockaddr_in *)entry->ifa_addr)->sin_addr;
		mask = &((struct sockaddr_in *)entry->ifa_netmask)->sin_addr;
	} else if (network->family == AF_INET6) {
		address = &((struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr;
		mask = &((struct sockaddr_in6 *)entry->ifa_netmask)->sin6_addr;
	} else {
		return;
	}
	memcpy(network->bytes, address, net_address_size(network));
	network->prefix = mask_bits(mask, net_address_size(network));
	if (network->prefix != 0 && !net_address_is_link_local(network)) {
		check->num_networks++;
	}
}

static void check_init(struct check *check, const struct settings *settings)
{
	struct ifaddrs *list = NULL;
	const struct ifaddrs *entry;
	uint32_t i;

	*check = (struct check){ .settings = settings };
	for (i = 0; i < settings->num_interfaces; i++) {
		check->indexes[i] =
			if_nametoindex(settings->interfaces[i].name);
	}
	if (getifaddrs(&list) != 0) {
		return;
	}
	for (entry = list; entry != NULL; entry = entry->ifa_next) {
		take_network(check, entry);
	}
	freeifaddrs(list);
}

/* -1: none of ours. */
static int interface_number(const struct check *check, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < check->settings->num_interfaces; i++) {
		if (index != 0 && check->indexes[i] == index) {
			return (int)i;
		}
	}
	return -1;
}

static int check_interface(const struct check *check, uint32_t index)
{
	char name[IF_NAMESIZE];

	if (interface_number(check, index) != -1) {
		return 0;
	}
	return index != 0 && if_indextoname(index, name) == NULL ?
		ENODEV : EPERM;
}

/* The address of one machine, that can be on a wire. */
static int check_host(const struct net_address *address)
{
	const uint8_t *b = address->bytes;
	static const uint8_t zero[15];

	if (net_address_size(address) == 0 ||
	    address->prefix > net_address_bits(address)) {
		return EINVAL;
	}
	if (address->family == AF_INET) {
		return b[0] == 0 || b[0] == 127 || b[0] >= 224 ? EPERM : 0;
	}
	/* multicast; ::, ::1 and others that stand for none */
	return b[0] == 0xff || memcmp(b, zero, 10) == 0 ? EPERM : 0;
}

static bool is_node(const struct settings *settings,
		    const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < settings->num_nodes; i++) {
		if (net_address_same(&settings->nodes[i], address)) {
			return true;
		}
	}
	return false;
}

/* A service has more addresses than the one that ctdb places, but they are in
 * the networks of clients. */
static int check_service(const struct check *check,
			 const struct net_address *address)
{
	const struct settings *settings = check->settings;
	int ret = check_host(address);
	uint32_t i;

	if (ret != 0) {
		return ret;
	}
	for (i = 0; i < settings->num_addresses; i++) {
		if (net_address_within(address, &settings->addresses[i])) {
			return 0;
		}
	}
	for (i = 0; i < check->num_networks; i++) {
		if (net_address_within(address, &check->networks[i])) {
			return 0;
		}
	}
	return EPERM;
}

static int check_ours(const struct check *check,
		      const struct net_address *address)
{
	int ret = check_host(address);

	if (ret != 0) {
		return ret;
	}
	return is_node(check->settings, address) ? 0 :
		check_service(check, address);
}

static bool is_our_table(uint32_t table)
{
	return table >= ARPD_TABLE && table < ARPD_TABLE + SETTINGS_NODES_MAX;
}

/* ------------------------------------------------------------- plan's rows */

static int check_neighbour(const struct check *check, const void *data)
{
	const struct kernel_neighbour *row = data;
	int ret = check_host(&row->address);

	if (ret == 0 && (row->mac.bytes[0] & 1)) {
		return EINVAL;
	}
	return ret != 0 ? ret : check_interface(check, row->interface);
}

static bool host_bits_are_zero(const struct net_address *network)
{
	uint32_t bit;

	for (bit = network->prefix; bit < net_address_bits(network); bit++) {
		if (network->bytes[bit / 8] & (0x80 >> (bit % 8))) {
			return false;
		}
	}
	return true;
}

static int check_destination(const struct check *check,
			     const struct kernel_route *row)
{
	const struct net_address *destination = &row->destination;

	if (row->table == 0) {
		/* What everybody uses: single hosts of ours only. */
		return destination->prefix != net_address_bits(destination) ?
			EPERM : check_ours(check, destination);
	}
	if (row->table == ARPD_BROADCAST) {
		return destination->family != AF_INET ||
			destination->prefix != net_address_bits(destination) ||
			row->gateway.family != 0 ? EINVAL :
			check_ours(check, destination);
	}
	if (!is_our_table(row->table)) {
		return EPERM;
	}
	return net_address_size(destination) == 0 ||
		destination->prefix > net_address_bits(destination) ||
		!host_bits_are_zero(destination) ? EINVAL : 0;
}

static int check_route(const struct check *check, const void *data)
{
	const struct kernel_route *row = data;
	int ret = check_destination(check, row);

	if (ret == 0 && row->gateway.family != 0) {
		ret = check_host(&row->gateway);
	}
	if (ret == 0 && row->source.family != 0) {
		ret = row->source.family != row->destination.family ? EINVAL :
			check_ours(check, &row->source);
	}
	return ret != 0 ? ret : check_interface(check, row->interface);
}

static int check_rule(const struct check *check, const void *data)
{
	const struct kernel_rule *row = data;

	return !is_our_table(row->table) ? EPERM :
		check_ours(check, &row->from);
}

static int check_proxy(const struct check *check, const void *data)
{
	const struct kernel_proxy *row = data;
	int ret = check_service(check, &row->address);

	return ret != 0 ? ret : check_interface(check, row->interface);
}

static int check_forward(const struct check *check, const void *data)
{
	const struct kernel_forward *row = data;
	int ret = check_service(check, &row->address);

	if (ret == 0) {
		ret = check_interface(check, row->outside);
	}
	return ret != 0 ? ret : check_interface(check, row->inside);
}

static int check_silence(const struct check *check, const void *data)
{
	const struct kernel_silence *row = data;
	int ret = check_service(check, &row->address);

	return ret != 0 ? ret : check_interface(check, row->interface);
}

static int check_double(const struct check *check, const void *data)
{
	const struct kernel_double *row = data;
	int ret = check_service(check, &row->address);

	if (ret == 0) {
		ret = check_host(&row->gateway);
	}
	if (ret == 0 && row->gateway.family != row->address.family) {
		ret = EINVAL;
	}
	if (ret == 0) {
		ret = check_interface(check, row->interface);
	}
	return ret != 0 ? ret : check_interface(check, row->other);
}

static const struct {
	int (*check)(const struct check *check, const void *row);
	size_t rows;
	size_t size;
	size_t count;
} kinds[] = {
#define KIND(name, plural)						\
	{ check_##name, offsetof(struct kernel_plan, plural),		\
	  sizeof(struct kernel_##name),					\
	  offsetof(struct kernel_plan, num_##plural) }
	KIND(neighbour, neighbours),
	KIND(route, routes),
	KIND(rule, rules),
	KIND(proxy, proxies),
	KIND(forward, forwards),
	KIND(silence, silences),
	KIND(double, doubles),
#undef KIND
};

/* ---------------------------------------------------------------- requests */

static int check_apply(const struct check *check, const union request *request)
{
	const uint8_t *plan = (const uint8_t *)&request->apply.plan;
	size_t i, j;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t count;

		memcpy(&count, plan + kinds[i].count, sizeof(count));
		if (count > KERNEL_ROWS_MAX) {
			return EINVAL;
		}
		for (j = 0; j < count; j++) {
			int ret = kinds[i].check(check, plan + kinds[i].rows +
						 j * kinds[i].size);

			if (ret != 0) {
				return ret;
			}
		}
	}
	return 0;
}

static int check_open(const struct check *check, const union request *request)
{
	switch (request->open.raw_kind) {
	case RAW_BEACON:
	case RAW_ARP:
	case RAW_ND:
	case RAW_NETBIOS:
		return check_interface(check, request->open.interface);
	case RAW_TICKLE:
	case RAW_TICKLE6:
		return request->open.interface == 0 ? 0 : EINVAL;
	default:
		return EINVAL;
	}
}

static int check_address(const struct check *check,
			 const union request *request)
{
	const struct request_address *r = &request->address;
	int number = interface_number(check, r->interface);
	int ret = check_interface(check, r->interface);

	if (ret != 0) {
		return ret;
	}
	if (r->add > 1 || r->address.prefix == 0) {
		return EINVAL;
	}
	if (check->settings->interfaces[number].interconnect ||
	    is_node(check->settings, &r->address)) {
		return EPERM;
	}
	return check_service(check, &r->address);
}

static int check_node(const struct check *check, const union request *request)
{
	uint32_t node = request->node.node;

	return node >= check->settings->num_nodes ||
		node >= SETTINGS_NODES_MAX ||
		net_address_size(&check->settings->nodes[node]) == 0 ?
		EPERM : 0;
}

static const struct {
	size_t size;
	int (*check)(const struct check *check, const union request *request);
} requests[REQUEST_KIND_END] = {
	[REQUEST_APPLY] = { sizeof(struct request_apply), check_apply },
	[REQUEST_OPEN] = { sizeof(struct request_open), check_open },
	[REQUEST_ADDRESS] = { sizeof(struct request_address), check_address },
	[REQUEST_DISCONNECT] = { sizeof(struct request_node), check_node },
	[REQUEST_DEATH] = { sizeof(struct request_node), check_node },
};

int request_check(const struct settings *settings,
		  const union request *request,
		  size_t size)
{
	struct check check;

	if (size < sizeof(request->kind) ||
	    request->kind >= REQUEST_KIND_END ||
	    size != requests[request->kind].size) {
		return EINVAL;
	}
	check_init(&check, settings);
	return requests[request->kind].check(&check, request);
}
