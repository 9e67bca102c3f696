/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-bench - what clients of an SMB server do, many times, and how long
 * each took: see options.c for how it is called.
 *
 * Each client is a process with one connection, on which -q operations are in
 * flight at any time while it is measured. All clients measure at the same
 * time; what they prepare and remove is not in the result. Workloads that use
 * things up (files to remove, room on the volume) do so in rounds, as long as
 * needed, with the clocks stopped between them. The connection is as Samba's
 * clients make it by default: SMB 3.1.1, signed or encrypted only if the server
 * wants it.
 *
 * One line of JSON on stdout says what was measured; the time of an operation
 * is from the sending of its first request to the answer of its last one, and
 * percentiles are exact to 0.4 %. Exit status 1 if anything failed, with a
 * message on stderr, 2 if it was not called properly. SIGTERM ends it as if the
 * time was over. A client that loses its connection, or does not get an answer
 * within a minute, leaves its folder behind.
 */

#include "includes.h"
#include "bench.h"
#include "options.h"
#include "rounds.h"
#include "workload.h"

static double microseconds(uint64_t time)
{
	return (double)time / 1000;
}

static void print(const struct options *options, const struct total *total)
{
	const struct histogram *latency = &total->latency;

	printf("{\"workload\":\"%s\",\"size\":%u,\"depth\":%u,\"clients\":%u,"
	       "\"operations\":%" PRIu64 ",\"bytes\":%" PRIu64 ","
	       "\"seconds\":%.6f,\"latency_us\":{\"min\":%.1f,\"p50\":%.1f,"
	       "\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"errors\":%" PRIu64
	       "}\n", options->workload->name, options->size, options->depth,
	       options->clients, total->operations, total->bytes,
	       (double)total->measured / (double)SECOND,
	       microseconds(latency->min),
	       microseconds(histogram_percentile(latency, 50)),
	       microseconds(histogram_percentile(latency, 90)),
	       microseconds(histogram_percentile(latency, 99)),
	       microseconds(latency->max), total->errors);
}

int main(int argc, char **argv)
{
	TALLOC_CTX *frame = talloc_stackframe();
	struct options options;
	static struct total total;
	int status = 0;

	smb_init_locale();
	setup_logging("mirror-bench", DEBUG_STDERR);
	options_parse(&options, argc, argv);
	if (!lp_load_global("/dev/null")) {
		fprintf(stderr, "mirror-bench: cannot set up Samba's "
			"libraries\n");
		return 1;
	}
	if (!rounds_run(&options, &total)) {
		return 1;
	}
	print(&options, &total);
	if (total.errors > 0 || fflush(stdout) != 0) {
		status = 1;
	} else if (total.operations == 0) {
		fprintf(stderr, "mirror-bench: ended before anything was "
			"measured\n");
		status = 1;
	}
	TALLOC_FREE(frame);
	return status;
}
