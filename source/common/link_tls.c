/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TLS session of a link, see link_tls.h (R6). */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>

#include "link_key.h"
#include "link_tls.h"

/* The most that TLS puts into one record. */
#define TLS_RECORD_MAX (16 * 1024)

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

	size_t unsealed;
	uint8_t record[TLS_RECORD_MAX];
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

/*
 * GnuTLS receives: five bytes, then the rest of a TLS record, and so on. It
 * gets them from a queue that is filled by larger reads.
 */
static ssize_t pull_in(gnutls_transport_ptr_t transport,
		       void *bytes,
		       size_t length)
{
	struct link_tls *tls = transport;
	size_t queued = byte_queue_length(&tls->in);

	if (queued == 0) {
		uint8_t *room;
		ssize_t got;

		room = byte_queue_reserve(tls, &tls->in, READ_SIZE);
		if (room == NULL) {
			tls->error = ENOMEM;
			gnutls_transport_set_errno(tls->session, ENOMEM);
			return -1;
		}
		do {
			got = recv(tls->fd, room, READ_SIZE, MSG_DONTWAIT);
		} while (got == -1 && errno == EINTR);
		if (got == -1) {
			int ret = errno;

			if (ret != EAGAIN) {
				tls->error = ret;
			}
			gnutls_transport_set_errno(tls->session, ret);
			return -1;
		}
		tls->drained = got != 0 && got < READ_SIZE;
		byte_queue_commit(&tls->in, (size_t)got);
		queued = (size_t)got;
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

int link_tls_handshake(struct link_tls *tls)
{
	int code;

	do {
		code = gnutls_handshake(tls->session);
		if (code == 0) {
			return 0;
		}
		if (code == GNUTLS_E_AGAIN) {
			return EAGAIN;
		}
	} while (gnutls_error_is_fatal(code) == 0);

	return handshake_error(tls, code);
}

static int seal(struct link_tls *tls, const uint8_t *bytes, size_t length)
{
	while (length != 0) {
		ssize_t sent;

		sent = gnutls_record_send(tls->session, bytes, length);
		if (sent <= 0) {
			/* Not "again": push_out() takes everything. */
			return tls->error != 0 ? tls->error : EIO;
		}
		bytes += sent;
		length -= (size_t)sent;
	}
	return 0;
}

int link_tls_seal(struct link_tls *tls)
{
	size_t length = tls->unsealed;

	tls->unsealed = 0;
	return seal(tls, tls->record, length);
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

	while (length != 0) {
		size_t part = TLS_RECORD_MAX - tls->unsealed;
		int ret = 0;

		if (part > length) {
			part = length;
		}
		if (part == TLS_RECORD_MAX) {
			ret = seal(tls, next, part);
		} else {
			memcpy(tls->record + tls->unsealed, next, part);
			tls->unsealed += part;
			if (tls->unsealed == TLS_RECORD_MAX) {
				ret = link_tls_seal(tls);
			}
		}
		if (ret != 0) {
			return ret;
		}
		next += part;
		length -= part;
	}
	return 0;
}

bool link_tls_drained(struct link_tls *tls)
{
	bool drained = tls->drained && byte_queue_length(&tls->in) == 0 &&
		       gnutls_record_check_pending(tls->session) == 0;

	tls->drained = false;
	return drained;
}

int link_tls_read(struct link_tls *tls, void *buf, size_t size, size_t *got)
{
	ssize_t code;

	do {
		code = gnutls_record_recv(tls->session, buf, size);
		if (code > 0) {
			*got = (size_t)code;
			return 0;
		}
		if (code == GNUTLS_E_AGAIN) {
			return EAGAIN;
		}
	} while (code < 0 && gnutls_error_is_fatal((int)code) == 0);

	switch (code) {
	case 0:
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return ECONNRESET;
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		return tls->error != 0 ? tls->error : ECONNRESET;
	default:
		return EBADMSG;
	}
}
