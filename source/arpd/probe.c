/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is our receiver fine, see probe.h. */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>
#include "clock.h"
#include "connections.h"
#include "ports.h"
#include "probe.h"

#define SWEEP_STEP 64
#define SWEEP_MS 1000

struct seen {
	uint32_t interface;
	struct net_address hosts[PROBE_HOSTS];
	uint32_t next;		/* the oldest */
	uint8_t sweep_next;	/* last byte of whom to ask next */
	uint64_t sweep_at;	/* ms, when the next sweep may begin */
};

struct probe {
	struct seen rows[SETTINGS_INTERFACES_MAX];
};

static const struct net_mac everybody = {
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
};

int probe_new(TALLOC_CTX *mem_ctx, struct probe **probe)
{
	*probe = talloc_zero(mem_ctx, struct probe);
	return *probe != NULL ? 0 : ENOMEM;
}

static struct seen *seen_on(struct arpd *arpd, uint32_t interface)
{
	const struct interface *rows;
	uint32_t count, i;

	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		struct seen *seen = &arpd->probe->rows[i];

		if (rows[i].index == interface) {
			if (seen->interface != interface) {
				*seen = (struct seen){
					.interface = interface,
				};
			}
			return seen;
		}
	}
	return NULL;
}

/* A node's answer would tell nothing of anybody else. */
static bool is_of_cluster(const struct arpd *arpd, const struct net_mac *mac)
{
	const struct peer *const *list;
	uint32_t count, i, j;

	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < list[i]->num_paths; j++) {
			if (net_mac_same(&list[i]->paths[j]->their_mac, mac)) {
				return true;
			}
		}
	}
	return false;
}

void probe_seen(struct arpd *arpd, uint32_t interface,
		const struct frame_claim *claim)
{
	struct seen *seen = seen_on(arpd, interface);
	uint32_t i;

	if (seen == NULL || !claim->is_claim ||
	    claim->address.family != AF_INET ||
	    is_of_cluster(arpd, &claim->mac)) {
		return;
	}
	for (i = 0; i < PROBE_HOSTS; i++) {
		if (net_address_same(&seen->hosts[i], &claim->address)) {
			return;
		}
	}
	seen->hosts[seen->next++ % PROBE_HOSTS] = claim->address;
}

/* An address of our own on the host's network, not a service's; NULL: none. */
static const struct net_address *source_for(const struct interface *interface,
					    const struct net_address *host)
{
	uint32_t i;

	for (i = 0; i < interface->num_addresses; i++) {
		const struct interface_address *row =
			&interface->addresses[i];

		if (row->protocol != ARPD_PROTOCOL &&
		    net_address_within(host, &row->address)) {
			return &row->address;
		}
	}
	return NULL;
}

static void ask(struct arpd *arpd, const struct interface *interface,
		const struct net_address *host)
{
	const struct net_address *source = host->family == AF_INET ?
		source_for(interface, host) : NULL;
	uint8_t frame[FRAME_MAX];

	if (source != NULL) {
		ports_send(arpd->ports, interface->index, frame,
			   frame_unicast_probe(frame, host, &everybody,
					       source, &interface->mac));
	}
}

/* The 256 addresses around ours, a part of them with each beacon. */
static void sweep(struct arpd *arpd, const struct interface *interface,
		  struct seen *seen)
{
	struct net_address host;
	uint32_t i;

	for (i = 0; i < interface->num_addresses; i++) {
		host = interface->addresses[i].address;
		if (host.family == AF_INET &&
		    interface->addresses[i].protocol != ARPD_PROTOCOL) {
			break;
		}
	}
	if (i == interface->num_addresses ||
	    (seen->sweep_next == 0 && clock_ms() < seen->sweep_at)) {
		return;
	}
	if (seen->sweep_next == 0) {
		seen->sweep_at = clock_ms() + SWEEP_MS;
	}
	for (i = 0; i < SWEEP_STEP; i++) {
		host.bytes[3] = seen->sweep_next++;
		ask(arpd, interface, &host);
	}
}

static void ask_on(struct arpd *arpd, const struct interface *interface)
{
	struct net_address clients[PROBE_HOSTS];
	struct seen *seen = seen_on(arpd, interface->index);
	uint32_t count, i;

	for (i = 0; seen != NULL && i < PROBE_HOSTS; i++) {
		ask(arpd, interface, &seen->hosts[i]);
	}
	/* Those that other nodes serve are awake for certain. */
	count = connections_clients(arpd->connections, clients, PROBE_HOSTS);
	for (i = 0; i < count; i++) {
		ask(arpd, interface, &clients[i]);
	}
	if (count == 0 && seen != NULL && seen->next == 0) {
		sweep(arpd, interface, seen);
	}
}

static bool is_in_doubt(struct arpd *arpd, uint32_t interface)
{
	const struct peer *const *list;
	uint32_t count, i;

	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		const struct path *path = peer_path_on(list[i], interface);

		if (list[i]->state == PEER_ALIVE && path != NULL &&
		    path->heard && !path->hear) {
			return true;
		}
	}
	return false;
}

void probe_ask(struct arpd *arpd)
{
	const struct interface *rows;
	uint32_t count, i;

	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		if (rows[i].index != 0 && rows[i].carrier &&
		    !rows[i].interconnect &&
		    is_in_doubt(arpd, rows[i].index)) {
			ask_on(arpd, &rows[i]);
		}
	}
}
