/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See trace_report.h. */

#include <inttypes.h>
#include "../common/record.h"
#include "histogram.h"
#include "trace_report.h"

/* Opcodes of SMB2 are below. */
#define COMMANDS 20

/* The step that ends at a point; docs/mirrorctl.8 says what is in it. */
static const char *const owner_steps[TRACE_POINTS] = {
	[TRACE_REQUEST] = "other",
	[TRACE_BEGUN] = "smbd",
	[TRACE_ASKED] = "prepare",
	[TRACE_LOCKED] = "lock",
	[TRACE_TAGGED] = "look",
	[TRACE_ENCODED] = "encode",
	[TRACE_SENT] = "send",
	[TRACE_COLLECTED] = "meanwhile",
	[TRACE_ANSWERED] = "partner",
	[TRACE_ACKNOWLEDGED] = "receive",
	[TRACE_MAY_APPLY] = "turn",
	[TRACE_APPLIED] = "apply",
	[TRACE_HARDENED] = "harden",
	[TRACE_UNLOCKED] = "unlock",
	[TRACE_RETURNED] = "return",
	[TRACE_REPLIED] = "reply",
};

static const char *const partner_steps[TRACE_POINTS] = {
	[TRACE_READABLE] = "other",
	[TRACE_RECEIVED] = "receive",
	[TRACE_STORED] = "store",
	[TRACE_ANSWERED_FOR] = "acknowledge",
};

/* Not by points: of a whole request. */
enum { REQUEST_SMBD, REQUEST_MIRROR };

static const char *const request_steps[TRACE_POINTS] = {
	[REQUEST_SMBD] = "smbd",
	[REQUEST_MIRROR] = "mirror",
};

static const char *const commands[COMMANDS] = {
	"negprot", "session setup", "logoff", "tree connect",
	"tree disconnect", "create", "close", "flush", "read", "write",
	"lock", "ioctl", "cancel", "keepalive", "find", "notify", "getinfo",
	"setinfo", "break",
};

/* Records of a type, or requests of a command. */
struct kind {
	uint64_t count;
	uint64_t failed;
	uint64_t bytes;
	uint64_t operations;	/* of requests */
	struct histogram *whole;
	struct histogram *steps[TRACE_POINTS];
};

struct trace_report {
	struct kind owner[2][RECORD_TYPE_END];	/* [1]: collected later */
	struct kind partner[RECORD_TYPE_END];
	struct kind requests[COMMANDS];
};

struct trace_report *trace_report_new(TALLOC_CTX *mem_ctx)
{
	return talloc_zero(mem_ctx, struct trace_report);
}

/* ------------------------------------------------------------------ adding */

static bool add_time(struct trace_report *report,
		     struct histogram **histogram,
		     uint64_t ns)
{
	if (*histogram == NULL) {
		*histogram = histogram_new(report);
	}
	if (*histogram == NULL) {
		return false;
	}
	histogram_add(*histogram, ns);
	return true;
}

/* The points that were passed, in order of time. */
static uint32_t sort_points(const struct trace_entry *entry,
			    uint8_t points[TRACE_POINTS])
{
	uint32_t n = 0;
	uint32_t p;

	for (p = 0; p < TRACE_POINTS; p++) {
		uint32_t i = n;

		if (entry->at[p] == 0) {
			continue;
		}
		for (; i > 0 && entry->at[points[i - 1]] > entry->at[p]; i--) {
			points[i] = points[i - 1];
		}
		points[i] = (uint8_t)p;
		n++;
	}
	return n;
}

static bool add_record(struct trace_report *report,
		       struct kind *kind,
		       const struct trace_entry *entry)
{
	uint8_t points[TRACE_POINTS];
	uint32_t i, n = sort_points(entry, points);

	if (entry->flags & TRACE_ABANDONED) {
		return true;
	}
	kind->count++;
	if (entry->flags & TRACE_FAILED) {
		/* What it was good for is in no step. */
		kind->failed++;
		return true;
	}
	kind->bytes += entry->bytes;
	for (i = 1; i < n; i++) {
		uint64_t ns = entry->at[points[i]] - entry->at[points[i - 1]];

		if (!add_time(report, &kind->steps[points[i]], ns)) {
			return false;
		}
	}
	return n < 2 || add_time(report, &kind->whole,
				 entry->at[points[n - 1]] -
				 entry->at[points[0]]);
}

static bool add_request(struct trace_report *report,
			const struct trace_entry *entry)
{
	struct kind *kind = &report->requests[entry->command];
	uint64_t whole = entry->at[TRACE_REPLIED] - entry->request_begun;

	if (entry->at[TRACE_REPLIED] < entry->request_begun ||
	    entry->request_inside > whole) {
		/* The wall clock was set meanwhile. */
		return true;
	}
	kind->count++;
	kind->operations += entry->operations;
	return add_time(report, &kind->whole, whole) &&
		add_time(report, &kind->steps[REQUEST_MIRROR],
			 entry->request_inside) &&
		add_time(report, &kind->steps[REQUEST_SMBD],
			 whole - entry->request_inside);
}

bool trace_report_add(struct trace_report *report,
		      const struct trace_entry *entry)
{
	uint32_t deferred = (entry->flags & TRACE_DEFERRED) != 0;

	if (entry->type >= RECORD_TYPE_END) {
		return true;
	}
	if (entry->role == TRACE_PARTNER) {
		return add_record(report, &report->partner[entry->type],
				  entry);
	}
	if ((entry->flags & TRACE_LAST) && entry->command < COMMANDS &&
	    !add_request(report, entry)) {
		return false;
	}
	return add_record(report, &report->owner[deferred][entry->type],
			  entry);
}

/* ----------------------------------------------------------------- telling */

struct list {
	const char *title;	/* for people */
	const struct kind *kinds;
	uint32_t count;
	const char *const *steps;
	const char *(*name)(uint32_t i);
	const char *suffix;
};

static const char *record_name(uint32_t i)
{
	return record_type_name((enum record_type)i);
}

static const char *command_name(uint32_t i)
{
	return commands[i] != NULL ? commands[i] : "unknown";
}

enum { LIST_OWNER, LIST_COLLECTED, LIST_REQUESTS, LIST_PARTNER, LISTS };

static struct list list_of(const struct trace_report *report, int which)
{
	const struct list lists[LISTS] = {
		{ "owner", report->owner[0], RECORD_TYPE_END, owner_steps,
		  record_name, "" },
		{ "owner", report->owner[1], RECORD_TYPE_END, owner_steps,
		  record_name, ", collected" },
		{ "request", report->requests, COMMANDS, request_steps,
		  command_name, "" },
		{ "partner", report->partner, RECORD_TYPE_END, partner_steps,
		  record_name, "" },
	};

	return lists[which];
}

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static double mean(const struct histogram *histogram)
{
	uint64_t n = histogram_count(histogram);

	return n == 0 ? 0 : us(histogram_sum(histogram)) / (double)n;
}

static json_t *step_json(const char *name, const struct histogram *histogram)
{
	return json_pack("{s:s,s:I,s:f,s:f,s:f,s:f,s:f}", "name", name,
			 "count", (json_int_t)histogram_count(histogram),
			 "mean", mean(histogram),
			 "p50", us(histogram_quantile(histogram, 0.5)),
			 "p90", us(histogram_quantile(histogram, 0.9)),
			 "p99", us(histogram_quantile(histogram, 0.99)),
			 "max", us(histogram_max(histogram)));
}

static json_t *kind_json(const struct list *list, uint32_t i)
{
	const struct kind *kind = &list->kinds[i];
	json_t *steps = json_array();
	uint32_t p;

	for (p = 0; p < TRACE_POINTS; p++) {
		if (histogram_count(kind->steps[p]) != 0) {
			json_array_append_new(steps, step_json(
				list->steps[p], kind->steps[p]));
		}
	}
	return json_pack("{s:s+,s:I,s:I,s:I,s:I,s:o,s:o}",
			 "name", list->name(i), list->suffix,
			 "count", (json_int_t)kind->count,
			 "failed", (json_int_t)kind->failed,
			 "bytes", (json_int_t)kind->bytes,
			 "operations", (json_int_t)kind->operations,
			 "whole", step_json("whole", kind->whole),
			 "steps", steps);
}

static void list_json(const struct trace_report *report, int which,
		      json_t *into)
{
	const struct list list = list_of(report, which);
	uint32_t i;

	for (i = 0; i < list.count; i++) {
		if (list.kinds[i].count != 0) {
			json_array_append_new(into, kind_json(&list, i));
		}
	}
}

json_t *trace_report_json(const struct trace_report *report)
{
	json_t *owner = json_array();
	json_t *requests = json_array();
	json_t *partner = json_array();

	list_json(report, LIST_OWNER, owner);
	list_json(report, LIST_COLLECTED, owner);
	list_json(report, LIST_REQUESTS, requests);
	list_json(report, LIST_PARTNER, partner);
	return json_pack("{s:o,s:o,s:o}", "owner", owner, "requests",
			 requests, "partner", partner);
}

static void print_step(FILE *out, const char *name,
		       const struct histogram *histogram, uint64_t whole)
{
	fprintf(out, "  %-12s %9.1f %9.1f %9.1f %9.1f %9.1f %6.1f%% %8" PRIu64
		"\n", name,
		us(histogram_quantile(histogram, 0.5)),
		us(histogram_quantile(histogram, 0.9)),
		us(histogram_quantile(histogram, 0.99)),
		us(histogram_max(histogram)), mean(histogram),
		whole == 0 ? 0 : 100 * (double)histogram_sum(histogram) /
		(double)whole, histogram_count(histogram));
}

static void print_kind(FILE *out, const struct list *list, uint32_t i)
{
	const struct kind *kind = &list->kinds[i];
	uint64_t good = kind->count - kind->failed;
	uint64_t whole = histogram_sum(kind->whole);
	uint32_t p;

	fprintf(out, "\n%s: %s%s, %" PRIu64, list->title, list->name(i),
		list->suffix, kind->count);
	if (kind->failed != 0) {
		fprintf(out, ", of them failed: %" PRIu64, kind->failed);
	}
	if (kind->bytes != 0 && good != 0) {
		fprintf(out, ", %.0f bytes each",
			(double)kind->bytes / (double)good);
	}
	if (kind->operations != 0) {
		fprintf(out, ", %.1f records each",
			(double)kind->operations / (double)good);
	}
	fprintf(out, "\n  %-12s %9s %9s %9s %9s %9s %7s %8s\n", "us", "p50",
		"p90", "p99", "max", "mean", "share", "count");
	for (p = 0; p < TRACE_POINTS; p++) {
		if (histogram_count(kind->steps[p]) != 0) {
			print_step(out, list->steps[p], kind->steps[p], whole);
		}
	}
	print_step(out, "whole", kind->whole, whole);
}

void trace_report_print(const struct trace_report *report, FILE *out)
{
	int which;

	for (which = 0; which < LISTS; which++) {
		const struct list list = list_of(report, which);
		uint32_t i;

		for (i = 0; i < list.count; i++) {
			if (list.kinds[i].count != 0) {
				print_kind(out, &list, i);
			}
		}
	}
}
