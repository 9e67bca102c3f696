/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames that tell connections, and tickles: golden, round trip, bounds. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "connections.h"

static const struct net_mac mac_a = { { 2, 0, 0, 0, 0, 1 } };
static const struct net_mac mac_b = { { 2, 0, 0, 0, 0, 2 } };

static struct connection connection(const char *address, const char *client)
{
	struct connection row = { .port = 445, .client_port = 50000 };

	assert_true(net_address_parse(address, &row.address));
	assert_true(net_address_parse(client, &row.client));
	return row;
}

static void assert_hex(const uint8_t *data, size_t length, const char *hex)
{
	char text[2 * BEACON_FRAME_MAX + 1];
	size_t i;

	for (i = 0; i < length; i++) {
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	}
	assert_string_equal(text, hex);
}

static void test_golden_tickles(void **state)
{
	struct connection row = connection("10.77.0.200", "10.77.0.100");
	uint8_t packet[BEACON_FRAME_MAX];
	size_t length = connections_tickle_packet(packet, &row);

	assert_hex(packet, length,
		   "45000028000000004006650b0a4d00c80a4d0064"
		   "01bdc3500000000000000000501004d2d02f0000");
	row = connection("fd77::200", "fd77::100");
	length = connections_tickle_packet(packet, &row);
	assert_hex(packet, length,
		   "6000000000140640"
		   "fd770000000000000000000000000200"
		   "fd770000000000000000000000000100"
		   "01bdc3500000000000000000501004d2e8050000");
}

static struct connections_frame full(void)
{
	struct connections_frame list = {
		.part = 1, .parts = 3, .node = 1,
		.session = 0x1122334455667788, .sequence = 7,
		.for_session = 0x99aabbccddeeff01,
		.count = CONNECTIONS_ROWS,
	};
	uint32_t i;

	for (i = 0; i < list.count; i++) {
		list.rows[i] = i % 2 == 0 ?
			connection("10.77.0.200", "10.77.0.100") :
			connection("fd77::200", "fd77::100");
		list.rows[i].client_port = i;
	}
	return list;
}

static void test_round_trip(void **state)
{
	struct connections_frame list = full();
	struct connections_frame back;
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length = connections_push(frame, &list, &mac_a, &mac_b);
	uint32_t i;

	assert_true(length > 0 && length + 32 <= BEACON_FRAME_MAX);
	assert_int_equal(connections_pull(frame, length, &back), 0);
	assert_int_equal(back.part, 1);
	assert_int_equal(back.parts, 3);
	assert_int_equal(back.node, 1);
	assert_true(back.session == list.session);
	assert_true(back.sequence == 7);
	assert_true(back.for_session == list.for_session);
	assert_int_equal(back.count, list.count);
	for (i = 0; i < list.count; i++) {
		assert_true(net_address_same(&back.rows[i].address,
					     &list.rows[i].address));
		assert_true(net_address_same(&back.rows[i].client,
					     &list.rows[i].client));
		assert_int_equal(back.rows[i].port, 445);
		assert_int_equal(back.rows[i].client_port, i);
	}
}

static void test_golden_frame(void **state)
{
	struct connections_frame list = full();
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length;

	list.count = 1;
	length = connections_push(frame, &list, &mac_a, &mac_b);
	assert_hex(frame, length,
		   "020000000001" "020000000002" "88b5"
		   "534d4243" "01" "01" "03" "01" "00000001"
		   "1122334455667788" "0000000000000007" "99aabbccddeeff01"
		   "0200" "01bd" "0000"
		   "0a4d00c8000000000000000000000000"
		   "0a4d0064000000000000000000000000");
}

static void test_every_shorter_frame_is_refused(void **state)
{
	struct connections_frame list = full();
	struct connections_frame back;
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length = connections_push(frame, &list, &mac_a, &mac_b);
	size_t i;

	for (i = 0; i < length; i++) {
		assert_int_equal(connections_pull(frame, i, &back), EBADMSG);
	}
}

static void test_wrong_fields(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} rows[] = {
		{ 14, 'X' },			/* magic */
		{ 18, 2 },			/* version */
		{ 19, 3 },			/* part of 3 */
		{ 20, 0 },			/* of none */
		{ 21, CONNECTIONS_ROWS + 1 },
		{ 50, 3 },			/* family */
		{ 51, 1 },
	};
	struct connections_frame list = full();
	struct connections_frame back;
	uint8_t frame[BEACON_FRAME_MAX];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t length = connections_push(frame, &list, &mac_a,
						 &mac_b);

		frame[rows[i].offset] = rows[i].value;
		assert_int_equal(connections_pull(frame, length, &back),
				 EBADMSG);
	}
	list.count = CONNECTIONS_ROWS + 1;
	assert_int_equal(connections_push(frame, &list, &mac_a, &mac_b), 0);
}

static void test_longer_frames_are_refused(void **state)
{
	struct connections_frame list = full();
	struct connections_frame back;
	uint8_t frame[BEACON_FRAME_MAX] = { 0 };
	size_t length;

	list.count = 0;
	length = connections_push(frame, &list, &mac_a, &mac_b);
	assert_int_equal(connections_pull(frame, length, &back), 0);
	assert_int_equal(connections_pull(frame, length + 1, &back),
			 EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_tickles),
		cmocka_unit_test(test_golden_frame),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_shorter_frame_is_refused),
		cmocka_unit_test(test_wrong_fields),
		cmocka_unit_test(test_longer_frames_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
