/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a list of connections (R6), behind the HMAC: refused, or taken
 * apart into what makes the same frame again.
 */

#include <sys/socket.h>
#include <errno.h>
#include "beacon.h"
#include "connections.h"
#include "fuzz_arpd.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct net_mac mac = { { 2, 0, 0, 0, 0, 1 } };
	struct connections_frame list;
	uint8_t again[BEACON_FRAME_MAX];
	uint8_t packet[BEACON_FRAME_MAX];
	size_t length;
	uint32_t i;
	int ret = connections_pull(bytes, size, &list);

	if (ret != 0) {
		FUZZ_CHECK(ret == EBADMSG);
		return 0;
	}
	FUZZ_CHECK(list.count <= CONNECTIONS_ROWS);
	length = connections_push(again, &list, &mac, &mac);
	FUZZ_CHECK(length == size);
	FUZZ_CHECK(memcmp(again + 14, bytes + 14, size - 14) == 0);
	for (i = 0; i < list.count; i++) {
		FUZZ_CHECK(connections_tickle_packet(packet, &list.rows[i]) <=
			   60);
	}
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max_size,
			       unsigned int seed)
{
	static const struct net_mac mac = { { 2, 0, 0, 0, 0, 1 } };
	struct connections_frame list = { .parts = 1 };
	uint64_t random = seed | 1;
	uint32_t i;

	if (seed % FUZZ_NEW_ONE_IN != 0 || max_size < BEACON_FRAME_MAX) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	list.count = fuzz_random(&random, CONNECTIONS_ROWS + 1);
	for (i = 0; i < list.count; i++) {
		list.rows[i].address.family = fuzz_random(&random, 2) != 0 ?
			AF_INET : AF_INET6;
		list.rows[i].client.family = list.rows[i].address.family;
	}
	return connections_push(bytes, &list, &mac, &mac);
}
