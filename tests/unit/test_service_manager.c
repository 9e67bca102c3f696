/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/mirrord/service_manager.c, with a socket for systemd's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service_manager.h"

static void beats_arrive(const char *path)
{
	struct tevent_context *ev = tevent_context_init(NULL);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	size_t length = strlen(path);
	char buf[64];
	int got = 0;
	ssize_t n;

	memcpy(address.sun_path, path, length);
	if (path[0] == '@') {
		address.sun_path[0] = '\0';
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)(
		offsetof(struct sockaddr_un, sun_path) + length)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "40000", 1);
	assert_int_equal(service_manager_watchdog(ev, ev), 0);
	while (got < 3) {
		assert_int_equal(tevent_loop_once(ev), 0);
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
			assert_int_equal(n, 10);
			assert_memory_equal(buf, "WATCHDOG=1", 10);
			got++;
		}
	}
	close(fd);
	/* systemd is away for a moment: that ends nothing. */
	assert_int_equal(tevent_loop_once(ev), 0);
	talloc_free(ev);
}

static void test_beats(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/test-notify-%d", (int)getpid());
	beats_arrive(path);
	unlink(path);
	path[0] = '@';
	beats_arrive(path);
}

static void test_nobody_asks(void **state)
{
	struct tevent_context *ev = tevent_context_init(NULL);

	unsetenv("WATCHDOG_USEC");
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	assert_int_equal(service_manager_watchdog(ev, ev), 0);
	setenv("WATCHDOG_USEC", "40000", 1);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(service_manager_watchdog(ev, ev), EINVAL);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(service_manager_watchdog(ev, ev), 0);
	talloc_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
