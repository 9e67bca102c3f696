/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay: bring a volume to the state that its clients were told (R10).
 *
 * Owns: the table "record type -> how to redo it", the identity checks, the
 * map from ids to the objects that are there now.
 * Does not own: where the records come from (a store here, or another node's
 * by FETCH), mounting, generations.
 *
 * Usage: replay_new, replay_add for every record in order (the records are
 * kept in memory, encoded, or in a spill file when there are many), replay_run.
 * replay_run looks at all records before it redoes the first: cancelled ones
 * (R2) are dropped, and it finds out which namespace records the volume
 * already has (replay_plan.c tells how, and why that is right).
 *
 * It may be killed at any point and started again: redoing records twice gives
 * the same tree.
 *
 * What it relies on:
 *   - nobody else changes the volume, before (only smbd by the module) or
 *     during replay;
 *   - these are in the log in the order in which they were executed (R3):
 *       records that touch the same name,
 *       the creation of an object and all that names it,
 *       what is done in a directory, and its removal,
 *       LINKs of an object and removals of its other names,
 *       moves of directories from one directory to another;
 *   - of the executed namespace operations the volume has those before some
 *     moment; for ones that are not in the list above, any order will do;
 *   - a process that sends another record after a namespace record has
 *     executed or cancelled it. Only the last record of a session may never
 *     have been executed, without a CANCEL.
 */

#ifndef MIRROR_REPLAY_H
#define MIRROR_REPLAY_H

#include <stdint.h>
#include <talloc.h>
#include "../common/mirror_id.h"

struct replay;

struct replay_result {
	uint64_t records;	/* given */
	uint64_t redone;	/* acted on the volume */
	uint64_t present;	/* already there: persisted before the crash */
	uint64_t superseded;	/* precondition not met: later state is there */
	uint64_t cancelled;	/* ... and the cancellations themselves */
	uint64_t failed;	/* should have worked and did not: see log */
	uint64_t bytes;		/* of file data written */
};

/*
 * root_fd: an open directory, the root of the mounted volume. It is not
 * closed. Needs root (CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SETUID ...).
 */
int replay_new(TALLOC_CTX *mem_ctx, int root_fd, struct replay **replay);

/* For the log: what happened, without a full stop. */
enum replay_level {
	REPLAY_ERROR,	/* a record that had to be redone and could not be */
	REPLAY_WARNING,	/* the volume is not as the log says it must be */
	REPLAY_DEBUG
};
typedef void (*replay_logger)(enum replay_level level,
			      const char *message,
			      void *private_data);

/* Without it, errors and warnings go to stderr. */
void replay_set_logger(struct replay *replay,
		       replay_logger logger,
		       void *private_data);

/* Records in the order of the store; copied. 0, EBADMSG, ENOMEM, EIO. */
int replay_add(struct replay *replay,
	       const struct mirror_id *session,
	       const uint8_t *record,
	       size_t length);

/* Is shown an encoded record, which is there during the call only. */
typedef int (*replay_viewer)(const uint8_t *record,
			     size_t length,
			     void *private_data);

/*
 * Records that stay where they are, as they are, until replay_run() has ended
 * are not copied if they are long: the reader shows the one with that number
 * to the viewer. It returns what that returned, or errno.
 */
typedef int (*replay_reader)(uint64_t order,
			     replay_viewer viewer,
			     void *viewer_data,
			     void *private_data);
void replay_set_reader(struct replay *replay,
		       replay_reader reader,
		       void *private_data);
int replay_add_stored(struct replay *replay,
		      uint64_t order,
		      const struct mirror_id *session,
		      const uint8_t *record,
		      size_t length);

/* Called now and then with the number of records done. */
typedef void (*replay_progress)(uint64_t done,
				uint64_t total,
				void *private_data);

/*
 * Redo, in the calling thread, whose umask and credentials are its own
 * meanwhile (unshare(CLONE_FS)) and afterwards what they were. Returns 0 when
 * every record is accounted for and none failed; EIO, ENOSPC ... of the first
 * failure otherwise: the volume must then not be served, and replay can be
 * tried again. Ends with syncfs().
 */
int replay_run(struct replay *replay,
	       replay_progress progress,
	       void *private_data,
	       struct replay_result *result);

/* One line: "1234 records: 1000 redone, 230 present, ...". */
char *replay_describe(TALLOC_CTX *mem_ctx, const struct replay_result *result);

#endif /* MIRROR_REPLAY_H */
