/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See partner_trace.h. */

#include "../common/record.h"
#include "partner_trace.h"

/* More than a link hands over in one turn (link_io.c). */
#define ENTRIES_MAX 512

/* A child of the link. */
struct partner_trace {
	uint64_t readable;
	uint32_t count;
	struct trace_entry entries[ENTRIES_MAX];
};

static struct partner_trace *trace_of(struct partner_link *link)
{
	if (link->trace == NULL) {
		link->trace = talloc_zero(link, struct partner_trace);
	}
	return link->trace;
}

void partner_trace_readable(struct partner_link *link)
{
	struct partner_trace *trace = trace_of(link);

	if (trace != NULL) {
		trace->readable = trace_now();
	}
}

/* The entry of what was just stored; NULL: none (sent again: had before). */
static struct trace_entry *new_entry(struct partner_link *link,
				     const uint8_t *record,
				     size_t length)
{
	struct partner_trace *trace = trace_of(link);
	enum record_type type;
	uint64_t sequence, epoch;
	struct trace_entry *entry;

	if (trace == NULL || trace->count == ENTRIES_MAX ||
	    record_peek(record, length, &type, &sequence, &epoch) != 0 ||
	    sequence <= link->acknowledged) {
		return NULL;
	}
	entry = &trace->entries[trace->count++];
	*entry = (struct trace_entry){
		.role = TRACE_PARTNER,
		.type = (uint16_t)type,
		.session = link->session,
		.sequence = sequence,
		.bytes = (uint32_t)length,
		.at = { [TRACE_READABLE] = trace->readable },
	};
	return entry;
}

int partner_trace_store(struct partner_link *link,
			const uint8_t *record,
			size_t length)
{
	uint64_t received = trace_now();
	int ret = store_add(link->volume->store, &link->session, record,
			    length);
	struct trace_entry *entry;

	entry = ret == 0 ? new_entry(link, record, length) : NULL;
	if (entry != NULL) {
		entry->at[TRACE_RECEIVED] = received;
		entry->at[TRACE_STORED] = trace_now();
		/* The next one's time begins here. */
		link->trace->readable = entry->at[TRACE_STORED];
	}
	return ret;
}

void partner_trace_acknowledged(struct partner_link *link)
{
	struct partner_trace *trace = link->trace;
	uint64_t now = trace_now();
	uint32_t i;

	for (i = 0; i < trace->count; i++) {
		trace->entries[i].at[TRACE_ANSWERED_FOR] = now;
		trace_add(link->volume->trace, &trace->entries[i]);
	}
	trace->count = 0;
	/* When the trace is off meanwhile, nobody sets it. */
	trace->readable = 0;
}
