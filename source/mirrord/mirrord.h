/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of mirrord know of one another.
 *
 * Owns: nothing; main.c makes it, everything else hangs below it.
 */

#ifndef MIRRORD_H
#define MIRRORD_H

#include <talloc.h>
#include <tevent.h>
#include "../common/config.h"
#include "../common/peer_link.h"

struct anchors;
struct ctdb_view;
struct control;
struct giveback;
struct health;
struct nodes;
struct partner;
struct peers;
struct reconfigure;
struct services;
struct wanted;

struct mirrord {
	struct tevent_context *ev;
	const struct mirror_config *config;
	const struct nodes *nodes;
	const struct link_key *key;
	struct ctdb_view *view;
	struct partner *partner;
	struct peers *peers;
	struct services *services;
	struct giveback *giveback;
	struct health *health;
	struct control *control;
	struct wanted *wanted;
	struct anchors *anchors;
	struct reconfigure *reconfigure;
};

#endif /* MIRRORD_H */
