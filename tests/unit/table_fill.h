/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What tests of tables need: values for every field, made from the table, so
 * that a new row is tested without anybody writing a test for it.
 *
 * Included by one test program each, so all is static.
 */

#ifndef TEST_TABLE_FILL_H
#define TEST_TABLE_FILL_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "codec.h"
#include "mirror_id.h"

/* xorshift64*: the same numbers everywhere, for ever. */
struct table_random {
	uint64_t state;
};

static uint64_t table_next(struct table_random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(2685821657736338717);
}

/* Below limit; often small, and sometimes as large as it can be. */
static size_t table_length(struct table_random *random, size_t limit)
{
	uint64_t kind = table_next(random) % 8;

	if (kind == 0) {
		return limit;
	}
	if (limit > 40) {
		limit = 40;
	}
	return kind == 1 ? 0 : table_next(random) % (limit + 1);
}

static char *table_string(TALLOC_CTX *mem_ctx,
			  const struct codec_field *field,
			  struct table_random *random)
{
	size_t length = table_length(random, field->max);
	bool empty = field->kind == CODEC_TEXT ||
		     field->kind == CODEC_MAYBE_NAME;
	char *string;
	size_t i;

	if (length == 0 && !empty) {
		length = 1;
	}
	string = talloc_zero_array(mem_ctx, char, length + 1);
	for (i = 0; i < length; i++) {
		char c = (char)table_next(random);

		/* No zero, nothing that a name must not have. */
		string[i] = c == '\0' || c == '/' || c == '.' ? 'x' : c;
	}
	return string;
}

#define TABLE_AT(type, object, offset) \
	((type *)(void *)((uint8_t *)(object) + (offset)))

static void table_fill_field(TALLOC_CTX *mem_ctx,
			     const struct codec_field *field,
			     void *object,
			     size_t data_limit,
			     struct table_random *random)
{
	struct mirror_handle *handle;
	uint32_t *entries;
	uint8_t *bytes;
	size_t length;
	size_t i;

	switch (field->kind) {
	case CODEC_U32:
		*TABLE_AT(uint32_t, object, field->offset) =
			(uint32_t)table_next(random);
		break;
	case CODEC_U64:
		*TABLE_AT(uint64_t, object, field->offset) =
			table_next(random);
		break;
	case CODEC_ID:
		bytes = TABLE_AT(uint8_t, object, field->offset);
		for (i = 0; i < MIRROR_ID_SIZE; i++) {
			bytes[i] = (uint8_t)table_next(random);
		}
		break;
	case CODEC_HANDLE:
		handle = TABLE_AT(struct mirror_handle, object, field->offset);
		*handle = (struct mirror_handle){ .length = 0 };
		handle->length = (uint8_t)table_length(random,
						       MIRROR_HANDLE_MAX);
		handle->type = handle->length == 0 ?
			0 : (uint8_t)table_next(random);
		for (i = 0; i < handle->length; i++) {
			handle->bytes[i] = (uint8_t)table_next(random);
		}
		break;
	case CODEC_TEXT:
	case CODEC_STRING:
	case CODEC_NAME:
	case CODEC_MAYBE_NAME:
		*TABLE_AT(char *, object, field->offset) =
			table_string(mem_ctx, field, random);
		break;
	case CODEC_ARRAY:
		length = table_length(random, field->max);
		entries = talloc_array(mem_ctx, uint32_t, length + 1);
		for (i = 0; i < length; i++) {
			entries[i] = (uint32_t)table_next(random);
		}
		*TABLE_AT(uint32_t *, object, field->offset) =
			length == 0 ? NULL : entries;
		*TABLE_AT(uint32_t, object, field->count_offset) =
			(uint32_t)length;
		break;
	case CODEC_DATA:
		length = table_length(random, data_limit);
		bytes = talloc_array(mem_ctx, uint8_t, length + 1);
		for (i = 0; i < length; i++) {
			bytes[i] = (uint8_t)table_next(random);
		}
		*TABLE_AT(uint8_t *, object, field->offset) = bytes;
		*TABLE_AT(size_t, object, field->count_offset) = length;
		break;
	case CODEC_END:
		break;
	}
}

static void table_fill(TALLOC_CTX *mem_ctx,
		       const struct codec_field *fields,
		       void *object,
		       size_t data_limit,
		       struct table_random *random)
{
	for (; fields->kind != CODEC_END; fields++) {
		table_fill_field(mem_ctx, fields, object, data_limit, random);
	}
}

static bool table_field_equal(const struct codec_field *field,
			      const void *a,
			      const void *b)
{
	const uint8_t *field_a = (const uint8_t *)a + field->offset;
	const uint8_t *field_b = (const uint8_t *)b + field->offset;
	const void *pointer_a;
	const void *pointer_b;
	size_t size_a;
	size_t size_b;

	switch (field->kind) {
	case CODEC_U32:
		return memcmp(field_a, field_b, sizeof(uint32_t)) == 0;
	case CODEC_U64:
		return memcmp(field_a, field_b, sizeof(uint64_t)) == 0;
	case CODEC_ID:
		return memcmp(field_a, field_b, MIRROR_ID_SIZE) == 0;
	case CODEC_HANDLE:
		return memcmp(field_a, field_b,
			      sizeof(struct mirror_handle)) == 0;
	default:
		break;
	}
	memcpy(&pointer_a, field_a, sizeof(pointer_a));
	memcpy(&pointer_b, field_b, sizeof(pointer_b));
	if (field->kind == CODEC_ARRAY) {
		uint32_t count_a;
		uint32_t count_b;

		memcpy(&count_a, (const uint8_t *)a + field->count_offset,
		       sizeof(count_a));
		memcpy(&count_b, (const uint8_t *)b + field->count_offset,
		       sizeof(count_b));
		size_a = count_a * sizeof(uint32_t);
		size_b = count_b * sizeof(uint32_t);
	} else if (field->kind == CODEC_DATA) {
		memcpy(&size_a, (const uint8_t *)a + field->count_offset,
		       sizeof(size_a));
		memcpy(&size_b, (const uint8_t *)b + field->count_offset,
		       sizeof(size_b));
	} else {
		return strcmp(pointer_a, pointer_b) == 0;
	}
	if (size_a != size_b) {
		return false;
	}
	return size_a == 0 || memcmp(pointer_a, pointer_b, size_a) == 0;
}

static bool table_equal(const struct codec_field *fields,
			const void *a,
			const void *b)
{
	for (; fields->kind != CODEC_END; fields++) {
		if (!table_field_equal(fields, a, b)) {
			fprintf(stderr, "%s differs\n", fields->label);
			return false;
		}
	}
	return true;
}

#endif /* TEST_TABLE_FILL_H */
