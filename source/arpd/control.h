/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the administrator and the event scripts ask of a running arpd.
 *
 * Owns: the control socket (for root only), requests that wait.
 * Does not own: what is done (addresses.h), the command line (client.h).
 *
 * One JSON object each way, ended by a newline, one request per connection:
 *   { "verb": "take", "addresses": [ { "address": "10.0.0.5/24",
 *                                      "interface": "eth0" }, .. ] }
 *   { "verb": "release", "addresses": [ .. ] }
 *   { "verb": "status" }
 *   { "code": 0, "text": "..", "status": { .. } }
 * code is the exit code of the command.
 */

#ifndef ARPD_CONTROL_H
#define ARPD_CONTROL_H

#include <jansson.h>
#include "arpd.h"

#define ARPD_CONTROL "arpd"	/* in the run directory */

enum control_code {
	CONTROL_OK = 0,
	CONTROL_FAILED = 1,
	CONTROL_NOT_YET = 3,	/* ask again */
};

int control_new(struct arpd *arpd, struct control **control, char **problem);

/* status.c: all that is known. NULL: no memory. */
json_t *status_json(const struct arpd *arpd);

#endif /* ARPD_CONTROL_H */
