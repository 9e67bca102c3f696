/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ctdb is set to, see check.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "check.h"

#define LEGACY "/etc/ctdb/events/legacy/"
#define CTDB_CONF "/etc/ctdb/ctdb.conf"

/* ---------------------- this node */

/* Columns of `ctdb -X nodestatus', behind |Node|IP|. */
static const struct {
	size_t column;
	enum check_reason reason;
	const char *text;
} flags[] = {
	{ 4, CHECK_NODE_BANNED, "is banned by ctdb" },
	{ 5, CHECK_NODE_DISABLED, "was disabled (ctdb disable)" },
	{ 6, CHECK_NODE_UNHEALTHY, "is unhealthy" },
	{ 7, CHECK_NODE_STOPPED, "was stopped (ctdb stop)" },
};

void check_ctdb_node(struct check *check)
{
	/* Its exit status tells of the flags, too. */
	char *text = check_command(check, "sh -c 'ctdb -X nodestatus; exit 0'");
	char *line = text != NULL ? strrchr(text, '\n') : NULL;
	size_t i, column = 0;
	char *field;

	/* The last line is that of this node. */
	if (line != NULL) {
		*line = '\0';
		line = strrchr(text, '\n');
	}
	line = line != NULL ? line + 1 : text;
	if (line == NULL || line[0] != '|' || strstr(line, "|Y|") == NULL) {
		check_found(check, CHECK_CTDB_DOWN, "ctdbd does not answer on "
			    "this node");
		return;
	}
	line++;
	while ((field = strsep(&line, "|")) != NULL) {
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			if (flags[i].column == column &&
			    strcmp(field, "1") == 0) {
				check_found(check, flags[i].reason,
					    "this node %s", flags[i].text);
			}
		}
		column++;
	}
}

/* ---------------------- scripts */

void check_ctdb_scripts(struct check *check)
{
	static const char *const needed[] = {
		"05.mirror", "10.mirror-address", "60.mirror", "50.samba"
	};
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (access(talloc_asprintf(check->ctx, LEGACY "%s.script",
					   needed[i]), X_OK) != 0) {
			check_found(check, CHECK_SCRIPT_DISABLED, "%s does not "
				    "run on this node", needed[i]);
		}
	}
	if (access(LEGACY "10.interface.script", X_OK) == 0) {
		check_found(check, CHECK_INTERFACE_SCRIPT_ENABLED,
			    "10.interface runs on this node, besides "
			    "10.mirror-address");
	}
}

/* ---------------------- ctdb.conf */

/* A value of a section; NULL: not set. */
static char *conf_value(struct check *check, const char *section,
			const char *key)
{
	FILE *file = fopen(CTDB_CONF, "re");
	char *line = NULL, *result = NULL;
	char now[64] = "";
	size_t size = 0;

	while (file != NULL && getline(&line, &size, file) != -1) {
		char *at = line + strspn(line, " \t");
		size_t length = strcspn(at, "=");

		at[strcspn(at, "\n")] = '\0';
		if (sscanf(at, "[%63[^]]", now) == 1 || at[0] == '#' ||
		    at[0] == ';' || at[length] != '=' ||
		    strcasecmp(now, section) != 0) {
			continue;
		}
		while (length > 0 && strchr(" \t", at[length - 1]) != NULL) {
			length--;
		}
		if (length == strlen(key) &&
		    strncasecmp(at, key, length) == 0) {
			at = strchr(at, '=') + 1;
			result = talloc_strdup(check->ctx,
					       at + strspn(at, " \t"));
		}
	}
	free(line);
	if (file != NULL) {
		fclose(file);
	}
	return result;
}

void check_ctdb_lock(struct check *check)
{
	const char *disabled = conf_value(check, "failover", "disabled");
	const char *lock = conf_value(check, "cluster", "cluster lock");

	if (lock == NULL) {
		lock = conf_value(check, "cluster", "recovery lock");
	}
	if (lock == NULL || lock[0] == '\0') {
		check_found(check, CHECK_NO_CLUSTER_LOCK, "ctdb.conf of this "
			    "node has no cluster lock");
	}
	if (disabled != NULL && (strcasecmp(disabled, "true") == 0 ||
				 strcasecmp(disabled, "yes") == 0 ||
				 strcmp(disabled, "1") == 0)) {
		check_found(check, CHECK_FAILOVER_DISABLED, "ctdb does not "
			    "move addresses");
	}
}

/* ---------------------- tunables */

long check_tunable(struct check *check, const char *name, long fallback)
{
	static char *list;
	const char *at;
	size_t length = strlen(name);

	if (list == NULL) {
		list = check_command(check, "ctdb listvars");
	}
	at = list;
	while (at != NULL && *at != '\0') {
		if (strncmp(at, name, length) == 0 &&
		    strchr(" =", at[length]) != NULL) {
			return strtol(at + length + strspn(at + length, " ="),
				      NULL, 10);
		}
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	return fallback;
}

/* Below min or above max is a reason; ctdb's own value when it does not say is
 * between them. */
static const struct {
	const char *name;
	long min;
	long max;
	enum check_reason reason;
} bounds[] = {
	{ "NoIPTakeover", 0, 0, CHECK_TUNABLE_NO_TAKEOVER },
	{ "NoIPFailback", 1, 1, CHECK_TUNABLE_FAILBACK },
	{ "IPAllocAlgorithm", 1, 2, CHECK_TUNABLE_ALGORITHM },
	{ "EventScriptTimeout", 30, 600, CHECK_TUNABLE_EVENT_SCRIPT_TIMEOUT },
	{ "TakeoverTimeout", 20, 600, CHECK_TUNABLE_TAKEOVER_TIMEOUT },
	{ "RecoveryDropAllIPs", 10, 30, CHECK_TUNABLE_DROP_ALL },
	{ "RerecoveryTimeout", 0, 3, CHECK_TUNABLE_RERECOVERY },
};

void check_ctdb_tunables(struct check *check)
{
	const char *text = conf_value(check, "cluster", "leader timeout");
	long leader = text != NULL ? strtol(text, NULL, 10) : 5;
	long detection;
	size_t i;

	for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		long value = check_tunable(check, bounds[i].name,
					   bounds[i].min);

		if (value < bounds[i].min || value > bounds[i].max) {
			check_found(check, bounds[i].reason, "%s is %ld",
				    bounds[i].name, value);
		}
	}
	detection = check_tunable(check, "KeepaliveInterval", 1) *
		(check_tunable(check, "KeepaliveLimit", 2) + 1);
	if (detection > 6 || detection < 3) {
		check_found(check, CHECK_TUNABLE_KEEPALIVE, "ctdb by itself "
			    "takes a node for dead after %ld seconds",
			    detection);
	}
	if (leader <= detection) {
		check_found(check, CHECK_LEADER_TIMEOUT, "leader timeout is "
			    "%ld s, and a death is noticed after %ld", leader,
			    detection);
	}
}
