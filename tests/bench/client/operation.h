/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations: each is a few requests, one after the other, and a phase keeps
 * `depth' of them in flight on one connection until there is no more to do.
 * Owns the order of requests, the measurement and the use of credits: what
 * needs more of them than the server has granted waits for the next reply.
 * What the requests are: steps.h; what operations there are: workload.h.
 */
#ifndef BENCH_OPERATION_H
#define BENCH_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_LENGTH 200
#define INFO_LENGTH (20 + 2 * PATH_LENGTH)
#define UNLIMITED UINT64_MAX

struct client;
struct operation;
struct phase;
struct tevent_req;

struct file {
	uint64_t persistent;
	uint64_t open;		/* the volatile part of its id */
};

/* One request of an operation. */
struct step {
	const char *name;	/* for messages; NULL ends an operation */
	struct tevent_req *(*send)(struct operation *operation);
	/* Its answer. With operation->again set the step is done once more. */
	NTSTATUS (*receive)(struct operation *operation,
			    struct tevent_req *req);
	const void *how;	/* what send has to know */
	bool has_data;		/* the request or its answer has length bytes */
};

/* What an operation of a phase does. */
struct action {
	const struct step *steps;
	/* Sets path, file, offset .. from number or turn; may change step. */
	void (*choose)(struct operation *operation);
};

/* A place for one operation after the other. */
struct operation {
	struct phase *phase;
	struct client *client;
	unsigned int slot;	/* 0 to depth - 1 */
	uint64_t turn;		/* operations that this slot did before */
	uint64_t number;	/* of the phase, from 0 on */
	uint64_t begun;
	const struct step *step;
	bool again;
	struct operation *next_waiting;	/* for credits */

	char path[PATH_LENGTH];
	struct file file;
	uint64_t offset;
	uint32_t length;
	uint64_t bytes;		/* that it has read and written */
	uint32_t entries;	/* that a listing has given */
	uint8_t *buffer;	/* has the length of the phase */
	uint8_t info[INFO_LENGTH];	/* what a SET_INFO sends */
};

struct phase_options {
	const struct action *action;
	uint64_t count;		/* operations, or UNLIMITED */
	unsigned int depth;
	uint32_t length;	/* of a read or write; 0: has none */
	bool measured;		/* ends with the round, and counts */
	bool cleaning;		/* goes on after a signal or failure */
	char **names;		/* of objects, for choose */
};

struct phase {
	struct phase_options options;
	struct client *client;
	struct operation *operations;
	uint64_t next;		/* number */
	unsigned int active;	/* operations */
	unsigned int in_flight;	/* requests */
	struct operation *waiting;
	struct operation **waiting_end;
	bool failed;
};

/*
 * Returns when all of it is done, or none is in flight after a failure, which
 * is noted in the client's result: then false.
 */
bool phase_run(struct client *client, const struct phase_options *options);

#endif
