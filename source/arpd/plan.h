/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the network shall look like from this node: a pure function of what is
 * known (interfaces.h, peers.h).
 *
 * Owns: the rules of pass-through and of routes between nodes.
 * Does not own: doing it (privileged.h), saying it (beacon.h, announce.h).
 *
 * Every node decides for the addresses that it holds, and only asks others:
 *
 *   holder A                                       helper B
 *   --------                                       --------
 *   no path to B on the address's network is up:
 *     beacon "address, node B is to pass it" ────► has the network, and does
 *                                                  not hold the address:
 *                                                    route to A's interface of
 *                                                    the best path, proxy ARP,
 *                                                    forwarding, announcement
 *     replies go through B (rule), or, if   ◄────  beacon "passing address"
 *     the port has carrier, by both ways: it
 *     may be a split, with clients on each side
 *   a path is up again:
 *     no wish any more                      ────►  no proxy any more; the route
 *                                                  stays a while for clients
 *                                                  that learn late
 *     replies as ever, announcement         ◄────  nothing of it in the beacon
 *
 * Of two that are heard on one network only one may answer. So A is silent
 * (ARP, ND) while B passes, unless neither hears the other there: then each is
 * alone in its part of a split network, and both answer.
 *
 * When one hears the other, and not the other way round, the sender of the one
 * or the receiver of the other is broken. Who does not hear finds out:
 * what receives from anybody else is not broken (PLAN_QUIET_MS). So a receiver
 * that is fine asks for no help, and one that is not does not help. And nobody
 * begins to help on a network on which the two hear each other, or whose
 * carrier has just come back: it is the own port that was dead.
 *
 * Helpers are asked in the order of the ring, from the next node on.
 */

#ifndef ARPD_PLAN_H
#define ARPD_PLAN_H

#include "interfaces.h"
#include "peers.h"
#include "privileged.h"
#include "settings.h"

#define PLAN_LINGER_MS 5000
/* A port that received nothing for so long may be deaf. */
#define PLAN_QUIET_MS 1000
/* Packets are counted now and then: what was received so long after a node was
 * heard last is not of that node. */
#define PLAN_COUNT_MS 250
/* A helper that does not say that it passes: ask the next one. */
#define PLAN_PATIENCE_MS 1000
#define PLAN_ADDRESSES_MAX BEACON_ADDRESSES_MAX

struct plan_held {
	struct net_address address;	/* with its prefix */
	uint32_t interface;
	bool carrier;
	bool whole;			/* somebody is on the network with us */
	uint32_t helper;		/* NET_NOBODY: none needed, or none */
	bool asks;			/* else it is to end, and has not yet */
	uint64_t asked;			/* ms, since when it is that helper */
	bool passed;			/* the helper says that it does it */
	bool silent;
};

struct plan_passing {
	struct net_address address;
	uint32_t node;			/* who holds it */
	uint32_t interface;		/* ours, on its network */
	uint32_t inside;		/* ours, of the path to the holder */
	uint64_t until;			/* ms: no proxy any more, only the
					   route; 0: not lingering */
};

struct plan {
	uint32_t num_held;
	struct plan_held held[PLAN_ADDRESSES_MAX];
	uint32_t num_passing;
	struct plan_passing passing[PLAN_ADDRESSES_MAX];
	/* when to make it again although nothing has changed, ms; 0: never */
	uint64_t next;
	struct kernel_plan kernel;
};

/* before: the last one (what lingers, silence); zero at the start. */
void plan_make(const struct settings *settings,
	       uint32_t own,
	       const struct interfaces *interfaces,
	       const struct peers *peers,
	       const struct plan *before,
	       uint64_t now_ms,
	       struct plan *plan);

#endif /* ARPD_PLAN_H */
