/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The nodes of the cluster, as ctdb's nodes file names them.
 *
 * Owns: pnn <-> identity address, and which one this machine is.
 * Does not own: who is alive (ctdb_view.h), links (peer.h, partner.h).
 */

#ifndef MIRRORD_NODES_H
#define MIRRORD_NODES_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#define NODES_MAX 64

struct node {
	bool used;		/* false: a line that is commented out */
	const char *name;	/* the address, as it is written */
	struct sockaddr_storage address;	/* with mirrord's port */
};

struct nodes {
	uint32_t own;
	uint32_t count;
	struct node node[NODES_MAX];
};

/*
 * Returns 0 or errno; *problem (child of mem_ctx) then says what is wrong.
 */
int nodes_read(TALLOC_CTX *mem_ctx,
	       const char *path,
	       uint16_t port,
	       struct nodes **nodes,
	       char **problem);

/* The node with this address, whatever the port; -1: none. */
int nodes_find(const struct nodes *nodes, const struct sockaddr_storage *ss);

#endif /* MIRRORD_NODES_H */
