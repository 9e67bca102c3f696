/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The state page of a volume: memory that the owner node's mirrord shares
 * with every smbd of that node.
 *
 * Owns: what mirrord tells smbd (mode, generation, epoch, where the partner
 * is), the locks that order conflicting operations (R3), and through them the
 * knowledge which operations are in flight in which epoch (R8).
 * Does not own: the decisions (mirrord's service.h makes them), the records.
 *
 * Every operation that changes the volume goes through
 *
 *   state_page_lock       all its locks or none            LOCKED
 *   state_page_tag        epoch and room in the store      TAGGED
 *       ... record sent, acknowledged ...
 *   state_page_apply      still allowed to? (R11, R12)     APPLYING
 *       ... applied locally ...
 *   state_page_unlock                                      free
 *
 * The first lock of an operation ("primary") carries its state. mirrord
 * closes an epoch when no primary is TAGGED or APPLYING with it. Operations
 * that only wait (LOCKED) hold nothing up: they have no epoch yet.
 *
 * Nobody sleeps while it holds a mutex of this page, and every mutex is
 * robust: a process that dies inside leaves whole entries behind. A process
 * that dies while its operations are in flight leaves its locks: mirrord
 * finds them, rolls the operations forward from the partner's records, and
 * only then frees the slot.
 *
 * mode:      ABSENT ──► WAITING ──► MIRRORED ◄──► WAITING ◄──► DEGRADED
 *               ▲                        │                        │
 *               └───────── RELEASING ◄───┴────────────────────────┘
 */

#ifndef MIRROR_STATE_PAGE_H
#define MIRROR_STATE_PAGE_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "mirror_id.h"

struct state_page;

enum page_mode {
	PAGE_ABSENT = 0,	/* this node does not own the volume */
	PAGE_WAITING,		/* owner; operations wait for a decision */
	PAGE_MIRRORED,		/* owner; the partner gets every record */
	PAGE_DEGRADED,		/* owner; no partner: written through */
	PAGE_RELEASING,		/* owner, about to give the volume away */
	PAGE_MODE_END
};

const char *page_mode_name(enum page_mode mode);

/* Must equal the store's (store.h). */
#define PAGE_EPOCH_RING 4
#define PAGE_VOLUME_MAX 64
#define PAGE_SLOTS 2048

/* Where records go. Valid in mode MIRRORED only. */
struct page_partner {
	struct sockaddr_storage address;
	uint32_t node;
	struct mirror_id incarnation;
	uint64_t generation;
};

/*
 * Make or open the page of a volume (mirrord). An existing page of the same
 * layout is kept with all that is in it: smbds go on while mirrord restarts.
 * Returns 0 or errno.
 */
int state_page_create(TALLOC_CTX *mem_ctx,
		      const char *directory,
		      const char *volume,
		      struct state_page **page);

/* Open an existing page (smbd, tools). ENOENT: mirrord has not made it;
 * EPROTO: made by another version. */
int state_page_open(TALLOC_CTX *mem_ctx,
		    const char *directory,
		    const char *volume,
		    struct state_page **page);

/* ------------------------------------------------ what mirrord tells smbd */

enum page_mode state_page_mode(const struct state_page *page);
uint64_t state_page_generation(const struct state_page *page);
uint64_t state_page_device(const struct state_page *page);
/* See label.h. */
uint64_t state_page_lock_space(const struct state_page *page);
uint64_t state_page_epoch(const struct state_page *page);
/* Grows with every change of mode or partner. */
uint64_t state_page_regime(const struct state_page *page);

/* EAGAIN when the mode is not MIRRORED. */
int state_page_partner(const struct state_page *page,
		       struct page_partner *partner,
		       uint64_t *regime);

/* A smbd found that the partner's store is not the one that it expects; wakes
 * mirrord up. */
void state_page_report_partner(struct state_page *page, uint64_t regime);

/* ------------------------------------------------------------------ lease */

/* Nanoseconds of a clock that goes on while everything on the node stands. */
uint64_t state_page_clock(void);
/* Until when this node may answer; 0: it may not. */
void state_page_set_lease(struct state_page *page, uint64_t until);
uint64_t state_page_lease(const struct state_page *page);
/*
 * May what was just found out about the volume be told (R12)? Asked after the
 * look at the volume: how long that took does not matter then.
 * 0; EAGAIN: this node is the owner, but nobody has confirmed that lately,
 * wait; ESTALE: it is not.
 */
int state_page_may_answer(const struct state_page *page);

/* ------------------------------------------------------- a process' slot */

/* Take a slot for this process; freed by the kernel when it dies. 0, ENOSPC */
int state_page_attach(struct state_page *page,
		      const struct mirror_id *session,
		      uint32_t *slot);
/* The process goes in order: nothing of it is in flight. */
void state_page_detach(struct state_page *page, uint32_t slot);

/* ------------------------------------------------------------------ locks */

/*
 * A lock is a range on an object. Bytes of a file are themselves; names,
 * attributes and the rest have their places above all bytes.
 */
struct page_lock {
	struct mirror_id id;
	uint64_t start;
	uint64_t end;		/* exclusive */
	bool shared;
};

#define PAGE_LOCK_BYTES_END ((uint64_t)1 << 63)

struct page_lock page_lock_bytes(const struct mirror_id *id,
				 uint64_t offset, uint64_t length);
/* From offset on, all of it: truncate. */
struct page_lock page_lock_bytes_from(const struct mirror_id *id,
				      uint64_t offset);
struct page_lock page_lock_name(const struct mirror_id *parent,
				const char *name);
/* The directory stays: shared by all who work in it, exclusive to remove. */
struct page_lock page_lock_exists(const struct mirror_id *directory,
				  bool shared);
/* The set of names that an object has: link, unlink, rename. */
struct page_lock page_lock_links(const struct mirror_id *id);
/* Directories that move to another directory, volume-wide: the kernel does one
 * at a time, too, and replay relies on their order (replay.h). */
struct page_lock page_lock_directory_moves(void);
/* An extended attribute. */
struct page_lock page_lock_attribute(const struct mirror_id *id,
				     const char *name);
/* Mode, owner and ACL (one lock: they change one another); times. */
struct page_lock page_lock_permissions(const struct mirror_id *id);
struct page_lock page_lock_times(const struct mirror_id *id);

#define PAGE_LOCKS_MAX 8

/* What an operation holds; zero it before use. */
struct page_hold {
	uint32_t slot;
	uint32_t count;
	struct {
		uint16_t bucket;
		uint16_t index;
	} at[PAGE_LOCKS_MAX];
	uint64_t epoch;
	uint64_t reserved;
};

/* All or none: 0, or EAGAIN when somebody holds one of them (or the table is
 * full for the moment): try again later. Locks of the same slot that are
 * marked passable do not conflict. */
int state_page_lock(struct state_page *page,
		    uint32_t slot,
		    const struct page_lock *locks,
		    uint32_t count,
		    struct page_hold *hold);

/*
 * Give the operation its epoch and reserve bytes in the store (R8, R9).
 * regime is what the caller's link was made for.
 * 0; EAGAIN: no room now, mirrord was woken; ESTALE: the regime changed.
 */
int state_page_tag(struct state_page *page,
		   struct page_hold *hold,
		   uint64_t regime,
		   uint64_t bytes);

/* Note, before it is sent, which record this is: for whoever has to roll it
 * forward. */
void state_page_sequence(struct state_page *page,
			 struct page_hold *hold,
			 uint64_t sequence);

/*
 * May the operation touch the volume now? For a mirrored operation regime is
 * that of state_page_tag(); for one that is to be written through it is the
 * current regime and no tag is needed. 0, or ESTALE.
 * What mirrord decides while an operation is applying waits for it.
 */
int state_page_apply(struct state_page *page,
		     struct page_hold *hold,
		     enum page_mode mode,
		     uint64_t regime);

/* Applied, but not yet acknowledged (R1's exception): later operations of the
 * same process need not wait for it. */
void state_page_pass(struct state_page *page, struct page_hold *hold);

void state_page_unlock(struct state_page *page, struct page_hold *hold);

/* Ask mirrord to look (store half full, partner changed). */
void state_page_kick(struct state_page *page);

/* --------------------------------------------------- for mirrord, the owner */

void state_page_set_device(struct state_page *page, uint64_t device);
void state_page_set_lock_space(struct state_page *page, uint64_t lock_space);
/* Changes mode and raises the regime. partner may be NULL unless MIRRORED. */
void state_page_set_mode(struct state_page *page,
			 enum page_mode mode,
			 uint64_t generation,
			 const struct page_partner *partner);
void state_page_set_capacity(struct state_page *page, uint64_t epoch_bytes);

/* Begin the next epoch; EBUSY when the ring is full (wiped too far behind). */
int state_page_advance(struct state_page *page, uint64_t *closed);
/* Epochs up to this one are wiped. */
void state_page_set_wiped(struct state_page *page, uint64_t epoch);
uint64_t state_page_wiped(const struct state_page *page);
uint64_t state_page_capacity(const struct state_page *page);
/* Bytes reserved in the current epoch / in all that are not wiped. */
uint64_t state_page_used(const struct state_page *page);
uint64_t state_page_used_total(const struct state_page *page);
/* Sent since the page was made: records, and bytes as they are reserved. */
uint64_t state_page_records(const struct state_page *page);
uint64_t state_page_bytes(const struct state_page *page);

/* Records that got a place in the store, and their bytes, since the page was
 * made. */
void state_page_totals(const struct state_page *page,
		       uint64_t *records,
		       uint64_t *bytes);

/* Does anything hold this epoch (or an older one) open? */
bool state_page_epoch_busy(struct state_page *page, uint64_t epoch);
/* Is any operation between state_page_apply and unlock? */
bool state_page_applying(struct state_page *page);
/* Is anything in flight at all? */
uint32_t state_page_in_flight(struct state_page *page);
uint32_t state_page_processes(struct state_page *page);

/* Slots whose process is dead. */
typedef void (*page_dead_slot)(struct state_page *page,
			       uint32_t slot,
			       const struct mirror_id *session,
			       uint64_t first_sequence, /* 0: none */
			       void *private_data);
void state_page_reap(struct state_page *page,
		     page_dead_slot found,
		     void *private_data);
/*
 * The sequences of what a dead slot had sent and not yet applied, ascending;
 * at most max of them, the return value is how many there are. Only these are
 * to be rolled forward: what was applied may have been changed again since.
 */
uint32_t state_page_slot_sequences(struct state_page *page,
				   uint32_t slot,
				   uint64_t *sequences,
				   uint32_t max);
/* Its operations are settled: free its locks and the slot. */
void state_page_free_slot(struct state_page *page, uint32_t slot);

/* Block until somebody kicks (a thread of mirrord); the argument is what the
 * last call returned, 0 at first. */
uint32_t state_page_wait_kick(struct state_page *page, uint32_t seen);

#endif /* MIRROR_STATE_PAGE_H */
