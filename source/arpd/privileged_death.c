/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running mirror-ctdb-death, see privileged_death.h. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "privileged_death.h"

#define LINE_SIZE 512

struct run {
	pid_t pid;	/* 0: does not run */
	int fd;		/* what it writes; -1: it has closed it */
	char line[LINE_SIZE];
	size_t used;
};

struct death {
	struct run runs[SETTINGS_NODES_MAX];
};

struct death *death_new(TALLOC_CTX *mem_ctx)
{
	struct death *death = talloc_zero(mem_ctx, struct death);
	uint32_t node;

	if (death != NULL) {
		for (node = 0; node < SETTINGS_NODES_MAX; node++) {
			death->runs[node].fd = -1;
		}
	}
	return death;
}

static void death_child(int out, uint32_t node)
{
	const char *program = getenv("MIRROR_CTDB_DEATH");
	char pnn[16];
	char *argv[] = { NULL, pnn, NULL };
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	if (program == NULL) {
		program = DEATH_PROGRAM;
	}
	argv[0] = (char *)(uintptr_t)program;
	snprintf(pnn, sizeof(pnn), "%u", node);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(program, argv);
	dprintf(out, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

int death_start(struct death *death, uint32_t node)
{
	struct run *run = &death->runs[node];
	int fds[2];
	pid_t pid;

	if (run->pid != 0) {
		return EALREADY;
	}
	if (pipe2(fds, O_CLOEXEC) == -1) {
		return errno;
	}
	pid = fork();
	if (pid == -1) {
		int ret = errno;

		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	if (pid == 0) {
		death_child(fds[1], node);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	if (run->fd != -1) {
		close(run->fd);
	}
	*run = (struct run){ .pid = pid, .fd = fds[0] };
	return 0;
}

static void take_line(struct run *run, uint32_t node)
{
	run->line[run->used] = '\0';
	if (run->used != 0) {
		event_log(EVENT_DEATH_SAYS, "Node %u: %s", node, run->line);
	}
	run->used = 0;
}

static void read_run(struct run *run, uint32_t node)
{
	char buffer[LINE_SIZE];
	ssize_t n, i;

	while ((n = read(run->fd, buffer, sizeof(buffer))) > 0) {
		for (i = 0; i < n; i++) {
			if (buffer[i] == '\n') {
				take_line(run, node);
			} else if (run->used < sizeof(run->line) - 1) {
				run->line[run->used++] = buffer[i];
			}
		}
	}
	if (n == 0) {
		take_line(run, node);
		close(run->fd);
		run->fd = -1;
	}
}

void death_poll(const struct death *death, struct pollfd *pollfds)
{
	uint32_t node;

	for (node = 0; node < SETTINGS_NODES_MAX; node++) {
		pollfds[node] = (struct pollfd){
			.fd = death->runs[node].fd,
			.events = POLLIN,
		};
	}
}

void death_read(struct death *death, const struct pollfd *pollfds)
{
	uint32_t node;

	for (node = 0; node < SETTINGS_NODES_MAX; node++) {
		if (pollfds[node].revents != 0 && death->runs[node].fd != -1) {
			read_run(&death->runs[node], node);
		}
	}
}

static void say_end(uint32_t node, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return;
	}
	if (WIFEXITED(status)) {
		event_log(EVENT_DEATH_FAILED,
			  "Telling ctdb of the death of node %u failed with "
			  "exit status %d", node, WEXITSTATUS(status));
		return;
	}
	event_log(EVENT_DEATH_FAILED,
		  "Telling ctdb of the death of node %u was ended by signal "
		  "%d", node, WTERMSIG(status));
}

void death_ended(struct death *death, int pid, int status)
{
	uint32_t node;

	for (node = 0; node < SETTINGS_NODES_MAX; node++) {
		struct run *run = &death->runs[node];

		if (run->pid != pid) {
			continue;
		}
		run->pid = 0;
		if (run->fd != -1) {
			read_run(run, node);
		}
		say_end(node, status);
	}
}

void death_close(struct death *death)
{
	uint32_t node;

	for (node = 0; node < SETTINGS_NODES_MAX; node++) {
		if (death->runs[node].fd != -1) {
			close(death->runs[node].fd);
		}
	}
	talloc_free(death);
}
