/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of TLS 1.3, see link_seal.h (R6). */

#include <errno.h>
#include <string.h>

#include "link_aead.h"
#include "link_seal.h"

#define HEADER 5
#define VERSION 0x0303		/* of TLS 1.2, in all records of TLS 1.3 */

/* RFC 8446, B.1 */
#define TYPE_ALERT 21
#define TYPE_DATA 23

/*
 * As much of one key as RFC 8446 (5.5) allows for AES-GCM: 2^24.5 full
 * records; here blocks are counted, as ours are of all sizes. 256 GiB.
 */
#define BLOCKS_MAX (UINT64_C(1) << 34)
#define BLOCK 16

struct link_seal {
	struct link_aead *aead;
	uint8_t iv[LINK_AEAD_NONCE];
	uint64_t sequence;
	uint64_t blocks;
};

static uint64_t pull_be64(const uint8_t bytes[8])
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 8; i++) {
		value = value << 8 | bytes[i];
	}
	return value;
}

static int seal_destructor(struct link_seal *seal)
{
	explicit_bzero(seal->iv, sizeof(seal->iv));
	return 0;
}

int link_seal_new(TALLOC_CTX *mem_ctx,
		  gnutls_session_t session,
		  bool reads,
		  struct link_seal **_seal)
{
	gnutls_datum_t mac, iv, key;
	struct link_seal *seal;
	uint8_t sequence[8];
	int ret;

	/* The memory that these point to is the session's. */
	if (gnutls_record_get_state(session, reads, &mac, &iv, &key,
				    sequence) != 0 ||
	    iv.size != LINK_AEAD_NONCE || key.size != LINK_AEAD_KEY) {
		return ENOTSUP;
	}
	seal = talloc_zero(mem_ctx, struct link_seal);
	if (seal == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(seal, seal_destructor);
	memcpy(seal->iv, iv.data, sizeof(seal->iv));
	seal->sequence = pull_be64(sequence);
	ret = link_aead_new(seal, key.data, false, &seal->aead);
	if (ret != 0) {
		talloc_free(seal);
		return ret;
	}
	*_seal = seal;
	return 0;
}

/* RFC 8446, 5.3: never the same one twice, as the number only grows. */
static void make_nonce(const struct link_seal *seal,
		       uint8_t nonce[LINK_AEAD_NONCE])
{
	int i;

	memcpy(nonce, seal->iv, LINK_AEAD_NONCE);
	for (i = 0; i < 8; i++) {
		nonce[LINK_AEAD_NONCE - 1 - i] ^=
			(uint8_t)(seal->sequence >> (8 * i));
	}
}

/* May the key protect so many bytes more? */
static bool count_blocks(struct link_seal *seal, size_t length)
{
	/* One for the header, one for the tag. */
	seal->blocks += length / BLOCK + 3;
	return seal->blocks <= BLOCKS_MAX;
}

int link_seal_close(struct link_seal *seal,
		    const struct iovec pieces[2],
		    uint8_t *out)
{
	uint8_t type = TYPE_DATA;
	const struct iovec parts[3] = {
		pieces[0], pieces[1], { .iov_base = &type, .iov_len = 1 }
	};
	const struct iovec head = { .iov_base = out, .iov_len = HEADER };
	const size_t length = pieces[0].iov_len + pieces[1].iov_len + 1;
	const size_t sealed = length + LINK_AEAD_TAG;
	uint8_t nonce[LINK_AEAD_NONCE];
	int ret;

	if (!count_blocks(seal, length)) {
		return EKEYEXPIRED;
	}
	out[0] = TYPE_DATA;
	out[1] = VERSION >> 8;
	out[2] = VERSION & 0xff;
	out[3] = (uint8_t)(sealed >> 8);
	out[4] = (uint8_t)sealed;
	make_nonce(seal, nonce);
	ret = link_aead_seal(seal->aead, nonce, &head, parts, 3, length,
			     out + HEADER);
	/* Also after an error: part of it may have been encrypted. */
	seal->sequence++;
	return ret;
}

static size_t body_length(const uint8_t *bytes)
{
	return (size_t)bytes[3] << 8 | bytes[4];
}

bool link_seal_is_broken(const uint8_t *bytes, size_t length)
{
	if (length < HEADER) {
		return false;
	}
	return bytes[0] != TYPE_DATA || bytes[1] != VERSION >> 8 ||
		bytes[2] != (VERSION & 0xff) ||
		body_length(bytes) < 1 + LINK_AEAD_TAG ||
		body_length(bytes) > LINK_SEAL_ROOM;
}

size_t link_seal_length(const uint8_t *bytes, size_t length)
{
	if (length < HEADER || link_seal_is_broken(bytes, length) ||
	    length < HEADER + body_length(bytes)) {
		return 0;
	}
	return HEADER + body_length(bytes);
}

int link_seal_open(struct link_seal *seal,
		   const uint8_t *record,
		   size_t length,
		   uint8_t *out,
		   size_t *_got)
{
	const struct iovec head = {
		.iov_base = (uint8_t *)(uintptr_t)record, .iov_len = HEADER
	};
	size_t got = length - HEADER - LINK_AEAD_TAG;
	uint8_t nonce[LINK_AEAD_NONCE];
	uint8_t type;
	int ret;

	if (!count_blocks(seal, length)) {
		return EKEYEXPIRED;
	}
	make_nonce(seal, nonce);
	ret = link_aead_open(seal->aead, nonce, &head, record + HEADER,
			     length - HEADER, out);
	if (ret != 0) {
		return ret;
	}
	seal->sequence++;

	/* The type is behind the content, then zeroes as padding. */
	while (got > 0 && out[got - 1] == 0) {
		got--;
	}
	type = got > 0 ? out[got - 1] : 0;
	if (type == TYPE_ALERT) {
		return ECONNRESET;
	}
	/* Nobody here asks for new keys or gives out tickets. */
	if (type != TYPE_DATA || got - 1 > LINK_SEAL_MAX) {
		return EBADMSG;
	}
	*_got = got - 1;
	return 0;
}
