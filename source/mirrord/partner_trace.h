/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The partner's part of a trace: when a record was received, stored and
 * acknowledged.
 *
 * Owns: the entries of a link's records that are not acknowledged yet.
 * Does not own: whether the trace is on, where entries go (common/trace.h).
 */

#ifndef MIRRORD_PARTNER_TRACE_H
#define MIRRORD_PARTNER_TRACE_H

#include "partner_private.h"

/* The link has something to read. */
void partner_trace_readable(struct partner_link *link);

/* Store the record, and note the times. As store_add(). */
int partner_trace_store(struct partner_link *link,
			const uint8_t *record,
			size_t length);

/* All that the link stored was acknowledged. */
void partner_trace_acknowledged(struct partner_link *link);

#endif /* MIRRORD_PARTNER_TRACE_H */
