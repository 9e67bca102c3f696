/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records: one file-system operation each, as the partner keeps it.
 *
 * Owns: the list of record types with their fields (one table, record.c) and
 * their encoding. One encoder, one decoder, one bounds check (R6).
 * Does not own: frames and links (wire.h, peer_link.h), what a record does to
 * a volume (replay.h).
 *
 * Every record starts with the same common fields; the table says which of
 * the others a type carries. Integers are little endian. A field that a type
 * does not carry is zero after decoding.
 */

#ifndef MIRROR_RECORD_H
#define MIRROR_RECORD_H

#include <sys/types.h>
#include <stdint.h>
#include <talloc.h>
#include "mirror_id.h"

enum record_type {
	RECORD_CREATE = 1,	/* regular file: parent, name, object, mode */
	RECORD_MKDIR,		/* parent, name, object, mode */
	RECORD_SYMLINK,		/* parent, name, object, name2 = target */
	RECORD_MKNOD,		/* parent, name, object, mode, device */
	RECORD_LINK,		/* object; parent2, name2 = the new name */
	RECORD_UNLINK,		/* parent, name, object */
	RECORD_RMDIR,		/* parent, name, object */
	RECORD_RENAME,		/* parent, name, object; parent2, name2,
				   replaced (none if nothing was there) */
	RECORD_WRITE,		/* object, offset, data */
	RECORD_TRUNCATE,	/* object, length */
	RECORD_FALLOCATE,	/* object, mode (flags), offset, length */
	RECORD_SETXATTR,	/* object, name, mode (flags), data = value */
	RECORD_REMOVEXATTR,	/* object, name */
	RECORD_CHMOD,		/* object, mode */
	RECORD_CHOWN,		/* object, uid, gid; (uint32_t)-1 = keep */
	RECORD_TIMES,		/* object, atime, mtime; UTIME_OMIT as in
				   utimensat(2) */
	RECORD_CANCEL,		/* cancels = sequence of a record of the same
				   session whose operation failed (R2) */
	RECORD_TYPE_END
};

/* R7: who did it. groups are the supplementary ones. */
struct record_credentials {
	uint32_t uid;
	uint32_t gid;
	uint32_t umask;
	uint32_t num_groups;
	uint32_t *groups;
};

struct record_time {
	int64_t seconds;
	uint32_t nanoseconds;	/* or UTIME_OMIT */
};

struct record {
	/* common to all types */
	enum record_type type;
	uint64_t sequence;	/* 1, 2, ... within a session (R5) */
	uint64_t epoch;		/* R8 */
	struct record_time time;	/* wall clock when it was sent */
	struct record_credentials credentials;

	/* by type, see enum record_type */
	struct mirror_id object;
	struct mirror_handle object_hint;
	struct mirror_id parent;
	struct mirror_handle parent_hint;
	const char *name;
	struct mirror_id parent2;
	struct mirror_handle parent2_hint;
	const char *name2;
	struct mirror_id replaced;
	struct mirror_handle replaced_hint;
	uint64_t offset;
	uint64_t length;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t device;
	struct record_time atime;
	struct record_time mtime;
	uint64_t cancels;

	/* always the last field of an encoding; not copied by the encoder */
	const uint8_t *data;
	size_t data_length;
};

/*
 * Bounds that encoder and decoder enforce. Beyond them: no string has a zero
 * byte in it or is empty, and a name in a directory (not a symlink's target,
 * not an xattr's name) has no '/' and is neither "." nor "..".
 */
#define RECORD_NAME_MAX 4096
#define RECORD_GROUPS_MAX 65536
#define RECORD_DATA_MAX (16 * 1024 * 1024)

struct codec_field;

/*
 * The table: what every record starts with, and what a type adds to that.
 * NULL for a number that is no type.
 */
const struct codec_field *record_common_fields(void);
const struct codec_field *record_fields(enum record_type type);

/* "write", "rename" ...; "unknown" for a number that is no type. */
const char *record_type_name(enum record_type type);

/*
 * Encode everything but the data itself: the encoding of a record is
 * *head followed by record->data. So nobody copies data to send it.
 *
 * Returns 0 or errno: EINVAL for an unknown type or a forbidden name, EMSGSIZE
 * for a field over its bound, ENOMEM. *head is a talloc child of mem_ctx.
 */
int record_encode(TALLOC_CTX *mem_ctx,
		  const struct record *record,
		  uint8_t **head,
		  size_t *head_length);

/* Upper bound of head_length for this record, without encoding it. */
size_t record_head_bound(const struct record *record);

/*
 * Decode buf; strings and groups are talloc children of mem_ctx,
 * record->data points into buf. Returns 0 or errno: EBADMSG for anything
 * that record_encode() does not produce.
 */
int record_decode(TALLOC_CTX *mem_ctx,
		  const uint8_t *buf,
		  size_t length,
		  struct record *record);

/*
 * Read type, sequence and epoch from their fixed place at the start. 0, or
 * EBADMSG if short or of no type. Cheap, and no proof that the rest decodes.
 */
int record_peek(const uint8_t *buf,
		size_t length,
		enum record_type *type,
		uint64_t *sequence,
		uint64_t *epoch);

/* One line for people: "write #7 object=0123.. offset=4096 data=512 bytes".
 * Child of mem_ctx; NULL without memory. */
char *record_describe(TALLOC_CTX *mem_ctx, const struct record *record);

#endif /* MIRROR_RECORD_H */
