/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Services and the life of their volumes on this node.
 *
 * Owns: the state of every volume (one table, service.c), who else may have
 * it mounted, requests to take over and to release.
 * Does not own: the work of a state: takeover.c (checking, mounting,
 * replaying), release.c (unmounting), owner.h (while it is served).
 *
 *             takeover               ok             ok               ok
 *   ABSENT ─────────────► CHECKING ─────► MOUNTING ────► REPLAYING ─────► OWNER
 *     ▲ ▲                    │ failed        │ failed     │    ▲            │
 *     │ └────────────────────┴───────────────┘            │    │ takeover   │
 *     │                                            failed ▼    │            │
 *     │                                 (refused)◄─────── MOUNTED   release │
 *     │        ok                           │                │ nobody asks  │
 *     └───────────────── UNMOUNTING ◄───────┴────────────────┘              │
 *                            ▲                   ok                         │
 *                            └───────────────── RELEASING ◄─────────────────┘
 *
 * In every state but ABSENT the other nodes are told that this node is the
 * owner, so of two nodes that want a volume at most one gets it.
 *
 * Before this node mounts a volume it must know of every other node that it
 * does not have it: it is asked (STATE), in every attempt again, or fenced.
 * Only the word of a node that released the volume (END) holds for a while, so
 * that a node which is halted properly need not be fenced: until that node is
 * heard of again, or this node releases the volume itself. Nothing that was
 * learned is kept: a node that was fenced itself would not know that it is not
 * true any more.
 */

#ifndef MIRRORD_SERVICE_H
#define MIRRORD_SERVICE_H

#include "../common/wire.h"
#include "label.h"
#include "mirrord.h"
#include "owner.h"

enum service_state {
	SERVICE_ABSENT,
	SERVICE_CHECKING,	/* who has it? fence if need be */
	SERVICE_MOUNTING,
	SERVICE_REPLAYING,
	SERVICE_MOUNTED,	/* mounted, not served */
	SERVICE_OWNER,
	SERVICE_RELEASING,
	SERVICE_UNMOUNTING,
	SERVICE_STATE_END
};

const char *service_state_name(enum service_state state);

/* Exit codes of mirrorctl. */
enum service_result {
	SERVICE_OK = 0,
	SERVICE_FAILED = 1,
	SERVICE_NOT_YET = 3,
};

/* When what happened in a takeover; ms since it began, 0: did not happen. */
struct service_timeline {
	uint64_t started;	/* monotonic */
	uint64_t checked;
	uint64_t fenced;
	uint64_t mounted;
	uint64_t replayed;
	uint64_t done;
	uint64_t records;
	uint64_t bytes;
};

struct service_volume {
	struct services *services;
	struct mirrord *mirrord;
	const struct config_volume *config;
	enum service_state state;
	uint64_t state_since;
	bool release_wanted;
	/* ctdb's databases may lack what an owner before the next had there:
	 * whoever has the volume next gets a new lock space. */
	bool forget_locks;
	bool accept_loss;
	uint64_t released;	/* nodes that said so; a bit per node */
	uint64_t released_at;	/* ms, the last of them */
	uint64_t giving_at;	/* ms: a node that is alive has it still, or
				   does not say */

	/* of the last attempt that failed */
	enum service_result result;
	char *problem;
	uint32_t failures;		/* of the disk or the replay, in a row;
					   0: it is served */
	uint64_t not_before;		/* ms: no attempt before */
	uint64_t next_move;		/* ms, see move_away() */
	uint64_t move_pause;

	struct takeover *takeover;	/* while it is under way */
	uint64_t first_attempt;		/* ms, of those in a row */
	uint64_t last_attempt;
	struct service_timeline timeline;
	uint64_t replay_done;		/* progress */
	uint64_t replay_total;
	struct owner *owner;		/* OWNER, RELEASING */
	struct unmount *unmount;	/* UNMOUNTING */
	struct label label;		/* as it was when it was released */
	uint64_t hosted_elsewhere;	/* ms, since when; 0: is not */
};

int services_new(struct mirrord *mirrord, struct services **services);
/* mirrord->config is another one: volumes have come, changed, or gone (these
 * must be absent). 0 or ENOMEM. */
int services_configure(struct services *services);
/* Volumes that an earlier mirrord left: go on with them. */
void services_adopt(struct services *services);

struct service_volume *service_volume_find(struct services *services,
					   const char *name);

/* For partner.c: VOLUME_ROLE_OWNER, or NONE (which a store makes PARTNER). */
enum volume_role service_volume_role(const struct mirrord *mirrord,
				     const char *volume);
void service_told_released(struct mirrord *mirrord, const char *volume,
			   uint32_t node);
/* It has the volume, or is about to take it: it is not released any more. */
void service_told_wanted(struct mirrord *mirrord, const char *volume,
			 uint32_t node);
/* The node opened a link, or we one to it. */
void service_heard(struct mirrord *mirrord, uint32_t node);
bool service_has_released(const struct service_volume *volume, uint32_t node);
/* A node that is alive gives the service away, or has just done so (this is a
 * planned move), or is to be waited for: ctdb gets its answer soon. */
bool service_is_given(struct services *services,
		      const struct config_service *service);

/* Called after every change of a volume's state. */
typedef void (*services_changed)(void *private_data);
void services_watch(struct services *services, services_changed changed,
		    void *private_data);

/* Begin, unless it is under way. */
void service_takeover(struct services *services,
		      const struct config_service *service,
		      bool accept_loss);
void service_release(struct services *services,
		     const struct config_service *service);

/* ctdb goes on without what this node has in its databases: give all up. */
void services_left_out(struct services *services);

/* How far is it? SERVICE_NOT_YET while it is under way; *problem (child of
 * mem_ctx) says why it is not done. */
enum service_result service_taken(TALLOC_CTX *mem_ctx,
				  struct services *services,
				  const struct config_service *service,
				  bool *under_way,
				  char **problem);
enum service_result service_released(TALLOC_CTX *mem_ctx,
				     struct services *services,
				     const struct config_service *service,
				     bool *under_way,
				     char **problem);

/* --------------------------------------------------- for takeover, release */

enum service_event {
	SERVICE_EVENT_TAKEOVER,
	SERVICE_EVENT_RELEASE,
	SERVICE_EVENT_OK,	/* the state's work is done */
	SERVICE_EVENT_FAILED,
	SERVICE_EVENT_REFUSED,	/* failed, and others should have a chance */
	SERVICE_EVENT_NOBODY_ASKS,
	SERVICE_EVENT_END
};

void service_event(struct service_volume *volume, enum service_event event);
/* problem: child of volume. */
void service_problem(struct service_volume *volume,
		     enum service_result result,
		     char *problem);
uint64_t service_now(void);

/* ctdb wants the service here, and it cannot be served here. */
void move_away(struct service_volume *volume);

/* The actions of the table. */
void takeover_check(struct service_volume *volume);
void takeover_mount(struct service_volume *volume);
void takeover_replay(struct service_volume *volume);
void takeover_abort(struct service_volume *volume);
void release_start(struct service_volume *volume);
void release_unmount(struct service_volume *volume);
void release_done(struct service_volume *volume);
/* Without ctdbd nobody else takes the service's addresses off this node. */
void release_addresses(struct service_volume *volume);

#endif /* MIRRORD_SERVICE_H */
