/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calling a fence agent, see fence_agent.h. */

#include <sys/prctl.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "fence_agent.h"

#define OUTPUT_MAX (256 * 1024)

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct run {
	const char *argv[4];
	char *input;
	pid_t pid;
	int in[2];
	int out[2];
	char *output;
	size_t used;
};

static void run_child(struct run *run)
{
	sigset_t none;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	for (i = 1; i < NSIG; i++) {
		signal(i, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(run->in[0], 0);
	dup2(run->out[1], 1);
	dup2(run->out[1], 2);
	execvp(run->argv[0], (char *const *)(uintptr_t)run->argv);
	/* Told by the status: no program ends with these two by habit. */
	_exit(errno == ENOENT ? 127 : 126);
}

static int run_start(struct run *run)
{
	size_t length = strlen(run->input);

	if (pipe2(run->in, O_CLOEXEC) == -1) {
		return errno;
	}
	if (pipe2(run->out, O_CLOEXEC) == -1) {
		int ret = errno;

		close(run->in[0]);
		close(run->in[1]);
		return ret;
	}
	/* It is less than a pipe takes (config_fence.c). */
	if (write(run->in[1], run->input, length) != (ssize_t)length) {
		return EIO;
	}
	run->pid = fork();
	if (run->pid == -1) {
		return errno;
	}
	if (run->pid == 0) {
		run_child(run);
	}
	close(run->in[0]);
	close(run->in[1]);
	close(run->out[1]);
	fcntl(run->out[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void run_read(struct run *run)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(run->out[0], buf, sizeof(buf))) > 0) {
		size_t room = OUTPUT_MAX - run->used;
		size_t take = (size_t)n < room ? (size_t)n : room;

		memcpy(run->output + run->used, buf, take);
		run->used += take;
	}
	run->output[run->used] = '\0';
}

/* What it starts may keep the pipe: its own end is what counts. */
static int run_wait(struct run *run, uint32_t timeout_ms, int *status)
{
	uint64_t end = now_ms() + timeout_ms;
	bool late = false;
	int raw = 0;

	while (waitpid(run->pid, &raw, WNOHANG) == 0) {
		struct pollfd pollfd = {
			.fd = run->out[0], .events = POLLIN
		};

		if (!late && now_ms() >= end) {
			late = true;
			kill(-run->pid, SIGKILL);
			kill(run->pid, SIGKILL);
			end += 1000;
		} else if (late && now_ms() >= end) {
			return ETIMEDOUT;
		}
		if (poll(&pollfd, 1, 20) == 1 &&
		    (pollfd.revents & POLLIN) == 0) {
			/* It has closed its output and goes on. */
			usleep(20000);
		}
		run_read(run);
	}
	run_read(run);
	*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	return late ? ETIMEDOUT : 0;
}

static char *last_line(TALLOC_CTX *mem_ctx, char *text)
{
	size_t length = strlen(text);
	char *line;

	while (length > 0 && strchr(" \n\r\t", text[length - 1]) != NULL) {
		text[--length] = '\0';
	}
	line = strrchr(text, '\n');
	line = line != NULL ? line + 1 : text;
	return talloc_strndup(mem_ctx, line, 300);
}

static int run_all(TALLOC_CTX *mem_ctx, struct run *run, uint32_t timeout_ms,
		   bool all, int *status, char **said)
{
	int ret;

	*said = NULL;
	*status = -1;
	run->output = talloc_zero_array(mem_ctx, char, OUTPUT_MAX + 1);
	if (run->output == NULL || run->input == NULL) {
		return ENOMEM;
	}
	ret = run_start(run);
	if (ret == 0) {
		ret = run_wait(run, timeout_ms, status);
		close(run->out[0]);
	}
	if (ret == 0 && *status == 127) {
		ret = ENOENT;
	}
	*said = all ? talloc_strdup(mem_ctx, run->output) :
		last_line(mem_ctx, run->output);
	TALLOC_FREE(run->output);
	return ret;
}

int fence_agent_run(TALLOC_CTX *mem_ctx,
		    const struct config_agent *agent,
		    const char *action,
		    uint32_t timeout_ms,
		    bool all,
		    int *status,
		    char **said)
{
	struct run run = { .argv = { agent->name } };
	const char **option;
	int ret;

	run.input = talloc_asprintf(mem_ctx, "action=%s\n", action);
	for (option = agent->options; run.input != NULL && *option != NULL;
	     option++) {
		run.input = talloc_asprintf_append(run.input, "%s\n", *option);
	}
	ret = run_all(mem_ctx, &run, timeout_ms, all, status, said);
	talloc_free(run.input);
	return ret;
}

int fence_agent_shell(TALLOC_CTX *mem_ctx,
		      const char *command,
		      uint32_t timeout_ms,
		      int *status,
		      char **said)
{
	struct run run = { .argv = { "/bin/sh", "-c", command } };
	int ret;

	run.input = talloc_strdup(mem_ctx, "");
	ret = run_all(mem_ctx, &run, timeout_ms, false, status, said);
	talloc_free(run.input);
	return ret == ENOENT ? 0 : ret;
}

int fence_agent_unfences(TALLOC_CTX *mem_ctx,
			 const struct config_agent *agent,
			 uint32_t timeout_ms,
			 bool *unfences)
{
	char *metadata = NULL;
	const char *at;
	int status;
	int ret;

	*unfences = false;
	ret = fence_agent_run(mem_ctx, agent, "metadata", timeout_ms, true,
			      &status, &metadata);
	if (ret == 0 && (status != 0 ||
			 strstr(metadata, "<resource-agent") == NULL)) {
		ret = EIO;
	}
	/* <action name="on" on_target="1" automatic="1"/> */
	at = ret == 0 ? strstr(metadata, "<action name=\"on\"") : NULL;
	if (at != NULL) {
		const char *end = strchr(at, '>');
		const char *automatic = strstr(at, "automatic=\"1\"");

		*unfences = end != NULL && automatic != NULL &&
			automatic < end;
	}
	talloc_free(metadata);
	return ret;
}

char *fence_agent_why(TALLOC_CTX *mem_ctx, const char *agent, int ret,
		      int status, const char *said)
{
	if (ret == ENOENT) {
		return talloc_asprintf(mem_ctx, "%s: there is no such program "
				       "on this node; install the package "
				       "fence-agents", agent);
	}
	if (ret == ETIMEDOUT) {
		return talloc_asprintf(mem_ctx, "%s: no answer in time",
				       agent);
	}
	if (ret != 0) {
		return talloc_asprintf(mem_ctx, "%s: %s", agent,
				       strerror(ret));
	}
	return talloc_asprintf(mem_ctx, "%s: exit status %d: %s", agent,
			       status, said != NULL && said[0] != '\0' ?
			       said : "it said nothing");
}
