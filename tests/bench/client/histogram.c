/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See histogram.h. */

#include <stddef.h>
#include "histogram.h"

/* Values of the first octave have buckets of their own. */
static size_t bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < HISTOGRAM_OCTAVE) {
		return (size_t)value;
	}
	if (value >> HISTOGRAM_VALUE_BITS != 0) {
		return HISTOGRAM_BUCKETS - 1;
	}
	shift = 63 - (unsigned int)__builtin_clzll(value) -
		HISTOGRAM_OCTAVE_BITS;
	return (size_t)shift * HISTOGRAM_OCTAVE + (size_t)(value >> shift);
}

static uint64_t middle_of(size_t bucket)
{
	size_t shift;

	if (bucket < HISTOGRAM_OCTAVE) {
		return bucket;
	}
	shift = bucket / HISTOGRAM_OCTAVE - 1;
	return ((uint64_t)(bucket - shift * HISTOGRAM_OCTAVE) << shift) +
		((UINT64_C(1) << shift) >> 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (histogram->count == 0 || value < histogram->min) {
		histogram->min = value;
	}
	if (value > histogram->max) {
		histogram->max = value;
	}
	histogram->count++;
	histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	size_t i;

	if (from->count == 0) {
		return;
	}
	if (into->count == 0 || from->min < into->min) {
		into->min = from->min;
	}
	if (from->max > into->max) {
		into->max = from->max;
	}
	into->count += from->count;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		into->buckets[i] += from->buckets[i];
	}
}

uint64_t histogram_percentile(const struct histogram *histogram,
			      double percent)
{
	/* 99.9 has no exact double, and must not become the next rank. */
	double exact = percent / 100 * (double)histogram->count - 1e-6;
	uint64_t rank = exact > 0 ? (uint64_t)exact + 1 : 0;
	uint64_t seen = 0, value = histogram->max;
	size_t i;

	if (rank == 0) {
		return histogram->min;
	}
	/* The last bucket has no end, but max is known. */
	for (i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank) {
			value = middle_of(i);
			break;
		}
	}
	if (value < histogram->min) {
		return histogram->min;
	}
	return value < histogram->max ? value : histogram->max;
}
