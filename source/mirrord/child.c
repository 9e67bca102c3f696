/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work in a process of its own, see child.h. */

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/timer.h"
#include "child.h"

#define LINE_SIZE 1024

struct child_state {
	struct tevent_context *ev;
	pid_t pid;
	int pid_fd;
	int out_fd;
	bool is_command;
	bool timed_out;
	int status;
	struct tevent_fd *pid_fde;
	struct tevent_fd *out_fde;
	child_line line;
	void *line_data;
	char buf[LINE_SIZE];
	size_t used;
	char *last;
};

static void child_take_line(struct child_state *state)
{
	state->buf[state->used] = '\0';
	if (state->used > 0) {
		TALLOC_FREE(state->last);
		state->last = talloc_strdup(state, state->buf);
		if (state->line != NULL) {
			state->line(state->buf, state->line_data);
		}
	}
	state->used = 0;
}

static void child_read(struct child_state *state)
{
	for (;;) {
		char buf[LINE_SIZE];
		ssize_t n = read(state->out_fd, buf, sizeof(buf));
		ssize_t i;

		if (n <= 0) {
			if (n == 0) {
				TALLOC_FREE(state->out_fde);
			}
			return;
		}
		for (i = 0; i < n; i++) {
			if (buf[i] == '\n') {
				child_take_line(state);
			} else if (state->used < sizeof(state->buf) - 1) {
				state->buf[state->used++] = buf[i];
			}
		}
	}
}

static void child_readable(struct tevent_context *ev,
			   struct tevent_fd *fde,
			   uint16_t flags,
			   void *private_data)
{
	child_read(private_data);
}

/* Children that nobody waits for any more. */
static pid_t orphans[64];

static void orphan_keep(pid_t pid)
{
	size_t i;

	for (i = 0; i < sizeof(orphans) / sizeof(orphans[0]); i++) {
		if (orphans[i] == 0) {
			orphans[i] = pid;
			return;
		}
	}
}

static void orphans_reap(void)
{
	size_t i;

	for (i = 0; i < sizeof(orphans) / sizeof(orphans[0]); i++) {
		if (orphans[i] != 0 &&
		    waitpid(orphans[i], NULL, WNOHANG) != 0) {
			orphans[i] = 0;
		}
	}
}

static void child_cleanup(struct tevent_req *req,
			  enum tevent_req_state req_state)
{
	struct child_state *state = tevent_req_data(req, struct child_state);
	int status;

	TALLOC_FREE(state->pid_fde);
	TALLOC_FREE(state->out_fde);
	if (state->pid > 0) {
		kill(state->pid, SIGKILL);
		/* One that is stuck in the kernel is reaped later. */
		if (waitpid(state->pid, &status, WNOHANG) == 0) {
			orphan_keep(state->pid);
		}
		state->pid = 0;
	}
	if (state->pid_fd != -1) {
		close(state->pid_fd);
		state->pid_fd = -1;
	}
	if (state->out_fd != -1) {
		close(state->out_fd);
		state->out_fd = -1;
	}
}

static void child_exited(struct tevent_context *ev,
			 struct tevent_fd *fde,
			 uint16_t flags,
			 void *private_data)
{
	struct tevent_req *req = private_data;
	struct child_state *state = tevent_req_data(req, struct child_state);
	int status = 0;

	if (waitpid(state->pid, &status, WNOHANG) == 0) {
		return;
	}
	state->pid = 0;
	/* What it wrote last; grandchildren may hold the pipe for ever. */
	child_read(state);
	child_take_line(state);
	state->status = WIFEXITED(status) ? WEXITSTATUS(status) :
		128 + WTERMSIG(status);

	if (state->timed_out) {
		tevent_req_error(req, ETIMEDOUT);
	} else if (state->status == 0) {
		tevent_req_done(req);
	} else if (state->is_command) {
		tevent_req_error(req, ECHILD);
	} else {
		tevent_req_error(req, state->status < 128 ? state->status :
				 EINTR);
	}
}

static void child_overdue(void *private_data)
{
	struct tevent_req *req = private_data;
	struct child_state *state = tevent_req_data(req, struct child_state);

	state->timed_out = true;
	/* Its whole group: a shell's commands, too. */
	kill(-state->pid, SIGKILL);
	kill(state->pid, SIGKILL);
}

static void close_kind(mode_t kind, int keep)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat st;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != keep && fd > 2 &&
		    fd != dirfd(directory) &&
		    fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind) {
			close(fd);
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
}

void child_close_sockets(int keep)
{
	close_kind(S_IFSOCK, keep);
}

void child_close_directories(void)
{
	close_kind(S_IFDIR, -1);
}

struct child_start {
	child_function function;
	void *function_data;
	const char *const *argv;
};

static void child_run(const struct child_start *start, int out)
{
	sigset_t none;
	int null_fd;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	for (i = 1; i < NSIG; i++) {
		signal(i, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);

	if (start->argv == NULL) {
		int ret = start->function(out, start->function_data);

		_exit(ret >= 0 && ret < 128 ? ret : EIO);
	}
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null_fd, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(start->argv[0], (char *const *)(uintptr_t)start->argv);
	dprintf(out, "%s: %s\n", start->argv[0], strerror(errno));
	_exit(127);
}

static int child_fork(struct child_state *state,
		      const struct child_start *start)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1) {
		return errno;
	}
	state->pid = fork();
	if (state->pid == -1) {
		int ret = errno;

		state->pid = 0;
		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	if (state->pid == 0) {
		close(fds[0]);
		child_run(start, fds[1]);
	}
	close(fds[1]);
	state->out_fd = fds[0];
	fcntl(state->out_fd, F_SETFL, O_NONBLOCK);
	state->pid_fd = (int)syscall(SYS_pidfd_open, state->pid, 0);
	if (state->pid_fd == -1) {
		return errno;
	}
	fcntl(state->pid_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

static struct tevent_req *child_send(TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     const struct child_start *start,
				     uint32_t timeout_ms,
				     child_line line,
				     void *line_data)
{
	struct tevent_req *req;
	struct child_state *state;
	int ret;

	orphans_reap();
	req = tevent_req_create(mem_ctx, &state, struct child_state);
	if (req == NULL) {
		return NULL;
	}
	state->ev = ev;
	state->pid_fd = state->out_fd = -1;
	state->is_command = start->argv != NULL;
	state->line = line;
	state->line_data = line_data;
	tevent_req_set_cleanup_fn(req, child_cleanup);

	ret = child_fork(state, start);
	if (ret != 0) {
		tevent_req_error(req, ret);
		return tevent_req_post(req, ev);
	}
	state->pid_fde = tevent_add_fd(ev, state, state->pid_fd,
				       TEVENT_FD_READ, child_exited, req);
	state->out_fde = tevent_add_fd(ev, state, state->out_fd,
				       TEVENT_FD_READ, child_readable, state);
	if (tevent_req_nomem(state->pid_fde, req) ||
	    tevent_req_nomem(state->out_fde, req)) {
		return tevent_req_post(req, ev);
	}
	if (timeout_ms != 0 &&
	    timer_start(state, ev, timeout_ms, child_overdue, req) == NULL) {
		tevent_req_oom(req);
		return tevent_req_post(req, ev);
	}
	return req;
}

struct tevent_req *child_function_send(TALLOC_CTX *mem_ctx,
				       struct tevent_context *ev,
				       child_function function,
				       void *function_data,
				       uint32_t timeout_ms,
				       child_line line,
				       void *line_data)
{
	const struct child_start start = {
		.function = function,
		.function_data = function_data,
	};

	return child_send(mem_ctx, ev, &start, timeout_ms, line, line_data);
}

struct tevent_req *child_command_send(TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      const char *const *argv,
				      uint32_t timeout_ms,
				      child_line line,
				      void *line_data)
{
	const struct child_start start = { .argv = argv };

	return child_send(mem_ctx, ev, &start, timeout_ms, line, line_data);
}

void child_kill(struct tevent_req *req)
{
	struct child_state *state = tevent_req_data(req, struct child_state);

	if (state->pid > 0) {
		kill(state->pid, SIGKILL);
	}
}

int child_recv(struct tevent_req *req,
	       TALLOC_CTX *mem_ctx,
	       int *status,
	       char **last)
{
	struct child_state *state = tevent_req_data(req, struct child_state);
	enum tevent_req_state req_state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &req_state, &error) &&
	    req_state == TEVENT_REQ_NO_MEMORY) {
		error = ENOMEM;
	}
	if (status != NULL) {
		*status = state->status;
	}
	if (last != NULL) {
		*last = talloc_move(mem_ctx, &state->last);
	}
	tevent_req_received(req);
	return (int)error;
}
