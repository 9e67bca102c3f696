/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A record to bytes and back; see micro.h. */

#include <string.h>

#include "micro.h"
#include "micro_record.h"

struct codec_state {
	struct record record;
	TALLOC_CTX *scratch;
	uint8_t *bytes;		/* encoded, with the data */
	size_t length;
};

static void *begin(TALLOC_CTX *mem_ctx, const struct micro_case *micro_case)
{
	struct codec_state *state = talloc_zero(mem_ctx, struct codec_state);

	micro_check(state != NULL, "no memory");
	/* As the store has it. */
	state->scratch = talloc_pool(state, 16 * 1024);
	micro_record(state, micro_case->name, micro_case->size,
		     &state->record);
	state->bytes = micro_encode(state, &state->record, &state->length);
	return state;
}

static void encode(void *private_data)
{
	struct codec_state *state = private_data;
	uint8_t *head;
	size_t length;

	micro_check(record_encode(state, &state->record, &head, &length) == 0,
		    "a record cannot be encoded");
	talloc_free(head);
}

static void decode(void *private_data)
{
	struct codec_state *state = private_data;
	struct record record;

	micro_check(record_decode(state->scratch, state->bytes, state->length,
				  &record) == 0,
		    "a record cannot be decoded");
	talloc_free_children(state->scratch);
}

#define BOTH(type, size_) \
	{ .name = "codec/encode-" type, .turns = 1000, .size = (size_), \
	  .begin = begin, .turn = encode }, \
	{ .name = "codec/decode-" type, .turns = 1000, .size = (size_), \
	  .begin = begin, .turn = decode }

const struct micro_case micro_codec_cases[] = {
	BOTH("create", 0),
	BOTH("write-4k", 4096),
	BOTH("write-64k", 65536),
	BOTH("rename", 0),
	BOTH("setxattr", 64),
	BOTH("times", 0),
	{ .name = NULL }
};
