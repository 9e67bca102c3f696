/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All that arpd knows, as JSON; see control.h. */

#include "clock.h"
#include "connections.h"
#include "control.h"

static const char *const path_states[PATH_STATE_END] = {
	[PATH_DOWN] = "down",
	[PATH_HOLD] = "hold",
	[PATH_UP] = "up",
};

static const char *const peer_states[PEER_STATE_END] = {
	[PEER_UNKNOWN] = "unknown",
	[PEER_ALIVE] = "alive",
	[PEER_SILENT] = "silent",
};

static const char *name_of(const struct arpd *arpd, uint32_t index)
{
	const struct interface *row = interfaces_by_index(arpd->interfaces,
							  index);

	return row != NULL ? row->name : "?";
}

static json_t *text_of(const struct net_address *address)
{
	char *text = net_address_print(NULL, address);
	json_t *json = json_string(text != NULL ? text : "");

	talloc_free(text);
	return json;
}

static double seconds_since(uint64_t ms)
{
	return (double)(clock_ms() - ms) / 1000;
}

static json_t *path_json(const struct arpd *arpd, const struct path *path)
{
	char *mac = net_mac_print(NULL, &path->their_mac);
	json_t *json = json_pack(
		"{s:s,s:s,s:s,s:b,s:b,s:f,s:f,s:f,s:I}",
		"interface", name_of(arpd, path->interface),
		"state", path_states[path->state],
		"mac", mac != NULL ? mac : "",
		"hear", path->hear, "heard", path->heard,
		"since", seconds_since(path->changed),
		"round_trip_ms", (double)path->round_trip_us / 1000,
		"loss_percent", (double)path->loss_permille / 10,
		"downs", (json_int_t)path->downs);

	talloc_free(mac);
	return json;
}

static json_t *peer_json(const struct arpd *arpd, const struct peer *peer)
{
	json_t *paths = json_array();
	uint32_t i;

	for (i = 0; i < peer->num_paths; i++) {
		json_array_append_new(paths, path_json(arpd, peer->paths[i]));
	}
	return json_pack("{s:I,s:o,s:s,s:f,s:s,s:o}",
			 "node", (json_int_t)peer->node,
			 "address",
			 text_of(&arpd->settings->nodes[peer->node]),
			 "state", peer_states[peer->state],
			 "since", seconds_since(peer->changed),
			 "best", peer->best != NULL ?
			 name_of(arpd, peer->best->interface) : "",
			 "paths", paths);
}

static json_t *interface_json(const struct interface *row)
{
	char *mac = net_mac_print(NULL, &row->mac);
	json_t *json = json_pack("{s:s,s:b,s:b,s:b,s:f,s:s}",
				 "name", row->name,
				 "interconnect", row->interconnect,
				 "present", row->index != 0,
				 "carrier", row->carrier,
				 "since", seconds_since(row->carrier_since),
				 "mac", mac != NULL ? mac : "");

	talloc_free(mac);
	return json;
}

static json_t *held_json(const struct arpd *arpd,
			 const struct plan_held *held)
{
	json_t *json = json_pack("{s:o,s:s,s:s,s:b,s:I}",
				 "address", text_of(&held->address),
				 "where", held->passed ? "passed" : "here",
				 "interface", name_of(arpd, held->interface),
				 "silent", held->silent, "clients",
				 (json_int_t)connections_count(
					 arpd->connections, &held->address));

	if (held->helper != NET_NOBODY) {
		json_object_set_new(json, "helper",
				    json_integer(held->helper));
	}
	return json;
}

static json_t *addresses_json(const struct arpd *arpd)
{
	const struct plan *plan = arpd->plan;
	const struct peer *const *list;
	json_t *all = json_array();
	uint32_t count, i, j;

	for (i = 0; i < plan->num_held; i++) {
		json_array_append_new(all, held_json(arpd, &plan->held[i]));
	}
	for (i = 0; i < plan->num_passing; i++) {
		const struct plan_passing *row = &plan->passing[i];

		json_array_append_new(all, json_pack(
			"{s:o,s:s,s:I,s:s,s:s}",
			"address", text_of(&row->address),
			"where", row->until != 0 ? "lingering" : "passing",
			"node", (json_int_t)row->node,
			"interface", name_of(arpd, row->interface),
			"inside", name_of(arpd, row->inside)));
	}
	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < list[i]->num_addresses; j++) {
			const struct peer_address *row =
				&list[i]->addresses[j];

			if (!peer_holds(row)) {
				continue;
			}
			json_array_append_new(all, json_pack(
				"{s:o,s:s,s:I,s:I}", "address",
				text_of(&row->address), "where", "elsewhere",
				"node", (json_int_t)list[i]->node, "clients",
				(json_int_t)connections_count(
					arpd->connections, &row->address)));
		}
	}
	return all;
}

json_t *status_json(const struct arpd *arpd)
{
	const struct peer *const *list;
	const struct interface *rows;
	json_t *interfaces = json_array();
	json_t *peers = json_array();
	uint32_t count, i;

	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		json_array_append_new(interfaces, interface_json(&rows[i]));
	}
	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		json_array_append_new(peers, peer_json(arpd, list[i]));
	}
	return json_pack("{s:I,s:o,s:f,s:b,s:o,s:o,s:o}",
			 "node", (json_int_t)arpd->own,
			 "identity",
			 text_of(&arpd->settings->nodes[arpd->own]),
			 "since", seconds_since(arpd->started),
			 "applied", arpd->applied,
			 "interfaces", interfaces,
			 "peers", peers,
			 "addresses", addresses_json(arpd));
}
