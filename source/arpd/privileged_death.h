/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Running mirror-ctdb-death, which tells ctdb that a node is dead.
 *
 * Owns: its processes, one for each node at most, and what they write.
 * Does not own: whether the node is dead.
 *
 * Environment: MIRROR_CTDB_DEATH, another program (for tests).
 */

#ifndef ARPD_PRIVILEGED_DEATH_H
#define ARPD_PRIVILEGED_DEATH_H

#include <poll.h>
#include "settings.h"

#define DEATH_PROGRAM "/usr/libexec/samba-mirror/mirror-ctdb-death"

struct death;

struct death *death_new(TALLOC_CTX *mem_ctx);

/* 0; EALREADY: it runs for this node. */
int death_start(struct death *death, uint32_t node);

/* What is to be waited for: SETTINGS_NODES_MAX entries. */
void death_poll(const struct death *death, struct pollfd *pollfds);
/* After the wait. */
void death_read(struct death *death, const struct pollfd *pollfds);
/* A child of this process has ended: was it one of these? */
void death_ended(struct death *death, int pid, int status);
/* In a fork that has nothing to do with them. */
void death_close(struct death *death);

#endif /* ARPD_PRIVILEGED_DEATH_H */
