/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl event' and `mirrorctl notify-test': an event from a script.
 */

#ifndef MIRRORD_EVENT_COMMAND_H
#define MIRRORD_EVENT_COMMAND_H

#include "mirrorctl.h"

/* NAME TEXT..: one of the list of events. */
int event_command(struct arguments *arguments);
int notify_test_command(struct arguments *arguments);

#endif /* MIRRORD_EVENT_COMMAND_H */
