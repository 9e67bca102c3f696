/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-ctdb-death, the program, with a ctdbd and a recovery daemon that are
 * played here. Its helpers are shell scripts that write down that they ran.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "ctdb_session.h"
#include "death_recoverd.h"
#include "fake_ctdbd.h"

#define OWN FAKE_CTDBD_OWN
#define DEAD 0
#define NOWHERE "240.0.0.1"
#define UNKNOWN 0xFFFFFFFF
#define SECONDS_MAX 20

/* What the world is like in a case, and what came of it. */
struct world {
	/* given */
	const char *address;	/* of the dead node */
	bool connected;
	bool cut_slowly;	/* only then it is not connected */
	bool with_lock;
	bool held;		/* from the beginning */
	bool grants;		/* an election gets the lock */
	bool excluded;
	bool busy;		/* with a recovery of its own */
	uint32_t other_leader;	/* says so; 0: nobody */
	bool loses;		/* the lock, during the recovery */
	const char *recovery;	/* shell commands of the helpers */
	const char *takeover;

	/* seen */
	uint32_t leader;	/* as ctdb has it; at first the dead one */
	uint32_t elections;
	uint32_t told_leader;
	uint32_t recoveries_held;	/* seconds, the last word */
	uint32_t takeovers_held;
	uint32_t ever_held;
	uint32_t wanted;	/* takeover runs */
	int status;
	char ran[64];		/* helpers, a letter each */
};

static char folder[64];

static const char *in_folder(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* -------------------------------------------------------------------- ctdbd */

static bool is_connected(const struct world *world)
{
	return world->connected && access(in_folder("cut"), F_OK) != 0;
}

static void on_control(const struct world *world, uint32_t opcode,
		       uint32_t request)
{
	uint8_t data[128] = { 0 };
	uint32_t numbers[4] = { 1234, 2, DEAD, OWN };
	uint32_t length = 4;

	switch (opcode) {
	case CTDB_GET_PNN:
		send_reply(request, OWN, NULL, 0);
		break;
	case CTDB_GET_CLUSTER_LOCK:
		send_reply(request, 0, "/lock", world->with_lock ? 6 : 0);
		break;
	case CTDB_GET_NODEMAP:
		numbers[0] = 3;
		memcpy(data, numbers, 4);
		length += push_node(data + length, DEAD,
				    is_connected(world) ? 0 : 1,
				    world->address);
		length += push_node(data + length, OWN, 0, "127.0.0.1");
		length += push_node(data + length, 2,
				    world->other_leader != 0 ? 0 : 1,
				    NOWHERE);
		send_reply(request, 0, data, length);
		break;
	case CTDB_GET_VNNMAP:
		if (world->excluded) {
			numbers[1] = 1;
			numbers[2] = OWN;
		}
		send_reply(request, 0, numbers, 8 + 4 * numbers[1]);
		break;
	default:
		send_reply(request, 0, NULL, 0);
	}
}

static const char held_report[] =
	"        struct ctdb_recoverd contains 973 bytes\n"
	"            struct tevent_timer contains 104 bytes\n"
	"            struct ctdb_cluster_lock_handle contains 285 bytes\n"
	"                struct ctdb_cluster_mutex_handle contains 253 bytes\n"
	"                    struct tevent_fd contains 112 bytes\n"
	"            struct tevent_timer contains 120 bytes\n";
static const char taking_report[] =
	"            struct ctdb_cluster_lock_handle contains 285 bytes\n"
	"                struct ctdb_cluster_mutex_handle contains 253 bytes\n"
	"                    struct tevent_fd contains 112 bytes\n"
	"                    struct tevent_timer contains 104 bytes\n"
	"            struct tevent_signal contains 120 bytes\n";
static const char free_report[] =
	"        struct ctdb_recoverd contains 973 bytes\n"
	"            struct tevent_timer contains 104 bytes\n";
/* Being released, or it failed: the handle without what holds the lock. */
static const char failed_report[] =
	"            struct ctdb_cluster_lock_handle contains 85 bytes\n"
	"            struct tevent_signal contains 120 bytes\n";

static void on_message(struct world *world, uint64_t srvid,
		       const uint8_t *data, uint32_t length)
{
	uint64_t reply_to = 0;
	uint32_t value = 0;
	int32_t status = world->busy ? -EAGAIN : OWN;

	if (length >= 16) {
		memcpy(&reply_to, data + 8, 8);
	}
	if (srvid == SRVID_LEADER) {
		memcpy(&value, data, 4);
		if (value == UNKNOWN && world->leader != UNKNOWN) {
			world->elections++;
			world->held = world->held || world->grants;
		} else if (value < 64) {
			world->told_leader = value;
		}
		/* What it knows already is no news for it. */
		world->leader = value;
		/* Everybody who listens hears it, who sent it as well. */
		send_message(SRVID_LEADER, data, length);
	} else if (srvid == SRVID_MEM_DUMP) {
		const char *report = world->held ? held_report : free_report;

		if (world->other_leader != 0) {
			struct header header = { .length = 48,
				.magic = 0x43544442, .version = 1,
				.operation = 5,
				.source = world->other_leader };
			struct {
				uint64_t srvid;
				uint32_t length, pnn;
			} body = { SRVID_LEADER, 4, world->other_leader };

			send(client, &header, 32, MSG_NOSIGNAL);
			send(client, &body, 16, MSG_NOSIGNAL);
		}
		send_message(reply_to, report, (uint32_t)strlen(report));
	} else if (srvid == SRVID_DISABLE_RECOVERIES ||
		   srvid == SRVID_DISABLE_TAKEOVER_RUNS) {
		memcpy(&value, data + 16, 4);
		if (srvid == SRVID_DISABLE_RECOVERIES) {
			world->recoveries_held = value;
		} else {
			world->takeovers_held = value;
		}
		if (value > world->ever_held) {
			world->ever_held = value;
		}
		if (reply_to != 0) {
			send_message(reply_to, &status, sizeof(status));
		}
	} else if (srvid == SRVID_TAKEOVER_RUN) {
		world->wanted++;
	}
}

/* -------------------------------------------------------------- the program */

static void write_helper(const char *name, char letter, const char *commands)
{
	const char *path = in_folder(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	/* $1 is where the result goes; 0 as a number in four bytes. */
	fprintf(file, "#!/bin/bash\nprintf %c >>%s\n%s\n", letter,
		in_folder("ran"), commands != NULL ? commands :
		"printf '\\0\\0\\0\\0' >&\"$1\"");
	fclose(file);
	chmod(path, 0755);
}

/* ctdb's connections are cut by a command: here by one that dawdles. */
static void replace_ss(void)
{
	FILE *file = fopen(in_folder("ss"), "w");

	assert_non_null(file);
	fprintf(file, "#!/bin/bash\nsleep 0.8\n: >%s\n", in_folder("cut"));
	fclose(file);
	chmod(in_folder("ss"), 0755);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(in_folder("ss"), "/usr/bin/ss", NULL, MS_BIND, NULL) != 0) {
		_exit(126);
	}
}

static pid_t start(const struct world *world)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (world->cut_slowly) {
			replace_ss();
		}
		setenv("CTDB_SOCKET", in_folder("socket"), 1);
		setenv("CTDB_HELPER_BINDIR", folder, 1);
		execl("build/mirror-ctdb-death", "mirror-ctdb-death", "-l",
		      in_folder("log"), "0", NULL);
		_exit(127);
	}
	return pid;
}

static size_t read_ran(struct world *world)
{
	int fd = open(in_folder("ran"), O_RDONLY);
	ssize_t n = fd == -1 ? 0 : read(fd, world->ran,
					sizeof(world->ran) - 1);

	world->ran[n > 0 ? n : 0] = '\0';
	if (fd != -1) {
		close(fd);
	}
	return n > 0 ? (size_t)n : 0;
}

static void run(struct world *world)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint64_t until = session_now() + SECONDS_MAX * 1000;
	const uint32_t unknown = UNKNOWN;
	bool lost = false;
	int listener;
	pid_t pid;

	if (world->address == NULL) {
		world->address = NOWHERE;
	}
	world->recoveries_held = world->takeovers_held = 77;
	unlink(in_folder("ran"));
	unlink(in_folder("cut"));
	unlink(in_folder("socket"));
	write_helper("ctdb_recovery_helper", 'r', world->recovery);
	write_helper("ctdb_takeover_helper", 't', world->takeover);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 in_folder("socket"));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = start(world);
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	while (session_now() < until) {
		struct pollfd pfd = { .fd = client, .events = POLLIN };

		if (world->loses && !lost && read_ran(world) > 0) {
			lost = true;
			send_message(SRVID_LEADER, &unknown, sizeof(unknown));
		}
		if (poll(&pfd, 1, 5) == 1 && !serve_once(world)) {
			break;
		}
	}
	close(client);
	assert_int_equal(waitpid(pid, &world->status, 0), pid);
	read_ran(world);
}

static void nothing_done(const struct world *world)
{
	assert_string_equal(world->ran, "");
	assert_int_equal(world->status, 0);
}

/* ---------------------------------------------------------------- the tests */

/* Seen to fail with a reader that does not look for the timer. */
static void test_report(void **state)
{
	enum lock_state lock;

	lock = recoverd_lock_in_report(held_report, strlen(held_report));
	assert_int_equal(lock, LOCK_HELD);
	lock = recoverd_lock_in_report(taking_report, strlen(taking_report));
	assert_int_equal(lock, LOCK_BEING_TAKEN);
	lock = recoverd_lock_in_report(free_report, strlen(free_report));
	assert_int_equal(lock, LOCK_NONE);
	lock = recoverd_lock_in_report(failed_report, strlen(failed_report));
	assert_int_equal(lock, LOCK_BEING_TAKEN);
	lock = recoverd_lock_in_report("", 0);
	assert_int_equal(lock, LOCK_NONE);
	/* Cut off anywhere it is never more than it was. */
	lock = recoverd_lock_in_report(held_report, 120);
	assert_int_not_equal(lock, LOCK_HELD);
}

static void test_leader(void **state)
{
	struct world world = { .with_lock = true, .held = true };

	run(&world);
	assert_string_equal(world.ran, "rt");
	assert_int_equal(world.status, 0);
	assert_int_equal(world.elections, 0);
	assert_true(world.ever_held > 0);
	assert_int_equal(world.takeovers_held, 0);
}

static void test_elects(void **state)
{
	struct world world = { .with_lock = true, .grants = true };

	run(&world);
	assert_string_equal(world.ran, "rt");
	assert_int_equal(world.elections, 1);
	assert_int_equal(world.told_leader, 0);
}

/* R13: never without the lock. */
static void test_lock_not_got(void **state)
{
	struct world world = { .with_lock = true };

	run(&world);
	assert_string_equal(world.ran, "");
	assert_true(world.elections > 1);
	assert_int_equal(WEXITSTATUS(world.status), 1);
	assert_int_equal(world.ever_held, 0);
}

/* R13: nor when it is lost on the way. */
static void test_lock_lost(void **state)
{
	struct world world = {
		.with_lock = true, .held = true, .loses = true,
		.recovery = "sleep 5",
	};
	uint64_t began = session_now();

	run(&world);
	assert_string_equal(world.ran, "r");
	assert_int_equal(WEXITSTATUS(world.status), 1);
	assert_int_equal(world.recoveries_held, 0);
	assert_true(session_now() - began < 4000);
}

static void test_another_leads(void **state)
{
	struct world world = { .with_lock = true, .other_leader = 2 };

	run(&world);
	nothing_done(&world);
	assert_int_equal(world.elections, 0);
}

static void test_without_lock(void **state)
{
	struct world world = { .with_lock = false };

	run(&world);
	assert_string_equal(world.ran, "rt");
	assert_int_equal(world.elections, 0);
	assert_int_equal(world.told_leader, OWN);
}

static void test_connected(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.connected = true };

	run(&world);
	nothing_done(&world);
}

/* Seen to fail where the time that the cut takes counts. */
static void test_cut_takes_long(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.connected = true, .cut_slowly = true };

	run(&world);
	assert_string_equal(world.ran, "rt");
	assert_int_equal(world.status, 0);
}

/* ctdbd there may be gone, and be back: its node is not dead. */
static void test_kernel_answers(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.address = "127.0.0.2" };

	run(&world);
	nothing_done(&world);
	assert_int_equal(world.ever_held, 0);
}

static void test_excluded(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.excluded = true };

	run(&world);
	nothing_done(&world);
}

static void test_busy(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.busy = true };

	run(&world);
	nothing_done(&world);
	assert_int_equal(world.recoveries_held, 0);
	assert_int_equal(world.takeovers_held, 0);
}

static void test_recovery_fails(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.recovery = "exit 1" };

	run(&world);
	assert_string_equal(world.ran, "rrr");
	assert_int_equal(WEXITSTATUS(world.status), 1);
	assert_int_equal(world.recoveries_held, 0);
	assert_int_equal(world.takeovers_held, 0);
}

static void test_takeover_fails(void **state)
{
	struct world world = { .with_lock = true, .held = true,
		.takeover = "exit 1" };

	run(&world);
	assert_string_equal(world.ran, "rt");
	assert_int_equal(WEXITSTATUS(world.status), 1);
	assert_int_equal(world.wanted, 1);
	assert_int_equal(world.recoveries_held, 0);
	assert_int_equal(world.takeovers_held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_leader),
		cmocka_unit_test(test_elects),
		cmocka_unit_test(test_lock_not_got),
		cmocka_unit_test(test_lock_lost),
		cmocka_unit_test(test_another_leads),
		cmocka_unit_test(test_without_lock),
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_cut_takes_long),
		cmocka_unit_test(test_kernel_answers),
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_recovery_fails),
		cmocka_unit_test(test_takeover_fails),
	};
	char command[128];
	int ret;

	/* A network of our own: nobody answers for NOWHERE. Needs root, as the
	 * program does. */
	if (unshare(CLONE_NEWNET) == -1 ||
	    system("ip link set lo up") != 0) {
		perror("test_ctdb_death: network namespace");
		return 1;
	}
	snprintf(folder, sizeof(folder), "/tmp/test_ctdb_death.XXXXXX");
	if (mkdtemp(folder) == NULL) {
		return 1;
	}
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 ? ret : 1;
}
