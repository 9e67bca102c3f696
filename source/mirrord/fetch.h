/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Get records back from the node that holds them.
 *
 * Owns: the asking side of FETCH, on a link of its own.
 * Does not own: what is done with the records (replay.h).
 *
 * It blocks: for child processes only.
 */

#ifndef MIRRORD_FETCH_H
#define MIRRORD_FETCH_H

#include "mirrord.h"

/* Non-zero ends the fetch with that value. */
typedef int (*fetch_visitor)(const struct mirror_id *session,
			     const uint8_t *record,
			     size_t length,
			     void *private_data);

/*
 * session none: all records of the volume, which ends its store for good
 * (partner.h). Returns 0, ENOENT if that node has no such store, or errno.
 */
int fetch_records(TALLOC_CTX *mem_ctx,
		  struct mirrord *mirrord,
		  uint32_t node,
		  const char *volume,
		  uint64_t generation,
		  const struct mirror_id *session,
		  uint64_t from_sequence,
		  fetch_visitor visitor,
		  void *private_data);

#endif /* MIRRORD_FETCH_H */
