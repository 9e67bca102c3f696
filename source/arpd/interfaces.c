/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interfaces as the kernel tells of them, see interfaces.h. */

#include <sys/socket.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <errno.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include "clock.h"
#include "interfaces.h"

#define LOCAL_MAX 256
#define SOCKET_BUFFER (1 << 20)

struct local {
	uint32_t interface;
	struct net_address address;
};

struct interfaces {
	struct nl_sock *watch;	/* what changes */
	struct nl_sock *ask;	/* what there is */
	interfaces_changed changed;
	void *private_data;
	struct interface rows[SETTINGS_INTERFACES_MAX];
	uint32_t num_rows;
	/* every address of this machine */
	struct local local[LOCAL_MAX];
	uint32_t num_local;
};

/* A reader of what the kernel sends: nothing of ours is called from within. */
static struct interface *row_by_index(struct interfaces *interfaces,
				      uint32_t index)
{
	uint32_t i;

	for (i = 0; index != 0 && i < interfaces->num_rows; i++) {
		if (interfaces->rows[i].index == index) {
			return &interfaces->rows[i];
		}
	}
	return NULL;
}

static void tell(struct interfaces *interfaces, struct interface *row,
		 enum interfaces_change change)
{
	if (interfaces->changed != NULL) {
		interfaces->changed(interfaces->private_data, row, change);
	}
}

/* -------------------------------------------------------------------- links */

static void forget(struct interfaces *interfaces, struct interface *row)
{
	row->index = 0;
	row->carrier = false;
	row->carrier_since = clock_ms();
	row->num_addresses = 0;
	tell(interfaces, row, INTERFACES_LINK);
}

/* What is read as a string or a number is one. */
static struct nla_policy link_policy[IFLA_MAX + 1] = {
	[IFLA_IFNAME] = { .type = NLA_STRING, .minlen = 1,
			  .maxlen = IFNAMSIZ },
	[IFLA_MTU] = { .type = NLA_U32 },
};

static void take_count(struct interface *row, struct nlattr *attribute)
{
	struct rtnl_link_stats64 stats;

	/* Older kernels have fewer counters. */
	if (attribute == NULL ||
	    (size_t)nla_len(attribute) <
	    offsetof(struct rtnl_link_stats64, tx_packets)) {
		return;
	}
	memset(&stats, 0, sizeof(stats));
	memcpy(&stats, nla_data(attribute),
	       (size_t)nla_len(attribute) < sizeof(stats) ?
	       (size_t)nla_len(attribute) : sizeof(stats));
	if (stats.rx_packets != row->received) {
		row->received = stats.rx_packets;
		row->received_at = clock_ms();
	}
}

static void take_link(struct interfaces *interfaces, struct nlmsghdr *header)
{
	const struct ifinfomsg *info = nlmsg_data(header);
	bool gone = header->nlmsg_type == RTM_DELLINK;
	struct nlattr *tb[IFLA_MAX + 1];
	struct interface *row;
	const char *name;
	bool carrier;
	uint32_t i;

	if (nlmsg_parse(header, sizeof(*info), tb, IFLA_MAX,
			link_policy) < 0 || tb[IFLA_IFNAME] == NULL) {
		return;
	}
	name = nla_get_string(tb[IFLA_IFNAME]);
	/* It was renamed, or went to another namespace. */
	row = row_by_index(interfaces, info->ifi_index);
	if (row != NULL && (gone || strcmp(row->name, name) != 0)) {
		forget(interfaces, row);
	}
	for (i = 0; i < interfaces->num_rows; i++) {
		if (strcmp(interfaces->rows[i].name, name) == 0) {
			break;
		}
	}
	if (gone || i == interfaces->num_rows) {
		return;
	}
	row = &interfaces->rows[i];
	take_count(row, tb[IFLA_STATS64]);
	carrier = (info->ifi_flags & IFF_UP) != 0 &&
		(info->ifi_flags & IFF_RUNNING) != 0;
	if (tb[IFLA_MTU] != NULL) {
		row->mtu = nla_get_u32(tb[IFLA_MTU]);
	}
	if (row->index == (uint32_t)info->ifi_index &&
	    row->carrier == carrier &&
	    tb[IFLA_ADDRESS] != NULL &&
	    nla_len(tb[IFLA_ADDRESS]) == NET_MAC_SIZE &&
	    memcmp(row->mac.bytes, nla_data(tb[IFLA_ADDRESS]),
		   NET_MAC_SIZE) == 0) {
		return;
	}
	if (tb[IFLA_ADDRESS] != NULL &&
	    nla_len(tb[IFLA_ADDRESS]) == NET_MAC_SIZE) {
		memcpy(row->mac.bytes, nla_data(tb[IFLA_ADDRESS]),
		       NET_MAC_SIZE);
	}
	if (row->carrier != carrier || row->index == 0) {
		row->carrier_since = clock_ms();
	}
	row->index = info->ifi_index;
	row->carrier = carrier;
	tell(interfaces, row, INTERFACES_LINK);
}

/* ---------------------------------------------------------------- addresses */

static bool read_address(struct nlmsghdr *header, struct net_address *address,
			 uint8_t *protocol)
{
	const struct ifaddrmsg *info = nlmsg_data(header);
	struct nlattr *tb[IFA_MAX + 1];
	struct nlattr *value;

	*address = (struct net_address){
		.family = info->ifa_family,
		.prefix = info->ifa_prefixlen,
	};
	if (nlmsg_parse(header, sizeof(*info), tb, IFA_MAX, NULL) < 0 ||
	    net_address_size(address) == 0 ||
	    address->prefix > net_address_bits(address)) {
		return false;
	}
	/* ADDRESS is the peer's on a point-to-point link. */
	value = tb[IFA_LOCAL] != NULL ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (value == NULL ||
	    (size_t)nla_len(value) != net_address_size(address)) {
		return false;
	}
	memcpy(address->bytes, nla_data(value), nla_len(value));
	*protocol = tb[IFA_PROTO] != NULL && nla_len(tb[IFA_PROTO]) == 1 ?
		nla_get_u8(tb[IFA_PROTO]) : 0;
	return true;
}

static void local_set(struct interfaces *interfaces, uint32_t interface,
		      const struct net_address *address, bool add)
{
	uint32_t i;

	for (i = 0; i < interfaces->num_local; i++) {
		if (interfaces->local[i].interface == interface &&
		    net_address_same(&interfaces->local[i].address, address)) {
			break;
		}
	}
	if (add && i == interfaces->num_local && i < LOCAL_MAX) {
		interfaces->local[i] = (struct local){
			.interface = interface,
			.address = *address,
		};
		interfaces->num_local++;
	} else if (!add && i < interfaces->num_local) {
		interfaces->local[i] =
			interfaces->local[--interfaces->num_local];
	}
}

static void take_address(struct interfaces *interfaces,
			 struct nlmsghdr *header)
{
	const struct ifaddrmsg *info = nlmsg_data(header);
	bool add = header->nlmsg_type == RTM_NEWADDR;
	struct net_address address;
	struct interface *row;
	uint8_t protocol;
	uint32_t i;

	if (!nlmsg_valid_hdr(header, sizeof(*info)) ||
	    !read_address(header, &address, &protocol)) {
		return;
	}
	local_set(interfaces, info->ifa_index, &address, add);
	row = row_by_index(interfaces, info->ifa_index);
	if (row == NULL) {
		return;
	}
	for (i = 0; i < row->num_addresses; i++) {
		if (net_address_same(&row->addresses[i].address, &address)) {
			break;
		}
	}
	if (add && i < row->num_addresses &&
	    row->addresses[i].protocol == protocol) {
		return;
	}
	if (add && i < INTERFACE_ADDRESSES_MAX) {
		row->addresses[i] = (struct interface_address){
			.address = address,
			.protocol = protocol,
		};
		row->num_addresses += i == row->num_addresses ? 1 : 0;
	} else if (!add && i < row->num_addresses) {
		row->addresses[i] = row->addresses[--row->num_addresses];
	} else {
		return;
	}
	tell(interfaces, row, INTERFACES_ADDRESS);
}

/* ------------------------------------------------------------------ netlink */

static void take_message(struct interfaces *interfaces,
			 struct nlmsghdr *header)
{
	switch (header->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (nlmsg_valid_hdr(header, sizeof(struct ifinfomsg))) {
			take_link(interfaces, header);
		}
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		take_address(interfaces, header);
		break;
	default:
		break;
	}
}

void interfaces_take(struct interfaces *interfaces,
		     uint8_t *data, size_t length)
{
	struct nlmsghdr *header = (struct nlmsghdr *)data;
	int left = length;

	while (nlmsg_ok(header, left)) {
		take_message(interfaces, header);
		header = nlmsg_next(header, &left);
	}
}

static int on_message(struct nl_msg *message, void *private_data)
{
	take_message(private_data, nlmsg_hdr(message));
	return NL_OK;
}

static int ask(struct interfaces *interfaces, int type)
{
	const struct rtgenmsg request = { .rtgen_family = AF_UNSPEC };
	int ret = nl_send_simple(interfaces->ask, type, NLM_F_DUMP,
				 (void *)&request, sizeof(request));

	if (ret >= 0) {
		ret = nl_recvmsgs_default(interfaces->ask);
	}
	return ret < 0 ? EIO : 0;
}

void interfaces_count(struct interfaces *interfaces)
{
	ask(interfaces, RTM_GETLINK);
}

/* Nobody is told of what is forgotten here in passing: changed() only notes
 * that something changed, and looks when all is read. */
static int ask_all(struct interfaces *interfaces)
{
	uint32_t was[SETTINGS_INTERFACES_MAX] = { 0 };
	uint32_t i;
	int ret;

	interfaces->num_local = 0;
	for (i = 0; i < interfaces->num_rows; i++) {
		was[i] = interfaces->rows[i].index;
		interfaces->rows[i].index = 0;
		interfaces->rows[i].num_addresses = 0;
	}
	ret = ask(interfaces, RTM_GETLINK);
	if (ret == 0) {
		ret = ask(interfaces, RTM_GETADDR);
	}
	for (i = 0; i < interfaces->num_rows; i++) {
		if (was[i] != 0 && interfaces->rows[i].index == 0) {
			forget(interfaces, &interfaces->rows[i]);
		}
	}
	return ret;
}

static void on_watch(struct tevent_context *ev, struct tevent_fd *fde,
		     uint16_t flags, void *private_data)
{
	struct interfaces *interfaces = private_data;
	int ret = nl_recvmsgs_default(interfaces->watch);

	/* The kernel dropped messages: we do not know what we missed. */
	if (ret == -NLE_NOMEM || ret == -NLE_DUMP_INTR) {
		ask_all(interfaces);
	}
}

static int interfaces_destructor(struct interfaces *interfaces)
{
	nl_socket_free(interfaces->watch);
	nl_socket_free(interfaces->ask);
	return 0;
}

static struct nl_sock *open_socket(struct interfaces *interfaces)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (sock == NULL) {
		return NULL;
	}
	nl_socket_disable_seq_check(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_message,
			    interfaces);
	if (nl_connect(sock, NETLINK_ROUTE) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	nl_socket_set_buffer_size(sock, SOCKET_BUFFER, 0);
	return sock;
}

int interfaces_new(TALLOC_CTX *mem_ctx,
		   struct tevent_context *ev,
		   const struct settings *settings,
		   interfaces_changed changed,
		   void *private_data,
		   struct interfaces **_interfaces)
{
	struct interfaces *interfaces = talloc_zero(mem_ctx,
						    struct interfaces);
	uint32_t i;
	int ret;

	if (interfaces == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(interfaces, interfaces_destructor);
	interfaces->num_rows = settings->num_interfaces;
	for (i = 0; i < settings->num_interfaces; i++) {
		struct interface *row = &interfaces->rows[i];

		memcpy(row->name, settings->interfaces[i].name,
		       sizeof(row->name));
		row->interconnect = settings->interfaces[i].interconnect;
	}
	interfaces->watch = open_socket(interfaces);
	interfaces->ask = open_socket(interfaces);
	/* Watch first: what changes meanwhile is read twice, not missed. */
	if (interfaces->watch == NULL || interfaces->ask == NULL ||
	    nl_socket_add_memberships(interfaces->watch, RTNLGRP_LINK,
				      RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV6_IFADDR, 0) < 0 ||
	    nl_socket_set_nonblocking(interfaces->watch) < 0 ||
	    tevent_add_fd(ev, interfaces,
			  nl_socket_get_fd(interfaces->watch), TEVENT_FD_READ,
			  on_watch, interfaces) == NULL) {
		talloc_free(interfaces);
		return EIO;
	}
	ret = ask_all(interfaces);
	if (ret != 0) {
		talloc_free(interfaces);
		return ret;
	}
	interfaces->changed = changed;
	interfaces->private_data = private_data;
	*_interfaces = interfaces;
	return 0;
}

/* ---------------------------------------------------------------- questions */

const struct interface *interfaces_list(const struct interfaces *interfaces,
					uint32_t *count)
{
	*count = interfaces->num_rows;
	return interfaces->rows;
}

const struct interface *interfaces_by_index(
	const struct interfaces *interfaces, uint32_t index)
{
	uint32_t i;

	for (i = 0; index != 0 && i < interfaces->num_rows; i++) {
		if (interfaces->rows[i].index == index) {
			return &interfaces->rows[i];
		}
	}
	return NULL;
}

const struct interface *interfaces_by_address(
	const struct interfaces *interfaces,
	const struct net_address *address)
{
	uint32_t i, j;

	for (i = 0; i < interfaces->num_rows; i++) {
		const struct interface *row = &interfaces->rows[i];

		for (j = 0; j < row->num_addresses; j++) {
			if (net_address_same(&row->addresses[j].address,
					     address)) {
				return row;
			}
		}
	}
	return NULL;
}

const struct interface *interfaces_for_address(
	const struct interfaces *interfaces,
	const struct net_address *address,
	uint8_t *prefix)
{
	uint32_t i, j;

	for (i = 0; i < interfaces->num_rows; i++) {
		const struct interface *row = &interfaces->rows[i];

		for (j = 0; !row->interconnect && j < row->num_addresses;
		     j++) {
			const struct net_address *a =
				&row->addresses[j].address;

			if (!net_address_same(a, address) &&
			    a->prefix < net_address_bits(a) &&
			    !net_address_is_link_local(a) &&
			    net_address_within(address, a)) {
				*prefix = a->prefix;
				return row;
			}
		}
	}
	return NULL;
}

bool interfaces_is_local(const struct interfaces *interfaces,
			 const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < interfaces->num_local; i++) {
		if (net_address_same(&interfaces->local[i].address,
				     address)) {
			return true;
		}
	}
	return false;
}
