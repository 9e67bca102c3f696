/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What takeover.c and takeover_replay.c share; see service.h. */

#ifndef MIRRORD_TAKEOVER_H
#define MIRRORD_TAKEOVER_H

#include "service.h"

struct takeover {
	struct service_volume *volume;
	struct mirrord *mirrord;
	struct tevent_req *request;
	uint32_t node;		/* the one that is being checked */
	int root_fd;		/* from REPLAYING on */
	struct label label;	/* as found */
	struct label next;	/* being written */
	char *disk;		/* to be kept (known_disk.h), or NULL */
	bool named;		/* the label says which volume it is of */
	bool local;		/* the store is ours */
	uint64_t sealed_at;	/* ns of state_page_clock(), of the store at
				   another node; 0: it was not fetched */
	uint64_t claimed_at;	/* the same; 0: it was not */
	uint64_t label_begun;	/* the same */
};

/* The one of this volume, made if there is none. NULL: out of memory. */
struct takeover *takeover_get(struct service_volume *volume);
/* The state's work ended; the takeover is freed by the table. */
void takeover_end(struct takeover *takeover, enum service_event event,
		  enum service_result result, char *problem);
uint64_t takeover_time(struct service_volume *volume);

#endif /* MIRRORD_TAKEOVER_H */
