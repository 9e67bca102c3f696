/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parent of the clients: starts them, leads them through their rounds
 * together, and puts their results into one.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "bench.h"

struct total {
	struct histogram latency;
	uint64_t operations;
	uint64_t bytes;
	uint64_t errors;
	uint64_t measured;	/* how long, without what was not measured */
};

/*
 * Run the benchmark; what failed is told on stderr. Ends early, and cleanly, at
 * SIGTERM or SIGINT. False if it could not be run.
 */
bool rounds_run(const struct options *options, struct total *total);

#endif
