/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Telling a network where an address is, see announce.h. */

#include <sys/random.h>
#include <errno.h>
#include <stdlib.h>
#include "announce.h"
#include "frame.h"
#include "timer.h"

/* Of two that both say it is theirs, neither shouts faster than that. */
#define AGAIN_MS 100
/* Many addresses do not stay in step for ever. */
#define JITTER_PART 10

/* From one to the next: after 50, 150, 350, 750, 1500, 3000 ms. */
static const uint64_t steps[] = { 50, 100, 200, 400, 750, 1500 };
#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

struct announcement {
	struct announcement *next;
	struct announce *announce;
	struct net_address address;
	struct net_mac mac;
	uint32_t interface;
	size_t step;
	uint32_t refresh_ms;
	struct timer *timer;	/* of the schedule */
	struct timer *quiet;	/* running: somebody was answered just now */
	bool owed;		/* he was heard again meanwhile */
};

struct announce {
	struct tevent_context *ev;
	announce_send send;
	void *private_data;
	unsigned int seed;
	struct announcement *list;
};

int announce_new(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
		 announce_send send, void *private_data,
		 struct announce **_announce)
{
	struct announce *announce = talloc_zero(mem_ctx, struct announce);

	if (announce == NULL) {
		return ENOMEM;
	}
	announce->ev = ev;
	announce->send = send;
	announce->private_data = private_data;
	if (getrandom(&announce->seed, sizeof(announce->seed),
		      GRND_NONBLOCK) == -1) {
		announce->seed = 1;	/* it is for jitter only */
	}
	*_announce = announce;
	return 0;
}

/* Both forms: some believe only the one, some only the other. */
static void say(const struct announcement *row)
{
	const struct announce *announce = row->announce;
	uint8_t frame[FRAME_MAX];
	int reply;

	for (reply = 0; reply < 2; reply++) {
		size_t length = frame_announcement(frame, &row->address,
						   &row->mac, reply != 0);

		if (length != 0) {
			announce->send(announce->private_data, row->interface,
				       frame, length);
		}
	}
}

static uint64_t next_ms(struct announcement *row)
{
	unsigned int *seed = &row->announce->seed;
	uint64_t jitter;

	if (row->step < NUM_STEPS) {
		return steps[row->step++];
	}
	jitter = row->refresh_ms / JITTER_PART;
	return row->refresh_ms - jitter +
		(uint64_t)rand_r(seed) % (2 * jitter);
}

static void due(void *private_data);

static int schedule(struct announcement *row)
{
	row->timer = timer_start(row, row->announce->ev, next_ms(row), due,
				 row);
	return row->timer != NULL ? 0 : ENOMEM;
}

static void due(void *private_data)
{
	struct announcement *row = private_data;

	row->timer = NULL;
	say(row);
	/* If that fails there is no refresh: what was said stays said, and
	 * another owner is still answered. */
	(void)schedule(row);
}

static struct announcement *find(const struct announce *announce,
				 const struct net_address *address,
				 uint32_t interface)
{
	struct announcement *row;

	for (row = announce->list; row != NULL; row = row->next) {
		if (row->interface == interface &&
		    net_address_same(&row->address, address)) {
			return row;
		}
	}
	return NULL;
}

static struct announcement *row_for(struct announce *announce,
				    const struct net_address *address,
				    uint32_t interface,
				    const struct net_mac *mac,
				    uint32_t refresh_ms)
{
	struct announcement *row = find(announce, address, interface);

	if (row == NULL) {
		row = talloc_zero(announce, struct announcement);
		if (row == NULL) {
			return NULL;
		}
		row->announce = announce;
		row->address = *address;
		row->interface = interface;
		row->next = announce->list;
		announce->list = row;
	}
	TALLOC_FREE(row->timer);
	row->mac = *mac;
	row->refresh_ms = refresh_ms;
	return row;
}

int announce_start(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface,
		   const struct net_mac *mac,
		   uint32_t refresh_ms)
{
	struct announcement *row;

	if (net_address_size(address) == 0) {
		return EINVAL;
	}
	row = row_for(announce, address, interface, mac, refresh_ms);
	if (row == NULL) {
		return ENOMEM;
	}
	row->step = 0;
	say(row);
	return schedule(row);
}

int announce_later(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface,
		   const struct net_mac *mac,
		   uint32_t refresh_ms)
{
	struct announcement *row;

	if (net_address_size(address) == 0) {
		return EINVAL;
	}
	row = row_for(announce, address, interface, mac, refresh_ms);
	if (row == NULL) {
		return ENOMEM;
	}
	row->step = NUM_STEPS;
	return schedule(row);
}

void announce_stop(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface)
{
	struct announcement **at = &announce->list;

	while (*at != NULL) {
		struct announcement *row = *at;

		if ((interface == 0 || row->interface == interface) &&
		    net_address_same(&row->address, address)) {
			*at = row->next;
			talloc_free(row);
		} else {
			at = &row->next;
		}
	}
}

static void answer(struct announcement *row);

static void quiet_is_over(void *private_data)
{
	struct announcement *row = private_data;

	row->quiet = NULL;
	if (row->owed) {
		answer(row);
	}
}

/* His was the last word: ours follows, now or when the pause is over. */
static void answer(struct announcement *row)
{
	row->owed = row->quiet != NULL;
	if (row->owed) {
		return;
	}
	say(row);
	row->quiet = timer_start(row, row->announce->ev, AGAIN_MS,
				 quiet_is_over, row);
}

bool announce_heard(struct announce *announce, uint32_t interface,
		    const struct net_address *address,
		    const struct net_mac *mac)
{
	struct announcement *row = find(announce, address, interface);

	if (row == NULL || net_mac_same(&row->mac, mac)) {
		return false;
	}
	answer(row);
	return true;
}
