/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AES-128-GCM with one key, by the fastest code that there is here (R6).
 *
 * Owns: the expanded key.
 * Does not own: nonces: who calls sees to it that none is used twice.
 */

#ifndef MIRROR_LINK_AEAD_H
#define MIRROR_LINK_AEAD_H

#include <sys/uio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define LINK_AEAD_KEY 16
#define LINK_AEAD_NONCE 12
#define LINK_AEAD_TAG 16

struct link_aead;

/* portable: by GnuTLS, whatever the processor can do; for tests. 0, ENOMEM or
 * ENOTSUP. */
int link_aead_new(TALLOC_CTX *mem_ctx,
		  const uint8_t key[LINK_AEAD_KEY],
		  bool portable,
		  struct link_aead **aead);

/*
 * Encrypt pieces of length bytes together into out, which has room for that
 * and the tag behind it. 0 or EIO.
 */
int link_aead_seal(struct link_aead *aead,
		   const uint8_t nonce[LINK_AEAD_NONCE],
		   const struct iovec *head,
		   const struct iovec *pieces,
		   int count,
		   size_t length,
		   uint8_t *out);

/*
 * Decrypt length bytes, the tag with them, into out, which has room for all
 * but the tag. 0 or EBADMSG; then what is in out means nothing.
 */
int link_aead_open(struct link_aead *aead,
		   const uint8_t nonce[LINK_AEAD_NONCE],
		   const struct iovec *head,
		   const uint8_t *bytes,
		   size_t length,
		   uint8_t *out);

#endif /* MIRROR_LINK_AEAD_H */
