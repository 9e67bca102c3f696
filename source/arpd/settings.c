/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What arpd is told, see settings.h. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "settings.h"

#define LINE_SIZE 4096

struct reader {
	TALLOC_CTX *problem_ctx;
	struct settings *settings;
	char *interconnect;	/* as they stand in the file */
	char *interfaces;
	char *path;		/* being read */
	unsigned line;
	char *problem;
};

#define PROBLEM(reader, ...)						\
	((reader)->problem = talloc_asprintf((reader)->problem_ctx,	\
					     __VA_ARGS__), false)

typedef bool (*line_reader)(struct reader *r, char *line);

/* Calls one with each line, without its newline and surrounding blanks. */
static bool read_lines(struct reader *r, const char *name, bool must_exist,
		       line_reader one)
{
	char line[LINE_SIZE];
	bool ok = true;
	FILE *file;

	r->path = talloc_asprintf(r->settings, "%s/%s", r->settings->base,
				  name);
	r->line = 0;
	file = fopen(r->path, "re");
	if (file == NULL) {
		return (errno == ENOENT && !must_exist) ||
			PROBLEM(r, "%s: %s; it is one of ctdb's files, see "
				"ctdb(7)", r->path, strerror(errno));
	}
	while (ok && fgets(line, sizeof(line), file) != NULL) {
		size_t length = strlen(line);
		char *start = line;

		r->line++;
		if (length == sizeof(line) - 1) {
			ok = PROBLEM(r, "%s, line %u: is too long", r->path,
				     r->line);
			break;
		}
		while (length > 0 && isspace((unsigned char)line[length - 1])) {
			line[--length] = '\0';
		}
		while (isspace((unsigned char)*start)) {
			start++;
		}
		ok = one(r, start);
	}
	fclose(file);
	return ok;
}

/* ------------------------------------------------------------ ctdb's files */

static bool node_line(struct reader *r, char *line)
{
	struct settings *s = r->settings;
	struct net_address *node = &s->nodes[s->num_nodes];

	if (line[0] == '\0') {
		return true;
	}
	if (s->num_nodes == SETTINGS_NODES_MAX) {
		return PROBLEM(r, "%s: has more than %d nodes", r->path,
			       SETTINGS_NODES_MAX);
	}
	s->num_nodes++;
	/* A deleted node keeps its number. */
	if (line[0] == '#') {
		return true;
	}
	if (!net_address_parse(line, node)) {
		return PROBLEM(r, "%s, line %u: `%s' is no IP address",
			       r->path, r->line, line);
	}
	return true;
}

static bool add_interface(struct reader *r, const char *name,
			  bool interconnect)
{
	struct settings *s = r->settings;
	struct settings_interface *row = &s->interfaces[s->num_interfaces];
	uint32_t i;

	if (strlen(name) >= NET_NAME_SIZE) {
		return PROBLEM(r, "%s: `%s' is too long for the name of an "
			       "interface", r->path, name);
	}
	for (i = 0; i < s->num_interfaces; i++) {
		if (strcmp(s->interfaces[i].name, name) == 0) {
			return true;
		}
	}
	if (s->num_interfaces == SETTINGS_INTERFACES_MAX) {
		return PROBLEM(r, "%s: more than %d interfaces", r->path,
			       SETTINGS_INTERFACES_MAX);
	}
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->interconnect = interconnect;
	s->num_interfaces++;
	return true;
}

static bool add_interfaces(struct reader *r, const char *names,
			   bool interconnect)
{
	char *list = talloc_strdup(r->settings, names);
	char *rest = list;
	char *name;

	while ((name = strtok_r(rest, " \t,", &rest)) != NULL) {
		if (!add_interface(r, name, interconnect)) {
			return false;
		}
	}
	talloc_free(list);
	return true;
}

static bool address_line(struct reader *r, char *line)
{
	struct settings *s = r->settings;
	char *rest = line;
	char *address;

	if (line[0] == '\0' || line[0] == '#') {
		return true;
	}
	address = strtok_r(rest, " \t", &rest);
	s->addresses = talloc_realloc(s, s->addresses, struct net_address,
				      s->num_addresses + 1);
	if (s->addresses == NULL) {
		return PROBLEM(r, "out of memory");
	}
	if (strchr(address, '/') == NULL ||
	    !net_address_parse(address, &s->addresses[s->num_addresses])) {
		return PROBLEM(r, "%s, line %u: `%s' is no address with a "
			       "prefix, for example: 192.168.1.20/24 eth0",
			       r->path, r->line, address);
	}
	s->num_addresses++;
	return rest == NULL || r->interfaces != NULL ||
		add_interfaces(r, rest, false);
}

/* ----------------------------------------------------------- script.options */

static bool set_text(struct reader *r, const char *value, char **field)
{
	*field = talloc_strdup(r->settings, value);
	return *field != NULL || PROBLEM(r, "out of memory");
}

static bool set_ms(struct reader *r, const char *name, const char *value,
		   uint32_t min, uint32_t max, uint32_t *field)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)value[0]) || *end != '\0' ||
	    number < min || number > max) {
		return PROBLEM(r, "%s, line %u: %s=%s: must be a number from "
			       "%u to %u (milliseconds)", r->path, r->line,
			       name, value, min, max);
	}
	*field = number;
	return true;
}

static bool set_bool(struct reader *r, const char *name, const char *value,
		     bool *field)
{
	*field = strcmp(value, "yes") == 0;
	return *field || strcmp(value, "no") == 0 ||
		PROBLEM(r, "%s, line %u: %s=%s: must be yes or no", r->path,
			r->line, name, value);
}

static bool set_option(struct reader *r, const char *name, const char *value)
{
	struct settings *s = r->settings;

	if (strcmp(name, "CTDB_ARPD_INTERCONNECT") == 0) {
		return set_text(r, value, &r->interconnect);
	}
	if (strcmp(name, "CTDB_ARPD_INTERFACES") == 0) {
		return set_text(r, value, &r->interfaces);
	}
	if (strcmp(name, "CTDB_ARPD_BEACON") == 0) {
		return set_ms(r, name, value, 10, 10000, &s->beacon_ms);
	}
	if (strcmp(name, "CTDB_ARPD_DETECTION") == 0) {
		return set_ms(r, name, value, 30, 60000, &s->detection_ms);
	}
	if (strcmp(name, "CTDB_ARPD_SILENCE") == 0) {
		return set_ms(r, name, value, 30, 60000, &s->silence_ms);
	}
	if (strcmp(name, "CTDB_ARPD_HOLD") == 0) {
		return set_ms(r, name, value, 0, 600000, &s->hold_ms);
	}
	if (strcmp(name, "CTDB_ARPD_KEY_FILE") == 0) {
		return set_text(r, value, (char **)&s->key_file);
	}
	if (strcmp(name, "CTDB_ARPD_USER") == 0) {
		return set_text(r, value, (char **)&s->user);
	}
	if (strcmp(name, "CTDB_ARPD_DEATH") == 0) {
		return set_bool(r, name, value, &s->death);
	}
	return PROBLEM(r, "%s, line %u: there is no option %s; see "
		       "mirror-arpd(8)", r->path, r->line, name);
}

/* The file is a shell script, of which we understand assignments. */
static bool option_line(struct reader *r, char *line)
{
	char *value, *end;
	char quote;

	if (strncmp(line, "export ", 7) == 0) {
		line += 7;
	}
	if (strncmp(line, "CTDB_ARPD_", 10) != 0) {
		return true;
	}
	value = strchr(line, '=');
	if (value == NULL) {
		return PROBLEM(r, "%s, line %u: must be NAME=VALUE", r->path,
			       r->line);
	}
	*value++ = '\0';
	quote = *value == '"' || *value == '\'' ? *value++ : '\0';
	end = quote != '\0' ? strchr(value, quote) :
		value + strcspn(value, " \t#");
	if (end == NULL) {
		return PROBLEM(r, "%s, line %u: the closing %c is missing",
			       r->path, r->line, quote);
	}
	*end = '\0';
	if (strpbrk(value, "$`\\") != NULL) {
		return PROBLEM(r, "%s, line %u: %s: arpd reads this file, too, "
			       "and does not know variables; write the value "
			       "itself", r->path, r->line, line);
	}
	return set_option(r, line, value);
}

/* ---------------------------------------------------------------------- all */

static bool check(struct reader *r)
{
	const struct settings *s = r->settings;

	if (s->num_interfaces == 0 || !s->interfaces[0].interconnect) {
		return PROBLEM(r, "%s/script.options: name the interface "
			       "between the nodes, for example: "
			       "CTDB_ARPD_INTERCONNECT=\"eth1\"", s->base);
	}
	if (s->detection_ms < 2 * s->beacon_ms) {
		return PROBLEM(r, "%s/script.options: CTDB_ARPD_DETECTION=%u "
			       "is less than two beacons (CTDB_ARPD_BEACON=%u)"
			       ": one that is late would be a failure",
			       s->base, s->detection_ms, s->beacon_ms);
	}
	if (s->silence_ms < s->detection_ms) {
		return PROBLEM(r, "%s/script.options: CTDB_ARPD_SILENCE=%u "
			       "is less than CTDB_ARPD_DETECTION=%u: a node "
			       "would be silent while its paths are up",
			       s->base, s->silence_ms, s->detection_ms);
	}
	return true;
}

struct settings *settings_read(TALLOC_CTX *mem_ctx,
			       const char *base,
			       char **problem)
{
	struct settings *s = talloc_zero(mem_ctx, struct settings);
	struct reader r = { .problem_ctx = mem_ctx, .settings = s };

	if (s == NULL) {
		*problem = NULL;
		return NULL;
	}
	s->base = talloc_strdup(s, base);
	s->key_file = "/etc/samba/mirror.key";
	s->user = "nobody";
	s->run_directory = "/run/samba-mirror";
	/* TCP sends again after 0.2 s, and then after 0.6 s: who is to wait for
	 * less has to find another way before the first. */
	s->beacon_ms = 50;
	s->detection_ms = 150;
	/* A machine that stands still for so long is no dead one yet. */
	s->silence_ms = 300;
	s->hold_ms = 1000;
	s->death = true;
	if (!read_lines(&r, "script.options", false, option_line) ||
	    !read_lines(&r, "nodes", true, node_line) ||
	    (r.interconnect != NULL &&
	     !add_interfaces(&r, r.interconnect, true)) ||
	    (r.interfaces != NULL &&
	     !add_interfaces(&r, r.interfaces, false)) ||
	    !read_lines(&r, "public_addresses", false, address_line) ||
	    !check(&r)) {
		*problem = r.problem;
		talloc_free(s);
		return NULL;
	}
	return s;
}
