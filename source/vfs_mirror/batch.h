/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of asynchronous writes that go to the partner together: one system
 * call, one wake-up and one acknowledgement for several.
 *
 * Owns: which records may wait for the next one, and how long.
 * Does not own: the link that keeps them (sender.h).
 *
 * A record may wait while its client has already sent a further request, which
 * smbd reads next; before the process waits for anything, it is sent. Nothing
 * of it is applied before it is acknowledged (R1), so nothing is lost when the
 * process dies. A deferred one is applied at once, so it never waits.
 */

#ifndef VFS_MIRROR_BATCH_H
#define VFS_MIRROR_BATCH_H

#include "sender.h"

/* May this record wait for the next one? Then batch_pushed() is owed. */
bool batch_may_wait(struct mirror_volume *volume,
		    const struct mirror_operation *operation);

/* The link keeps nothing back any more. */
void batch_pushed(struct mirror_volume *volume);

#endif /* VFS_MIRROR_BATCH_H */
