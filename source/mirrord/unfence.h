/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Letting this node use its disks again: agents that cut a node off by SCSI-3
 * persistent reservations (fence_scsi) want action `on' of the node itself,
 * which registers its key.
 *
 * Owns: doing that when mirrord starts, for agents whose metadata ask for it.
 * Does not own: fencing others (fence.h).
 *
 * A node that was cut off while it had a volume mounted must not write again
 * before that is unmounted: its memory still has what it wanted to write. So
 * while a volume's device is mounted here nothing is done, and it is tried
 * again. (A node that is cut off is restarted, as a rule.)
 */

#ifndef MIRRORD_UNFENCE_H
#define MIRRORD_UNFENCE_H

#include "mirrord.h"

void unfence_start(struct mirrord *mirrord);

#endif /* MIRRORD_UNFENCE_H */
