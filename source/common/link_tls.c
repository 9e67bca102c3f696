/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TLS session of a link, see link_tls.h (R6). */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>

#include "link_key.h"
#include "link_seal.h"
#include "link_tls.h"

/* Read so many bytes by one call. */
#define READ_SIZE (64 * 1024)

/*
 * One version, one cipher, one group: there is nothing to negotiate and
 * nothing to be talked down to. AES-128-GCM is the fastest one GnuTLS has on
 * any processor with AES instructions.
 *
 * ECDHE with X25519, and not the bare key: a link then takes 0.25 instead of
 * 0.08 ms to come up, once in its life, and what was recorded on the wire
 * stays secret when the key leaks later.
 *
 * The signature is never made: GnuTLS refuses a TLS 1.3 without any.
 */
#define PRIORITY \
	"NONE:+VERS-TLS1.3:+AES-128-GCM:+AEAD:" \
	"+ECDHE-PSK:+GROUP-X25519:+SIGN-EDDSA-ED25519"

struct link_tls {
	const struct link_key *key;
	gnutls_session_t session;
	bool server;
	int fd;
	int error;		/* of the socket: GnuTLS does not tell */
	bool key_was_tried;	/* the peer speaks TLS and offered a key */
	bool drained;		/* the socket had less than was asked for */

	TALLOC_CTX *out_ctx;
	struct byte_queue *out;
	struct byte_queue in;	/* cipher text */

	/* Since the handshake is over. */
	struct link_seal *reader;
	struct link_seal *writer;

	size_t unsealed;
	uint8_t record[LINK_SEAL_MAX];
};

static int give_key(gnutls_session_t session,
		    const char *identity,
		    gnutls_datum_t *datum)
{
	struct link_tls *tls = gnutls_session_get_ptr(session);

	tls->key_was_tried = true;
	if (strcmp(identity, LINK_KEY_IDENTITY) != 0) {
		return -1;
	}
	datum->data = gnutls_malloc(tls->key->size);
	if (datum->data == NULL) {
		return -1;
	}
	memcpy(datum->data, tls->key->bytes, tls->key->size);
	datum->size = (unsigned)tls->key->size;
	return 0;
}

int link_tls_use_key(struct link_key *key)
{
	gnutls_datum_t datum = {
		.data = key->bytes,
		.size = (unsigned)key->size,
	};

	if (gnutls_priority_init(&key->priority, PRIORITY, NULL) != 0) {
		key->priority = NULL;
		return ENOTSUP;
	}
	if (gnutls_psk_allocate_client_credentials(&key->client) != 0 ||
	    gnutls_psk_allocate_server_credentials(&key->server) != 0) {
		return ENOMEM;
	}
	if (gnutls_psk_set_client_credentials(key->client, LINK_KEY_IDENTITY,
					      &datum,
					      GNUTLS_PSK_KEY_RAW) != 0) {
		return ENOTSUP;
	}
	gnutls_psk_set_server_credentials_function(key->server, give_key);
	return 0;
}

/* GnuTLS sends: into the queue of the link. */
static ssize_t push_out(gnutls_transport_ptr_t transport,
			const void *bytes,
			size_t length)
{
	struct link_tls *tls = transport;
	int ret;

	ret = byte_queue_append(tls->out_ctx, tls->out, bytes, length);
	if (ret != 0) {
		tls->error = ret;
		gnutls_transport_set_errno(tls->session, ret);
		return -1;
	}
	return (ssize_t)length;
}

/* Read once from the socket. 0, EAGAIN, ECONNRESET when closed, else errno. */
static int refill(struct link_tls *tls)
{
	uint8_t *room;
	ssize_t got;

	room = byte_queue_reserve(tls, &tls->in, READ_SIZE);
	if (room == NULL) {
		return ENOMEM;
	}
	do {
		got = recv(tls->fd, room, READ_SIZE, MSG_DONTWAIT);
	} while (got == -1 && errno == EINTR);
	if (got == -1) {
		return errno;
	}
	if (got == 0) {
		return ECONNRESET;
	}
	tls->drained = got < READ_SIZE;
	byte_queue_commit(&tls->in, (size_t)got);
	return 0;
}

/*
 * GnuTLS receives, until the handshake is over: five bytes, then the rest of a
 * TLS record, and so on, and never more than it needs. It gets them from a
 * queue that is filled by larger reads.
 */
static ssize_t pull_in(gnutls_transport_ptr_t transport,
		       void *bytes,
		       size_t length)
{
	struct link_tls *tls = transport;
	size_t queued = byte_queue_length(&tls->in);

	if (queued == 0) {
		int ret = refill(tls);

		if (ret != 0) {
			if (ret != EAGAIN) {
				tls->error = ret;
			}
			gnutls_transport_set_errno(tls->session, ret);
			return -1;
		}
		queued = byte_queue_length(&tls->in);
	}
	if (length > queued) {
		length = queued;
	}
	memcpy(bytes, byte_queue_head(&tls->in), length);
	byte_queue_consume(&tls->in, length);
	return (ssize_t)length;
}

static int tls_destructor(struct link_tls *tls)
{
	if (tls->session != NULL) {
		gnutls_deinit(tls->session);
	}
	explicit_bzero(tls->record, tls->unsealed);
	return 0;
}

int link_tls_new(TALLOC_CTX *mem_ctx,
		 const struct link_key *key,
		 bool server,
		 int fd,
		 struct byte_queue *out,
		 struct link_tls **_tls)
{
	/*
	 * No session tickets: to resume costs as much as to start, as both
	 * are a pre-shared key.
	 */
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS;
	struct link_tls *tls;
	int ret;

	tls = talloc(mem_ctx, struct link_tls);
	if (tls == NULL) {
		return ENOMEM;
	}
	/* All but the large record. */
	memset(tls, 0, offsetof(struct link_tls, record));
	talloc_set_destructor(tls, tls_destructor);
	tls->key = key;
	tls->server = server;
	tls->fd = fd;
	tls->out_ctx = mem_ctx;
	tls->out = out;

	flags |= server ? GNUTLS_SERVER : GNUTLS_CLIENT;
	ret = gnutls_init(&tls->session, flags);
	if (ret != 0) {
		tls->session = NULL;
		goto fail;
	}
	ret = gnutls_priority_set(tls->session, key->priority);
	if (ret != 0) {
		goto fail;
	}
	ret = gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK,
				     server ? (void *)key->server :
					      (void *)key->client);
	if (ret != 0) {
		goto fail;
	}
	gnutls_session_set_ptr(tls->session, tls);
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_push_function(tls->session, push_out);
	gnutls_transport_set_pull_function(tls->session, pull_in);
	*_tls = tls;
	return 0;
fail:
	talloc_free(tls);
	return ENOMEM;
}

/* An alert by which a peer says that it could not use our key. */
static bool alert_is_about_key(gnutls_alert_description_t alert)
{
	switch (alert) {
	case GNUTLS_A_ILLEGAL_PARAMETER:
	case GNUTLS_A_DECRYPT_ERROR:
	case GNUTLS_A_BAD_RECORD_MAC:
	case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
	case GNUTLS_A_HANDSHAKE_FAILURE:
	case GNUTLS_A_INSUFFICIENT_SECURITY:
		return true;
	default:
		return false;
	}
}

static int handshake_error(struct link_tls *tls, int code)
{
	switch (code) {
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return tls->error != 0 ? tls->error : ECONNRESET;
	case GNUTLS_E_MEMORY_ERROR:
		return ENOMEM;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return alert_is_about_key(gnutls_alert_get(tls->session)) ?
			EACCES : EPROTO;
	default:
		/* Says why to the peer; the link sends it before it ends. */
		(void)gnutls_alert_send_appropriate(tls->session, code);
		return tls->key_was_tried ? EACCES : EPROTO;
	}
}

/* From here on the records are link_seal.c's. */
static int leave_handshake(struct link_tls *tls)
{
	int ret;

	/* It read no more than the handshake. */
	if (gnutls_record_check_pending(tls->session) != 0) {
		return EPROTO;
	}
	ret = link_seal_new(tls, tls->session, true, &tls->reader);
	if (ret == 0) {
		ret = link_seal_new(tls, tls->session, false, &tls->writer);
	}
	return ret;
}

int link_tls_handshake(struct link_tls *tls)
{
	int code;

	do {
		code = gnutls_handshake(tls->session);
		if (code == 0) {
			return leave_handshake(tls);
		}
		if (code == GNUTLS_E_AGAIN) {
			return EAGAIN;
		}
	} while (gnutls_error_is_fatal(code) == 0);

	return handshake_error(tls, code);
}

/* One TLS record of what waits and of what is elsewhere. */
static int seal(struct link_tls *tls, const uint8_t *bytes, size_t length)
{
	const struct iovec pieces[2] = {
		{ .iov_base = tls->record, .iov_len = tls->unsealed },
		{ .iov_base = (uint8_t *)(uintptr_t)bytes, .iov_len = length },
	};
	size_t size = tls->unsealed + length + LINK_SEAL_OVERHEAD;
	uint8_t *room;
	int ret;

	room = byte_queue_reserve(tls->out_ctx, tls->out, size);
	if (room == NULL) {
		return ENOMEM;
	}
	ret = link_seal_close(tls->writer, pieces, room);
	if (ret != 0) {
		return ret;
	}
	byte_queue_commit(tls->out, size);
	tls->unsealed = 0;
	return 0;
}

int link_tls_seal(struct link_tls *tls)
{
	return tls->unsealed != 0 ? seal(tls, NULL, 0) : 0;
}

size_t link_tls_unsealed(const struct link_tls *tls)
{
	return tls->unsealed;
}

/*
 * Small pieces are collected, so that a frame's header does not become a TLS
 * record of its own; what fills whole records is encrypted from where it is.
 */
int link_tls_write(struct link_tls *tls, const void *bytes, size_t length)
{
	const uint8_t *next = bytes;

	while (tls->unsealed + length >= LINK_SEAL_MAX) {
		size_t part = LINK_SEAL_MAX - tls->unsealed;
		int ret;

		ret = seal(tls, next, part);
		if (ret != 0) {
			return ret;
		}
		next += part;
		length -= part;
	}
	if (length != 0) {
		memcpy(tls->record + tls->unsealed, next, length);
		tls->unsealed += length;
	}
	return 0;
}

/* Whole records that are here, as many as fit. */
static int open_records(struct link_tls *tls,
			uint8_t *buf,
			size_t size,
			size_t *_got)
{
	size_t got = 0;
	int ret = 0;

	while (size - got >= LINK_SEAL_ROOM) {
		const uint8_t *head = byte_queue_head(&tls->in);
		size_t queued = byte_queue_length(&tls->in);
		size_t length = link_seal_length(head, queued);
		size_t opened;

		if (length == 0) {
			ret = link_seal_is_broken(head, queued) ? EBADMSG : 0;
			break;
		}
		ret = link_seal_open(tls->reader, head, length, buf + got,
				     &opened);
		if (ret != 0) {
			break;
		}
		byte_queue_consume(&tls->in, length);
		got += opened;
	}
	/* What came before an error is as good as any; it is met again. */
	*_got = got;
	return got != 0 ? 0 : ret;
}

int link_tls_read(struct link_tls *tls, void *buf, size_t size, size_t *got)
{
	if (size < LINK_TLS_READ_MIN) {
		return EINVAL;
	}
	for (;;) {
		int ret;

		ret = open_records(tls, buf, size, got);
		if (ret != 0 || *got != 0) {
			return ret;
		}
		ret = refill(tls);
		if (ret != 0) {
			return ret;
		}
	}
}

bool link_tls_drained(struct link_tls *tls)
{
	bool drained = tls->drained &&
		       link_seal_length(byte_queue_head(&tls->in),
					byte_queue_length(&tls->in)) == 0;

	tls->drained = false;
	return drained;
}
