/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The events that this node has kept, oldest first: those that mirror-notify
 * carried to the disk, then those it has not got to.
 *
 * Owns: reading the files; no line twice, no half line.
 * Does not own: writing them (event_file.h, notify_keep.h), showing them.
 */

#ifndef MIRRORD_EVENT_LINES_H
#define MIRRORD_EVENT_LINES_H

#include <jansson.h>
#include <talloc.h>

/*
 * An array of objects as event_file.h says, with what the list of events knows
 * added: "name" and "advice" ("" for an event of another version). kept: the
 * file on the disk, "KEPT.1" is the one before. Files that are not there are
 * empty. NULL: no memory.
 */
json_t *event_lines_read(const char *kept, const char *fresh);

/* One line; NULL: it is none. */
json_t *event_line_parse(const char *line, size_t length);

#endif /* MIRRORD_EVENT_LINES_H */
