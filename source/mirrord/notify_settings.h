/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whom mirror-notify tells.
 *
 * Owns: the file that mirrord leaves for mirror-notify. The options are in the
 * registry, which does not answer during a recovery of ctdb, and not at all
 * when ctdb does not run; that is when people want to be told.
 * Does not own: the options (config.h).
 */

#ifndef MIRRORD_NOTIFY_SETTINGS_H
#define MIRRORD_NOTIFY_SETTINGS_H

#include <stdint.h>
#include <talloc.h>
#include "../common/config.h"

#define NOTIFY_SETTINGS_FILE "/var/lib/samba-mirror/notify.conf"

struct notify_settings {
	char *trap_address;	/* NULL: no traps */
	char *trap_community;
	char *mail;		/* NULL: no mail */
	int severity;		/* these and worse */
	uint32_t rate;		/* a minute */
};

/* Written only if it is not like that already. 0 or errno. */
int notify_settings_store(const char *path,
			  const struct mirror_config *config);

/* In its place, for mirror-notify: without the file nobody is told, but
 * everything works; so a failure is an event, no more. */
void notify_settings_leave(const struct mirror_config *config);

/* What is missing or wrong in the file has its default; a file that is not
 * there means: nobody is told, but scripts. NULL: no memory. */
struct notify_settings *notify_settings_load(TALLOC_CTX *mem_ctx,
					     const char *path);

#endif /* MIRRORD_NOTIFY_SETTINGS_H */
