/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packet sockets, see ports.h. */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "addresses.h"
#include "clock.h"
#include "connections.h"
#include "frame.h"
#include "ports.h"
#include "probe.h"
#include "relay.h"

#define FRAME_ROOM 2048		/* more than any that we read */
#define FRAMES_AT_ONCE 64

struct port;

struct port_socket {
	struct port *port;
	enum raw_kind kind;
	int fd;
	struct tevent_fd *fde;
};

struct port {
	struct ports *ports;
	uint32_t interface;	/* index; 0: nothing is open */
	struct port_socket sockets[RAW_KIND_END];
};

struct ports {
	struct arpd *arpd;
	struct port rows[SETTINGS_INTERFACES_MAX];
	uint32_t num_rows;
};

/* ------------------------------------------------------------ what comes in */

static void take_beacon(struct arpd *arpd, uint32_t interface,
			const uint8_t *frame, size_t length)
{
	struct beacon beacon;
	int ret = beacon_pull(arpd->key, frame, length, &beacon);

	if (ret == EACCES) {
		struct net_mac from;

		memcpy(from.bytes, frame + NET_MAC_SIZE, NET_MAC_SIZE);
		peers_refused(arpd->peers, interface, &from);
	} else if (ret == 0) {
		peers_beacon(arpd->peers, interface, &beacon, clock_us());
	} else {
		connections_heard(arpd->connections, frame, length);
	}
}

static void take_claim(struct arpd *arpd, uint32_t interface,
		       const uint8_t *frame, size_t length)
{
	struct frame_claim claim;

	if (frame_read_claim(frame, length, &claim) == 0) {
		probe_seen(arpd, interface, &claim);
		addresses_heard(arpd->addresses, interface, &claim);
	}
}

static void take_netbios(struct arpd *arpd, uint32_t interface,
			 const uint8_t *frame, size_t length)
{
	relay_netbios(arpd, interface, frame, length);
}

static void (*const takers[RAW_KIND_END])(struct arpd *arpd,
					  uint32_t interface,
					  const uint8_t *frame,
					  size_t length) = {
	[RAW_BEACON] = take_beacon,
	[RAW_ARP] = take_claim,
	[RAW_ND] = take_claim,
	[RAW_NETBIOS] = take_netbios,
};

static void read_frames(struct port_socket *sock)
{
	struct port *port = sock->port;
	uint8_t frame[FRAME_ROOM];
	int i;

	for (i = 0; i < FRAMES_AT_ONCE && sock->fd != -1; i++) {
		ssize_t length = recv(sock->fd, frame, sizeof(frame), 0);

		/* ENETDOWN is told once; the socket works again with the
		 * interface. */
		if (length <= 0) {
			break;
		}
		takers[sock->kind](port->ports->arpd, port->interface, frame,
				   length);
	}
}

static void on_frame(struct tevent_context *ev, struct tevent_fd *fde,
		     uint16_t flags, void *private_data)
{
	read_frames(private_data);
}

void ports_read(struct ports *ports)
{
	uint32_t i;

	for (i = 0; i < ports->num_rows; i++) {
		read_frames(&ports->rows[i].sockets[RAW_BEACON]);
	}
}

/* ----------------------------------------------------------- open and close */

static void socket_close(struct port_socket *sock)
{
	TALLOC_FREE(sock->fde);
	if (sock->fd != -1) {
		close(sock->fd);
		sock->fd = -1;
	}
}

static void socket_open(struct port_socket *sock)
{
	struct arpd *arpd = sock->port->ports->arpd;
	int ret = privileged_open(arpd->privileged, sock->kind,
				  sock->port->interface, &sock->fd);

	if (ret != 0) {
		sock->fd = -1;
		event_log_once(EVENT_PLAN_FAILED, "socket",
			       "no packet socket on interface %u: %s",
			       sock->port->interface, strerror(ret));
		return;
	}
	sock->fde = tevent_add_fd(arpd->ev, arpd->ports, sock->fd,
				  TEVENT_FD_READ, on_frame, sock);
	if (sock->fde == NULL) {
		socket_close(sock);
	}
}

static bool passes_on(const struct arpd *arpd, uint32_t interface)
{
	uint32_t i;

	for (i = 0; i < arpd->plan->num_passing; i++) {
		if (arpd->plan->passing[i].interface == interface) {
			return true;
		}
	}
	return false;
}

static bool is_wanted(const struct arpd *arpd, enum raw_kind kind,
		      const struct interface *interface)
{
	switch (kind) {
	case RAW_BEACON:
		return true;
	case RAW_ARP:
	case RAW_ND:
		return !interface->interconnect;
	case RAW_NETBIOS:
		return passes_on(arpd, interface->index);
	default:
		return false;
	}
}

void ports_sync(struct ports *ports)
{
	const struct interface *rows;
	uint32_t count, i;
	int kind;

	rows = interfaces_list(ports->arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		struct port *port = &ports->rows[i];
		bool same = port->interface == rows[i].index;

		port->interface = rows[i].index;
		for (kind = 0; kind < RAW_KIND_END; kind++) {
			struct port_socket *sock = &port->sockets[kind];
			bool wanted = port->interface != 0 &&
				is_wanted(ports->arpd, kind, &rows[i]);

			if (!same || !wanted) {
				socket_close(sock);
			}
			if (wanted && sock->fd == -1) {
				socket_open(sock);
			}
		}
	}
}

void ports_send(struct ports *ports, uint32_t interface,
		const uint8_t *frame, size_t length)
{
	uint32_t i;

	for (i = 0; i < ports->num_rows && length > 0; i++) {
		struct port *port = &ports->rows[i];

		if (port->interface == interface &&
		    port->sockets[RAW_BEACON].fd != -1) {
			send(port->sockets[RAW_BEACON].fd, frame, length,
			     MSG_DONTWAIT | MSG_NOSIGNAL);
		}
	}
}

static int ports_destructor(struct ports *ports)
{
	uint32_t i;
	int kind;

	for (i = 0; i < ports->num_rows; i++) {
		for (kind = 0; kind < RAW_KIND_END; kind++) {
			socket_close(&ports->rows[i].sockets[kind]);
		}
	}
	return 0;
}

int ports_new(struct arpd *arpd, struct ports **_ports)
{
	struct ports *ports = talloc_zero(arpd, struct ports);
	uint32_t i;
	int kind;

	if (ports == NULL) {
		return ENOMEM;
	}
	ports->arpd = arpd;
	ports->num_rows = arpd->settings->num_interfaces;
	for (i = 0; i < ports->num_rows; i++) {
		ports->rows[i].ports = ports;
		for (kind = 0; kind < RAW_KIND_END; kind++) {
			ports->rows[i].sockets[kind] = (struct port_socket){
				.port = &ports->rows[i],
				.kind = kind,
				.fd = -1,
			};
		}
	}
	talloc_set_destructor(ports, ports_destructor);
	*_ports = ports;
	return 0;
}
