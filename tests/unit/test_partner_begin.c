/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * R5, R11: which BEGIN may replace a mirror store. One that comes late, over a
 * link that its owner has given up, must not void the store in use. Links and
 * the child that makes a store are stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "child.h"
#include "facts.h"
#include "nodes.h"
#include "partner_private.h"
#include "service.h"

/* -------------------------------------------------------------------- stubs */

static struct {
	struct tevent_req *child;
	uint32_t begun;
	const struct link_io *closed;
	enum frame_type answer;		/* 0: none */
	enum volume_role role;
} stub;

struct child_state {
	int unused;
};

struct tevent_req *child_function_send(TALLOC_CTX *mem_ctx,
				       struct tevent_context *ev,
				       child_function function,
				       void *function_data,
				       uint32_t timeout_ms,
				       child_line line,
				       void *line_data)
{
	struct child_state *state;

	stub.begun++;
	stub.child = tevent_req_create(mem_ctx, &state, struct child_state);
	return stub.child;
}

int child_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, int *status,
	       char **last)
{
	return 0;
}

void child_close_sockets(int keep)
{
}

void facts_answer(struct partner_link *link, const char *file)
{
}

void child_close_directories(void)
{
}

void link_io_send(struct link_io *io, const struct message *message)
{
	stub.answer = message->type;
}

void link_io_close(struct link_io *io, int error)
{
	stub.closed = io;
}

struct peer_link *link_io_link(struct link_io *io)
{
	return NULL;
}

void link_io_update(struct link_io *io)
{
}

void link_io_pause(struct link_io *io)
{
}

int store_open(TALLOC_CTX *mem_ctx, const char *directory,
	       const char *volume, struct store **store, bool *lost)
{
	*store = talloc_size(mem_ctx, 1);
	return 0;
}

int store_begin(struct store *store, uint64_t generation,
		uint64_t first_epoch, uint64_t epoch_capacity)
{
	return 0;
}

int store_wipe(struct store *store, uint64_t epoch)
{
	return 0;
}

void store_info(const struct store *store, struct store_info *info)
{
	*info = (struct store_info){ .records = 0 };
}

int store_visit(struct store *store, const struct mirror_id *session,
		uint64_t from, store_visitor visitor, void *private_data)
{
	return 0;
}

struct partner_volume *partner_volume_find(struct partner *partner,
					   const char *name)
{
	return strcmp(name, "data") == 0 ? partner->volumes[0] : NULL;
}

void partner_volume_seal(struct partner_volume *volume)
{
	volume->sealed = true;
}

void partner_volume_reset(struct partner_volume *volume)
{
	volume->sealed = false;
}

int partner_session_end(struct partner_volume *volume,
			const struct mirror_id *session)
{
	return 0;
}

void partner_info(struct partner *partner, const char *volume,
		  struct store_info *info)
{
	*info = (struct store_info){ .records = 0 };
}

int partner_discard(struct partner *partner, const char *volume)
{
	return 0;
}

uint64_t partner_lease_end(uint32_t duration_ms)
{
	return 0;
}

enum volume_role service_volume_role(const struct mirrord *mirrord,
				     const char *volume)
{
	return stub.role;
}

void service_told_released(struct mirrord *mirrord, const char *volume,
			   uint32_t node)
{
}

void service_told_wanted(struct mirrord *mirrord, const char *volume,
			 uint32_t node)
{
}

/* -------------------------------------------------------------------- world */

struct world {
	struct partner *partner;
	struct partner_volume *volume;
	struct store *first;
};

static int make_world(void **state)
{
	static struct nodes nodes = { .own = 1, .count = 3 };
	struct world *world = talloc_zero(NULL, struct world);
	struct mirrord *mirrord = talloc_zero(world, struct mirrord);
	struct mirror_config *config = talloc_zero(world,
						   struct mirror_config);

	memset(&stub, 0, sizeof(stub));
	stub.role = VOLUME_ROLE_NONE;
	config->store_size = 64 << 20;
	config->store_directory = "/nonexistent";
	mirrord->config = config;
	mirrord->nodes = &nodes;
	mirrord->ev = tevent_context_init(mirrord);
	world->partner = talloc_zero(world, struct partner);
	world->partner->mirrord = mirrord;
	world->partner->volumes = talloc_array(world->partner,
					       struct partner_volume *, 1);
	world->volume = talloc_zero(world->partner, struct partner_volume);
	world->partner->volumes[0] = world->volume;
	world->volume->partner = world->partner;
	world->volume->name = "data";
	world->first = talloc_size(world->volume, 1);
	world->volume->store = world->first;
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	return talloc_free(*state);
}

static struct partner_link *new_link(struct world *world, uint32_t node)
{
	struct partner_link *link = talloc_zero(world, struct partner_link);

	link->partner = world->partner;
	link->node = node;
	link->number = ++world->partner->last_number;
	/* Nothing looks into it. */
	link->io = talloc_size(link, 1);
	return link;
}

static void send_begin(struct partner_link *link, uint64_t generation)
{
	const struct message begin = {
		.type = FRAME_BEGIN,
		.volume = "data",
		.generation = generation,
		.epoch = 1,
		.bytes = 1 << 20,
	};
	uint8_t *frame;
	size_t length;

	stub.answer = 0;
	stub.closed = NULL;
	assert_int_equal(message_encode(link, &begin, &frame, &length), 0);
	partner_control_frame(link, FRAME_BEGIN, frame + WIRE_FRAME_HEADER,
			      length - WIRE_FRAME_HEADER);
}

/* -------------------------------------------------------------------- tests */

static void test_begins(void **state)
{
	struct world *world = *state;
	struct partner_link *link = new_link(world, 0);

	send_begin(link, 4);
	assert_int_equal(stub.begun, 1);
	/* Nobody uses what is being replaced. */
	assert_null(world->volume->store);
	assert_true(world->volume->sealed);
	tevent_req_done(stub.child);
	assert_int_equal(stub.answer, FRAME_BEGUN);
	assert_non_null(world->volume->store);
	assert_false(world->volume->sealed);
	/* Once more over the same link. */
	send_begin(link, 5);
	assert_int_equal(stub.begun, 2);
}

static void test_a_late_one(void **state)
{
	struct world *world = *state;
	struct partner_link *given_up = new_link(world, 0);
	struct partner_link *link = new_link(world, 0);
	struct store *store;

	send_begin(link, 5);
	tevent_req_done(stub.child);
	store = world->volume->store;
	send_begin(given_up, 5);
	assert_int_equal(stub.begun, 1);
	assert_ptr_equal(stub.closed, given_up->io);
	assert_int_equal(stub.answer, 0);
	assert_ptr_equal(world->volume->store, store);
	assert_false(world->volume->sealed);

	/* Another node's links have nothing to do with it. */
	given_up->node = 2;
	send_begin(given_up, 6);
	assert_int_equal(stub.begun, 2);
}

static void test_refused(void **state)
{
	struct world *world = *state;
	struct partner_link *link = new_link(world, 0);

	stub.role = VOLUME_ROLE_OWNER;
	send_begin(link, 5);
	assert_int_equal(stub.answer, FRAME_REFUSED);
	assert_ptr_equal(world->volume->store, world->first);
	stub.role = VOLUME_ROLE_NONE;
	send_begin(link, 5);
	assert_int_equal(stub.begun, 1);
	/* One at a time. */
	send_begin(link, 5);
	assert_int_equal(stub.answer, FRAME_REFUSED);
	assert_int_equal(stub.begun, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_begins),
		TEST(test_a_late_one),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
