/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling systemd that the event loop turns, see service_manager.h. */

#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/timer.h"
#include "service_manager.h"

#define PARTS 4		/* so often in the time that systemd waits */

struct service_manager {
	struct tevent_context *ev;
	uint64_t ms;
	int fd;
	struct sockaddr_un address;
	socklen_t length;
};

static int service_manager_destructor(struct service_manager *manager)
{
	close(manager->fd);
	return 0;
}

static void beat(void *private_data)
{
	struct service_manager *manager = private_data;
	static const char message[] = "WATCHDOG=1";

	/* Lost messages do not matter: the next one comes in time. */
	(void)sendto(manager->fd, message, sizeof(message) - 1,
		     MSG_DONTWAIT | MSG_NOSIGNAL,
		     (const struct sockaddr *)&manager->address,
		     manager->length);
	timer_start(manager, manager->ev, manager->ms, beat, manager);
}

int service_manager_watchdog(TALLOC_CTX *mem_ctx, struct tevent_context *ev)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");
	struct service_manager *manager;
	size_t length;

	if (path == NULL || usec == NULL || strtoull(usec, NULL, 10) == 0) {
		return 0;
	}
	length = strlen(path);
	if ((path[0] != '/' && path[0] != '@') ||
	    length >= sizeof(manager->address.sun_path)) {
		return EINVAL;
	}
	manager = talloc_zero(mem_ctx, struct service_manager);
	if (manager == NULL) {
		return ENOMEM;
	}
	manager->ev = ev;
	manager->ms = strtoull(usec, NULL, 10) / 1000 / PARTS;
	manager->address.sun_family = AF_UNIX;
	memcpy(manager->address.sun_path, path, length);
	if (path[0] == '@') {
		manager->address.sun_path[0] = '\0';
	}
	manager->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      length);
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager->fd == -1) {
		int ret = errno;

		talloc_free(manager);
		return ret;
	}
	talloc_set_destructor(manager, service_manager_destructor);
	beat(manager);
	return 0;
}
