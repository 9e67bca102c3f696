/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What owner*.c share.
 *
 *   owner.c         life, decisions
 *   owner_plan.c    the steps from one mode to another
 *   owner_lease.c   the right to answer (R12)
 *   owner_epoch.c   epochs: advance, syncfs, wipe (R8, R9)
 *   owner_reap.c    operations of dead smbds
 */

#ifndef MIRRORD_OWNER_PRIVATE_H
#define MIRRORD_OWNER_PRIVATE_H

#include "owner.h"

/* A step starts something and returns; it ends with owner_plan_next() or
 * owner_plan_fail(), or sets owner->poll to be called again. */
typedef void (*owner_step)(struct owner *owner);

struct owner_plan {
	const char *name;
	const owner_step *steps;
};

struct owner {
	struct mirrord *mirrord;
	const struct config_volume *volume;
	struct state_page *page;
	int root_fd;
	struct label label;

	struct timer *tick;
	struct owner_kick *kick;

	/* the plan that is being carried out */
	const struct owner_plan *plan;
	uint32_t step;
	owner_step poll;
	struct tevent_req *request;	/* of the step */
	bool writing_label;	/* this must not be interrupted */
	uint64_t refused_since;	/* ms; 0: the disk takes labels */
	uint64_t label_begun;	/* ns, state_page_clock() */
	uint64_t step_since;
	uint64_t not_before;	/* ms: no new plan before */
	char *problem;

	/* the partner that a plan begins with */
	uint32_t candidate;
	struct label next;	/* the label that the plan will write */
	uint64_t granted;	/* epoch capacity at the partner */

	uint64_t times_up;	/* of the partner's link, when it last said
				   that it has our store */
	uint64_t waiting_since;
	bool lost_logged;

	/* epochs */
	uint64_t next_epoch;	/* ms */
	uint64_t close_at;	/* ms: what is closed waits no longer */
	uint64_t closed;	/* highest closed epoch */
	uint64_t closed_at;	/* ms, of the oldest that is not wiped */
	uint64_t closing;	/* the one that is being synced and wiped */
	struct tevent_req *epoch_request;
	uint64_t epoch_retry;	/* ms */
	bool sync_failed;

	/* dead processes */
	uint64_t next_reap;	/* ms */
	struct tevent_req *rolling;
	uint32_t rolling_slot;
	uint64_t roll_retry;

	/* the right to answer, see owner_lease.c */
	struct {
		uint64_t next;		/* ns of state_page_clock() */
		uint64_t asked_at;
		uint64_t generation;	/* of the label, when it was asked */
		uint64_t beat;		/* being written */
		bool by_disk;
		bool stopped;
		struct tevent_req *request;
	} lease;

	bool forget_locks;	/* when it is released */
	owner_released released;
	void *released_data;
};

uint64_t owner_now(void);

void owner_plan_start(struct owner *owner, const struct owner_plan *plan);
void owner_plan_next(struct owner *owner);
/* problem: child of owner, or NULL; retry after ms. */
void owner_plan_fail(struct owner *owner, uint32_t retry_ms, char *problem);

extern const struct owner_plan owner_plan_begin;
extern const struct owner_plan owner_plan_check;
extern const struct owner_plan owner_plan_resume;
extern const struct owner_plan owner_plan_degrade;
extern const struct owner_plan owner_plan_release;

/* The node that may become partner now, or NULL. */
struct peer *owner_find_candidate(struct owner *owner);

void owner_lease_look(struct owner *owner);
/* Whoever may take the volume over confirmed it after asked_at. */
void owner_lease_renewed(struct owner *owner, uint64_t asked_at);
/* Between two grantors: no answer, until the next one grants it. */
void owner_lease_stop(struct owner *owner);
void owner_lease_go_on(struct owner *owner);
/* A label is on its way to the disk; no other may be. */
bool owner_lease_writes(const struct owner *owner);

void owner_epoch_look(struct owner *owner);
/* Nothing that was closed matters any more: the store is void. */
void owner_epoch_reset(struct owner *owner);

void owner_reap_look(struct owner *owner);
/* The store is void: drop what dead processes had in flight. False: not yet,
 * a child still works on it. */
bool owner_reap_drop(struct owner *owner);

/* Only over which label may the next one be written? NULL: any, as nobody else
 * can write to the volume. */
const struct label *owner_label_there(const struct owner *owner);
void owner_sync_failed(struct owner *owner, int error);
/* How a write of the label ended. */
void owner_disk_answered(struct owner *owner, int error);

#endif /* MIRRORD_OWNER_PRIVATE_H */
