/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of source/common/wire.c (R6), walking the table. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "wire.h"
#include "golden.h"
#include "table_fill.h"

#define ROUNDS 50

static struct message make(TALLOC_CTX *mem_ctx,
			   enum frame_type type,
			   size_t data_limit,
			   struct table_random *random)
{
	struct message message = { .type = type };

	table_fill(mem_ctx, message_fields(type), &message, data_limit,
		   random);
	return message;
}

static uint8_t *encode(TALLOC_CTX *mem_ctx,
		       const struct message *message,
		       size_t *length)
{
	uint8_t *frame;

	assert_int_equal(message_encode(mem_ctx, message, &frame, length), 0);
	return frame;
}

/* EBADMSG, or a message with exactly this encoding. */
static void check_any(enum frame_type type,
		      const uint8_t *payload,
		      size_t length)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	TALLOC_CTX *out = talloc_new(mem_ctx);
	uint8_t *copy = malloc(length != 0 ? length : 1);
	struct message message;
	int ret;

	memcpy(copy, payload, length);
	ret = message_decode(out, type, copy, length, &message);
	if (ret == 0) {
		size_t again_length;
		uint8_t *again = encode(mem_ctx, &message, &again_length);

		assert_int_equal(again_length, length + WIRE_FRAME_HEADER);
		assert_memory_equal(again + WIRE_FRAME_HEADER, payload,
				    length);
	} else {
		assert_int_equal(ret, EBADMSG);
		assert_int_equal(talloc_total_blocks(out), 1);
	}
	free(copy);
	talloc_free(mem_ctx);
}

static void test_round_trip(void **state)
{
	struct table_random random = { .state = 1 };
	enum frame_type type;
	int round;

	for (type = 1; type < FRAME_TYPE_END; type++) {
		if (type == FRAME_RECORD) {
			continue;
		}
		for (round = 0; round < ROUNDS; round++) {
			TALLOC_CTX *mem_ctx = talloc_new(NULL);
			struct message in = make(mem_ctx, type, 5000, &random);
			struct message out;
			enum frame_type header_type;
			uint32_t header_length;
			uint8_t *frame;
			size_t length;

			frame = encode(mem_ctx, &in, &length);
			assert_int_equal(frame_header_pull(frame, &header_type,
							   &header_length), 0);
			assert_int_equal(header_type, type);
			assert_int_equal(header_length,
					 length - WIRE_FRAME_HEADER);
			assert_int_equal(message_decode(
						 mem_ctx, type,
						 frame + WIRE_FRAME_HEADER,
						 header_length, &out), 0);
			assert_int_equal(out.type, type);
			assert_true(table_equal(message_fields(type), &in,
						&out));
			talloc_free(mem_ctx);
		}
	}
}

static void test_every_type_has_a_row(void **state)
{
	enum frame_type type;

	for (type = 1; type < FRAME_TYPE_END; type++) {
		assert_string_not_equal(frame_type_name(type), "unknown");
		assert_int_equal(message_fields(type) == NULL,
				 type == FRAME_RECORD);
	}
	assert_string_equal(frame_type_name(0), "unknown");
	assert_string_equal(frame_type_name(FRAME_TYPE_END), "unknown");
	assert_null(message_fields((enum frame_type)-1));
}

static void test_golden(void **state)
{
	enum frame_type type;

	for (type = 1; type < FRAME_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx;
		struct table_random random = { .state = 2000 + type };
		struct message message;
		uint8_t *frame;
		size_t length;
		char *title;
		char *name;

		if (type == FRAME_RECORD) {
			continue;
		}
		mem_ctx = talloc_new(NULL);
		message = make(mem_ctx, type, 40, &random);
		frame = encode(mem_ctx, &message, &length);
		name = talloc_asprintf(mem_ctx, "message-%s",
				       frame_type_name(type));
		title = codec_describe(
			talloc_strdup(mem_ctx, frame_type_name(type)),
			message_fields(type), &message);
		golden_check(mem_ctx, name, title, frame, length);
		talloc_free(mem_ctx);
	}
}

static void test_damaged(void **state)
{
	struct table_random random = { .state = 3 };
	enum frame_type type;
	size_t i;

	for (type = 1; type < FRAME_TYPE_END; type++) {
		TALLOC_CTX *mem_ctx;
		struct message message;
		uint8_t *frame;
		uint8_t *payload;
		size_t length;

		if (type == FRAME_RECORD) {
			continue;
		}
		mem_ctx = talloc_new(NULL);
		message = make(mem_ctx, type, 40, &random);
		frame = encode(mem_ctx, &message, &length);
		payload = frame + WIRE_FRAME_HEADER;
		length -= WIRE_FRAME_HEADER;
		for (i = 0; i < length; i++) {
			check_any(type, payload, i);
		}
		for (i = 0; i < 8 * length; i++) {
			payload[i / 8] ^= (uint8_t)(1 << (i % 8));
			check_any(type, payload, length);
			payload[i / 8] ^= (uint8_t)(1 << (i % 8));
		}
		talloc_free(mem_ctx);
	}
}

static void test_trailing_garbage(void **state)
{
	static const uint8_t payload[9];
	struct message message;

	assert_int_equal(message_decode(NULL, FRAME_ACK, payload, 8, &message),
			 0);
	assert_int_equal(message_decode(NULL, FRAME_ACK, payload, 9, &message),
			 EBADMSG);
	assert_int_equal(message_decode(NULL, FRAME_RECORD, payload, 9,
					&message), EBADMSG);
	assert_int_equal(message_decode(NULL, FRAME_TYPE_END, payload, 9,
					&message), EBADMSG);
}

/* A volume's name becomes a file's name: it must not lead elsewhere. */
static void test_volume_names(void **state)
{
	static const char *const bad[] = { "..", ".", "a/b", "/etc" };
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct message message;
	uint8_t *frame;
	size_t length;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		message = (struct message){
			.type = FRAME_BEGIN,
			.volume = bad[i],
		};
		assert_int_equal(message_encode(mem_ctx, &message, &frame,
						&length), EINVAL);
		message.type = FRAME_HELLO;
		assert_int_equal(message_encode(mem_ctx, &message, &frame,
						&length), EINVAL);
	}
	message = (struct message){ .type = FRAME_BEGIN };
	assert_int_equal(message_encode(mem_ctx, &message, &frame, &length),
			 EINVAL);

	/* A control link says hello without a volume. */
	message.type = FRAME_HELLO;
	frame = encode(mem_ctx, &message, &length);
	assert_int_equal(message_decode(mem_ctx, FRAME_HELLO,
					frame + WIRE_FRAME_HEADER,
					length - WIRE_FRAME_HEADER, &message),
			 0);
	assert_string_equal(message.volume, "");
	talloc_free(mem_ctx);
}

static void test_header(void **state)
{
	static const struct {
		uint8_t bytes[WIRE_FRAME_HEADER];
		int ret;
	} headers[] = {
		{ { 0, 0, 0, 0, FRAME_HELLO, 0, 0, 0 }, 0 },
		{ { 0, 4, 0, 0, FRAME_HELLO, 0, 0, 0 }, 0 },
		/* small frames are small */
		{ { 1, 4, 0, 0, FRAME_HELLO, 0, 0, 0 }, EBADMSG },
		{ { 1, 4, 0, 0, FRAME_RECORD, 0, 0, 0 }, 0 },
		{ { 0, 0, 0x10, 1, FRAME_RECORD, 0, 0, 0 }, 0 },
		{ { 1, 0, 0x10, 1, FRAME_RECORD, 0, 0, 0 }, EBADMSG },
		{ { 0, 0, 0x10, 0, FRAME_FACTS_TOLD, 0, 0, 0 }, 0 },
		{ { 1, 0, 0x10, 0, FRAME_FACTS_TOLD, 0, 0, 0 }, EBADMSG },
		{ { 255, 255, 255, 255, FRAME_FETCHED, 0, 0, 0 }, EBADMSG },
		{ { 0, 0, 0, 0, 0, 0, 0, 0 }, EBADMSG },
		{ { 0, 0, 0, 0, FRAME_TYPE_END, 0, 0, 0 }, EBADMSG },
		{ { 0, 0, 0, 0, FRAME_HELLO, 1, 0, 0 }, EBADMSG },
		{ { 0, 0, 0, 0, FRAME_HELLO, 0, 1, 0 }, EBADMSG },
		{ { 0, 0, 0, 0, FRAME_HELLO, 0, 0, 1 }, EBADMSG },
		/* a TLS client, a web browser */
		{ { 0x16, 3, 1, 0, 0xfa, 1, 0, 0 }, EBADMSG },
		{ { 'G', 'E', 'T', ' ', '/', ' ', 'H', 'T' }, EBADMSG },
	};
	enum frame_type type;
	uint32_t length;
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		assert_int_equal(frame_header_pull(headers[i].bytes, &type,
						   &length), headers[i].ret);
	}
}

/* Every reason has a text, and no other number crashes. */
static void test_reasons(void **state)
{
	enum refused_reason reason;

	for (reason = REFUSED_VERSION; reason <= REFUSED_BROKEN; reason++) {
		assert_string_not_equal(refused_reason_name(reason),
					"unknown reason");
	}
	assert_string_equal(refused_reason_name(0), "unknown reason");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_has_a_row),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_trailing_garbage),
		cmocka_unit_test(test_volume_names),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
