/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ctdb's tool is asked to move an address only while ctdb moves none itself,
 * and ends before it would try again. ctdbd and its recovery daemons are played
 * here, the tool is a shell script.
 */

#include <sys/stat.h>
#include <sys/un.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <tevent.h>
#include "ctdb_session.h"
#include "death_recoverd.h"
#include "fake_ctdbd.h"
#include "nodes.h"
#include "service_move.h"

#define OTHER 0
#define AWAY 2
#define TEXT_MAX 256

struct world {
	uint32_t busy;		/* so many times a run is under way */
	bool silent;		/* the other node says nothing */
	uint32_t asked;		/* to hold takeover runs */
	uint32_t seconds;	/* for so long, the last time */

	struct mirrord mirrord;
	struct tevent_fd *listener, *connection;
	int fd;
	bool done;
	int ret;
	char *problem;
};

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* -------------------------------------------------------------------- ctdbd */

static void on_control(const struct world *world, uint32_t opcode,
		       uint32_t request)
{
	uint8_t data[128] = { 3 };
	uint32_t length = 4;

	if (opcode != CTDB_GET_NODEMAP) {
		send_reply(request, 0, NULL, 0);
		return;
	}
	length += push_node(data + length, OTHER, 0, "127.0.0.2");
	length += push_node(data + length, FAKE_CTDBD_OWN, 0, "127.0.0.1");
	length += push_node(data + length, AWAY, 1, "127.0.0.3");
	send_reply(request, 0, data, length);
}

static void on_message(struct world *world, uint64_t srvid,
		       const uint8_t *data, uint32_t length)
{
	int32_t own = FAKE_CTDBD_OWN, other = OTHER;
	uint64_t reply_to;

	assert_int_equal(srvid, SRVID_DISABLE_TAKEOVER_RUNS);
	assert_int_equal(length, 24);
	memcpy(&reply_to, data + 8, sizeof(reply_to));
	memcpy(&world->seconds, data + 16, sizeof(world->seconds));
	/* Nothing was done before this. */
	assert_int_equal(access(in_folder("ran"), F_OK), -1);
	if (world->asked++ < world->busy) {
		other = -EAGAIN;
	}
	send_message(reply_to, &own, sizeof(own));
	if (!world->silent) {
		send_message(reply_to, &other, sizeof(other));
	}
}

static void readable(struct tevent_context *ev, struct tevent_fd *fde,
		     uint16_t flags, void *private_data)
{
	struct world *world = private_data;

	if (!serve_once(world)) {
		TALLOC_FREE(world->connection);
		close(client);
	}
}

static void connects(struct tevent_context *ev, struct tevent_fd *fde,
		     uint16_t flags, void *private_data)
{
	struct world *world = private_data;

	assert_null(world->connection);
	client = accept(world->fd, NULL, NULL);
	assert_int_not_equal(client, -1);
	world->connection = tevent_add_fd(ev, world, client, TEVENT_FD_READ,
					  readable, world);
}

static void listen_for_it(struct world *world)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket",
		 folder);
	world->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(world->fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(listen(world->fd, 5), 0);
	world->listener = tevent_add_fd(world->mirrord.ev, world, world->fd,
					TEVENT_FD_READ, connects, world);
}

/* ------------------------------------------------------------------ fixture */

static const char *addresses[] = { "10.0.0.5", NULL };
static const struct config_service service = { .addresses = addresses };

/* The tool: it leaves its arguments in "ran", then the commands. */
static void write_tool(const char *commands)
{
	FILE *file = fopen(in_folder("ctdb"), "w");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\necho \"$@\" >>%s/ran\n%s\n", folder,
		commands);
	assert_int_equal(fchmod(fileno(file), 0755), 0);
	fclose(file);
}

static int setup(void **state)
{
	static struct nodes nodes = { .own = FAKE_CTDBD_OWN, .count = 3 };
	static char socket[128];
	static struct mirror_config config = { .ctdb_socket = socket };
	struct world *world = talloc_zero(NULL, struct world);

	strcpy(folder, "/tmp/test_service_move.XXXXXX");
	if (mkdtemp(folder) == NULL) {
		return -1;
	}
	strcpy(socket, in_folder("socket"));
	setenv("PATH", folder, 1);
	world->fd = -1;
	world->mirrord.ev = tevent_context_init(world);
	world->mirrord.config = &config;
	world->mirrord.nodes = &nodes;
	write_tool("");
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char command[128];
	int ret;

	close(world->fd);
	talloc_free(world);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ret = system(command);
	return ret;
}

static void moved(struct tevent_req *req)
{
	struct world *world = tevent_req_callback_data(req, struct world);

	world->ret = service_move_recv(req, world, &world->problem);
	world->done = true;
}

/* Returns how long it took, in ms. */
static uint64_t move(struct world *world)
{
	uint64_t began = session_now();
	struct tevent_req *req = service_move_send(
		world, &world->mirrord, &service, OTHER, 5);

	assert_non_null(req);
	tevent_req_set_callback(req, moved, world);
	while (!world->done) {
		assert_int_equal(tevent_loop_once(world->mirrord.ev), 0);
	}
	return session_now() - began;
}

static void assert_ran(const char *wanted)
{
	char text[TEXT_MAX] = "";
	FILE *file = fopen(in_folder("ran"), "r");

	if (file != NULL) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	assert_string_equal(text, wanted);
}

/* -------------------------------------------------------------------- tests */

static void test_held_then_moved(void **state)
{
	struct world *world = *state;

	listen_for_it(world);
	move(world);
	assert_int_equal(world->ret, 0);
	assert_null(world->problem);
	assert_int_equal(world->asked, 1);
	assert_int_equal(world->seconds, 10);
	assert_ran("-t 5 moveip 10.0.0.5 0\n");
}

static void test_run_is_awaited(void **state)
{
	struct world *world = *state;

	world->busy = 3;
	listen_for_it(world);
	move(world);
	assert_int_equal(world->ret, 0);
	assert_int_equal(world->asked, 4);
	assert_ran("-t 5 moveip 10.0.0.5 0\n");
}

static void test_run_does_not_end(void **state)
{
	struct world *world = *state;

	world->busy = UINT32_MAX;
	listen_for_it(world);
	move(world);
	assert_int_equal(world->ret, EBUSY);
	assert_string_equal(world->problem,
			    "ctdb is moving addresses itself");
	assert_ran("");
}

/* It is asked for some seconds, but no service waits for it for ever. */
static void test_one_does_not_answer(void **state)
{
	struct world *world = *state;

	world->silent = true;
	listen_for_it(world);
	assert_in_range(move(world), 5000, 20000);
	assert_int_equal(world->ret, 0);
	assert_in_range(world->asked, 3, 10);
	assert_ran("-t 5 moveip 10.0.0.5 0\n");
}

static void test_no_ctdbd(void **state)
{
	struct world *world = *state;

	move(world);
	assert_int_equal(world->ret, ENOENT);
	assert_string_equal(world->problem, strerror(ENOENT));
	assert_ran("");
}

/* The end of a recovery does not let ctdb's runs go on while the tool runs. */
static void test_at_work(void **state)
{
	struct world *world = *state;

	write_tool("/usr/bin/flock -n " MOVE_LOCK_FILE " /bin/true ||"
		   " echo locked >>$0.said");
	listen_for_it(world);
	move(world);
	assert_int_equal(world->ret, 0);
	assert_int_equal(access(in_folder("ctdb.said"), F_OK), 0);
	assert_false(recoverd_move_is_at_work());
}

/* The tool would sleep, and then do it again. */
static void test_not_twice(void **state)
{
	struct world *world = *state;

	write_tool("echo 'Failed to takeover IP on node 0' >&2\n"
		   "exec /bin/sleep 8");
	listen_for_it(world);
	assert_in_range(move(world), 0, 6000);
	assert_int_not_equal(world->ret, 0);
	assert_string_equal(world->problem,
			    "Failed to takeover IP on node 0");
}

/* What is no failure does not end it. */
static void test_warning(void **state)
{
	struct world *world = *state;

	write_tool("echo 'something is old'\n/bin/sleep 0.3\n"
		   "echo more >>${0%/*}/ran");
	listen_for_it(world);
	move(world);
	assert_int_equal(world->ret, 0);
	assert_ran("-t 5 moveip 10.0.0.5 0\nmore\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_held_then_moved),
		TEST(test_run_is_awaited),
		TEST(test_run_does_not_end),
		TEST(test_one_does_not_answer),
		TEST(test_no_ctdbd),
		TEST(test_at_work),
		TEST(test_not_twice),
		TEST(test_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
