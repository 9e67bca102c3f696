/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The owner's part of a trace: which point each operation of this process
 * passes when.
 *
 * Owns: the entries under way, grouped by the SMB request that they are of.
 * Does not own: whether the trace is on, where entries go (common/trace.h).
 *
 * An entry hangs below smbd's request and goes to the ring when smbd frees
 * that: its reply is with the kernel then, which the module learns in no other
 * way. Without a request (none can be found) it goes with its operation.
 */

#ifndef VFS_MIRROR_OPERATION_TRACE_H
#define VFS_MIRROR_OPERATION_TRACE_H

#include "../common/trace.h"
#include "operation.h"

struct operation_trace;

/* Call when the trace is on. */
void operation_trace_begin(struct mirror_operation *operation);

void operation_trace_point(struct mirror_operation *operation,
			   enum trace_owner_point point);

/* It is acknowledged by what volume->answered says when it came. */
void operation_trace_acknowledged(struct mirror_operation *operation);

/* Its locks are free. */
void operation_trace_end(struct mirror_operation *operation);

/* It ends without a record. */
void operation_trace_abandon(struct mirror_operation *operation);

/* The acknowledgements of all that was deferred are being waited for. */
void operation_trace_collect(struct mirror_volume *volume);
void operation_trace_collected(struct mirror_volume *volume);

/* The volume goes; requests that are still answered go nowhere. */
void operation_trace_close(struct mirror_volume *volume);

/* No cost but this branch when the operation is not traced. */
static inline void operation_point(struct mirror_operation *operation,
				   enum trace_owner_point point)
{
	if (__builtin_expect(operation->trace != NULL, 0)) {
		operation_trace_point(operation, point);
	}
}

#endif /* VFS_MIRROR_OPERATION_TRACE_H */
