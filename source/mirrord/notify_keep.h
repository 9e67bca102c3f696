/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Carries events from the tmpfs to the disk, so that they outlive a reboot.
 *
 * Owns: the kept file and the one before it, and their bound; how far events
 * were carried and told (a file on the tmpfs), so that a mirror-notify that was
 * killed goes on there: an event may be told twice, but not be missed.
 * Does not own: the file that programs append to (event_file.h).
 */

#ifndef MIRRORD_NOTIFY_KEEP_H
#define MIRRORD_NOTIFY_KEEP_H

#include <sys/types.h>
#include <stdbool.h>
#include <talloc.h>

/* Of each of the two: the file, and the one before. */
#define NOTIFY_KEEP_MAX (1024 * 1024)

struct notify_keep {
	const char *fresh_path;
	const char *kept_path;
	const char *cursor_path;
	int fd;			/* of the fresh file */
	off_t kept;		/* what is before is on the disk */
	off_t told;		/* and here: people were told */
};

/* Paths are not copied. 0 or errno. */
int notify_keep_open(struct notify_keep *keep, const char *fresh_path,
		     const char *kept_path, const char *cursor_path);
/* Carry what is new. 0 or errno: it is tried again the next time. */
int notify_keep_step(struct notify_keep *keep);

/* The next line that people were not told of, without its end; child of
 * mem_ctx; NULL: there is none. *end is where it ends. */
char *notify_keep_next(struct notify_keep *keep, TALLOC_CTX *mem_ctx,
		       off_t *end);
/* They were, or need not be. */
void notify_keep_told(struct notify_keep *keep, off_t end);

#endif /* MIRRORD_NOTIFY_KEEP_H */
