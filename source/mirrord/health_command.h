/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl health': is this node healthy, does mirrord answer?
 *
 * Exit status: 0 healthy; 1 not, the text says why; 4 mirrord does not run, or
 * hung and was ended: start it, then ask again.
 */

#ifndef MIRRORD_HEALTH_COMMAND_H
#define MIRRORD_HEALTH_COMMAND_H

#include "mirrorctl.h"

#define EXIT_NO_MIRRORD 4

int health_command(struct arguments *arguments);

#endif /* MIRRORD_HEALTH_COMMAND_H */
