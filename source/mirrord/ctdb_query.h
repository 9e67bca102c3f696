/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Questions to ctdbd: a few controls over its socket, all at once.
 *
 * Owns: ctdb's client protocol as far as we need it, the connection, the time
 * limit; taking the answers apart.
 * Does not own: what is made of them (ctdb_view.c, rejoin.c).
 *
 * None of these controls waits for a leader, so they are answered in the
 * middle of a recovery as well.
 */

#ifndef MIRRORD_CTDB_QUERY_H
#define MIRRORD_CTDB_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <talloc.h>
#include <tevent.h>

/* ctdb/protocol/protocol.h; the same in 4.17 and 4.22. */
enum ctdb_opcode {
	CTDB_GET_VNNMAP = 5,
	CTDB_GET_RECMODE = 15,
	CTDB_FREEZE = 33,	/* in a recovery, which ends it */
	CTDB_GET_UPTIME = 69,
	CTDB_GET_CAPABILITIES = 80,
	CTDB_GET_ADDRESSES = 90,
	CTDB_GET_NODEMAP = 91,
	CTDB_GET_CLUSTER_LOCK = 99,
	CTDB_GET_DB_SEQNUM = 120	/* of the registry; grows with every
					   change of it */
};

#define CTDB_THIS_NODE 0xF0000001
#define CTDB_QUESTIONS_MAX 64

struct ctdb_question {
	enum ctdb_opcode opcode;
	uint32_t node;		/* pnn, or CTDB_THIS_NODE */
};

struct ctdb_answer {
	int32_t status;
	const uint8_t *data;
	size_t length;
};

struct tevent_req *ctdb_query_send(TALLOC_CTX *mem_ctx,
				   struct tevent_context *ev,
				   const char *socket_path,
				   const struct ctdb_question *questions,
				   size_t count,
				   uint32_t timeout_ms);

/*
 * 0, and an answer for each question in its order (child of mem_ctx).
 * ECONNREFUSED, ENOENT: nobody listens; ETIMEDOUT; EPROTO; ECONNRESET.
 */
int ctdb_query_recv(struct tevent_req *req,
		    TALLOC_CTX *mem_ctx,
		    struct ctdb_answer **answers);

/* Nodes as bits; those that we have no bit for are left out. */
struct ctdb_members {
	bool valid;		/* of a recovery that began; else nobody */
	uint64_t nodes;
	uint32_t generation;	/* another one after each recovery */
};

struct ctdb_flags {
	uint64_t connected;
	uint64_t active;	/* connected, not banned, not stopped */
	uint64_t healthy;	/* active, nor disabled, nor unhealthy */
};

struct ctdb_hosted {
	char address[INET6_ADDRSTRLEN];
	uint32_t node;
};

/* False if the answer is not one, or no success. */
bool ctdb_answer_u32(const struct ctdb_answer *answer, uint32_t *value);
bool ctdb_answer_vnnmap(const struct ctdb_answer *answer,
			struct ctdb_members *members);
bool ctdb_answer_nodemap(const struct ctdb_answer *answer,
			 struct ctdb_flags *flags);
/* The address of one node that is not deleted, with that port. */
bool ctdb_answer_node_address(const struct ctdb_answer *answer,
			      uint32_t node,
			      uint16_t port,
			      struct sockaddr_storage *address);
/* *hosted is a child of mem_ctx. */
bool ctdb_answer_addresses(const struct ctdb_answer *answer,
			   TALLOC_CTX *mem_ctx,
			   struct ctdb_hosted **hosted);
/* When the last recovery ended; us by the clock of that node, 0: never. */
bool ctdb_answer_recovered(const struct ctdb_answer *answer, uint64_t *us);

#endif /* MIRRORD_CTDB_QUERY_H */
