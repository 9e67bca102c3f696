/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counts of values in buckets whose width grows with the value (log-linear, as
 * HdrHistogram has them): every octave has the same number of buckets, so that
 * what is read out is less than 0.4 % off, at any value, in 37 KB. All zero is
 * an empty one, so it can lie in fresh shared memory. Knows no unit.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_OCTAVE_BITS 7
#define HISTOGRAM_OCTAVE (1 << HISTOGRAM_OCTAVE_BITS)
/* An hour in nanoseconds. What is beyond is counted in the last bucket. */
#define HISTOGRAM_VALUE_BITS 42
#define HISTOGRAM_BUCKETS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_OCTAVE_BITS + 1) \
			   * HISTOGRAM_OCTAVE + 1)

struct histogram {
	uint64_t count;
	uint64_t min;		/* exact, as max; 0 while count is */
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/*
 * The value that percent (0 to 100) of the values do not exceed; 0 of an empty
 * one.
 */
uint64_t histogram_percentile(const struct histogram *histogram,
			      double percent);

#endif
