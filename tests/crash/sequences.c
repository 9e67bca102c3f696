/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which sequences there are, see driver.h. */

#include "driver.h"

void sequence_number(struct sequence *sequence, uint64_t number,
			  uint64_t *random)
{
	uint8_t i;

	*sequence = (struct sequence) { .count = 1 };
	if (number < OP_COUNT) {
		sequence->alone = true;
	} else {
		number -= OP_COUNT;
	}
	if (!sequence->alone && number >= OP_COUNT) {
		number -= OP_COUNT;
		sequence->count = 2;
	}
	if (sequence->count == 2 && number >= OP_COUNT * OP_COUNT) {
		/* In an order in which what has been done when time is up is
		 * of every kind: the factor has no divisor in common. */
		number = (number - OP_COUNT * OP_COUNT) * 48271 %
			(OP_COUNT * OP_COUNT * OP_COUNT);
		sequence->count = 3;
	}
	for (i = 0; i < sequence->count; i++) {
		sequence->operations[i] = (uint8_t)(number % OP_COUNT);
		number /= OP_COUNT;
	}
	sequence->as_user = random_below(random, 2) == 1;
	sequence->has_ids = random_below(random, 2) == 1;
	sequence->sessions = sequence->count > 1 &&
		random_below(random, 2) == 1;
	sequence->alone |= sequence->count > 1 && random_below(random, 6) == 0;
	if (!sequence->alone && random_below(random, 8) == 0) {
		sequence->break_at = (uint8_t)(1 + random_below(random, 8));
	}
	if (sequence->count > 1 && random_below(random, 6) == 0) {
		sequence->fail_at = (uint8_t)(1 + random_below(random, 8));
	}
}

/* Operations that have to do with one another. */
static const uint8_t around[][16] = {
	{ OP_create_n, OP_create_acl, OP_write_n, OP_rename_a_n, OP_rename_n_a,
	  OP_link_a_n, OP_delete_n, OP_mkdir_n, OP_rename_dx_n, OP_delete_a,
	  OP_create_nx, OP_delete_nx, OP_write_a, OP_rename_b_a, OP_rename_a_b,
	  OP_setea_a },
	{ OP_overwrite_a, OP_write_a, OP_append_a, OP_truncate_a, OP_extend_a,
	  OP_fallocate_a, OP_punch_a, OP_removeea_a, OP_dosmode_a, OP_acl_a,
	  OP_chmod_a, OP_chown_a, OP_times_a, OP_stream_a, OP_copy_a_b,
	  OP_delete_a },
	{ OP_create_dn, OP_write_dx, OP_rename_dx_n, OP_rename_e_m,
	  OP_rename_d_m, OP_move_e_d, OP_link_b_dn, OP_delete_dx, OP_mkdir_dn,
	  OP_rmdir_e, OP_rmdir_d, OP_acl_d, OP_times_d, OP_append_b,
	  OP_delete_n, OP_write_n },
	{ OP_supersede_b, OP_append_b, OP_rename_a_b, OP_rename_b_a,
	  OP_link_b_dn, OP_stream_b, OP_unstream_b, OP_copy_a_b, OP_write_a,
	  OP_stream_a, OP_overwrite_a, OP_truncate_a, OP_delete_a, OP_link_a_n,
	  OP_create_dn, OP_rename_a_n },
};

void sequence_relate(struct sequence *sequence, uint64_t *random)
{
	const uint8_t *group = around[random_below(
		random, sizeof(around) / sizeof(around[0]))];
	uint8_t i;

	for (i = 0; i < sequence->count; i++) {
		sequence->operations[i] = group[random_below(random, 16)];
	}
}

uint64_t sequence_any(uint64_t *random)
{
	switch (random_below(random, 6)) {
	case 0:
		return random_below(random, 2 * OP_COUNT);
	case 1:
	case 2:
		return 2 * OP_COUNT +
			random_below(random, OP_COUNT * OP_COUNT);
	default:
		return 2 * OP_COUNT + OP_COUNT * OP_COUNT +
			random_below(random, OP_COUNT * OP_COUNT * OP_COUNT);
	}
}
