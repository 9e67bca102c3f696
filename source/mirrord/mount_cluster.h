/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes of a cluster file system: mounted on every node, by others, always.
 *
 * Owns: whether such a volume is there and fit; that no smbd keeps files of it
 * open when it is given away.
 * Does not own: mounting: nobody here does.
 */

#ifndef MIRRORD_MOUNT_CLUSTER_H
#define MIRRORD_MOUNT_CLUSTER_H

#include "mount.h"

/*
 * MOUNT_HERE, or MOUNT_UNFIT, and *other (may be NULL; child of mem_ctx) says
 * what to do. 0 or errno.
 */
int mount_cluster_look(TALLOC_CTX *mem_ctx,
		       const struct config_volume *volume,
		       enum mount_state *state,
		       char **other);

/*
 * Does the file system answer? One that fences a dead node lets others wait for
 * that, and mirrord itself must not. 0 or errno of reading the label.
 */
struct tevent_req *mount_answer_send(TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     const struct config_volume *volume);
int mount_answer_recv(struct tevent_req *req);

/* Look for smbds and RPC servers of Samba with files on the volume. end: end
 * those that there are. */
struct tevent_req *mount_free_send(TALLOC_CTX *mem_ctx,
				   struct mirrord *mirrord,
				   const struct config_volume *volume,
				   bool end);
/* 0: there are none; EBUSY, or another errno. */
int mount_free_recv(struct tevent_req *req);

#endif /* MIRRORD_MOUNT_CLUSTER_H */
