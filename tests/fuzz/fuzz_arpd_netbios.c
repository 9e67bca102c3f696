/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a NetBIOS broadcast (R6): refused, or one that is the same
 * after it was relayed. The header's checksum is made right, so that what is
 * behind it is reached.
 */

#include <sys/socket.h>
#include <errno.h>
#include "frame.h"
#include "fuzz_arpd.h"

#define IP 14

static void fix_checksum(uint8_t *frame, size_t size)
{
	size_t header = (size_t)(frame[IP] & 0x0f) * 4;
	uint32_t total = 0;
	size_t i;

	if (header < 20 || size < IP + header) {
		return;
	}
	frame[IP + 10] = 0;
	frame[IP + 11] = 0;
	for (i = 0; i < header; i++) {
		total += (uint32_t)frame[IP + i] << (i % 2 == 0 ? 8 : 0);
	}
	total = 0xffff - total % 0xffff;
	frame[IP + 10] = (uint8_t)(total >> 8);
	frame[IP + 11] = (uint8_t)total;
}

static void read_one(const uint8_t *bytes, size_t size)
{
	static const struct net_mac all = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
	};
	const struct net_mac ours = { { 2, 0, 0, 0, 0, 1 } };
	struct net_address source[2];
	struct net_address destination[2];
	uint8_t frame[FRAME_MAX];
	size_t length = frame_relay(frame, bytes, size, &all, &ours);
	int ret = frame_read_netbios(bytes, size, &source[0],
				     &destination[0]);

	FUZZ_CHECK(length == (size < IP || size > FRAME_MAX ? 0 : size));
	if (ret != 0) {
		FUZZ_CHECK(ret == EBADMSG);
		return;
	}
	if (length != 0) {
		FUZZ_CHECK(frame_read_netbios(frame, length, &source[1],
					      &destination[1]) == 0);
		FUZZ_CHECK(net_address_same(&source[0], &source[1]));
		FUZZ_CHECK(net_address_same(&destination[0],
					    &destination[1]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *frame;

	read_one(bytes, size);
	if (size < IP + 20) {
		return 0;
	}
	frame = malloc(size);
	FUZZ_CHECK(frame != NULL);
	memcpy(frame, bytes, size);
	fix_checksum(frame, size);
	read_one(frame, size);
	free(frame);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed)
{
	static const uint8_t one[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 0,
		0x45, 0, 0, 40, 0x12, 0x34, 0x40, 0, 64, 17, 0x12, 0x8a,
		10, 0, 0, 9, 10, 0, 1, 255,
		0xc0, 0, 0, 137, 0, 20, 0x15, 0xf0,
		0x12, 0x34, 0x01, 0x10, 0, 1, 0, 0, 0, 0, 0, 0,
	};

	if (seed % FUZZ_NEW_ONE_IN != 0 || max_size < sizeof(one)) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	memcpy(bytes, one, sizeof(one));
	return sizeof(one);
}
