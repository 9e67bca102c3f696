/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the module's parts call of smbd whoever runs them outside of it: no
 * log, and no way out but to abort.
 */

#include "includes.h"
#include "smbd/smbd.h"

int debuglevel_get_class(size_t idx)
{
	return -1;
}

bool dbghdrclass(int level, int cls, const char *location, const char *func)
{
	return false;
}

bool dbgtext(const char *format, ...)
{
	return true;
}

void smb_panic(const char *why)
{
	abort();
}

void exit_server_cleanly(const char *const reason)
{
	abort();
}
