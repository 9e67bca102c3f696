/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which beacons are believed, see session.h. */

#include "session.h"

void sent_add(struct sent *sent, uint64_t sequence, uint32_t interface,
	      uint64_t now_us)
{
	size_t i = sequence % SENT_MAX;

	sent->rows[i].sequence = sequence;
	sent->rows[i].interface = interface;
	sent->rows[i].at_us = now_us;
}

bool sent_is_fresh(const struct sent *sent,
		   const struct beacon_hearing *hearing,
		   uint64_t now_us,
		   uint64_t *at_us)
{
	size_t i = hearing->sequence % SENT_MAX;

	if (hearing->session != sent->session || hearing->sequence == 0 ||
	    hearing->sequence != sent->rows[i].sequence ||
	    hearing->their_interface != sent->rows[i].interface ||
	    now_us - sent->rows[i].at_us >= SESSION_FRESH_US) {
		return false;
	}
	*at_us = sent->rows[i].at_us;
	return true;
}

bool sent_echoed(const struct sent *sent, uint32_t own,
		 const struct beacon *beacon, uint64_t now_us)
{
	uint64_t at_us;
	uint32_t i;

	for (i = 0; i < beacon->num_hearings; i++) {
		if (beacon->hearings[i].node == own &&
		    sent_is_fresh(sent, &beacon->hearings[i], now_us,
				  &at_us)) {
			return true;
		}
	}
	return false;
}

/*
 * Each session has a row of its own: a recording that is sent again and again
 * does not hide a session that lives. The oldest row makes room.
 */
static void hear(struct sessions *sessions, uint32_t interface,
		 const struct beacon *beacon, uint64_t now_us)
{
	struct session_hearing *row = &sessions->hearings[0];
	size_t i;

	for (i = 0; i < SESSION_HEARINGS_MAX; i++) {
		struct session_hearing *one = &sessions->hearings[i];

		if (one->interface == interface &&
		    one->their_interface == beacon->interface &&
		    one->session == beacon->session) {
			if (beacon->sequence <= one->sequence) {
				return;
			}
			row = one;
			break;
		}
		if (one->at_us < row->at_us) {
			row = one;
		}
	}
	*row = (struct session_hearing){
		.interface = interface,
		.their_interface = beacon->interface,
		.session = beacon->session,
		.sequence = beacon->sequence,
		.at_us = now_us,
	};
}

/* When it was, or false. */
static bool was_retired(const struct sessions *sessions, uint64_t session,
			uint64_t *at_us)
{
	size_t i;

	for (i = 0; i < SESSION_RETIRED_MAX; i++) {
		if (sessions->retired[i].session == session) {
			*at_us = sessions->retired[i].at_us;
			return true;
		}
	}
	return false;
}

void session_retire(struct sessions *sessions, uint64_t now_us)
{
	uint32_t i = sessions->num_retired % SESSION_RETIRED_MAX;

	if (sessions->current == 0) {
		return;
	}
	sessions->num_retired++;
	sessions->retired[i].session = sessions->current;
	sessions->retired[i].at_us = now_us;
	sessions->current = 0;
}

enum session_verdict session_judge(struct sessions *sessions,
				   uint32_t interface,
				   const struct beacon *beacon,
				   bool echoed,
				   uint64_t now_us)
{
	uint64_t at_us;

	if (beacon->session == 0 || beacon->interface == 0) {
		return SESSION_IGNORED;
	}
	/* Also if it does not count: else two that do not hear each other's
	 * echo would wait for each other for ever. */
	hear(sessions, interface, beacon, now_us);
	if (!echoed) {
		return SESSION_IGNORED;
	}
	if (was_retired(sessions, beacon->session, &at_us)) {
		/* Before that, it can be a recording of its last second. */
		return now_us - at_us > SESSION_FRESH_US ?
			SESSION_TWICE : SESSION_IGNORED;
	}
	if (beacon->session == sessions->current) {
		return SESSION_COUNTS;
	}
	session_retire(sessions, now_us);
	sessions->current = beacon->session;
	return SESSION_NEW;
}

void session_forget_interface(struct sessions *sessions, uint32_t interface)
{
	size_t i;

	for (i = 0; i < SESSION_HEARINGS_MAX; i++) {
		if (sessions->hearings[i].interface == interface) {
			sessions->hearings[i] = (struct session_hearing){
				.interface = 0,
			};
		}
	}
}
