/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a record (R6): refused, or a record that has exactly this
 * encoding.
 */

#include <errno.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	enum record_type type;
	struct record record;
	uint64_t sequence;
	uint64_t epoch;
	uint8_t *head;
	size_t length;
	int peek;
	int ret;

	peek = record_peek(bytes, size, &type, &sequence, &epoch);
	ret = record_decode(mem_ctx, bytes, size, &record);
	FUZZ_CHECK(peek == 0 || peek == EBADMSG);
	if (ret != 0) {
		FUZZ_CHECK(ret == EBADMSG);
		FUZZ_CHECK(talloc_total_blocks(mem_ctx) == 1);
		talloc_free(mem_ctx);
		return 0;
	}

	FUZZ_CHECK(peek == 0 && record.type == type);
	FUZZ_CHECK(record.sequence == sequence && record.epoch == epoch);
	FUZZ_CHECK(record_encode(mem_ctx, &record, &head, &length) == 0);
	FUZZ_CHECK(length <= record_head_bound(&record));
	FUZZ_CHECK(length + record.data_length == size);
	FUZZ_CHECK(memcmp(head, bytes, length) == 0);
	FUZZ_CHECK(record.data_length == 0 || record.data == bytes + length);
	FUZZ_CHECK(record_describe(mem_ctx, &record) != NULL);
	talloc_free(mem_ctx);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed)
{
	struct table_random random = { .state = seed | 1 };

	if (seed % FUZZ_NEW_ONE_IN == 0) {
		size_t made = fuzz_record(&random, bytes, max_size);

		if (made != 0) {
			return made;
		}
	}
	return LLVMFuzzerMutate(bytes, size, max_size);
}
