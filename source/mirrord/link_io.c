/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A peer_link in the event loop, see link_io.h. */

#include <errno.h>
#include <poll.h>
#include "../common/timer.h"
#include "link_io.h"

/* After so much from one link the others get their turn. */
#define TURN_FRAMES 256
#define TURN_BYTES (4 * 1024 * 1024)

/* How long a closed link may take to get its last words out. */
#define LINGER_MS 1000

struct link_io {
	struct tevent_context *ev;
	struct peer_link *link;
	const struct link_io_ops *ops;
	void *private_data;
	struct tevent_fd *fde;
	struct timer *deadline;
	struct tevent_immediate *again;
	bool ready;
	bool closing;
	bool paused;
	int error;
};

static void update_events(struct link_io *io)
{
	short events = link_events(io->link);
	uint16_t flags = 0;

	if (io->fde == NULL) {
		return;
	}
	if ((events & POLLIN) && !io->closing) {
		flags |= TEVENT_FD_READ;
	}
	if (events & POLLOUT) {
		flags |= TEVENT_FD_WRITE;
	}
	tevent_fd_set_flags(io->fde, flags);
}

void link_io_update(struct link_io *io)
{
	if (!io->closing) {
		update_events(io);
	}
}

static void closed_now(struct link_io *io)
{
	TALLOC_FREE(io->fde);
	TALLOC_FREE(io->deadline);
	io->ops->closed(io, io->error, io->private_data);
}

static void closed_later(struct tevent_context *ev,
			 struct tevent_immediate *im,
			 void *private_data)
{
	closed_now(private_data);
}

static void linger_over(void *private_data)
{
	struct link_io *io = private_data;

	io->deadline = NULL;
	closed_now(io);
}

void link_io_close(struct link_io *io, int error)
{
	if (io->closing) {
		return;
	}
	io->closing = true;
	io->error = error;
	TALLOC_FREE(io->deadline);
	if (io->ready && error == 0 && link_pending(io->link) > 0) {
		io->deadline = timer_start(io, io->ev, LINGER_MS, linger_over,
					   io);
		if (io->deadline != NULL) {
			update_events(io);
			return;
		}
	}
	TALLOC_FREE(io->fde);
	tevent_schedule_immediate(io->again, io->ev, closed_later, io);
}

static void read_frames(struct link_io *io);

static void read_again(struct tevent_context *ev,
		       struct tevent_immediate *im,
		       void *private_data)
{
	read_frames(private_data);
}

static void read_frames(struct link_io *io)
{
	size_t bytes = 0;
	int frames;

	if (io->ops->readable != NULL) {
		io->ops->readable(io, io->private_data);
	}
	for (frames = 0; !io->closing && !io->paused; frames++) {
		enum frame_type type;
		uint8_t *payload;
		size_t length;
		int ret;

		if (frames == TURN_FRAMES || bytes >= TURN_BYTES) {
			/* Frames may be in the link's memory, where poll()
			 * does not see them. */
			tevent_schedule_immediate(io->again, io->ev,
						  read_again, io);
			break;
		}
		ret = link_receive(io->link, &type, &payload, &length);
		if (ret == EAGAIN) {
			break;
		}
		if (ret != 0) {
			io->ops->drained(io, io->private_data);
			link_io_close(io, ret);
			return;
		}
		bytes += length;
		io->ops->frame(io, type, payload, length, io->private_data);
	}
	if (!io->closing && !io->paused) {
		io->ops->drained(io, io->private_data);
	}
	update_events(io);
}

static void handshake(struct link_io *io)
{
	int ret = link_handshake(io->link);

	if (ret == EAGAIN) {
		update_events(io);
		return;
	}
	if (ret != 0) {
		link_io_close(io, ret);
		return;
	}
	io->ready = true;
	TALLOC_FREE(io->deadline);
	update_events(io);
	io->ops->ready(io, io->private_data);
	if (!io->closing) {
		read_frames(io);
	}
}

static void on_event(struct tevent_context *ev,
		     struct tevent_fd *fde,
		     uint16_t flags,
		     void *private_data)
{
	struct link_io *io = private_data;
	int ret;

	if (!io->ready) {
		handshake(io);
		return;
	}
	if (flags & TEVENT_FD_WRITE) {
		ret = link_flush(io->link);
		if (ret != 0 && ret != EAGAIN) {
			TALLOC_FREE(io->deadline);
			io->closing = false;
			link_io_close(io, ret);
			return;
		}
		if (io->closing && ret == 0) {
			closed_now(io);
			return;
		}
		update_events(io);
	}
	if ((flags & TEVENT_FD_READ) && !io->closing) {
		read_frames(io);
	}
}

static void deadline_over(void *private_data)
{
	struct link_io *io = private_data;

	io->deadline = NULL;
	link_io_close(io, ETIMEDOUT);
}

int link_io_new(TALLOC_CTX *mem_ctx,
		struct tevent_context *ev,
		struct peer_link *link,
		uint32_t handshake_ms,
		const struct link_io_ops *ops,
		void *private_data,
		struct link_io **_io)
{
	struct link_io *io = talloc_zero(mem_ctx, struct link_io);

	if (io == NULL) {
		return ENOMEM;
	}
	io->ev = ev;
	io->ops = ops;
	io->private_data = private_data;
	io->again = tevent_create_immediate(io);
	io->deadline = timer_start(io, ev, handshake_ms, deadline_over, io);
	io->fde = tevent_add_fd(ev, io, link_fd(link),
				TEVENT_FD_READ | TEVENT_FD_WRITE, on_event,
				io);
	if (io->again == NULL || io->deadline == NULL || io->fde == NULL) {
		talloc_free(io);
		return ENOMEM;
	}
	io->link = talloc_steal(io, link);
	*_io = io;
	return 0;
}

void link_io_send(struct link_io *io, const struct message *message)
{
	int ret;

	if (io->closing) {
		return;
	}
	ret = link_send_message(io->link, message);
	if (ret != 0) {
		link_io_close(io, ret);
		return;
	}
	update_events(io);
}

struct peer_link *link_io_link(struct link_io *io)
{
	return io->link;
}

void link_io_pause(struct link_io *io)
{
	io->paused = true;
	TALLOC_FREE(io->fde);
}

const char *link_io_peer(const struct link_io *io)
{
	return link_peer(io->link);
}
