/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A link to another node: a TCP connection that carries frames, authenticated
 * and encrypted with the cluster key (R6: TLS with a pre-shared key).
 *
 * Owns: the socket, the TLS session, the buffers of half-sent and
 * half-received frames.
 * Does not own: what the frames mean (wire.h), event loops: the link never
 * blocks and never waits, its user polls link_fd for what link_events wants.
 * So a smbd (poll in the middle of a VFS call) and a tevent daemon use the
 * same code.
 *
 * Life:   link_connect / link_accept
 *           -> link_handshake until it stops saying EAGAIN
 *           -> link_send*, link_receive* -> talloc_free
 */

#ifndef MIRROR_PEER_LINK_H
#define MIRROR_PEER_LINK_H

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "wire.h"

struct peer_link;
struct link_key;

/*
 * Load the cluster key: a file with at least 32 hex digits, mode 0600 or
 * stricter, owned by root. encrypt = false gives a key that makes plain
 * links (for a dedicated cable); the file is then not read.
 *
 * Returns 0 or errno; *problem (child of mem_ctx) then says in one sentence
 * what is wrong and what to do.
 */
int link_key_load(TALLOC_CTX *mem_ctx,
		  const char *path,
		  bool encrypt,
		  struct link_key **key,
		  char **problem);

/* Start to connect. local (may be NULL) is the source address. 0 or errno. */
int link_connect(TALLOC_CTX *mem_ctx,
		 const struct link_key *key,
		 const struct sockaddr_storage *local,
		 const struct sockaddr_storage *peer,
		 struct peer_link **link);

/* Take over fd from accept(2). 0 or errno; fd is closed on error, too. */
int link_accept(TALLOC_CTX *mem_ctx,
		const struct link_key *key,
		int fd,
		struct peer_link **link);

/*
 * Go on with connect and TLS handshake. 0 when done, EAGAIN when it has to
 * wait for link_events(), EACCES when the keys differ, EPROTO when the peer
 * does not speak TLS, else errno. ETIMEDOUT when it has not ended after
 * LINK_HANDSHAKE_SECONDS; a peer that says nothing at all does not wake you,
 * so poll with a time limit and call again.
 */
#define LINK_HANDSHAKE_SECONDS 10
int link_handshake(struct peer_link *link);

int link_fd(const struct peer_link *link);
/* POLLIN and/or POLLOUT: what to poll link_fd for. */
short link_events(const struct peer_link *link);
/* "10.255.0.2:4380", for logs. */
const char *link_peer(const struct peer_link *link);

/*
 * Queue one frame: header and payload in any number of pieces, and try to
 * send. What the socket does not take at once is copied, so the pieces need
 * not outlive the call. 0, or errno when the link is broken. "Would block" is
 * no error: see link_pending().
 */
int link_send(struct peer_link *link, const struct iovec *iov, int count);

/* Several frames are about to be sent: do not push until link_flush(). */
void link_cork(struct peer_link *link);
/* Push what is queued. 0, EAGAIN when something is left, else errno. */
int link_flush(struct peer_link *link);
/* Bytes queued and not yet with the kernel. */
size_t link_pending(const struct peer_link *link);

/* Encode and link_send() a message. */
int link_send_message(struct peer_link *link, const struct message *message);

/*
 * The next complete frame. 0: *payload is valid until the next call on this
 * link. EAGAIN: none yet. EBADMSG: the peer does not speak our protocol.
 * ECONNRESET: closed. Never trust what is in it before it is decoded.
 *
 * Call it until it says EAGAIN before you poll link_fd again: the link reads
 * ahead, and poll() does not know of frames that are here already. And poll
 * link_fd after an EAGAIN: when the socket had less than the link asked for,
 * the next call says so without having looked again.
 */
int link_receive(struct peer_link *link,
		 enum frame_type *type,
		 uint8_t **payload,
		 size_t *length);

#endif /* MIRROR_PEER_LINK_H */
