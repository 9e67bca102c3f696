/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is to be equal on this node and the others: see check.h. */

#include <math.h>
#include <string.h>
#include "check.h"
#include "files.h"

/* More than the time that the question takes, s. */
#define CLOCKS_S 2.0

static const struct {
	const char *name;	/* as in facts.c */
	enum check_reason reason;
	const char *what;
} digests[] = {
	{ "smb.conf", CHECK_SMB_CONF_DIFFERS, "/etc/samba/smb.conf" },
	{ "ctdb.conf", CHECK_CTDB_CONF_DIFFERS, "/etc/ctdb/ctdb.conf" },
	{ "ctdb.tunables", CHECK_TUNABLES_DIFFER, "/etc/ctdb/ctdb.tunables" },
	{ "script.options", CHECK_OPTIONS_DIFFER, "/etc/ctdb/script.options" },
	{ "public_addresses", CHECK_PUBLIC_ADDRESSES_DIFFER,
	  "/etc/ctdb/public_addresses" },
	{ "nodes", CHECK_NODES_DIFFER, "the nodes file" },
	{ "mirrord", CHECK_MIRRORD_DIFFERS, "the mirrord that runs" },
	{ "module", CHECK_MODULE_DIFFERS, "mirror.so" },
	{ "smbd", CHECK_SAMBA_DIFFERS, "smbd" },
	{ "users", CHECK_USERS_DIFFER, "the list of users and groups" },
};

static void check_digests(struct check *check, uint32_t node)
{
	const json_t *own = json_object_get(check->facts[check->own],
					    "digests");
	const json_t *other = json_object_get(check->facts[node], "digests");
	size_t i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		const char *here = check_text(own, digests[i].name);
		const char *there = check_text(other, digests[i].name);

		/* An older mirrord may not tell it. */
		if (here[0] != '\0' && there[0] != '\0' &&
		    strcmp(here, there) != 0) {
			check_found(check, digests[i].reason, "%s is not the "
				    "same here and on node %u%s",
				    digests[i].what, node,
				    strcmp(here, "-") == 0 ?
				    ": it is missing here" :
				    strcmp(there, "-") == 0 ?
				    ": it is missing there" : "");
		}
	}
}

void check_equal_files(struct check *check)
{
	uint32_t node;

	for (node = 0; node < check->nodes->count; node++) {
		if (node != check->own && check->facts[node] != NULL) {
			check_digests(check, node);
		}
	}
}

/* ------------------------------------------------------------------ scripts */

static void compare_scripts(struct check *check, uint32_t a, uint32_t b)
{
	json_t *first = json_object_get(check->facts[a], "scripts");
	const json_t *second = json_object_get(check->facts[b], "scripts");
	const char *name;
	json_t *value;

	json_object_foreach(first, name, value) {
		const char *there = check_text(second, name);

		if (there[0] == '\0') {
			check_found(check, CHECK_SCRIPTS_DIFFER, "%s is "
				    "enabled on node %u and not on node %u",
				    name, a, b);
		} else if (a == check->own &&
			   strcmp(there, json_string_value(value)) != 0) {
			check_found(check, CHECK_SCRIPTS_DIFFER, "%s is not "
				    "the same on nodes %u and %u", name, a, b);
		}
	}
}

void check_equal_scripts(struct check *check)
{
	uint32_t node;

	if (check->facts[check->own] == NULL) {
		return;
	}
	for (node = 0; node < check->nodes->count; node++) {
		if (node != check->own && check->facts[node] != NULL) {
			compare_scripts(check, check->own, node);
			compare_scripts(check, node, check->own);
		}
	}
}

/* ------------------------------------------------------------------- clocks */

void check_equal_clocks(struct check *check)
{
	uint32_t node;

	for (node = 0; node < check->nodes->count; node++) {
		double there = json_number_value(json_object_get(
			check->facts[node], "clock"));
		double off = 0;

		if (node == check->own || check->facts[node] == NULL) {
			continue;
		}
		if (there < check->asked[node]) {
			off = there - check->asked[node];
		} else if (there > check->answered[node]) {
			off = there - check->answered[node];
		}
		if (fabs(off) > CLOCKS_S) {
			check_found(check, CHECK_CLOCKS_DIFFER, "node %u is "
				    "%.1f s %s this one", node, fabs(off),
				    off > 0 ? "ahead of" : "behind");
		}
	}
}

/* -------------------------------------------------------------- plain files */

static void check_file(struct check *check, const char *path, const char *here,
		       uint32_t node)
{
	const char *there = check_text(json_object_get(check->facts[node],
						       "files"), path);

	/* A node whose mirrord does not know of it yet tells nothing. */
	if (there[0] == '\0' || strcmp(here, there) == 0) {
		return;
	}
	check_found(check, CHECK_FILE_DIFFERS, "%s is not the same here and on "
		    "node %u%s", path, node, strcmp(there, "-") == 0 ?
		    ": it is missing there" :
		    strncmp(here, there, 32) == 0 ? ": its owner or mode" : "");
}

void check_plain_files(struct check *check)
{
	json_t *own = files_facts(check->ctx, check->config->files);
	const char **file;
	uint32_t node;

	for (file = check->config->files; *file != NULL; file++) {
		const char *here = check_text(own, *file);

		if (strcmp(here, "-") == 0) {
			check_found(check, CHECK_FILE_MISSING, "%s is not on "
				    "this node", *file);
			continue;
		}
		for (node = 0; node < check->nodes->count; node++) {
			if (node != check->own) {
				check_file(check, *file, here, node);
			}
		}
	}
	json_decref(own);
}
