/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See histogram.h. */

#include "histogram.h"

/* Buckets per doubling. */
#define FINE_BITS 6
#define FINE (1U << FINE_BITS)
#define TOP_BITS 36
#define BUCKETS ((TOP_BITS - FINE_BITS + 1) * FINE)

struct histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[BUCKETS];
};

/* Up to FINE one value each; above, FINE buckets from 2^n to 2^(n + 1). */
static uint32_t bucket_of(uint64_t ns)
{
	uint32_t shift;

	if (ns < FINE) {
		return (uint32_t)ns;
	}
	if (ns >> TOP_BITS != 0) {
		return BUCKETS - 1;
	}
	shift = 63 - (uint32_t)__builtin_clzll(ns) - FINE_BITS;
	return (shift + 1) * FINE + (uint32_t)((ns >> shift) - FINE);
}

/* The highest value in a bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
	uint32_t shift = bucket / FINE;

	if (shift == 0) {
		return bucket;
	}
	shift--;
	return ((((uint64_t)bucket % FINE) + FINE + 1) << shift) - 1;
}

struct histogram *histogram_new(TALLOC_CTX *mem_ctx)
{
	return talloc_zero(mem_ctx, struct histogram);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->count++;
	histogram->sum += ns;
	if (ns > histogram->max) {
		histogram->max = ns;
	}
	histogram->bucket[bucket_of(ns)]++;
}

uint64_t histogram_count(const struct histogram *histogram)
{
	return histogram != NULL ? histogram->count : 0;
}

uint64_t histogram_sum(const struct histogram *histogram)
{
	return histogram != NULL ? histogram->sum : 0;
}

uint64_t histogram_max(const struct histogram *histogram)
{
	return histogram != NULL ? histogram->max : 0;
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
	uint64_t wanted, below = 0;
	uint32_t i;

	if (histogram_count(histogram) == 0) {
		return 0;
	}
	wanted = (uint64_t)(part * (double)histogram->count);
	if (wanted >= histogram->count) {
		wanted = histogram->count - 1;
	}
	for (i = 0; i < BUCKETS; i++) {
		below += histogram->bucket[i];
		if (below > wanted) {
			break;
		}
	}
	/* The last bucket has no end. */
	if (i >= BUCKETS - 1 || bucket_end(i) > histogram->max) {
		return histogram->max;
	}
	return bucket_end(i);
}
