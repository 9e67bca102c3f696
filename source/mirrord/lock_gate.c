/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between two helpers of a node, see lock_gate.h. */

#include <sys/file.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include "lock_copy.h"
#include "lock_gate.h"

#define GATE_FILE "/run/mirror-ctdb-lock"
/* Of an old helper, until it has let go. */
#define TURN_MS 1000
/* ctdbd takes no answer within 5 s for a good one. */
#define ANSWER_MS 4500
#define LOOK_MS 5
/* What ctdb was asked so long before is still what it says. */
#define BEFORE_MS 60

struct gate {
	uint64_t taken;
	uint64_t settled;
};

/* Behind it, written by who waits. */
#define WANTED_AT sizeof(struct gate)

static const char *gate_file(void)
{
	const char *path = getenv("MIRROR_CTDB_LOCK_FILE");

	return path != NULL ? path : GATE_FILE;
}

static void set_wanted(int fd, uint8_t wanted)
{
	/* It is on a tmpfs; who waits says so again and again. */
	(void)!pwrite(fd, &wanted, 1, WANTED_AT);
}

int gate_open(void)
{
	return open(gate_file(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0600);
}

bool gate_take(int fd)
{
	const uint64_t until = lock_now() + TURN_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		set_wanted(fd, 1);
		if (lock_now() > until) {
			return false;
		}
		poll(NULL, 0, 10);
	}
	gate_tell(fd, false, 0);
	return true;
}

void gate_stay(int fd)
{
	/* Of one that has given up waiting. */
	set_wanted(fd, 0);
}

bool gate_is_wanted(int fd)
{
	uint8_t wanted = 0;

	return pread(fd, &wanted, 1, WANTED_AT) == 1 && wanted != 0;
}

void gate_tell(int fd, bool taken, uint64_t settled)
{
	const struct gate gate = { .taken = taken, .settled = settled };

	/* On a tmpfs, all at once: whoever reads has the one or the other. */
	if (pwrite(fd, &gate, sizeof(gate), 0) != (ssize_t)sizeof(gate) &&
	    ftruncate(fd, 0) == -1) {
		return;
	}
}

/* Is there a helper that holds the lock, here? */
static bool is_holder_here(int fd, struct gate *gate)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
		flock(fd, LOCK_UN);
		return false;
	}
	return pread(fd, gate, sizeof(*gate), 0) == (ssize_t)sizeof(*gate) &&
		gate->taken != 0;
}

char gate_answer(void)
{
	const uint64_t began = lock_now();
	int fd = open(gate_file(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct gate gate = { .taken = 0 };

	if (fd == -1 || !is_holder_here(fd, &gate)) {
		return '1';
	}
	while (gate.settled + BEFORE_MS < began) {
		poll(NULL, 0, LOOK_MS);
		if (!is_holder_here(fd, &gate) ||
		    lock_now() - began > ANSWER_MS) {
			return '3';
		}
	}
	return '1';
}
