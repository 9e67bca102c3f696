/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mirrord that hangs is ended, see watchdog.h. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "watchdog.h"

#define SAMPLE_MS 200
#define GONE_MS 2000
/* Of busy_ms, on a processor: others may have it the rest of the time. */
#define WORKS_PERCENT 50

struct sample {
	char state;		/* of the main thread, as in proc(5) */
	uint64_t ticks;		/* processor time of all threads */
	uint64_t switches;	/* times that the main thread slept */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool read_file(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL) {
		return false;
	}
	n = fread(buf, 1, size - 1, file);
	fclose(file);
	buf[n] = '\0';
	return n > 0;
}

static bool take_sample(pid_t pid, struct sample *sample)
{
	unsigned long long user, system, switches = 0;
	char path[64];
	char buf[4096];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!read_file(path, buf, sizeof(buf))) {
		return false;
	}
	/* The name may have blanks and brackets. */
	p = strrchr(buf, ')');
	if (p == NULL || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u "
				"%*u %*u %llu %llu", &user, &system) != 2) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid,
		 (int)pid);
	if (!read_file(path, buf, sizeof(buf))) {
		return false;
	}
	p = strstr(buf, "\nState:");
	if (p == NULL || sscanf(p, "\nState: %c", &sample->state) != 1) {
		return false;
	}
	p = strstr(buf, "\nvoluntary_ctxt_switches:");
	if (p != NULL) {
		sscanf(p, "\nvoluntary_ctxt_switches: %llu", &switches);
	}
	sample->ticks = user + system;
	sample->switches = switches;
	return true;
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

static enum watchdog_result end_it(int fd, pid_t pid)
{
	/* It may have answered in the last moment. */
	if (is_readable(fd, 0)) {
		return WATCHDOG_ANSWERS;
	}
	if (kill(pid, SIGKILL) == -1 && errno != ESRCH) {
		return WATCHDOG_LATE;
	}
	/* The connection ends with the process. */
	is_readable(fd, GONE_MS);
	return WATCHDOG_ENDED;
}

enum watchdog_result watchdog_wait(int fd, pid_t pid,
				   const struct watchdog_limits *limits,
				   char *why, size_t size)
{
	uint64_t began = now_ms();
	uint64_t idle_since = began;
	uint64_t tick_ms = 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct sample first, before, now;
	bool known = take_sample(pid, &first);

	before = first;
	for (;;) {
		uint64_t at;
		bool idle;

		if (is_readable(fd, SAMPLE_MS)) {
			return WATCHDOG_ANSWERS;
		}
		at = now_ms();
		known = known && take_sample(pid, &now);
		/* 't' is not among them: somebody looks at it. */
		idle = known && (now.state == 'S' || now.state == 'T') &&
			now.ticks == before.ticks &&
			now.switches == before.switches;
		if (!idle) {
			idle_since = at;
		}
		before = now;
		if (limits->idle_ms != 0 && at - idle_since >=
		    limits->idle_ms) {
			snprintf(why, size, "it was %s for %.0f s",
				 now.state == 'T' ? "stopped" : "asleep",
				 (double)(at - idle_since) / 1000);
			return end_it(fd, pid);
		}
		if (limits->idle_ms != 0 && known &&
		    at - began >= limits->busy_ms &&
		    now.switches == first.switches &&
		    (now.ticks - first.ticks) * tick_ms >=
		    (uint64_t)limits->busy_ms * WORKS_PERCENT / 100) {
			snprintf(why, size, "it has worked for %.0f s without "
				 "an end", (double)(at - began) / 1000);
			return end_it(fd, pid);
		}
		if (at - began >= limits->total_ms) {
			snprintf(why, size, "no answer for %.0f s; %s",
				 (double)(at - began) / 1000, !known ?
				 "its state is unknown" : now.state == 'D' ?
				 "it waits for a disk" : now.state == 'R' ?
				 "it waits for a processor" :
				 "it is slow, or somebody looks at it");
			return WATCHDOG_LATE;
		}
	}
}
