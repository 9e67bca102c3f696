/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two processes: what the unprivileged one can still do, what it cannot,
 * and that neither outlives the other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <tevent.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "kernel_lab.h"
#include "privileged_protocol.h"

/* --------------------------------------------------- a pair of processes */

/* What the child does; its exit status. */
typedef int (*body)(struct privileged *privileged, int out);

struct pair {
	pid_t parent;
	int out;	/* what the child's body writes */
	int log;	/* events of both */
};

static struct pair pair_start(body function)
{
	struct pair pair;
	int out[2], log[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe(log), 0);
	pair.parent = fork();
	if (pair.parent == 0) {
		const struct settings *settings = &lab_settings;
		struct privileged *privileged = NULL;
		char *problem = NULL;

		close(out[0]);
		close(log[0]);
		dup2(log[1], STDERR_FILENO);
		if (privileged_start(NULL, &settings, &privileged,
				     &problem) != 0) {
			_exit(99);
		}
		_exit(function(privileged, out[1]));
	}
	close(out[1]);
	close(log[1]);
	pair.out = out[0];
	pair.log = log[0];
	return pair;
}

/* Until the end of the file, or until what is in it. */
static bool read_until(int fd, const char *what, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	text[0] = '\0';
	while (used < size - 1 &&
	       (n = read(fd, text + used, size - 1 - used)) > 0) {
		used += (size_t)n;
		text[used] = '\0';
		if (what != NULL && strstr(text, what) != NULL) {
			return true;
		}
	}
	return false;
}

/* Exit status of the parent; what there was in the log. */
static int pair_end(struct pair *pair, char *log, size_t size)
{
	int status;

	assert_int_equal(waitpid(pair->parent, &status, 0), pair->parent);
	read_until(pair->log, NULL, log, size);
	close(pair->log);
	close(pair->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
		1000 + WTERMSIG(status);
}

#define RUN(function) run(function, __LINE__)

/* The body's own status is the parent's if it is 0 or EX_CONFIG. */
static void run(body function, int line)
{
	struct pair pair = pair_start(function);
	char log[8192];
	int status = pair_end(&pair, log, sizeof(log));

	if (status != 0) {
		fprintf(stderr, "line %d: status %d\n%s\n", line, status, log);
		fail();
	}
}

#define CHECK(condition)						\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "line %d: %s, errno %d\n",	\
				__LINE__, #condition, errno);		\
			return EX_CONFIG;				\
		}							\
	} while (0)

/* ---------------------------------------------------------------- requests */

static int body_requests(struct privileged *privileged, int out)
{
	struct kernel_plan *plan = talloc_zero(NULL, struct kernel_plan);
	uint32_t lan = lab_index("lan0");
	int fd;

	lab_plan(plan);
	CHECK(privileged_sandbox("nobody") == 0);
	CHECK(privileged_apply(privileged, plan) == 0);
	CHECK(privileged_apply(privileged, plan) == 0);
	CHECK(privileged_open(privileged, RAW_ARP, lan, &fd) == 0);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(privileged_address(privileged, true, &lab_addresses[0], lan) ==
	      0);
	CHECK(privileged_address(privileged, true, &lab_addresses[0], lan) ==
	      EEXIST);
	CHECK(privileged_address(privileged, false, &lab_addresses[0], lan) ==
	      0);
	CHECK(privileged_disconnect(privileged, 1) == 0);
	memset(plan, 0, sizeof(*plan));
	CHECK(privileged_apply(privileged, plan) == 0);
	return 0;
}

static void test_requests(void **state)
{
	RUN(body_requests);
	assert_false(lab_has("ip route show table all", "proto 67"));
}

/* ------------------------------------------------------- what is refused */

static int check_plan(const struct kernel_plan *plan)
{
	union request *request = talloc_zero(NULL, union request);
	int ret;

	request->apply = (struct request_apply){ REQUEST_APPLY, *plan };
	ret = request_check(&lab_settings, request, sizeof(request->apply));
	talloc_free(request);
	return ret;
}

/* Each of them: one thing in a good plan is made bad. */
static void test_refused_plans(void **state)
{
	uint32_t other = lab_index("other0");
	struct kernel_plan good, plan;

	lab_plan(&good);
	assert_int_equal(check_plan(&good), 0);
#define REFUSED(error, change)						\
	do {								\
		plan = good;						\
		change;							\
		assert_int_equal(check_plan(&plan), error);		\
	} while (0)
	REFUSED(EPERM, plan.neighbours[1].interface = other);
	REFUSED(EPERM, plan.routes[0].interface = other);
	REFUSED(EPERM, plan.proxies[1].interface = other);
	REFUSED(EPERM, plan.forwards[0].inside = other);
	REFUSED(EPERM, plan.forwards[0].outside = other);
	REFUSED(EPERM, plan.silences[0].interface = other);
	REFUSED(EPERM, plan.doubles[1].interface = other);
	REFUSED(EPERM, plan.doubles[1].other = other);
	REFUSED(EPERM, plan.doubles[1].other = lab_index("lo"));
	REFUSED(EPERM, plan.doubles[1].other = 0);
	REFUSED(ENODEV, plan.routes[0].interface = 4711);
	/* main: hosts of ours only */
	REFUSED(EPERM, plan.routes[2].table = 0);
	REFUSED(EPERM, plan.routes[0].destination = lab_address("192.0.2.1"));
	REFUSED(EPERM, plan.routes[0].destination.prefix = 24);
	REFUSED(EPERM, plan.routes[2].table = 254);
	REFUSED(EPERM, plan.routes[2].table = 253);
	/* broadcasts: in networks of ours only */
	REFUSED(EINVAL, plan.routes[2].table = ARPD_BROADCAST);
	REFUSED(EPERM, plan.routes[2].table = ARPD_BROADCAST;
		plan.routes[2].destination = lab_address("192.0.2.255");
		plan.routes[2].gateway.family = 0);
	REFUSED(EPERM, plan.routes[2].table = ARPD_TABLE + 32);
	REFUSED(EINVAL, plan.routes[2].destination.prefix = 33);
	REFUSED(EINVAL, plan.routes[2].destination.family = 99);
	REFUSED(EPERM, plan.routes[1].gateway = lab_address("127.0.0.1"));
	REFUSED(EPERM, plan.routes[0].source = lab_address("192.0.2.1"));
	REFUSED(EPERM, plan.rules[0].table = 254);
	REFUSED(EPERM, plan.rules[1].from = lab_address("2001:db8::1"));
	REFUSED(EPERM, plan.forwards[1].address = lab_address("2001:db8::1"));
	REFUSED(EPERM, plan.proxies[0].address = lab_address("192.0.2.1"));
	REFUSED(EPERM, plan.silences[0].address = lab_address("10.255.0.1"));
	REFUSED(EINVAL, plan.doubles[0].gateway = lab_address("fe80::1"));
	REFUSED(EINVAL, plan.neighbours[0].mac.bytes[0] = 0xff);
	REFUSED(EINVAL, plan.num_routes = KERNEL_ROWS_MAX + 1);
	REFUSED(EINVAL, plan.num_doubles = UINT32_MAX);
#undef REFUSED
}

static int check_open(uint32_t kind, uint32_t interface)
{
	union request request = {
		.open = { REQUEST_OPEN, kind, interface },
	};

	return request_check(&lab_settings, &request, sizeof(request.open));
}

static int check_address(const char *address, const char *interface)
{
	union request request = {
		.address = { REQUEST_ADDRESS, 1, lab_address(address),
			     lab_index(interface) },
	};

	return request_check(&lab_settings, &request,
			     sizeof(request.address));
}

static int check_node(uint32_t node)
{
	union request request = { .node = { REQUEST_DEATH, node } };

	return request_check(&lab_settings, &request, sizeof(request.node));
}

static void test_refused(void **state)
{
	union request request = { .kind = REQUEST_KIND_END };

	assert_int_equal(check_open(RAW_ND, lab_index("lan0")), 0);
	assert_int_equal(check_open(RAW_ND, lab_index("other0")), EPERM);
	assert_int_equal(check_open(RAW_KIND_END, lab_index("lan0")), EINVAL);
	assert_int_equal(check_address("10.0.0.5/24", "lan0"), 0);
	/* another address of the service, in the network that is there */
	assert_int_equal(check_address("10.0.0.99/24", "lan0"), 0);
	assert_int_equal(check_address("10.0.0.5/24", "ic0"), EPERM);
	assert_int_equal(check_address("10.0.0.5/24", "other0"), EPERM);
	assert_int_equal(check_address("192.0.2.5/24", "lan0"), EPERM);
	assert_int_equal(check_address("10.255.0.2", "lan0"), EPERM);
	assert_int_equal(check_node(1), 0);
	assert_int_equal(check_node(2), EPERM);	/* commented out */
	assert_int_equal(check_node(4), EPERM);
	assert_int_equal(check_node(UINT32_MAX), EPERM);
	assert_int_equal(request_check(&lab_settings, &request,
				       sizeof(request)), EINVAL);
	request.kind = REQUEST_DEATH;
	assert_int_equal(request_check(&lab_settings, &request,
				       sizeof(request.node) - 1), EINVAL);
	assert_int_equal(request_check(&lab_settings, &request, 0), EINVAL);
}

static int body_refused(struct privileged *privileged, int out)
{
	int fd;

	CHECK(privileged_open(privileged, RAW_ARP, lab_index("other0"),
			      &fd) == EPERM);
	CHECK(fd == -1);
	return 0;
}

static void test_refused_is_told(void **state)
{
	struct pair pair = pair_start(body_refused);
	char log[4096];

	assert_int_equal(pair_end(&pair, log, sizeof(log)), 0);
	assert_non_null(strstr(log, "N041 request-refused"));
}

/* --------------------------------------------------------------- sandbox */

/* Sandboxed, it does what it must not: the parent tells how it ended. */
static int (*forbidden)(void);

static int body_forbidden(struct privileged *privileged, int out)
{
	int fd = open("/dev/null", O_RDONLY);

	CHECK(privileged_sandbox("nobody") == 0);
	CHECK(getuid() != 0 && geteuid() != 0 && getgid() != 0);
	CHECK(write(out, "x", 1) == 1 && fd != -1);
	return forbidden() == 0 ? 1 : 2;
}

static void assert_killed(int (*function)(void))
{
	struct pair pair;
	char log[16384];
	int status;

	forbidden = function;
	pair = pair_start(body_forbidden);
	status = pair_end(&pair, log, sizeof(log));
	/* five times, then given up */
	assert_int_equal(status, 1);
	assert_non_null(strstr(log, "N042 arpd-died: arpd made a system "
			       "call"));
	assert_null(strstr(log, "exit status"));
	assert_non_null(strstr(log, "N043 arpd-gave-up"));
}

static int do_raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) == -1;
}

static int do_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) == -1;
}

static int do_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int do_fork(void)
{
	return fork() == -1;
}

static int do_ptrace(void)
{
	return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

static int do_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int do_setuid(void)
{
	return setuid(0);
}

static int do_kill(void)
{
	return kill(getppid(), 0);
}

static void test_killed(void **state)
{
	assert_killed(do_raw_socket);
	assert_killed(do_netlink);
	assert_killed(do_exec);
	assert_killed(do_fork);
	assert_killed(do_ptrace);
	assert_killed(do_executable);
	assert_killed(do_setuid);
	assert_killed(do_kill);
}

static int body_files(struct privileged *privileged, int out)
{
	CHECK(privileged_sandbox("nobody") == 0);
	CHECK(open("/tmp/test-privileged", O_WRONLY | O_CREAT, 0600) == -1 &&
	      errno == EACCES);
	CHECK(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
	CHECK(unlink("/tmp/test-privileged") == -1 && errno == EACCES);
	return 0;
}

static void test_files(void **state)
{
	RUN(body_files);
}

/* A daemon's day: tevent, timers, a client at its socket, an event logged. */
struct day {
	int listener;
	int client;
	bool answered;
	bool timer_fired;
};

static void day_client(struct tevent_context *ev, struct tevent_fd *fde,
		       uint16_t flags, void *private_data)
{
	struct day *day = private_data;
	int fd = accept(day->listener, NULL, NULL);
	char c = 0;

	day->answered = fd != -1 && send(fd, "y", 1, MSG_NOSIGNAL) == 1 &&
		recv(day->client, &c, 1, 0) == 1 && c == 'y';
	close(fd);
}

static void day_timer(void *private_data)
{
	struct day *day = private_data;

	day->timer_fired = true;
}

static int body_day(struct privileged *privileged, int out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct day day = { .listener = socket(AF_UNIX, SOCK_STREAM, 0) };
	struct tevent_context *ev = tevent_context_init(NULL);
	char *memory;
	int packets, i;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/test",
		 lab_directory);
	chmod(lab_directory, 0755);
	CHECK(bind(day.listener, (struct sockaddr *)&address,
		   sizeof(address)) == 0 && listen(day.listener, 5) == 0);
	chmod(address.sun_path, 0777);
	CHECK(privileged_open(privileged, RAW_ARP, lab_index("lan0"),
			      &packets) == 0);
	CHECK(privileged_sandbox("nobody") == 0);

	day.client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(connect(day.client, (struct sockaddr *)&address,
		      sizeof(address)) == 0);
	CHECK(tevent_add_fd(ev, ev, day.listener, TEVENT_FD_READ, day_client,
			    &day) != NULL);
	CHECK(timer_start(ev, ev, 5, day_timer, &day) != NULL);
	while (!day.answered || !day.timer_fired) {
		CHECK(tevent_loop_once(ev) == 0);
	}
	for (i = 0; i < 100; i++) {
		memory = talloc_zero_size(ev, (size_t)i * 10000);
		talloc_free(memory);
	}
	CHECK(recv(packets, &i, sizeof(i), MSG_DONTWAIT) == -1 &&
	      errno == EAGAIN);
	event_log_init("test", EVENT_TO_FILE);
	event_log(EVENT_STATE, "all is well");
	event_log_init("test", EVENT_TO_SYSLOG);
	event_log(EVENT_STATE, "all is well");
	talloc_free(ev);
	return 0;
}

static void test_day(void **state)
{
	RUN(body_day);
}

static int body_user(struct privileged *privileged, int out)
{
	CHECK(privileged_sandbox("root") == EINVAL);
	CHECK(privileged_sandbox("no-such-user") == ENOENT);
	CHECK(privileged_sandbox("nobody") == 0);
	return 0;
}

static void test_user(void **state)
{
	RUN(body_user);
}

/* ---------------------------------------------------------- life and death */

static int body_wait(struct privileged *privileged, int out)
{
	privileged_sandbox("nobody");
	dprintf(out, "pid %d\n", getpid());
	for (;;) {
		poll(NULL, 0, -1);
	}
	return 0;
}

static pid_t child_pid(struct pair *pair)
{
	char text[64];

	assert_true(read_until(pair->out, "\n", text, sizeof(text)));
	return (pid_t)atoi(text + 4);
}

/* The file has come to its end: nobody has it open. */
static void assert_all_gone(struct pair *pair)
{
	char text[4096];
	struct pollfd pollfd = { .fd = pair->out, .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_false(read_until(pair->out, "pid", text, sizeof(text)));
}

/* What the kernel says of the sandboxed process. */
static void test_status(void **state)
{
	struct pair pair = pair_start(body_wait);
	char command[64], log[4096];

	snprintf(command, sizeof(command), "cat /proc/%d/status",
		 (int)child_pid(&pair));
	assert_true(lab_has(command, "Uid:\t65534\t65534\t65534\t65534"));
	assert_true(lab_has(command, "Gid:\t65534\t65534\t65534\t65534"));
	assert_true(lab_has(command, "Groups:\t \n"));
	assert_true(lab_has(command, "NoNewPrivs:\t1"));
	assert_true(lab_has(command, "Seccomp:\t2"));
	assert_true(lab_has(command, "CapEff:\t0000000000000000"));
	assert_true(lab_has(command, "CapPrm:\t0000000000000000"));
	assert_true(lab_has(command, "CapBnd:\t0000000000000000"));
	kill(pair.parent, SIGTERM);
	assert_int_equal(pair_end(&pair, log, sizeof(log)), 0);
}

static void test_parent_killed(void **state)
{
	struct pair pair = pair_start(body_wait);
	char log[4096];

	child_pid(&pair);
	kill(pair.parent, SIGKILL);
	assert_all_gone(&pair);
	assert_int_equal(pair_end(&pair, log, sizeof(log)), 1000 + SIGKILL);
}

static void test_terminated(void **state)
{
	struct pair pair = pair_start(body_wait);
	char log[4096];

	child_pid(&pair);
	kill(pair.parent, SIGTERM);
	assert_all_gone(&pair);
	assert_int_equal(pair_end(&pair, log, sizeof(log)), 0);
	assert_string_equal(log, "");
}

/* The child dies: another one is there, and the parent serves it. */
static int body_again(struct privileged *privileged, int out)
{
	int fd;

	CHECK(privileged_open(privileged, RAW_ARP, lab_index("lan0"), &fd) ==
	      0);
	return body_wait(privileged, out);
}

static void test_child_killed(void **state)
{
	struct pair pair = pair_start(body_again);
	char log[4096];
	pid_t first = child_pid(&pair), second;

	kill(first, SIGKILL);
	second = child_pid(&pair);
	assert_int_not_equal(first, second);
	kill(pair.parent, SIGTERM);
	assert_all_gone(&pair);
	assert_int_equal(pair_end(&pair, log, sizeof(log)), 0);
	assert_non_null(strstr(log, "N042 arpd-died: arpd was ended by signal "
			       "9"));
}

static int body_config(struct privileged *privileged, int out)
{
	return EX_CONFIG;
}

static void test_configuration(void **state)
{
	struct pair pair = pair_start(body_config);
	char log[4096];

	assert_int_equal(pair_end(&pair, log, sizeof(log)), EX_CONFIG);
	assert_string_equal(log, "");
}

/* ------------------------------------------------------ telling of a death */

static int body_death(struct privileged *privileged, int out)
{
	privileged_sandbox("nobody");
	CHECK(privileged_death(privileged, 1) == 0);
	CHECK(privileged_death(privileged, 1) == EALREADY);
	CHECK(privileged_death(privileged, 3) == 0);
	dprintf(out, "pid %d\n", getpid());
	for (;;) {
		poll(NULL, 0, -1);
	}
	return 0;
}

static void test_death(void **state)
{
	char script[64], log[4096], text[64], gate[64], command[1024];
	struct pair pair;

	snprintf(script, sizeof(script), "%s/death", lab_directory);
	snprintf(gate, sizeof(gate), "%s/gate", lab_directory);
	snprintf(command, sizeof(command),
		 "mkfifo %s && printf '#!/bin/sh\necho told $1\n"
		 "if [ $1 = 3 ]; then\n"
		 "  until [ -e %s.1 ]; do sleep 0.02; done; exit 7\n"
		 "fi\n: >%s.1\nread x <%s\n' >%s && chmod 755 %s",
		 gate, script, script, gate, script, script);
	lab_run(command);
	setenv("MIRROR_CTDB_DEATH", script, 1);
	pair = pair_start(body_death);
	assert_true(read_until(pair.out, "\n", text, sizeof(text)));
	assert_true(read_until(pair.log, "exit status 7", log, sizeof(log)));
	assert_non_null(strstr(log, "N044 death-says: Node 3: told 3"));
	assert_non_null(strstr(log, "N045 death-failed: Telling ctdb of the "
			       "death of node 3"));
	kill(pair.parent, SIGTERM);
	assert_all_gone(&pair);
	snprintf(command, sizeof(command), "echo x >%s", gate);
	lab_run(command);
	assert_int_equal(pair_end(&pair, log, sizeof(log)), 0);
	unsetenv("MIRROR_CTDB_DEATH");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused_plans),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_is_told),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_day),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_parent_killed),
		cmocka_unit_test(test_terminated),
		cmocka_unit_test(test_child_killed),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_death),
	};

	return cmocka_run_group_tests(tests, lab_up, lab_down);
}
