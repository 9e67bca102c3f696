/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mirrorctl health', see health_command.h. */

#include <sys/socket.h>
#include <stdio.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "health_command.h"
#include "watchdog.h"

/* Three times as long for one that works, and for a machine that is slow;
 * ctdb gives an event 30 s (EventScriptTimeout). */
#define BUSY_TIMES 3
#define TOTAL_MS 20000
#define DEFAULT_TOTAL_MS 5000

static void show_told(const json_t *reply)
{
	const json_t *told = json_object_get(reply, "told");
	size_t i;

	for (i = 0; i < json_array_size(told); i++) {
		printf("healthy, but: %s\n",
		       json_string_value(json_array_get(told, i)));
	}
}

static int no_answer(enum watchdog_result result, pid_t pid, const char *why)
{
	if (result == WATCHDOG_ENDED) {
		event_log(EVENT_MIRRORD_HUNG, "mirrord (pid %d) did not "
			  "answer, %s: it was ended", (int)pid, why);
		return EXIT_NO_MIRRORD;
	}
	event_log_once(EVENT_MIRRORD_SLOW, "mirrord", "mirrord (pid %d): %s",
		       (int)pid, why);
	fprintf(stderr, "mirrorctl: mirrord does not answer: %s\n", why);
	return EXIT_FAILED;
}

int health_command(struct arguments *arguments)
{
	int idle_ms = arguments->wait_ms > 0 ? arguments->wait_ms : 0;
	const struct watchdog_limits limits = {
		.idle_ms = (uint32_t)idle_ms,
		.busy_ms = (uint32_t)idle_ms * BUSY_TIMES,
		.total_ms = idle_ms > 0 ? TOTAL_MS : DEFAULT_TOTAL_MS,
	};
	int fd = mirrorctl_connect(arguments);
	enum watchdog_result result = WATCHDOG_ANSWERS;
	struct ucred peer = { .pid = 0 };
	socklen_t length = sizeof(peer);
	char why[128] = "";
	json_t *reply;

	if (fd == -1) {
		fprintf(stderr, "mirrorctl: mirrord does not run on this node "
			"(or you are not root)\n");
		return EXIT_NO_MIRRORD;
	}
	event_log_keep();
	dprintf(fd, "{\"verb\":\"health\"}\n");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	    peer.pid > 1) {
		result = watchdog_wait(fd, peer.pid, &limits, why,
				       sizeof(why));
	}
	if (result != WATCHDOG_ANSWERS) {
		return no_answer(result, peer.pid, why);
	}
	reply = mirrorctl_receive(fd);
	close(fd);
	if (reply == NULL) {
		fprintf(stderr, "mirrorctl: mirrord ended meanwhile\n");
		return EXIT_NO_MIRRORD;
	}
	if (!arguments->json) {
		show_told(reply);
	}
	return mirrorctl_finish(arguments, reply);
}
