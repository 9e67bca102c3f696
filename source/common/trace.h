/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The trace of a volume: when each of its operations passed which point.
 *
 * Owns: the file VOLUME.trace beside the state page, with a ring of entries
 * that all smbds and the mirrord of a node write to; whether it is on.
 * Does not own: who passes the points (vfs_mirror/operation_trace.h,
 * mirrord/partner_trace.h), what becomes of entries (mirrord/trace_report.h).
 *
 * Off is one word of shared memory that is zero, looked at once per operation.
 * On is a time until which it is on: whoever wants a trace says so again and
 * again, so nobody can leave it on, not even by being killed.
 *
 * An entry is made in its writer's own memory and copied into the ring when it
 * is whole. Writers take places by one atomic addition and never wait; a place
 * that its last writer has not left yet is passed over. A reader sees whole
 * entries only, and knows how many it missed.
 *
 * All times are of CLOCK_MONOTONIC of the node that wrote the entry: those of
 * two nodes are never compared, only differences are.
 */

#ifndef MIRROR_TRACE_H
#define MIRROR_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "mirror_id.h"

enum trace_role {
	TRACE_OWNER = 1,	/* by a smbd, one operation */
	TRACE_PARTNER,		/* by the partner's mirrord, one record */
	TRACE_ROLE_END
};

/* What an operation passes at its owner; an operation may leave some out, and
 * one whose acknowledgement is collected later passes them in another order. */
enum trace_owner_point {
	TRACE_REQUEST,		/* smbd has read the request, or was handed
				   back what came before in this request */
	TRACE_BEGUN,		/* the module was called */
	TRACE_ASKED,		/* it knows which locks it needs */
	TRACE_LOCKED,		/* has them */
	TRACE_TAGGED,		/* looked at the volume; epoch and room */
	TRACE_ENCODED,
	TRACE_SENT,		/* encrypted, and with the kernel */
	TRACE_COLLECTED,	/* smbd did other things; now it waits */
	TRACE_ANSWERED,		/* something came over the link */
	TRACE_ACKNOWLEDGED,	/* it was read, and acknowledges the record */
	TRACE_MAY_APPLY,
	TRACE_APPLIED,
	TRACE_HARDENED,		/* degraded: on the disk */
	TRACE_UNLOCKED,
	TRACE_RETURNED,		/* may be answered (R12); back to smbd */
	TRACE_REPLIED,		/* the reply is with the kernel; only of the
				   last operation of a request */
	TRACE_OWNER_POINTS
};

enum trace_partner_point {
	TRACE_READABLE,		/* something came, or: the record before was
				   done with */
	TRACE_RECEIVED,		/* decrypted, and a whole frame */
	TRACE_STORED,
	TRACE_ANSWERED_FOR,	/* the acknowledgement is with the kernel */
	TRACE_PARTNER_POINTS
};

#define TRACE_POINTS TRACE_OWNER_POINTS

/* flags */
#define TRACE_FAILED 1		/* the operation ended with an error */
#define TRACE_DEFERRED 2	/* its acknowledgement was collected later */
#define TRACE_LAST 4		/* of its request; see request_* */
#define TRACE_ABANDONED 8	/* no record: there was nothing to do, or it
				   could not be done */

struct trace_entry {
	uint16_t role;		/* trace_role */
	uint16_t type;		/* record_type */
	uint16_t flags;
	uint16_t command;	/* SMB2 opcode of the request */
	uint32_t bytes;		/* data */
	uint32_t operations;	/* LAST: of the request */
	struct mirror_id session;
	uint64_t sequence;	/* these two name the record on both nodes */
	uint64_t request_begun;	/* LAST: the whole request, as TRACE_REQUEST */
	uint64_t request_inside; /* LAST: ns of it that the module took */
	uint64_t at[TRACE_POINTS];	/* ns; 0: not passed */
};

/* As many as a busy volume makes in some hundred milliseconds. */
#define TRACE_ENTRIES 4096

struct trace_shared;

struct trace {
	_Atomic uint64_t *until;	/* ns of state_page_clock(); 0: off */
	struct trace_shared *shared;
	struct mapped_file *file;
};

/*
 * Make or open the trace of a volume (mirrord). One of this layout is kept
 * with what is in it. 0 or errno.
 */
int trace_create(TALLOC_CTX *mem_ctx,
		 const char *directory,
		 const char *volume,
		 struct trace **trace);

/* Open it (smbd, tools). ENOENT: there is none; EPROTO: of another version. */
int trace_open(TALLOC_CTX *mem_ctx,
	       const char *directory,
	       const char *volume,
	       struct trace **trace);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t trace_now(void);

/* For trace_is_on(): is there any time left? If not, it is switched off. */
bool trace_has_time(struct trace *trace);

/* trace may be NULL: off. */
static inline bool trace_is_on(struct trace *trace)
{
	return trace != NULL &&
		__builtin_expect(atomic_load_explicit(
			trace->until, memory_order_relaxed) != 0, 0) &&
		trace_has_time(trace);
}

void trace_add(struct trace *trace, const struct trace_entry *entry);

/* ------------------------------------------------------------- for readers */

struct trace_reader {
	struct trace *trace;
	uint64_t next;
	uint64_t lost;		/* written over, or never whole */
	uint64_t until;		/* as we prolonged it last */
};

/* From now on; what is in the ring already is not read. */
void trace_read_from_now(struct trace_reader *reader, struct trace *trace);

/* On for the next ms; say so again before they are over. 0 or errno (ENOSPC:
 * no memory for the ring). */
int trace_keep_on(struct trace_reader *reader, uint32_t ms);

/* Off, unless somebody else prolonged it since we did. */
void trace_off(struct trace_reader *reader);

/*
 * The next whole entry; false: none for now. What is in it is bounded as far
 * as this header says: role and type are of their lists.
 */
bool trace_read(struct trace_reader *reader, struct trace_entry *entry);

#endif /* MIRROR_TRACE_H */
