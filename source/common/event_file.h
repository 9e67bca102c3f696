/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file that all programs of a node append their events to, one JSON object
 * in a line:
 *
 *   {"time":1763761990.123456,"node":"n0","program":"mirrord","pid":812,
 *    "id":"M020","severity":"warning","text":"volume alpha: no partner",
 *    "again":2,"missed":0}
 *
 * again: how often the same happened since it was last said; missed: events
 * before this one that could not be written. Both are left out when 0.
 *
 * Owns: the format, appending, the bound of the file.
 * Does not own: the list of events (event_log.h), keeping lines over a reboot
 * and telling people (mirror-notify), showing them (`mirrorctl log').
 *
 * The file is on a tmpfs: a daemon must not wait for a disk to say that the
 * disk is bad. Each line is one write(2) with O_APPEND, so programs need no
 * lock, and one that dies leaves no half line. mirror-notify carries lines to
 * EVENT_FILE_KEPT and punches a hole where they were; offsets never change.
 */

#ifndef MIRROR_EVENT_FILE_H
#define MIRROR_EVENT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EVENT_FILE_DIRECTORY "/run/samba-mirror"
#define EVENT_FILE_NEW EVENT_FILE_DIRECTORY "/events"
#define EVENT_FILE_KEPT_DIRECTORY "/var/lib/samba-mirror"
#define EVENT_FILE_KEPT EVENT_FILE_KEPT_DIRECTORY "/events"

/* What nobody carried away; more is not written. */
#define EVENT_FILE_MAX (2 * 1024 * 1024)
#define EVENT_FILE_LINE_MAX 4096

struct event_file_line {
	const char *program;
	const char *id;
	int severity;		/* of syslog(3) */
	const char *text;	/* any bytes */
	uint32_t again;
	uint32_t missed;
};

/* Made if it is not there, for root alone. -1 and errno. */
int event_file_open(const char *path);

/* 0 or errno; ENOSPC: nobody reads it. Waits for nothing. */
int event_file_append(int fd, const struct event_file_line *line);

/* The first byte of it that was not carried away. */
off_t event_file_begin(int fd);

/* "crit", "err", "warning", "notice", "info" ...; NULL: there is no such. */
const char *event_file_severity_name(int severity);
/* The number of a name, or of another usual one ("critical", "error"); -1:
 * there is no such. */
int event_file_severity(const char *name);

#endif /* MIRROR_EVENT_FILE_H */
