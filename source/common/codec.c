/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Structs to bytes and back, by tables; see codec.h. */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "codec.h"
#include "mirror_id.h"

#define HANDLE_HEAD 2		/* type, length */
#define COUNT_SIZE 4		/* of strings and arrays */

/* The one bounds check (R6): size bytes at *at, or false. */
static bool take(struct codec_cursor *cursor, size_t size, size_t *at)
{
	if (size > cursor->length - cursor->offset) {
		return false;
	}
	*at = cursor->offset;
	cursor->offset += size;
	return true;
}

static size_t left(const struct codec_cursor *cursor)
{
	return cursor->length - cursor->offset;
}

/*
 * Fields of a struct that is known by its table only. By memcpy: the same
 * instructions as an assignment, and no pointer to a type that is not there.
 */
#define LOAD(object, at, value) \
	memcpy((value), (const uint8_t *)(object) + (at), sizeof(*(value)))
#define STORE(object, at, value) \
	memcpy((uint8_t *)(object) + (at), (value), sizeof(*(value)))

/* The string of a field; NULL is as good as an empty one. */
static const char *load_string(const struct codec_field *field,
			       const void *object)
{
	const char *string;

	LOAD(object, field->offset, &string);
	return string != NULL ? string : "";
}

/* Can this be a string of that kind? Rules of directories are Linux's. */
static bool string_is_valid(const struct codec_field *field,
			    const char *string,
			    size_t length)
{
	if (length == 0) {
		return field->kind == CODEC_TEXT ||
		       field->kind == CODEC_MAYBE_NAME;
	}
	if (field->kind == CODEC_TEXT || field->kind == CODEC_STRING) {
		return true;
	}
	if (string[0] == '.' &&
	    (length == 1 || (length == 2 && string[1] == '.'))) {
		return false;
	}
	return memchr(string, '/', length) == NULL;
}

static size_t field_size(const struct codec_field *field, const void *object)
{
	struct mirror_handle handle;
	uint32_t count;

	switch (field->kind) {
	case CODEC_U32:
		return sizeof(uint32_t);
	case CODEC_U64:
		return sizeof(uint64_t);
	case CODEC_ID:
		return MIRROR_ID_SIZE;
	case CODEC_HANDLE:
		LOAD(object, field->offset, &handle);
		return HANDLE_HEAD + handle.length;
	case CODEC_TEXT:
	case CODEC_STRING:
	case CODEC_NAME:
	case CODEC_MAYBE_NAME:
		return COUNT_SIZE + strlen(load_string(field, object));
	case CODEC_ARRAY:
		LOAD(object, field->count_offset, &count);
		return COUNT_SIZE + (size_t)count * sizeof(uint32_t);
	case CODEC_DATA:
	case CODEC_END:
		break;
	}
	return 0;
}

size_t codec_size(const struct codec_field *fields, const void *object)
{
	size_t size = 0;

	for (; fields->kind != CODEC_END; fields++) {
		size += field_size(fields, object);
	}
	return size;
}

static int push_bytes(uint8_t *buf,
		      struct codec_cursor *cursor,
		      const void *bytes,
		      size_t size)
{
	size_t at;

	if (!take(cursor, size, &at)) {
		return EMSGSIZE;
	}
	if (size != 0) {
		memcpy(buf + at, bytes, size);
	}
	return 0;
}

static int push_u32(uint8_t *buf, struct codec_cursor *cursor, uint32_t value)
{
	uint32_t wire = htole32(value);

	return push_bytes(buf, cursor, &wire, sizeof(wire));
}

static int push_u64(uint8_t *buf, struct codec_cursor *cursor, uint64_t value)
{
	uint64_t wire = htole64(value);

	return push_bytes(buf, cursor, &wire, sizeof(wire));
}

static int push_handle(uint8_t *buf,
		       struct codec_cursor *cursor,
		       const struct mirror_handle *handle)
{
	uint8_t head[HANDLE_HEAD];
	int ret;

	if (handle->length > MIRROR_HANDLE_MAX) {
		return EMSGSIZE;
	}
	head[0] = handle->length != 0 ? handle->type : 0;
	head[1] = handle->length;
	ret = push_bytes(buf, cursor, head, sizeof(head));
	if (ret != 0) {
		return ret;
	}
	return push_bytes(buf, cursor, handle->bytes, handle->length);
}

static int push_string(const struct codec_field *field,
		       const void *object,
		       uint8_t *buf,
		       struct codec_cursor *cursor)
{
	const char *string = load_string(field, object);
	size_t length = strlen(string);
	int ret;

	if (length > field->max) {
		return EMSGSIZE;
	}
	if (!string_is_valid(field, string, length)) {
		return EINVAL;
	}
	ret = push_u32(buf, cursor, (uint32_t)length);
	if (ret != 0) {
		return ret;
	}
	return push_bytes(buf, cursor, string, length);
}

static int push_array(const struct codec_field *field,
		      const void *object,
		      uint8_t *buf,
		      struct codec_cursor *cursor)
{
	const uint32_t *entries;
	uint32_t count;
	uint32_t i;
	int ret;

	LOAD(object, field->offset, &entries);
	LOAD(object, field->count_offset, &count);
	if (count > field->max) {
		return EMSGSIZE;
	}
	ret = push_u32(buf, cursor, count);
	for (i = 0; ret == 0 && i < count; i++) {
		ret = push_u32(buf, cursor, entries[i]);
	}
	return ret;
}

static int push_field(const struct codec_field *field,
		      const void *object,
		      uint8_t *buf,
		      struct codec_cursor *cursor)
{
	struct mirror_handle handle;
	uint32_t u32;
	uint64_t u64;
	size_t size;

	switch (field->kind) {
	case CODEC_U32:
		LOAD(object, field->offset, &u32);
		return push_u32(buf, cursor, u32);
	case CODEC_U64:
		LOAD(object, field->offset, &u64);
		return push_u64(buf, cursor, u64);
	case CODEC_ID:
		return push_bytes(buf, cursor,
				  (const uint8_t *)object + field->offset,
				  MIRROR_ID_SIZE);
	case CODEC_HANDLE:
		LOAD(object, field->offset, &handle);
		return push_handle(buf, cursor, &handle);
	case CODEC_TEXT:
	case CODEC_STRING:
	case CODEC_NAME:
	case CODEC_MAYBE_NAME:
		return push_string(field, object, buf, cursor);
	case CODEC_ARRAY:
		return push_array(field, object, buf, cursor);
	case CODEC_DATA:
		LOAD(object, field->count_offset, &size);
		return size > field->max ? EMSGSIZE : 0;
	case CODEC_END:
		break;
	}
	return EINVAL;
}

int codec_push(const struct codec_field *fields,
	       const void *object,
	       uint8_t *buf,
	       struct codec_cursor *cursor)
{
	int ret = 0;

	for (; ret == 0 && fields->kind != CODEC_END; fields++) {
		ret = push_field(fields, object, buf, cursor);
	}
	return ret;
}

static int pull_bytes(const uint8_t *buf,
		      struct codec_cursor *cursor,
		      void *bytes,
		      size_t size)
{
	size_t at;

	if (!take(cursor, size, &at)) {
		return EBADMSG;
	}
	memcpy(bytes, buf + at, size);
	return 0;
}

static int pull_u32(const uint8_t *buf,
		    struct codec_cursor *cursor,
		    uint32_t *value)
{
	uint32_t wire = 0;
	int ret;

	ret = pull_bytes(buf, cursor, &wire, sizeof(wire));
	*value = le32toh(wire);
	return ret;
}

static int pull_u64(const uint8_t *buf,
		    struct codec_cursor *cursor,
		    uint64_t *value)
{
	uint64_t wire = 0;
	int ret;

	ret = pull_bytes(buf, cursor, &wire, sizeof(wire));
	*value = le64toh(wire);
	return ret;
}

static int pull_handle(const uint8_t *buf,
		       struct codec_cursor *cursor,
		       struct mirror_handle *handle)
{
	uint8_t head[HANDLE_HEAD];
	int ret;

	ret = pull_bytes(buf, cursor, head, sizeof(head));
	if (ret != 0) {
		return ret;
	}
	if (head[1] > MIRROR_HANDLE_MAX || (head[1] == 0 && head[0] != 0)) {
		return EBADMSG;
	}
	handle->type = head[0];
	handle->length = head[1];
	return pull_bytes(buf, cursor, handle->bytes, handle->length);
}

static int pull_string(TALLOC_CTX *mem_ctx,
		       const struct codec_field *field,
		       const uint8_t *buf,
		       struct codec_cursor *cursor,
		       void *object)
{
	const char *wire;
	char *string;
	uint32_t length;
	size_t at;
	int ret;

	ret = pull_u32(buf, cursor, &length);
	if (ret != 0) {
		return ret;
	}
	if (length > field->max || !take(cursor, length, &at)) {
		return EBADMSG;
	}
	wire = (const char *)buf + at;
	if (memchr(wire, '\0', length) != NULL ||
	    !string_is_valid(field, wire, length)) {
		return EBADMSG;
	}
	string = talloc_strndup(mem_ctx, wire, length);
	if (string == NULL) {
		return ENOMEM;
	}
	STORE(object, field->offset, &string);
	return 0;
}

static int pull_array(TALLOC_CTX *mem_ctx,
		      const struct codec_field *field,
		      const uint8_t *buf,
		      struct codec_cursor *cursor,
		      void *object)
{
	uint32_t *entries;
	uint32_t count;
	uint32_t i;
	int ret;

	ret = pull_u32(buf, cursor, &count);
	if (ret != 0) {
		return ret;
	}
	/* Not worth an allocation before it is known that they are there. */
	if (count > field->max || count > left(cursor) / sizeof(uint32_t)) {
		return EBADMSG;
	}
	if (count == 0) {
		return 0;
	}
	entries = talloc_array(mem_ctx, uint32_t, count);
	if (entries == NULL) {
		return ENOMEM;
	}
	STORE(object, field->offset, &entries);
	STORE(object, field->count_offset, &count);
	for (i = 0; ret == 0 && i < count; i++) {
		ret = pull_u32(buf, cursor, &entries[i]);
	}
	return ret;
}

static int pull_data(const struct codec_field *field,
		     const uint8_t *buf,
		     struct codec_cursor *cursor,
		     void *object)
{
	size_t size = left(cursor);
	const uint8_t *data;
	size_t at;

	if (size > field->max || !take(cursor, size, &at)) {
		return EBADMSG;
	}
	data = buf + at;
	STORE(object, field->offset, &data);
	STORE(object, field->count_offset, &size);
	return 0;
}

static int pull_field(TALLOC_CTX *mem_ctx,
		      const struct codec_field *field,
		      const uint8_t *buf,
		      struct codec_cursor *cursor,
		      void *object)
{
	struct mirror_handle handle = { .length = 0 };
	uint32_t u32;
	uint64_t u64;
	int ret;

	switch (field->kind) {
	case CODEC_U32:
		ret = pull_u32(buf, cursor, &u32);
		STORE(object, field->offset, &u32);
		return ret;
	case CODEC_U64:
		ret = pull_u64(buf, cursor, &u64);
		STORE(object, field->offset, &u64);
		return ret;
	case CODEC_ID:
		return pull_bytes(buf, cursor,
				  (uint8_t *)object + field->offset,
				  MIRROR_ID_SIZE);
	case CODEC_HANDLE:
		ret = pull_handle(buf, cursor, &handle);
		STORE(object, field->offset, &handle);
		return ret;
	case CODEC_TEXT:
	case CODEC_STRING:
	case CODEC_NAME:
	case CODEC_MAYBE_NAME:
		return pull_string(mem_ctx, field, buf, cursor, object);
	case CODEC_ARRAY:
		return pull_array(mem_ctx, field, buf, cursor, object);
	case CODEC_DATA:
		return pull_data(field, buf, cursor, object);
	case CODEC_END:
		break;
	}
	return EBADMSG;
}

int codec_pull(TALLOC_CTX *mem_ctx,
	       const struct codec_field *fields,
	       const uint8_t *buf,
	       struct codec_cursor *cursor,
	       void *object)
{
	int ret = 0;

	for (; ret == 0 && fields->kind != CODEC_END; fields++) {
		ret = pull_field(mem_ctx, fields, buf, cursor, object);
	}
	return ret;
}

size_t codec_data(const struct codec_field *fields,
		  const void *object,
		  const uint8_t **data)
{
	size_t size = 0;

	*data = NULL;
	for (; fields->kind != CODEC_END; fields++) {
		if (fields->kind == CODEC_DATA) {
			LOAD(object, fields->offset, data);
			LOAD(object, fields->count_offset, &size);
		}
	}
	return size;
}

int codec_pull_end(const struct codec_cursor *cursor)
{
	return left(cursor) == 0 ? 0 : EBADMSG;
}

void codec_release(const struct codec_field *fields, void *object)
{
	void *allocated;

	for (; fields->kind != CODEC_END; fields++) {
		switch (fields->kind) {
		case CODEC_TEXT:
		case CODEC_STRING:
		case CODEC_NAME:
		case CODEC_MAYBE_NAME:
		case CODEC_ARRAY:
			LOAD(object, fields->offset, &allocated);
			TALLOC_FREE(allocated);
			STORE(object, fields->offset, &allocated);
			break;
		default:
			break;
		}
	}
}

static char *describe_handle(char *string, const struct mirror_handle *handle)
{
	uint8_t i;

	string = talloc_asprintf_append_buffer(string, "%u:", handle->type);
	for (i = 0; i < handle->length; i++) {
		string = talloc_asprintf_append_buffer(string, "%02x",
						       handle->bytes[i]);
	}
	return string;
}

/* Whatever is in it, it stays one line and its quotes stay its own. */
static char *describe_string(char *string, const char *value)
{
	string = talloc_strdup_append_buffer(string, "\"");
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;
		bool plain = c >= ' ' && c != 0x7f && c != '"' && c != '\\';

		string = talloc_asprintf_append_buffer(
			string, plain ? "%c" : "\\x%02x", c);
	}
	return talloc_strdup_append_buffer(string, "\"");
}

static char *describe_field(char *string,
			    const struct codec_field *field,
			    const void *object)
{
	char id_string[MIRROR_ID_STRING_SIZE];
	struct mirror_handle handle;
	struct mirror_id id;
	uint32_t u32;
	uint64_t u64;
	size_t size;

	switch (field->kind) {
	case CODEC_U32:
		LOAD(object, field->offset, &u32);
		return talloc_asprintf_append_buffer(string, "%" PRIu32, u32);
	case CODEC_U64:
		LOAD(object, field->offset, &u64);
		return talloc_asprintf_append_buffer(string, "%" PRIu64, u64);
	case CODEC_ID:
		LOAD(object, field->offset, &id);
		return talloc_strdup_append_buffer(
			string, mirror_id_string(&id, id_string));
	case CODEC_HANDLE:
		LOAD(object, field->offset, &handle);
		return describe_handle(string, &handle);
	case CODEC_TEXT:
	case CODEC_STRING:
	case CODEC_NAME:
	case CODEC_MAYBE_NAME:
		return describe_string(string, load_string(field, object));
	case CODEC_ARRAY:
		LOAD(object, field->count_offset, &u32);
		return talloc_asprintf_append_buffer(string, "[%" PRIu32 "]",
						     u32);
	case CODEC_DATA:
		LOAD(object, field->count_offset, &size);
		return talloc_asprintf_append_buffer(string, "%zu bytes",
						     size);
	case CODEC_END:
		break;
	}
	return string;
}

char *codec_describe(char *string,
		     const struct codec_field *fields,
		     const void *object)
{
	for (; string != NULL && fields->kind != CODEC_END; fields++) {
		string = talloc_asprintf_append_buffer(string, " %s=",
						       fields->label);
		if (string != NULL) {
			string = describe_field(string, fields, object);
		}
	}
	return string;
}
