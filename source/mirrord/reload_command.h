/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirrorctl reload; and mirrorctl configuration, by which mirrord reads the
 * registry without waiting for it.
 *
 * Owns: the form of what is printed for mirrord: lines of config_table_text()
 * with an @ before each, as Samba's libraries print, too.
 * Does not own: what is made of it (reconfigure.h).
 */

#ifndef MIRRORD_RELOAD_COMMAND_H
#define MIRRORD_RELOAD_COMMAND_H

#include "mirrorctl.h"

int reload_command(struct arguments *arguments);
int configuration_command(struct arguments *arguments);

#endif /* MIRRORD_RELOAD_COMMAND_H */
