/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beacons as frames: golden, round trip, bounds (R6). */

#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <gnutls/crypto.h>
#include "beacon.h"
#include "golden.h"

#define HEAD 14			/* of Ethernet */
#define MAC 32

static const uint8_t secret[16] = "sixteen bytes :)";

static struct beacon_key *make_key(TALLOC_CTX *mem_ctx)
{
	struct beacon_key *key;

	assert_int_equal(beacon_key_derive(mem_ctx, secret, sizeof(secret),
					   &key), 0);
	return key;
}

/* What beacon.h says of the HMAC, once more. */
static void sign(uint8_t *frame, size_t body)
{
	static const char what[] = "samba-mirror beacon 1";
	uint8_t derived[MAC];

	assert_int_equal(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret,
					  sizeof(secret), what,
					  sizeof(what) - 1, derived), 0);
	assert_int_equal(gnutls_hmac_fast(GNUTLS_MAC_SHA256, derived,
					  sizeof(derived), frame + HEAD, body,
					  frame + HEAD + body), 0);
}

static struct beacon example(void)
{
	struct beacon beacon = {
		.flags = 0, .node = 1, .interface = 3,
		.session = UINT64_C(0x1122334455667788), .sequence = 1000,
		.count = 250, .mac = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } },
		.num_hearings = 2,
		.hearings = {
			{ .node = 0, .interface = 3, .their_interface = 2,
			  .session = UINT64_C(0xa1a2a3a4a5a6a7a8),
			  .sequence = 999, .age_us = 25000 },
			{ .node = 0, .interface = 4, .their_interface = 5,
			  .session = 1, .sequence = UINT64_MAX,
			  .age_us = UINT32_MAX },
		},
		.num_addresses = 2,
		.addresses = {
			{ .state = BEACON_HELD, .node = NET_NOBODY },
			{ .state = BEACON_PASSING, .node = 0 },
		},
	};

	assert_true(net_address_parse("10.0.0.5",
				      &beacon.addresses[0].address));
	assert_true(net_address_parse("fd00::5",
				      &beacon.addresses[1].address));
	return beacon;
}

static struct beacon full(void)
{
	struct beacon beacon = example();
	uint32_t i;

	beacon.flags = BEACON_BYE;
	for (i = 0; i < BEACON_HEARINGS_MAX; i++) {
		beacon.hearings[i] = beacon.hearings[0];
		beacon.hearings[i].node = i;
	}
	for (i = 0; i < BEACON_ADDRESSES_MAX; i++) {
		beacon.addresses[i] = beacon.addresses[i % 2];
		beacon.addresses[i].address.bytes[3] = (uint8_t)i;
	}
	beacon.num_hearings = BEACON_HEARINGS_MAX;
	beacon.num_addresses = BEACON_ADDRESSES_MAX;
	return beacon;
}

static void assert_same(const struct beacon *a, const struct beacon *b)
{
	uint32_t i;

	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->node, b->node);
	assert_int_equal(a->interface, b->interface);
	assert_int_equal(a->session, b->session);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->count, b->count);
	assert_true(net_mac_same(&a->mac, &b->mac));
	assert_int_equal(a->num_hearings, b->num_hearings);
	assert_int_equal(a->num_addresses, b->num_addresses);
	for (i = 0; i < a->num_hearings; i++) {
		const struct beacon_hearing *x = &a->hearings[i];
		const struct beacon_hearing *y = &b->hearings[i];

		assert_int_equal(x->node, y->node);
		assert_int_equal(x->interface, y->interface);
		assert_int_equal(x->their_interface, y->their_interface);
		assert_int_equal(x->session, y->session);
		assert_int_equal(x->sequence, y->sequence);
		assert_int_equal(x->age_us, y->age_us);
	}
	for (i = 0; i < a->num_addresses; i++) {
		assert_int_equal(a->addresses[i].state, b->addresses[i].state);
		assert_int_equal(a->addresses[i].node, b->addresses[i].node);
		assert_memory_equal(&a->addresses[i].address,
				    &b->addresses[i].address,
				    sizeof(struct net_address));
	}
}

static void test_golden(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon beacon = example();
	uint8_t frame[BEACON_FRAME_MAX];
	uint8_t again[BEACON_FRAME_MAX];
	size_t length = beacon_push(make_key(mem_ctx), &beacon, frame);

	golden_check(mem_ctx, "frame-beacon",
		     "node 1 holds 10.0.0.5, passes fd00::5 for node 0",
		     frame, length);
	/* The HMAC is what beacon.h says. */
	memcpy(again, frame, length);
	sign(again, length - HEAD - MAC);
	assert_memory_equal(frame, again, length);
	talloc_free(mem_ctx);
}

static void test_round_trip(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon_key *key = make_key(mem_ctx);
	struct beacon beacons[] = { example(), full() };
	uint8_t frame[BEACON_FRAME_MAX];
	struct beacon out;
	size_t length;
	size_t i;

	for (i = 0; i < 2; i++) {
		length = beacon_push(key, &beacons[i], frame);
		assert_in_range(length, 100, BEACON_FRAME_MAX);
		assert_int_equal(beacon_pull(key, frame, length, &out), 0);
		assert_same(&beacons[i], &out);
		/* Padding is not looked at. */
		assert_int_equal(beacon_pull(key, frame, sizeof(frame), &out),
				 0);
	}
	talloc_free(mem_ctx);
}

/* Each byte and each length: no bit can be changed, nothing cut off. */
static void test_changed(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon_key *key = make_key(mem_ctx);
	struct beacon beacon = example();
	struct beacon out;
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length = beacon_push(key, &beacon, frame);
	size_t i;

	for (i = 12; i < length; i++) {
		uint8_t *copy = talloc_memdup(mem_ctx, frame, length);
		int ret;

		copy[i] ^= 0x10;
		ret = beacon_pull(key, copy, length, &out);
		assert_true(ret == EACCES || (ret == EBADMSG && i < HEAD + 8));
		talloc_free(copy);
	}
	for (i = 0; i < length; i++) {
		/* Of its own size, so that a read behind it is seen. */
		uint8_t *copy = talloc_memdup(mem_ctx, frame, i);

		assert_int_equal(beacon_pull(key, copy, i, &out), EBADMSG);
		talloc_free(copy);
	}
	talloc_free(mem_ctx);
}

static void test_other_key(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon_key *key = make_key(mem_ctx);
	struct beacon_key *other;
	struct beacon beacon = example();
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length = beacon_push(key, &beacon, frame);
	uint8_t bytes[16];

	memcpy(bytes, secret, sizeof(bytes));
	bytes[15] ^= 1;
	assert_int_equal(beacon_key_derive(mem_ctx, bytes, 16, &other), 0);
	assert_int_equal(beacon_pull(other, frame, length, &beacon), EACCES);
	assert_int_equal(beacon_pull(key, frame, length, &beacon), 0);
	talloc_free(mem_ctx);
}

/* Right HMAC, wrong inside. */
static void test_refused(void **state)
{
	static const struct {
		size_t at;	/* in the frame */
		uint8_t value;
	} rows[] = {
		{ 4, 2 },			/* version */
		{ 6, 0x0f },			/* size: more than there is */
		{ 7, 7 },			/* size: not even the head */
		{ 7, 0xff },
		{ 15, 0 },			/* interface 0, see below */
		{ 40, 1 },			/* a group's MAC */
		{ 46, 3 },			/* another hearing */
		{ 46, 1 },			/* one less: bytes are left */
		{ 46, BEACON_HEARINGS_MAX + 1 },
		{ 46, 255 },
		{ 47, 3 },
		{ 47, 1 },
		{ 47, BEACON_ADDRESSES_MAX + 1 },
		{ 47, 255 },
		{ 112, 3 },			/* family */
		{ 112, 0 },
		{ 113, 0 },			/* state */
		{ 113, 4 },
		{ 122, 1 },			/* behind an IPv4 address */
	};
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon_key *key = make_key(mem_ctx);
	struct beacon beacon = example();
	struct beacon out;
	uint8_t frame[BEACON_FRAME_MAX];
	uint8_t copy[BEACON_FRAME_MAX];
	size_t length = beacon_push(key, &beacon, frame);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t at = HEAD + rows[i].at;

		memcpy(copy, frame, length);
		assert_int_not_equal(copy[at], rows[i].value);
		copy[at] = rows[i].value;
		sign(copy, length - HEAD - MAC);
		assert_int_equal(beacon_pull(key, copy, length, &out),
				 EBADMSG);
	}
	/* Session 0. */
	memcpy(copy, frame, length);
	memset(copy + HEAD + 16, 0, 8);
	sign(copy, length - HEAD - MAC);
	assert_int_equal(beacon_pull(key, copy, length, &out), EBADMSG);
	/* No MAC. */
	memcpy(copy, frame, length);
	memset(copy + HEAD + 40, 0, 6);
	sign(copy, length - HEAD - MAC);
	assert_int_equal(beacon_pull(key, copy, length, &out), EBADMSG);
	talloc_free(mem_ctx);
}

static void test_not_sent(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	struct beacon_key *key = make_key(mem_ctx);
	uint8_t frame[BEACON_FRAME_MAX];
	struct beacon beacon;

	beacon = example();
	beacon.num_hearings = BEACON_HEARINGS_MAX + 1;
	assert_int_equal(beacon_push(key, &beacon, frame), 0);
	beacon = example();
	beacon.num_addresses = BEACON_ADDRESSES_MAX + 1;
	assert_int_equal(beacon_push(key, &beacon, frame), 0);
	beacon = example();
	beacon.session = 0;
	assert_int_equal(beacon_push(key, &beacon, frame), 0);
	beacon = example();
	beacon.addresses[0].address.family = 0;
	assert_int_equal(beacon_push(key, &beacon, frame), 0);
	talloc_free(mem_ctx);
}

/* A key file is read by the rules of link_key_load(). */
static void test_key_file(void **state)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	char path[] = "/tmp/test_beacon.XXXXXX";
	struct beacon_key *key;
	struct beacon beacon = example();
	uint8_t frame[BEACON_FRAME_MAX];
	char *problem;
	size_t length;
	size_t i;
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	for (i = 0; i < sizeof(secret); i++) {
		assert_true(dprintf(fd, "%02x\n", secret[i]) == 3);
	}
	assert_int_equal(beacon_key_load(mem_ctx, path, &key, &problem), 0);
	length = beacon_push(make_key(mem_ctx), &beacon, frame);
	assert_int_equal(beacon_pull(key, frame, length, &beacon), 0);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(beacon_key_load(mem_ctx, path, &key, &problem),
			 EACCES);
	assert_non_null(strstr(problem, "chmod 600"));
	close(fd);
	unlink(path);
	assert_int_equal(beacon_key_load(mem_ctx, path, &key, &problem),
			 ENOENT);
	assert_non_null(strstr(problem, path));
	talloc_free(mem_ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_sent),
		cmocka_unit_test(test_key_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
