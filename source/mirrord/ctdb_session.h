/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connection to ctdbd on which one thing is done after the other: for
 * programs that do a few steps and end (mirror-ctdb-death).
 *
 * Owns: the connection; controls and messages over it, each with a time limit;
 * messages that came in while something else was awaited.
 * Does not own: what answers mean (ctdb_query.h), what is done.
 *
 * All calls block. Times are ms of session_now().
 */

#ifndef MIRRORD_CTDB_SESSION_H
#define MIRRORD_CTDB_SESSION_H

#include "ctdb_query.h"

/* ctdb/protocol/protocol.h; the same in 4.17 and 4.22. */
#define CTDB_REGISTER_SRVID ((enum ctdb_opcode)23)
#define CTDB_GET_PNN ((enum ctdb_opcode)35)
#define CTDB_CONNECTED_NODES 0xF0000004

#define SRVID_LEADER UINT64_C(0xF101000000000000)
#define SRVID_RECONFIGURE UINT64_C(0xF200000000000000)
#define SRVID_MEM_DUMP UINT64_C(0xF800000000000000)
#define SRVID_TAKEOVER_RUN UINT64_C(0xFB00000000000000)
#define SRVID_DISABLE_TAKEOVER_RUNS UINT64_C(0xFB03000000000000)
#define SRVID_DISABLE_RECOVERIES UINT64_C(0xFB04000000000000)
/* For tools; the low bits are ours. */
#define SRVID_TOOL UINT64_C(0xCE00000000000000)

struct session;

struct session_message {
	struct session_message *prev, *next;
	uint64_t srvid;
	uint32_t source;	/* node */
	uint8_t *data;
	size_t length;
};

uint64_t session_now(void);

int session_open(TALLOC_CTX *mem_ctx, const char *path,
		 struct session **session);
/* Readable: session_receive() may find something. */
int session_fd(const struct session *session);

/* Questions without data, see ctdb_query.h; answers: an array like them,
 * child of mem_ctx. 0, ETIMEDOUT, ECONNRESET, EPROTO. */
int session_ask(struct session *session,
		TALLOC_CTX *mem_ctx,
		const struct ctdb_question *questions,
		size_t count,
		uint64_t until,
		struct ctdb_answer **answers);

/* From now on messages to srvid come to us as well. */
int session_listen(struct session *session, uint64_t srvid, uint64_t until);
int session_send(struct session *session,
		 uint32_t node,
		 uint64_t srvid,
		 const void *data,
		 size_t length);
/* The next message to srvid, or to any we listen to (0); child of mem_ctx.
 * ETIMEDOUT: none until then. */
int session_receive(struct session *session,
		    TALLOC_CTX *mem_ctx,
		    uint64_t srvid,
		    uint64_t until,
		    struct session_message **message);
/* Forget those that came in so far. */
void session_drop(struct session *session, uint64_t srvid);

#endif /* MIRRORD_CTDB_SESSION_H */
