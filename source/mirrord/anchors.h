/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The anchors of services in ctdb: where the registry gives an anchor its
 * prefix (192.168.1.20/24@eth0), nobody has to edit ctdb's public_addresses on
 * each node.
 *
 * Owns: lines of these anchors in public_addresses of this node, between two
 * marks; telling the running ctdbd of an address that is new or gone.
 * Does not own: all other lines; on which node an address is (ctdb).
 *
 * ctdbd of this node is told by `ctdb addip' and `ctdb delip', which stop no
 * takeover of other addresses (`ctdb reloadips' does, for as long as it runs).
 * The lines of others are read again when the configuration changes: a service
 * that was stopped comes back with the line that its administrator wrote.
 * A new address comes to ctdbd of its home first, so that it begins there; one
 * that is stopped leaves ctdbd of the node that has it last, so that it does
 * not move.
 */

#ifndef MIRRORD_ANCHORS_H
#define MIRRORD_ANCHORS_H

#include "mirrord.h"

struct anchors;

int anchors_new(struct mirrord *mirrord, struct anchors **anchors);

/* mirrord->config is another one. */
void anchors_configure(struct anchors *anchors);

/* The name of the interface that has an address in that network, child of
 * mem_ctx; NULL: none has. */
typedef const char *(*anchors_interface)(TALLOC_CTX *mem_ctx,
					 const char *address,
					 uint32_t prefix);

/*
 * What public_addresses shall be, when it is text now. Child of mem_ctx; NULL:
 * no memory. *problem (child of mem_ctx) is an anchor that got no line.
 */
char *anchors_text(TALLOC_CTX *mem_ctx,
		   const char *text,
		   const struct mirror_config *config,
		   anchors_interface interface,
		   char **problem);

#endif /* MIRRORD_ANCHORS_H */
