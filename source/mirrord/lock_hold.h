/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of the helper that ctdb's recovery daemon starts: take the lock,
 * say so, hold it, let it go.
 *
 * Owns: the loop; the answer to ctdb; the fence program; what is told.
 * Does not own: the rules (lock_lease.h), the copies (lock_copy.h), what ctdb
 * knows (lock_votes.h).
 */

#ifndef MIRRORD_LOCK_HOLD_H
#define MIRRORD_LOCK_HOLD_H

#include "lock_copy.h"

struct hold_settings {
	struct copy_place places[LOCK_COPIES];
	uint8_t copies;
	const char *fence;	/* program, called with a pnn; NULL: none */
	const char *ctdb_socket;
	bool made_together;	/* the copies, as those of a mailbox */
};

/* Returns when it is over, with an exit status. The answer is on stdout. */
int hold_lock(const struct hold_settings *settings);

/* One character, as ctdb wants it. */
void hold_answer(char c);

#endif /* MIRRORD_LOCK_HOLD_H */
