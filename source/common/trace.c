/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See trace.h. */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>
#include "mapped_file.h"
#include "record.h"
#include "state_page.h"
#include "trace.h"

#define TRACE_MAGIC UINT64_C(0x6d6972726f747231)
#define CACHE_LINE 64

/* An entry that is not whole when so many came after it never will be: its
 * writer died, or passed it over. */
#define PATIENCE 256

/*
 * Place number n of all that were ever given away is slot n % TRACE_ENTRIES.
 * While it is written its stamp is 2n + 1, then 2n + 2.
 */
struct trace_slot {
	_Atomic uint64_t stamp;
	struct trace_entry entry;
};

struct trace_shared {
	/* A cache line that all read and hardly anybody ever writes. */
	uint64_t magic;
	uint64_t size;
	_Atomic uint64_t until;
	uint8_t pad[CACHE_LINE - 3 * sizeof(uint64_t)];
	/* The one that all writers share. */
	_Atomic uint64_t next;
	uint8_t pad2[CACHE_LINE - sizeof(uint64_t)];
	struct trace_slot slots[TRACE_ENTRIES];
};

uint64_t trace_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---------------------------------------------------------------- mapping */

static char *trace_path(TALLOC_CTX *mem_ctx,
			const char *directory,
			const char *volume)
{
	return talloc_asprintf(mem_ctx, "%s/%s.trace", directory, volume);
}

static int trace_map(TALLOC_CTX *mem_ctx,
		     const char *path,
		     int flags,
		     struct trace **_trace)
{
	struct trace *trace = talloc_zero(mem_ctx, struct trace);
	int ret;

	if (trace == NULL) {
		return ENOMEM;
	}
	ret = mapped_file_open(trace, path, flags, sizeof(*trace->shared),
			       &trace->file);
	/* The slots have no memory before somebody switches the trace on. */
	if (ret == 0 && (flags & O_CREAT)) {
		ret = posix_fallocate(trace->file->fd, 0,
				      offsetof(struct trace_shared, slots));
	}
	if (ret != 0) {
		talloc_free(trace);
		return ret;
	}
	trace->shared = trace->file->map;
	if (flags & O_CREAT) {
		trace->shared->size = sizeof(*trace->shared);
		atomic_thread_fence(memory_order_seq_cst);
		trace->shared->magic = TRACE_MAGIC;
	}
	trace->until = &trace->shared->until;
	*_trace = trace;
	return 0;
}

static bool is_ours(const struct trace *trace)
{
	return trace->shared->magic == TRACE_MAGIC &&
		trace->shared->size == sizeof(*trace->shared);
}

int trace_open(TALLOC_CTX *mem_ctx,
	       const char *directory,
	       const char *volume,
	       struct trace **trace)
{
	char *path = trace_path(mem_ctx, directory, volume);
	int ret;

	if (path == NULL) {
		return ENOMEM;
	}
	ret = trace_map(mem_ctx, path, 0, trace);
	talloc_free(path);
	if (ret == 0 && !is_ours(*trace)) {
		TALLOC_FREE(*trace);
		ret = EPROTO;
	}
	return ret;
}

int trace_create(TALLOC_CTX *mem_ctx,
		 const char *directory,
		 const char *volume,
		 struct trace **trace)
{
	char *path;
	int ret;

	/* One that is there may be in use by smbds. */
	ret = trace_open(mem_ctx, directory, volume, trace);
	if (ret == 0) {
		return 0;
	}
	path = trace_path(mem_ctx, directory, volume);
	if (path == NULL) {
		return ENOMEM;
	}
	(void)unlink(path);
	ret = trace_map(mem_ctx, path, O_CREAT | O_EXCL, trace);
	talloc_free(path);
	return ret;
}

/* ----------------------------------------------------------------- writing */

bool trace_has_time(struct trace *trace)
{
	uint64_t until = atomic_load(trace->until);

	if (state_page_clock() < until) {
		return true;
	}
	/* So that the next one need not look at the clock. */
	atomic_compare_exchange_strong(trace->until, &until, 0);
	return false;
}

void trace_add(struct trace *trace, const struct trace_entry *entry)
{
	uint64_t n = atomic_fetch_add(&trace->shared->next, 1);
	struct trace_slot *slot = &trace->shared->slots[n % TRACE_ENTRIES];
	uint64_t stamp = atomic_load(&slot->stamp);

	/* Odd: still being written, a whole ring ago. */
	if ((stamp & 1) != 0 || stamp > 2 * n ||
	    !atomic_compare_exchange_strong(&slot->stamp, &stamp, 2 * n + 1)) {
		return;
	}
	atomic_thread_fence(memory_order_release);
	slot->entry = *entry;
	atomic_store(&slot->stamp, 2 * n + 2);
}

/* ----------------------------------------------------------------- reading */

void trace_read_from_now(struct trace_reader *reader, struct trace *trace)
{
	*reader = (struct trace_reader){
		.trace = trace,
		.next = atomic_load(&trace->shared->next),
	};
}

int trace_keep_on(struct trace_reader *reader, uint32_t ms)
{
	struct trace *trace = reader->trace;
	uint64_t until = state_page_clock() + (uint64_t)ms * 1000000;
	uint64_t before = atomic_load(trace->until);

	if (reader->until == 0) {
		/* Nobody who writes to it may find that /run is full. */
		int ret = posix_fallocate(trace->file->fd, 0,
					  sizeof(*trace->shared));
		if (ret != 0) {
			return ret;
		}
	}
	reader->until = until;
	/* Another tracer may want it for longer. */
	while (before < until &&
	       !atomic_compare_exchange_weak(trace->until, &before, until)) {
		;
	}
	return 0;
}

void trace_off(struct trace_reader *reader)
{
	uint64_t until = reader->until;

	if (until != 0) {
		atomic_compare_exchange_strong(reader->trace->until,
					       &until, 0);
	}
}

static bool read_slot(const struct trace_slot *slot,
		      uint64_t n,
		      struct trace_entry *entry)
{
	if (atomic_load(&slot->stamp) != 2 * n + 2) {
		return false;
	}
	*entry = slot->entry;
	atomic_thread_fence(memory_order_acquire);
	/* Not written over meanwhile? */
	return atomic_load(&slot->stamp) == 2 * n + 2;
}

static bool is_sane(const struct trace_entry *entry)
{
	return entry->role > 0 && entry->role < TRACE_ROLE_END &&
		entry->type > 0 && entry->type < RECORD_TYPE_END;
}

bool trace_read(struct trace_reader *reader, struct trace_entry *entry)
{
	const struct trace_shared *shared = reader->trace->shared;
	uint64_t end = atomic_load(&shared->next);

	if (end < reader->next) {
		reader->next = end;
	} else if (end - reader->next > TRACE_ENTRIES) {
		/* Too late for the oldest. */
		uint64_t next = end - TRACE_ENTRIES;

		reader->lost += next - reader->next;
		reader->next = next;
	}
	while (reader->next != end) {
		uint64_t n = reader->next;

		if (read_slot(&shared->slots[n % TRACE_ENTRIES], n, entry) &&
		    is_sane(entry)) {
			reader->next++;
			return true;
		}
		if (end - n <= PATIENCE &&
		    atomic_load(&shared->slots[n % TRACE_ENTRIES].stamp) <=
		    2 * n + 1) {
			/* Its writer is about to finish it. */
			return false;
		}
		reader->lost++;
		reader->next++;
	}
	return false;
}
