/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets share: seeds. There is no folder of them: now and
 * then the mutator makes a valid input from the tables instead of changing
 * an old one, so a new row in a table is fuzzed at once.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

#include "record.h"
#include "wire.h"
#include "../unit/table_fill.h"

#define FUZZ_DATA_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max_size);

#define FUZZ_CHECK(condition) do { if (!(condition)) { abort(); } } while (0)

/* Both return the size of what they put into bytes; 0 if it does not fit. */

static inline size_t fuzz_record(struct table_random *random,
				 uint8_t *bytes,
				 size_t max_size)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct record record = { .type = 0 };
	enum record_type type;
	uint8_t *head;
	size_t length;
	size_t size = 0;

	type = 1 + table_next(random) % (RECORD_TYPE_END - 1);
	table_fill(mem_ctx, record_common_fields(), &record, 0, random);
	table_fill(mem_ctx, record_fields(type), &record, FUZZ_DATA_MAX,
		   random);
	record.type = type;
	FUZZ_CHECK(record_encode(mem_ctx, &record, &head, &length) == 0);
	if (length + record.data_length <= max_size) {
		size = length + record.data_length;
		memcpy(bytes, head, length);
		if (record.data_length != 0) {
			memcpy(bytes + length, record.data,
			       record.data_length);
		}
	}
	talloc_free(mem_ctx);
	return size;
}

/* A frame with its header. */
static inline size_t fuzz_message(struct table_random *random,
				  uint8_t *bytes,
				  size_t max_size)
{
	TALLOC_CTX *mem_ctx;
	struct message message = { .type = 0 };
	uint8_t *frame;
	size_t length;

	message.type = 1 + table_next(random) % (FRAME_TYPE_END - 1);
	if (message.type == FRAME_RECORD) {
		if (max_size < WIRE_FRAME_HEADER) {
			return 0;
		}
		length = fuzz_record(random, bytes + WIRE_FRAME_HEADER,
				     max_size - WIRE_FRAME_HEADER);
		frame_header_push(bytes, FRAME_RECORD, (uint32_t)length);
		return length + WIRE_FRAME_HEADER;
	}
	mem_ctx = talloc_new(NULL);
	table_fill(mem_ctx, message_fields(message.type), &message,
		   FUZZ_DATA_MAX, random);
	FUZZ_CHECK(message_encode(mem_ctx, &message, &frame, &length) == 0);
	if (length <= max_size) {
		memcpy(bytes, frame, length);
	} else {
		length = 0;
	}
	talloc_free(mem_ctx);
	return length;
}

/* One in so many inputs is a new one. */
#define FUZZ_NEW_ONE_IN 32

#endif /* FUZZ_H */
