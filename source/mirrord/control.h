/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What mirrorctl asks of mirrord.
 *
 * Owns: the control socket (for root only), requests that wait.
 * Does not own: what is done (service.h), how it is shown (mirrorctl.c).
 *
 * One JSON object each way, ended by a newline, one request per connection:
 *   { "verb": "takeover", "service": "FILES", "wait_ms": 5000 }
 *   { "code": 0, "text": "..." }
 * code is mirrorctl's exit code.
 */

#ifndef MIRRORD_CONTROL_H
#define MIRRORD_CONTROL_H

#include <jansson.h>
#include "mirrord.h"

#define CONTROL_SOCKET "control"	/* in the run directory */

int control_new(struct mirrord *mirrord, struct control **control,
		char **problem);

/* status.c: everything, for `mirrorctl status'. */
json_t *status_json(struct mirrord *mirrord);

#endif /* MIRRORD_CONTROL_H */
