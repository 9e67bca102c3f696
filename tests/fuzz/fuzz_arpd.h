/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets of arpd share: numbers out of the input, and out of
 * the mutator's seed, for valid inputs now and then (see fuzz.h).
 */

#ifndef FUZZ_ARPD_H
#define FUZZ_ARPD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max_size);

#define FUZZ_CHECK(condition) do { if (!(condition)) { abort(); } } while (0)

/* One in so many inputs is a new one. */
#define FUZZ_NEW_ONE_IN 32

/* xorshift64* */
static inline uint32_t fuzz_random(uint64_t *state, uint32_t limit)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 32) %
		limit;
}

#endif /* FUZZ_ARPD_H */
