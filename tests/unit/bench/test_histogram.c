/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The histogram of the benchmark: what it says of percentiles against the
 * sorted values. Seen to fail: buckets twice as wide, a merge that forgets
 * min, a rank that is rounded down.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "histogram.h"

#define VALUES 10000

static struct histogram histogram, other;
static uint64_t values[VALUES];

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void assert_close(uint64_t got, uint64_t exact)
{
	uint64_t off = got > exact ? got - exact : exact - got;

	/* Below an octave it is exact, so it is never off by half a unit. */
	assert_true(off * 1000 <= exact * 4);
}

static int clear(void **state)
{
	memset(&histogram, 0, sizeof(histogram));
	memset(&other, 0, sizeof(other));
	return 0;
}

static void test_empty(void **state)
{
	assert_int_equal(histogram_percentile(&histogram, 50), 0);
	assert_int_equal(histogram_percentile(&histogram, 100), 0);
	histogram_merge(&histogram, &other);
	assert_int_equal(histogram.count, 0);
}

static void test_one(void **state)
{
	histogram_add(&histogram, 123456789);
	assert_int_equal(histogram.min, 123456789);
	assert_int_equal(histogram.max, 123456789);
	/* Never outside of what there was. */
	assert_int_equal(histogram_percentile(&histogram, 1), 123456789);
	assert_int_equal(histogram_percentile(&histogram, 99), 123456789);
}

static void test_small_values_are_exact(void **state)
{
	uint64_t value;

	for (value = 0; value < 100; value++) {
		histogram_add(&histogram, value);
	}
	assert_int_equal(histogram_percentile(&histogram, 0), 0);
	assert_int_equal(histogram_percentile(&histogram, 50), 49);
	assert_int_equal(histogram_percentile(&histogram, 50.5), 50);
	assert_int_equal(histogram_percentile(&histogram, 99), 98);
	assert_int_equal(histogram_percentile(&histogram, 100), 99);
}

/* At both ends and in the middle of every bucket of every octave. */
static void test_error_is_bounded(void **state)
{
	unsigned int bit;
	uint64_t step;

	for (bit = 3; bit < HISTOGRAM_VALUE_BITS; bit++) {
		for (step = 0; step < 1000; step++) {
			uint64_t value = (UINT64_C(1) << bit) +
				(((UINT64_C(1) << bit) - 1) * step) / 999;

			clear(NULL);
			histogram_add(&histogram, 0);
			histogram_add(&histogram, value);
			/* So that it is not clipped to the extremes. */
			histogram_add(&histogram, UINT64_MAX);
			assert_close(histogram_percentile(&histogram, 50),
				     value);
		}
	}
}

static void test_against_sorted_values(void **state)
{
	static const double percents[] = { 1, 10, 50, 90, 99, 99.9 };
	size_t i;

	for (i = 0; i < VALUES; i++) {
		/* Of all magnitudes alike. */
		values[i] = next_random() >> (24 + next_random() % 40);
		histogram_add(&histogram, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), compare);
	assert_int_equal(histogram.min, values[0]);
	assert_int_equal(histogram.max, values[VALUES - 1]);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		size_t rank = (size_t)(percents[i] / 100 * VALUES + 0.5);

		assert_close(histogram_percentile(&histogram, percents[i]),
			     values[rank - 1]);
	}
}

static void test_merge(void **state)
{
	uint64_t value;

	for (value = 1000; value < 2000; value++) {
		histogram_add(value % 2 ? &histogram : &other, value);
	}
	histogram_add(&other, 7);
	histogram_merge(&histogram, &other);
	assert_int_equal(histogram.count, 1001);
	assert_int_equal(histogram.min, 7);
	assert_int_equal(histogram.max, 1999);
	assert_close(histogram_percentile(&histogram, 50), 1499);
	/* Into an empty one it is a copy. */
	clear(NULL);
	histogram_add(&other, 5);
	histogram_merge(&histogram, &other);
	assert_memory_equal(&histogram, &other, sizeof(other));
}

static void test_too_large_values(void **state)
{
	histogram_add(&histogram, 1);
	histogram_add(&histogram, UINT64_MAX);
	assert_int_equal(histogram.max, UINT64_MAX);
	assert_int_equal(histogram_percentile(&histogram, 50), 1);
	assert_int_equal(histogram_percentile(&histogram, 99), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, clear),
		cmocka_unit_test_setup(test_one, clear),
		cmocka_unit_test_setup(test_small_values_are_exact, clear),
		cmocka_unit_test_setup(test_error_is_bounded, clear),
		cmocka_unit_test_setup(test_against_sorted_values, clear),
		cmocka_unit_test_setup(test_merge, clear),
		cmocka_unit_test_setup(test_too_large_values, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
