/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ctdb's TCP connections to a node that is silent are destroyed, see kernel.h.
 *
 * ctdbd then knows within milliseconds what its keepalive would tell it after
 * seconds; if the node lives, it connects again at once.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <string.h>
#include "kernel.h"

#define CTDB_PORT 4379
#define DESTROY_MAX 256

/* Of the kernel's include/net/tcp_states.h */
#define STATE_BIT(state) (1U << (state))
#define STATES (~(STATE_BIT(TCP_LISTEN) | STATE_BIT(TCP_CLOSE) | \
		  STATE_BIT(TCP_TIME_WAIT)))

struct search {
	const struct settings *settings;
	const struct net_address *remote;
	struct inet_diag_req_v2 found[DESTROY_MAX];
	size_t count;
};

/* ::ffff:10.0.0.1 is an IPv4 address. */
static struct net_address read_address(uint8_t family, const void *data)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct net_address address = { .family = family };

	if (family == AF_INET6 && memcmp(data, mapped, 12) == 0) {
		address.family = AF_INET;
		data = (const uint8_t *)data + 12;
	}
	memcpy(address.bytes, data, net_address_size(&address));
	address.prefix = net_address_bits(&address);
	return address;
}

static bool is_identity(const struct settings *settings,
			const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < settings->num_nodes; i++) {
		if (settings->nodes[i].family != 0 &&
		    net_address_same(&settings->nodes[i], address)) {
			return true;
		}
	}
	return false;
}

static void take_connection(const struct nlmsghdr *header, void *private_data)
{
	struct search *search = private_data;
	const struct inet_diag_msg *diag = nlmsg_data(header);
	struct net_address local, remote;

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    !nlmsg_valid_hdr(header, sizeof(*diag)) ||
	    (diag->idiag_family != AF_INET &&
	     diag->idiag_family != AF_INET6) ||
	    (diag->id.idiag_sport != htons(CTDB_PORT) &&
	     diag->id.idiag_dport != htons(CTDB_PORT)) ||
	    search->count == DESTROY_MAX) {
		return;
	}
	local = read_address(diag->idiag_family, diag->id.idiag_src);
	remote = read_address(diag->idiag_family, diag->id.idiag_dst);
	if (net_address_same(&remote, search->remote) &&
	    is_identity(search->settings, &local)) {
		search->found[search->count++] = (struct inet_diag_req_v2){
			.sdiag_family = diag->idiag_family,
			.sdiag_protocol = IPPROTO_TCP,
			.id = diag->id,
		};
	}
}

static struct nl_msg *diag_message(int type, int flags,
				   const struct inet_diag_req_v2 *request)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);

	if (message == NULL ||
	    nlmsg_append(message, (void *)(uintptr_t)request,
			 sizeof(*request), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

static int find(struct nl_sock *sock, struct search *search, uint8_t family)
{
	const struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = STATES,
	};
	/* What changes meanwhile is not ours to wait for. */
	int ret = kernel_dump(sock, diag_message(SOCK_DIAG_BY_FAMILY,
						 NLM_F_DUMP, &request),
			      take_connection, search);

	return ret == EINTR ? 0 : ret;
}

static int destroy(struct nl_sock *sock, const struct search *search)
{
	int first = 0;
	size_t i;

	for (i = 0; i < search->count; i++) {
		int ret = kernel_talk(sock, diag_message(SOCK_DESTROY, 0,
							 &search->found[i]));

		if (ret != 0 && ret != ENOENT && first == 0) {
			first = ret;
		}
	}
	return first;
}

int kernel_disconnect(const struct settings *settings, uint32_t node)
{
	struct search *search = talloc_zero(NULL, struct search);
	struct nl_sock *sock = NULL;
	int ret;

	if (search == NULL) {
		return ENOMEM;
	}
	search->settings = settings;
	search->remote = &settings->nodes[node];
	ret = kernel_socket(NETLINK_SOCK_DIAG, &sock);
	if (ret == 0) {
		ret = find(sock, search, AF_INET);
	}
	if (ret == 0) {
		/* Without IPv6 there are none. */
		find(sock, search, AF_INET6);
		ret = destroy(sock, search);
	}
	nl_socket_free(sock);
	talloc_free(search);
	return ret;
}
