/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See operations.h. */

#include "operations.h"

#define OPERATION_NAME(name) #name,
static const char *const names[] = {
	OPERATIONS(OPERATION_NAME)
};

const char *operation_number_name(unsigned int number)
{
	return number < OP_COUNT ? names[number] : "?";
}

bool operation_has_smb(unsigned int number)
{
	switch ((enum operation_number)number) {
	case OP_create_acl:	/* no security descriptors in its creates */
	case OP_punch_a:	/* no such FSCTL, */
	case OP_fallocate_a:	/* and another meaning of allocations */
	case OP_chmod_a:	/* for POSIX clients */
	case OP_chown_a:	/* for root */
		return false;
	default:
		return true;
	}
}
