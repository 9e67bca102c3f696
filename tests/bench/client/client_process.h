/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One client of the benchmark, a process of its own: its connection, its
 * folder, and the rounds that it does when the parent says so. A round is
 * prepare, measure, clean; only measuring happens at the same time in all
 * clients and counts.
 *
 * Over a socket a client says that it has come to the end of a stage (one
 * byte), and waits for what to do next. The first failure of a client is noted
 * in its result and stops all clients; they go on to say when they are done
 * with a stage, only that they do nothing in it.
 */
#ifndef BENCH_CLIENT_PROCESS_H
#define BENCH_CLIENT_PROCESS_H

#include "bench.h"
#include "operation.h"

#define REQUEST_TIMEOUT_MS 60000
#define UNMEASURED_DEPTH 16	/* at most, of one client */
#define UNMEASURED_ALL 256	/* about, of all clients together */

/* What the parent says. */
#define GO 'g'
#define END 'e'

struct cli_state;
struct tevent_context;
struct workload;

struct client {
	const struct options *options;
	struct shared *shared;
	struct result *result;
	unsigned int number;
	int parent;		/* socket */
	char *folder;		/* of the share, with backslashes */
	struct cli_state *cli;
	struct tevent_context *ev;
	bool has_folder;
	bool deserted;		/* the server does not answer: ask no more */

	/* Of the workload. */
	struct file file;	/* open while a round lasts */
	bool has_file;
	uint64_t random;	/* state of a generator */
	struct file *held;	/* files that are kept open */
	uint8_t *descriptors[2];	/* two different ones */
	size_t descriptor_lengths[2];
};

/* The life of a client. The exit status of its process. */
int client_main(struct client *client);

/* Operations in flight of what is prepared and removed. */
static inline unsigned int unmeasured_depth(const struct client *client)
{
	unsigned int depth = UNMEASURED_ALL / client->options->clients;

	depth = depth < UNMEASURED_DEPTH ? depth : UNMEASURED_DEPTH;
	return depth > 0 ? depth : 1;
}

/* Note the first failure of a client, and stop all of them. */
void client_fail(struct client *client, NTSTATUS status, const char *what, ...)
	PRINTF_ATTRIBUTE(3, 4);

#endif
