/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Have ctdb's files changed, see settings_watch.h. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "settings_watch.h"

static const char *const files[SETTINGS_FILES] = {
	"script.options", "nodes", "public_addresses",
};

static void look_at(struct settings_stamp *stamps, const char *base)
{
	char path[PATH_MAX];
	struct stat st;
	size_t i;

	for (i = 0; i < SETTINGS_FILES; i++) {
		/* No byte of it but those below: they are compared. */
		memset(&stamps[i], 0, sizeof(stamps[i]));
		snprintf(path, sizeof(path), "%s/%s", base, files[i]);
		if (stat(path, &st) == 0) {
			stamps[i].inode = st.st_ino;
			stamps[i].size = st.st_size;
			stamps[i].changed = st.st_ctim;
		}
	}
}

static bool same(const struct settings_stamp *a,
		 const struct settings_stamp *b)
{
	return memcmp(a, b, SETTINGS_FILES * sizeof(*a)) == 0;
}

bool settings_watch_look(struct settings_watch *watch, const char *base)
{
	struct settings_stamp now[SETTINGS_FILES];
	bool quiet;

	look_at(now, base);
	quiet = same(now, watch->seen);
	memcpy(watch->seen, now, sizeof(now));
	if (!quiet || same(now, watch->read)) {
		return false;
	}
	memcpy(watch->read, now, sizeof(now));
	return true;
}

static bool same_addresses(const struct net_address *a, uint32_t num_a,
			   const struct net_address *b, uint32_t num_b)
{
	uint32_t i;

	for (i = 0; i < num_a && i < num_b; i++) {
		if (!net_address_same(&a[i], &b[i]) ||
		    a[i].prefix != b[i].prefix) {
			return false;
		}
	}
	return num_a == num_b;
}

bool settings_same(const struct settings *a, const struct settings *b)
{
	uint32_t i;

	for (i = 0; i < a->num_interfaces && i < b->num_interfaces; i++) {
		if (strcmp(a->interfaces[i].name, b->interfaces[i].name) != 0 ||
		    a->interfaces[i].interconnect !=
		    b->interfaces[i].interconnect) {
			return false;
		}
	}
	return a->num_interfaces == b->num_interfaces &&
		same_addresses(a->nodes, a->num_nodes, b->nodes,
			       b->num_nodes) &&
		same_addresses(a->addresses, a->num_addresses, b->addresses,
			       b->num_addresses) &&
		a->beacon_ms == b->beacon_ms &&
		a->detection_ms == b->detection_ms &&
		a->silence_ms == b->silence_ms && a->hold_ms == b->hold_ms &&
		strcmp(a->key_file, b->key_file) == 0 &&
		strcmp(a->user, b->user) == 0 && a->death == b->death;
}
