/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/byte_queue.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "byte_queue.h"

/* What goes in comes out, whatever the sizes. */
static void test_order(void **state)
{
	struct byte_queue queue = { .size = 0 };
	uint8_t bytes[5000];
	uint32_t in = 0;
	uint32_t out = 0;
	int round;

	srandom(1);
	for (round = 0; round < 20000; round++) {
		size_t length = (size_t)random() % sizeof(bytes);
		size_t i;

		for (i = 0; i < length; i++) {
			bytes[i] = (uint8_t)((in + i) * 2654435761U >> 24);
		}
		assert_int_equal(byte_queue_append(NULL, &queue, bytes,
						   length), 0);
		in += (uint32_t)length;

		length = byte_queue_length(&queue);
		assert_int_equal(length, in - out);
		length = (size_t)random() % (length + 1);
		for (i = 0; i < length; i++) {
			assert_int_equal(
				byte_queue_head(&queue)[i],
				(uint8_t)((out + i) * 2654435761U >> 24));
		}
		byte_queue_consume(&queue, length);
		out += (uint32_t)length;
	}
	talloc_free(queue.buf);
}

/* What stays in the queue must not make every further byte more expensive. */
static void test_moves_are_paid_for(void **state)
{
	struct byte_queue queue = { .size = 0 };
	static const uint8_t bytes[1024 * 1024];
	size_t moved = 0;
	int i;

	/* Nearly full: each append could get its room by a move. */
	assert_int_equal(byte_queue_append(NULL, &queue, bytes,
					   sizeof(bytes) - 150), 0);
	for (i = 0; i < 100000; i++) {
		size_t start = queue.start;

		assert_int_equal(byte_queue_append(NULL, &queue, bytes, 100),
				 0);
		if (queue.start < start) {
			moved += byte_queue_length(&queue);
		}
		byte_queue_consume(&queue, 100);
	}
	/* 10 MB went through; a move for each would be 100 GB. */
	assert_true(moved < 20 * 1000 * 1000);
	assert_true(queue.size <= 8 * 1024 * 1024);
	talloc_free(queue.buf);
}

static void test_trim(void **state)
{
	struct byte_queue queue = { .size = 0 };

	assert_non_null(byte_queue_reserve(NULL, &queue, 100000));
	byte_queue_commit(&queue, 10);
	byte_queue_trim(&queue, 0);
	assert_int_equal(byte_queue_length(&queue), 10);
	byte_queue_consume(&queue, 10);
	byte_queue_trim(&queue, 1000000);
	assert_non_null(queue.buf);
	byte_queue_trim(&queue, 0);
	assert_null(queue.buf);
	assert_int_equal(byte_queue_append(NULL, &queue, "again", 5), 0);
	assert_memory_equal(byte_queue_head(&queue), "again", 5);
	talloc_free(queue.buf);
}

static void test_too_much(void **state)
{
	struct byte_queue queue = { .size = 0 };

	assert_int_equal(byte_queue_append(NULL, &queue, "x", 1), 0);
	assert_null(byte_queue_reserve(NULL, &queue, SIZE_MAX - 1));
	/* More than talloc gives, and a count of 0 if it were an int. */
	assert_null(byte_queue_reserve(NULL, &queue, (size_t)1 << 40));
	assert_int_equal(byte_queue_length(&queue), 1);
	assert_memory_equal(byte_queue_head(&queue), "x", 1);
	talloc_free(queue.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_moves_are_paid_for),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
