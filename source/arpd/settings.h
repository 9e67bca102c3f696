/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What arpd is told: ctdb's files.
 *
 * Owns: their names, defaults and bounds, and the message for a wrong line.
 * Does not own: which interfaces there are just now (interfaces.h).
 *
 * Not in the registry, unlike the rest of the configuration: ctdb needs the
 * routes of arpd before it can answer for the registry. So, as for ctdb's own
 * event scripts, in script.options:
 *
 *   CTDB_ARPD_INTERCONNECT="ic0 ic1"   in the order of preference
 *   CTDB_ARPD_INTERFACES               client interfaces; as a rule those of
 *                                      public_addresses
 *   CTDB_ARPD_BEACON=50                ms between two beacons
 *   CTDB_ARPD_DETECTION=150            ms without one: the path is down
 *   CTDB_ARPD_SILENCE=300              ms without one on any path: the node is
 *                                      silent
 *   CTDB_ARPD_HOLD=1000                ms that a path is good before it is up
 *   CTDB_ARPD_KEY_FILE=/etc/samba/mirror.key
 *   CTDB_ARPD_USER=nobody
 *   CTDB_ARPD_DEATH=yes                tell ctdb of nodes that are silent
 */

#ifndef ARPD_SETTINGS_H
#define ARPD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "net.h"

#define SETTINGS_INTERFACES_MAX 16
#define SETTINGS_NODES_MAX 32

struct settings_interface {
	char name[NET_NAME_SIZE];
	bool interconnect;
};

struct settings {
	/* interconnects first, in the order in which paths are preferred */
	struct settings_interface interfaces[SETTINGS_INTERFACES_MAX];
	uint32_t num_interfaces;
	/* line n of the nodes file; family 0: a line that is commented out */
	struct net_address nodes[SETTINGS_NODES_MAX];
	uint32_t num_nodes;
	/* of public_addresses, with their prefixes */
	struct net_address *addresses;
	uint32_t num_addresses;
	uint32_t beacon_ms;
	uint32_t detection_ms;
	uint32_t silence_ms;
	uint32_t hold_ms;
	const char *key_file;
	const char *user;
	const char *run_directory;	/* /run/samba-mirror */
	const char *base;		/* /etc/ctdb, CTDB_BASE */
	bool death;
};

/*
 * Read the files in base. NULL when something is wrong; *problem (child of
 * mem_ctx) then names file and line and says what to write.
 */
struct settings *settings_read(TALLOC_CTX *mem_ctx,
			       const char *base,
			       char **problem);

#endif /* ARPD_SETTINGS_H */
