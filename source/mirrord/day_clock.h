/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The time of day, for what is to be done once a day: a step of the wall clock
 * neither does it twice nor in the middle of the day.
 *
 * Owns: which wall clock is believed; when a time of day has come.
 * Does not own: clocks; the caller reads them. Time zone: the process's (TZ).
 *
 * The wall clock is believed as long as it runs beside the clock that nobody
 * sets (CLOCK_BOOTTIME), and followed when it is slewed. After a step nothing
 * is believed until it was undone, or the new time has held for
 * DAY_CLOCK_HOLD_S. A time of day has come when a clock that is believed runs
 * past it; what lies between an old and a new belief has not come.
 */

#ifndef MIRRORD_DAY_CLOCK_H
#define MIRRORD_DAY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define DAY_CLOCK_HOLD_S 3600
/* More than this between two looks is no slew. */
#define DAY_CLOCK_SLEW_S 10

/* Zero at first. All in seconds. */
struct day_clock {
	bool known;
	int64_t offset;		/* what is, or was, believed: wall - boot */
	bool stepped;
	int64_t stepped_offset;	/* what the wall clock says since it did */
	int64_t stepped_at;	/* boot */
	int64_t last;		/* wall, as believed, at the last look */
	bool ran;		/* believed from `before' to `last' */
	int64_t before;		/* at the look before the last */
};

/*
 * Look at the clocks, once a second or so. Returns how far the wall clock has
 * been stepped since the last look; 0: it has not.
 */
int64_t day_clock_look(struct day_clock *clock, int64_t boot, int64_t wall);

/*
 * Did this minute of the day come between the last two looks? Then *late is
 * how many seconds ago. In the nights that begin or end summer time it may come
 * twice.
 */
bool day_clock_came(const struct day_clock *clock,
		    uint32_t minute,
		    int64_t *late);

#endif /* MIRRORD_DAY_CLOCK_H */
