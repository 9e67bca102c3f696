/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request to the kernel, and its answers, see kernel.h. */

#include <errno.h>
#include <netlink/msg.h>
#include "kernel.h"

struct talk {
	bool done;
	int error;
	kernel_found found;
	void *private_data;
};

static int talk_valid(struct nl_msg *message, void *private_data)
{
	struct talk *talk = private_data;

	if (talk->found != NULL) {
		talk->found(nlmsg_hdr(message), talk->private_data);
	}
	return NL_OK;
}

static int talk_end(struct nl_msg *message, void *private_data)
{
	struct talk *talk = private_data;

	talk->done = true;
	return NL_STOP;
}

/* libnl has error codes of its own, which errno does not come back from. */
static int talk_error(struct sockaddr_nl *from, struct nlmsgerr *error,
		      void *private_data)
{
	struct talk *talk = private_data;

	talk->done = true;
	talk->error = -error->error;
	return NL_STOP;
}

static struct nl_cb *talk_callbacks(struct talk *talk)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (cb != NULL) {
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, talk_valid, talk);
		nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, talk_end, talk);
		nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, talk_end, talk);
		nl_cb_err(cb, NL_CB_CUSTOM, talk_error, talk);
	}
	return cb;
}

static int receive(struct nl_sock *sock, struct nl_cb *cb, struct talk *talk)
{
	bool changed = false;

	while (!talk->done) {
		int ret = nl_recvmsgs(sock, cb);

		if (ret == -NLE_DUMP_INTR) {
			changed = true;
		} else if (ret < 0 && !talk->done) {
			return ret == -NLE_NOMEM ? ENOMEM : EIO;
		}
	}
	return talk->error != 0 ? talk->error : changed ? EINTR : 0;
}

int kernel_dump(struct nl_sock *sock, struct nl_msg *message,
		kernel_found found, void *private_data)
{
	struct talk talk = { .found = found, .private_data = private_data };
	struct nl_cb *cb = talk_callbacks(&talk);
	int ret = ENOMEM;

	if (cb != NULL && message != NULL) {
		ret = nl_send_auto(sock, message) < 0 ? EIO :
			receive(sock, cb, &talk);
	}
	if (cb != NULL) {
		nl_cb_put(cb);
	}
	nlmsg_free(message);
	return ret;
}

int kernel_talk(struct nl_sock *sock, struct nl_msg *message)
{
	return kernel_dump(sock, message, NULL, NULL);
}

int kernel_socket(int protocol, struct nl_sock **sock)
{
	*sock = nl_socket_alloc();
	if (*sock == NULL) {
		return ENOMEM;
	}
	if (nl_connect(*sock, protocol) < 0) {
		nl_socket_free(*sock);
		*sock = NULL;
		return EIO;
	}
	/* An error must not make the next answer look out of order. */
	nl_socket_disable_seq_check(*sock);
	return 0;
}
