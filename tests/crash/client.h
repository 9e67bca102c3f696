/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The operations of host_operations.c, as a client asks for them over SMB.
 */

#ifndef TESTS_CRASH_CLIENT_H
#define TESTS_CRASH_CLIENT_H

#include <stdbool.h>

struct cli_state;

/* In this folder of the share. Was it a success? */
bool client_operation(struct cli_state *cli, const char *folder,
		      unsigned int number);

#endif /* TESTS_CRASH_CLIENT_H */
