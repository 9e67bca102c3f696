/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A mirrord that hangs is ended, so that another one goes on (R5: clients see
 * a pause, nothing is lost). For `mirrorctl health', which ctdb's monitor event
 * calls.
 *
 * Owns: telling a mirrord that hangs from one that is slow.
 * Does not own: starting the next one (05.mirror.script, systemd).
 *
 * It hangs if it has something to read and, for so many seconds on end, its
 * main thread sleeps or is stopped and uses no processor. One that waits for a
 * processor or a disk is late but does not hang: to end it would make matters
 * worse. One that works all the time, without ever sleeping or answering,
 * hangs, too, but gets more time.
 */

#ifndef MIRRORD_WATCHDOG_H
#define MIRRORD_WATCHDOG_H

#include <stdint.h>
#include <sys/types.h>

enum watchdog_result {
	WATCHDOG_ANSWERS,	/* something can be read */
	WATCHDOG_ENDED,		/* it was ended */
	WATCHDOG_LATE,		/* no answer, and it was left alone */
};

struct watchdog_limits {
	uint32_t idle_ms;	/* 0: it is never ended */
	uint32_t busy_ms;	/* for one that works all the time */
	uint32_t total_ms;	/* nobody waits longer for an answer */
};

/* fd: a connection to the process, which has been asked something. why (of
 * size bytes): for people. */
enum watchdog_result watchdog_wait(int fd, pid_t pid,
				   const struct watchdog_limits *limits,
				   char *why, size_t size);

#endif /* MIRRORD_WATCHDOG_H */
