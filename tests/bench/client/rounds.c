/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See rounds.h. */

#include "includes.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "client_process.h"
#include "rounds.h"

#define CONNECTING_MAX 16	/* clients at the same time */

struct process {
	pid_t pid;		/* 0: it was never started */
	int socket;		/* -1: it has ended */
};

static struct shared *shared;

static void stop(int signal_number)
{
	shared->stop = true;
}

static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ----------------------------------------------------------------- clients */

static bool start_client(const struct options *options,
			 struct process *processes, unsigned int number)
{
	struct client *client;
	unsigned int i;
	int sockets[2];
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
		return false;
	}
	processes[number].pid = fork();
	if (processes[number].pid == -1) {
		close(sockets[0]);
		close(sockets[1]);
		return false;
	}
	if (processes[number].pid > 0) {
		close(sockets[1]);
		processes[number].socket = sockets[0];
		return true;
	}
	/* It shall notice when the parent is no more. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (i = 0; i < number; i++) {
		close(processes[i].socket);
	}
	close(sockets[0]);
	client = talloc_zero(NULL, struct client);
	if (client == NULL || getppid() != parent) {
		_exit(1);
	}
	client->options = options;
	client->shared = shared;
	client->result = &shared->results[number];
	client->number = number;
	client->parent = sockets[1];
	_exit(client_main(client));
}

/* All clients have come to the end of a stage, or died. */
static void gather(struct process *processes, unsigned int count)
{
	unsigned int i;
	ssize_t n;
	char word;

	for (i = 0; i < count; i++) {
		if (processes[i].socket == -1) {
			continue;
		}
		do {
			n = read(processes[i].socket, &word, 1);
		} while (n == -1 && errno == EINTR);
		if (n != 1) {
			close(processes[i].socket);
			processes[i].socket = -1;
			shared->stop = true;
		}
	}
}

static void tell(struct process *processes, unsigned int count, char word)
{
	unsigned int i;
	ssize_t n;

	for (i = 0; i < count; i++) {
		if (processes[i].pid <= 0 || processes[i].socket == -1) {
			continue;
		}
		do {
			n = write(processes[i].socket, &word, 1);
		} while (n == -1 && errno == EINTR);
	}
}

static void end(struct process *processes, unsigned int count)
{
	unsigned int i;
	int status;

	tell(processes, count, END);
	for (i = 0; i < count; i++) {
		struct result *result = &shared->results[i];

		if (processes[i].pid <= 0) {
			continue;
		}
		while (waitpid(processes[i].pid, &status, 0) == -1 &&
		       errno == EINTR) {
		}
		/* Without a word of why: a crash. */
		if ((!WIFEXITED(status) || WEXITSTATUS(status) != 0) &&
		    result->errors == 0) {
			result->errors = 1;
			snprintf(result->message, sizeof(result->message),
				 "client %u ended with status 0x%x", i,
				 (unsigned int)status);
		}
		if (processes[i].socket != -1) {
			close(processes[i].socket);
		}
	}
}

/* ------------------------------------------------------------------ rounds */

/* From begin until the last operation of any client. */
static uint64_t round_time(unsigned int count, uint64_t begin)
{
	uint64_t ended = begin;
	unsigned int i;

	for (i = 0; i < count; i++) {
		ended = MAX(ended, shared->results[i].ended);
	}
	return ended - begin;
}

/* Who looks at the servers meanwhile wants to know when to: see -w. */
static void announce(const struct options *options, const char *stage)
{
	char line[16];

	if (!options->announce) {
		return;
	}
	printf("%s\n", stage);
	fflush(stdout);
	/* If nobody is there any more, it goes on. */
	if (fgets(line, sizeof(line), stdin) == NULL) {
		clearerr(stdin);
	}
}

/*
 * Returns when all are connected and have their folders. Not all do so at the
 * same time: a server would answer the last of hundreds too late for them.
 */
static bool start_clients(const struct options *options,
			  struct process *processes)
{
	unsigned int count = options->clients;
	unsigned int waited = 0, i;

	for (i = 0; i < count && !shared->stop; i++) {
		if (i - waited == CONNECTING_MAX) {
			gather(&processes[waited++], 1);
		}
		if (!start_client(options, processes, i)) {
			fprintf(stderr, "mirror-bench: client %u: %s\n", i,
				strerror(errno));
			shared->stop = true;
			break;
		}
	}
	gather(processes + waited, i - waited);
	return !shared->stop;
}

/* Returns how long was measured. */
static uint64_t lead(const struct options *options, struct process *processes)
{
	unsigned int count = options->clients;
	uint64_t measured = 0, begin;
	bool over = false;

	while (!shared->stop && !over && shared->left > 0 &&
	       measured < options->time) {
		tell(processes, count, GO);
		/* Prepared. */
		gather(processes, count);
		if (shared->stop) {
			break;
		}
		announce(options, "ready");
		begin = now();
		shared->round_over = false;
		shared->deadline = options->time == UINT64_MAX
			? UINT64_MAX : begin + options->time - measured;
		tell(processes, count, GO);
		/* Measured. */
		gather(processes, count);
		measured += round_time(count, begin);
		/*
		 * What a round leaves of the time may be too short for
		 * anything to begin: no other one would use it up.
		 */
		over = now() >= shared->deadline;
		announce(options, "measured");
	}
	return measured;
}

static void sum_up(const struct options *options, struct total *total)
{
	unsigned int i, failed = 0;

	for (i = 0; i < options->clients; i++) {
		const struct result *result = &shared->results[i];

		histogram_merge(&total->latency, &result->latency);
		total->operations += result->operations;
		total->bytes += result->bytes;
		total->errors += result->errors;
		/* The others most likely say the same. */
		if (result->errors > 0 && failed++ < 3) {
			fprintf(stderr, "mirror-bench: %s\n", result->message);
		}
	}
	if (failed > 3) {
		fprintf(stderr, "mirror-bench: and %u more clients failed\n",
			failed - 3);
	}
}

bool rounds_run(const struct options *options, struct total *total)
{
	size_t size = sizeof(struct shared) +
		options->clients * sizeof(struct result);
	struct process *processes = talloc_zero_array(NULL, struct process,
						      options->clients);
	struct rlimit files;

	/* A socket to each client. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (processes == NULL || shared == MAP_FAILED) {
		fprintf(stderr, "mirror-bench: out of memory\n");
		return false;
	}
	shared->left = options->operations;
	handle_signals();
	if (start_clients(options, processes)) {
		total->measured = lead(options, processes);
	}
	end(processes, options->clients);
	sum_up(options, total);
	TALLOC_FREE(processes);
	munmap(shared, size);
	return true;
}
