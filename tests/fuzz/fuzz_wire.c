/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a frame (R6): refused, or a message that has exactly this
 * encoding.
 */

#include <errno.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	TALLOC_CTX *mem_ctx;
	struct message message;
	enum frame_type type;
	uint32_t length;
	uint8_t *frame;
	size_t again;
	int ret;

	if (size < WIRE_FRAME_HEADER ||
	    frame_header_pull(bytes, &type, &length) != 0) {
		return 0;
	}
	FUZZ_CHECK(length <= WIRE_FRAME_MAX);
	FUZZ_CHECK(strcmp(frame_type_name(type), "unknown") != 0);

	/* Not its length, but what is there: more of the inputs get far. */
	mem_ctx = talloc_new(NULL);
	ret = message_decode(mem_ctx, type, bytes + WIRE_FRAME_HEADER,
			     size - WIRE_FRAME_HEADER, &message);
	if (ret != 0) {
		FUZZ_CHECK(ret == EBADMSG);
		FUZZ_CHECK(talloc_total_blocks(mem_ctx) == 1);
		talloc_free(mem_ctx);
		return 0;
	}
	FUZZ_CHECK(message.type == type);
	FUZZ_CHECK(message_encode(mem_ctx, &message, &frame, &again) == 0);
	FUZZ_CHECK(again == size);
	FUZZ_CHECK(memcmp(frame + WIRE_FRAME_HEADER,
			  bytes + WIRE_FRAME_HEADER,
			  size - WIRE_FRAME_HEADER) == 0);
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
		size_t made = fuzz_message(&random, bytes, max_size);

		if (made != 0) {
			return made;
		}
	}
	return LLVMFuzzerMutate(bytes, size, max_size);
}
