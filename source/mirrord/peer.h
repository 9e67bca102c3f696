/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Control links that this node opens: one to each other node, always.
 *
 * Owns: connecting again and again, PING, pairing of requests and replies.
 * Does not own: what is asked, when a silent node is dead (ctdb_view.h).
 */

#ifndef MIRRORD_PEER_H
#define MIRRORD_PEER_H

#include "mirrord.h"

struct peer;

int peers_new(struct mirrord *mirrord, struct peers **peers);
/* Nodes have come or gone. 0 or ENOMEM. */
int peers_configure(struct peers *peers);

/* NULL: there is no such node, or it is this one. */
struct peer *peer_find(struct peers *peers, uint32_t node);

/* Somebody says that the node is silent: if it does not answer within
 * PEER_DOUBT_MS, the link is given up. */
#define PEER_DOUBT_MS 300
void peer_doubt(struct peer *peer);
bool peer_is_up(const struct peer *peer);
/* How long it has been out of reach; 0 when it is up. */
uint64_t peer_down_ms(const struct peer *peer);
/* Grows each time the link comes up. */
uint64_t peer_times_up(const struct peer *peer);

/* Called when a link comes up or goes down. */
typedef void (*peers_changed)(uint32_t node, bool up, void *private_data);
void peers_watch(struct peers *peers, peers_changed changed,
		 void *private_data);

/*
 * Ask. A request that is not answered in time closes the link, so that a late
 * reply is never taken for that of another request.
 */
struct tevent_req *peer_request_send(TALLOC_CTX *mem_ctx,
				     struct peer *peer,
				     const struct message *request,
				     uint32_t timeout_ms);
/*
 * 0 with the reply (child of mem_ctx); ENOTCONN: link down or lost meanwhile,
 * ETIMEDOUT, EREMOTEIO: refused, the reply tells why.
 */
int peer_request_recv(struct tevent_req *req,
		      TALLOC_CTX *mem_ctx,
		      struct message **reply);

/* A link of one's own, for a child process. */
int peer_connect_fresh(TALLOC_CTX *mem_ctx,
		       struct mirrord *mirrord,
		       uint32_t node,
		       struct peer_link **link);

#endif /* MIRRORD_PEER_H */
