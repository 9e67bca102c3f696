/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Telling systemd that the event loop turns (WatchdogSec, sd_notify(3)).
 *
 * Owns: the message; nothing when systemd did not start us.
 */

#ifndef MIRRORD_SERVICE_MANAGER_H
#define MIRRORD_SERVICE_MANAGER_H

#include <talloc.h>
#include <tevent.h>

/* Several times in WATCHDOG_USEC of the environment, from now on. 0 or errno;
 * 0, too, if nobody wants to be told. */
int service_manager_watchdog(TALLOC_CTX *mem_ctx, struct tevent_context *ev);

#endif /* MIRRORD_SERVICE_MANAGER_H */
