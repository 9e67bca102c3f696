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
