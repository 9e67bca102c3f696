/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The records of TLS 1.3 once the handshake is over (RFC 8446, 5.2): what is
 * on the wire is what GnuTLS would send and take, but each byte is touched
 * once, on its way from where it is to where it belongs. (GnuTLS copies it
 * twice more at each end.)
 *
 * Owns: the traffic keys of one direction, the number of the next record, and
 * how much one key may protect.
 * Does not own: the handshake, that is GnuTLS' (link_tls.c).
 */

#ifndef MIRROR_LINK_SEAL_H
#define MIRROR_LINK_SEAL_H

#include <sys/uio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gnutls/gnutls.h>
#include <talloc.h>

/* The most that one record carries, and what it has beside that: header,
 * type and tag. */
#define LINK_SEAL_MAX (16 * 1024)
#define LINK_SEAL_OVERHEAD (5 + 1 + 16)

/* Room for what one record may become, whoever made it. */
#define LINK_SEAL_ROOM (LINK_SEAL_MAX + 256)

struct link_seal;

/*
 * The keys by which the session reads, or those by which it writes, from now
 * on; it must not do so itself any more. 0, ENOMEM or ENOTSUP.
 */
int link_seal_new(TALLOC_CTX *mem_ctx,
		  gnutls_session_t session,
		  bool reads,
		  struct link_seal **seal);

/*
 * One record of two pieces (either may be empty) that have LINK_SEAL_MAX bytes
 * together at most; out has room for them and LINK_SEAL_OVERHEAD. 0, EIO, or
 * EKEYEXPIRED: it takes a new connection.
 */
int link_seal_close(struct link_seal *seal,
		    const struct iovec pieces[2],
		    uint8_t *out);

/* Bytes of the record that begins here; 0: that is none, or not whole yet. */
size_t link_seal_length(const uint8_t *bytes, size_t length);
/* Can what begins here not become a record, whatever follows? */
bool link_seal_is_broken(const uint8_t *bytes, size_t length);

/*
 * Open a whole record into out, which has room for LINK_SEAL_ROOM bytes. 0
 * with *got >= 0; EBADMSG: not from our peer; ECONNRESET: it says that it
 * ends; EKEYEXPIRED.
 */
int link_seal_open(struct link_seal *seal,
		   const uint8_t *record,
		   size_t length,
		   uint8_t *out,
		   size_t *got);

#endif /* MIRROR_LINK_SEAL_H */
