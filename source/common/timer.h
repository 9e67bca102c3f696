/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Timers that a step of the wall clock does not move.
 *
 * tevent's own go by the wall clock: set it back an hour, and they stand still
 * for one. These go by the clock of the leases (state_page_clock()).
 */

#ifndef MIRROR_TIMER_H
#define MIRROR_TIMER_H

#include <stdint.h>
#include <talloc.h>
#include <tevent.h>

struct timer;

/* The timer is gone already: whoever has a pointer to it forgets it here. */
typedef void (*timer_handler)(void *private_data);

/* Once, in so many ms. talloc_free() stops it. NULL: no memory, no files. */
struct timer *timer_start(TALLOC_CTX *mem_ctx,
			  struct tevent_context *ev,
			  uint64_t ms,
			  timer_handler handler,
			  void *private_data);

#endif /* MIRROR_TIMER_H */
