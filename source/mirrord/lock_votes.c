/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking ctdb, see lock_votes.h. */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "ctdb_session.h"
#include "lock_copy.h"
#include "lock_votes.h"

/* ctdbd answers in less than a ms, unless it or its node stands still. */
#define ANSWER_MS 1000

/* uint32 count, then the nodes. */
static uint32_t count_nodes(const struct ctdb_answer *answer)
{
	uint32_t n = 0;

	if (answer->status == 0 && answer->length >= sizeof(n)) {
		memcpy(&n, answer->data, sizeof(n));
	}
	return n <= LOCK_NODES ? n : LOCK_NODES;
}

static int ask_here(struct session *session, struct votes *votes)
{
	static const struct ctdb_question questions[] = {
		{ CTDB_GET_PNN, CTDB_THIS_NODE },
		{ CTDB_GET_NODEMAP, CTDB_THIS_NODE },
	};
	struct ctdb_answer *answers;
	struct ctdb_flags flags;
	int ret;

	ret = session_ask(session, session, questions, 2,
			  session_now() + ANSWER_MS, &answers);
	if (ret != 0) {
		return ret;
	}
	votes->own = (uint32_t)answers[0].status;
	votes->nodes = count_nodes(&answers[1]);
	votes->connected = 0;
	if (ctdb_answer_nodemap(&answers[1], &flags)) {
		votes->connected = flags.connected;
	}
	talloc_free(answers);
	return votes->nodes > 0 && votes->own < votes->nodes ? 0 : EPROTO;
}

/* The ctdbd of each node that there is a connection to. */
static int ask_others(struct session *session, struct votes *votes,
		      uint64_t limit_ms)
{
	uint32_t i;

	votes->answered = 0;
	for (i = 0; i < votes->nodes; i++) {
		const struct ctdb_question question = { CTDB_GET_PNN, i };
		struct ctdb_answer *answer;
		int ret;

		if (i == votes->own ||
		    (votes->connected & UINT64_C(1) << i) == 0) {
			continue;
		}
		ret = session_ask(session, session, &question, 1,
				  session_now() + limit_ms, &answer);
		if (ret != 0 && ret != ETIMEDOUT) {
			return ret;
		}
		if (ret == 0) {
			if (answer->status == (int32_t)i) {
				votes->answered |= UINT64_C(1) << i;
			}
			talloc_free(answer);
		}
	}
	return 0;
}

static void serve(const char *path, uint64_t every_ms, int fd)
{
	struct session *session;
	struct votes votes = { .asked = 0 };

	if (session_open(NULL, path, &session) != 0) {
		return;
	}
	for (;;) {
		votes.asked = lock_now();
		if (ask_here(session, &votes) != 0 ||
		    ask_others(session, &votes, 2 * every_ms) != 0 ||
		    send(fd, &votes, sizeof(votes), MSG_NOSIGNAL) == -1) {
			return;
		}
		poll(NULL, 0, (int)every_ms);
	}
}

int votes_start(const char *path, uint64_t every_ms, int *fd, pid_t *pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       pair) == -1) {
		return errno;
	}
	*pid = fork();
	if (*pid == -1) {
		int ret = errno;

		close(pair[0]);
		close(pair[1]);
		return ret;
	}
	if (*pid == 0) {
		close(STDOUT_FILENO);
		close(pair[0]);
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(path, every_ms, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	*fd = pair[0];
	return 0;
}
