/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * R8, R9: an epoch is closed when nothing of it is in flight any more, and
 * purged when the disk has it. The state page is real; the disk and the
 * partner are stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "job.h"
#include "owner_private.h"
#include "peer.h"

/* -------------------------------------------------------------------- stubs */

static struct {
	struct tevent_req *sync;
	int sync_result;
	uint32_t syncs;
	struct tevent_req *wipe;
	uint64_t wiped;		/* epoch that was asked to be wiped; 0: none */
	uint64_t now;
} stub;

struct stub_state {
	int unused;
};

struct tevent_req *sync_send(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
			     int fd)
{
	struct stub_state *state;

	stub.syncs++;
	stub.sync = tevent_req_create(mem_ctx, &state, struct stub_state);
	return stub.sync;
}

int sync_recv(struct tevent_req *req)
{
	return stub.sync_result;
}

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	return (struct peer *)&stub;
}

struct tevent_req *peer_request_send(TALLOC_CTX *mem_ctx, struct peer *peer,
				     const struct message *request,
				     uint32_t timeout_ms)
{
	struct stub_state *state;

	assert_int_equal(request->type, FRAME_WIPE);
	stub.wiped = request->epoch;
	stub.wipe = tevent_req_create(mem_ctx, &state, struct stub_state);
	return stub.wipe;
}

int peer_request_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
		      struct message **reply)
{
	*reply = talloc_zero(mem_ctx, struct message);
	(*reply)->type = FRAME_WIPED;
	(*reply)->epoch = stub.wiped;
	return 0;
}

uint64_t owner_now(void)
{
	return stub.now;
}

void owner_sync_failed(struct owner *owner, int error)
{
	owner->sync_failed = true;
}

/* -------------------------------------------------------------------- world */

struct world {
	struct owner *owner;
	char *directory;
	uint32_t slot;
	uint64_t regime;
};

static int make_world(void **state)
{
	struct world *world = talloc_zero(NULL, struct world);
	struct mirrord *mirrord = talloc_zero(world, struct mirrord);
	struct mirror_config *config = talloc_zero(world,
						   struct mirror_config);
	struct config_volume *volume = talloc_zero(world,
						   struct config_volume);
	const struct mirror_id session = { .bytes = { 1 } };
	struct page_partner partner = { .node = 1 };
	struct owner *owner = talloc_zero(world, struct owner);
	uint64_t closed;

	memset(&stub, 0, sizeof(stub));
	stub.now = 1000000;
	world->directory = talloc_strdup(world, "/tmp/test_owner_epoch.XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	config->epoch_interval_ms = 1000;
	volume->name = "data";
	mirrord->config = config;
	owner->mirrord = mirrord;
	owner->volume = volume;
	world->owner = owner;
	assert_int_equal(state_page_create(owner, world->directory, "data",
					   &owner->page), 0);
	state_page_set_capacity(owner->page, 1 << 20);
	/* As a new store begins. */
	state_page_set_wiped(owner->page, state_page_epoch(owner->page));
	state_page_advance(owner->page, &closed);
	owner->closed = closed;
	state_page_set_mode(owner->page, PAGE_MIRRORED, 1, &partner);
	assert_int_equal(state_page_attach(owner->page, &session,
					   &world->slot), 0);
	world->regime = state_page_regime(owner->page);
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	struct world *world = *state;
	char *command = talloc_asprintf(world, "rm -rf %s", world->directory);

	assert_int_equal(system(command), 0);
	return talloc_free(world);
}

static void send_one(struct world *world, struct page_hold *hold, uint8_t id)
{
	const struct mirror_id file = { .bytes = { 2, id } };
	const struct page_lock lock = page_lock_bytes(&file, 0, 10);

	*hold = (struct page_hold){ .count = 0 };
	assert_int_equal(state_page_lock(world->owner->page, world->slot,
					 &lock, 1, hold), 0);
	assert_int_equal(state_page_tag(world->owner->page, hold,
					world->regime, 1000), 0);
}

static void apply(struct world *world, struct page_hold *hold)
{
	assert_int_equal(state_page_apply(world->owner->page, hold,
					  PAGE_MIRRORED, world->regime), 0);
}

static void later(struct world *world)
{
	stub.now += 20000;
	owner_epoch_look(world->owner);
}

/* -------------------------------------------------------------------- tests */

static void test_closed_when_nothing_is_in_flight(void **state)
{
	struct world *world = *state;
	struct page_hold first, second, next;
	uint64_t epoch;

	send_one(world, &first, 1);
	send_one(world, &second, 2);
	epoch = first.epoch;
	later(world);
	assert_int_equal(state_page_epoch(world->owner->page), epoch + 1);
	assert_int_equal(stub.syncs, 0);
	apply(world, &first);
	later(world);
	assert_int_equal(stub.syncs, 0);
	state_page_unlock(world->owner->page, &first);
	later(world);
	assert_int_equal(stub.syncs, 0);
	/* What came later does not hold it up. */
	send_one(world, &next, 3);
	assert_int_equal(next.epoch, epoch + 1);
	apply(world, &second);
	state_page_unlock(world->owner->page, &second);
	later(world);
	assert_int_equal(stub.syncs, 1);

	/* On the disk first. */
	assert_int_equal(stub.wiped, 0);
	tevent_req_done(stub.sync);
	assert_int_equal(stub.wiped, epoch);
	assert_true(state_page_wiped(world->owner->page) < epoch);
	tevent_req_done(stub.wipe);
	assert_int_equal(state_page_wiped(world->owner->page), epoch);
}

static void test_never_after_an_error(void **state)
{
	struct world *world = *state;
	struct page_hold hold;
	uint64_t wiped = state_page_wiped(world->owner->page);

	send_one(world, &hold, 1);
	state_page_unlock(world->owner->page, &hold);
	stub.sync_result = EIO;
	later(world);
	assert_int_equal(stub.syncs, 1);
	tevent_req_done(stub.sync);
	assert_int_equal(stub.wiped, 0);
	/* A later success proves nothing. */
	stub.sync_result = 0;
	later(world);
	assert_int_equal(stub.syncs, 2);
	tevent_req_done(stub.sync);
	assert_int_equal(stub.wiped, 0);
	assert_int_equal(state_page_wiped(world->owner->page), wiped);
}

/* The epoch is closed for room, not for its age. */
static void fill_half(struct world *world, uint8_t id)
{
	const struct mirror_id file = { .bytes = { 3, id } };
	const struct page_lock lock = page_lock_bytes(&file, 0, 10);
	struct page_hold hold = { .count = 0 };

	assert_int_equal(state_page_lock(world->owner->page, world->slot,
					 &lock, 1, &hold), 0);
	assert_int_equal(state_page_tag(world->owner->page, &hold,
					world->regime, (1 << 19) + 1000), 0);
	state_page_unlock(world->owner->page, &hold);
	owner_epoch_look(world->owner);
}

/* R8, R9: under load several epochs go with one syncfs; none waits longer than
 * the interval. */
static void test_together_under_load(void **state)
{
	struct world *world = *state;
	uint64_t epoch = state_page_epoch(world->owner->page);

	world->owner->next_epoch = stub.now + 1000;
	fill_half(world, 1);
	assert_int_equal(state_page_epoch(world->owner->page), epoch + 1);
	assert_int_equal(stub.syncs, 0);
	fill_half(world, 2);
	assert_int_equal(state_page_epoch(world->owner->page), epoch + 2);
	assert_int_equal(stub.syncs, 1);
	tevent_req_done(stub.sync);
	assert_int_equal(stub.wiped, epoch + 1);
	tevent_req_done(stub.wipe);
	assert_int_equal(state_page_wiped(world->owner->page), epoch + 1);

	fill_half(world, 3);
	assert_int_equal(stub.syncs, 1);
	stub.now += 999;
	owner_epoch_look(world->owner);
	assert_int_equal(stub.syncs, 1);
	stub.now += 1;
	owner_epoch_look(world->owner);
	assert_int_equal(stub.syncs, 2);
}

/* What is closed for its age does not wait for a second one. */
static void test_old_one_goes_alone(void **state)
{
	struct world *world = *state;
	struct page_hold hold;

	send_one(world, &hold, 1);
	state_page_unlock(world->owner->page, &hold);
	later(world);
	assert_int_equal(stub.syncs, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_closed_when_nothing_is_in_flight),
		TEST(test_never_after_an_error),
		TEST(test_together_under_load),
		TEST(test_old_one_goes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
