/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cluster's configuration: parametric options in [global] of smb.conf, so
 * that they may live in the clustered registry and `net conf` shows and sets
 * them.
 *
 * Owns: names, defaults and bounds of all options (one table, config.c), and
 * the message for a wrong one.
 * Does not own: loading smb.conf (the caller did: smbd, or lp_load_global()).
 *
 *   mirror:services = FILES            all services, by name
 *   mirror:FILES addresses = 10.0.0.5  the first is the anchor (ctdb places it)
 *   mirror:FILES names = FILES         NetBIOS names
 *   mirror:FILES volumes = data
 *                  or 10.0.0.5/24@eth0: then ctdb is told of it, too
 *   mirror:FILES home = 0              pnn
 *   mirror:FILES enabled = no          served nowhere; before it is removed
 *   mirror:FILES giveback = at 03:00   see giveback_policy.h
 *   mirror:data kind = shared
 *   mirror:data device = /dev/disk/by-id/...
 *   mirror:data mount point = /srv/data
 *   mirror:data mount options = noatime
 *   mirror:data fence = yes            kind = cluster may say `no'
 */

#ifndef MIRROR_CONFIG_H
#define MIRROR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>
#include "giveback_policy.h"
#include "config_fence.h"

enum config_flush { CONFIG_FLUSH_DISK, CONFIG_FLUSH_MIRRORED };
enum config_degraded { CONFIG_WRITE_THROUGH, CONFIG_WRITE_BACK };

struct config_volume {
	const char *name;
	/* "shared": a disk, mounted by the owner alone; "cluster": mounted on
	 * every node by its own cluster file system. */
	const char *kind;
	bool cluster;
	/* A node that may have it is cut off by the fence command before
	 * another one takes it. */
	bool fence;
	const char *device;		/* cluster: "" */
	const char *mount_point;
	const char *mount_options;	/* may be "" */
	struct config_service *service;
};

/* Where an address is to be, as far as it was said. */
struct config_place {
	uint32_t prefix;		/* 0: not said */
	const char *interface;		/* NULL: the one with the network */
};

struct config_service {
	const char *name;
	const char **addresses;		/* NULL terminated, as inet_ntop() */
	struct config_place *places;	/* one for each address */
	bool enabled;			/* false: nobody serves it */
	const char **names;		/* NULL terminated */
	struct config_volume **volumes;	/* NULL terminated */
	uint32_t home;
	struct giveback_policy giveback;
};

struct mirror_config {
	struct config_service **services;	/* NULL terminated */
	struct config_volume **volumes;		/* all, NULL terminated */
	const char *fence_command;	/* NULL: none; %N = pnn to cut off */
	struct config_fence **fences;	/* by agents; NULL terminated */
	const char **files;	/* plain files that all nodes have; as above */
	uint32_t fence_timeout_ms;
	const char *key_file;
	bool encrypt;
	uint16_t port;
	uint64_t store_size;		/* bytes a volume's store may take */
	const char *store_directory;	/* of all stores; in RAM by default */
	const char *run_directory;	/* state pages, control socket */
	uint32_t epoch_interval_ms;
	/* How long a partner that ctdb sees alive may be out of reach before
	 * the owner goes on without it. */
	uint32_t partner_timeout_ms;
	uint32_t lease_ms;
	/* A home node is well, and the service mirrored, for so long before
	 * it goes home by itself. */
	uint32_t giveback_delay_s;
	enum config_flush flush;
	enum config_degraded degraded;
	const char *nodes_file;		/* ctdb's: line n = address of pnn n */
	const char *ctdb_socket;	/* where ctdbd answers */
	const char *notify_trap;	/* "ADDRESS COMMUNITY"; NULL: none */
	const char *notify_mail;	/* addresses; NULL: none */
	const char *notify_severity;	/* a name that event_file.h knows */
	uint32_t notify_rate;		/* a minute */
	/*
	 * smbd's databases of opens and locks are each node's own, not ctdb's:
	 * right for volumes that one node serves at a time. `no' for all of
	 * ctdb:locking.tdb, ctdb:brlock.tdb, ctdb:leases.tdb and
	 * ctdb:smbXsrv_open_global.tdb; Samba has the options.
	 */
	bool local_locks;
};

/*
 * The options that have one value, as a table; for manuals and `mirrorctl
 * options'. name is NULL at the end.
 */
struct config_option_info {
	const char *name;
	const char *fallback;	/* NULL: none */
	const char *help;
};
const struct config_option_info *config_options(void);

/*
 * Read the options. Returns NULL when one is wrong; *problem (child of
 * mem_ctx) then names it, says what is wrong and gives an example.
 */
struct mirror_config *config_read(TALLOC_CTX *mem_ctx, char **problem);

const struct config_volume *config_volume_by_name(
	const struct mirror_config *config, const char *name);
/* The volume whose mount point holds path (itself or below); NULL: none. */
const struct config_volume *config_volume_by_path(
	const struct mirror_config *config, const char *path);
const struct config_service *config_service_by_name(
	const struct mirror_config *config, const char *name);
/* The service that has this address; NULL: none. */
const struct config_service *config_service_by_address(
	const struct mirror_config *config, const char *address);
/* By either. */
const struct config_service *config_service_find(
	const struct mirror_config *config, const char *address_or_name);

/* Of all services, one in a line; child of mem_ctx; NULL: no memory. */
char *config_service_names(TALLOC_CTX *mem_ctx,
			   const struct mirror_config *config);

/*
 * Lines KEY=VALUE for event scripts, child of mem_ctx; NULL: no memory. The
 * names in it have no blanks, quotes or the like.
 */
char *config_service_describe(TALLOC_CTX *mem_ctx,
			      const struct config_service *service);

#endif /* MIRROR_CONFIG_H */
