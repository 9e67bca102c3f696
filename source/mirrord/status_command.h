/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl status', for people: services, volumes, nodes.
 *
 * Owns: how it looks.
 * Does not own: what there is to tell (status.c), its JSON.
 */

#ifndef MIRRORD_STATUS_COMMAND_H
#define MIRRORD_STATUS_COMMAND_H

#include "mirrorctl.h"

int status_command(struct arguments *arguments);

/* 1536 as "1.5K". */
const char *status_bytes(int64_t value);

#endif /* MIRRORD_STATUS_COMMAND_H */
