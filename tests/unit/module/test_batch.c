/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * R1: which records may wait for the next one, and until when. The module's
 * sender is real, and so is its link, without a key; a test reads the partner's
 * end of it, and is the client.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "batch.h"
#include "../../source/common/link_key.h"
#include <setjmp.h>
#include <cmocka.h>

struct world {
	struct mirror_volume *volume;
	struct tevent_context *ev;
	struct peer_link *partner;
	struct smbXsrv_client client;
	struct smbXsrv_connection connection;
	int client_fd;
	struct tevent_fd *partner_fde;
	uint32_t smbd_callbacks;
	uint32_t requests;	/* that smbd read */
	uint64_t next_offset;
};

static const char template[] = "/tmp/test_batch.XXXXXX";
static char directory[sizeof(template)];
static const struct mirror_id file = { .bytes = { 2 } };
static const uint8_t data[64 * 1024];

TALLOC_CTX *_talloc_stackframe(const char *location)
{
	return talloc_new(NULL);
}

TALLOC_CTX *_talloc_tos(const char *location)
{
	return NULL;
}

/* -------------------------------------------------------------------- world */

static int apply(struct mirror_operation *operation, void *private_data)
{
	return 0;
}

static struct mirror_operation *make(struct world *world,
				     enum record_type type, size_t length)
{
	struct mirror_operation *operation = operation_new(
		world->volume, world->volume, type);

	assert_non_null(operation);
	operation->record.object = file;
	operation->apply = operation->harden = apply;
	operation->record.data = data;
	operation->record.data_length = length;
	if (type == RECORD_WRITE) {
		operation->record.offset = world->next_offset;
		operation_lock(operation, page_lock_bytes(
			&file, world->next_offset, length));
		world->next_offset += length;
	} else {
		operation->record.name = "user.DOSATTRIB";
		operation_lock(operation, page_lock_attribute(
			&file, operation->record.name));
	}
	return operation;
}

static void done(struct mirror_operation *operation, void *private_data)
{
}

static void start_write(struct world *world, size_t length)
{
	struct mirror_operation *operation = make(world, RECORD_WRITE, length);

	operation->done = done;
	world->volume->num_async++;
	assert_int_equal(operation_start(operation), 0);
}

/* Frames that are with the partner. */
static uint32_t arrived(struct world *world)
{
	enum frame_type type;
	uint8_t *payload = NULL;
	size_t length;
	uint32_t n = 0;
	int ret;

	while ((ret = link_receive(world->partner, &type, &payload,
				   &length)) == 0) {
		assert_int_equal(type, FRAME_RECORD);
		n++;
	}
	assert_int_equal(ret, EAGAIN);
	/* Look again the next time, as who polls would. */
	assert_int_equal(link_receive(world->partner, &type, &payload,
				      &length), EAGAIN);
	return n;
}

static void client_sends(struct world *world, const char *bytes)
{
	assert_int_equal(write(world->client_fd, bytes, strlen(bytes)),
			 strlen(bytes));
}

/* smbd reads a request. */
static void on_request(struct tevent_context *ev, struct tevent_fd *fde,
		       uint16_t flags, void *private_data)
{
	struct world *world = private_data;
	char byte;

	assert_int_equal(read(world->connection.transport.sock, &byte, 1), 1);
	world->requests++;
	if (byte == 'w') {
		start_write(world, 4096);
	}
}

static void on_partner(struct tevent_context *ev, struct tevent_fd *fde,
		       uint16_t flags, void *private_data)
{
	TEVENT_FD_NOT_READABLE(fde);
}

static void smbd_callback(enum tevent_trace_point point, void *private_data)
{
	struct world *world = private_data;

	world->smbd_callbacks += point == TEVENT_TRACE_BEFORE_WAIT;
}

/* The loop turns until it would wait; a loop that would wait for ever fails. */
static void turn(struct world *world)
{
	assert_int_equal(tevent_loop_once(world->ev), 0);
}

static void too_long(int signum)
{
	static const char text[] = "nothing was sent before the wait\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) == -1) {
		_exit(2);
	}
	_exit(1);
}

static void make_page(struct mirror_volume *volume)
{
	const struct mirror_id session = { .bytes = { 1 } };
	struct page_partner partner = { .node = 1 };
	uint64_t closed;

	assert_int_equal(state_page_create(volume, directory, "data",
					   &volume->page), 0);
	state_page_set_capacity(volume->page, 1 << 20);
	state_page_set_wiped(volume->page, state_page_epoch(volume->page));
	state_page_advance(volume->page, &closed);
	state_page_set_lease(volume->page, UINT64_MAX);
	state_page_set_mode(volume->page, PAGE_MIRRORED, 1, &partner);
	assert_int_equal(state_page_attach(volume->page, &session,
					   &volume->slot), 0);
}

static void make_link(struct world *world)
{
	struct link_key *key = NULL;
	char *problem = NULL;
	int fds[2];

	assert_int_equal(link_key_load(world, NULL, false, &key, &problem), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(link_accept(world->volume, key, fds[0],
				     &world->volume->link), 0);
	assert_int_equal(link_accept(world, key, fds[1], &world->partner), 0);
	assert_int_equal(link_handshake(world->volume->link), 0);
	assert_int_equal(link_handshake(world->partner), 0);
	world->partner_fde = tevent_add_fd(world->ev, world,
					   link_fd(world->partner),
					   TEVENT_FD_READ, on_partner, world);
}

static int make_world(void **state)
{
	struct world *world = talloc_zero(NULL, struct world);
	int fds[2];

	world->ev = tevent_context_init(world);
	tevent_set_trace_callback(world->ev, smbd_callback, world);
	world->volume = talloc_zero(world, struct mirror_volume);
	world->volume->name = talloc_strdup(world->volume, "data");
	memcpy(directory, template, sizeof(directory));
	assert_non_null(mkdtemp(directory));
	make_page(world->volume);
	make_link(world);
	world->volume->state = SENDER_READY;
	world->volume->regime = state_page_regime(world->volume->page);
	world->volume->ev = world->ev;
	world->volume->client = &world->client;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	world->client_fd = fds[0];
	world->connection.transport.sock = fds[1];
	world->connection.transport.fde = tevent_add_fd(
		world->ev, world, fds[1], TEVENT_FD_READ, on_request, world);
	world->client.connections = &world->connection;
	signal(SIGALRM, too_long);
	alarm(10);
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	struct world *world = *state;
	char *command = talloc_asprintf(world, "rm -rf %s", directory);

	alarm(0);
	batch_pushed(world->volume);
	assert_int_equal(system(command), 0);
	close(world->client_fd);
	close(world->connection.transport.sock);
	return talloc_free(world);
}

/* -------------------------------------------------------------------- tests */

static void test_sent_at_once_when_nothing_follows(void **state)
{
	struct world *world = *state;

	start_write(world, 4096);
	assert_int_equal(arrived(world), 1);
	start_write(world, 4096);
	assert_int_equal(arrived(world), 1);
}

static void test_those_of_one_turn_go_together(void **state)
{
	struct world *world = *state;

	client_sends(world, "ww");
	start_write(world, 4096);
	assert_int_equal(arrived(world), 0);
	turn(world);
	assert_int_equal(world->requests, 1);
	assert_int_equal(arrived(world), 0);
	/* The last one that is there takes them along. */
	turn(world);
	assert_int_equal(arrived(world), 3);
	assert_int_equal(world->volume->num_held, 0);
}

static void test_sent_before_smbd_waits(void **state)
{
	struct world *world = *state;

	/* What follows is no write. */
	client_sends(world, "r");
	start_write(world, 4096);
	turn(world);
	assert_int_equal(world->requests, 1);
	assert_int_equal(arrived(world), 0);
	turn(world);
	assert_int_equal(arrived(world), 1);
	/* smbd's own callback is called as ever. */
	assert_int_equal(world->smbd_callbacks, 2);
}

static void test_a_part_of_a_request_holds_nothing_up(void **state)
{
	struct world *world = *state;

	/* Of one byte after the other none brings a record. */
	client_sends(world, "rrrrrrrr");
	start_write(world, 4096);
	turn(world);
	turn(world);
	assert_int_equal(arrived(world), 1);
}

/* The socket would take what is kept back, and wake the loop for it. */
static void test_nobody_asks_the_socket_meanwhile(void **state)
{
	struct world *world = *state;

	client_sends(world, "r");
	start_write(world, 4096);
	sender_watch(world->volume, world->ev);
	assert_int_equal(tevent_fd_get_flags(world->volume->fde),
			 TEVENT_FD_READ);
}

static void test_no_more_than_so_many(void **state)
{
	struct world *world = *state;
	uint32_t i;

	client_sends(world, "r");
	for (i = 0; i < 7; i++) {
		start_write(world, 4096);
	}
	assert_int_equal(arrived(world), 0);
	start_write(world, 4096);
	assert_int_equal(arrived(world), 8);
}

static void test_large_ones_do_not_wait(void **state)
{
	struct world *world = *state;

	client_sends(world, "r");
	start_write(world, 4096);
	start_write(world, sizeof(data));
	assert_int_equal(arrived(world), 2);
}

static void test_smbd_does_not_read(void **state)
{
	struct world *world = *state;

	/* What the client has sent stays where it is. */
	client_sends(world, "w");
	TEVENT_FD_NOT_READABLE(world->connection.transport.fde);
	start_write(world, 4096);
	assert_int_equal(arrived(world), 1);
}

/* R1: it is applied next, so it is on its way, with all before it. */
static void test_a_deferred_one_is_not_kept_back(void **state)
{
	struct world *world = *state;
	struct mirror_operation *attribute = make(world, RECORD_SETXATTR, 20);

	client_sends(world, "w");
	start_write(world, 4096);
	assert_int_equal(arrived(world), 0);
	world->volume->num_collect = 1;
	assert_int_equal(operation_run_attribute(attribute), 0);
	assert_true(attribute->applied);
	assert_int_equal(arrived(world), 2);
}

static void test_a_link_that_broke_holds_nothing(void **state)
{
	struct world *world = *state;

	client_sends(world, "w");
	start_write(world, 4096);
	assert_int_equal(world->volume->num_held, 1);
	state_page_set_mode(world->volume->page, PAGE_WAITING, 2, NULL);
	sender_service(world->volume);
	assert_null(world->volume->link);
	assert_int_equal(world->volume->num_held, 0);
	/* The loop asks a batch that is gone for nothing. */
	turn(world);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)
	const struct CMUnitTest tests[] = {
		TEST(test_sent_at_once_when_nothing_follows),
		TEST(test_those_of_one_turn_go_together),
		TEST(test_sent_before_smbd_waits),
		TEST(test_a_part_of_a_request_holds_nothing_up),
		TEST(test_nobody_asks_the_socket_meanwhile),
		TEST(test_no_more_than_so_many),
		TEST(test_large_ones_do_not_wait),
		TEST(test_smbd_does_not_read),
		TEST(test_a_deferred_one_is_not_kept_back),
		TEST(test_a_link_that_broke_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
