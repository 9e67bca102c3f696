/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to the process that is root, see privileged.h. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "privileged_private.h"
#include "privileged_protocol.h"

/* Without the other process nothing can be done, and the next arpd has to be
 * alone. */
static void parent_is_gone(void)
{
	_exit(1);
}

static void send_request(struct privileged *privileged, const void *request,
			 size_t size)
{
	while (send(privileged->fd, request, size, MSG_NOSIGNAL) == -1) {
		if (errno != EINTR) {
			parent_is_gone();
		}
	}
}

static int take_fd(struct msghdr *message)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (cmsg != NULL && cmsg->cmsg_level == SOL_SOCKET &&
	    cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(fd))) {
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	}
	return fd;
}

static int receive_reply(struct privileged *privileged, int *fd)
{
	struct reply reply = { .error = EPROTO };
	struct iovec iov = { .iov_base = &reply, .iov_len = sizeof(reply) };
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	ssize_t n;

	do {
		n = recvmsg(privileged->fd, &message, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(reply)) {
		parent_is_gone();
	}
	if (fd != NULL) {
		*fd = take_fd(&message);
		if (reply.error == 0 && *fd == -1) {
			return EPROTO;
		}
	}
	return reply.error;
}

static int ask(struct privileged *privileged, const void *request,
	       size_t size, int *fd)
{
	send_request(privileged, request, size);
	return receive_reply(privileged, fd);
}

int privileged_apply(struct privileged *privileged,
		     const struct kernel_plan *plan)
{
	const struct request_apply request = {
		.kind = REQUEST_APPLY,
		.plan = *plan,
	};

	return ask(privileged, &request, sizeof(request), NULL);
}

int privileged_open(struct privileged *privileged,
		    enum raw_kind kind, uint32_t interface, int *fd)
{
	const struct request_open request = {
		.kind = REQUEST_OPEN,
		.raw_kind = kind,
		.interface = interface,
	};

	*fd = -1;
	return ask(privileged, &request, sizeof(request), fd);
}

int privileged_address(struct privileged *privileged,
		       bool add,
		       const struct net_address *address,
		       uint32_t interface)
{
	const struct request_address request = {
		.kind = REQUEST_ADDRESS,
		.add = add,
		.address = *address,
		.interface = interface,
	};

	return ask(privileged, &request, sizeof(request), NULL);
}

static int ask_node(struct privileged *privileged, enum request_kind kind,
		    uint32_t node)
{
	const struct request_node request = { .kind = kind, .node = node };

	return ask(privileged, &request, sizeof(request), NULL);
}

int privileged_disconnect(struct privileged *privileged, uint32_t node)
{
	return ask_node(privileged, REQUEST_DISCONNECT, node);
}

int privileged_death(struct privileged *privileged, uint32_t node)
{
	return ask_node(privileged, REQUEST_DEATH, node);
}
