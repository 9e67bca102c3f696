/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-ctdb-lock - the cluster lock of ctdb for two nodes and more, as a
 * lease in a mailbox on a shared disk, or with a witness.
 *
 *   cluster lock = !/usr/libexec/samba-mirror/mirror-ctdb-lock mailbox DEVICE
 *   cluster lock = !/usr/libexec/samba-mirror/mirror-ctdb-lock witness HOST
 *
 * Owns: the command line; what is answered to whom.
 * Does not own: the rules (lock_lease.h: the table of cases), the rest of it
 * (lock_hold.h, lock_format.h, lock_witness.h).
 *
 * ctdb runs the same command in two roles. Its recovery daemon does to lead:
 * then the lock is taken and held. ctdbd does on every node at the end of each
 * recovery, to see that somebody has it: the answer is "contention", never that
 * it was taken, and no disk is read for it. Where the lock is held, it comes
 * when the holder may go on for good (lock_gate.h).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "lock_format.h"
#include "lock_gate.h"
#include "lock_hold.h"
#include "lock_witness.h"

#define CTDB_SOCKET "/run/ctdb/ctdbd.socket"

struct options {
	const char *fence;
	const char *key_file;
	uint32_t lease_ms;
	uint16_t port;
	bool again;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: mirror-ctdb-lock mailbox [-f PROGRAM] DEVICE "
		"[DEVICE]   as ctdb's cluster lock\n"
		"       mirror-ctdb-lock format [-t MS] [-f] DEVICE "
		"[DEVICE]\n"
		"       mirror-ctdb-lock witness [-f PROGRAM] [-k KEY-FILE] "
		"HOST[:PORT] [HOST[:PORT]]   as ctdb's cluster lock\n"
		"       mirror-ctdb-lock serve [-k KEY-FILE] [-p PORT] "
		"[-t MS] FILE   the witness\n"
		"       mirror-ctdb-lock show DEVICE [DEVICE]\n"
		"       mirror-ctdb-lock clear PNN DEVICE [DEVICE]   that "
		"node is off\n");
	return 2;
}

/* One device has both copies. */
static uint8_t find_places(int argc, char *argv[], struct copy_place *places)
{
	uint8_t i;

	if (argc < 1 || argc > LOCK_COPIES) {
		return 0;
	}
	for (i = 0; i < LOCK_COPIES; i++) {
		places[i] = (struct copy_place) {
			.path = argv[argc == 1 ? 0 : i],
			.offset = argc == 1 ? i * LOCK_COPY_APART : 0,
			.copy = i,
			.serve = copy_serve_disk,
		};
	}
	return LOCK_COPIES;
}

static bool is_for_recoverd(void)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)getppid());
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof(name), file) == NULL) {
			name[0] = '\0';
		}
		fclose(file);
	}
	/* "ctdb_recoverd" since 4.15; whoever tries it by hand, too. */
	return name[0] != '\0' && strcmp(name, "ctdbd\n") != 0;
}

static uint8_t find_witnesses(int argc, char *argv[],
			      const struct options *options,
			      struct copy_place *places)
{
	int i;

	if (argc < 1 || argc > LOCK_COPIES) {
		return 0;
	}
	for (i = 0; i < argc; i++) {
		places[i] = (struct copy_place) {
			.path = argv[i],
			.copy = (uint8_t)i,
			.key_file = options->key_file,
			.serve = copy_serve_witness,
		};
	}
	return (uint8_t)argc;
}

static int help_ctdb(struct hold_settings settings)
{
	if (settings.copies == 0) {
		hold_answer('3');
		return usage();
	}
	if (!is_for_recoverd()) {
		hold_answer(gate_answer());
		return 0;
	}
	event_log_keep();
	if (settings.ctdb_socket == NULL) {
		settings.ctdb_socket = CTDB_SOCKET;
	}
	return hold_lock(&settings);
}

static int do_mailbox(int argc, char *argv[], const struct options *options)
{
	struct hold_settings settings = {
		.fence = options->fence,
		.ctdb_socket = getenv("CTDB_SOCKET"),
		.made_together = true,
	};

	settings.copies = find_places(argc, argv, settings.places);
	return help_ctdb(settings);
}

static int do_witness(int argc, char *argv[], const struct options *options)
{
	struct hold_settings settings = {
		.fence = options->fence,
		.ctdb_socket = getenv("CTDB_SOCKET"),
	};

	settings.copies = find_witnesses(argc, argv, options,
					 settings.places);
	return help_ctdb(settings);
}

static int do_serve(int argc, char *argv[], const struct options *options)
{
	return argc != 1 ? usage() :
		witness_serve(argv[0], options->key_file, options->port,
			      options->lease_ms);
}

static int do_format(int argc, char *argv[], const struct options *options)
{
	struct copy_place places[LOCK_COPIES];
	uint8_t copies = find_places(argc, argv, places);

	return copies == 0 ? usage() :
		lock_format(places, copies, options->lease_ms,
			    options->again);
}

static int do_show(int argc, char *argv[], const struct options *options)
{
	struct copy_place places[LOCK_COPIES];
	uint8_t copies = find_places(argc, argv, places);

	if (argc == 1 && copies > 1 && lock_is_witness(argv[0])) {
		copies = 1;
	}
	return copies == 0 ? usage() : lock_show(places, copies);
}

static int do_clear(int argc, char *argv[], const struct options *options)
{
	struct copy_place places[LOCK_COPIES];
	unsigned long node;
	uint8_t copies;
	char *end;

	if (argc < 2) {
		return usage();
	}
	node = strtoul(argv[0], &end, 10);
	copies = find_places(argc - 1, argv + 1, places);
	if (argc == 2 && copies > 1 && lock_is_witness(argv[1])) {
		copies = 1;
	}
	if (*argv[0] == '\0' || *end != '\0' || node >= LOCK_NODES ||
	    copies == 0) {
		return usage();
	}
	return lock_clear(places, copies, (uint32_t)node);
}

static const struct {
	const char *name;
	const char *options;
	int (*run)(int argc, char *argv[], const struct options *options);
} verbs[] = {
	{ "mailbox", "+f:", do_mailbox },
	{ "witness", "+f:k:", do_witness },
	{ "serve", "+k:p:t:", do_serve },
	{ "format", "+ft:", do_format },
	{ "show", "+", do_show },
	{ "clear", "+", do_clear },
};

static bool number(const char *text, unsigned long least, unsigned long most,
		   unsigned long *value)
{
	char *end = NULL;

	if (text == NULL || *text < '0' || *text > '9') {
		return false;
	}
	*value = strtoul(text, &end, 10);
	return *end == '\0' && *value >= least && *value <= most;
}

static bool parse(int argc, char *argv[], const char *known,
		  struct options *options)
{
	int c;

	while ((c = getopt(argc, argv, known)) != -1) {
		unsigned long value;

		switch (c) {
		case 'f':
			options->fence = optarg;
			options->again = optarg == NULL;
			break;
		case 'k':
			options->key_file = optarg;
			break;
		case 'p':
			if (!number(optarg, 1, UINT16_MAX, &value)) {
				return false;
			}
			options->port = (uint16_t)value;
			break;
		case 't':
			if (!number(optarg, LOCK_LEASE_MS_MIN,
				    LOCK_LEASE_MS_MAX, &value)) {
				return false;
			}
			options->lease_ms = (uint32_t)value;
			break;
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char *argv[])
{
	struct options options = {
		.key_file = WITNESS_KEY_FILE,
		.lease_ms = LOCK_LEASE_MS,
		.port = WITNESS_PORT,
	};
	size_t i;

	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	event_log_init("mirror-ctdb-lock", EVENT_TO_STDERR);
	for (i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0) {
			continue;
		}
		if (!parse(argc - 1, argv + 1, verbs[i].options, &options)) {
			return usage();
		}
		return verbs[i].run(argc - 1 - optind, argv + 1 + optind,
				    &options);
	}
	return usage();
}
