/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Services that ctdb has given to this node and that are not served yet.
 *
 * Owns: going on with a takeover when the event script has stopped waiting for
 * it, and having ctdb add the addresses when it is done.
 * Does not own: the takeover (service.h), addresses (ctdb and its scripts).
 *
 * ctdb's event scripts must answer soon: what an administrator moved with
 * `ctdb moveip' may be asked for by one of ctdb's own takeover runs two seconds
 * later, and a node whose address is still "in flight" then is banned. So the
 * scripts say "not yet", by success without the address, and the rest happens
 * here. ctdb would ask again, but not while moveip holds takeover runs back,
 * which it does for twenty seconds.
 */

#ifndef MIRRORD_WANTED_H
#define MIRRORD_WANTED_H

#include "mirrord.h"

struct wanted;

int wanted_new(struct mirrord *mirrord, struct wanted **wanted);

/* ctdb asked for the service, and was told "not yet". */
void wanted_note(struct wanted *wanted, const struct config_service *service);
/* ctdb took it away. */
void wanted_forget(struct wanted *wanted,
		   const struct config_service *service);

#endif /* MIRRORD_WANTED_H */
