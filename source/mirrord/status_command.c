/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mirrorctl status', see status_command.h. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "giveback_command.h"
#include "status_command.h"

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

const char *status_bytes(int64_t value)
{
	static const char units[] = "BKMGT";
	double v = (double)value;
	size_t unit = 0;

	while (v >= 1024 && unit + 2 < sizeof(units)) {
		v /= 1024;
		unit++;
	}
	return talloc_asprintf(mirrorctl_ctx(), unit == 0 ? "%.0f%c" :
			       "%.1f%c", v, units[unit]);
}

/* A number, or what there is instead of one. */
static const char *node_name(const json_t *object, const char *key,
			     const char *otherwise)
{
	const json_t *node = json_object_get(object, key);

	return json_is_integer(node) && json_integer_value(node) >= 0 ?
		talloc_asprintf(mirrorctl_ctx(), "node %" PRId64,
				(int64_t)json_integer_value(node)) : otherwise;
}

static char *join(const json_t *list)
{
	char *text = talloc_strdup(mirrorctl_ctx(), "");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		text = talloc_asprintf_append(
			text, "%s%s", i > 0 ? " " : "",
			json_string_value(json_array_get(list, i)));
	}
	return text;
}

static void show_configuration(const json_t *status)
{
	const json_t *configuration = json_object_get(status, "configuration");

	if (json_is_string(json_object_get(configuration, "problem"))) {
		printf("THE NEWEST CONFIGURATION IS NOT IN FORCE: %s\n",
		       string(configuration, "problem"));
	}
	if (json_is_string(json_object_get(configuration, "waits"))) {
		printf("%s", string(configuration, "waits"));
	}
}

static void show_nodes(const json_t *status)
{
	const json_t *nodes = json_object_get(status, "nodes");
	size_t i;

	printf("%-10s %-15s %-6s %s\n", "NODE", "ADDRESS", "LINK", "CTDB");
	for (i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);

		printf("%-10s %-15s %-6s %s\n",
		       node_name(node, "pnn", "-"), string(node, "address"),
		       strcmp(string(node, "link"), "self") == 0 ? "here" :
		       string(node, "link"), string(node, "ctdb"));
	}
	if (strcmp(string(status, "cluster"), "settled") != 0) {
		printf("the cluster is %s\n", string(status, "cluster"));
	}
	show_configuration(status);
}

static void show_services(const json_t *status)
{
	const json_t *services = json_object_get(status, "services");
	size_t i;

	printf("\n%-10s %-10s %-10s %-16s %s\n", "SERVICE", "IS AT", "HOME",
	       "VOLUMES", "ADDRESSES");
	for (i = 0; i < json_array_size(services); i++) {
		const json_t *one = json_array_get(services, i);
		const char *at = node_name(one, "host", "nowhere");
		const char *home = node_name(one, "home", "-");

		printf("%-10s %-10s %-10s %-16s %s\n", string(one, "name"), at,
		       strcmp(at, home) == 0 ? "there" : home,
		       join(json_object_get(one, "volumes")),
		       join(json_object_get(one, "addresses")));
	}
}

/* How full the mirror store is that holds what is not on the disk. */
static const char *store_text(const json_t *volume)
{
	const json_t *store = json_object_get(volume, "store");
	int64_t room = 4 * number(volume, "epoch_capacity");

	if (json_is_string(json_object_get(volume, "mode"))) {
		return room == 0 ? "-" : talloc_asprintf(
			mirrorctl_ctx(), "%" PRId64 "%% of %s",
			number(volume, "reserved") * 100 / room,
			status_bytes(room));
	}
	if (json_is_object(store)) {
		room = 4 * number(store, "capacity");
		return talloc_asprintf(
			mirrorctl_ctx(), "%" PRId64 "%% of %s",
			room == 0 ? 0 : number(store, "bytes") * 100 / room,
			status_bytes(room));
	}
	return "-";
}

static void show_volume(const json_t *volume)
{
	const json_t *store = json_object_get(volume, "store");
	bool owner = json_is_string(json_object_get(volume, "mode"));

	printf("%-10s %-12s %-10s %-10s %-14s ", string(volume, "name"),
	       string(volume, "role"), string(volume, "mode"),
	       node_name(volume, "partner", "-"), store_text(volume));
	if (owner) {
		printf("%5.1fs\n", (double)number(volume, "lag_ms") / 1000);
	} else if (json_is_object(store)) {
		printf("%6s  %" PRId64 " records\n", "-",
		       number(store, "records"));
	} else {
		printf("%6s\n", "-");
	}
	if (json_is_string(json_object_get(volume, "doing"))) {
		printf("           now: %s\n", string(volume, "doing"));
	}
	if (number(volume, "replay_total") > number(volume, "replay_done")) {
		printf("           replayed %" PRId64 " of %" PRId64 "\n",
		       number(volume, "replay_done"),
		       number(volume, "replay_total"));
	}
	if (json_is_string(json_object_get(volume, "problem"))) {
		printf("           %s\n", string(volume, "problem"));
	}
	if (json_is_true(json_object_get(volume, "disk_failed"))) {
		printf("           THE DISK FAILED: nothing is purged at the "
		       "partner any more\n");
	}
}

int status_command(struct arguments *arguments)
{
	json_t *reply = mirrorctl_ask(arguments, json_pack("{s:s}", "verb",
							   "status"));
	const json_t *status = json_object_get(reply, "status");
	const json_t *volumes = json_object_get(status, "volumes");
	size_t i;

	if (arguments->json) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(reply);
		return EXIT_DONE;
	}
	show_nodes(status);
	show_services(status);
	printf("\n%-10s %-12s %-10s %-10s %-14s %6s\n", "VOLUME", "HERE",
	       "MODE", "PARTNER", "STORE", "LAG");
	for (i = 0; i < json_array_size(volumes); i++) {
		show_volume(json_array_get(volumes, i));
	}
	giveback_show_away(json_object_get(status, "giveback"));
	json_decref(reply);
	return EXIT_DONE;
}
