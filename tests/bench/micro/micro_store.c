/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The partner's memory; see micro.h. */

#include "micro.h"
#include "micro_record.h"
#include "store.h"

#define CAPACITY (16 * 1024 * 1024)

/* Other processes that the store knows, too. */
#define SESSIONS 32

/* A busy epoch: chains of the tdb have a length. */
#define MANY 10000

struct store_state {
	struct store *store;
	struct mirror_id session;
	uint64_t sequence;
	uint64_t epoch;
	size_t used;		/* of this epoch */
	uint8_t *bytes;
	size_t length;
};

static void add(void *private_data)
{
	struct store_state *state = private_data;
	size_t footprint = store_footprint(state->length);

	if (state->used + footprint > CAPACITY) {
		micro_check(store_wipe(state->store, state->epoch) == 0,
			    "an epoch cannot be wiped");
		state->epoch++;
		state->used = 0;
	}
	state->used += footprint;
	micro_renumber(state->bytes, ++state->sequence, state->epoch);
	micro_check(store_add(state->store, &state->session, state->bytes,
			      state->length) == 0,
		    "a record cannot be stored");
}

/* An epoch of one record; the wipe costs the same whatever is in it. */
static void add_and_wipe(void *private_data)
{
	struct store_state *state = private_data;

	add(state);
	micro_check(store_wipe(state->store, state->epoch) == 0,
		    "an epoch cannot be wiped");
	state->epoch++;
	state->used = 0;
}

static void *begin(TALLOC_CTX *mem_ctx, const struct micro_case *micro_case)
{
	struct store_state *state = talloc_zero(mem_ctx, struct store_state);
	struct record record;
	uint8_t i;

	micro_check(state != NULL, "no memory");
	micro_record(state, "write", micro_case->size, &record);
	state->bytes = micro_encode(state, &record, &state->length);
	state->epoch = 1;
	micro_check(store_open(state, micro_directory(mem_ctx), "data",
			       &state->store, NULL) == 0,
		    "the store cannot be opened");
	micro_check(store_begin(state->store, 1, 1, CAPACITY) == 0,
		    "the store cannot be begun");
	for (i = 0; i < SESSIONS; i++) {
		state->session.bytes[0] = MIRROR_ID_CHOSEN;
		state->session.bytes[9] = i;
		state->sequence = 0;
		add(state);
	}
	/* No wipe among the first turns, which may be all that there are. */
	micro_check(store_wipe(state->store, state->epoch) == 0,
		    "an epoch cannot be wiped");
	state->epoch++;
	state->used = 0;
	return state;
}

static void *begin_among_many(TALLOC_CTX *mem_ctx,
			      const struct micro_case *micro_case)
{
	struct store_state *state = begin(mem_ctx, micro_case);
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		add(state);
	}
	return state;
}

const struct micro_case micro_store_cases[] = {
	{ .name = "store/add-200", .turns = 400, .size = 60,
	  .begin = begin, .turn = add },
	{ .name = "store/add-200-among-many", .turns = 400, .size = 60,
	  .begin = begin_among_many, .turn = add },
	{ .name = "store/add-4k", .turns = 200, .size = 4096,
	  .begin = begin, .turn = add },
	{ .name = "store/add-64k", .turns = 20, .size = 65536,
	  .begin = begin, .turn = add },
	{ .name = "store/add-1m", .turns = 3, .size = 1048576,
	  .begin = begin, .turn = add },
	{ .name = "store/wipe", .turns = 10, .size = 60,
	  .begin = begin, .turn = add_and_wipe },
	{ .name = NULL }
};
