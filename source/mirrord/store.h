/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The mirror store of one volume: records that the owner's smbds sent, in a
 * ring of preallocated tdb files in RAM.
 *
 * Owns: the files below its directory, their format, the order numbers, the
 * sessions' last sequences, incarnation and generation of the store.
 * Does not own: links and acknowledgements (partner.h), what records do
 * (replay.h).
 *
 * Files: control.tdb   incarnation, generation, claim, wiped-through epoch,
 *                      sessions (store_control.h)
 *        epoch.N.tdb   N = epoch modulo STORE_RING; key = order number, big
 *                      endian; value = struct store_header + encoded record
 *                      (store_epoch.h); epoch.N.tdb.held = how many there are
 *
 * A purge is tdb_wipe_all() of one epoch's file; single records are never
 * deleted. wiped-through is written before the wipe, so a store that was
 * killed in between ignores what the wipe would have removed.
 *
 * mirrord may be killed at any moment (R5): what store_add() returned 0 for is
 * there when the store is opened again; the files outlive the process, not
 * the machine. Every record is checked when the store is opened again; a
 * damaged file means a lost store, never a wrong one.
 */

#ifndef MIRROR_STORE_H
#define MIRROR_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "../common/mirror_id.h"

/* Epochs that can hold records at the same time. */
#define STORE_RING 4

struct store;

struct store_info {
	struct mirror_id incarnation;	/* none: not in use */
	uint64_t generation;	/* of the volume when the store was begun */
	uint64_t claim;		/* generation this node raised the volume to
				   when it began to replay the store; 0: none */
	uint64_t wiped;		/* epochs up to this one are gone */
	uint64_t last_epoch;	/* highest epoch of a record */
	uint64_t records;	/* held now */
	uint64_t bytes;		/* held now, as counted by the owner */
	uint64_t epoch_capacity;	/* bytes an epoch may hold */
};

/*
 * Open the store of a volume in directory (made if missing, mode 0700), with
 * the content it has from before, if that is whole. *lost (may be NULL) says
 * that something was there but damaged; the store is then unused.
 * Returns 0 or errno.
 */
int store_open(TALLOC_CTX *mem_ctx,
	       const char *directory,
	       const char *volume,
	       struct store **store,
	       bool *lost);

/*
 * Discard everything and begin anew with a fresh incarnation. The files are
 * grown to capacity now, so that no record has to wait for it (and so that a
 * full tmpfs is found now: ENOSPC).
 */
int store_begin(struct store *store,
		uint64_t generation,
		uint64_t first_epoch,
		uint64_t epoch_capacity);

/* Discard everything; the store is unused afterwards (incarnation none). */
int store_end(struct store *store);

/*
 * Keep one encoded record. Duplicates (sequence not above the session's last)
 * are ignored with 0: that is what makes sending again safe (R5).
 * A session that is new to this incarnation may begin with any sequence.
 * Errno: ENOSPC the epoch is full (a defect of the owner: it reserves first,
 * R9), ESTALE the epoch is wiped or too far ahead, or the store unused,
 * EBADMSG not a record, EPROTO a gap in the session's sequence, EIO tdb
 * error. After an error the record is not kept.
 */
int store_add(struct store *store,
	      const struct mirror_id *session,
	      const uint8_t *record,
	      size_t length);

/* Highest sequence held of a session; 0 if none. */
uint64_t store_session_last(const struct store *store,
			    const struct mirror_id *session);

/* Epochs up to and including epoch are stable on the volume: forget them. */
int store_wipe(struct store *store, uint64_t epoch);

/* Remember, before the volume's generation is raised, that it is this store
 * that is going to be replayed (an interrupted replay may then go on). */
int store_claim(struct store *store, uint64_t generation);

void store_info(const struct store *store, struct store_info *info);

/*
 * Visit all records of the epochs that are not wiped, in order. record is
 * valid during the call only. A visitor that returns non-zero ends the visit
 * with that value. session NULL = all sessions.
 */
typedef int (*store_visitor)(uint64_t order,
			     const struct mirror_id *session,
			     const uint8_t *record,
			     size_t length,
			     void *private_data);

int store_visit(struct store *store,
		const struct mirror_id *session,
		uint64_t from_sequence,
		store_visitor visitor,
		void *private_data);

/* One that was visited, again, and not checked again. ENOENT: not there. */
int store_read(struct store *store,
	       uint64_t order,
	       store_visitor visitor,
	       void *private_data);

/* Bytes of store that a record of this encoded length takes (R9). */
size_t store_footprint(size_t record_length);

#endif /* MIRROR_STORE_H */
