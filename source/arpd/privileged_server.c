/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of the unprivileged part, see privileged_server.h. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "clock.h"
#include "kernel.h"
#include "privileged_protocol.h"
#include "privileged_server.h"

struct session {
	struct server *server;
	struct kernel *kernel;
	union request request;
};

/* ------------------------------------------------------- table of requests */

static int run_apply(struct session *session, int *fd)
{
	return kernel_apply(session->kernel, &session->request.apply.plan);
}

static int run_open(struct session *session, int *fd)
{
	const struct request_open *request = &session->request.open;

	return kernel_open(request->raw_kind, request->interface, fd);
}

static int run_address(struct session *session, int *fd)
{
	const struct request_address *request = &session->request.address;

	return kernel_address(session->kernel, request->add != 0,
			      &request->address, request->interface);
}

static int run_disconnect(struct session *session, int *fd)
{
	return kernel_disconnect(session->server->settings,
				 session->request.node.node);
}

static int run_death(struct session *session, int *fd)
{
	return death_start(session->server->death,
			   session->request.node.node);
}

static const struct {
	const char *name;
	int (*run)(struct session *session, int *fd);
} requests[REQUEST_KIND_END] = {
	[REQUEST_APPLY] = { "apply", run_apply },
	[REQUEST_OPEN] = { "open", run_open },
	[REQUEST_ADDRESS] = { "address", run_address },
	[REQUEST_DISCONNECT] = { "disconnect", run_disconnect },
	[REQUEST_DEATH] = { "death", run_death },
};

/* -------------------------------------------------------------- one packet */

static int handle(struct session *session, size_t size, int *fd)
{
	const union request *request = &session->request;
	int ret = request_check(session->server->settings, request, size);

	if (ret == EINVAL || ret == EPERM) {
		bool known = size >= sizeof(request->kind) &&
			request->kind < REQUEST_KIND_END;
		const char *name = known ? requests[request->kind].name :
			"unknown";

		event_log_once(EVENT_REQUEST_REFUSED, name,
			       "The unprivileged part asks for what it may "
			       "not have (request \"%s\"): %s", name,
			       strerror(ret));
	}
	return ret != 0 ? ret : requests[request->kind].run(session, fd);
}

static void answer(int to, int error, int fd)
{
	struct reply reply = { .error = error };
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buffer = "" };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd != -1) {
		struct cmsghdr *cmsg;

		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	/* It may be dead by now; a full buffer means it does not read what
	 * it asks for. */
	(void)sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* false: the child has closed its end. */
static bool serve(struct session *session)
{
	int from = session->server->fd;
	/* MSG_TRUNC: the true size, so one that is too long is seen. */
	ssize_t n = recv(from, &session->request, sizeof(session->request),
			 MSG_DONTWAIT | MSG_TRUNC);
	int fd = -1;
	int ret;

	if (n == -1) {
		return errno == EAGAIN || errno == EINTR;
	}
	if (n == 0) {
		return false;
	}
	ret = handle(session, (size_t)n, &fd);
	answer(from, ret, fd);
	if (fd != -1) {
		close(fd);
	}
	return true;
}

/* ----------------------------------------------------------------- signals */

/* true: the child has ended. */
static bool reap(struct server *server, int *status)
{
	bool ended = false;
	int one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid == server->child) {
			*status = one;
			ended = true;
		} else {
			death_ended(server->death, pid, one);
		}
	}
	return ended;
}

static void take_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signal_fd, &info, sizeof(info)) ==
	       (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			continue;
		}
		server->ending = server->ending || info.ssi_signo != SIGHUP;
		kill(server->child, (int)info.ssi_signo);
	}
}

/* -------------------------------------------------------- changed settings */

#define LOOK_MS 1000

/*
 * A child that is ended says no good-bye: what it put into the kernel stays,
 * as when it dies, and the next one takes over.
 */
static void look_at_settings(struct server *server)
{
	const char *base = server->settings->base;
	char *problem = NULL;
	struct settings *next;

	if (base == NULL || server->next != NULL || server->ending ||
	    !settings_watch_look(&server->watch, base)) {
		return;
	}
	next = settings_read(NULL, base, &problem);
	if (next == NULL) {
		event_log(EVENT_ARPD_KEPT, "%s", problem != NULL ? problem :
			  "out of memory");
		talloc_free(problem);
	} else if (settings_same(server->settings, next)) {
		talloc_free(next);
	} else {
		server->next = next;
		kill(server->child, SIGKILL);
	}
}

/* -------------------------------------------------------------------- loop */

enum { POLL_SIGNAL, POLL_CHILD, POLL_DEATH };

int server_run(struct server *server, int *status)
{
	struct pollfd pollfds[POLL_DEATH + SETTINGS_NODES_MAX];
	struct session *session = talloc_zero(NULL, struct session);
	uint64_t look_at = clock_ms() + LOOK_MS;
	bool open = true;
	int ret;

	if (session == NULL) {
		return ENOMEM;
	}
	session->server = server;
	ret = kernel_new(session, server->settings,
			 server->settings->run_directory, &session->kernel);
	if (ret != 0) {
		talloc_free(session);
		return ret;
	}
	for (;;) {
		pollfds[POLL_SIGNAL] = (struct pollfd){
			.fd = server->signal_fd, .events = POLLIN };
		pollfds[POLL_CHILD] = (struct pollfd){
			.fd = open ? server->fd : -1, .events = POLLIN };
		death_poll(server->death, &pollfds[POLL_DEATH]);
		if (poll(pollfds, POLL_DEATH + SETTINGS_NODES_MAX,
			 LOOK_MS) == -1) {
			continue;
		}
		if (clock_ms() >= look_at) {
			look_at_settings(server);
			look_at = clock_ms() + LOOK_MS;
		}
		death_read(server->death, &pollfds[POLL_DEATH]);
		if (pollfds[POLL_CHILD].revents != 0) {
			open = serve(session);
		}
		if (pollfds[POLL_SIGNAL].revents != 0) {
			take_signals(server);
			if (reap(server, status)) {
				break;
			}
		}
	}
	talloc_free(session);
	return 0;
}
