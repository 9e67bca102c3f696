/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes where a record of TLS should begin (R6): what is taken for a whole
 * one is there, and long enough for what opening it takes away.
 */

#include "fuzz.h"
#include "link_aead.h"
#include "link_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t length = link_seal_length(data, size);
	const bool is_broken = link_seal_is_broken(data, size);
	size_t i;

	FUZZ_CHECK(length <= size);
	if (length != 0) {
		FUZZ_CHECK(!is_broken);
		FUZZ_CHECK(length >= LINK_SEAL_OVERHEAD);
		FUZZ_CHECK(length - LINK_SEAL_OVERHEAD < LINK_SEAL_ROOM);
	}
	/* More bytes make nothing whole of it, and nothing less. */
	for (i = 0; i < size && i < 64; i++) {
		FUZZ_CHECK(!link_seal_is_broken(data, i) || is_broken);
		FUZZ_CHECK(link_seal_length(data, i) == 0 ||
			   link_seal_length(data, i) == length);
	}
	return 0;
}
