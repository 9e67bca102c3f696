/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a beacon (R6): refused, or one that has exactly this encoding.
 * The input is what the HMAC is of; the target makes the right one, so that
 * what is behind it is reached.
 */

#include <sys/socket.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include "beacon.h"
#include "fuzz_arpd.h"

#define HEAD 14			/* of Ethernet */
#define MAC 32

static const uint8_t secret[16] = "sixteen bytes :)";

static struct beacon_key *key(void)
{
	static struct beacon_key *one;

	if (one == NULL) {
		FUZZ_CHECK(beacon_key_derive(NULL, secret, sizeof(secret),
					     &one) == 0);
	}
	return one;
}

static void sign(uint8_t *frame, size_t body)
{
	static uint8_t derived[MAC];
	static const char what[] = "samba-mirror beacon 1";

	if (derived[0] == 0) {
		FUZZ_CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret,
					    sizeof(secret), what,
					    sizeof(what) - 1, derived) == 0);
	}
	FUZZ_CHECK(gnutls_hmac_fast(GNUTLS_MAC_SHA256, derived, MAC,
				    frame + HEAD, body,
				    frame + HEAD + body) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t length = HEAD + size + MAC;
	uint8_t again[BEACON_FRAME_MAX];
	struct beacon beacon;
	uint8_t *frame;
	int ret;

	/* As it is: nobody makes an HMAC by chance. */
	ret = beacon_pull(key(), bytes, size, &beacon);
	FUZZ_CHECK(ret == EBADMSG || ret == EACCES);

	frame = calloc(1, length);
	FUZZ_CHECK(frame != NULL);
	memcpy(frame, beacon_group.bytes, NET_MAC_SIZE);
	frame[12] = BEACON_ETHERTYPE >> 8;
	frame[13] = BEACON_ETHERTYPE & 0xff;
	if (size != 0) {
		memcpy(frame + HEAD, bytes, size);
	}
	if (size >= 8) {
		/* More of the inputs get far. */
		frame[HEAD + 6] = (uint8_t)(size >> 8);
		frame[HEAD + 7] = (uint8_t)size;
	}
	if (size >= 46) {
		memcpy(frame + 6, frame + HEAD + 40, NET_MAC_SIZE);
	}
	sign(frame, size);
	ret = beacon_pull(key(), frame, length, &beacon);
	if (ret == 0) {
		FUZZ_CHECK(beacon.num_hearings <= BEACON_HEARINGS_MAX);
		FUZZ_CHECK(beacon.num_addresses <= BEACON_ADDRESSES_MAX);
		FUZZ_CHECK(beacon_push(key(), &beacon, again) == length);
		FUZZ_CHECK(memcmp(frame, again, length) == 0);
	} else {
		FUZZ_CHECK(ret == EBADMSG);
	}
	free(frame);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed)
{
	uint64_t random = seed | 1;
	struct beacon beacon = {
		.interface = 1, .session = seed | 1, .mac = { { 2 } },
	};
	uint8_t frame[BEACON_FRAME_MAX];
	size_t length;
	uint32_t i;

	if (seed % FUZZ_NEW_ONE_IN != 0) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	beacon.num_hearings = fuzz_random(&random, BEACON_HEARINGS_MAX + 1);
	beacon.num_addresses = fuzz_random(&random, BEACON_ADDRESSES_MAX + 1);
	for (i = 0; i < beacon.num_hearings; i++) {
		beacon.hearings[i].session = random;
	}
	for (i = 0; i < beacon.num_addresses; i++) {
		beacon.addresses[i].state =
			fuzz_random(&random, 2) ? BEACON_HELD : BEACON_PASSING;
		beacon.addresses[i].address.family =
			fuzz_random(&random, 2) ? AF_INET : AF_INET6;
	}
	length = beacon_push(key(), &beacon, frame);
	FUZZ_CHECK(length != 0);
	length -= HEAD + MAC;
	if (length > max_size) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	memcpy(bytes, frame + HEAD, length);
	return length;
}
