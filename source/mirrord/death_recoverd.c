/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dealing with ctdb's recovery daemon, see death_recoverd.h. */

#include <sys/file.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "death_recoverd.h"

#define UNKNOWN_LEADER 0xFFFFFFFF
/* Neither a node's number nor "unknown". */
#define NO_NODE 0xFFFFFFFD

/* struct ctdb_srvid_message, ctdb_disable_message: who is answered, where. */
struct reply_to {
	uint32_t node;
	uint32_t pad;
	uint64_t srvid;
};

struct hold {
	struct reply_to reply_to;
	uint32_t seconds;
	uint32_t pad;
};

uint64_t recoverd_reply_srvid(void)
{
	return SRVID_TOOL | (uint64_t)(uint32_t)getpid();
}

static bool is_locked(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool locked;

	if (fd == -1) {
		return false;
	}
	locked = flock(fd, LOCK_EX | LOCK_NB) == -1;
	close(fd);
	return locked;
}

bool recoverd_death_is_at_work(void)
{
	return is_locked(DEATH_LOCK_FILE);
}

bool recoverd_move_is_at_work(void)
{
	return is_locked(MOVE_LOCK_FILE);
}

/* Without it the move goes on: it is not the first line of defence. */
int recoverd_move_begins(void)
{
	int fd = open(MOVE_LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		      0600);

	if (fd != -1) {
		(void)flock(fd, LOCK_SH);
	}
	return fd;
}

/* A child may have it, too. */
void recoverd_move_ends(int fd)
{
	if (fd != -1) {
		(void)flock(fd, LOCK_UN);
		close(fd);
	}
}

/* ----------------------------------------------------------------- the lock */

static bool line_has(const char *line, size_t length, const char *word)
{
	return memmem(line, length, word, strlen(word)) != NULL;
}

static size_t indentation(const char *line, size_t length)
{
	size_t n = 0;

	while (n < length && line[n] == ' ') {
		n++;
	}
	return n;
}

enum lock_state recoverd_lock_in_report(const char *report, size_t length)
{
	const char *end = report + length;
	bool inside = false, mutex = false;
	size_t depth = 0;

	while (report < end) {
		const char *eol = memchr(report, '\n', (size_t)(end - report));
		size_t n = (size_t)((eol != NULL ? eol : end) - report);

		if (inside && indentation(report, n) <= depth) {
			break;
		}
		if (inside && line_has(report, n, "struct tevent_timer")) {
			return LOCK_BEING_TAKEN;
		}
		mutex |= inside &&
			line_has(report, n, "struct ctdb_cluster_mutex_handle");
		if (line_has(report, n, "struct ctdb_cluster_lock_handle")) {
			inside = true;
			depth = indentation(report, n);
		}
		report += n + (eol != NULL);
	}
	if (!inside) {
		return LOCK_NONE;
	}
	return mutex ? LOCK_HELD : LOCK_BEING_TAKEN;
}

int recoverd_lock(struct session *session, uint32_t own, uint64_t until,
		  enum lock_state *state)
{
	const struct reply_to reply_to = {
		.node = own, .srvid = recoverd_reply_srvid(),
	};
	struct session_message *message;
	int ret;

	session_drop(session, reply_to.srvid);
	ret = session_send(session, CTDB_THIS_NODE, SRVID_MEM_DUMP, &reply_to,
			   sizeof(reply_to));
	if (ret == 0) {
		ret = session_receive(session, session, reply_to.srvid, until,
				      &message);
	}
	if (ret == 0) {
		*state = recoverd_lock_in_report((const char *)message->data,
						 message->length);
		talloc_free(message);
	}
	return ret;
}

/* ------------------------------------------------------------------- leader */

int recoverd_leader(struct session *session, uint32_t leader)
{
	return session_send(session, CTDB_THIS_NODE, SRVID_LEADER, &leader,
			    sizeof(leader));
}

int recoverd_end_leadership(struct session *session)
{
	return recoverd_leader(session, NO_NODE);
}

/*
 * Of a leader that is unknown already it takes no notice, but for putting off
 * its own time-out, after which it would elect: so first it is another one.
 */
int recoverd_elect(struct session *session)
{
	int ret = recoverd_end_leadership(session);

	return ret == 0 ? recoverd_leader(session, UNKNOWN_LEADER) : ret;
}

/* -------------------------------------------------------------- stand still */

/* The node that stands still; negative: it is just doing one. */
static int32_t who_holds(const struct session_message *reply)
{
	int32_t status = -1;

	if (reply->length >= sizeof(status)) {
		memcpy(&status, reply->data, sizeof(status));
	}
	return status;
}

static int hold(struct session *session, uint64_t srvid, uint32_t own,
		uint32_t seconds, bool answered, uint64_t until)
{
	const struct hold message = {
		.reply_to = {
			.node = own,
			.srvid = answered ? recoverd_reply_srvid() : 0,
		},
		.seconds = seconds,
	};
	struct session_message *reply;
	int32_t status;
	int ret;

	session_drop(session, recoverd_reply_srvid());
	ret = session_send(session, CTDB_THIS_NODE, srvid, &message,
			   sizeof(message));
	if (ret != 0 || !answered) {
		return ret;
	}
	ret = session_receive(session, session, recoverd_reply_srvid(), until,
			      &reply);
	if (ret != 0) {
		return ret;
	}
	status = who_holds(reply);
	talloc_free(reply);
	return status == (int32_t)own ? 0 : EBUSY;
}

int recoverd_hold_recoveries(struct session *session, uint32_t own,
			     uint32_t seconds, bool answered, uint64_t until)
{
	return hold(session, SRVID_DISABLE_RECOVERIES, own, seconds, answered,
		    until);
}

int recoverd_hold_takeovers(struct session *session, uint32_t own,
			    uint32_t seconds, bool answered, uint64_t until)
{
	return hold(session, SRVID_DISABLE_TAKEOVER_RUNS, own, seconds,
		    answered, until);
}

int recoverd_hold_all_takeovers(struct session *session, uint32_t seconds)
{
	const struct hold message = { .seconds = seconds };

	return session_send(session, CTDB_CONNECTED_NODES,
			    SRVID_DISABLE_TAKEOVER_RUNS, &message,
			    sizeof(message));
}

int recoverd_hold_takeovers_of(struct session *session, uint64_t nodes,
			       uint32_t own, uint32_t seconds, uint64_t until)
{
	const struct hold message = {
		.reply_to = {
			.node = own, .srvid = recoverd_reply_srvid(),
		},
		.seconds = seconds,
	};
	struct session_message *reply;
	int ret;

	session_drop(session, recoverd_reply_srvid());
	ret = session_send(session, CTDB_CONNECTED_NODES,
			   SRVID_DISABLE_TAKEOVER_RUNS, &message,
			   sizeof(message));
	while (ret == 0 && nodes != 0) {
		int32_t who = -1;

		ret = session_receive(session, session, recoverd_reply_srvid(),
				      until, &reply);
		if (ret != 0) {
			break;
		}
		who = who_holds(reply);
		talloc_free(reply);
		if (who < 0 || who > 63) {
			return EBUSY;
		}
		nodes &= ~(UINT64_C(1) << who);
	}
	return ret;
}

int recoverd_want_takeover(struct session *session)
{
	const struct reply_to nobody = { .node = 0 };

	return session_send(session, CTDB_THIS_NODE, SRVID_TAKEOVER_RUN,
			    &nobody, sizeof(nobody));
}
