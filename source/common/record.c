/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records and their encoding, see record.h. */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

#include "codec.h"
#include "record.h"

#define U32(field) CODEC_FIELD(CODEC_U32, struct record, field)
#define U64(field) CODEC_FIELD(CODEC_U64, struct record, field)
#define NAME(field) \
	CODEC_BOUNDED(CODEC_NAME, struct record, field, RECORD_NAME_MAX)
#define STRING(field) \
	CODEC_BOUNDED(CODEC_STRING, struct record, field, RECORD_NAME_MAX)
#define TIME_PART(kind_, field, part) \
	{ \
		.kind = (kind_), \
		.offset = offsetof(struct record, field) + \
			  offsetof(struct record_time, part), \
		.label = #field "." #part, \
	}
#define TIME(field) \
	TIME_PART(CODEC_U64, field, seconds), \
	TIME_PART(CODEC_U32, field, nanoseconds)
#define OBJECT(field) \
	CODEC_FIELD(CODEC_ID, struct record, field), \
	CODEC_FIELD(CODEC_HANDLE, struct record, field##_hint)
#define DATA \
	CODEC_COUNTED(CODEC_DATA, struct record, data, data_length, \
		      RECORD_DATA_MAX)
#define END { .kind = CODEC_END }

_Static_assert(sizeof(enum record_type) == sizeof(uint32_t),
	       "the type is encoded as a u32");

/* type, sequence and epoch come first: record_peek() relies on it. */
static const struct codec_field peek_fields[] = {
	U32(type), U64(sequence), U64(epoch), END
};

static const struct codec_field common_fields[] = {
	U32(type), U64(sequence), U64(epoch),
	TIME(time),
	U32(credentials.uid), U32(credentials.gid), U32(credentials.umask),
	CODEC_COUNTED(CODEC_ARRAY, struct record, credentials.groups,
		      credentials.num_groups, RECORD_GROUPS_MAX),
	END
};

#define FIELDS(...) (const struct codec_field[]){ __VA_ARGS__, END }

static const struct {
	const char *name;
	const struct codec_field *fields;
} records[RECORD_TYPE_END] = {
	[RECORD_CREATE] = { "create", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object), U32(mode)) },
	[RECORD_MKDIR] = { "mkdir", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object), U32(mode)) },
	[RECORD_SYMLINK] = { "symlink", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object), STRING(name2)) },
	[RECORD_MKNOD] = { "mknod", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object), U32(mode),
		U64(device)) },
	[RECORD_LINK] = { "link", FIELDS(
		OBJECT(object), OBJECT(parent2), NAME(name2)) },
	[RECORD_UNLINK] = { "unlink", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object)) },
	[RECORD_RMDIR] = { "rmdir", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object)) },
	[RECORD_RENAME] = { "rename", FIELDS(
		OBJECT(parent), NAME(name), OBJECT(object),
		OBJECT(parent2), NAME(name2), OBJECT(replaced)) },
	[RECORD_WRITE] = { "write", FIELDS(
		OBJECT(object), U64(offset), DATA) },
	[RECORD_TRUNCATE] = { "truncate", FIELDS(
		OBJECT(object), U64(length)) },
	[RECORD_FALLOCATE] = { "fallocate", FIELDS(
		OBJECT(object), U32(mode), U64(offset), U64(length)) },
	[RECORD_SETXATTR] = { "setxattr", FIELDS(
		OBJECT(object), STRING(name), U32(mode), DATA) },
	[RECORD_REMOVEXATTR] = { "removexattr", FIELDS(
		OBJECT(object), STRING(name)) },
	[RECORD_CHMOD] = { "chmod", FIELDS(
		OBJECT(object), U32(mode)) },
	[RECORD_CHOWN] = { "chown", FIELDS(
		OBJECT(object), U32(uid), U32(gid)) },
	[RECORD_TIMES] = { "times", FIELDS(
		OBJECT(object), TIME(atime), TIME(mtime)) },
	[RECORD_CANCEL] = { "cancel", FIELDS(
		U64(cancels)) },
};

const struct codec_field *record_common_fields(void)
{
	return common_fields;
}

const struct codec_field *record_fields(enum record_type type)
{
	/* The cast catches negative numbers as well. */
	if ((uint32_t)type >= RECORD_TYPE_END) {
		return NULL;
	}
	return records[type].fields;
}

const char *record_type_name(enum record_type type)
{
	return record_fields(type) != NULL ? records[type].name : "unknown";
}

size_t record_head_bound(const struct record *record)
{
	const struct codec_field *fields = record_fields(record->type);

	if (fields == NULL) {
		return 0;
	}
	return codec_size(common_fields, record) + codec_size(fields, record);
}

int record_encode(TALLOC_CTX *mem_ctx,
		  const struct record *record,
		  uint8_t **head,
		  size_t *head_length)
{
	const struct codec_field *fields = record_fields(record->type);
	struct codec_cursor cursor = { .offset = 0 };
	const uint8_t *data;
	uint8_t *buf;
	int ret;

	if (fields == NULL) {
		return EINVAL;
	}
	if (codec_data(fields, record, &data) != record->data_length) {
		/* Data in a record that carries none would follow it. */
		return EINVAL;
	}
	cursor.length = record_head_bound(record);
	/* Not an array: that would count with an unsigned int. */
	buf = talloc_size(mem_ctx, cursor.length);
	if (buf == NULL) {
		return ENOMEM;
	}
	ret = codec_push(common_fields, record, buf, &cursor);
	if (ret == 0) {
		ret = codec_push(fields, record, buf, &cursor);
	}
	if (ret != 0) {
		talloc_free(buf);
		return ret;
	}
	*head = buf;
	*head_length = cursor.offset;
	return 0;
}

int record_decode(TALLOC_CTX *mem_ctx,
		  const uint8_t *buf,
		  size_t length,
		  struct record *record)
{
	struct codec_cursor cursor = { .length = length };
	const struct codec_field *fields;
	int ret;

	*record = (struct record){ .type = 0 };

	ret = codec_pull(mem_ctx, common_fields, buf, &cursor, record);
	if (ret != 0) {
		goto fail;
	}
	fields = record_fields(record->type);
	if (fields == NULL) {
		ret = EBADMSG;
		goto fail;
	}
	ret = codec_pull(mem_ctx, fields, buf, &cursor, record);
	if (ret == 0) {
		ret = codec_pull_end(&cursor);
	}
	if (ret != 0) {
		codec_release(fields, record);
		goto fail;
	}
	return 0;
fail:
	codec_release(common_fields, record);
	*record = (struct record){ .type = 0 };
	return ret;
}

int record_peek(const uint8_t *buf,
		size_t length,
		enum record_type *type,
		uint64_t *sequence,
		uint64_t *epoch)
{
	struct codec_cursor cursor = { .length = length };
	struct record record = { .type = 0 };
	int ret;

	ret = codec_pull(NULL, peek_fields, buf, &cursor, &record);
	if (ret != 0) {
		return ret;
	}
	if (record_fields(record.type) == NULL) {
		return EBADMSG;
	}
	*type = record.type;
	*sequence = record.sequence;
	*epoch = record.epoch;
	return 0;
}

char *record_describe(TALLOC_CTX *mem_ctx, const struct record *record)
{
	const struct codec_field *fields = record_fields(record->type);
	char *line;

	line = talloc_asprintf(mem_ctx, "%s #%" PRIu64,
			       record_type_name(record->type),
			       record->sequence);
	return fields != NULL ? codec_describe(line, fields, record) : line;
}
