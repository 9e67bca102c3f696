/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See options.h. */

#include "includes.h"
#include <getopt.h>
#include "options.h"
#include "workload.h"

/* What all clients together may need of a volume, unless told otherwise. */
#define ROOM (512 * MIB)
#define FILE_MIN (2 * MIB)

static void usage(void)
{
	const struct workload *workload;

	fprintf(stderr,
"usage: mirror-bench [OPTION..] WORKLOAD //ADDRESS/SHARE\n"
"  -c CLIENTS    processes with a connection each [1]\n"
"  -q DEPTH      operations in flight on each connection [1]\n"
"  -t SECONDS    how long to measure [5]\n"
"  -n OPERATIONS how many to measure, of all clients together; without -t\n"
"                however long it takes\n"
"  -s SIZE       of a read or write: 4k, 64k, 1M [64k]\n"
"  -m MIB        size of the file of each client [64, write-sequential 256;\n"
"                less if all clients together needed more than 512]\n"
"  -f FILES      that each client keeps open (hold) [1000]\n"
"  -b NAMES      that a client makes or removes in a round, at most [2048]\n"
"  -l            ask for leases (read, write, handle) where data is opened\n"
"  -k            keep the files of the last round\n"
"  -w            print \"ready\" before what is measured, in every round, and\n"
"                \"measured\" after it, and wait for a line each time\n"
"  -u USER%%PASS  [tester%%tester]\n"
"  -d DIRECTORY  of the share; clients work in DIRECTORY/cN [bench]\n"
"workloads:\n");
	for (workload = workloads; workload->name != NULL; workload++) {
		fprintf(stderr, "  %-16s %s\n", workload->name,
			workload->help);
	}
	exit(2);
}

static void wrong(const char *what, const char *value)
{
	fprintf(stderr, "mirror-bench: %s: %s\n", what, value);
	exit(2);
}

/* A number from 1 to max, with k, M or G behind it. */
static uint64_t number(const char *name, const char *text, uint64_t max)
{
	static const char units[] = "kMG";
	char *end = NULL;
	const char *unit;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end != text && *end != '\0' &&
	    (unit = strchr(units, *end)) != NULL) {
		unsigned int shift = 10 * (unsigned int)(unit - units + 1);

		if (value > UINT64_MAX >> shift) {
			wrong(name, text);
		}
		value <<= shift;
		end++;
	}
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' ||
	    value == 0 || value > max) {
		wrong(name, text);
	}
	return value;
}

static uint64_t duration(const char *text)
{
	char *end = NULL;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0 && seconds < 1e6)) {
		wrong("-t", text);
	}
	return (uint64_t)(seconds * (double)SECOND);
}

/* USER%PASS, //ADDRESS/SHARE: the second part. */
static char *split(const char *what, char *text, char at)
{
	char *second = strchr(text, at);

	if (second == NULL || second == text || second[1] == '\0') {
		wrong(what, text);
	}
	*second = '\0';
	return second + 1;
}

static void find_workload(struct options *options, const char *name)
{
	const struct workload *workload = workloads;

	while (workload->name != NULL && strcmp(workload->name, name) != 0) {
		workload++;
	}
	if (workload->name == NULL) {
		wrong("no such workload", name);
	}
	options->workload = workload;
}

static void complete(struct options *options)
{
	const struct workload *workload = options->workload;

	if (options->time == 0) {
		options->time = options->operations == INT64_MAX
			? 5 * SECOND : UINT64_MAX;
	}
	if (workload->fixed_size || options->size == 0) {
		options->size = workload->size;
	}
	if (options->file_size == 0) {
		options->file_size = MIN(workload->file_size,
					 ROOM / options->clients);
		options->file_size = MAX(options->file_size, FILE_MIN);
	}
	/* As it is written before it is used: in whole pieces. */
	options->file_size -= options->file_size % piece_size(options);
	options->file_size = MAX(options->file_size, piece_size(options));
}

void options_parse(struct options *options, int argc, char **argv)
{
	static char default_user[] = "tester%tester";
	char *user = default_user;
	int c;

	*options = (struct options){
		.directory = "bench", .clients = 1, .depth = 1,
		.operations = INT64_MAX, .files = 1000, .batch = 2048,
	};
	while ((c = getopt(argc, argv, "c:q:t:n:s:m:f:b:u:d:lkw")) != -1) {
		switch (c) {
		case 'c':
			options->clients = (unsigned int)number(
				"-c", optarg, CLIENTS_MAX);
			break;
		case 'q':
			options->depth = (unsigned int)number("-q", optarg,
							      DEPTH_MAX);
			break;
		case 't':
			options->time = duration(optarg);
			break;
		case 'n':
			options->operations = (int64_t)number(
				"-n", optarg, INT64_MAX / 2);
			break;
		case 's':
			options->size = (uint32_t)number("-s", optarg,
							 8 * MIB);
			if (options->size % BLOCK != 0) {
				wrong("-s is no multiple of 4k", optarg);
			}
			break;
		case 'm':
			options->file_size = number("-m", optarg,
						    1 << 20) * MIB;
			break;
		case 'f':
			options->files = (unsigned int)number("-f", optarg,
							      1000000);
			break;
		case 'b':
			options->batch = (unsigned int)number("-b", optarg,
							      1000000);
			break;
		case 'u':
			user = optarg;
			break;
		case 'd':
			options->directory = optarg;
			break;
		case 'l':
			options->lease = true;
			break;
		case 'k':
			options->keep = true;
			break;
		case 'w':
			options->announce = true;
			break;
		default:
			usage();
		}
	}
	if (optind + 2 != argc || strncmp(argv[optind + 1], "//", 2) != 0) {
		usage();
	}
	if (options->directory[strcspn(options->directory, "/\\")] != '\0' ||
	    strlen(options->directory) > 64 ||
	    options->directory[0] == '\0') {
		wrong("-d is no simple name", options->directory);
	}
	find_workload(options, argv[optind]);
	options->address = argv[optind + 1] + 2;
	options->share = split("//ADDRESS/SHARE", argv[optind + 1] + 2, '/');
	options->user = user;
	options->password = split("-u", user, '%');
	complete(options);
}
