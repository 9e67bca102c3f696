/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is connected to what is held, see connections.h. */

#include <sys/socket.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <string.h>
#include <gnutls/gnutls.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "clock.h"
#include "connections.h"
#include "connections_left.h"
#include "ports.h"

#define PARTS_MAX (CONNECTIONS_MAX / CONNECTIONS_ROWS + 1)
#define TICKLE_ROUNDS 4

static const uint16_t smb_ports[] = { 445, 139 };

/* What another node has told. */
struct told {
	uint64_t session;
	uint64_t sequence;	/* of the list that is coming in */
	uint32_t count;
	struct connection *rows;
};

struct connections {
	struct arpd *arpd;
	struct nl_sock *socket;
	struct connection *own;
	uint32_t num_own;
	struct connection *before;	/* as told last */
	uint32_t num_before;
	uint64_t told_at;		/* ms */
	struct connections_left *left;
	uint64_t sequence;
	struct told told[SETTINGS_NODES_MAX];
	int raw[2];			/* IPv4, IPv6; -1: not open */
	struct timer *timer;
};

/* ------------------------------------------------------- what is held here */

static bool is_smb(uint16_t port)
{
	size_t i;

	for (i = 0; i < sizeof(smb_ports) / sizeof(smb_ports[0]); i++) {
		if (smb_ports[i] == port) {
			return true;
		}
	}
	return false;
}

static bool is_held(const struct arpd *arpd,
		    const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < arpd->plan->num_held; i++) {
		if (net_address_same(&arpd->plan->held[i].address, address)) {
			return true;
		}
	}
	return false;
}

static struct net_address address_of(uint8_t family, const uint32_t *bytes)
{
	struct net_address address = { .family = family };
	static const uint8_t mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
	};

	/* A dual-stack socket has IPv4 clients, too. */
	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		address.family = AF_INET;
		bytes += 3;
	}
	address.prefix = net_address_bits(&address);
	memcpy(address.bytes, bytes, net_address_size(&address));
	return address;
}

static int on_socket(struct nl_msg *message, void *private_data)
{
	struct connections *connections = private_data;
	struct nlmsghdr *header = nlmsg_hdr(message);
	const struct inet_diag_msg *diag = nlmsg_data(header);
	struct connection row;

	if (!nlmsg_valid_hdr(header, sizeof(*diag)) ||
	    connections->num_own == CONNECTIONS_MAX ||
	    (diag->idiag_family != AF_INET &&
	     diag->idiag_family != AF_INET6) ||
	    !is_smb(ntohs(diag->id.idiag_sport))) {
		return NL_OK;
	}
	row = (struct connection){
		.address = address_of(diag->idiag_family, diag->id.idiag_src),
		.client = address_of(diag->idiag_family, diag->id.idiag_dst),
		.port = ntohs(diag->id.idiag_sport),
		.client_port = ntohs(diag->id.idiag_dport),
	};
	if (is_held(connections->arpd, &row.address)) {
		connections->own[connections->num_own++] = row;
	}
	return NL_OK;
}

static int ask(struct connections *connections, uint8_t family)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		/* Or smbd has closed it, which a client may never hear. */
		.idiag_states = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1,
	};
	int ret = nl_send_simple(connections->socket, SOCK_DIAG_BY_FAMILY,
				 NLM_F_DUMP, &request, sizeof(request));

	if (ret >= 0) {
		ret = nl_recvmsgs_default(connections->socket);
	}
	return ret < 0 ? EIO : 0;
}

/* ------------------------------------------------------- telling the others */

static void tell_part(struct connections *connections,
		      const struct peer *peer,
		      const struct connections_frame *list)
{
	struct arpd *arpd = connections->arpd;
	const struct interface *interface = interfaces_by_index(
		arpd->interfaces, peer->best->interface);
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length;

	if (interface == NULL) {
		return;
	}
	length = connections_push(frame, list, &peer->best->their_mac,
				  &interface->mac);
	if (length != 0 &&
	    beacon_hmac(arpd->key, frame, length, frame + length)) {
		ports_send(arpd->ports, interface->index, frame,
			   length + BEACON_HMAC_SIZE);
	}
}

static void tell(struct connections *connections, const struct peer *peer)
{
	struct arpd *arpd = connections->arpd;
	struct connections_frame list = {
		.node = arpd->own,
		.session = arpd->session,
		.sequence = connections->sequence,
		.for_session = peers_session(arpd->peers, peer->node),
	};
	uint32_t done = 0;

	list.parts = 1 + (connections->num_own > 0 ?
			  (connections->num_own - 1) / CONNECTIONS_ROWS : 0);
	for (list.part = 0; list.part < list.parts; list.part++) {
		list.count = connections->num_own - done;
		if (list.count > CONNECTIONS_ROWS) {
			list.count = CONNECTIONS_ROWS;
		}
		memcpy(list.rows, connections->own + done,
		       list.count * sizeof(list.rows[0]));
		done += list.count;
		tell_part(connections, peer, &list);
	}
}

static void again(struct connections *connections);

/* An empty list is told once. */
static bool is_due(const struct connections *connections, uint64_t now)
{
	uint32_t count = connections->num_own;

	if (count != connections->num_before ||
	    memcmp(connections->own, connections->before,
		   count * sizeof(connections->own[0])) != 0) {
		return true;
	}
	return count > 0 && now >= connections->told_at + CONNECTIONS_TELL_MS;
}

static void ask_kernel(struct connections *connections)
{
	connections->num_own = 0;
	if (connections->arpd->plan->num_held > 0 &&
	    (ask(connections, AF_INET) != 0 ||
	     ask(connections, AF_INET6) != 0)) {
		event_log_once(EVENT_CONNECTIONS_UNKNOWN, "ask",
			       "the kernel does not tell them");
	}
}

/* What another node has, it has told its clients. */
static void forget_taken(struct connections *connections)
{
	const struct peer *const *list;
	uint32_t count, i, j;

	list = peers_list(connections->arpd->peers, &count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < list[i]->num_addresses; j++) {
			const struct peer_address *row =
				&list[i]->addresses[j];

			if (peer_holds(row)) {
				connections_left_forget(connections->left,
							&row->address);
			}
		}
	}
}

void connections_leave(struct connections *connections,
		       const struct net_address *address)
{
	ask_kernel(connections);
	connections_left_note(connections->left, connections->own,
			      connections->num_own, address, clock_ms());
}

static void time_to_tell(void *private_data)
{
	struct connections *connections = private_data;
	struct arpd *arpd = connections->arpd;
	uint64_t now = clock_ms();
	const struct peer *const *list;
	uint32_t count, i;

	ask_kernel(connections);
	forget_taken(connections);
	connections->num_own = connections_left_append(
		connections->left, NULL, connections->own,
		connections->num_own, CONNECTIONS_MAX, now);
	if (!is_due(connections, now)) {
		again(connections);
		return;
	}
	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		if (list[i]->state == PEER_ALIVE && list[i]->best != NULL) {
			connections->sequence++;
			tell(connections, list[i]);
		}
	}
	connections->told_at = now;
	connections->num_before = connections->num_own;
	memcpy(connections->before, connections->own,
	       connections->num_own * sizeof(connections->own[0]));
	again(connections);
}

static void again(struct connections *connections)
{
	connections->timer = timer_start(
		connections, connections->arpd->ev,
		connections->num_own > CONNECTIONS_MANY ?
		CONNECTIONS_TELL_MS : CONNECTIONS_ASK_MS, time_to_tell,
		connections);
}

/* --------------------------------------------------------- what others tell */

static void take_list(struct connections *connections,
		      const struct connections_frame *list)
{
	struct told *told = &connections->told[list->node];

	if (list->session == told->session &&
	    list->sequence < told->sequence) {
		return;
	}
	if (list->session != told->session ||
	    list->sequence != told->sequence) {
		told->session = list->session;
		told->sequence = list->sequence;
		told->count = 0;
	}
	if (told->rows == NULL) {
		told->rows = talloc_array(connections, struct connection,
					  CONNECTIONS_MAX);
	}
	if (told->rows == NULL ||
	    told->count + list->count > CONNECTIONS_MAX) {
		return;
	}
	memcpy(told->rows + told->count, list->rows,
	       list->count * sizeof(list->rows[0]));
	told->count += list->count;
}

bool connections_heard(struct connections *connections,
		       const uint8_t *frame, size_t length)
{
	struct arpd *arpd = connections->arpd;
	struct connections_frame list;
	uint8_t hmac[BEACON_HMAC_SIZE];

	if (length < BEACON_HMAC_SIZE ||
	    connections_pull(frame, length - BEACON_HMAC_SIZE, &list) != 0) {
		return false;
	}
	if (beacon_hmac(arpd->key, frame, length - BEACON_HMAC_SIZE,
			hmac) &&
	    gnutls_memcmp(hmac, frame + length - BEACON_HMAC_SIZE,
			  BEACON_HMAC_SIZE) == 0 &&
	    list.for_session == arpd->session &&
	    list.node < arpd->settings->num_nodes && list.node != arpd->own) {
		take_list(connections, &list);
	}
	return true;
}

/* ------------------------------------------------------------------ tickles */

struct tickle {
	struct connections *connections;
	uint32_t round;
	uint32_t count;
	struct connection *rows;
};

static void send_tickle(struct connections *connections,
			const struct connection *row)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	bool six = row->client.family == AF_INET6;
	uint8_t packet[BEACON_FRAME_MAX];
	size_t length = connections_tickle_packet(packet, row);

	memcpy(&to.sin_addr, row->client.bytes, 4);
	memcpy(&to6.sin6_addr, row->client.bytes, 16);
	sendto(connections->raw[six], packet, length,
	       MSG_DONTWAIT | MSG_NOSIGNAL,
	       six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to,
	       six ? sizeof(to6) : sizeof(to));
}

static void tickle_round(void *private_data)
{
	static const uint32_t pauses_ms[TICKLE_ROUNDS] = { 100, 200, 700, 0 };
	struct tickle *tickle = private_data;
	uint32_t i;

	for (i = 0; i < tickle->count; i++) {
		send_tickle(tickle->connections, &tickle->rows[i]);
	}
	if (++tickle->round == TICKLE_ROUNDS ||
	    timer_start(tickle, tickle->connections->arpd->ev,
			pauses_ms[tickle->round - 1], tickle_round,
			tickle) == NULL) {
		talloc_free(tickle);
	}
}

static void collect(struct tickle *tickle, const struct told *told,
		    const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < told->count && tickle->count < CONNECTIONS_MAX; i++) {
		if (net_address_same(&told->rows[i].address, address)) {
			tickle->rows[tickle->count++] = told->rows[i];
		}
	}
}

void connections_tickle(struct connections *connections,
			const struct net_address *address)
{
	struct tickle *tickle = talloc_zero(connections, struct tickle);
	uint32_t i;

	if (tickle == NULL) {
		return;
	}
	tickle->connections = connections;
	tickle->rows = talloc_array(tickle, struct connection,
				    CONNECTIONS_MAX);
	for (i = 0; tickle->rows != NULL && i < SETTINGS_NODES_MAX; i++) {
		collect(tickle, &connections->told[i], address);
	}
	if (tickle->rows != NULL) {
		/* Nobody else could take what we gave up. */
		tickle->count = connections_left_append(
			connections->left, address, tickle->rows,
			tickle->count, CONNECTIONS_MAX, clock_ms());
		connections_left_forget(connections->left, address);
	}
	if (tickle->rows == NULL || tickle->count == 0) {
		talloc_free(tickle);
		return;
	}
	event_log(EVENT_TICKLED, "%u clients of the address that came",
		  tickle->count);
	tickle_round(tickle);
}

static uint32_t count_of(const struct connection *rows, uint32_t count,
			 const struct net_address *address)
{
	uint32_t found = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (net_address_same(&rows[i].address, address)) {
			found++;
		}
	}
	return found;
}

uint32_t connections_count(const struct connections *connections,
			   const struct net_address *address)
{
	uint32_t found = 0;
	uint32_t i;

	if (is_held(connections->arpd, address)) {
		return count_of(connections->own, connections->num_own,
				address);
	}
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		found += count_of(connections->told[i].rows,
				  connections->told[i].count, address);
	}
	return found;
}

static bool is_among(const struct net_address *list, uint32_t count,
		     const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (net_address_same(&list[i], address)) {
			return true;
		}
	}
	return false;
}

uint32_t connections_clients(const struct connections *connections,
			     struct net_address *clients, uint32_t max)
{
	uint32_t count = 0;
	uint32_t i, j;

	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		const struct told *told = &connections->told[i];

		for (j = 0; j < told->count && count < max; j++) {
			const struct net_address *client =
				&told->rows[j].client;

			if (!is_among(clients, count, client)) {
				clients[count++] = *client;
			}
		}
	}
	return count;
}

/* -------------------------------------------------------------------- begin */

static int connections_destructor(struct connections *connections)
{
	nl_socket_free(connections->socket);
	return 0;
}

int connections_new(struct arpd *arpd, struct connections **_connections)
{
	struct connections *connections = talloc_zero(arpd,
						      struct connections);
	int ret;

	if (connections == NULL) {
		return ENOMEM;
	}
	connections->arpd = arpd;
	connections->own = talloc_zero_array(connections, struct connection,
					CONNECTIONS_MAX);
	connections->before = talloc_zero_array(connections,
						struct connection,
						CONNECTIONS_MAX);
	connections->left = connections_left_new(connections);
	connections->socket = nl_socket_alloc();
	if (connections->own == NULL || connections->before == NULL ||
	    connections->left == NULL ||
	    connections->socket == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(connections, connections_destructor);
	nl_socket_modify_cb(connections->socket, NL_CB_VALID, NL_CB_CUSTOM,
			    on_socket, connections);
	if (nl_connect(connections->socket, NETLINK_SOCK_DIAG) < 0) {
		return EIO;
	}
	ret = privileged_open(arpd->privileged, RAW_TICKLE, 0,
			      &connections->raw[0]);
	if (ret == 0) {
		ret = privileged_open(arpd->privileged, RAW_TICKLE6, 0,
				      &connections->raw[1]);
	}
	if (ret != 0) {
		return ret;
	}
	again(connections);
	*_connections = connections;
	return 0;
}
