/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The codec: structs to bytes and back, by tables (R6).
 *
 * Owns: how each kind of field looks on the wire, and the one bounds check
 * that everything read from a socket or a store passes.
 * Does not own: which fields there are (record.c, wire.c).
 *
 * A table is an array of struct codec_field, ended by a CODEC_END. Fields are
 * encoded in its order, without padding, integers little endian:
 *
 *   u32, u64   4 or 8 bytes
 *   id         16 bytes
 *   handle     type, length, that many bytes
 *   text       u32 length, that many bytes, none of them zero
 *   string     as text, but never empty
 *   name       as string, and fit for a directory: no '/', not "." or ".."
 *   maybe      a name, or empty
 *   array      u32 count, that many u32
 *   data       what is left: only at the end of a table
 *
 * What codec_pull() accepts is exactly what codec_push() produces: every
 * object has one encoding.
 */

#ifndef MIRROR_CODEC_H
#define MIRROR_CODEC_H

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

enum codec_kind {
	CODEC_END = 0,
	CODEC_U32,
	CODEC_U64,
	CODEC_ID,
	CODEC_HANDLE,
	CODEC_TEXT,
	CODEC_STRING,
	CODEC_NAME,
	CODEC_MAYBE_NAME,
	CODEC_ARRAY,
	CODEC_DATA
};

struct codec_field {
	enum codec_kind kind;
	uint32_t max;		/* bytes of a string or data, array entries */
	size_t offset;		/* of the field in the struct */
	size_t count_offset;	/* arrays (uint32_t) and data (size_t) only */
	const char *label;
};

#define CODEC_FIELD(kind_, struct_, field_)		\
	{						\
		.kind = (kind_),			\
		.offset = offsetof(struct_, field_),	\
		.label = #field_,			\
	}
#define CODEC_BOUNDED(kind_, struct_, field_, max_)	\
	{						\
		.kind = (kind_),			\
		.max = (max_),				\
		.offset = offsetof(struct_, field_),	\
		.label = #field_,			\
	}
#define CODEC_COUNTED(kind_, struct_, field_, count_, max_)	\
	{							\
		.kind = (kind_),				\
		.max = (max_),					\
		.offset = offsetof(struct_, field_),		\
		.count_offset = offsetof(struct_, count_),	\
		.label = #field_,				\
	}

/* A place in a buffer. Only codec.c moves it. */
struct codec_cursor {
	size_t offset;
	size_t length;
};

/* Bytes that codec_push() takes for the object. Does not count data. */
size_t codec_size(const struct codec_field *fields, const void *object);

/*
 * Encode, except for the data itself: it goes behind the rest, and who sends
 * it does so from where it is. 0, EINVAL for a field that cannot be encoded,
 * EMSGSIZE for one over its bound.
 */
int codec_push(const struct codec_field *fields,
	       const void *object,
	       uint8_t *buf,
	       struct codec_cursor *cursor);

/*
 * Decode. Strings and arrays are talloc children of mem_ctx, data points into
 * buf. 0, EBADMSG or ENOMEM; after an error codec_release() what there is.
 */
int codec_pull(TALLOC_CTX *mem_ctx,
	       const struct codec_field *fields,
	       const uint8_t *buf,
	       struct codec_cursor *cursor,
	       void *object);

/* The data field of the object, if the table has one; else 0 bytes. */
size_t codec_data(const struct codec_field *fields,
		  const void *object,
		  const uint8_t **data);

/* Has everything been read? EBADMSG if there is more. */
int codec_pull_end(const struct codec_cursor *cursor);

/* Free what codec_pull() allocated. The object was zero before that. */
void codec_release(const struct codec_field *fields, void *object);

/*
 * Append " label=value ..." to a talloc string, safe to be logged whatever a
 * peer has sent. NULL stays NULL, and becomes of a string without memory.
 */
char *codec_describe(char *string,
		     const struct codec_field *fields,
		     const void *object);

#endif /* MIRROR_CODEC_H */
