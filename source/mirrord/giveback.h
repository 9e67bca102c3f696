/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Services that are not at home go home: by policy (mirror:SERVICE giveback),
 * or because an administrator ordered it (mirrorctl giveback).
 *
 * Owns: when, and whether it is safe; orders, which outlive mirrord but not
 * the service's stay on this node.
 * Does not own: moving (service_move.h), the words of a policy
 * (giveback_policy.h), what time it is (day_clock.h).
 *
 * The node that owns a service looks after it, once a second. It goes home
 * when it is due and nothing speaks against it: see giveback_why_not(). What
 * somebody moved while its home was well is held: it was moved by hand, or
 * because its home cannot serve it.
 */

#ifndef MIRRORD_GIVEBACK_H
#define MIRRORD_GIVEBACK_H

#include <jansson.h>
#include "mirrord.h"
#include "day_clock.h"

struct giveback;

/* After services_adopt(). 0 or errno. */
int giveback_new(struct mirrord *mirrord, struct giveback **giveback);

/* All services: where they are, when they go home, and why not now. */
json_t *giveback_json(struct giveback *giveback);

/*
 * { "service": NAME, "order": POLICY }, or { .., "now": true } or
 * { .., "cancel": true }; without any of these it is only told. The reply is
 * that of the control socket (control.h).
 */
json_t *giveback_request(struct giveback *giveback, json_t *request);

/* ------------------------------------------------------------- for tests */

struct giveback_clock {
	int64_t boot;		/* s */
	int64_t wall;		/* s */
};
void giveback_look(struct giveback *giveback, struct giveback_clock now);

#endif /* MIRRORD_GIVEBACK_H */
