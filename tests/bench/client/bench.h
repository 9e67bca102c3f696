/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the processes of mirror-bench share: the options, and memory in which
 * the parent says until when is measured and each client puts its result. All
 * times are of CLOCK_MONOTONIC in nanoseconds, which the processes have in
 * common.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "histogram.h"

#define SECOND UINT64_C(1000000000)
#define BLOCK 4096		/* offsets and sizes are multiples of it */
#define MIB (UINT64_C(1) << 20)
#define DEPTH_MAX 1024
#define CLIENTS_MAX 1024

struct workload;

struct options {
	const struct workload *workload;
	const char *address;
	const char *share;
	const char *user;
	const char *password;
	const char *directory;	/* of the share; clients have one below it */
	unsigned int clients;
	unsigned int depth;	/* operations in flight of each client */
	uint64_t time;		/* to measure; UINT64_MAX: no limit */
	int64_t operations;	/* of all clients; INT64_MAX: no limit */
	uint32_t size;		/* of a read or write */
	uint64_t file_size;	/* of each client */
	unsigned int files;	/* that each client holds open */
	bool lease;		/* ask for leases */
	unsigned int batch;	/* names that a client uses up in a round */
	bool keep;		/* do not remove what was made */
	bool announce;		/* tell when a round is measured, and wait */
};

/* Written by one client; the parent reads it when that one waits. */
struct result {
	struct histogram latency;
	uint64_t operations;
	uint64_t bytes;
	uint64_t errors;
	uint64_t ended;		/* when the last operation of the round was */
	char message[256];	/* of the first error */
};

struct shared {
	/* No operation begins any more: a failure, or a signal. */
	atomic_bool stop;
	/* The same, but for this round: a client has nothing left to do. */
	atomic_bool round_over;
	_Atomic int64_t left;	/* operations that may begin */
	_Atomic uint64_t deadline;
	struct result results[];
};

/* How much is written at once of what a workload reads or overwrites. */
static inline uint32_t piece_size(const struct options *options)
{
	return options->size > 65536 ? options->size : 65536;
}

static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

#endif
