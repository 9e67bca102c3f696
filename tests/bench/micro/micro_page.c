/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The locks of the state page, when nobody else wants them; see micro.h. */

#include <string.h>

#include "micro.h"
#include "state_page.h"

struct page_state {
	struct state_page *page;
	uint32_t slot;
	uint64_t regime;
	uint64_t sequence;
	struct mirror_id file;
	struct mirror_id from;
	struct mirror_id to;
	struct page_lock locks[PAGE_LOCKS_MAX];
	uint32_t num_locks;
};

static void *begin(TALLOC_CTX *mem_ctx, const struct micro_case *micro_case)
{
	struct page_state *state = talloc_zero(mem_ctx, struct page_state);
	const struct page_partner partner = { .node = 1 };
	const struct mirror_id session = { .bytes = { MIRROR_ID_CHOSEN } };

	micro_check(state != NULL, "no memory");
	micro_check(state_page_create(state, micro_directory(mem_ctx), "data",
				      &state->page) == 0,
		    "the page cannot be made");
	/* Room for ever: epochs are not this case's. */
	state_page_set_capacity(state->page, UINT64_MAX / 2);
	state_page_set_lease(state->page, UINT64_MAX);
	state_page_set_mode(state->page, PAGE_MIRRORED, 1, &partner);
	micro_check(state_page_attach(state->page, &session,
				      &state->slot) == 0, "no slot");
	state->regime = state_page_regime(state->page);
	memset(state->file.bytes, 3, sizeof(state->file.bytes));
	memset(state->from.bytes, 4, sizeof(state->from.bytes));
	memset(state->to.bytes, 5, sizeof(state->to.bytes));
	return state;
}

static void operation(struct page_state *state)
{
	struct page_hold hold;

	micro_check(state_page_lock(state->page, state->slot, state->locks,
				    state->num_locks, &hold) == 0 &&
		    state_page_tag(state->page, &hold, state->regime,
				   1024) == 0, "no lock");
	state_page_sequence(state->page, &hold, ++state->sequence);
	micro_check(state_page_apply(state->page, &hold, PAGE_MIRRORED,
				     state->regime) == 0, "not allowed");
	state_page_unlock(state->page, &hold);
}

static void write_(void *private_data)
{
	struct page_state *state = private_data;

	state->locks[0] = page_lock_bytes(&state->file, 0, 65536);
	state->num_locks = 1;
	operation(state);
}

/* As in namespace_ops.c: between two directories. */
static void rename_(void *private_data)
{
	struct page_state *state = private_data;
	const struct page_lock locks[] = {
		page_lock_exists(&state->from, true),
		page_lock_name(&state->from, "Quarterly report (draft).docx"),
		page_lock_exists(&state->to, true),
		page_lock_name(&state->to, "Quarterly report (final).docx"),
		page_lock_links(&state->file),
	};

	memcpy(state->locks, locks, sizeof(locks));
	state->num_locks = sizeof(locks) / sizeof(locks[0]);
	operation(state);
}

static void may_answer(void *private_data)
{
	struct page_state *state = private_data;

	micro_check(state_page_may_answer(state->page) == 0, "no lease");
}

const struct micro_case micro_page_cases[] = {
	{ .name = "page/write", .turns = 1000, .begin = begin,
	  .turn = write_ },
	{ .name = "page/rename", .turns = 1000, .begin = begin,
	  .turn = rename_ },
	{ .name = "page/may-answer", .turns = 1000, .begin = begin,
	  .turn = may_answer },
	{ .name = NULL }
};
