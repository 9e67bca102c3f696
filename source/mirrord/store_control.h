/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * control.tdb of a mirror store: what must outlive the records themselves.
 *
 * Owns: the format of the file. It is changed in tdb transactions only, so a
 * process that is killed leaves the old content or the new one.
 * Does not own: what the values mean (store.c).
 */

#ifndef MIRROR_STORE_CONTROL_H
#define MIRROR_STORE_CONTROL_H

#include <stdint.h>
#include <talloc.h>
#include "wire.h"
#include "../common/mirror_id.h"

/* Kept as it is; native, because it never leaves the machine. */
struct store_control {
	uint32_t format;
	uint32_t num_sessions;
	char volume[WIRE_VOLUME_MAX + 1];
	struct mirror_id incarnation;
	uint64_t generation;
	uint64_t claim;
	uint64_t wiped;
	uint64_t wiping;	/* bit per slot of the ring: a wipe has begun */
	uint64_t epoch_capacity;
	uint64_t next_order;	/* orders below may be of wiped records */
};

/* A session whose last record may be in a wiped epoch. */
struct store_session {
	struct mirror_id id;
	uint64_t last;		/* sequence */
	uint64_t epoch;		/* of that record */
};

struct control_file;

int control_file_open(TALLOC_CTX *mem_ctx,
		      const char *path,
		      struct control_file **file);

/*
 * Read both; sessions (child of mem_ctx) are control->num_sessions many.
 * ENOENT if nothing was ever written, EIO if it is damaged.
 */
int control_file_read(struct control_file *file,
		      TALLOC_CTX *mem_ctx,
		      struct store_control *control,
		      struct store_session **sessions);

/* All or nothing. */
int control_file_write(struct control_file *file,
		       struct store_control *control,
		       const struct store_session *sessions,
		       uint32_t num_sessions);

#endif /* MIRROR_STORE_CONTROL_H */
