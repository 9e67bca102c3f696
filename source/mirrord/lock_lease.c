/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules of the cluster lock, see lock_lease.h. */

#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include "lock_lease.h"

#define NEVER UINT64_MAX
/* Writes in a lease. */
#define WRITES 5
/* To take it may last so many leases: a disk that answers late, a fence. */
#define TAKE_LEASES 20
/* Clocks run differently by less than a part of this. */
#define DRIFT 20

enum phase {
	LOOKING,	/* reads only */
	WANTING,
	CLAIMING,	/* HOLD is being written */
	HOLDING,
	LEAVING
};

struct copy {
	bool busy;		/* an operation is under way */
	bool has_read;		/* at least once */
	bool failed;		/* the last operation */
	uint64_t began;		/* that operation */
	uint64_t sequence;	/* what it writes; 0: nothing */
	uint64_t done_began;	/* the last one that came through */
	uint64_t done_sequence;
	struct lease_reading reading;
};

/* What is known of another node. */
struct other {
	struct sector sector;	/* the newest of all copies */
	uint64_t first_seen;	/* this sector; 0: none yet */
	bool changed;		/* since it was seen for the first time */
	bool damaged;
	uint64_t away_since;	/* no connection; NEVER: there is one */
	uint64_t answered;	/* asked at that time */
	bool fenced;
};

struct lease {
	struct lease_settings settings;
	enum phase phase;
	struct copy copies[LOCK_COPIES];
	struct other others[LOCK_NODES];
	struct sector own;	/* what is written next */
	struct sector before;	/* our block as it was found */
	uint64_t began;
	uint64_t phase_sequence;	/* the first write of this phase */
	uint64_t highest;	/* term of anybody */
	uint64_t connected;
	uint64_t voted;		/* when ctdb was asked last; 0: never */
	bool clients;
	/* holding */
	uint64_t mail_until;
	uint64_t known_until;	/* as of the last check */
	uint64_t written_members;
	uint64_t old_members;	/* that may still be what the mailbox has */
	uint64_t members_sequence;
	uint8_t not_counting;	/* copies that may be written as lost */
	uint64_t unlost_sequence;
	enum phase left;	/* in which it was given up */
	int fence;
	bool fence_failed;
	const char *reason;
};

static uint64_t bit(uint32_t node)
{
	return node < LOCK_NODES ? UINT64_C(1) << node : 0;
}

static uint8_t copy_bit(uint8_t copy)
{
	return (uint8_t)(1U << copy);
}

/* What another node's hold or wish lasts, by our clock. */
static uint64_t lapse(const struct lease *lease)
{
	return lease->settings.lease_ms + lease->settings.lease_ms / DRIFT;
}

struct lease *lease_new(void *mem_ctx, const struct lease_settings *settings)
{
	struct lease *lease = talloc_zero(mem_ctx, struct lease);
	uint32_t i;

	if (lease == NULL) {
		return NULL;
	}
	lease->settings = *settings;
	lease->began = settings->now;
	lease->own.node = settings->own;
	lease->fence = -1;
	lease->clients = true;
	lease->reason = "";
	for (i = 0; i < LOCK_NODES; i++) {
		lease->others[i].away_since = NEVER;
	}
	return lease;
}

void lease_set_clients(struct lease *lease, bool clients)
{
	lease->clients = clients;
}

static void enter(struct lease *lease, enum phase phase)
{
	lease->phase = phase;
	lease->phase_sequence = lease->own.sequence + 1;
}

/* ------------------------------------------------------------------- copies */

static uint64_t late_after(const struct lease *lease)
{
	return lease->settings.lease_ms / 2;
}

/* It failed, or does not answer in time. */
static bool is_bad(const struct lease *lease, uint8_t i, uint64_t now)
{
	const struct copy *copy = &lease->copies[i];

	return copy->failed ||
		(copy->busy && now - copy->began > late_after(lease));
}

/* May a taker do without it? See the rules. */
static bool may_ignore(const struct lease *lease, uint8_t i)
{
	uint8_t lost = copy_bit(i);
	uint8_t rest = (uint8_t)(1 - i);
	uint32_t node;

	if (lease->settings.copies != 2 || !lease->copies[rest].has_read) {
		return false;
	}
	for (node = 0; node < lease->settings.nodes; node++) {
		const struct sector *sector =
			&lease->copies[rest].reading.sectors[node];

		if (node == lease->settings.own ||
		    (sector->lost & lost) != 0) {
			continue;
		}
		if ((lease->copies[rest].reading.damaged & bit(node)) != 0 ||
		    sector->state == SECTOR_HOLD ||
		    (lease->before.lost & lost) == 0) {
			return false;
		}
	}
	return true;
}

/* Which copies a taker needs; false: one that it needs does not work. */
static bool required(const struct lease *lease, uint64_t now, uint8_t *mask)
{
	uint8_t i;

	*mask = 0;
	for (i = 0; i < lease->settings.copies; i++) {
		if (!is_bad(lease, i, now)) {
			*mask |= copy_bit(i);
		} else if (!may_ignore(lease, i)) {
			return false;
		}
	}
	return *mask != 0;
}

static bool all_written(const struct lease *lease, uint8_t mask,
			uint64_t sequence)
{
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		if ((mask & copy_bit(i)) != 0 &&
		    lease->copies[i].done_sequence < sequence) {
			return false;
		}
	}
	return true;
}

static uint8_t all_copies(const struct lease *lease)
{
	return (uint8_t)((1U << lease->settings.copies) - 1);
}

/* A holder leaves out what does not work, and takes it in again. */
static void judge_copies(struct lease *lease, uint64_t now)
{
	const uint8_t all = all_copies(lease);
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		const uint8_t this = copy_bit(i);
		const uint8_t rest = all & (uint8_t)~this;

		if (is_bad(lease, i, now)) {
			/* Only if the other one counts, and works. */
			if ((rest & (uint8_t)~lease->not_counting) != 0 &&
			    !is_bad(lease, (uint8_t)(1 - i), now)) {
				lease->own.lost |= this;
				lease->not_counting |= this;
			}
		} else if ((lease->own.lost & this) != 0 &&
			   !lease->copies[i].busy) {
			lease->own.lost &= (uint8_t)~this;
			lease->unlost_sequence = lease->own.sequence + 1;
		}
	}
	if (lease->not_counting != 0 && lease->own.lost == 0 &&
	    all_written(lease, all, lease->unlost_sequence)) {
		lease->not_counting = 0;
	}
}

/* ------------------------------------------------------------------ members */

static uint64_t others_of(const struct lease *lease, uint64_t nodes)
{
	return nodes & ~bit(lease->settings.own);
}

static uint64_t effective_members(const struct lease *lease)
{
	return lease->written_members | lease->old_members |
		lease->own.members;
}

/*
 * Who is new has to be written, and to have answered: else a holder that goes
 * on without mailbox would have to end because somebody comes.
 */
static uint64_t new_members(const struct lease *lease, uint64_t now)
{
	uint64_t nodes = 0;
	uint32_t i;

	for (i = 0; now < lease->mail_until && i < LOCK_NODES; i++) {
		uint64_t asked = lease->others[i].answered;

		if (asked != 0 && now < asked + late_after(lease)) {
			nodes |= bit(i);
		}
	}
	return nodes & lease->connected;
}

static void judge_members(struct lease *lease, uint64_t now)
{
	const uint64_t wanted = bit(lease->settings.own) |
		(lease->connected & effective_members(lease)) |
		new_members(lease, now);
	const uint8_t counting = all_copies(lease) &
		(uint8_t)~lease->not_counting;

	if (wanted != lease->own.members) {
		lease->old_members |= lease->own.members;
		lease->own.members = wanted;
		lease->members_sequence = lease->own.sequence + 1;
	}
	if (all_written(lease, counting, lease->members_sequence)) {
		lease->written_members = lease->own.members;
		lease->old_members = 0;
	}
}

static uint64_t members_until(const struct lease *lease)
{
	uint64_t members = others_of(lease, effective_members(lease));
	uint64_t until = NEVER;
	uint32_t i;

	for (i = 0; i < LOCK_NODES; i++) {
		uint64_t asked = lease->others[i].answered;

		if ((members & bit(i)) == 0) {
			continue;
		}
		asked = asked == 0 ? 0 : asked + lease->settings.lease_ms;
		until = asked < until ? asked : until;
	}
	return until;
}

uint64_t lease_valid_until(const struct lease *lease)
{
	uint64_t members = members_until(lease);

	return members > lease->mail_until ? members : lease->mail_until;
}

void lease_votes(struct lease *lease, uint64_t asked, uint64_t connected,
		 uint64_t answered, uint64_t now)
{
	uint32_t i;

	lease->voted = asked;
	lease->connected = connected;
	for (i = 0; i < LOCK_NODES; i++) {
		struct other *other = &lease->others[i];

		if ((connected & bit(i)) != 0) {
			other->away_since = NEVER;
		} else if (other->away_since == NEVER) {
			other->away_since = now;
		}
		if ((answered & bit(i)) != 0 && asked > other->answered) {
			other->answered = asked;
		}
	}
}

/* ------------------------------------------------------- what others wrote */

static void look_at(struct lease *lease, uint32_t node, uint64_t now)
{
	struct other *other = &lease->others[node];
	const struct sector *newest = NULL;
	uint8_t damaged = 0;
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		const struct lease_reading *reading =
			&lease->copies[i].reading;

		if (!lease->copies[i].has_read) {
			continue;
		}
		if ((reading->damaged & bit(node)) != 0) {
			damaged |= copy_bit(i);
		} else if (newest == NULL || reading->sectors[node].sequence >
			   newest->sequence) {
			newest = &reading->sectors[node];
		}
	}
	/* What it has not written to need not be whole. */
	other->damaged = newest == NULL ? damaged != 0 :
		(damaged & (uint8_t)~newest->lost) != 0;
	if (newest == NULL) {
		return;
	}
	if (other->first_seen == 0) {
		other->first_seen = now;
		other->sector = *newest;
	} else if (newest->sequence != other->sector.sequence) {
		/* While looking: it may just be that a copy is behind. */
		other->changed = lease->phase != LOOKING;
		other->first_seen = now;
		other->sector = *newest;
	}
	if (newest->term > lease->highest) {
		lease->highest = newest->term;
	}
}

/*
 * Not written for so long that it does not count any more: every copy that
 * counts has been read since.
 */
static bool has_lapsed(const struct lease *lease, const struct other *other)
{
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		if ((lease->own.lost & copy_bit(i)) == 0 &&
		    lease->copies[i].done_began <
		    other->first_seen + lapse(lease)) {
			return false;
		}
	}
	return other->first_seen != 0;
}

/*
 * Does it hold, or held it last without letting go? A higher term of anybody
 * voids it, also of a hold that is over.
 */
static bool is_holder(const struct lease *lease, const struct other *other)
{
	return other->sector.state == SECTOR_HOLD &&
		other->sector.term == lease->highest;
}

/* ------------------------------------------------------------------- taking */

static enum lease_verdict refuse(struct lease *lease, const char *reason)
{
	lease->reason = reason;
	return LEASE_REFUSED;
}

static enum lease_verdict try_later(struct lease *lease, uint64_t now,
				    const char *reason)
{
	if (now - lease->began > lapse(lease) * TAKE_LEASES) {
		return refuse(lease, reason);
	}
	return LEASE_GO_ON;
}

/*
 * The holder has not let go. LEASE_GO_ON with *gone: it does not count any
 * more; without: wait.
 */
static enum lease_verdict after_holder(struct lease *lease,
				       struct other *other, uint64_t now,
				       bool *gone)
{
	const struct sector *sector = &other->sector;

	*gone = other->fenced;
	if (other->fenced) {
		return LEASE_GO_ON;
	}
	if (other->changed) {
		if (lease->clients && !sector->clients &&
		    now - lease->began < 3 * lease->settings.lease_ms) {
			return LEASE_GO_ON;	/* it may let go */
		}
		return refuse(lease, "another node holds it");
	}
	if (!has_lapsed(lease, other)) {
		return LEASE_GO_ON;
	}
	if (other->away_since == NEVER) {
		return refuse(lease, "its holder does not write, but ctdb is "
			      "connected to it");
	}
	if (now < other->away_since + lapse(lease)) {
		return LEASE_GO_ON;
	}
	if ((sector->members & bit(lease->settings.own)) != 0) {
		*gone = true;
		return LEASE_GO_ON;
	}
	if (lease->fence_failed) {
		return refuse(lease, "its holder was alone and may go on "
			      "where it is: switch it off, then "
			      "mirror-ctdb-lock clear");
	}
	lease->fence = (int)sector->node;
	return LEASE_GO_ON;
}

static bool comes_first(const struct lease *lease, const struct sector *other)
{
	if (other->clients != lease->own.clients) {
		return other->clients;
	}
	return other->node < lease->settings.own;
}

static enum lease_verdict consider(struct lease *lease, uint64_t now,
				   bool *clear)
{
	enum lease_verdict verdict;
	uint32_t i;

	*clear = true;
	for (i = 0; i < lease->settings.nodes; i++) {
		struct other *other = &lease->others[i];
		bool gone = true;

		if (i == lease->settings.own) {
			continue;
		}
		if (is_holder(lease, other)) {
			verdict = after_holder(lease, other, now, &gone);
			if (verdict != LEASE_GO_ON) {
				return verdict;
			}
		} else if (other->sector.state == SECTOR_WANT &&
			   !has_lapsed(lease, other)) {
			/* It writes often while it lives. */
			if (other->changed &&
			    comes_first(lease, &other->sector)) {
				return refuse(lease, "another node takes it");
			}
			gone = false;
		}
		*clear = *clear && gone && !other->damaged;
	}
	return LEASE_GO_ON;
}

/* All of the first reads are there: what was our block? */
static void find_own(struct lease *lease)
{
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		const struct copy *copy = &lease->copies[i];
		const struct sector *sector =
			&copy->reading.sectors[lease->settings.own];

		if (copy->has_read && sector->sequence >
		    lease->before.sequence) {
			lease->before = *sector;
		}
	}
	lease->own.sequence = lease->before.sequence;
	if (lease->before.term > lease->highest) {
		lease->highest = lease->before.term;
	}
}

static enum lease_verdict look(struct lease *lease, uint64_t now)
{
	uint8_t mask = 0;
	uint8_t i;
	bool clear;

	for (i = 0; i < lease->settings.copies; i++) {
		if (!lease->copies[i].has_read && !is_bad(lease, i, now)) {
			return LEASE_GO_ON;
		}
	}
	find_own(lease);
	if (!required(lease, now, &mask)) {
		if (now - lease->began < 2 * lease->settings.lease_ms) {
			return LEASE_GO_ON;
		}
		lease->reason = "the mailbox or witness cannot be used";
		return LEASE_FAILED;
	}
	if (lease->voted == 0) {
		return try_later(lease, now, "ctdbd does not answer");
	}
	lease->own.clients = lease->clients;
	lease->own.state = SECTOR_WANT;
	lease->own.term = lease->before.term;
	lease->own.lost = all_copies(lease) & (uint8_t)~mask;
	enter(lease, WANTING);
	return consider(lease, now, &clear);
}

/* What was written last counts until then, in each of these copies. */
static uint64_t written_until(const struct lease *lease, uint8_t mask)
{
	uint64_t began = NEVER;
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		if ((mask & copy_bit(i)) != 0 &&
		    lease->copies[i].done_began < began) {
			began = lease->copies[i].done_began;
		}
	}
	return began + lease->settings.lease_ms;
}

/* Those that were needed when it began. */
static bool all_work(const struct lease *lease, uint8_t mask, uint64_t now)
{
	uint8_t i;

	for (i = 0; i < lease->settings.copies; i++) {
		if ((mask & copy_bit(i)) != 0 && is_bad(lease, i, now)) {
			return false;
		}
	}
	return true;
}

static enum lease_verdict want(struct lease *lease, uint64_t now)
{
	const uint8_t mask = all_copies(lease) & (uint8_t)~lease->own.lost;
	enum lease_verdict verdict;
	bool clear;

	if (!all_work(lease, mask, now)) {
		lease->reason = "the mailbox or witness cannot be used";
		return now - lease->began > 2 * lease->settings.lease_ms ?
			LEASE_FAILED : LEASE_GO_ON;
	}
	if (!all_written(lease, mask, lease->phase_sequence)) {
		return LEASE_GO_ON;
	}
	verdict = consider(lease, now, &clear);
	if (verdict != LEASE_GO_ON) {
		return verdict;
	}
	if (!clear || now >= written_until(lease, mask) ||
	    now - lease->voted > late_after(lease)) {
		return try_later(lease, now, "it could not be taken in time");
	}
	lease->own.state = SECTOR_HOLD;
	lease->own.term = lease->highest + 1;
	lease->own.members = lease->connected | bit(lease->settings.own);
	lease->written_members = lease->own.members;
	lease->not_counting = lease->own.lost;
	enter(lease, CLAIMING);
	/* The wish that the others have read counts up to here. */
	lease->mail_until = written_until(lease, mask);
	return LEASE_GO_ON;
}

static enum lease_verdict claim(struct lease *lease, uint64_t now)
{
	const uint8_t mask = all_copies(lease) & (uint8_t)~lease->own.lost;
	uint32_t i;

	if (now >= lease->mail_until) {
		return refuse(lease, "the mailbox or witness answers late");
	}
	if (!all_written(lease, mask, lease->phase_sequence)) {
		return LEASE_GO_ON;
	}
	for (i = 0; i < lease->settings.nodes; i++) {
		const struct sector *sector = &lease->others[i].sector;

		if (i != lease->settings.own &&
		    sector->state == SECTOR_HOLD &&
		    sector->term >= lease->own.term) {
			return refuse(lease, "another node holds it");
		}
	}
	enter(lease, HOLDING);
	lease->mail_until = written_until(lease, mask);
	lease->known_until = lease_valid_until(lease);
	return LEASE_TAKEN;
}

/* ------------------------------------------------------------------ holding */

static enum lease_verdict lose(struct lease *lease, const char *reason)
{
	lease->reason = reason;
	return LEASE_LOST;
}

static enum lease_verdict hold(struct lease *lease, uint64_t now)
{
	uint32_t i;

	if (now >= lease->known_until) {
		return lose(lease, "it was not renewed in time");
	}
	judge_copies(lease, now);
	judge_members(lease, now);
	for (i = 0; i < lease->settings.nodes; i++) {
		const struct other *other = &lease->others[i];

		if (i == lease->settings.own) {
			continue;
		}
		if (other->sector.state == SECTOR_HOLD &&
		    other->sector.term > lease->own.term) {
			return lose(lease, "another node has taken it");
		}
		if (!lease->clients && other->changed &&
		    other->sector.state == SECTOR_WANT &&
		    other->sector.clients && !has_lapsed(lease, other) &&
		    other->away_since != NEVER) {
			return lose(lease, "no client network has carrier "
				    "here, and another node wants it");
		}
	}
	lease->own.clients = lease->clients;
	lease->known_until = lease_valid_until(lease);
	return LEASE_GO_ON;
}

enum lease_verdict lease_check(struct lease *lease, uint64_t now)
{
	switch (lease->phase) {
	case LOOKING:
		return look(lease, now);
	case WANTING:
		return want(lease, now);
	case CLAIMING:
		return claim(lease, now);
	case HOLDING:
		return hold(lease, now);
	case LEAVING:
		break;
	}
	return LEASE_GO_ON;
}

/* --------------------------------------------------------------- operations */

static uint64_t pace(const struct lease *lease)
{
	/* Who takes does not dawdle. */
	return lease->settings.lease_ms /
		(lease->phase == HOLDING || lease->phase == LEAVING ?
		 WRITES : WRITES * 5);
}

/* Given up: the block is as it was found. */
static void adopt_own(struct lease *lease, uint8_t i)
{
	const struct sector *found =
		&lease->copies[i].reading.sectors[lease->settings.own];

	if (lease->copies[i].has_read &&
	    found->sequence > lease->own.sequence) {
		lease->own.sequence = found->sequence;
		lease->own.lost = found->lost;
	}
	/* It voids the older holds of others as before. */
	if (lease->copies[i].has_read && found->term > lease->own.term) {
		lease->own.term = found->term;
	}
}

/* Given up: does this copy have to be written yet, or to be looked at? */
static bool is_owed(const struct lease *lease, uint8_t i)
{
	const struct copy *copy = &lease->copies[i];

	if (copy->done_sequence >= lease->phase_sequence) {
		return false;
	}
	return lease->left != LOOKING || !copy->has_read ||
		copy->reading.sectors[lease->settings.own].state ==
		SECTOR_HOLD;
}

bool lease_next(struct lease *lease, uint8_t i, uint64_t now,
		bool *write, struct sector *sector)
{
	struct copy *copy = &lease->copies[i];
	bool urgent = lease->phase != LOOKING &&
		copy->sequence < lease->phase_sequence;

	if (lease->phase == HOLDING) {
		urgent = urgent || copy->sequence < lease->members_sequence ||
			copy->sequence < lease->unlost_sequence;
	}
	if (lease->phase == LEAVING) {
		urgent = urgent && lease->left != LOOKING;
	}
	if (copy->busy || (lease->phase == LEAVING && !is_owed(lease, i)) ||
	    (!urgent && copy->began != 0 &&
	     now - copy->began < pace(lease))) {
		return false;
	}
	*write = lease->phase != LOOKING &&
		(lease->phase != LEAVING || copy->has_read);
	if (*write) {
		lease->own.sequence++;
		*sector = lease->own;
	}
	copy->sequence = *write ? lease->own.sequence : 0;
	copy->busy = true;
	copy->began = now;
	return true;
}

void lease_done(struct lease *lease, uint8_t i, uint64_t now,
		const struct lease_reading *reading)
{
	struct copy *copy = &lease->copies[i];
	uint32_t node;

	copy->busy = false;
	copy->failed = reading == NULL;
	if (reading == NULL) {
		return;
	}
	copy->has_read = true;
	copy->reading = *reading;
	copy->done_began = copy->began;
	copy->done_sequence = copy->sequence;
	if (lease->phase == LEAVING && lease->left == LOOKING) {
		adopt_own(lease, i);
	}
	for (node = 0; node < lease->settings.nodes; node++) {
		if (node != lease->settings.own) {
			look_at(lease, node, now);
		}
	}
	if (lease->phase == HOLDING && copy->sequence != 0 &&
	    (lease->not_counting & copy_bit(i)) == 0 &&
	    copy->began + lease->settings.lease_ms > lease->mail_until) {
		lease->mail_until = copy->began + lease->settings.lease_ms;
	}
}

/* ----------------------------------------------------------------- the rest */

int lease_fence(const struct lease *lease)
{
	return lease->fence;
}

void lease_fenced(struct lease *lease, uint32_t node, bool off)
{
	if (node < LOCK_NODES && off) {
		lease->others[node].fenced = true;
	} else {
		lease->fence_failed = true;
	}
	lease->fence = -1;
}

void lease_release(struct lease *lease)
{
	uint8_t i;

	if (lease->phase == LEAVING) {
		return;
	}
	/* A term that was never held must not void one that is. */
	if (lease->phase != HOLDING) {
		lease->own.term = lease->before.term;
	}
	lease->left = lease->phase;
	for (i = 0; i < lease->settings.copies && lease->left == LOOKING;
	     i++) {
		adopt_own(lease, i);
	}
	lease->own.state = SECTOR_FREE;
	lease->own.members = 0;
	enter(lease, LEAVING);
}

bool lease_released(const struct lease *lease)
{
	uint8_t i;

	if (lease->phase != LEAVING) {
		return true;
	}
	for (i = 0; i < lease->settings.copies; i++) {
		if (!lease->copies[i].failed && is_owed(lease, i)) {
			return false;
		}
	}
	return true;
}

bool lease_says_held(const struct lease *lease)
{
	uint8_t i;

	if (lease->phase != LEAVING || (lease->left == WANTING &&
	    lease->before.state != SECTOR_HOLD)) {
		return false;
	}
	for (i = 0; i < lease->settings.copies; i++) {
		if (is_owed(lease, i)) {
			return true;
		}
	}
	return false;
}

const char *lease_reason(const struct lease *lease)
{
	return lease->reason;
}

uint8_t lease_lost_copies(const struct lease *lease)
{
	return lease->own.lost;
}

bool lease_by_mailbox(const struct lease *lease, uint64_t now)
{
	return now < lease->mail_until;
}

uint64_t lease_members(const struct lease *lease)
{
	return effective_members(lease);
}
