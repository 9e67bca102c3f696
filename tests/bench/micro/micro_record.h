/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records as smbd sends them: with five groups, handles as ext4 and xfs have
 * them, names of usual length.
 */

#ifndef TESTS_MICRO_RECORD_H
#define TESTS_MICRO_RECORD_H

#include "micro.h"
#include "record.h"

/* The type is told by the end of name: "...create", "...write-4k" and so on;
 * data is as long as size. */
void micro_record(TALLOC_CTX *mem_ctx,
		  const char *name,
		  size_t size,
		  struct record *record);

/* Head and data in one piece. */
uint8_t *micro_encode(TALLOC_CTX *mem_ctx,
		      const struct record *record,
		      size_t *length);

/* Give encoded bytes another sequence and epoch. */
void micro_renumber(uint8_t *bytes, uint64_t sequence, uint64_t epoch);

#endif /* TESTS_MICRO_RECORD_H */
