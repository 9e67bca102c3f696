/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NetBIOS broadcasts for who cannot hear them, see relay.h. */

#include <sys/socket.h>
#include "frame.h"
#include "ports.h"
#include "relay.h"

/* Our own are not for others: nmbd here says them for our names. */
static bool is_ours(const struct arpd *arpd, const struct net_address *source)
{
	return interfaces_is_local(arpd->interfaces, source);
}

static bool is_broadcast_of(const struct interface *interface,
			    const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < interface->num_addresses; i++) {
		const struct net_address *own =
			&interface->addresses[i].address;
		struct net_address broadcast;

		if (own->family != AF_INET) {
			continue;
		}
		broadcast = net_address_broadcast(own);
		if (net_address_same(&broadcast, address)) {
			return true;
		}
	}
	return false;
}

static void relay_to(struct arpd *arpd, uint32_t node,
		     const uint8_t *frame, size_t length)
{
	const struct peer *peer = peers_find(arpd->peers, node);
	const struct interface *inside;
	uint8_t out[FRAME_MAX];
	size_t out_length;

	if (peer == NULL || peer->best == NULL) {
		return;
	}
	inside = interfaces_by_index(arpd->interfaces, peer->best->interface);
	if (inside == NULL) {
		return;
	}
	out_length = frame_relay(out, frame, length, &peer->best->their_mac,
				 &inside->mac);
	ports_send(arpd->ports, inside->index, out, out_length);
}

void relay_netbios(struct arpd *arpd, uint32_t interface,
		   const uint8_t *frame, size_t length)
{
	const struct interface *row = interfaces_by_index(arpd->interfaces,
							  interface);
	const struct plan *plan = arpd->plan;
	struct net_address source, destination;
	uint64_t told = 0;	/* a bit per node */
	uint32_t i;

	if (row == NULL ||
	    frame_read_netbios(frame, length, &source, &destination) != 0 ||
	    is_ours(arpd, &source) || !is_broadcast_of(row, &destination)) {
		return;
	}
	for (i = 0; i < plan->num_passing; i++) {
		const struct plan_passing *passing = &plan->passing[i];
		uint64_t bit = UINT64_C(1) << (passing->node % 64);

		if (passing->interface == interface && passing->until == 0 &&
		    (told & bit) == 0) {
			told |= bit;
			relay_to(arpd, passing->node, frame, length);
		}
	}
}
