/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running ctdb's own helpers of a recovery and of a takeover run, as its
 * recovery daemon does.
 *
 * Owns: where they are, what they find in their environment, their end.
 * Does not own: when they run.
 */

#ifndef MIRRORD_DEATH_HELPER_H
#define MIRRORD_DEATH_HELPER_H

#include <stdbool.h>
#include <stdint.h>

/* Sets this process's environment as ctdbd would; asks ctdb-config. */
void helper_environment(void);

/* Called about every 10 ms at least; false: end the helper. */
typedef bool (*helper_go_on)(void *private_data);

/* 0; ECANCELED: go_on said so; EIO: it failed; errno. */
int helper_recover(const char *socket, helper_go_on go_on,
		   void *private_data);
int helper_takeover(const char *socket, helper_go_on go_on,
		    void *private_data);

#endif /* MIRRORD_DEATH_HELPER_H */
