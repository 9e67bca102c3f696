/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames: golden for what is sent, bounds for what is read (R6). */

#include <sys/socket.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "frame.h"
#include "golden.h"

#define IP 14			/* behind the Ethernet header */
#define ND (IP + 40)
#define UDP (IP + 20)

static const struct net_mac ours = { { 2, 0, 0, 0, 0, 1 } };
static const struct net_mac other = { { 2, 0, 0, 0, 0, 2 } };

static struct net_address parse(const char *text)
{
	struct net_address address;

	assert_true(net_address_parse(text, &address));
	return address;
}

/* ------------------------------------------------------------------ golden */

static void golden(const char *name, const char *title, const uint8_t *frame,
		   size_t length)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);

	golden_check(mem_ctx, name, title, frame, length);
	talloc_free(mem_ctx);
}

static void test_golden(void **state)
{
	struct net_address v4 = parse("10.0.0.5/24");
	struct net_address from = parse("10.0.0.6/24");
	struct net_address v6 = parse("fd00::1:2:3:4567/64");
	uint8_t frame[FRAME_MAX];

	memset(frame, 0xee, sizeof(frame));
	golden("frame-arp-probe", "who has 10.0.0.5? from 0.0.0.0", frame,
	       frame_probe(frame, &v4, &ours));
	memset(frame, 0xee, sizeof(frame));
	golden("frame-arp-request", "10.0.0.5 is at 02:00:00:00:00:01, as a "
	       "request", frame, frame_announcement(frame, &v4, &ours, false));
	memset(frame, 0xee, sizeof(frame));
	golden("frame-arp-reply", "10.0.0.5 is at 02:00:00:00:00:01, as a "
	       "reply", frame, frame_announcement(frame, &v4, &ours, true));
	memset(frame, 0xee, sizeof(frame));
	golden("frame-arp-unicast", "has 02:00:00:00:00:02 still 10.0.0.5? "
	       "asks 10.0.0.6", frame,
	       frame_unicast_probe(frame, &v4, &other, &from, &ours));
	memset(frame, 0xee, sizeof(frame));
	golden("frame-nd-probe", "who has fd00::1:2:3:4567? from ::", frame,
	       frame_probe(frame, &v6, &ours));
	memset(frame, 0xee, sizeof(frame));
	golden("frame-nd-advertisement", "fd00::1:2:3:4567 is at "
	       "02:00:00:00:00:01, override", frame,
	       frame_announcement(frame, &v6, &ours, true));
}

static void test_not_made(void **state)
{
	struct net_address none = { .family = 0 };
	struct net_address v4 = parse("10.0.0.5");
	struct net_address v6 = parse("fd00::5");
	uint8_t frame[FRAME_MAX];

	assert_int_equal(frame_announcement(frame, &v6, &ours, false), 0);
	assert_int_equal(frame_announcement(frame, &none, &ours, true), 0);
	assert_int_equal(frame_probe(frame, &none, &ours), 0);
	assert_int_equal(frame_unicast_probe(frame, &v6, &other, &v4, &ours),
			 0);
	assert_int_equal(frame_unicast_probe(frame, &v4, &other, &v6, &ours),
			 0);
}

/* ------------------------------------------------------------------ claims */

static int read_exact(const uint8_t *frame, size_t length,
		      struct frame_claim *claim)
{
	/* Of its own size, so that a read behind it is seen. */
	uint8_t *copy = talloc_memdup(NULL, frame, length);
	int ret = frame_read_claim(copy, length, claim);

	talloc_free(copy);
	return ret;
}

static void assert_claim(const uint8_t *frame, size_t length,
			 const char *address, const struct net_mac *mac,
			 bool is_claim, bool is_probe)
{
	struct net_address want = parse(address);
	struct frame_claim claim;

	assert_int_equal(read_exact(frame, length, &claim), 0);
	assert_true(net_address_same(&claim.address, &want));
	assert_int_equal(claim.address.prefix, want.prefix);
	assert_true(net_mac_same(&claim.mac, mac));
	assert_int_equal(claim.is_claim, is_claim);
	assert_int_equal(claim.is_probe, is_probe);
}

static void test_read_ours(void **state)
{
	struct net_address v4 = parse("10.0.0.5/24");
	struct net_address from = parse("10.0.0.6/24");
	struct net_address v6 = parse("fd00::5/64");
	uint8_t frame[FRAME_MAX];
	size_t length;

	length = frame_probe(frame, &v4, &ours);
	assert_claim(frame, length, "10.0.0.5", &ours, false, true);
	length = frame_announcement(frame, &v4, &ours, false);
	assert_claim(frame, length, "10.0.0.5", &ours, true, false);
	length = frame_announcement(frame, &v4, &ours, true);
	assert_claim(frame, length, "10.0.0.5", &ours, true, false);
	/* Who asks claims his own. */
	length = frame_unicast_probe(frame, &v4, &other, &from, &ours);
	assert_claim(frame, length, "10.0.0.6", &ours, true, false);
	length = frame_probe(frame, &v6, &ours);
	assert_claim(frame, length, "fd00::5", &ours, false, true);
	length = frame_announcement(frame, &v6, &ours, true);
	assert_claim(frame, length, "fd00::5", &ours, true, false);
}

/* The checksum of the ICMPv6 message, made the long way. */
static void fix_checksum(uint8_t *frame)
{
	size_t payload = (size_t)frame[IP + 4] << 8 | frame[IP + 5];
	uint64_t total = payload + 58;
	size_t i;

	frame[ND + 2] = 0;
	frame[ND + 3] = 0;
	for (i = 0; i < 32 + payload; i++) {
		total += (uint64_t)frame[IP + 8 + i] << (i % 2 == 0 ? 8 : 0);
	}
	total = 0xffff - total % 0xffff;
	frame[ND + 2] = (uint8_t)(total >> 8);
	frame[ND + 3] = (uint8_t)total;
}

static void test_read_solicitation(void **state)
{
	struct net_address v6 = parse("fd00::5/64");
	struct net_address asker = parse("fd00::9");
	uint8_t frame[FRAME_MAX];
	struct frame_claim claim;
	size_t length = frame_probe(frame, &v6, &ours);

	/* From an address, without a MAC: a question only. */
	memcpy(frame + IP + 8, asker.bytes, 16);
	fix_checksum(frame);
	assert_claim(frame, length, "fd00::5", &ours, false, false);
	/* With one: it claims its own. */
	frame[IP + 5] += 8;
	frame[length] = 1;
	frame[length + 1] = 1;
	memcpy(frame + length + 2, other.bytes, 6);
	length += 8;
	fix_checksum(frame);
	assert_claim(frame, length, "fd00::9", &other, true, false);
	/* An option that we do not know (a nonce) before it. */
	frame[IP + 5] += 8;
	memcpy(frame + length, frame + length - 8, 8);
	frame[length - 8] = 14;
	length += 8;
	fix_checksum(frame);
	assert_claim(frame, length, "fd00::9", &other, true, false);
	/* For a group. */
	frame[ND + 8] = 0xff;
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	frame[ND + 8] = 0xfd;
	/* Twice. */
	frame[length - 16] = 1;
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	frame[length - 16] = 14;
	/* An option without a length, one that is too long. */
	frame[length - 15] = 0;
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	frame[length - 15] = 3;
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	/* A probe cannot have a MAC. */
	frame[length - 15] = 1;
	memset(frame + IP + 8, 0, 16);
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
}

/* Without the option it is the sender of the frame. */
static void test_read_advertisement(void **state)
{
	struct net_address v6 = parse("fd00::5/64");
	uint8_t frame[FRAME_MAX];
	struct frame_claim claim;
	size_t length = frame_announcement(frame, &v6, &ours, true);

	memcpy(frame + 6, other.bytes, 6);
	assert_claim(frame, length, "fd00::5", &ours, true, false);
	frame[IP + 5] -= 8;
	fix_checksum(frame);
	assert_claim(frame, length - 8, "fd00::5", &other, true, false);
	/* Of somebody else's address: that one is claimed. */
	frame[ND + 8 + 15] = 7;
	fix_checksum(frame);
	assert_claim(frame, length - 8, "fd00::7", &other, true, false);
	/* An answer to all. */
	frame[ND + 4] |= 0x40;
	fix_checksum(frame);
	assert_int_equal(read_exact(frame, length - 8, &claim), EBADMSG);
	/* To one. */
	frame[IP + 24] = 0xfd;
	fix_checksum(frame);
	assert_claim(frame, length - 8, "fd00::7", &other, true, false);
}

struct change {
	size_t at;
	uint8_t value;
};

static void assert_refused(const uint8_t *frame, size_t length,
			   const struct change *change, bool fix)
{
	uint8_t copy[FRAME_MAX];
	struct frame_claim claim;

	memcpy(copy, frame, length);
	assert_int_not_equal(copy[change->at], change->value);
	copy[change->at] = change->value;
	if (fix) {
		fix_checksum(copy);
	}
	if (read_exact(copy, length, &claim) != EBADMSG) {
		fail_msg("accepted with %02x at %zu", change->value,
			 change->at);
	}
}

static void test_refused(void **state)
{
	static const struct change arp[] = {
		{ 12, 0x81 },		/* a VLAN's tag (0x8106, anyway) */
		{ 13, 0x00 },		/* IPv4 */
		{ 15, 6 },		/* hardware */
		{ 17, 1 },		/* protocol */
		{ 18, 8 }, { 19, 16 },	/* sizes */
		{ 20, 1 }, { 21, 0 }, { 21, 3 },
		{ 22, 3 },		/* a group's MAC */
		{ 28, 224 }, { 28, 255 },
	};
	static const struct change nd[] = {
		{ IP, 0x40 }, { IP + 4, 1 }, { IP + 5, 23 }, { IP + 5, 33 },
		{ IP + 6, 0 },		/* an extension header */
		{ IP + 7, 254 },	/* it was forwarded */
		{ IP + 8, 0xff },	/* from a group */
		{ ND, 134 }, { ND, 137 }, { ND + 1, 1 },
		{ ND + 8, 0xff },	/* a group's address */
		{ ND + 24 + 1, 0 }, { ND + 24 + 1, 2 },
		{ ND + 24 + 2, 1 },	/* a group's MAC */
	};
	struct net_address v4 = parse("10.0.0.5/24");
	struct net_address v6 = parse("fd00::5/64");
	struct change wrong = { ND + 3, 0 };
	struct frame_claim claim;
	uint8_t frame[FRAME_MAX] = { 0 };
	size_t length = frame_announcement(frame, &v4, &ours, true);
	size_t i;

	for (i = 0; i < sizeof(arp) / sizeof(arp[0]); i++) {
		assert_refused(frame, length, &arp[i], false);
	}
	for (i = 0; i < 14 + 28; i++) {
		assert_int_equal(read_exact(frame, i, &claim), EBADMSG);
	}
	assert_int_equal(read_exact(frame, 14 + 28, &claim), 0);
	/* A tagged frame. */
	memmove(frame + 16, frame + 12, 28 + 2);
	memcpy(frame + 12, "\x81\x00\x00\x05", 4);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	/* A reply from nobody, a MAC that is none. */
	length = frame_announcement(frame, &v4, &ours, true);
	memset(frame + 28, 0, 4);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);
	length = frame_probe(frame, &v4, &ours);
	memset(frame + 22, 0, 6);
	assert_int_equal(read_exact(frame, length, &claim), EBADMSG);

	length = frame_announcement(frame, &v6, &ours, true);
	for (i = 0; i < sizeof(nd) / sizeof(nd[0]); i++) {
		assert_refused(frame, length, &nd[i],
			       nd[i].at != IP + 4 && nd[i].at != IP + 5);
	}
	wrong.value = frame[wrong.at] ^ 1;
	assert_refused(frame, length, &wrong, false);
	for (i = 0; i < length; i++) {
		assert_int_equal(read_exact(frame, i, &claim), EBADMSG);
	}
}

/* ------------------------------------------------------------------ NetBIOS */

/* A query for a name, as nmblookup sends it; checksums are right. */
static const uint8_t netbios[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x08, 0x00,
	0x45, 0, 0, 40, 0x12, 0x34, 0x40, 0, 64, 17, 0x12, 0x8a,
	10, 0, 0, 9, 10, 0, 1, 255,
	0xc0, 0, 0, 137, 0, 20, 0x15, 0xf0,
	0x12, 0x34, 0x01, 0x10, 0, 1, 0, 0, 0, 0, 0, 0,
};

static int read_netbios(const uint8_t *frame, size_t length)
{
	struct net_address source;
	struct net_address destination;
	uint8_t *copy = talloc_memdup(NULL, frame, length);
	int ret = frame_read_netbios(copy, length, &source, &destination);

	talloc_free(copy);
	return ret;
}

/* The long way; a header of 20 bytes. */
static void fix_ip(uint8_t *frame)
{
	uint32_t total = 0;
	size_t i;

	frame[IP + 10] = 0;
	frame[IP + 11] = 0;
	for (i = 0; i < 20; i++) {
		total += (uint32_t)frame[IP + i] << (i % 2 == 0 ? 8 : 0);
	}
	total = 0xffff - total % 0xffff;
	frame[IP + 10] = (uint8_t)(total >> 8);
	frame[IP + 11] = (uint8_t)total;
}

static void test_netbios(void **state)
{
	static const struct change changes[] = {
		{ 0, 2 },		/* not to all */
		{ 12, 0x86 }, { 13, 0x06 },
		{ IP, 0x65 }, { IP, 0x44 }, { IP, 0x4f },
		{ IP + 3, 19 }, { IP + 3, 27 }, { IP + 3, 41 },
		{ IP + 6, 0x20 }, { IP + 7, 1 }, { IP + 9, 6 },
		{ UDP + 3, 136 }, { UDP + 3, 139 }, { UDP + 2, 1 },
		{ UDP + 5, 7 }, { UDP + 5, 21 },
		{ IP + 12, 224 },
	};
	struct net_address source;
	struct net_address destination;
	struct net_address want = parse("10.0.1.255");
	struct net_address from = parse("10.0.0.9");
	uint8_t frame[sizeof(netbios)];
	size_t i;

	assert_int_equal(frame_read_netbios(netbios, sizeof(netbios), &source,
					    &destination), 0);
	assert_true(net_address_same(&destination, &want));
	assert_true(net_address_same(&source, &from));
	assert_int_equal(source.prefix, 32);
	for (i = 0; i < sizeof(netbios); i++) {
		assert_int_equal(read_netbios(netbios, i), EBADMSG);
	}
	memcpy(frame, netbios, sizeof(frame));
	frame[UDP + 3] = 138;
	assert_int_equal(read_netbios(frame, sizeof(frame)), 0);
	/* The checksum of the header is looked at. */
	frame[IP + 5] ^= 1;
	assert_int_equal(read_netbios(frame, sizeof(frame)), EBADMSG);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		memcpy(frame, netbios, sizeof(frame));
		assert_int_not_equal(frame[changes[i].at], changes[i].value);
		frame[changes[i].at] = changes[i].value;
		if (frame[IP] != 0x4f) {
			fix_ip(frame);
		}
		if (read_netbios(frame, sizeof(frame)) != EBADMSG) {
			fail_msg("accepted with %02x at %zu",
				 changes[i].value, changes[i].at);
		}
	}
}

static void test_relay(void **state)
{
	uint8_t received[sizeof(netbios)];
	uint8_t frame[FRAME_MAX];
	uint8_t long_one[FRAME_MAX + 1] = { 0 };
	uint32_t pseudo = 0x0a00 + 9 + 0x0a00 + 0x01ff + 17 + 20;

	memset(frame, 0xee, sizeof(frame));
	golden("frame-netbios-relay", "to 02:00:00:00:00:02, else as it came",
	       frame, frame_relay(frame, netbios, sizeof(netbios), &other,
				  &ours));
	assert_memory_equal(frame + 12, netbios + 12, sizeof(netbios) - 12);
	/* Left to the hardware: completed. */
	memcpy(received, netbios, sizeof(netbios));
	received[UDP + 6] = (uint8_t)(pseudo >> 8);
	received[UDP + 7] = (uint8_t)pseudo;
	frame_relay(frame, received, sizeof(received), &other, &ours);
	assert_memory_equal(frame + 12, netbios + 12, sizeof(netbios) - 12);
	/* It would be 0, which means that there is none. */
	received[UDP + 8] = 0x28;
	received[UDP + 9] = 0x24;
	frame_relay(frame, received, sizeof(received), &other, &ours);
	assert_int_equal(frame[UDP + 6], 0xff);
	assert_int_equal(frame[UDP + 7], 0xff);
	/* Wrong: stays so. None: too. */
	received[UDP + 7] ^= 1;
	frame_relay(frame, received, sizeof(received), &other, &ours);
	assert_memory_equal(frame + 12, received + 12, sizeof(netbios) - 12);
	memset(received + UDP + 6, 0, 2);
	frame_relay(frame, received, sizeof(received), &other, &ours);
	assert_memory_equal(frame + 12, received + 12, sizeof(netbios) - 12);

	assert_int_equal(frame_relay(frame, long_one, FRAME_MAX + 1, &other,
				     &ours), 0);
	assert_int_equal(frame_relay(frame, long_one, FRAME_MAX, &other,
				     &ours), FRAME_MAX);
	assert_int_equal(frame_relay(frame, netbios, 13, &other, &ours), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_not_made),
		cmocka_unit_test(test_read_ours),
		cmocka_unit_test(test_read_solicitation),
		cmocka_unit_test(test_read_advertisement),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_netbios),
		cmocka_unit_test(test_relay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
