/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mounting and unmounting of a volume.
 *
 * Owns: what the kernel's mount table says, running mount(8) and umount(8),
 * finding who keeps a volume busy.
 * Does not own: whether it may be mounted (takeover.h).
 */

#ifndef MIRRORD_MOUNT_H
#define MIRRORD_MOUNT_H

#include "mirrord.h"

enum mount_state {
	MOUNT_NONE,		/* neither is in use */
	MOUNT_HERE,		/* the device, at the mount point */
	MOUNT_ELSEWHERE,	/* the device, at another place */
	MOUNT_OTHER,		/* something else is at the mount point */
	MOUNT_UNFIT		/* of a cluster volume: other says why */
};

/* other (may be NULL; child of mem_ctx): the place, or what is there. */
int mount_look(TALLOC_CTX *mem_ctx,
	       const struct config_volume *volume,
	       enum mount_state *state,
	       char **other);

struct tevent_req *mount_send(TALLOC_CTX *mem_ctx,
			      struct tevent_context *ev,
			      const struct config_volume *volume);
/* 0; else *problem (child of mem_ctx) is what mount said. */
int mount_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem);

struct tevent_req *umount_send(TALLOC_CTX *mem_ctx,
			       struct tevent_context *ev,
			       const struct config_volume *volume);
int umount_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem);

/*
 * Processes that use the volume: smbds and Samba's RPC servers are ended, the
 * others are named in the log. Nobody waits for it.
 */
void mount_end_holders(struct mirrord *mirrord,
		       const struct config_volume *volume);

#endif /* MIRRORD_MOUNT_H */
