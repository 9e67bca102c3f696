/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starting the two processes, and the unprivileged one again, see
 * privileged.h.
 *
 * The parent opens nothing before it forks, and closes all that it has opened
 * for a child before it forks the next one.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "kernel.h"
#include "privileged_private.h"
#include "privileged_server.h"

#define DEATHS_MAX 5
#define DEATHS_SECONDS 10

/* When the last children died, the oldest one first. */
struct deaths {
	time_t times[DEATHS_MAX];
};

/* true: too many in too short a time. */
static bool deaths_add(struct deaths *deaths)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	memmove(&deaths->times[0], &deaths->times[1],
		(DEATHS_MAX - 1) * sizeof(deaths->times[0]));
	/* Never 0, which stands for none. */
	deaths->times[DEATHS_MAX - 1] = now.tv_sec + 1;
	return deaths->times[0] != 0 &&
		now.tv_sec + 1 - deaths->times[0] < DEATHS_SECONDS;
}

static void say_death(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		event_log(EVENT_ARPD_DIED,
			  "arpd made a system call that it may not make; the "
			  "kernel's log has its number (type=1326)");
	} else if (WIFSIGNALED(status)) {
		event_log(EVENT_ARPD_DIED, "arpd was ended by signal %d",
			  WTERMSIG(status));
	} else {
		event_log(EVENT_ARPD_DIED, "arpd ended with exit status %d",
			  WEXITSTATUS(status));
	}
}

/* The child has ended so that it begins with other ones. */
static void put_next(struct server *server, const struct settings **before)
{
	*before = server->settings;
	server->settings = server->next;
	server->next = NULL;
	event_log(EVENT_ARPD_CHANGED, "%s: arpd begins anew with them; "
		  "addresses, routes and rules stay", server->settings->base);
}

/* They are well written, but this machine is not what they say. */
static bool take_back(struct server *server, const struct settings **before,
		      int status)
{
	if (*before == NULL || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != EX_CONFIG) {
		return false;
	}
	event_log(EVENT_ARPD_KEPT, "see the line before");
	server->settings = *before;
	*before = NULL;
	return true;
}

/* What the parent's exit status shall be; -1: start the child again. */
static int verdict(const struct server *server, struct deaths *deaths,
		   int status)
{
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 ||
				  WEXITSTATUS(status) == EX_CONFIG)) {
		return WEXITSTATUS(status);
	}
	/* Before it has a handler the signal ends it the hard way. */
	if (server->ending) {
		return 0;
	}
	say_death(status);
	if (deaths_add(deaths)) {
		event_log(EVENT_ARPD_GAVE_UP,
			  "arpd died %d times within %d seconds", DEATHS_MAX,
			  DEATHS_SECONDS);
		return 1;
	}
	return -1;
}

static int become_child(const struct server *server, int fd, pid_t parent,
			const sigset_t *mask, TALLOC_CTX *mem_ctx,
			struct privileged **privileged)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(1);
	}
	close(server->signal_fd);
	death_close(server->death);
	sigprocmask(SIG_SETMASK, mask, NULL);
	*privileged = talloc_zero(mem_ctx, struct privileged);
	if (*privileged == NULL) {
		return ENOMEM;
	}
	(*privileged)->fd = fd;
	return 0;
}

/* Returns in the child only, or if there is none: *error. */
static bool supervise(struct server *server, const sigset_t *mask,
		      TALLOC_CTX *mem_ctx, struct privileged **privileged,
		      int *error)
{
	/* In force until a moment ago; NULL: no others were. Some KiB stay
	 * allocated for each change. */
	const struct settings *before = NULL;
	struct deaths deaths = { .times = { 0 } };
	pid_t parent = getpid();

	for (;;) {
		int fds[2], status = 0, end;

		*error = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    fds) == -1 ? errno : 0;
		if (*error != 0) {
			return false;
		}
		server->child = fork();
		if (server->child == -1) {
			*error = errno;
			return false;
		}
		if (server->child == 0) {
			close(fds[0]);
			*error = become_child(server, fds[1], parent, mask,
					      mem_ctx, privileged);
			return true;
		}
		close(fds[1]);
		server->fd = fds[0];
		*error = server_run(server, &status);
		close(fds[0]);
		if (*error != 0) {
			kill(server->child, SIGKILL);
			waitpid(server->child, &status, 0);
			return false;
		}
		if (server->next != NULL && !server->ending) {
			put_next(server, &before);
			continue;
		}
		if (take_back(server, &before, status)) {
			continue;
		}
		end = verdict(server, &deaths, status);
		if (end != -1) {
			exit(end);
		}
	}
}

int privileged_start(TALLOC_CTX *mem_ctx,
		     const struct settings **settings,
		     struct privileged **privileged,
		     char **problem)
{
	struct server server = { .settings = *settings };
	sigset_t ours, before;
	int ret;

	if (geteuid() != 0) {
		*problem = talloc_strdup(mem_ctx, "arpd has to be started "
					 "by root");
		return EPERM;
	}
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ours, &before);
	server.death = death_new(mem_ctx);
	server.signal_fd = signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (server.death == NULL || server.signal_fd == -1) {
		*problem = talloc_strdup(mem_ctx, "No memory or no "
					 "descriptors to start with");
		return ENOMEM;
	}
	if (supervise(&server, &before, mem_ctx, privileged, &ret) &&
	    ret == 0) {
		*settings = server.settings;
		return 0;
	}
	*problem = talloc_asprintf(mem_ctx, "Cannot start the privileged "
				   "part: %s", strerror(ret));
	return ret;
}

int privileged_flush(TALLOC_CTX *mem_ctx, char **problem)
{
	struct kernel *kernel;
	int ret = kernel_new(mem_ctx, NULL, KERNEL_RUN_DIRECTORY, &kernel);

	if (ret == 0) {
		ret = kernel_flush(kernel);
		talloc_free(kernel);
	}
	if (ret != 0) {
		*problem = talloc_asprintf(
			mem_ctx, "Not all could be removed: %s (see the lines "
			"before; only root can do it)", strerror(ret));
	}
	return ret;
}
