/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the driver share.
 *
 *   crash_driver.c  options, chunks of sequences, what is told in the end
 *   sequences.c     which sequences there are
 *   points.c        places to crash in them, and their names
 *   print.c         sequences for a test that has real clients
 *   batch.c         one batch: run, power cut, replay, comparison
 *   disk.c          the file systems, and their power cut
 *   pair.c          the partner and its stores, the owner's state pages
 *   roll.c          mirrord's own reaping of dead smbds
 *   redo.c          replay, whole or killed
 */

#ifndef TESTS_CRASH_DRIVER_H
#define TESTS_CRASH_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>
#include "crash.h"

struct disk;
struct pair;

#define CHUNK 120		/* sequences that are looked at together */
#define BATCH 256		/* cases of one batch, at most */

/* What is wrong on purpose, to see that it is found (--mutant). */
enum mutant {
	MUTANT_NONE,
	MUTANT_NO_REPLAY,	/* replay does nothing */
	MUTANT_NO_SYNC,		/* wiped without syncfs */
	MUTANT_NO_RECORD,	/* the last record of a case is not replayed */
	MUTANT_WIPE_EARLY,	/* the new epoch is wiped as well */
};

struct driver {
	const char *type;	/* "ext4", "xfs" */
	const char *directory;	/* of this run, a tmpfs */
	const char *host;	/* program */
	enum mutant mutant;
	bool verbose;
	struct disk *together;	/* one file system for all cases */
	struct disk *apart;	/* one for each volume */
	struct disk *disk;	/* of this batch */
	struct pair *pair;
	struct batch *batch;
	size_t batch_size;
	char batch_path[100];
	char smb_conf[100];

	uint64_t points;
	uint64_t alone;		/* of these without a partner, */
	uint64_t dying;		/* and where smbd dies first */
	uint64_t missed;	/* cases that ended before their place */
	uint64_t lost;
	uint64_t failed;	/* replays that said so */
	uint64_t broken;	/* cases that did not come to their place */
	uint32_t reports;
	uint64_t cuts;
	uint64_t records;
	uint64_t kills;		/* replays that were killed */
};

void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void run_command(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
double now_seconds(void);
/* Random numbers that a seed repeats. */
uint32_t random_below(uint64_t *state, uint32_t limit);

/* ------------------------------------------------------------ sequences.c */

#define SEQUENCES_ALL (2 * OP_COUNT + OP_COUNT * OP_COUNT + \
		       OP_COUNT * OP_COUNT * OP_COUNT)

/* Sequences are numbered, short ones first, those of one operation with and
 * without a partner. Who does it, and what goes wrong meanwhile, is random. */
void sequence_number(struct sequence *sequence, uint64_t number,
		     uint64_t *random);
/* A number, so that all lengths are met. */
uint64_t sequence_any(uint64_t *random);
/* Instead of its operations others that have to do with one another. */
void sequence_relate(struct sequence *sequence, uint64_t *random);

/* --------------------------------------------------------------- points.c */

/* A batch has one kind. */
enum kind {
	KIND_CUT,	/* of the power, mirrored */
	KIND_DYING,	/* smbd dies first */
	KIND_ALONE,	/* no partner */
	KIND_END
};

/* All places to crash in a sequence; a talloc array. */
struct point *points_of(TALLOC_CTX *mem_ctx, const struct golden *golden,
			enum kind kind, uint64_t *random);
void point_name(const struct point *point, char *text, size_t size);
bool point_parse(const char *text, struct point *point);
/* Is it inside of a directory's move at PERSIST or at CRASH? */
bool point_parks_in_move(const struct point *point,
			 const struct golden *golden);
bool sequence_moves(const struct sequence *sequence);

/* ---------------------------------------------------------------- print.c */

/* Some sequences that clients can do, and their trees. */
void print_sequences(struct driver *driver, uint32_t count, uint64_t seed);

/* ---------------------------------------------------------------- batch.c */

/* Fill batch->golden[] of these sequences. */
void batch_golden(struct driver *driver, const struct sequence *sequences,
		  uint32_t count);
/* goldens[i]: index of the sequence of points[i] in batch->golden[]. */
void batch_crash(struct driver *driver, const struct point *points,
		 const int32_t *goldens, uint32_t count);

/* ----------------------------------------------------------------- disk.c */

/* Makes the pristine image, too: mount/vN/cM with the tree of operations.h.
 * apart: every volume is a file system with room for one case, so that what
 * one writes through does not take others' changes along. */
struct disk *disk_new(TALLOC_CTX *mem_ctx, const char *type,
		      const char *directory, const char *mount, bool apart);
void disk_fresh(struct disk *disk, uint32_t cases);	/* mount new copies */
void disk_cut(struct disk *disk);	/* nothing that is not on it survives */
void disk_mount(struct disk *disk);
void disk_unmount(struct disk *disk);
void disk_sync(struct disk *disk);

/* ----------------------------------------------------------------- pair.c */

struct pair *pair_new(TALLOC_CTX *mem_ctx, const char *directory,
		      const char *mount, const char *smb_conf);
/* A batch begins: empty stores, free pages, the device of the volume; some
 * volumes have no partner. */
void pair_begin(struct pair *pair, const bool alone[VOLUMES]);
/* Let the partner work for about a millisecond. */
void pair_turn(struct pair *pair);
/* All volumes begin a new epoch. */
void pair_advance(struct pair *pair);
/* A volume that has something in flight in the old epoch, or -1. Nobody may at
 * PERSIST. */
int pair_old_epoch_busy(struct pair *pair);
/* The old epoch of this volume (or the new one, too) goes. */
void pair_wipe(struct pair *pair, uint32_t volume, bool early);
/* The smbds are dead. */
void pair_end(struct pair *pair);

struct mirrord;
struct state_page;
struct store;
struct mirrord *pair_mirrord(struct pair *pair);
struct state_page *pair_page(struct pair *pair, uint32_t volume);
struct store *pair_store(struct pair *pair, uint32_t volume);
uint64_t pair_generation(void);

/* ----------------------------------------------------------------- roll.c */

/* Returns when what dead smbds had under way is rolled forward. */
void roll_forward(struct driver *driver);

/* ----------------------------------------------------------------- redo.c */

/* Redo all records of a volume. 0 or errno; warnings count as EILSEQ. */
int redo_volume(struct driver *driver, uint32_t volume, bool second);
/* Redo those of one case in a child, which dies after so many leaf calls.
 * False: there were not so many. */
bool redo_killed(struct driver *driver, uint32_t number);

#endif /* TESTS_CRASH_DRIVER_H */
