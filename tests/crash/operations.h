/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The operations that sequences are made of, and the tree that they find:
 *
 *   a      6000 bytes, extended attribute user.before, old times
 *   b      300 bytes, a stream b:s
 *   d/     d/x 4096 bytes
 *   e/     empty
 *   n, d/n, m are not there; n may become a file or a directory with n/x
 *
 * Owns: their names. What they do is in host_operations.c.
 */

#ifndef TESTS_CRASH_OPERATIONS_H
#define TESTS_CRASH_OPERATIONS_H

#include <stdbool.h>

#define OPERATIONS_MAX 3

#define OPERATIONS(X) \
	X(create_n) \
	X(create_dn) \
	X(create_acl) \
	X(overwrite_a) \
	X(supersede_b) \
	X(write_a) \
	X(write_dx) \
	X(create_nx) \
	X(write_n) \
	X(append_a) \
	X(append_b) \
	X(truncate_a) \
	X(extend_a) \
	X(fallocate_a) \
	X(punch_a) \
	X(rename_a_n) \
	X(rename_a_b) \
	X(rename_n_a) \
	X(rename_b_a) \
	X(rename_dx_n) \
	X(rename_e_m) \
	X(rename_d_m) \
	X(move_e_d) \
	X(link_a_n) \
	X(link_b_dn) \
	X(delete_a) \
	X(delete_n) \
	X(delete_dx) \
	X(delete_nx) \
	X(mkdir_n) \
	X(mkdir_dn) \
	X(rmdir_e) \
	X(rmdir_d) \
	X(setea_a) \
	X(removeea_a) \
	X(dosmode_a) \
	X(acl_a) \
	X(acl_d) \
	X(chmod_a) \
	X(chown_a) \
	X(times_a) \
	X(times_d) \
	X(stream_a) \
	X(stream_b) \
	X(unstream_b) \
	X(copy_a_b)

#define OPERATION_ENUM(name) OP_##name,
enum operation_number {
	OPERATIONS(OPERATION_ENUM)
	OP_COUNT
};

const char *operation_number_name(unsigned int number);

/* Can a client ask for it, with libsmb? */
bool operation_has_smb(unsigned int number);

#endif /* TESTS_CRASH_OPERATIONS_H */
