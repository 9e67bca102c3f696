/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other nodes, and the records: see check.h. */

#include <string.h>
#include "check.h"

/* Of a store; of the age of what is not on the disk yet. */
#define NEARLY_FULL_PERCENT 75
#define LAG_MS 10000

/* mirrord says so in its events, and again every minute. */
static bool wrong_key(struct check *check, const char *address)
{
	char *line = check_command(check, "mirrorctl log --since 3m");

	while (line != NULL && *line != '\0') {
		char *end = line + strcspn(line, "\n");
		char *next = *end != '\0' ? end + 1 : end;
		char *at;

		*end = '\0';
		at = strstr(line, " M003 ") != NULL ? strstr(line, address) :
			NULL;
		if (at != NULL && (at[strlen(address)] < '0' ||
				   at[strlen(address)] > '9')) {
			return true;
		}
		line = next;
	}
	return false;
}

static void check_link(struct check *check, uint32_t node,
		       const json_t *state)
{
	const char *address = check->nodes->node[node].name;

	if (strcmp(check_text(state, "link"), "up") == 0) {
		return;
	}
	if (wrong_key(check, address)) {
		check_found(check, CHECK_KEY_DIFFERS, "node %u (%s) does not "
			    "have the cluster key of this one", node, address);
	} else if (strcmp(check_text(state, "ctdb"), "connected") == 0) {
		check_found(check, CHECK_MIRRORD_SILENT, "ctdb sees node %u "
			    "(%s), and its mirrord does not answer: a takeover "
			    "waits for it up to 30 s", node, address);
	} else {
		check_found(check, CHECK_NODE_AWAY, "node %u (%s) is not there",
			    node, address);
	}
}

void check_partner(struct check *check)
{
	const json_t *nodes = json_object_get(check->status, "nodes");
	size_t i;

	for (i = 0; i < json_array_size(nodes); i++) {
		const json_t *state = json_array_get(nodes, i);
		uint32_t node = (uint32_t)json_integer_value(
			json_object_get(state, "pnn"));

		if (node < check->nodes->count && node != check->own) {
			check_link(check, node, state);
		}
	}
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void check_mode(struct check *check, const char *name,
		       const json_t *volume)
{
	const char *mode = check_text(volume, "mode");

	if (strcmp(mode, "degraded") == 0) {
		bool back = check->config->degraded == CONFIG_WRITE_BACK;

		check_found(check, back ? CHECK_NOT_MIRRORED_WRITE_BACK :
			    CHECK_NOT_MIRRORED, "volume %s has no partner",
			    name);
	} else if (strcmp(mode, "mirrored") != 0) {
		check_found(check, CHECK_CLIENTS_WAIT, "volume %s: %s", name,
			    mode);
	} else if ((uint32_t)check->owner != check->own &&
		   number(volume, "partner") != check->own) {
		check_found(check, CHECK_RECORDS_ELSEWHERE, "volume %s: node "
			    "%d has its records", name,
			    (int)number(volume, "partner"));
	}
}

static void check_store(struct check *check, const char *name,
			const json_t *volume)
{
	json_int_t room = 4 * number(volume, "epoch_capacity");
	json_int_t lag = number(volume, "lag_ms");

	if (room > 0 && number(volume, "reserved") * 100 / room >
	    NEARLY_FULL_PERCENT) {
		check_found(check, CHECK_STORE_NEARLY_FULL, "volume %s: %d %% "
			    "of its mirror store are in use", name,
			    (int)(number(volume, "reserved") * 100 / room));
	}
	if (lag > LAG_MS && lag > 5 * check->config->epoch_interval_ms) {
		check_found(check, CHECK_LAG_HIGH, "volume %s: %d s of changes "
			    "are not on its disk", name, (int)(lag / 1000));
	}
	if (json_is_true(json_object_get(volume, "disk_failed"))) {
		check_found(check, CHECK_DISK_FAILED, "volume %s: its disk "
			    "does not take what was written", name);
	}
}

void check_records(struct check *check)
{
	struct config_volume **v;

	if (check->owner == -1) {
		check_found(check, CHECK_NOT_SERVED, "no node that can be "
			    "asked serves %s", check->service->name);
		return;
	}
	for (v = check->service->volumes; *v != NULL; v++) {
		const json_t *volume = check_volume(
			check, (uint32_t)check->owner, (*v)->name);

		if (volume != NULL) {
			check_mode(check, (*v)->name, volume);
			check_store(check, (*v)->name, volume);
		}
	}
}
