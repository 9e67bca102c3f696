/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl trace': switches the traces of volumes on for a while and tells
 * what they say.
 *
 * Does not own: the traces (common/trace.h), percentiles (trace_report.h).
 *
 * It needs no mirrord: the traces are files that only root may open. However
 * it ends, they are off TRACE_LEASE_MS later.
 */

#ifndef MIRRORD_TRACE_COMMAND_H
#define MIRRORD_TRACE_COMMAND_H

#include <stdbool.h>
#include <talloc.h>

#define TRACE_LEASE_MS 2000

/*
 * names: of volumes, NULL terminated. Ends sooner by SIGINT, SIGTERM or
 * SIGHUP, and tells what it has until then. Exit status 0, or 1 after a
 * message.
 */
int trace_command(TALLOC_CTX *mem_ctx,
		  const char *run_directory,
		  const char *const *names,
		  double seconds,
		  bool json);

#endif /* MIRRORD_TRACE_COMMAND_H */
