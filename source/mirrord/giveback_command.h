/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl giveback', and what `mirrorctl status' says of it.
 *
 * Does not own: the decisions (giveback.h).
 */

#ifndef MIRRORD_GIVEBACK_COMMAND_H
#define MIRRORD_GIVEBACK_COMMAND_H

#include "mirrorctl.h"

int giveback_command(struct arguments *arguments);

/* A line for each service that this node has and that is not at home. list:
 * giveback_json(). */
void giveback_show_away(const json_t *list);

#endif /* MIRRORD_GIVEBACK_COMMAND_H */
