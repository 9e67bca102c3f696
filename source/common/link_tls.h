/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The TLS session of a link: TLS 1.3 with the cluster key (R6).
 *
 * Owns: the GnuTLS session, which makes the handshake; plain text that waits
 * to become a TLS record, cipher text that was received and not yet decrypted.
 * Does not own: what a TLS record looks like (link_seal.h); the socket, and
 * the queue of what is to be sent: to encrypt only appends to it, so it never
 * fails for want of room in the socket and the link sends many TLS records by
 * one call.
 */

#ifndef MIRROR_LINK_TLS_H
#define MIRROR_LINK_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>
#include "byte_queue.h"
#include "link_seal.h"

struct link_key;
struct link_tls;

/* Make credentials of key->bytes. 0, ENOMEM or ENOTSUP. */
int link_tls_use_key(struct link_key *key);

/* out is a queue of mem_ctx, which outlives the session. 0 or ENOMEM. */
int link_tls_new(TALLOC_CTX *mem_ctx,
		 const struct link_key *key,
		 bool server,
		 int fd,
		 struct byte_queue *out,
		 struct link_tls **tls);

/* 0, EAGAIN, EACCES (not the same key), EPROTO (not TLS), else errno. */
int link_tls_handshake(struct link_tls *tls);

/* Encrypt; what does not fill a TLS record waits for more or for a seal. */
int link_tls_write(struct link_tls *tls, const void *bytes, size_t length);
int link_tls_seal(struct link_tls *tls);
/* Bytes that wait to be sealed. */
size_t link_tls_unsealed(const struct link_tls *tls);

/*
 * Decrypt into buf. 0 with *got > 0, EAGAIN, ECONNRESET if closed, EBADMSG if
 * that was not from our peer, EINVAL if the buffer has less than
 * LINK_TLS_READ_MIN bytes.
 */
#define LINK_TLS_READ_MIN LINK_SEAL_ROOM
int link_tls_read(struct link_tls *tls, void *buf, size_t size, size_t *got);

/*
 * Had the socket less than was asked for when it was read last, and has all of
 * that been decrypted? Told once: the next read asks it again.
 */
bool link_tls_drained(struct link_tls *tls);

#endif /* MIRROR_LINK_TLS_H */
