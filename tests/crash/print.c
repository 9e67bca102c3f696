/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Some sequences and what they do, for a test that does them in another way:
 *
 *   sequence create_n,write_n
 *   replied 0 0                 operations, leaf calls until then
 *   replied 1 3 ok
 *   replied 2 7 ok
 *   tree 0                      after so many leaf calls; tree.h
 *   ...
 */

#include <sys/param.h>
#include <stdio.h>
#include "driver.h"

static bool is_for_smb(const struct sequence *sequence)
{
	uint8_t i;

	for (i = 0; i < sequence->count; i++) {
		if (!operation_has_smb(sequence->operations[i])) {
			return false;
		}
	}
	return true;
}

static void choose(struct sequence *sequence, uint64_t *random)
{
	do {
		sequence_number(sequence, sequence_any(random), random);
		if (random_below(random, 4) > 0) {
			sequence_relate(sequence, random);
		}
	} while (!is_for_smb(sequence));
	/* A client knows nothing of the rest. */
	sequence->as_user = true;
	sequence->has_ids = sequence->sessions = sequence->alone = false;
	sequence->fail_at = sequence->break_at = 0;
}

static void print_one(const struct golden *g)
{
	uint8_t i;

	printf("sequence ");
	for (i = 0; i < g->sequence.count; i++) {
		printf("%s%s", i > 0 ? "," : "", operation_number_name(
			       g->sequence.operations[i]));
	}
	printf("\nreplied 0 0\n");
	for (i = 0; i < g->sequence.count; i++) {
		printf("replied %u %u %s\n", i + 1, g->operation_leafs[i + 1],
		       g->succeeded[i] ? "ok" : "fails");
	}
	for (i = 0; i <= g->leafs; i++) {
		printf("tree %u\n%s", i, g->trees[i]);
	}
}

void print_sequences(struct driver *driver, uint32_t count, uint64_t seed)
{
	static struct sequence sequences[CHUNK];
	uint32_t i, n;

	for (; count > 0; count -= n) {
		n = MIN(count, CHUNK);
		for (i = 0; i < n; i++) {
			choose(&sequences[i], &seed);
		}
		batch_golden(driver, sequences, n);
		for (i = 0; i < n; i++) {
			print_one(&driver->batch->golden[i]);
		}
	}
}
