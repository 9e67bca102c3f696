/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sender: this process' link to the partner for one volume.
 *
 * Owns: session and sequence numbers (R5), the link with its connecting,
 * greeting, re-connecting and sending again, the list of operations in
 * flight, this process' slot in the state page.
 * Does not own: the life of an operation (operation.h).
 *
 *   link:  none ──► handshake ──► hello ──► ready
 *            ▲          │           │         │
 *            └──────────┴───────────┴─────────┘  broken, or regime changed
 */

#ifndef VFS_MIRROR_SENDER_H
#define VFS_MIRROR_SENDER_H

#include "operation.h"
#include "../common/peer_link.h"
#include "../common/trace.h"
#include "../common/timer.h"

enum sender_state {
	SENDER_NONE,
	SENDER_HANDSHAKE,
	SENDER_HELLO,
	SENDER_READY
};

struct mirror_volume {
	struct mirror_volume *prev, *next;
	char *name;
	uint32_t references;	/* connections that use it */
	struct state_page *page;
	int root_fd;
	uint32_t slot;
	uint32_t num_collect;	/* depth of creates */
	mode_t umask;
	bool write_back;	/* mirror:degraded = write-back */
	bool gone;		/* this node lost the volume; we are exiting */

	struct mirror_id session;
	uint64_t last_sequence;
	bool news;	/* acknowledged, and not advanced yet */
	struct mirror_operation *in_flight;
	struct mirror_operation *alone;	/* sent, not applied: see there */

	struct link_key *key;
	struct peer_link *link;
	enum sender_state state;
	bool look;		/* the link may have something for us */
	struct page_partner partner;
	uint64_t regime;	/* that the link is for */
	uint64_t next_attempt;	/* monotonic, in microseconds */
	uint64_t failing_since;	/* 0: all is well */

	struct tevent_context *ev;
	struct tevent_fd *fde;
	struct timer *timer;
	uint32_t num_async;
	struct smbXsrv_client *client;	/* whose writes they are */
	uint32_t num_held;	/* records that the link keeps back: batch.h */

	struct trace *trace;	/* NULL: there is none */
	struct request_trace *traced;	/* see operation_trace.h */
	struct smbd_server_connection *sconn;	/* has smbd's requests */
	uint64_t answered;	/* traced: when the link was last read */
};

/*
 * The volume of this process, made at first use. root_fd is an open directory
 * on it (taken over). NULL with errno, and *problem for the log.
 */
struct mirror_volume *sender_open(const char *name,
				  const char *run_directory,
				  const char *key_file,
				  bool encrypt,
				  const char *root,
				  char **problem);
void sender_close(struct mirror_volume *volume);

/*
 * Do what can be done without waiting: connect, greet, flush, receive.
 * Acknowledged operations are marked, not advanced.
 */
void sender_service(struct mirror_volume *volume);

/* What is less: for an operation that nobody waits for in a VFS call. What is
 * kept back stays so, and what came is left to the event loop. */
void sender_prepare(struct mirror_volume *volume);

/* Send what is kept back. */
void sender_push(struct mirror_volume *volume);

/*
 * Wait until the link has something to do, but no longer than this. With
 * for_answer the partner's is expected soon, and we stay awake for a moment.
 */
void sender_wait(struct mirror_volume *volume,
		 uint32_t microseconds,
		 bool for_answer);

/* Number and encode the operation's record for the epoch that it holds, and
 * queue it. 0 or errno. */
int sender_send(struct mirror_volume *volume,
		struct mirror_operation *operation);

/* Asynchronous operations are in flight (or no longer): watch the link from
 * the event loop. */
void sender_watch(struct mirror_volume *volume, struct tevent_context *ev);
void sender_unwatch(struct mirror_volume *volume);

uint64_t sender_now(void);	/* monotonic, microseconds */

#endif /* VFS_MIRROR_SENDER_H */
