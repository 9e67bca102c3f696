/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The time of day, see day_clock.h. */

#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include "day_clock.h"

static bool near(int64_t a, int64_t b)
{
	return llabs((long long)(a - b)) <= DAY_CLOCK_SLEW_S;
}

int64_t day_clock_look(struct day_clock *clock, int64_t boot, int64_t wall)
{
	int64_t offset = wall - boot;
	int64_t step = 0;

	clock->before = clock->last;
	clock->ran = clock->known && !clock->stepped;
	if (!clock->known || near(offset, clock->offset)) {
		clock->known = true;
		clock->stepped = false;
		clock->offset = offset;
	} else if (!clock->stepped || !near(offset, clock->stepped_offset)) {
		step = offset - (clock->stepped ? clock->stepped_offset :
				 clock->offset);
		clock->stepped = true;
		clock->stepped_offset = offset;
		clock->stepped_at = boot;
	} else if (boot - clock->stepped_at >= DAY_CLOCK_HOLD_S) {
		clock->stepped = false;
		clock->offset = offset;
	} else {
		clock->stepped_offset = offset;
	}
	clock->ran = clock->ran && !clock->stepped;
	clock->last = boot + clock->offset;
	return step;
}

/* That minute of the day of `when', or of the next day. */
static int64_t minute_of_day(int64_t when, uint32_t minute, int days)
{
	time_t seconds = (time_t)when;
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL) {
		return INT64_MAX;
	}
	tm.tm_mday += days;
	tm.tm_hour = (int)(minute / 60);
	tm.tm_min = (int)(minute % 60);
	tm.tm_sec = 0;
	/* The day may begin with summer time and end without. */
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

bool day_clock_came(const struct day_clock *clock,
		    uint32_t minute,
		    int64_t *late)
{
	int64_t when;

	if (!clock->ran || clock->last <= clock->before) {
		return false;
	}
	when = minute_of_day(clock->before, minute, 0);
	if (when <= clock->before) {
		when = minute_of_day(clock->before, minute, 1);
	}
	*late = clock->last - when;
	return when > clock->before && when <= clock->last;
}
