/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses of services come to this node, and leave it.
 *
 * Owns: the duplicate-address probe before an address is added; who else was
 * heard claiming an address.
 * Does not own: when an address may come (ctdb, by the event scripts),
 * announcing it (announce.h), which interface (interfaces_for_address()).
 *
 * Two probes, ADDRESSES_PROBE_MS apart; an answer may take as long again. Who
 * answers decides:
 *   a node that is alive and says that it holds the address   not yet
 *   a node's interface, and that node is silent (it was       added: it was
 *   excluded by ctdb, its kernel still answers)               fenced before
 *   somebody else                                             not yet, and it
 *                                                             is logged
 * "Not yet": it is tried again every second, until it is released; ctdb asks
 * again as well.
 */

#ifndef ARPD_ADDRESSES_H
#define ARPD_ADDRESSES_H

#include "arpd.h"
#include "frame.h"

#define ADDRESSES_PROBE_MS 30

int addresses_new(struct arpd *arpd, struct addresses **addresses);

/* An ARP or neighbour frame on one of our interfaces. */
void addresses_heard(struct addresses *addresses, uint32_t interface,
		     const struct frame_claim *claim);

struct address_wish {
	struct net_address address;	/* prefix: all bits if not known */
	char interface[NET_NAME_SIZE];	/* "": the one with its network */
};

/*
 * Probe all, then add those that nobody has, and announce them. What is here
 * already is announced again. 0, or why not all are here (the first reason):
 * EEXIST: somebody has it; ENODEV: no such interface, or none that has the
 * address's network; *problem (child of mem_ctx) says it.
 */
struct tevent_req *addresses_take_send(TALLOC_CTX *mem_ctx,
				       struct arpd *arpd,
				       const struct address_wish *wishes,
				       uint32_t count);
int addresses_take_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			char **problem);

/* Remove it, and stop to announce it. 0, also if it was not here. */
int addresses_release(struct arpd *arpd, const struct net_address *address);

#endif /* ARPD_ADDRESSES_H */
