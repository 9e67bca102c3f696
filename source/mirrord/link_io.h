/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A peer_link in mirrord's event loop.
 *
 * Owns: the link, when to read and write it, the deadline of its handshake.
 * Does not own: what the frames mean.
 *
 * Callbacks may call link_io_close() at any time; closed() comes later from
 * the loop, once, and the owner frees the link_io there (or, outside the other
 * callbacks, whenever it likes).
 */

#ifndef MIRRORD_LINK_IO_H
#define MIRRORD_LINK_IO_H

#include <tevent.h>
#include "../common/peer_link.h"

struct link_io;

struct link_io_ops {
	/* The handshake is done: the peer has our key. */
	void (*ready)(struct link_io *io, void *private_data);
	/* Frames may be about to come. May be NULL. */
	void (*readable)(struct link_io *io, void *private_data);
	void (*frame)(struct link_io *io,
		      enum frame_type type,
		      uint8_t *payload,
		      size_t length,
		      void *private_data);
	/* All that could be read was handed over: time to acknowledge. */
	void (*drained)(struct link_io *io, void *private_data);
	void (*closed)(struct link_io *io, int error, void *private_data);
};

/* Takes over link. */
int link_io_new(TALLOC_CTX *mem_ctx,
		struct tevent_context *ev,
		struct peer_link *link,
		uint32_t handshake_ms,
		const struct link_io_ops *ops,
		void *private_data,
		struct link_io **io);

/* An error closes the link. */
void link_io_send(struct link_io *io, const struct message *message);

/* Close it as soon as what was sent is with the kernel (or a second later). */
void link_io_close(struct link_io *io, int error);

/* Give the link away (to a child process): nothing here touches it again. */
struct peer_link *link_io_link(struct link_io *io);
/* Something was sent on the link directly. */
void link_io_update(struct link_io *io);
void link_io_pause(struct link_io *io);

const char *link_io_peer(const struct link_io *io);

#endif /* MIRRORD_LINK_IO_H */
