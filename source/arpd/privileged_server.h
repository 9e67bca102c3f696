/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The process that stays root: requests of one child, until it ends.
 *
 * Owns: reading requests, having them checked, answering; noticing that ctdb's
 * files have changed, for which the child is ended.
 * Does not own: starting the child (privileged_start.c).
 */

#ifndef ARPD_PRIVILEGED_SERVER_H
#define ARPD_PRIVILEGED_SERVER_H

#include <sys/types.h>
#include "privileged_death.h"
#include "settings.h"
#include "settings_watch.h"

struct server {
	const struct settings *settings;
	struct death *death;
	int signal_fd;		/* SIGTERM, SIGINT, SIGHUP, SIGCHLD */
	pid_t child;
	int fd;			/* to the child */
	bool ending;		/* we were told to end */
	struct settings_watch watch;
	struct settings *next;	/* the child was ended to put these in force */
};

/* Returns when the child has ended; *status as of waitpid(). 0 or errno. */
int server_run(struct server *server, int *status);

#endif /* ARPD_PRIVILEGED_SERVER_H */
