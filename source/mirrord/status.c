/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `mirrorctl status' shows, see control.h. */

#include <string.h>
#include "control.h"
#include "ctdb_view.h"
#include "giveback.h"
#include "nodes.h"
#include "partner.h"
#include "peer.h"
#include "reconfigure.h"
#include "service.h"

static json_t *nodes_json(struct mirrord *mirrord)
{
	const struct nodes *nodes = mirrord->nodes;
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < nodes->count; i++) {
		struct peer *peer = peer_find(mirrord->peers, i);
		const char *link = i == nodes->own ? "self" :
			peer_is_up(peer) ? "up" : "down";
		const char *ctdb = !ctdb_view_known(mirrord->view) ?
			"unknown" : ctdb_view_excluded(mirrord->view, i) ?
			"excluded" : ctdb_view_connected(mirrord->view, i) ?
			"connected" : "disconnected";

		if (!nodes->node[i].used) {
			continue;
		}
		json_array_append_new(list, json_pack(
			"{s:i,s:s,s:s,s:s}", "pnn", (int)i,
			"address", nodes->node[i].name,
			"link", link, "ctdb", ctdb));
	}
	return list;
}

/* Only in the status of an owner. */
static json_t *owner_json(struct service_volume *volume)
{
	struct owner_status status;

	owner_status(volume->owner, &status);
	return json_pack(
		"{s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:i,s:i,s:b,s:o}",
		"mode", page_mode_name(status.mode),
		"generation", (json_int_t)status.generation,
		"epoch", (json_int_t)status.epoch,
		"wiped", (json_int_t)status.wiped,
		"reserved", (json_int_t)status.reserved,
		"epoch_capacity", (json_int_t)status.capacity,
		"partner", status.mode == PAGE_DEGRADED ? json_null() :
		json_integer(status.partner),
		"lag_ms", (json_int_t)status.lag_ms,
		"records_sent", (json_int_t)status.records_sent,
		"bytes_sent", (json_int_t)status.bytes_sent,
		"in_flight", (int)status.in_flight,
		"processes", (int)status.processes,
		"disk_failed", (int)status.sync_failed,
		"doing", status.plan != NULL ? json_string(status.plan) :
		json_null());
}

static json_t *store_json(struct mirrord *mirrord, const char *name)
{
	struct store_info info;
	char id[MIRROR_ID_STRING_SIZE];

	partner_info(mirrord->partner, name, &info);
	if (mirror_id_is_none(&info.incarnation)) {
		return json_null();
	}
	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:i}",
			 "incarnation", mirror_id_string(&info.incarnation,
							 id),
			 "generation", (json_int_t)info.generation,
			 "records", (json_int_t)info.records,
			 "bytes", (json_int_t)info.bytes,
			 "wiped", (json_int_t)info.wiped,
			 "capacity", (json_int_t)info.epoch_capacity,
			 "links", (int)partner_links(mirrord->partner, name));
}

static json_t *timeline_json(const struct service_timeline *t)
{
	if (t->done == 0) {
		return json_null();
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "checked_ms", (json_int_t)t->checked,
			 "fenced_ms", (json_int_t)t->fenced,
			 "mounted_ms", (json_int_t)t->mounted,
			 "replayed_ms", (json_int_t)t->replayed,
			 "served_ms", (json_int_t)t->done,
			 "records", (json_int_t)t->records,
			 "bytes", (json_int_t)t->bytes);
}

static json_t *problem_json(struct service_volume *volume)
{
	struct owner_status status;

	if (volume->owner == NULL) {
		return volume->problem != NULL ?
			json_string(volume->problem) : json_null();
	}
	owner_status(volume->owner, &status);
	return status.problem != NULL ? json_string(status.problem) :
		json_null();
}

static json_t *volume_json(struct mirrord *mirrord,
			   struct service_volume *volume)
{
	const struct config_volume *config = volume->config;
	json_t *store = store_json(mirrord, config->name);
	const char *role = service_state_name(volume->state);
	json_t *json, *owner;

	if (volume->state == SERVICE_ABSENT && !json_is_null(store)) {
		role = "partner";
	}
	json = json_pack(
		"{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:o,s:I,s:I,s:I,s:b,s:o,s:o}",
		"name", config->name,
		"service", config->service->name,
		"role", role,
		"kind", config->kind,
		"device", config->device,
		"mount_point", config->mount_point,
		"host", ctdb_view_host(mirrord->view,
				       config->service->addresses[0]),
		"store", store,
		"replay_done", (json_int_t)volume->replay_done,
		"replay_total", (json_int_t)volume->replay_total,
		"failures", (json_int_t)volume->failures,
		"traced", (int)partner_is_traced(mirrord->partner,
						 config->name),
		"takeover", timeline_json(&volume->timeline),
		"problem", problem_json(volume));
	if (volume->owner != NULL) {
		owner = owner_json(volume);
		json_object_update(json, owner);
		json_decref(owner);
	}
	return json;
}

static json_t *texts_json(const char **texts)
{
	json_t *list = json_array();

	for (; *texts != NULL; texts++) {
		json_array_append_new(list, json_string(*texts));
	}
	return list;
}

static json_t *services_json(struct mirrord *mirrord)
{
	json_t *list = json_array();
	struct config_service **s;

	for (s = mirrord->config->services; *s != NULL; s++) {
		json_t *volumes = json_array();
		struct config_volume **v;
		int host = ctdb_view_host(mirrord->view, (*s)->addresses[0]);

		for (v = (*s)->volumes; *v != NULL; v++) {
			json_array_append_new(volumes,
					      json_string((*v)->name));
		}
		json_array_append_new(list, json_pack(
			"{s:s,s:i,s:o,s:o,s:o,s:o}", "name", (*s)->name,
			"home", (int)(*s)->home, "host", host == -1 ?
			json_null() : json_integer(host),
			"addresses", texts_json((*s)->addresses),
			"names", texts_json((*s)->names),
			"volumes", volumes));
	}
	return list;
}

json_t *status_json(struct mirrord *mirrord)
{
	json_t *volumes = json_array();
	struct config_volume **v;

	for (v = mirrord->config->volumes; *v != NULL; v++) {
		struct service_volume *volume = service_volume_find(
			mirrord->services, (*v)->name);

		json_array_append_new(volumes, volume_json(mirrord, volume));
	}
	return json_pack("{s:i,s:o,s:s,s:o,s:o,s:o,s:o}",
			 "node", (int)mirrord->nodes->own,
			 "configuration",
			 reconfigure_json(mirrord->reconfigure),
			 "cluster", !ctdb_view_known(mirrord->view) ?
			 "unknown" : ctdb_view_settled(mirrord->view) ?
			 "settled" : "recovering",
			 "nodes", nodes_json(mirrord),
			 "services", services_json(mirrord),
			 "volumes", volumes,
			 "giveback", giveback_json(mirrord->giveback));
}
