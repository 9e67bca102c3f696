/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See trace_command.h. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "../common/state_page.h"
#include "trace_command.h"
#include "trace_report.h"

/* Often enough that the ring does not fill meanwhile. */
#define TURN_MS 10

struct traced {
	const char *name;
	struct trace_reader reader;
	struct trace_report *report;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &action, NULL);
	}
}

static int start(struct traced *traced, const char *run_directory,
		 const char *name)
{
	struct trace *trace;
	int ret;

	traced->name = name;
	traced->report = trace_report_new(traced);
	ret = traced->report == NULL ? ENOMEM :
		trace_open(traced, run_directory, name, &trace);
	if (ret != 0) {
		fprintf(stderr, "mirrorctl: no trace of volume %s in %s: %s\n",
			name, run_directory,
			ret == ENOENT ? "mirrord has not made it" :
			strerror(ret));
		return ret;
	}
	trace_read_from_now(&traced->reader, trace);
	ret = trace_keep_on(&traced->reader, TRACE_LEASE_MS);
	if (ret != 0) {
		fprintf(stderr, "mirrorctl: cannot trace volume %s: %s\n",
			name, strerror(ret));
	}
	return ret;
}

/* False: no memory. */
static bool collect(struct traced **traced)
{
	struct trace_entry entry;

	for (; *traced != NULL; traced++) {
		while ((*traced)->reader.trace != NULL &&
		       trace_read(&(*traced)->reader, &entry)) {
			if (!trace_report_add((*traced)->report, &entry)) {
				fprintf(stderr, "mirrorctl: no memory\n");
				return false;
			}
		}
	}
	return true;
}

static uint64_t now_ms(void)
{
	return state_page_clock() / 1000000;
}

static bool run(struct traced **traced, double seconds)
{
	const uint64_t end = now_ms() + (uint64_t)(seconds * 1000);
	uint64_t renew = now_ms() + TRACE_LEASE_MS / 4;
	struct traced **t;
	bool ok = true;

	while (ok && !stop && now_ms() < end) {
		poll(NULL, 0, TURN_MS);
		if (now_ms() >= renew) {
			renew = now_ms() + TRACE_LEASE_MS / 4;
			for (t = traced; *t != NULL; t++) {
				(void)trace_keep_on(&(*t)->reader,
						    TRACE_LEASE_MS);
			}
		}
		ok = collect(traced);
	}
	for (t = traced; *t != NULL; t++) {
		if ((*t)->reader.trace != NULL) {
			trace_off(&(*t)->reader);
		}
	}
	return ok && collect(traced);
}

static void tell_json(struct traced **traced, double seconds)
{
	json_t *volumes = json_array();
	json_t *all;

	for (; *traced != NULL; traced++) {
		json_t *volume = trace_report_json((*traced)->report);

		json_object_set_new(volume, "name",
				    json_string((*traced)->name));
		json_object_set_new(volume, "lost", json_integer(
			(json_int_t)(*traced)->reader.lost));
		json_array_append_new(volumes, volume);
	}
	all = json_pack("{s:f,s:o}", "seconds", seconds, "volumes", volumes);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	printf("\n");
	json_decref(all);
}

static void tell(struct traced **traced, double seconds)
{
	for (; *traced != NULL; traced++) {
		printf("volume %s, %.1f s\n", (*traced)->name, seconds);
		if ((*traced)->reader.lost != 0) {
			printf("%" PRIu64 " entries were lost: too many for "
			       "this machine to read\n",
			       (*traced)->reader.lost);
		}
		trace_report_print((*traced)->report, stdout);
		printf("\n");
	}
}

int trace_command(TALLOC_CTX *mem_ctx,
		  const char *run_directory,
		  const char *const *names,
		  double seconds,
		  bool json)
{
	struct traced **traced;
	uint64_t since;
	double took;
	size_t i, n = 0;
	bool ok = true;

	while (names[n] != NULL) {
		n++;
	}
	traced = talloc_zero_array(mem_ctx, struct traced *, n + 1);
	catch_signals();
	since = now_ms();
	for (i = 0; ok && traced != NULL && i < n; i++) {
		traced[i] = talloc_zero(traced, struct traced);
		ok = traced[i] != NULL &&
			start(traced[i], run_directory, names[i]) == 0;
	}
	/* Also after an error: what was switched on goes off. */
	if (traced == NULL || !run(traced, ok ? seconds : 0) || !ok) {
		return 1;
	}
	took = (double)(now_ms() - since) / 1000;
	if (json) {
		tell_json(traced, took);
	} else {
		tell(traced, took);
	}
	return 0;
}
