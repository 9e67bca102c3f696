/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the helper that holds the lock tells the helper that ctdbd runs at the
 * end of a recovery, on the same node.
 *
 * Owns: the file between the two. It also sees to it that there is one helper
 * of the first kind.
 * Does not own: when ctdbd asks; what is told (lock_hold.h).
 *
 * A holder whose links and mailbox were cut at once has its lease for a moment
 * yet. A recovery without the others, in that moment, would let it switch them
 * off, and then it ends itself: nobody would be left. So a recovery does not
 * end before everybody who may take the lock is either connected or struck off
 * the members in the mailbox; it fails if the lock is lost meanwhile.
 */

#ifndef MIRRORD_LOCK_GATE_H
#define MIRRORD_LOCK_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* The file; -1 and errno. */
int gate_open(void);
/* Lock it, also for the processes that have inherited it. False: another helper
 * has it for longer than it should. */
bool gate_take(int fd);
/*
 * settled: ms of CLOCK_BOOTTIME; as of then all who may take the lock were
 * connected. 0: not so. Not taken: not held (yet, or any more).
 */
void gate_tell(int fd, bool taken, uint64_t settled);

/* Stay behind the gate for work that has to end as soon as it is wanted. */
void gate_stay(int fd);
/* Another helper waits for it. */
bool gate_is_wanted(int fd);

/* What ctdbd is to be answered: '1', or '3' to have the recovery fail. */
char gate_answer(void);

#endif /* MIRRORD_LOCK_GATE_H */
