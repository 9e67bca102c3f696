/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a trace says: steps that add up, in whatever order their points were
 * passed, and percentiles that are right within a bucket.
 *
 * Seen to fail: sort_points() that does not sort (test_order), bucket_end()
 * without the + 1 (test_histogram), add_record() that counts failed ones
 * (test_failed), add_request() without its bound (test_nonsense).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "histogram.h"
#include "record.h"
#include "trace_report.h"

static const json_t *find(const json_t *list, const char *name)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (strcmp(json_string_value(json_object_get(one, "name")),
			   name) == 0) {
			return one;
		}
	}
	return NULL;
}

static double value(const json_t *kind, const char *step, const char *key)
{
	const json_t *found = strcmp(step, "whole") == 0 ?
		json_object_get(kind, "whole") :
		find(json_object_get(kind, "steps"), step);

	assert_non_null(found);
	return json_number_value(json_object_get(found, key));
}

static void assert_near(double is, double wanted)
{
	if (is < wanted * 0.98 || is > wanted * 1.02) {
		fail_msg("%f is not %f", is, wanted);
	}
}

static struct trace_entry write_entry(void)
{
	return (struct trace_entry){
		.role = TRACE_OWNER,
		.type = RECORD_WRITE,
		.bytes = 4096,
		.at = {
			[TRACE_BEGUN] = 1000000,
			[TRACE_LOCKED] = 1010000,
			[TRACE_SENT] = 1040000,
			[TRACE_ACKNOWLEDGED] = 1140000,
			[TRACE_APPLIED] = 1160000,
			[TRACE_UNLOCKED] = 1165000,
		},
	};
}

static void test_steps(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = write_entry();
	const json_t *kind;
	json_t *json;
	double sum = 0;
	size_t i;

	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	kind = find(json_object_get(json, "owner"), "write");
	assert_non_null(kind);
	assert_near(value(kind, "lock", "p50"), 10);
	assert_near(value(kind, "send", "p50"), 30);
	assert_near(value(kind, "receive", "p50"), 100);
	assert_near(value(kind, "apply", "p50"), 20);
	assert_near(value(kind, "unlock", "p50"), 5);
	for (i = 0; i < json_array_size(json_object_get(kind, "steps"));
	     i++) {
		sum += json_number_value(json_object_get(json_array_get(
			json_object_get(kind, "steps"), i), "mean"));
	}
	assert_near(sum, value(kind, "whole", "mean"));
	assert_near(sum, 165);
	json_decref(json);
	talloc_free(report);
}

/* One that was applied before it was acknowledged. */
static void test_order(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = write_entry();
	const json_t *kind;
	json_t *json;

	entry.type = RECORD_SETXATTR;
	entry.flags = TRACE_DEFERRED;
	entry.at[TRACE_APPLIED] = 1050000;
	entry.at[TRACE_COLLECTED] = 1100000;
	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	assert_null(find(json_object_get(json, "owner"), "setxattr"));
	kind = find(json_object_get(json, "owner"), "setxattr, collected");
	assert_non_null(kind);
	assert_near(value(kind, "apply", "p50"), 10);
	assert_near(value(kind, "meanwhile", "p50"), 50);
	assert_near(value(kind, "receive", "p50"), 40);
	assert_near(value(kind, "unlock", "p50"), 25);
	assert_near(value(kind, "whole", "p50"), 165);
	json_decref(json);
	talloc_free(report);
}

static void test_failed(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = write_entry();
	const json_t *kind;
	json_t *json;

	assert_true(trace_report_add(report, &entry));
	entry.flags = TRACE_FAILED;
	entry.at[TRACE_UNLOCKED] = 9000000000;
	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	kind = find(json_object_get(json, "owner"), "write");
	assert_int_equal(json_integer_value(json_object_get(kind, "count")),
			 2);
	assert_int_equal(json_integer_value(json_object_get(kind, "failed")),
			 1);
	assert_near(value(kind, "whole", "max"), 165);
	json_decref(json);
	talloc_free(report);
}

static void test_request(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = write_entry();
	const json_t *kind;
	json_t *json;

	entry.flags = TRACE_LAST;
	entry.command = 5;
	entry.operations = 4;
	entry.request_begun = 1000000;
	entry.request_inside = 300000;
	entry.at[TRACE_REPLIED] = 2000000;
	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	kind = find(json_object_get(json, "requests"), "create");
	assert_non_null(kind);
	assert_non_null(find(json_object_get(json, "owner"), "write"));
	assert_near(value(kind, "mirror", "p99"), 300);
	assert_near(value(kind, "smbd", "p99"), 700);
	assert_near(value(kind, "whole", "p99"), 1000);
	json_decref(json);
	talloc_free(report);

	/* A request counts also when its last operation made no record. */
	report = trace_report_new(NULL);
	entry.flags |= TRACE_ABANDONED;
	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	assert_non_null(find(json_object_get(json, "requests"), "create"));
	assert_null(find(json_object_get(json, "owner"), "write"));
	json_decref(json);
	talloc_free(report);
}

/* Two nodes, one ring: a partner's entry is not an owner's. */
static void test_partner(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = {
		.role = TRACE_PARTNER,
		.type = RECORD_WRITE,
		.at = { 5000, 15000, 35000, 65000 },
	};
	const json_t *kind;
	json_t *json;

	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	assert_null(find(json_object_get(json, "owner"), "write"));
	kind = find(json_object_get(json, "partner"), "write");
	assert_non_null(kind);
	assert_near(value(kind, "receive", "mean"), 10);
	assert_near(value(kind, "store", "mean"), 20);
	assert_near(value(kind, "acknowledge", "mean"), 30);
	json_decref(json);
	talloc_free(report);
}

/* Whatever is in an entry does no harm. */
static void test_nonsense(void **state)
{
	struct trace_report *report = trace_report_new(NULL);
	struct trace_entry entry = write_entry();
	FILE *out = fopen("/dev/null", "w");
	json_t *json;
	uint32_t i;

	entry.flags = TRACE_LAST;
	entry.command = 60000;
	assert_true(trace_report_add(report, &entry));
	entry.command = 5;
	entry.request_begun = UINT64_MAX;
	assert_true(trace_report_add(report, &entry));
	entry.request_begun = 1;
	entry.request_inside = UINT64_MAX;
	entry.at[TRACE_REPLIED] = 2;
	assert_true(trace_report_add(report, &entry));
	json = trace_report_json(report);
	assert_null(find(json_object_get(json, "requests"), "create"));
	json_decref(json);
	entry.type = UINT16_MAX;
	assert_true(trace_report_add(report, &entry));
	for (i = 0; i < 10000; i++) {
		uint8_t *bytes = (uint8_t *)&entry;
		size_t k;

		for (k = 0; k < sizeof(entry); k++) {
			bytes[k] = (uint8_t)((i * 2654435761u + k * 40503u) >>
					     (k % 24));
		}
		entry.role = 1 + i % 2;
		entry.type %= RECORD_TYPE_END + 2;
		assert_true(trace_report_add(report, &entry));
	}
	json = trace_report_json(report);
	assert_non_null(json);
	json_decref(json);
	trace_report_print(report, out);
	fclose(out);
	talloc_free(report);
}

static void test_histogram(void **state)
{
	struct histogram *histogram = histogram_new(NULL);
	uint64_t n;

	assert_int_equal(histogram_quantile(NULL, 0.5), 0);
	assert_int_equal(histogram_quantile(histogram, 0.5), 0);
	for (n = 1; n <= 100000; n++) {
		histogram_add(histogram, n * 10);
	}
	assert_int_equal(histogram_count(histogram), 100000);
	assert_int_equal(histogram_max(histogram), 1000000);
	assert_near((double)histogram_quantile(histogram, 0.5), 500000);
	assert_near((double)histogram_quantile(histogram, 0.9), 900000);
	assert_near((double)histogram_quantile(histogram, 0.99), 990000);
	assert_int_equal(histogram_quantile(histogram, 1), 1000000);
	/* Longer than anything: in the last bucket. */
	histogram_add(histogram, UINT64_MAX / 2);
	assert_int_equal(histogram_quantile(histogram, 1), UINT64_MAX / 2);
	talloc_free(histogram);
}

/* A bucket holds what it says: no value is told as less than it is, or as
 * more than 1.6 % above. */
static void test_buckets(void **state)
{
	uint64_t ns;

	for (ns = 1; ns < UINT64_C(1) << 35; ns += 1 + ns / 7) {
		struct histogram *histogram = histogram_new(NULL);
		uint64_t told;

		histogram_add(histogram, ns);
		histogram_add(histogram, UINT64_C(1) << 35);
		told = histogram_quantile(histogram, 0);
		assert_true(told >= ns);
		assert_true((double)told <= (double)ns * 1.017);
		talloc_free(histogram);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_partner),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
