/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a trace says: percentiles of each step of each kind of record.
 *
 * Owns: which step ends at which point.
 * Does not own: where entries come from (common/trace.h), how long to trace
 * (trace_command.h), the histograms (histogram.h).
 *
 * The points that an entry has passed, in order of time, are the ends of its
 * steps. So the steps of an entry always add up to the whole of it, also when
 * it passed the points in another order than most.
 */

#ifndef MIRRORD_TRACE_REPORT_H
#define MIRRORD_TRACE_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include <talloc.h>
#include "../common/trace.h"

struct trace_report;

struct trace_report *trace_report_new(TALLOC_CTX *mem_ctx);

/* False: no memory. */
bool trace_report_add(struct trace_report *report,
		      const struct trace_entry *entry);

/*
 * {"owner": [KIND..], "requests": [KIND..], "partner": [KIND..]}, KIND:
 * {"name", "count", "failed", "bytes", "whole": STEP, "steps": [STEP..]},
 * STEP: {"name", "count", "mean", "p50", "p90", "p99", "max"}, microseconds.
 */
json_t *trace_report_json(const struct trace_report *report);

/* The same for people. */
void trace_report_print(const struct trace_report *report, FILE *out);

#endif /* MIRRORD_TRACE_REPORT_H */
