/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What giveback*.c share.
 *
 *   giveback.c           decisions, moving
 *   giveback_order.c     orders: asked for, kept in a file, told
 */

#ifndef MIRRORD_GIVEBACK_PRIVATE_H
#define MIRRORD_GIVEBACK_PRIVATE_H

#include "giveback.h"

/* From the time of day on it may go home for so long; then not before the next
 * day. */
#define GIVEBACK_WINDOW_S 3600
/* Two such times are at least so far from each other. */
#define GIVEBACK_ONCE_S (20 * 3600)

enum giveback_order {
	GIVEBACK_POLICY,	/* none: what is configured */
	GIVEBACK_NOW,		/* as soon as it is safe */
	GIVEBACK_ORDERED	/* another policy, this once */
};

enum giveback_hold {
	GIVEBACK_FREE,
	GIVEBACK_MOVED,		/* here while its home was well */
	GIVEBACK_CANCELLED
};

struct giveback_service {
	struct giveback *giveback;
	const char *name;
	const struct config_service *config;
	bool here;		/* all of it, and away from home */

	enum giveback_hold hold;
	enum giveback_order order;
	struct giveback_policy ordered;

	/* s of the clock that nobody sets */
	int64_t fine_since;
	int64_t changed_at;	/* by clients */
	int64_t window_began;
	int64_t window_ends;
	int64_t not_before;
	int64_t pause;
	uint64_t records;
	const char *told;	/* the reason in the log; a constant */
	struct tevent_req *move;
	uint32_t target;	/* of the move */
};

struct giveback {
	struct mirrord *mirrord;
	struct giveback_service **services;
	struct giveback_clock now;
	struct day_clock clock;
	bool looked;		/* at least once */
	struct timer *timer;
};

/* After the configuration may have changed, before a service is looked at. */
void giveback_refresh(struct giveback *giveback);
struct giveback_service *giveback_find(struct giveback *giveback,
				       const char *name);
const struct giveback_policy *giveback_policy_of(
	const struct giveback_service *service);
/* Why it does not go home now: the first reason; NULL: it does. */
const char *giveback_why_not(const struct giveback *giveback,
			     const struct giveback_service *service);

/* The file that a restarted mirrord finds. */
void giveback_save(const struct giveback_service *service);
void giveback_load(struct giveback_service *service);
void giveback_forget(const struct giveback_service *service);

#endif /* MIRRORD_GIVEBACK_PRIVATE_H */
