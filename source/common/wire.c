/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages and frames, see wire.h. */

#include <errno.h>
#include <string.h>

#include "codec.h"
#include "record.h"
#include "wire.h"

#define U32(field) CODEC_FIELD(CODEC_U32, struct message, field)
#define U64(field) CODEC_FIELD(CODEC_U64, struct message, field)
#define ID(field) CODEC_FIELD(CODEC_ID, struct message, field)
#define NAME(field) \
	CODEC_BOUNDED(CODEC_NAME, struct message, field, WIRE_VOLUME_MAX)
#define MAYBE_NAME(field) \
	CODEC_BOUNDED(CODEC_MAYBE_NAME, struct message, field, WIRE_VOLUME_MAX)
#define TEXT(field) \
	CODEC_BOUNDED(CODEC_TEXT, struct message, field, WIRE_TEXT_MAX)
#define END { .kind = CODEC_END }
#define FIELDS(...) (const struct codec_field[]){ __VA_ARGS__, END }

/* A record with every field at its bound has to fit into FETCHED. */
#define FETCHED_HEAD_MAX (WIRE_VOLUME_MAX + 64)
#define DATA_MAX (WIRE_FRAME_MAX - FETCHED_HEAD_MAX)
_Static_assert(RECORD_DATA_MAX + 4 * RECORD_GROUPS_MAX +
	       2 * RECORD_NAME_MAX + 1024 < DATA_MAX,
	       "WIRE_FRAME_MAX is too small for the largest record");

/*
 * HELLO never changes, whatever the version: otherwise two versions could
 * not find out that they differ.
 *
 * The volume of HELLO is empty on a control link. In all other messages it
 * is a name that nobody can leave a directory with.
 */
static const struct {
	const char *name;
	const struct codec_field *fields;
} messages[FRAME_TYPE_END] = {
	[FRAME_HELLO] = { "hello", FIELDS(
		U32(version_min), U32(version_max), U32(role), U32(node),
		ID(session), MAYBE_NAME(volume), U64(generation),
		ID(incarnation)) },
	[FRAME_WELCOME] = { "welcome", FIELDS(
		U32(version), U32(node), U64(generation), ID(incarnation),
		U64(sequence)) },
	[FRAME_REFUSED] = { "refused", FIELDS(
		MAYBE_NAME(volume), U64(generation), U32(reason),
		TEXT(text)) },
	[FRAME_RECORD] = { "record", NULL },
	[FRAME_ACK] = { "ack", FIELDS(
		U64(sequence)) },
	[FRAME_STATE] = { "state", FIELDS(
		NAME(volume), U64(generation)) },
	[FRAME_VOLUME_STATE] = { "volume-state", FIELDS(
		NAME(volume), U32(role), U32(node), U64(generation),
		ID(incarnation), U64(epoch), U64(count), U64(bytes)) },
	[FRAME_BEGIN] = { "begin", FIELDS(
		NAME(volume), U64(generation), U64(epoch), U64(bytes)) },
	[FRAME_BEGUN] = { "begun", FIELDS(
		NAME(volume), U64(generation), ID(incarnation), U64(epoch),
		U64(bytes)) },
	[FRAME_WIPE] = { "wipe", FIELDS(
		NAME(volume), U64(generation), U64(epoch)) },
	[FRAME_WIPED] = { "wiped", FIELDS(
		NAME(volume), U64(generation), U64(epoch)) },
	[FRAME_END] = { "end", FIELDS(
		NAME(volume), U64(generation), U32(role)) },
	[FRAME_ENDED] = { "ended", FIELDS(
		NAME(volume), U64(generation), U32(reason)) },
	[FRAME_FETCH] = { "fetch", FIELDS(
		NAME(volume), U64(generation), ID(session), U64(sequence)) },
	[FRAME_FETCHED] = { "fetched", FIELDS(
		NAME(volume), ID(session), U64(order),
		CODEC_COUNTED(CODEC_DATA, struct message, data, data_length,
			      DATA_MAX)) },
	[FRAME_FETCH_END] = { "fetch-end", FIELDS(
		NAME(volume), U64(count), U32(reason)) },
	[FRAME_PING] = { "ping", FIELDS(
		U64(sequence)) },
	[FRAME_PONG] = { "pong", FIELDS(
		U64(sequence)) },
	[FRAME_LEASE] = { "lease", FIELDS(
		NAME(volume), U64(generation), U32(duration_ms)) },
	[FRAME_LEASED] = { "leased", FIELDS(
		NAME(volume), U64(generation), U32(duration_ms)) },
	[FRAME_FACTS] = { "facts", FIELDS(
		TEXT(text)) },
	[FRAME_FACTS_TOLD] = { "facts-told", FIELDS(
		U64(sequence), U32(reason),
		CODEC_COUNTED(CODEC_DATA, struct message, data, data_length,
			      DATA_MAX)) },
};

static bool is_type(uint32_t type)
{
	return type < FRAME_TYPE_END && messages[type].name != NULL;
}

/* uint16 type and uint16 zero, little endian, are a u32. */
struct frame_header {
	uint32_t length;
	uint32_t type;
};

static const struct codec_field header_fields[] = {
	CODEC_FIELD(CODEC_U32, struct frame_header, length),
	CODEC_FIELD(CODEC_U32, struct frame_header, type),
	END
};

void frame_header_push(uint8_t *buf, enum frame_type type, uint32_t length)
{
	struct codec_cursor cursor = { .length = WIRE_FRAME_HEADER };
	struct frame_header header = { .length = length, .type = type };

	/* Cannot fail: two u32 into eight bytes. */
	(void)codec_push(header_fields, &header, buf, &cursor);
}

int frame_header_pull(const uint8_t *buf,
		      enum frame_type *type,
		      uint32_t *length)
{
	struct codec_cursor cursor = { .length = WIRE_FRAME_HEADER };
	struct frame_header header = { .length = 0 };
	uint32_t max = WIRE_SMALL_FRAME_MAX;
	int ret;

	ret = codec_pull(NULL, header_fields, buf, &cursor, &header);
	if (ret != 0) {
		return ret;
	}
	if (!is_type(header.type)) {
		return EBADMSG;
	}
	if (header.type == FRAME_RECORD || header.type == FRAME_FETCHED) {
		max = WIRE_FRAME_MAX;
	} else if (header.type == FRAME_FACTS_TOLD) {
		max = WIRE_FACTS_MAX;
	}
	if (header.length > max) {
		return EBADMSG;
	}
	*type = header.type;
	*length = header.length;
	return 0;
}

const struct codec_field *message_fields(enum frame_type type)
{
	return is_type(type) ? messages[type].fields : NULL;
}

const char *frame_type_name(enum frame_type type)
{
	return is_type(type) ? messages[type].name : "unknown";
}

const char *refused_reason_name(enum refused_reason reason)
{
	switch (reason) {
	case REFUSED_VERSION:
		return "no common protocol version";
	case REFUSED_NO_STORE:
		return "no store for this volume";
	case REFUSED_GENERATION:
		return "another generation";
	case REFUSED_INCARNATION:
		return "the store was lost";
	case REFUSED_NOT_PARTNER:
		return "not the partner of this volume";
	case REFUSED_FULL:
		return "the store is full";
	case REFUSED_BROKEN:
		return "the store is broken";
	}
	return "unknown reason";
}

int message_encode(TALLOC_CTX *mem_ctx,
		   const struct message *message,
		   uint8_t **frame,
		   size_t *length)
{
	const struct codec_field *fields = message_fields(message->type);
	struct codec_cursor cursor = { .offset = WIRE_FRAME_HEADER };
	const uint8_t *data;
	size_t data_length;
	uint8_t *buf;
	int ret;

	if (fields == NULL) {
		return EINVAL;
	}
	data_length = codec_data(fields, message, &data);
	if (data_length > DATA_MAX) {
		return EMSGSIZE;
	}
	cursor.length = WIRE_FRAME_HEADER + codec_size(fields, message);
	buf = talloc_size(mem_ctx, cursor.length + data_length);
	if (buf == NULL) {
		return ENOMEM;
	}
	ret = codec_push(fields, message, buf, &cursor);
	if (ret != 0) {
		talloc_free(buf);
		return ret;
	}
	if (data_length != 0) {
		memcpy(buf + cursor.offset, data, data_length);
	}
	*frame = buf;
	*length = cursor.offset + data_length;
	frame_header_push(buf, message->type,
			  (uint32_t)(*length - WIRE_FRAME_HEADER));
	return 0;
}

int message_decode(TALLOC_CTX *mem_ctx,
		   enum frame_type type,
		   const uint8_t *payload,
		   size_t length,
		   struct message *message)
{
	const struct codec_field *fields = message_fields(type);
	struct codec_cursor cursor = { .length = length };
	int ret;

	*message = (struct message){ .type = 0 };

	if (fields == NULL) {
		return EBADMSG;
	}
	ret = codec_pull(mem_ctx, fields, payload, &cursor, message);
	if (ret == 0) {
		ret = codec_pull_end(&cursor);
	}
	if (ret != 0) {
		codec_release(fields, message);
		*message = (struct message){ .type = 0 };
		return ret;
	}
	message->type = type;
	return 0;
}
