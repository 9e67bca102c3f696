/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the driver and the host of the crash harness share: memory.
 *
 * The driver (crash_driver.c) owns the file system, plays the partner with
 * the partner's real code, cuts the power, replays and compares. The host
 * (crash_host.c) is Samba's VFS with mirror.so in it; it forks one process
 * for each case. All of them have struct batch mapped.
 *
 * A case is one sequence of operations and one place to crash:
 *
 *   start ──► WIPE ──► PERSIST ──► DEAD ──► CRASH
 *
 * Each of them is a barrier for the whole batch: every process stops there
 * until the driver lets all go on. WIPE is between two operations: the driver
 * begins a new epoch. PERSIST is after any number of leaf calls: the driver
 * calls syncfs and has the old epoch wiped. CRASH is where the node dies.
 * DEAD is where smbds have died, if only they die: mirrord rolls forward what
 * they had under way, another smbd does the rest of the sequence, and then the
 * node dies.
 *
 * A case without a partner has a file system of its own, nobody calls syncfs
 * and nothing is replayed: what its client was told is on the disk.
 */

#ifndef TESTS_CRASH_H
#define TESTS_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "../../source/common/mirror_id.h"
#include "operations.h"

#define CASES_MAX 512
#define VOLUMES 16
#define LEAFS_MAX 64
#define RECORDS_MAX 64
#define TREE_SIZE 4096
#define GOLDEN_TREES 40

/* Where a case ends. The number with it counts from 1. */
enum stop {
	STOP_NEVER = 0,
	STOP_SENT,		/* record n never arrives at the partner */
	STOP_HELD,		/* the partner has record n, we do not know */
	STOP_ACKNOWLEDGED,	/* before leaf call n */
	STOP_APPLIED,		/* after leaf call n */
	STOP_REPLIED,		/* operation n was answered */
	STOP_END
};

enum stage {
	STAGE_START = 0,
	STAGE_WIPE,
	STAGE_PERSIST,
	STAGE_DEAD,
	STAGE_CRASH,
	STAGE_END
};

struct sequence {
	uint8_t count;
	uint8_t operations[OPERATIONS_MAX];
	bool as_user;		/* an unprivileged user does it */
	bool has_ids;		/* what was there before has chosen ids */
	bool sessions;		/* each operation by a smbd of its own */
	bool alone;		/* no partner: written through to the disk */
	uint8_t fail_at;	/* this leaf call fails; 0: none */
	uint8_t break_at;	/* the link breaks at this record; 0: never */
};

/* A place to crash in a sequence. */
struct point {
	struct sequence sequence;
	uint8_t stop;
	uint8_t stop_at;
	bool dies;		/* there smbd, later the node */
	bool between;		/* of three operations, another smbd does the
				   second; the one that dies the others */
	uint8_t wipe_at;	/* operations that are in the old epoch */
	bool keep;		/* it was synced, and then not wiped */
	uint8_t persist_at;	/* leaf calls that syncfs has seen */
	bool eager;		/* data goes to the disk at once */
	uint8_t kill_at;	/* leaf calls of a first, killed replay; 0: no
				   such replay */
};

/* What an undisturbed run of a sequence looked like. */
struct golden {
	struct sequence sequence;
	uint8_t records;
	uint8_t leafs;
	uint8_t operation_leafs[OPERATIONS_MAX + 1];	/* when n replied */
	uint8_t operation_records[OPERATIONS_MAX + 1];
	uint8_t record_leafs[RECORDS_MAX + 1];	/* when record n was sent */
	bool succeeded[OPERATIONS_MAX];
	uint8_t failed_in;	/* operation (from 1) of fail_at; 0: it was
				   never made */
	char trees[GOLDEN_TREES][TREE_SIZE];	/* after n leaf calls */
	/* The same without mirror.so, when n operations had replied. */
	bool plain_succeeded[OPERATIONS_MAX];
	char plain[OPERATIONS_MAX + 1][TREE_SIZE];
};

struct crash_case {
	/* the driver's */
	struct point point;
	uint8_t volume;
	bool plain;		/* without mirror.so */
	int32_t golden;		/* write what is seen to this; < 0: no */

	/* the host's */
	struct mirror_id sessions[OPERATIONS_MAX + 1];
	uint8_t num_sessions;
	_Atomic uint8_t stage;
	uint8_t attempts;	/* leaf calls, those that failed included */
	uint8_t leafs;
	uint8_t records;	/* of all sessions; handed to the link */
	uint8_t acknowledged;
	uint8_t replied;	/* operations that were answered */
	bool stopped;		/* at its point, and not at its end */
	_Atomic bool others_turn;	/* point.between */
	bool resumed;		/* smbd has died, this is another one */
	bool failed;		/* something went wrong in the harness */
	char problem[200];
};

struct batch {
	char mount[64];
	uint32_t num_cases;
	_Atomic uint32_t at_stage[STAGE_END];	/* cases that came so far */
	_Atomic uint32_t released;		/* up to this stage */
	struct crash_case cases[CASES_MAX];
	struct golden golden[];
};

/* "/mnt/v3/c17" */
static inline void case_directory(const struct batch *batch,
				  uint32_t number,
				  char *path,
				  size_t size)
{
	snprintf(path, size, "%s/v%u/c%u", batch->mount,
		 batch->cases[number].volume, number);
}

#endif /* TESTS_CRASH_H */
