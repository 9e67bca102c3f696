/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tells people of one event: trap, mail, scripts, one after the other.
 *
 * Owns: the commands (snmptrap, sendmail, executables of a directory), their
 * time limit, telling of one that failed (M094).
 * Does not own: which events are told, and when (mirror_notify.c).
 *
 * A script gets MIRROR_EVENT_ID, _NAME, _SEVERITY, _TEXT, _ADVICE, _NODE,
 * _PROGRAM and _TIME in its environment.
 */

#ifndef MIRRORD_NOTIFY_SEND_H
#define MIRRORD_NOTIFY_SEND_H

#include <jansson.h>
#include <tevent.h>
#include "notify_settings.h"

struct notify_send;

struct notify_send *notify_send_new(TALLOC_CTX *mem_ctx,
				    struct tevent_context *ev,
				    const char *script_directory,
				    const char *mail_file);

/* done is called once, not before this returns. event is used until then. */
typedef void (*notify_sent)(void *private_data);
void notify_send_start(struct notify_send *send,
		       const struct notify_settings *settings,
		       const json_t *event,
		       notify_sent done,
		       void *private_data);

#endif /* MIRRORD_NOTIFY_SEND_H */
