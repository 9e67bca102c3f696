/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of arpd know of one another, and when a new plan is made.
 *
 * Owns: the plan in force; the order in which the kernel, the other nodes and
 * the network are told of a change.
 * Does not own: what each part does.
 *
 *   kernel ──► interfaces ─┐                 ┌─► privileged (routes ..)
 *   beacons ─► peers ──────┼──► plan ────────┼─► beacons (what we hold, pass)
 *   control ─► addresses ──┘                 └─► announce (where addresses are)
 *
 * Everything is noted when it happens and looked at once, from the event loop.
 * After a start nothing is changed before paths had time to be heard, so a new
 * arpd goes on with what an earlier one left in the kernel.
 */

#ifndef ARPD_H
#define ARPD_H

#include <tevent.h>
#include "announce.h"
#include "beacon.h"
#include "interfaces.h"
#include "peers.h"
#include "plan.h"
#include "privileged.h"
#include "settings.h"

struct addresses;
struct connections;
struct control;
struct ports;
struct probe;
struct timer;

struct arpd {
	struct tevent_context *ev;
	const struct settings *settings;
	uint32_t own;
	uint64_t session;
	struct privileged *privileged;
	struct interfaces *interfaces;
	struct peers *peers;
	struct beacon_key *key;
	struct announce *announce;
	struct ports *ports;
	struct addresses *addresses;
	struct connections *connections;
	struct control *control;
	struct probe *probe;

	struct plan *plan;		/* in force */
	bool applied;			/* the kernel took it */
	uint64_t started;		/* ms */
	bool planned;			/* we know what we hold */
	bool began;			/* and changed the kernel */
	struct timer *death_timer;
	struct tevent_immediate *look;	/* something was noted */
	uint64_t last_wait;		/* us, when the loop last went on */
	bool noted;
	bool links_changed;
	bool paths_changed;
	struct timer *plan_timer;
	struct timer *beacon_timer;
	struct timer *peers_timer;
};

/* All parts, in a process that privileged_start() made. The sandbox comes
 * after it. NULL: *problem says why (child of mem_ctx). */
struct arpd *arpd_new(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
		      const struct settings *settings,
		      struct privileged *privileged, char **problem);

/* Look at everything soon. */
void arpd_note(struct arpd *arpd);
/* A beacon on every interface, now. */
void arpd_send_beacons(struct arpd *arpd, uint8_t flags);
/* Nothing more is announced, no alarm is raised: arpd ends. */
void arpd_say_good_bye(struct arpd *arpd);
/* An address came to this node: say so on its network. */
void arpd_announce(struct arpd *arpd, const struct net_address *address,
		   const struct interface *interface);

#endif /* ARPD_H */
