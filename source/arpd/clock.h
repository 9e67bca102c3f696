/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one clock of arpd: that of timer.h, which nobody sets. */

#ifndef ARPD_CLOCK_H
#define ARPD_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

#endif /* ARPD_CLOCK_H */
