/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One tdb file of a mirror store: the records of one epoch.
 *
 * Owns: the format of the file, its growth, the proof that it is whole.
 * Does not own: which epoch lies in it, sessions, order numbers (store.c).
 *
 * A record is linked into its hash chain by the last store instruction of
 * tdb_storev(), from free space that nothing else refers to. A process that is
 * killed before that leaves a bit of lost space, which the next wipe returns,
 * and all records that were there. After the record, the number of records in
 * the file is written to a file beside it ("....held": 8 bytes of mapped
 * memory, one instruction; in the tdb it would be another look-up, for nearly
 * a third of what a small record costs). So a file that was left alone by
 * everybody else holds records number 1..held, and maybe held+1 whose writer
 * died before it could tell: anything else is damage.
 */

#ifndef MIRROR_STORE_EPOCH_H
#define MIRROR_STORE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "../common/mirror_id.h"

struct epoch_file;

/* In front of every record in the file. Native: it never leaves the machine. */
struct store_header {
	uint32_t magic;
	uint32_t checksum;	/* of what follows here, and of the record */
	struct mirror_id session;
	uint64_t order;
	uint64_t epoch;
	uint64_t sequence;
	uint64_t number;	/* 1, 2, ... in this file */
};

/* Make the file anew, with room for capacity bytes of footprints. */
int epoch_file_create(TALLOC_CTX *mem_ctx,
		      const char *path,
		      uint64_t capacity,
		      struct epoch_file **file);

/* Both files of path. 0 or errno; that there is none is no error. */
int epoch_file_remove(const char *path);

/* Open what is there. ENOENT, or EIO if it is not a tdb. */
int epoch_file_open(TALLOC_CTX *mem_ctx,
		    const char *path,
		    struct epoch_file **file);

/*
 * Visit all records, in no order, each proved by its checksum if check is
 * set. After a complete visit the file's records are counted.
 * 0, what the visitor returned, or EIO: damaged.
 */
typedef int (*epoch_visitor)(const struct store_header *header,
			     const uint8_t *record,
			     size_t length,
			     void *private_data);

int epoch_file_visit(struct epoch_file *file,
		     bool check,
		     epoch_visitor visitor,
		     void *private_data);

/* The one with this order number, proved by its checksum if check is set;
 * ENOENT, EIO. */
int epoch_file_parse(struct epoch_file *file,
		     uint64_t order,
		     bool check,
		     epoch_visitor visitor,
		     void *private_data);

/* magic, checksum and number are filled in. ENOSPC, EIO. */
int epoch_file_add(struct epoch_file *file,
		   struct store_header *header,
		   const uint8_t *record,
		   size_t length);

int epoch_file_wipe(struct epoch_file *file);

uint64_t epoch_file_records(const struct epoch_file *file);

/* See store_footprint(). */
size_t epoch_file_footprint(size_t record_length);

/* What one file can hold at most: tdb has 32 bit offsets. */
#define EPOCH_FILE_CAPACITY_MAX (UINT64_C(3) << 30)

#endif /* MIRROR_STORE_EPOCH_H */
