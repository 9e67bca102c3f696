/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is this node well, as far as we know? For ctdb's monitor event.
 *
 * Owns: looking at the volumes that this node serves, at its wall clock and at
 * its memory, once a second; when what of it is told as an event.
 * Does not own: what ctdb does about it, errors of syncfs (owner_epoch.c) and
 * of the label (service.c), a mirrord that hangs (watchdog.h).
 *
 * ctdb takes all services from an unhealthy node. So unhealthy is only what
 * another node does better; everything else is told:
 *
 *   unhealthy   the volume's disk failed (syncfs, or it answers with errors)
 *               the kernel made the volume read-only
 *   told        the disk does not answer: nobody could unmount it
 *               the lag is high, the lease is not renewed
 *               the wall clock stepped
 *               memory for the mirror stores is short
 *
 * Each trouble is told once, and again when it is over.
 */

#ifndef MIRRORD_HEALTH_H
#define MIRRORD_HEALTH_H

#include <jansson.h>
#include "mirrord.h"

struct health;

int health_new(struct mirrord *mirrord, struct health **health);
/* Volumes have come or gone: after services_configure(). 0 or ENOMEM. */
int health_configure(struct health *health);

/* "" when this node is healthy, else the reasons; child of mem_ctx. */
char *health_unhealthy(TALLOC_CTX *mem_ctx, struct health *health);
/* What else is not as it should be, as strings. */
json_t *health_told(struct health *health);

/*
 * What the disk of a volume says, for tests of its own. Changes nothing, and
 * may take as long as the disk does. 0; EROFS: made read-only; other errors of
 * the disk.
 */
int health_probe_disk(const char *device, const char *mount_point);

#endif /* MIRRORD_HEALTH_H */
