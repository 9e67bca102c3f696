/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl log': what happened on this node when.
 *
 * Does not own: the events (event_lines.h). It needs no mirrord.
 */

#ifndef MIRRORD_LOG_COMMAND_H
#define MIRRORD_LOG_COMMAND_H

#include <stdbool.h>
#include <time.h>

/*
 * since, severity: NULL: all. Exit status 0; 1 the files cannot be read; 2 a
 * word that is not understood (after a message).
 */
int log_command(const char *since, const char *severity, bool json);

/* "90s", "10m", "2h", "3d" ago; "21:30[:05]" today; "2026-11-21[ 21:30[:05]]".
 * False: it is none of these. */
bool log_parse_since(const char *text, time_t now, time_t *when);

#endif /* MIRRORD_LOG_COMMAND_H */
