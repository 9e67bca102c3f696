/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An operation on its way: from the VFS call to the point where its reply may
 * leave.
 *
 * Owns: the order of steps (R1, R2, R3), what happens when the step before is
 * undone by a change of regime, the write-through of degraded mode.
 * Does not own: the link to the partner (sender.h), what the operation does
 * to the volume (its apply function), the locks' table (state_page.h).
 *
 *   NEW ──locks──► LOCKED ──record sent──► SENT ──acknowledged, applied──► DONE
 *                   ▲ │                     │ │                             ▲
 *                   │ │    other store, or  │ └─applied, failed─► CANCELLING┤
 *                   │ │    degraded now     │                               │
 *                   └─┼─────────────────────┘                               │
 *                     └──degraded: applied, on disk─────────────────────────┘
 *
 * "acknowledged" and "applied" are flags: a deferred attribute change (R1's
 * exception) is applied first.
 *
 * Synchronous operations are driven by operation_run() in one VFS call.
 * Asynchronous writes are started by operation_start() and driven on by the
 * sender when acknowledgements come in, in whichever call that happens: a
 * process that waits for one operation completes its others meanwhile, so two
 * processes can never wait for each other.
 */

#ifndef VFS_MIRROR_OPERATION_H
#define VFS_MIRROR_OPERATION_H

#include "../common/record.h"
#include "../common/state_page.h"

struct mirror_volume;
struct mirror_operation;

/*
 * Change the volume. Returns 0 or -1 with errno. Called once, with all locks
 * held, after the partner has the record.
 */
typedef int (*operation_apply)(struct mirror_operation *operation,
			       void *private_data);

/* Make durable what apply did (degraded mode). 0 or -1 with errno. */
typedef int (*operation_harden)(struct mirror_operation *operation,
				void *private_data);

/* An asynchronous operation is over. */
typedef void (*operation_done)(struct mirror_operation *operation,
			       void *private_data);

enum operation_state {
	OPERATION_NEW,
	OPERATION_LOCKED,	/* holds its locks, nothing sent */
	OPERATION_SENT,		/* the partner has it, or will */
	OPERATION_CANCELLING,	/* apply failed, the record is taken back */
	OPERATION_DONE
};

struct mirror_operation {
	struct mirror_operation *prev, *next;	/* in order of sequence */
	struct mirror_volume *volume;
	enum operation_state state;

	/* to be filled in by the caller */
	struct record record;
	struct page_lock locks[PAGE_LOCKS_MAX];
	uint32_t num_locks;
	operation_apply apply;
	operation_harden harden;
	operation_done done;		/* asynchronous ones only */
	bool alone;	/* no other record of this process is sent between its
			   own and its apply: what a dead process may have left
			   undone is its last record (replay.h) */
	void *private_data;

	/* the operation's own */
	struct page_hold hold;
	uint64_t regime;
	struct mirror_id incarnation;	/* of the store that it was sent to */
	uint8_t *head;
	size_t head_length;
	bool acknowledged;
	bool applied;
	bool deferred;
	bool driven;	/* somebody up the stack drives it */
	bool starting;	/* asynchronous, and its request was read just now */
	int error;	/* errno of apply, 0 if it worked */
	struct operation_trace *trace;	/* NULL: not traced */
};

/* A talloc child of mem_ctx with credentials and time filled in (R7). */
struct mirror_operation *operation_new(TALLOC_CTX *mem_ctx,
				       struct mirror_volume *volume,
				       enum record_type type);

void operation_lock(struct mirror_operation *operation,
		    struct page_lock lock);

/*
 * Take the locks: for operations that have to look at the volume under their
 * locks before the record can be made. operation_run() and _start() do it if
 * it was not done. 0, or -1 with errno.
 */
int operation_take_locks(struct mirror_operation *operation);

/* Give up before anything was sent. */
void operation_abandon(struct mirror_operation *operation);

/*
 * All the way. Returns what apply returned, with its errno, after the partner
 * knows of a failure (R2); -1 with errno EIO if this node must not change the
 * volume any more. Frees the operation.
 */
int operation_run(struct mirror_operation *operation);

/*
 * Like operation_run, but inside a create (R1's exception) the
 * acknowledgement is left for operation_collect().
 */
int operation_run_attribute(struct mirror_operation *operation);

/*
 * R12: return when this node may tell what it has just found out. If it is not
 * the owner any more, the process ends. Drives asynchronous operations on.
 */
void operation_await_right(struct mirror_volume *volume);

/* Wait for everything that was deferred in this process and volume. */
void operation_collect(struct mirror_volume *volume);

/*
 * Lock, send, return; done is called when it is over, perhaps before this
 * returns. The operation's data must stay until then. 0, or -1 with errno.
 */
int operation_start(struct mirror_operation *operation);

/* Drive an asynchronous operation to its end now; done is not called. */
void operation_finish(struct mirror_operation *operation);

/* For the sender: acknowledgements or a new regime have come; go on with all
 * operations that can. */
void operation_advance_all(struct mirror_volume *volume);

#endif /* VFS_MIRROR_OPERATION_H */
