/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a volume's device still the disk that it was? After a boot a name such as
 * /dev/sdb may mean another one, which another node may have mounted: mounting
 * it here would damage it.
 *
 * Owns: KNOWN_DISK_FOLDER/VOLUME: which file system a node last served the
 * volume from, and by which name: "ext4:UUID /dev/sdb". Another name is an
 * administrator's, and nothing is known of it.
 * Does not own: how that is read (facts.h), whose label a disk has (label.h).
 */

#ifndef MIRRORD_KNOWN_DISK_H
#define MIRRORD_KNOWN_DISK_H

#include "mirrord.h"

#define KNOWN_DISK_FOLDER "/var/lib/samba-mirror/disks"
#define KNOWN_DISK_SIZE 64	/* of "ext4:UUID", with its end */

/* Child of mem_ctx; NULL: this node has not served the volume from a device of
 * that name. */
char *known_disk_kept(TALLOC_CTX *mem_ctx, const char *folder,
		      const struct config_volume *volume);
/* 0 or errno. It is on the disk then. Blocks. */
int known_disk_keep(const char *folder, const char *volume,
		    const char *device, const char *id);

/* What is on the device now, and what is kept. */
struct tevent_req *known_disk_look_send(TALLOC_CTX *mem_ctx,
					struct tevent_context *ev,
					const struct config_volume *volume);
/*
 * *id (child of mem_ctx): what is there; NULL if that cannot be known, or need
 * not be kept. *problem: it is another disk, and what to do.
 */
void known_disk_look_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			  const struct config_volume *volume,
			  char **id, char **problem);

/* known_disk_keep() beside the event loop; nobody waits for it. */
void known_disk_keep_later(struct mirrord *mirrord,
			   const struct config_volume *volume, const char *id);

#endif /* MIRRORD_KNOWN_DISK_H */
