/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as an ARP or neighbour frame (R6): refused, or one host's word
 * about one address. Checksums are made right, so that what is behind them is
 * reached.
 */

#include <sys/socket.h>
#include <errno.h>
#include "frame.h"
#include "fuzz_arpd.h"

#define IP 14
#define ND (IP + 40)

static void fix_checksum(uint8_t *frame, size_t size)
{
	size_t payload = (size_t)frame[IP + 4] << 8 | frame[IP + 5];
	uint64_t total = payload + 58;
	size_t i;

	if (payload < 24 || size < ND + payload) {
		return;
	}
	frame[ND + 2] = 0;
	frame[ND + 3] = 0;
	for (i = 0; i < 32 + payload; i++) {
		total += (uint64_t)frame[IP + 8 + i] << (i % 2 == 0 ? 8 : 0);
	}
	total = 0xffff - total % 0xffff;
	frame[ND + 2] = (uint8_t)(total >> 8);
	frame[ND + 3] = (uint8_t)total;
}

static void read_one(const uint8_t *frame, size_t size)
{
	struct frame_claim claim;
	int ret = frame_read_claim(frame, size, &claim);

	if (ret != 0) {
		FUZZ_CHECK(ret == EBADMSG);
		return;
	}
	FUZZ_CHECK(!claim.is_claim || !claim.is_probe);
	FUZZ_CHECK(net_address_size(&claim.address) != 0);
	FUZZ_CHECK(claim.address.prefix == net_address_bits(&claim.address));
	FUZZ_CHECK((claim.mac.bytes[0] & 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *frame;

	read_one(bytes, size);
	if (size < ND + 24) {
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
	uint64_t random = seed | 1;
	const struct net_mac mac = { { 2, 0, 0, 0, 0, 1 } };
	struct net_address address = { .family = AF_INET, .bytes = { 10 } };

	if (seed % FUZZ_NEW_ONE_IN != 0 || max_size < FRAME_MAX) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	if (fuzz_random(&random, 2) != 0) {
		address.family = AF_INET6;
	}
	return fuzz_random(&random, 2) != 0 ?
		frame_probe(bytes, &address, &mac) :
		frame_announcement(bytes, &address, &mac, true);
}
