/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb, and what the checks share: see check.h. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static const check_function checks[] = {
	check_ctdb_node,
	check_fence,
	check_partner,
	check_records,
	check_volumes,
	check_equal_devices,
	check_addresses,
	check_programs,
	check_module,
	check_memory,
	check_ctdb_scripts,
	check_ctdb_lock,
	check_ctdb_tunables,
	check_equal_files,
	check_equal_scripts,
	check_equal_clocks,
	check_plain_files,
};

/* ------------------------------------------------------------------- shared */

void check_found(struct check *check, enum check_reason reason,
		 const char *format, ...)
{
	va_list ap;
	char *text;

	va_start(ap, format);
	text = talloc_vasprintf(check->ctx, format, ap);
	va_end(ap);
	json_array_append_new(check->found, json_pack(
		"{s:s,s:s,s:s,s:s}", "id", check_reason_id(reason),
		"severity", check_severity_name(check_reason_severity(reason)),
		"text", text != NULL ? text : "",
		"action", check_reason_action(reason)));
}

const char *check_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static const json_t *find_volume(const json_t *status, const char *volume)
{
	const json_t *volumes = json_object_get(status, "volumes");
	size_t i;

	for (i = 0; i < json_array_size(volumes); i++) {
		const json_t *one = json_array_get(volumes, i);

		if (strcmp(check_text(one, "name"), volume) == 0) {
			return one;
		}
	}
	return NULL;
}

const json_t *check_volume(const struct check *check, uint32_t node,
			   const char *volume)
{
	if (node == check->own) {
		return find_volume(check->status, volume);
	}
	return find_volume(json_object_get(check->facts[node], "status"),
			   volume);
}

char *check_command(struct check *check, const char *command)
{
	char *line = talloc_asprintf(check->ctx, "timeout 10 %s </dev/null "
				     "2>/dev/null", command);
	FILE *pipe = line != NULL ? popen(line, "re") : NULL;
	char *text = talloc_strdup(check->ctx, "");
	char buf[4096];
	size_t n;
	int status;

	if (pipe == NULL) {
		return NULL;
	}
	while (text != NULL &&
	       (n = fread(buf, 1, sizeof(buf), pipe)) > 0) {
		text = talloc_strndup_append(text, buf, n);
	}
	status = pclose(pipe);
	return status == 0 ? text : NULL;
}

/* ------------------------------------------------------------------ prepare */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static const char *link_of(const struct check *check, uint32_t node)
{
	const json_t *nodes = json_object_get(check->status, "nodes");
	size_t i;

	for (i = 0; i < json_array_size(nodes); i++) {
		const json_t *one = json_array_get(nodes, i);

		if (json_integer_value(json_object_get(one, "pnn")) == node) {
			return check_text(one, "link");
		}
	}
	return "";
}

static void get_facts(struct arguments *arguments, struct check *check)
{
	uint32_t node;

	for (node = 0; node < check->nodes->count; node++) {
		const char *link = link_of(check, node);
		json_t *reply;

		if (strcmp(link, "up") != 0 && strcmp(link, "self") != 0) {
			continue;
		}
		check->asked[node] = now();
		reply = mirrorctl_ask(arguments, json_pack(
			"{s:s,s:i,s:i}", "verb", "facts", "node", (int)node,
			"wait_ms", 20000));
		check->answered[node] = now();
		check->facts[node] = json_incref(json_object_get(reply,
								 "facts"));
		json_decref(reply);
		if (check->facts[node] == NULL) {
			check_found(check, CHECK_FACTS_MISSING, "node %u does "
				    "not tell how it is set up", node);
		}
	}
}

/* All its volumes go together. */
static int find_owner(const struct check *check)
{
	const char *first = check->service->volumes[0]->name;
	uint32_t node;

	for (node = 0; node < check->nodes->count; node++) {
		const json_t *volume = check_volume(check, node, first);

		if (json_is_string(json_object_get(volume, "mode"))) {
			return (int)node;
		}
	}
	return -1;
}

/* ---------------------- the verb */

static int show(const struct check *check)
{
	size_t i, n = json_array_size(check->found);

	if (n == 0) {
		printf("node %u can take over service %s: nothing was found "
		       "that speaks against it\n", check->own,
		       check->service->name);
		return EXIT_DONE;
	}
	for (i = 0; i < n; i++) {
		const json_t *one = json_array_get(check->found, i);

		printf("%-10s %s: %s\n           %s\n",
		       check_text(one, "severity"), check_text(one, "id"),
		       check_text(one, "text"), check_text(one, "action"));
	}
	return EXIT_FAILED;
}

static int list_reasons(void)
{
	enum check_reason reason;

	for (reason = 0; reason < CHECK_REASON_END; reason++) {
		printf("%s\t%s\t%s\n", check_reason_id(reason),
		       check_severity_name(check_reason_severity(reason)),
		       check_reason_action(reason));
	}
	return EXIT_DONE;
}

int check_takeover_command(struct arguments *arguments)
{
	struct check *check = talloc_zero(mirrorctl_ctx(), struct check);
	struct nodes *nodes;
	json_t *reply;
	char *problem;
	int i, ret;

	if (arguments->reasons) {
		return list_reasons();
	}
	if (arguments->count == 0) {
		fprintf(stderr, "mirrorctl: of which service?\n");
		return EXIT_USAGE;
	}
	check->ctx = check;
	check->fence_test = arguments->fence_test;
	check->config = mirrorctl_config(arguments);
	check->service = config_service_find(check->config,
					     arguments->words[0]);
	if (check->service == NULL) {
		fprintf(stderr, "mirrorctl: no such service: mirrorctl status "
			"shows their names\n");
		return EXIT_USAGE;
	}
	ret = nodes_read(check, check->config->nodes_file,
			 check->config->port, &nodes, &problem);
	if (ret != 0) {
		fprintf(stderr, "mirrorctl: %s\n", problem);
		return EXIT_FAILED;
	}
	check->nodes = nodes;
	check->own = nodes->own;
	check->found = json_array();
	reply = mirrorctl_ask(arguments, json_pack("{s:s}", "verb", "status"));
	check->status = json_object_get(reply, "status");
	get_facts(arguments, check);
	check->owner = find_owner(check);

	for (i = 0; i < (int)(sizeof(checks) / sizeof(checks[0])); i++) {
		checks[i](check);
	}
	if (!arguments->json) {
		return show(check);
	}
	json_dumpf(json_pack("{s:s,s:i,s:o,s:O}", "service",
			     check->service->name, "node", (int)check->own,
			     "owner", check->owner == -1 ? json_null() :
			     json_integer(check->owner),
			     "reasons", check->found), stdout, JSON_INDENT(2));
	printf("\n");
	return json_array_size(check->found) == 0 ? EXIT_DONE : EXIT_FAILED;
}
