/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is it our receiver that is broken? Somebody else is asked.
 *
 * When a node hears us on a network, and we do not hear it, its sender is
 * broken, or our receiver. On a switch we may hear nobody for minutes although
 * all is well: so hosts of that network are asked for their MAC, ten times a
 * second until it is known. Any answer counts as received (interfaces.h), and
 * the plan goes by that (plan.h). Who knows nobody there, as a node that was
 * just started, asks all addresses around its own, once a second: two nodes
 * that both took their own port for broken would pass their traffic through
 * each other, by the one that is.
 *
 * Owns: which hosts were seen on which interface; the questions.
 * Does not own: what follows from the answers.
 */

#ifndef ARPD_PROBE_H
#define ARPD_PROBE_H

#include "arpd.h"
#include "frame.h"

#define PROBE_HOSTS 8	/* that are remembered, and asked, per interface */

int probe_new(TALLOC_CTX *mem_ctx, struct probe **probe);

/* Somebody said on the interface where he is. */
void probe_seen(struct arpd *arpd, uint32_t interface,
		const struct frame_claim *claim);

/* Once per beacon. */
void probe_ask(struct arpd *arpd);

#endif /* ARPD_PROBE_H */
