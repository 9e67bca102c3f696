/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Another configuration comes into force while services run.
 *
 * Owns: noticing that the registry, smb.conf or ctdb's nodes file changed;
 * reading them in a process of its own (the registry does not answer during a
 * recovery of ctdb, and mirrord has leases to grant); the configuration in
 * force, in memory and in the run directory for smbd; what is wrong with a
 * newer one.
 * Does not own: which changes may be (reconfigure_check.h), volumes
 * (service.h), stores (partner.h), links (peer.h), ctdb's public addresses
 * (anchors.h).
 *
 *   changed ──► read ──► right? may it be? ──► in force: volumes, stores,
 *                 │         │ no                links, anchors, then the event
 *                 │         ▼                   "reconfigure" of ctdb's scripts
 *                 └──►  the old one stays; told by event and status, tried
 *                       again every second
 */

#ifndef MIRRORD_RECONFIGURE_H
#define MIRRORD_RECONFIGURE_H

#include <jansson.h>
#include "../common/config_table.h"
#include "mirrord.h"

struct reconfigure;

/*
 * table is what mirrord->config was read from, which becomes the one in force.
 * problem (may be NULL) is what is wrong with the one that should be.
 */
int reconfigure_new(struct mirrord *mirrord,
		    const char *config_file,
		    struct config_table *table,
		    const char *problem,
		    struct reconfigure **reconfigure);

/* Read it now. What came of it: reconfigure_problem(), reconfigure_told(). */
struct tevent_req *reconfigure_send(TALLOC_CTX *mem_ctx,
				    struct reconfigure *reconfigure);
/* 0, ETIMEDOUT, EINVAL: there is a problem. */
int reconfigure_recv(struct tevent_req *req);

/* NULL: the newest configuration is in force. */
const char *reconfigure_problem(const struct reconfigure *reconfigure);
/* Lines: what the last one changed, what waits for a restart. */
const char *reconfigure_told(const struct reconfigure *reconfigure);

/* For status: problem, what waits; as an object. */
json_t *reconfigure_json(const struct reconfigure *reconfigure);

#endif /* MIRRORD_RECONFIGURE_H */
