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

static const char *gate_file(void)
{
	const char *path = getenv("MIRROR_CTDB_LOCK_FILE");

	return path != NULL ? path : GATE_FILE;
}

int gate_take(void)
{
	const uint64_t until = lock_now() + TURN_MS;
	int fd = open(gate_file(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      0600);

	while (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (lock_now() > until) {
			close(fd);
			return -1;
		}
		poll(NULL, 0, 10);
	}
	if (fd != -1) {
		gate_tell(fd, false, 0);
	}
	return fd;
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
