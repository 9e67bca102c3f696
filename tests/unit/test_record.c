/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/record.c and codec.c (R6), walking the table. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "record.h"
#include "golden.h"
#include "table_fill.h"

#define ROUNDS 50

/* A record of this type with something in all its fields. */
static struct record make(TALLOC_CTX *mem_ctx,
			  enum record_type type,
			  size_t data_limit,
			  struct table_random *random)
{
	struct record record = { .type = 0 };

	table_fill(mem_ctx, record_common_fields(), &record, 0, random);
	table_fill(mem_ctx, record_fields(type), &record, data_limit, random);
	record.type = type;
	return record;
}

/* Head and data in one, as the partner gets it. */
static uint8_t *encode(TALLOC_CTX *mem_ctx,
		       const struct record *record,
		       size_t *length)
{
	uint8_t *head;
	uint8_t *all;
	size_t head_length;

	assert_int_equal(record_encode(mem_ctx, record, &head, &head_length),
			 0);
	assert_true(head_length <= record_head_bound(record));
	*length = head_length + record->data_length;
	all = talloc_array(mem_ctx, uint8_t, *length);
	memcpy(all, head, head_length);
	if (record->data_length != 0) {
		memcpy(all + head_length, record->data, record->data_length);
	}
	return all;
}

/*
 * EBADMSG, or a record with exactly this encoding. The copy has no byte to
 * spare, so that a sanitizer sees every byte read beyond it.
 */
static void check_any(const uint8_t *bytes, size_t length)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	TALLOC_CTX *out = talloc_new(mem_ctx);
	uint8_t *copy = malloc(length != 0 ? length : 1);
	struct record record;
	int ret;

	memcpy(copy, bytes, length);
	ret = record_decode(out, copy, length, &record);
	if (ret == 0) {
		size_t again_length;
		uint8_t *again = encode(mem_ctx, &record, &again_length);

		assert_int_equal(again_length, length);
		assert_memory_equal(again, bytes, length);
		assert_non_null(record_describe(mem_ctx, &record));
	} else {
		assert_int_equal(ret, EBADMSG);
		assert_int_equal(talloc_total_blocks(out), 1);
		assert_null(record.name);
	}
	free(copy);
	talloc_free(mem_ctx);
}

static void test_round_trip(void **state)
{
	struct table_random random = { .state = 1 };
	enum record_type type;
	int round;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		for (round = 0; round < ROUNDS; round++) {
			TALLOC_CTX *mem_ctx = talloc_new(NULL);
			struct record in = make(mem_ctx, type, 5000, &random);
			struct record out;
			enum record_type peeked;
			uint64_t sequence;
			uint64_t epoch;
			uint8_t *bytes;
			size_t length;

			bytes = encode(mem_ctx, &in, &length);
			assert_int_equal(record_decode(mem_ctx, bytes, length,
						       &out), 0);
			assert_true(table_equal(record_common_fields(), &in,
						&out));
			assert_true(table_equal(record_fields(type), &in,
						&out));
			assert_int_equal(record_peek(bytes, length, &peeked,
						     &sequence, &epoch), 0);
			assert_int_equal(peeked, type);
			assert_true(sequence == in.sequence);
			assert_true(epoch == in.epoch);
			talloc_free(mem_ctx);
		}
	}
}

static void test_every_type_has_a_row(void **state)
{
	enum record_type type;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		assert_non_null(record_fields(type));
		assert_string_not_equal(record_type_name(type), "unknown");
	}
	assert_null(record_fields(0));
	assert_null(record_fields(RECORD_TYPE_END));
	assert_null(record_fields((enum record_type)-1));
	assert_string_equal(record_type_name(RECORD_TYPE_END), "unknown");
}

static void test_golden(void **state)
{
	enum record_type type;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx = talloc_new(NULL);
		/* Of each type another, but none of the longest. */
		struct table_random random = { .state = 1000 + type };
		struct record record;
		uint8_t *bytes;
		size_t length;
		char *name;

		do {
			record = make(mem_ctx, type, 40, &random);
			bytes = encode(mem_ctx, &record, &length);
		} while (length > 500);
		name = talloc_asprintf(mem_ctx, "record-%s",
				       record_type_name(type));
		golden_check(mem_ctx, name,
			     record_describe(mem_ctx, &record), bytes, length);
		talloc_free(mem_ctx);
	}
}

static void test_truncated(void **state)
{
	struct table_random random = { .state = 3 };
	enum record_type type;
	size_t i;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx = talloc_new(NULL);
		struct record record;
		struct record out;
		uint8_t *bytes;
		size_t length;

		do {
			record = make(mem_ctx, type, 40, &random);
			bytes = encode(mem_ctx, &record, &length);
		} while (length > 1000);
		for (i = 0; i < length; i++) {
			check_any(bytes, i);
		}
		/* All but the data has to be there. */
		for (i = 0; i < length - record.data_length; i++) {
			assert_int_equal(record_decode(mem_ctx, bytes, i,
						       &out), EBADMSG);
		}
		talloc_free(mem_ctx);
	}
}

static void test_bit_flips(void **state)
{
	struct table_random random = { .state = 4 };
	enum record_type type;
	size_t i;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx = talloc_new(NULL);
		struct record record;
		uint8_t *bytes;
		size_t length;

		do {
			record = make(mem_ctx, type, 40, &random);
			bytes = encode(mem_ctx, &record, &length);
		} while (length > 1000);
		for (i = 0; i < 8 * length; i++) {
			bytes[i / 8] ^= (uint8_t)(1 << (i % 8));
			check_any(bytes, length);
			bytes[i / 8] ^= (uint8_t)(1 << (i % 8));
		}
		talloc_free(mem_ctx);
	}
}

static void test_trailing_garbage(void **state)
{
	struct table_random random = { .state = 5 };
	enum record_type type;

	for (type = 1; type < RECORD_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx = talloc_new(NULL);
		struct record record = make(mem_ctx, type, 40, &random);
		const uint8_t *data;
		struct record out;
		uint8_t *bytes;
		size_t length;

		bytes = encode(mem_ctx, &record, &length);
		bytes = talloc_realloc(mem_ctx, bytes, uint8_t, length + 1);
		bytes[length] = 0;
		codec_data(record_fields(type), &record, &data);
		assert_int_equal(record_decode(mem_ctx, bytes, length + 1,
					       &out),
				 data != NULL ? 0 : EBADMSG);
		talloc_free(mem_ctx);
	}
}

static const struct {
	const char *name;
	int in_directory;	/* what encoding such a name gives */
	int elsewhere;		/* as a symlink's target, an xattr's name */
} names[] = {
	{ "file", 0, 0 },
	{ "", EINVAL, EINVAL },
	{ ".", EINVAL, 0 },
	{ "..", EINVAL, 0 },
	{ "...", 0, 0 },
	{ ".hidden", 0, 0 },
	{ "..x", 0, 0 },
	{ "/", EINVAL, 0 },
	{ "a/b", EINVAL, 0 },
	{ "../../etc/passwd", EINVAL, 0 },
	{ "\xff\xfe not UTF-8 \n", 0, 0 },
	{ NULL, EINVAL, EINVAL },
};

static void test_names(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	uint8_t *head;
	size_t length;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct record record = {
			.type = RECORD_UNLINK,
			.name = names[i].name,
		};
		struct record target = {
			.type = RECORD_SYMLINK,
			.name = "link",
			.name2 = names[i].name,
		};
		struct record xattr = {
			.type = RECORD_REMOVEXATTR,
			.name = names[i].name,
		};

		assert_int_equal(record_encode(mem_ctx, &record, &head,
					       &length),
				 names[i].in_directory);
		assert_int_equal(record_encode(mem_ctx, &target, &head,
					       &length), names[i].elsewhere);
		assert_int_equal(record_encode(mem_ctx, &xattr, &head,
					       &length), names[i].elsewhere);
	}
	talloc_free(mem_ctx);
}

/* Forbidden names do not come in by the wire, either. */
static void test_forged_names(void **state)
{
	static const char *const forged[] = { "..", "a/", "x\0", "/b" };
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct record record = { .type = RECORD_UNLINK, .name = "@@" };
	struct record out;
	uint8_t *bytes;
	uint8_t *at;
	size_t length;
	size_t i;

	bytes = encode(mem_ctx, &record, &length);
	at = memmem(bytes, length, "@@", 2);
	assert_non_null(at);
	for (i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		memcpy(at, forged[i], 2);
		assert_int_equal(record_decode(mem_ctx, bytes, length, &out),
				 EBADMSG);
	}
	memcpy(at, "ok", 2);
	assert_int_equal(record_decode(mem_ctx, bytes, length, &out), 0);
	assert_string_equal(out.name, "ok");
	talloc_free(mem_ctx);
}

static void test_bounds(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct record record = { .type = RECORD_WRITE };
	uint8_t *head;
	size_t length;

	record.data = (const uint8_t *)"";
	record.data_length = RECORD_DATA_MAX;
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length), 0);
	record.data_length++;
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EMSGSIZE);

	record = (struct record){ .type = RECORD_CHMOD };
	record.credentials.num_groups = RECORD_GROUPS_MAX;
	record.credentials.groups =
		talloc_zero_array(mem_ctx, uint32_t, RECORD_GROUPS_MAX + 1);
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length), 0);
	record.credentials.num_groups++;
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EMSGSIZE);

	record = (struct record){ .type = RECORD_CHMOD };
	record.object_hint.length = MIRROR_HANDLE_MAX + 1;
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EMSGSIZE);

	record = (struct record){ .type = RECORD_CHMOD };
	record.data = (const uint8_t *)"x";
	record.data_length = 1;
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EINVAL);

	record = (struct record){ .type = RECORD_UNLINK };
	record.name = talloc_zero_array(mem_ctx, char, RECORD_NAME_MAX + 2);
	memset(talloc_get_type_abort(record.name, char), 'n',
	       RECORD_NAME_MAX);
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length), 0);
	memset(talloc_get_type_abort(record.name, char), 'n',
	       RECORD_NAME_MAX + 1);
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EMSGSIZE);

	record = (struct record){ .type = RECORD_TYPE_END };
	assert_int_equal(record_encode(mem_ctx, &record, &head, &length),
			 EINVAL);
	assert_int_equal(record_head_bound(&record), 0);
	talloc_free(mem_ctx);
}

/* Nothing replaces talloc_set_memlimit(). */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* A count that is a lie costs no memory. */
static void test_forged_count(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct record record = { .type = RECORD_CHMOD };
	struct record out;
	uint8_t *bytes;
	size_t length;
	/* type, sequence, epoch, time, uid, gid, umask */
	size_t count = 4 + 8 + 8 + 12 + 12;

	bytes = encode(mem_ctx, &record, &length);
	/* Else an allocation is what fails. */
	talloc_set_memlimit(mem_ctx, talloc_total_size(mem_ctx) + 16384);
	bytes[count + 2] = 1;	/* 65536, as many as there can be */
	assert_int_equal(record_decode(mem_ctx, bytes, length, &out), EBADMSG);
	bytes[count + 3] = 0xff;
	assert_int_equal(record_decode(mem_ctx, bytes, length, &out), EBADMSG);
	talloc_free(mem_ctx);
}

static void test_peek(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct record record = { .type = RECORD_CHMOD };
	enum record_type type;
	uint64_t sequence;
	uint64_t epoch;
	uint8_t *bytes;
	size_t length;

	bytes = encode(mem_ctx, &record, &length);
	assert_int_equal(record_peek(bytes, 20, &type, &sequence, &epoch), 0);
	assert_int_equal(record_peek(bytes, 19, &type, &sequence, &epoch),
			 EBADMSG);
	assert_int_equal(record_peek(NULL, 0, &type, &sequence, &epoch),
			 EBADMSG);
	bytes[0] = RECORD_TYPE_END;
	assert_int_equal(record_peek(bytes, length, &type, &sequence, &epoch),
			 EBADMSG);
	talloc_free(mem_ctx);
}

static void test_describe(void **state)
{
	struct record record = {
		.type = RECORD_REMOVEXATTR,
		.sequence = 7,
		.name = "a\"b\n\\",
	};
	char *line = record_describe(NULL, &record);

	assert_string_equal(line,
			    "removexattr #7 "
			    "object=00000000000000000000000000000000 "
			    "object_hint=0: name=\"a\\x22b\\x0a\\x5c\"");
	talloc_free(line);
	record.type = RECORD_TYPE_END;
	line = record_describe(NULL, &record);
	assert_string_equal(line, "unknown #7");
	talloc_free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_has_a_row),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_trailing_garbage),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_forged_names),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_forged_count),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
