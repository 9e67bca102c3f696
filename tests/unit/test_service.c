/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of a volume: every event in every state, what the other nodes are
 * told, and who may own it. The work of the states is stubbed.
 *
 * Seen to fail with service_volume_role() answering NONE in CHECKING (two
 * nodes would get the volume), with service_asked() forgetting who asked, and
 * with ON(RELEASING, TAKEOVER) going back to OWNER.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "ctdb_view.h"
#include "mount.h"
#include "peer.h"
#include "service.h"

/* -------------------------------------------------------------------- stubs */

static const char *called;
static int host = -1;

#define STUB_ACTION(name) \
void name(struct service_volume *volume) \
{ \
	called = #name; \
}
STUB_ACTION(takeover_check)
STUB_ACTION(takeover_mount)
STUB_ACTION(takeover_replay)
STUB_ACTION(takeover_abort)
STUB_ACTION(release_start)
STUB_ACTION(release_unmount)
STUB_ACTION(release_done)
STUB_ACTION(release_addresses)

void peers_watch(struct peers *peers, peers_changed changed,
		 void *private_data)
{
}

void ctdb_view_watch(struct ctdb_view *view, ctdb_view_changed changed,
		     void *private_data)
{
}

void ctdb_view_hurry(struct ctdb_view *view)
{
}

bool ctdb_view_gone(const struct ctdb_view *view)
{
	return false;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return false;
}

int ctdb_view_host(const struct ctdb_view *view, const char *address)
{
	return host;
}

int mount_look(TALLOC_CTX *mem_ctx, const struct config_volume *volume,
	       enum mount_state *state, char **other)
{
	*state = MOUNT_NONE;
	return 0;
}

int owner_new(TALLOC_CTX *mem_ctx, struct mirrord *mirrord,
	      const struct config_volume *volume, struct state_page *page,
	      int root_fd, const struct label *label, struct owner **owner)
{
	return 0;
}

uint64_t owner_refused_ms(const struct owner *owner)
{
	return 0;
}

void owner_look(struct owner *owner)
{
}

void owner_configure(struct owner *owner, const struct config_volume *volume)
{
}

/* -------------------------------------------------------------------- world */

struct world {
	struct mirrord *mirrord;
	struct config_service *service;
	struct service_volume *volume;
};

static int make_world(void **state)
{
	struct mirrord *mirrord = talloc_zero(NULL, struct mirrord);
	struct world *world = talloc_zero(mirrord, struct world);
	struct mirror_config *config = talloc_zero(mirrord,
						   struct mirror_config);
	static const char *addresses[] = { "10.0.0.5", NULL };

	world->mirrord = mirrord;
	world->service = talloc_zero(config, struct config_service);
	world->service->name = "FILES";
	world->service->enabled = true;
	world->service->addresses = addresses;
	config->volumes = talloc_zero_array(config, struct config_volume *, 2);
	config->volumes[0] = talloc_zero(config, struct config_volume);
	config->volumes[0]->name = "data";
	config->volumes[0]->service = world->service;
	world->service->volumes = config->volumes;
	config->run_directory = "/nonexistent";
	mirrord->config = config;
	mirrord->ev = tevent_context_init(mirrord);
	assert_int_equal(services_new(mirrord, &mirrord->services), 0);
	world->volume = service_volume_find(mirrord->services, "data");
	assert_non_null(world->volume);
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	struct world *world = *state;

	return talloc_free(world->mirrord);
}

/* -------------------------------------------------------------------- tests */

#define E(event) SERVICE_EVENT_##event
#define S(state) SERVICE_##state

static const struct {
	enum service_state state;
	enum service_event event;
	enum service_state next;
	const char *action;	/* NULL: none of the stubs */
} moves[] = {
	{ S(ABSENT), E(TAKEOVER), S(CHECKING), "takeover_check" },
	{ S(CHECKING), E(OK), S(MOUNTING), "takeover_mount" },
	{ S(CHECKING), E(FAILED), S(ABSENT), "takeover_abort" },
	{ S(CHECKING), E(RELEASE), S(ABSENT), "takeover_abort" },
	{ S(CHECKING), E(TAKEOVER), S(CHECKING), NULL },
	{ S(MOUNTING), E(OK), S(REPLAYING), "takeover_replay" },
	{ S(MOUNTING), E(FAILED), S(ABSENT), "takeover_abort" },
	{ S(MOUNTING), E(RELEASE), S(MOUNTING), NULL },
	{ S(MOUNTING), E(TAKEOVER), S(MOUNTING), NULL },
	{ S(REPLAYING), E(OK), S(OWNER), "takeover_abort" },
	{ S(REPLAYING), E(FAILED), S(MOUNTED), "takeover_abort" },
	{ S(REPLAYING), E(REFUSED), S(UNMOUNTING), "release_unmount" },
	{ S(REPLAYING), E(RELEASE), S(REPLAYING), NULL },
	{ S(REPLAYING), E(TAKEOVER), S(REPLAYING), NULL },
	{ S(MOUNTED), E(TAKEOVER), S(REPLAYING), "takeover_replay" },
	{ S(MOUNTED), E(RELEASE), S(UNMOUNTING), "release_unmount" },
	{ S(MOUNTED), E(NOBODY_ASKS), S(UNMOUNTING), "release_unmount" },
	{ S(OWNER), E(RELEASE), S(RELEASING), "release_start" },
	{ S(RELEASING), E(OK), S(UNMOUNTING), "release_unmount" },
	{ S(UNMOUNTING), E(OK), S(ABSENT), "release_done" },
};

static void test_every_event_in_every_state(void **state)
{
	struct world *world = *state;
	struct service_volume *volume = world->volume;
	int s, e;
	size_t i;

	for (s = 0; s < SERVICE_STATE_END; s++) {
		for (e = 0; e < SERVICE_EVENT_END; e++) {
			enum service_state next = (enum service_state)s;
			const char *action = NULL;

			for (i = 0; i < sizeof(moves) / sizeof(moves[0]);
			     i++) {
				if ((int)moves[i].state == s &&
				    (int)moves[i].event == e) {
					next = moves[i].next;
					action = moves[i].action;
				}
			}
			volume->state = (enum service_state)s;
			volume->release_wanted = false;
			called = NULL;
			service_event(volume, (enum service_event)e);
			if (volume->state != next) {
				fail_msg("%s, event %d: %s",
					 service_state_name(
						 (enum service_state)s), e,
					 service_state_name(volume->state));
			}
			if (action == NULL) {
				assert_null(called);
			} else {
				assert_string_equal(called, action);
			}
		}
	}
}

static void test_others_are_told_owner(void **state)
{
	struct world *world = *state;
	int s;

	for (s = 0; s < SERVICE_STATE_END; s++) {
		world->volume->state = (enum service_state)s;
		assert_int_equal(service_volume_role(world->mirrord, "data"),
				 s == SERVICE_ABSENT ? VOLUME_ROLE_NONE :
				 VOLUME_ROLE_OWNER);
	}
	assert_int_equal(service_volume_role(world->mirrord, "other"),
			 VOLUME_ROLE_NONE);
}

static void test_who_has_released(void **state)
{
	struct world *world = *state;
	struct service_volume *volume = world->volume;

	/* Nothing is known of anybody. */
	assert_false(service_has_released(volume, 1));
	service_told_released(world->mirrord, "data", 1);
	assert_true(service_has_released(volume, 1));
	assert_false(service_has_released(volume, 0));
	/* It is back: it may have asked somebody else. */
	service_heard(world->mirrord, 1);
	assert_false(service_has_released(volume, 1));
	/* It takes it again, without having been away. */
	service_told_released(world->mirrord, "data", 1);
	service_told_wanted(world->mirrord, "data", 0);
	assert_true(service_has_released(volume, 1));
	service_told_wanted(world->mirrord, "data", 1);
	assert_false(service_has_released(volume, 1));
	/* Long ago. */
	service_told_released(world->mirrord, "data", 1);
	volume->released_at -= 3600 * 1000;
	assert_false(service_has_released(volume, 1));
	/* Nonsense from the wire. */
	service_heard(world->mirrord, UINT32_MAX);
	service_told_released(world->mirrord, "data", UINT32_MAX);
	service_told_wanted(world->mirrord, "data", UINT32_MAX);
}

static void test_release_while_taking(void **state)
{
	struct world *world = *state;
	struct service_volume *volume = world->volume;

	volume->state = SERVICE_REPLAYING;
	service_release(world->mirrord->services, world->service);
	assert_int_equal(volume->state, SERVICE_REPLAYING);
	service_event(volume, SERVICE_EVENT_OK);
	assert_int_equal(volume->state, SERVICE_RELEASING);

	/* Changed its mind. */
	volume->state = SERVICE_REPLAYING;
	service_release(world->mirrord->services, world->service);
	service_takeover(world->mirrord->services, world->service, false);
	service_event(volume, SERVICE_EVENT_OK);
	assert_int_equal(volume->state, SERVICE_OWNER);
}

static void attempt(struct world *world, bool accept_loss)
{
	service_takeover(world->mirrord->services, world->service,
			 accept_loss);
}

/* What costs a mount or a replay is not repeated several times a second. */
static void test_failures_in_a_row(void **state)
{
	static const uint32_t pauses[] = { 1000, 2000, 5000, 5000, 5000 };
	struct world *world = *state;
	struct service_volume *volume = world->volume;
	bool under_way;
	char *problem;
	size_t i;

	for (i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		attempt(world, false);
		assert_int_equal(volume->state, i == 0 ? SERVICE_CHECKING :
				 SERVICE_REPLAYING);
		volume->state = SERVICE_REPLAYING;
		service_problem(volume, SERVICE_FAILED,
				talloc_strdup(volume, "no room"));
		service_event(volume, SERVICE_EVENT_FAILED);
		assert_int_equal(volume->state, SERVICE_MOUNTED);
		attempt(world, false);
		assert_int_equal(volume->state, SERVICE_MOUNTED);
		assert_in_range(volume->not_before,
				service_now() + pauses[i] - 500,
				service_now() + pauses[i]);
		/* Whoever asks meanwhile is told why. */
		assert_int_equal(service_taken(world,
					       world->mirrord->services,
					       world->service, &under_way,
					       &problem), SERVICE_FAILED);
		assert_non_null(strstr(problem, "no room"));
		assert_false(under_way);
		volume->not_before -= pauses[i];
	}

	/* An administrator has decided. */
	volume->not_before = service_now() + 5000;
	volume->next_move = UINT64_MAX;
	attempt(world, true);
	assert_int_equal(volume->state, SERVICE_REPLAYING);
	service_event(volume, SERVICE_EVENT_OK);
	assert_int_equal(volume->state, SERVICE_OWNER);
	assert_int_equal(volume->failures, 0);
	assert_int_equal(volume->next_move, 0);
}

/* To mount it and to find again that somebody else has the last operations is
 * not done several times a second. Seen to fail with refused() that forgets the
 * pause. */
static void test_refused_in_a_row(void **state)
{
	struct world *world = *state;
	struct service_volume *volume = world->volume;

	attempt(world, false);
	volume->state = SERVICE_REPLAYING;
	service_problem(volume, SERVICE_FAILED,
			talloc_strdup(volume, "node 2 has them"));
	service_event(volume, SERVICE_EVENT_REFUSED);
	assert_int_equal(volume->state, SERVICE_UNMOUNTING);
	service_event(volume, SERVICE_EVENT_OK);
	assert_int_equal(volume->state, SERVICE_ABSENT);
	attempt(world, false);
	assert_int_equal(volume->state, SERVICE_ABSENT);
	/* Accepting the loss is not kept waiting. */
	attempt(world, true);
	assert_int_equal(volume->state, SERVICE_CHECKING);
}

/* Only failures make anybody wait. */
static void test_normal_takeover_does_not_wait(void **state)
{
	struct world *world = *state;
	struct service_volume *volume = world->volume;
	int i;

	for (i = 0; i < 10; i++) {
		attempt(world, false);
		assert_int_equal(volume->state, SERVICE_CHECKING);
		service_event(volume, SERVICE_EVENT_FAILED);
		assert_int_equal(volume->state, SERVICE_ABSENT);
	}
	/* It was away, and ctdb gives it back. */
	volume->state = SERVICE_MOUNTING;
	service_event(volume, SERVICE_EVENT_FAILED);
	service_release(world->mirrord->services, world->service);
	attempt(world, false);
	assert_int_equal(volume->state, SERVICE_CHECKING);
}

static void test_results(void **state)
{
	struct world *world = *state;
	struct services *services = world->mirrord->services;
	struct service_volume *volume = world->volume;
	bool under_way;
	char *problem;

	volume->state = SERVICE_OWNER;
	assert_int_equal(service_taken(world, services, world->service,
				       &under_way, &problem), SERVICE_OK);
	volume->state = SERVICE_REPLAYING;
	assert_int_equal(service_taken(world, services, world->service,
				       &under_way, &problem),
			 SERVICE_NOT_YET);
	assert_true(under_way);
	volume->state = SERVICE_ABSENT;
	service_problem(volume, SERVICE_FAILED,
			talloc_strdup(volume, "no fence"));
	assert_int_equal(service_taken(world, services, world->service,
				       &under_way, &problem), SERVICE_FAILED);
	assert_false(under_way);
	assert_non_null(strstr(problem, "no fence"));
	assert_int_equal(service_released(world, services, world->service,
					  &under_way, &problem), SERVICE_OK);
	volume->state = SERVICE_UNMOUNTING;
	assert_int_equal(service_released(world, services, world->service,
					  &under_way, &problem),
			 SERVICE_NOT_YET);
}

/* Another configuration: what is in both stays as it is. */
static void test_volumes_come_and_go(void **state)
{
	struct world *world = *state;
	struct services *services = world->mirrord->services;
	struct mirror_config *next = talloc_zero(world, struct mirror_config);
	struct config_volume *v = talloc_zero_array(
		next, struct config_volume, 2);

	v[0].name = "data";
	v[1].name = "more";
	v[0].service = v[1].service = world->service;
	next->volumes = talloc_zero_array(next, struct config_volume *, 3);
	next->volumes[0] = &v[1];
	next->volumes[1] = &v[0];
	world->volume->state = SERVICE_OWNER;
	world->mirrord->config = next;
	assert_int_equal(services_configure(services), 0);
	assert_ptr_equal(service_volume_find(services, "data"),
			 world->volume);
	assert_int_equal(world->volume->state, SERVICE_OWNER);
	assert_ptr_equal(world->volume->config, &v[0]);
	assert_int_equal(service_volume_find(services, "more")->state,
			 SERVICE_ABSENT);

	next->volumes[0] = &v[0];
	next->volumes[1] = NULL;
	assert_int_equal(services_configure(services), 0);
	assert_null(service_volume_find(services, "more"));
	assert_ptr_equal(service_volume_find(services, "data"),
			 world->volume);
}

static void test_stopped_service_is_not_taken(void **state)
{
	struct world *world = *state;

	world->service->enabled = false;
	called = NULL;
	service_takeover(world->mirrord->services, world->service, false);
	assert_null(called);
	assert_int_equal(world->volume->state, SERVICE_ABSENT);
	assert_non_null(strstr(world->volume->problem, "stopped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_every_event_in_every_state, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(test_others_are_told_owner,
						make_world, free_world),
		cmocka_unit_test_setup_teardown(test_who_has_released,
						make_world,
						free_world),
		cmocka_unit_test_setup_teardown(test_release_while_taking,
						make_world, free_world),
		cmocka_unit_test_setup_teardown(test_failures_in_a_row,
						make_world, free_world),
		cmocka_unit_test_setup_teardown(test_refused_in_a_row,
						make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_normal_takeover_does_not_wait, make_world,
			free_world),
		cmocka_unit_test_setup_teardown(test_results, make_world,
						free_world),
		cmocka_unit_test_setup_teardown(test_volumes_come_and_go,
						make_world, free_world),
		cmocka_unit_test_setup_teardown(
			test_stopped_service_is_not_taken, make_world,
			free_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
