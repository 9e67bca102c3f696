/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-micro [--count] [--only PATTERN] [--slow CASE=N] [--seconds S]
 *
 * Runs the cases of micro.h. Prints for each its name and the nanoseconds of
 * CPU time of one turn: the median of its batches, and the least. With --count
 * (under `valgrind --tool=callgrind --instr-atstart=no') callgrind writes a
 * file for each case instead, and what is printed is the number of turns that
 * it counted. --slow adds N instructions to each turn of one case, for the
 * test that this would be noticed.
 */

#include <sys/stat.h>
#include <sys/wait.h>
#include <fnmatch.h>
#include <ftw.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "micro.h"

/* Turns before anything is measured: buffers have their sizes then. */
#define WARM_TURNS 3

/* A batch is as long that the clock does not count, and many of them are
 * without a disturbance. */
#define BATCH_NS 2000000
#define BATCHES_MAX 4096

static const struct micro_case *const tables[] = {
	micro_codec_cases,
	micro_store_cases,
	micro_link_cases,
	micro_page_cases,
#ifdef MICRO_PATH
	micro_path_cases,
#endif
};

static struct {
	bool count;
	const char *only;
	char *slow;
	uint64_t slow_by;
	double seconds;
} options = { .seconds = 0.3 };

/* ---- for the cases ----------------------------------------------------- */

void micro_check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "mirror-micro: %s\n", what);
		exit(2);
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static int remove_directory(char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

const char *micro_directory(TALLOC_CTX *mem_ctx)
{
	char *path = talloc_strdup(mem_ctx, "/dev/shm/mirror-micro.XXXXXX");

	micro_check(path != NULL && mkdtemp(path) != NULL,
		    "cannot make a directory in /dev/shm");
	talloc_set_destructor(path, remove_directory);
	return path;
}

uint8_t *micro_bytes(TALLOC_CTX *mem_ctx, size_t length)
{
	uint8_t *bytes = talloc_size(mem_ctx, length);
	uint32_t x = 1;
	size_t i;

	micro_check(bytes != NULL, "no memory");
	for (i = 0; i < length; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return bytes;
}

/* ---- one case ---------------------------------------------------------- */

/* Two instructions each time around. */
static void waste(uint64_t instructions)
{
	uint64_t n = instructions / 2;

	if (n != 0) {
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
	}
}

static void turn(const struct micro_case *micro_case, void *state)
{
	micro_case->turn(state);
	if (options.slow != NULL &&
	    strcmp(options.slow, micro_case->name) == 0) {
		waste(options.slow_by);
	}
}

static void count(const struct micro_case *micro_case, void *state)
{
	uint32_t i;

	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	for (i = 0; i < micro_case->turns; i++) {
		turn(micro_case, state);
	}
	CALLGRIND_DUMP_STATS_AT(micro_case->name);
	CALLGRIND_STOP_INSTRUMENTATION;
	printf("%s %u\n", micro_case->name, micro_case->turns);
}

/* CPU time: what others take of this machine is not our cost. */
static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double batch(const struct micro_case *micro_case, void *state,
		    uint64_t turns)
{
	double start = now_ns();
	uint64_t i;

	for (i = 0; i < turns; i++) {
		turn(micro_case, state);
	}
	return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const struct micro_case *micro_case, void *state)
{
	static double each[BATCHES_MAX];
	double end = now_ns() + options.seconds * 1e9;
	uint64_t turns = 1;
	size_t n = 0;

	while (batch(micro_case, state, turns) < BATCH_NS) {
		turns *= 2;
	}
	do {
		each[n++] = batch(micro_case, state, turns) / (double)turns;
	} while (n < BATCHES_MAX && (n < 5 || now_ns() < end));
	qsort(each, n, sizeof(each[0]), by_value);
	printf("%s %.1f %.1f\n", micro_case->name, each[n / 2], each[0]);
}

static bool wanted(const struct micro_case *micro_case)
{
	return options.only == NULL ||
	       fnmatch(options.only, micro_case->name, 0) == 0;
}

static void run_here(const struct micro_case *micro_case)
{
	TALLOC_CTX *mem_ctx = talloc_new(NULL);
	void *state = micro_case->begin(mem_ctx, micro_case);
	int i;

	for (i = 0; i < WARM_TURNS; i++) {
		micro_case->turn(state);
	}
	if (options.count) {
		count(micro_case, state);
	} else {
		measure(micro_case, state);
	}
	fflush(stdout);
	talloc_free(mem_ctx);
}

static void *nothing(void *private_data)
{
	return NULL;
}

/*
 * libc takes short cuts until there has been a second thread. There is one in
 * mirrord and in smbd.
 */
static void have_threads(void)
{
	pthread_t thread;

	micro_check(pthread_create(&thread, NULL, nothing, NULL) == 0 &&
		    pthread_join(thread, NULL) == 0, "no threads");
}

/*
 * In a process of its own: what a case costs depends a little on what malloc
 * was used for before, and must not depend on which cases are run.
 */
static void run(const struct micro_case *micro_case)
{
	pid_t child = fork();
	int status;

	micro_check(child != -1, "cannot fork");
	if (child == 0) {
		have_threads();
		run_here(micro_case);
		exit(0);
	}
	micro_check(waitpid(child, &status, 0) == child, "no child");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "mirror-micro: %s ended badly\n",
			micro_case->name);
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "count", no_argument, NULL, 'c' },
		{ "only", required_argument, NULL, 'o' },
		{ "slow", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	char *equals;
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.count = true;
			break;
		case 'o':
			options.only = optarg;
			break;
		case 's':
			equals = strchr(optarg, '=');
			micro_check(equals != NULL, "--slow wants CASE=N");
			*equals = '\0';
			options.slow = optarg;
			options.slow_by = strtoull(equals + 1, NULL, 10);
			break;
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		default:
			exit(2);
		}
	}
	micro_check(!options.count || RUNNING_ON_VALGRIND,
		    "--count counts under valgrind only: use `run'");
}

int main(int argc, char **argv)
{
	size_t i;

	parse(argc, argv);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct micro_case *next;

		for (next = tables[i]; next->name != NULL; next++) {
			if (wanted(next)) {
				run(next);
			}
		}
	}
	return 0;
}
