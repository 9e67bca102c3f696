/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume that this node owns, while it is served.
 *
 * Owns: the state page's mode and epochs, the volume's label, what the
 * partner is told (BEGIN, WIPE), dead smbds.
 * Does not own: how the volume came here and how it leaves (takeover.h,
 * release.h), records.
 *
 *                  partner in reach
 *   DEGRADED ────────────────────────────► (plan begin) ─► MIRRORED
 *      ▲                                                  │     ▲
 *      │ ctdb: partner is out; or its time is up          │     │ the same
 *      └──────────────── (plan degrade) ◄─── WAITING ◄────┘     │ store is
 *                                               │ out of reach  │ there
 *                                               └───────────────┘
 *
 * The mode in the state page is the state; what to do about it is decided
 * from the mode, the label, the links and ctdb's verdict, every time anything
 * changes and every TICK. So a mirrord that was killed goes on where it was.
 *
 * WAITING with a generation above the label's means that the store which the
 * label names must not be used any more: dead processes' operations may have
 * been dropped. There is only forward from there.
 */

#ifndef MIRRORD_OWNER_H
#define MIRRORD_OWNER_H

#include "../common/state_page.h"
#include "label.h"
#include "mirrord.h"

struct owner;

/*
 * Take charge of a mounted volume. The page's mode is DEGRADED (takeover, with
 * that label) or what an earlier mirrord left. root_fd and page belong to the
 * owner afterwards.
 */
int owner_new(TALLOC_CTX *mem_ctx,
	      struct mirrord *mirrord,
	      const struct config_volume *volume,
	      struct state_page *page,
	      int root_fd,
	      const struct label *label,
	      struct owner **owner);
/* Its configuration is another one, the disk is the same. */
void owner_configure(struct owner *owner, const struct config_volume *volume);

/* Something changed: a link, a verdict. */
void owner_look(struct owner *owner);

/*
 * Give the volume up: no operation any more, all stable, label clean. Then the
 * caller frees the owner and unmounts. The label is not clean when the disk
 * failed: it still names the partner's store, which has to be replayed.
 *
 * forget_locks: ctdb has lost what smbd had in its databases, or never had it;
 * no owner after this one finds what is left of it.
 */
typedef void (*owner_released)(const struct label *label, void *private_data);
void owner_release(struct owner *owner,
		   bool forget_locks,
		   owner_released released,
		   void *private_data);

/* For how long has the disk refused the label? 0: it does not. */
uint64_t owner_refused_ms(const struct owner *owner);

struct owner_status {
	enum page_mode mode;
	uint64_t generation;
	uint64_t epoch;
	uint64_t wiped;
	uint64_t reserved;	/* bytes at the partner, as counted here */
	uint64_t capacity;	/* of one epoch */
	uint32_t partner;	/* valid unless degraded */
	uint32_t in_flight;
	uint32_t processes;
	uint64_t records_sent;	/* since the page was made */
	uint64_t bytes_sent;
	uint64_t lag_ms;	/* age of the oldest epoch that is not wiped */
	bool sync_failed;
	bool lease;		/* it may answer clients */
	const char *plan;	/* what is going on, or NULL */
	const char *problem;	/* why it does not go on, or NULL */
};
void owner_status(struct owner *owner, struct owner_status *status);

#endif /* MIRRORD_OWNER_H */
