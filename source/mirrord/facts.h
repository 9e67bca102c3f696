/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What has to be equal on all nodes, and what only the node itself can see, as
 * one JSON object: digests of configuration files and programs, event scripts,
 * devices, plain files, the state of its volumes.
 *
 * Owns: what is in it; asking another node for it (FACTS).
 * Does not own: what is made of it (check.h).
 */

#ifndef MIRRORD_FACTS_H
#define MIRRORD_FACTS_H

#include <jansson.h>
#include "mirrord.h"

/* wscript knows better. */
#ifndef MIRROR_VFS_DIR
#define MIRROR_VFS_DIR "/usr/lib/x86_64-linux-gnu/samba/vfs"
#define MIRROR_PRIVATE_LIBS "/usr/lib/x86_64-linux-gnu/samba"
#endif

struct partner_link;

/* Reads files and the first sectors of the volumes' disks, which may hang: for
 * a process that may. Never NULL but without memory. */
json_t *facts_collect(TALLOC_CTX *mem_ctx, const struct mirror_config *config);

/*
 * What file system is on a disk, and which: "ext4:UUID". Read without the page
 * cache, which must not keep what another node may change. NULL: *problem
 * (child of mem_ctx) says why. "-": none that is known.
 */
char *facts_device(TALLOC_CTX *mem_ctx, const char *device, char **problem);

/* Of this or another node, with "status" of its mirrord and "clock", seconds
 * since 1970 when it answered. file "": that; else what files_read() says of a
 * file there. */
struct tevent_req *facts_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord,
			      uint32_t node, const char *file);
/* 0 and *facts; ENOTCONN, ETIMEDOUT, EBADMSG, ENOMEM. */
int facts_recv(struct tevent_req *req, json_t **facts);

/* Another node asks. */
void facts_answer(struct partner_link *link, const char *file);

#endif /* MIRRORD_FACTS_H */
