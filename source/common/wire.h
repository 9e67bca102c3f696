/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages between nodes, and the frames that carry them.
 *
 * Owns: frame header, message types with their fields (one table, wire.c),
 * protocol versions.
 * Does not own: sockets and encryption (peer_link.h), records (record.h).
 *
 * A frame is: uint32 length of what follows the header, uint16 type,
 * uint16 zero; little endian. The payload of FRAME_RECORD is an encoded
 * record as it is; all other payloads are encoded by the table in wire.c.
 *
 * Who says what:
 *
 *   smbd -> partner's mirrord ("record link", one per process and volume)
 *     HELLO(role=record) -> WELCOME | REFUSED
 *     RECORD*            -> ACK (cumulative)
 *
 *   mirrord -> mirrord ("control link", each side opens one to the other)
 *     HELLO(role=control) -> WELCOME | REFUSED
 *     STATE(volume)       -> VOLUME_STATE   what are you to this volume?
 *     BEGIN(volume)       -> BEGUN          start an empty store
 *     WIPE(volume,epoch)  -> WIPED          epochs <= epoch are stable
 *     END(volume)         -> ENDED          store is of no use any more
 *     FETCH(volume,...)   -> FETCHED* FETCH_END   read-back, roll-forward
 *     LEASE(volume)       -> LEASED         may I answer clients (R12)?
 *     PING                -> PONG
 *     FACTS               -> FACTS_TOLD     what has to be equal on all nodes
 */

#ifndef MIRROR_WIRE_H
#define MIRROR_WIRE_H

#include <stdint.h>
#include <stddef.h>
#include <talloc.h>
#include "mirror_id.h"

/* Highest and lowest version that this code speaks; HELLO offers the range,
 * WELCOME says which one it is. */
#define WIRE_VERSION_MAX 1
#define WIRE_VERSION_MIN 1

#define WIRE_FRAME_HEADER 8
#define WIRE_FRAME_MAX (17 * 1024 * 1024)
/* Frames that carry no record are small: do not allocate more for a peer
 * that has not even said hello. */
#define WIRE_SMALL_FRAME_MAX 1024
#define WIRE_FACTS_MAX (1024 * 1024)
#define WIRE_VOLUME_MAX 64
#define WIRE_TEXT_MAX 256

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_WELCOME,
	FRAME_REFUSED,
	FRAME_RECORD,
	FRAME_ACK,
	FRAME_STATE,
	FRAME_VOLUME_STATE,
	FRAME_BEGIN,
	FRAME_BEGUN,
	FRAME_WIPE,
	FRAME_WIPED,
	FRAME_END,
	FRAME_ENDED,
	FRAME_FETCH,
	FRAME_FETCHED,
	FRAME_FETCH_END,
	FRAME_PING,
	FRAME_PONG,
	FRAME_LEASE,
	FRAME_LEASED,
	FRAME_FACTS,
	FRAME_FACTS_TOLD,
	FRAME_TYPE_END
};

enum hello_role {
	HELLO_ROLE_RECORD = 1,
	HELLO_ROLE_CONTROL = 2
};

enum refused_reason {
	REFUSED_VERSION = 1,	/* no common protocol version */
	REFUSED_NO_STORE,	/* no store for this volume: BEGIN first */
	REFUSED_GENERATION,	/* of another generation (R11) */
	REFUSED_INCARNATION,	/* the store was lost since (R5) */
	REFUSED_NOT_PARTNER,	/* this node owns the volume itself */
	REFUSED_FULL,		/* the store has no room (R9) */
	REFUSED_BROKEN		/* tdb error; see the other node's log */
};

/* What a node is to a volume, as told by VOLUME_STATE. */
enum volume_role {
	VOLUME_ROLE_NONE = 0,		/* nothing to do with it */
	VOLUME_ROLE_PARTNER = 1,	/* holds a store of it */
	VOLUME_ROLE_OWNER = 2,		/* has it mounted, or is about to */
};

/*
 * One struct for all messages, as for records: the table in wire.c says which
 * fields a type carries. Where a message may do without a volume or a text,
 * NULL and "" are the same, and "" is what is decoded.
 */
struct message {
	enum frame_type type;

	uint32_t version_min;	/* HELLO */
	uint32_t version_max;	/* HELLO */
	uint32_t version;	/* WELCOME */
	uint32_t role;		/* HELLO: hello_role;
				   VOLUME_STATE, END: volume_role */
	uint32_t node;		/* HELLO, WELCOME: pnn of the sender */
	struct mirror_id session;	/* HELLO(record), FETCH, FETCHED */
	const char *volume;	/* HELLO(record), all that name a volume */
	uint64_t generation;	/* HELLO(record), BEGIN, VOLUME_STATE, ... */
	struct mirror_id incarnation;	/* of the store: WELCOME, BEGUN,
					   VOLUME_STATE, HELLO(record; none =
					   any) */
	uint64_t sequence;	/* WELCOME: last one that the store holds of
				   this session; ACK: all up to it are held;
				   FETCH: of this session from this on;
				   FACTS_TOLD: the sender's wall clock, ns */
	uint64_t epoch;		/* BEGIN: first; WIPE, WIPED: last */
	uint64_t order;		/* FETCHED: place in the store */
	uint64_t count;		/* VOLUME_STATE, FETCH_END: records */
	uint64_t bytes;		/* VOLUME_STATE, BEGIN: wanted capacity of an
				   epoch; BEGUN: granted capacity */
	uint32_t duration_ms;	/* LEASE: wanted; LEASED: granted, 0: no */
	uint32_t reason;	/* REFUSED: refused_reason; ENDED, FETCH_END,
				   FACTS_TOLD: 0 or errno */
	const char *text;	/* REFUSED: for the log; FACTS: "", or the path
				   of a plain file (files.h) */
	const uint8_t *data;	/* FETCHED: an encoded record; FACTS_TOLD:
				   JSON (facts.h); last field */
	size_t data_length;
};

struct codec_field;

/* The table: what a message carries; NULL for FRAME_RECORD and non-types. */
const struct codec_field *message_fields(enum frame_type type);

const char *frame_type_name(enum frame_type type);
const char *refused_reason_name(enum refused_reason reason);

/*
 * Frame header plus payload, ready to be sent; for FETCHED the data is part
 * of it. Returns 0, EINVAL, EMSGSIZE or ENOMEM.
 */
int message_encode(TALLOC_CTX *mem_ctx,
		   const struct message *message,
		   uint8_t **frame,
		   size_t *length);

/* payload is what follows the frame header. 0 or EBADMSG, ENOMEM. */
int message_decode(TALLOC_CTX *mem_ctx,
		   enum frame_type type,
		   const uint8_t *payload,
		   size_t length,
		   struct message *message);

/* The frame header alone. */
void frame_header_push(uint8_t *buf, enum frame_type type, uint32_t length);
/* 0, or EBADMSG for a type or length that cannot be. */
int frame_header_pull(const uint8_t *buf,
		      enum frame_type *type,
		      uint32_t *length);

#endif /* MIRROR_WIRE_H */
