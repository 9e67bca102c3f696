/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a takeover waits for: nobody is fenced before ctdb has decided (R13),
 * nothing is served while the old owner may still answer (R12), no other disk
 * is taken for the volume's (R11). Links, the fence, the disk and the store are
 * stubbed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "child.h"
#include "ctdb_view.h"
#include "fence.h"
#include "fetch.h"
#include "known_disk.h"
#include "mount.h"
#include "nodes.h"
#include "owner.h"
#include "partner.h"
#include "peer.h"
#include "replay.h"
#include "takeover.h"

#define MS UINT64_C(1000000)
#define LEASE_MS 200
#define discard_const(p) ((void *)(uintptr_t)(p))

/* -------------------------------------------------------------------- stubs */

static struct {
	bool settled;
	bool connected;
	bool holds;
	uint32_t fences;
	uint64_t fenced_at;
	uint64_t granted_until;
	struct label label;
	uint64_t written_at;	/* 0: no label was written */
	uint32_t writes;
	bool guarded;
	struct tevent_req *write;
	enum mount_state mounted;
	uint32_t mounts;
	struct tevent_req *look;
	bool another_disk;
	const char *name;	/* whose label it is */
	uint32_t names;		/* written */
	bool ended;
	enum service_event event;
	enum service_result result;
} stub;

void ctdb_view_hurry(struct ctdb_view *view)
{
}

bool ctdb_view_settled(const struct ctdb_view *view)
{
	return stub.settled;
}

bool ctdb_view_connected(const struct ctdb_view *view, uint32_t node)
{
	return stub.connected;
}

bool ctdb_view_excluded(const struct ctdb_view *view, uint32_t node)
{
	return !stub.connected;
}

struct stub_state {
	int unused;
};

static struct tevent_req *pending(TALLOC_CTX *mem_ctx)
{
	struct stub_state *state;

	return tevent_req_create(mem_ctx, &state, struct stub_state);
}

bool fence_holds(struct mirrord *mirrord, uint32_t node)
{
	return stub.holds;
}

struct tevent_req *fence_send(TALLOC_CTX *mem_ctx, struct mirrord *mirrord,
			      uint32_t node)
{
	stub.fences++;
	return pending(mem_ctx);
}

int fence_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem)
{
	return 0;
}

uint64_t fence_time(uint32_t node)
{
	return stub.fenced_at;
}

int mount_look(TALLOC_CTX *mem_ctx, const struct config_volume *volume,
	       enum mount_state *state, char **other)
{
	*state = stub.mounted;
	return 0;
}

struct tevent_req *known_disk_look_send(TALLOC_CTX *mem_ctx,
					struct tevent_context *ev,
					const struct config_volume *volume)
{
	stub.look = pending(mem_ctx);
	return stub.look;
}

void known_disk_look_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			  const struct config_volume *volume,
			  char **id, char **problem)
{
	*id = NULL;
	*problem = stub.another_disk ? talloc_strdup(mem_ctx, "another") :
		NULL;
}

void known_disk_keep_later(struct mirrord *mirrord,
			   const struct config_volume *volume, const char *id)
{
}

struct tevent_req *mount_send(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
			      const struct config_volume *volume)
{
	stub.mounts++;
	return pending(mem_ctx);
}

int mount_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, char **problem)
{
	return EIO;
}

void partner_seal(struct partner *partner, const char *volume)
{
}

struct store *partner_store(struct partner *partner, const char *volume)
{
	return NULL;
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

uint64_t partner_lease_until(struct partner *partner, const char *volume)
{
	return stub.granted_until;
}

struct peer *peer_find(struct peers *peers, uint32_t node)
{
	/* This node is 0, the other one is never up. */
	return node == 1 ? (struct peer *)&stub : NULL;
}

bool peer_is_up(const struct peer *peer)
{
	return false;
}

struct tevent_req *peer_request_send(TALLOC_CTX *mem_ctx, struct peer *peer,
				     const struct message *request,
				     uint32_t timeout_ms)
{
	return NULL;
}

int peer_request_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
		      struct message **reply)
{
	return ENOTCONN;
}

void service_event(struct service_volume *volume, enum service_event event)
{
	stub.ended = true;
	stub.event = event;
}

void service_problem(struct service_volume *volume,
		     enum service_result result, char *problem)
{
	stub.result = result;
	talloc_free(problem);
}

bool service_has_released(const struct service_volume *volume, uint32_t node)
{
	return false;
}

uint64_t service_now(void)
{
	return state_page_clock() / MS;
}

void move_away(struct service_volume *volume)
{
}

struct tevent_req *child_function_send(TALLOC_CTX *mem_ctx,
				       struct tevent_context *ev,
				       child_function function,
				       void *function_data,
				       uint32_t timeout_ms,
				       child_line line,
				       void *line_data)
{
	return NULL;
}

int child_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx, int *status,
	       char **last)
{
	return EIO;
}

void child_close_sockets(int keep)
{
}

int label_read(int root_fd, struct label *label)
{
	*label = stub.label;
	return 0;
}

int label_volume_read(TALLOC_CTX *mem_ctx, int root_fd, char **name)
{
	*name = stub.name != NULL ? talloc_strdup(mem_ctx, stub.name) : NULL;
	return 0;
}

int label_volume_write(int root_fd, const char *name)
{
	assert_string_equal(name, "data");
	assert_int_equal(stub.writes, 0);	/* the label follows */
	stub.names++;
	return 0;
}

struct label label_next(const struct label *label, uint32_t owner,
			enum label_protection protection)
{
	return (struct label){
		.generation = label->generation + 1,
		.owner = owner,
		.protection = protection,
	};
}

struct tevent_req *label_write_send(TALLOC_CTX *mem_ctx,
				    struct tevent_context *ev, int root_fd,
				    const struct label *found,
				    const struct label *label)
{
	assert_int_equal(label->protection, LABEL_DEGRADED);
	assert_int_equal(label->generation,
			 stub.label.generation + stub.writes + 1);
	/* Over the label that is there, where others can write, too. */
	assert_int_equal(found != NULL, stub.guarded);
	if (found != NULL) {
		assert_int_equal(found->generation, label->generation - 1);
	}
	stub.writes++;
	stub.written_at = state_page_clock();
	stub.write = pending(mem_ctx);
	return stub.write;
}

int label_write_recv(struct tevent_req *req)
{
	return 0;
}

char *label_describe(TALLOC_CTX *mem_ctx, const struct label *label)
{
	return talloc_strdup(mem_ctx, "a label");
}

int fetch_records(TALLOC_CTX *mem_ctx, struct mirrord *mirrord, uint32_t node,
		  const char *volume, uint64_t generation,
		  const struct mirror_id *session, uint64_t from_sequence,
		  fetch_visitor visitor, void *private_data)
{
	return ENOTCONN;
}

int owner_new(TALLOC_CTX *mem_ctx, struct mirrord *mirrord,
	      const struct config_volume *volume, struct state_page *page,
	      int root_fd, const struct label *label, struct owner **owner)
{
	return EIO;
}

/* -------------------------------------------------------------------- world */

static int make_world(void **state)
{
	static struct nodes nodes = { .own = 0, .count = 2 };
	struct mirrord *mirrord = talloc_zero(NULL, struct mirrord);
	struct mirror_config *config = talloc_zero(mirrord,
						   struct mirror_config);
	struct config_service *service = talloc_zero(config,
						     struct config_service);
	struct config_volume *volume_config = talloc_zero(
		config, struct config_volume);
	struct service_volume *volume = talloc_zero(mirrord,
						    struct service_volume);

	memset(&stub, 0, sizeof(stub));
	stub.mounted = MOUNT_HERE;
	stub.name = "data";
	service->name = "FILES";
	volume_config->name = "data";
	volume_config->device = "/dev/null";
	volume_config->mount_point = "/";
	volume_config->fence = true;
	volume_config->service = service;
	config->lease_ms = LEASE_MS;
	config->run_directory = "/nonexistent";
	mirrord->config = config;
	mirrord->nodes = &nodes;
	mirrord->ev = tevent_context_init(mirrord);
	volume->mirrord = mirrord;
	volume->config = volume_config;
	*state = volume;
	return 0;
}

static int free_world(void **state)
{
	struct service_volume *volume = *state;

	return talloc_free(volume->mirrord);
}

static void timer(struct tevent_context *ev, struct tevent_timer *te,
		  struct timeval now, void *private_data)
{
	bool *over = private_data;

	*over = true;
}

static void run_for(struct service_volume *volume, uint32_t ms)
{
	bool over = false;

	tevent_add_timer(volume->mirrord->ev, volume,
			 tevent_timeval_current_ofs(0, ms * 1000), timer,
			 &over);
	while (!over) {
		tevent_loop_once(volume->mirrord->ev);
	}
}

/* ------------------------------------------------------------ who is fenced */

static void check(struct service_volume *volume)
{
	stub.ended = false;
	takeover_abort(volume);
	volume->state = SERVICE_CHECKING;
	takeover_check(volume);
	run_for(volume, 10);
}

static void test_no_fence_before_the_verdict(void **state)
{
	struct service_volume *volume = *state;

	check(volume);
	assert_int_equal(stub.fences, 0);
	assert_true(stub.ended);
	assert_int_equal(stub.event, SERVICE_EVENT_FAILED);
	assert_int_equal(stub.result, SERVICE_NOT_YET);
	/* However long it takes. */
	volume->first_attempt = 0;
	check(volume);
	assert_int_equal(stub.fences, 0);

	stub.settled = true;
	check(volume);
	assert_int_equal(stub.fences, 1);
	assert_false(stub.ended);
}

static void test_who_is_seen_has_time_to_answer(void **state)
{
	struct service_volume *volume = *state;

	stub.settled = true;
	stub.connected = true;
	check(volume);
	assert_int_equal(stub.fences, 0);
	assert_int_equal(stub.result, SERVICE_NOT_YET);
	/* But not for ever. ctdb asks for eight seconds and again when the
	 * other node's releaseip, which may hang for a while, is over. */
	volume->first_attempt -= 25000;
	volume->last_attempt -= 15000;
	check(volume);
	assert_int_equal(stub.fences, 0);
	volume->first_attempt -= 6000;
	check(volume);
	assert_int_equal(stub.fences, 1);
}

static void test_patience_begins_anew(void **state)
{
	struct service_volume *volume = *state;

	stub.settled = true;
	stub.connected = true;
	check(volume);
	volume->first_attempt -= 3600 * 1000;
	volume->last_attempt -= 3600 * 1000;
	check(volume);
	assert_int_equal(stub.fences, 0);
}

static void test_fenced_once(void **state)
{
	struct service_volume *volume = *state;

	stub.holds = true;
	check(volume);
	assert_int_equal(stub.fences, 0);
	assert_int_equal(stub.event, SERVICE_EVENT_OK);
}

/* A volume that is not to be fenced: who is out is out, and nobody else. */
static void test_not_to_be_fenced(void **state)
{
	struct service_volume *volume = *state;
	struct config_volume *config = discard_const(volume->config);

	config->cluster = true;
	config->fence = false;
	check(volume);
	assert_int_equal(stub.event, SERVICE_EVENT_FAILED);
	assert_int_equal(stub.result, SERVICE_NOT_YET);
	stub.settled = true;
	check(volume);
	assert_int_equal(stub.event, SERVICE_EVENT_OK);
	/* Seen by ctdb, so it is not out, however long it says nothing. */
	stub.connected = true;
	check(volume);
	volume->first_attempt -= 60000;
	check(volume);
	assert_int_equal(stub.event, SERVICE_EVENT_FAILED);
	assert_int_equal(stub.fences, 0);
}

/* ---------------------------------------------------- is it the right disk */

static void test_another_disk_is_not_mounted(void **state)
{
	struct service_volume *volume = *state;

	stub.mounted = MOUNT_NONE;
	stub.another_disk = true;
	volume->state = SERVICE_MOUNTING;
	takeover_mount(volume);
	assert_int_equal(stub.mounts, 0);
	assert_false(stub.ended);
	tevent_req_done(stub.look);
	assert_int_equal(stub.mounts, 0);
	assert_int_equal(stub.event, SERVICE_EVENT_FAILED);
	assert_int_equal(stub.result, SERVICE_FAILED);

	takeover_abort(volume);
	stub.ended = false;
	stub.another_disk = false;
	takeover_mount(volume);
	assert_int_equal(stub.mounts, 0);
	tevent_req_done(stub.look);
	assert_int_equal(stub.mounts, 1);
	assert_false(stub.ended);
}

/* R11: no record is redone, no label written, it does not stay mounted. */
static void test_anothers_label_is_refused(void **state)
{
	struct service_volume *volume = *state;

	stub.label = (struct label){
		.generation = 3, .owner = 1, .protection = LABEL_CLEAN
	};
	stub.name = "media";
	volume->state = SERVICE_REPLAYING;
	takeover_replay(volume);
	run_for(volume, 10);
	assert_true(stub.ended);
	assert_int_equal(stub.event, SERVICE_EVENT_REFUSED);
	assert_int_equal(stub.result, SERVICE_FAILED);
	assert_int_equal(stub.writes, 0);
}

static void test_a_label_gets_its_name(void **state)
{
	struct service_volume *volume = *state;

	stub.label = (struct label){ .protection = LABEL_CLEAN };
	stub.name = NULL;
	volume->state = SERVICE_REPLAYING;
	takeover_replay(volume);
	assert_int_equal(stub.names, 1);
	assert_int_equal(stub.writes, 1);

	stub.name = "data";
	stub.writes = 0;
	takeover_abort(volume);
	takeover_replay(volume);
	assert_int_equal(stub.names, 1);
	assert_int_equal(stub.writes, 1);
}

/* ---------------------------------------------------- the old owner's lease */

/* Returns how long after the call the label was written, in ms. */
static uint64_t label_after(struct service_volume *volume)
{
	uint64_t begun = state_page_clock();

	stub.written_at = 0;
	stub.writes = 0;
	takeover_abort(volume);
	volume->state = SERVICE_REPLAYING;
	takeover_replay(volume);
	run_for(volume, LEASE_MS * 2);
	assert_true(stub.written_at != 0);
	return (stub.written_at - begun) / MS;
}

static void test_lease_of_ours(void **state)
{
	struct service_volume *volume = *state;

	/* Our store does not match, so nothing is replayed before. */
	stub.label = (struct label){
		.generation = 3, .owner = 1, .protection = LABEL_MIRRORED,
		.partner = 0
	};
	assert_in_range(label_after(volume), 0, LEASE_MS / 2);
	stub.granted_until = state_page_clock() + LEASE_MS * MS;
	assert_in_range(label_after(volume), LEASE_MS - 20, LEASE_MS * 2);
	assert_true(stub.written_at >= stub.granted_until);
}

static void test_lease_of_the_disk(void **state)
{
	struct service_volume *volume = *state;

	stub.label = (struct label){
		.generation = 3, .owner = 1, .protection = LABEL_DEGRADED
	};
	stub.fenced_at = state_page_clock();
	assert_in_range(label_after(volume), LEASE_MS - 20, LEASE_MS * 2);
	assert_true(stub.written_at >= stub.fenced_at + LEASE_MS * MS);
	/* Long ago. */
	stub.fenced_at = 1;
	assert_in_range(label_after(volume), 0, LEASE_MS / 2);
	/* It was this node. */
	stub.fenced_at = state_page_clock();
	stub.label.owner = 0;
	assert_in_range(label_after(volume), 0, LEASE_MS / 2);
}

/* R12: nobody was fenced, so the volume is claimed; from then on the old owner
 * can renew nothing, and one lease later it answers nothing. */
static void test_lease_without_fence(void **state)
{
	struct service_volume *volume = *state;
	struct config_volume *config = discard_const(volume->config);
	uint64_t claimed;

	config->cluster = true;
	config->fence = false;
	stub.guarded = true;
	stub.label = (struct label){
		.generation = 3, .owner = 1, .protection = LABEL_DEGRADED
	};
	label_after(volume);
	assert_int_equal(stub.writes, 1);
	claimed = state_page_clock();
	tevent_req_done(stub.write);
	run_for(volume, LEASE_MS * 2);
	assert_int_equal(stub.writes, 2);
	assert_true(stub.written_at >= claimed + LEASE_MS * MS);
	/* It was this node. */
	stub.label.owner = 0;
	label_after(volume);
	assert_int_equal(stub.writes, 1);
}

static void test_released(void **state)
{
	struct service_volume *volume = *state;

	stub.label = (struct label){
		.generation = 3, .owner = 1, .protection = LABEL_CLEAN
	};
	stub.granted_until = state_page_clock() + LEASE_MS * MS;
	stub.fenced_at = state_page_clock();
	assert_in_range(label_after(volume), 0, LEASE_MS / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_fence_before_the_verdict),
		TEST(test_who_is_seen_has_time_to_answer),
		TEST(test_patience_begins_anew),
		TEST(test_fenced_once),
		TEST(test_not_to_be_fenced),
		TEST(test_another_disk_is_not_mounted),
		TEST(test_anothers_label_is_refused),
		TEST(test_a_label_gets_its_name),
		TEST(test_lease_of_ours),
		TEST(test_lease_of_the_disk),
		TEST(test_lease_without_fence),
		TEST(test_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
