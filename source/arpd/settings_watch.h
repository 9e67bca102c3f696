/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Have ctdb's files changed since they were read?
 *
 * Owns: what they looked like. Does not own: reading them (settings.h), what
 * becomes of who runs on the old ones (privileged_server.h).
 */

#ifndef ARPD_SETTINGS_WATCH_H
#define ARPD_SETTINGS_WATCH_H

#include <sys/stat.h>
#include "settings.h"

#define SETTINGS_FILES 3

struct settings_stamp {
	ino_t inode;		/* 0: there is no such file */
	off_t size;
	struct timespec changed;
};

struct settings_watch {
	struct settings_stamp read[SETTINGS_FILES];
	struct settings_stamp seen[SETTINGS_FILES];
};

/* Called now and then; begins with zeros. True, once: they are other ones than
 * at the last true, and nobody has written them since the last call. */
bool settings_watch_look(struct settings_watch *watch, const char *base);

/* Does it make no difference which of the two is in force? */
bool settings_same(const struct settings *a, const struct settings *b);

#endif /* ARPD_SETTINGS_WATCH_H */
