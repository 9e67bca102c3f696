/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-ctdb-death PNN - a node has fallen silent: see that it is dead, and
 * make ctdb act on it now.
 *
 * Owns: the order of the steps, their time limits, what is told of them.
 * Does not own: the steps (death_*.h); noticing the silence, and cutting
 * ctdb's connections to the node (arpd).
 *
 *   1 confirm   the node's kernel does not answer; then ctdb's connections to
 *               it are cut, and ctdbd says disconnected. Else nothing is done.
 *   2 lead      with a cluster lock: until the recovery daemon here holds it
 *               (R13: who may go on alone is elected by it). Without: it is
 *               told that this node leads.
 *   3 hold      the recovery daemon's own recoveries and takeover runs
 *   4 recover   ctdb_recovery_helper
 *   5 move      ctdb_takeover_helper
 *   6 let go
 *
 * ctdb would do all of it by itself, seconds later. So every step that fails
 * ends with 6, and leaves it to ctdb; so does the end of this process, as the
 * hold of step 3 lapses. What ctdb is doing already is left to it.
 *
 * Exit status: 0 done, or nothing to do; 1 something failed.
 */

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "ctdb_session.h"
#include "death_helper.h"
#include "death_probe.h"
#include "death_recoverd.h"

#define CTDB_SOCKET "/run/ctdb/ctdbd.socket"
#define CTDB_PORT 4379

/* The kernel of a node in the same rack answers within one of these. */
#define SILENT_MS 100
/* Once its connections are cut ctdbd says so in a few ms. */
#define DISCONNECTED_MS 500
/* An answer of a daemon that is there. */
#define ANSWER_MS 1000
/* The lock of a dead node may take a while to be free. */
#define LEAD_MS 10000
#define ELECT_AGAIN_MS 250
/* A leader says so every second. */
#define LEADER_SAYS_MS 1200
#define HOLD_SECONDS 10
#define HOLD_AGAIN_MS 2000
/*
 * A recovery daemon that happened to look while ours was under way wants to do
 * one more: not while clients are coming back. After its own ones it rests for
 * longer (RerecoveryTimeout).
 */
#define REST_SECONDS 5
#define RECOVER_ATTEMPTS 3
/* For so long it is awaited that a node which stood still is back. */
#define MEND_MS 3000
/* More than RerecoveryTimeout. */
#define MEND_REST_SECONDS 15
#define TURN_MS 5

struct death {
	struct session *session;
	const char *socket;
	uint32_t node;		/* the dead one */
	char name[INET6_ADDRSTRLEN];	/* its address */
	uint32_t own;
	bool with_lock;
	struct ctdb_flags flags;
	struct ctdb_members members;
	bool recovering;
	struct probe *probe;
	uint64_t began;		/* ms; what follows is since then */
	uint64_t confirmed;
	uint64_t led;
	uint64_t recovered;
	uint64_t hold_again;
	bool lock_lost;
};

enum outcome {
	GO_ON,
	NOTHING,	/* to do: told already */
	FAILED
};

static uint64_t elapsed(const struct death *death)
{
	return session_now() - death->began;
}

static uint64_t bit(uint32_t node)
{
	return node < 64 ? UINT64_C(1) << node : 0;
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static enum outcome broken(const struct death *death, const char *what,
			   int error)
{
	event_log(EVENT_DEATH_LATE, "node %u is silent; %s: %s",
		  death->node, what, strerror(error));
	return FAILED;
}

/* ------------------------------------------------------------ what is known */

enum question {
	ASK_NODEMAP,
	ASK_VNNMAP,
	ASK_RECMODE,
	ASK_END
};

static int look(struct death *death)
{
	static const struct ctdb_question questions[ASK_END] = {
		[ASK_NODEMAP] = { CTDB_GET_NODEMAP, CTDB_THIS_NODE },
		[ASK_VNNMAP] = { CTDB_GET_VNNMAP, CTDB_THIS_NODE },
		[ASK_RECMODE] = { CTDB_GET_RECMODE, CTDB_THIS_NODE },
	};
	struct ctdb_answer *answers;
	int ret;

	ret = session_ask(death->session, death, questions, ASK_END,
			  session_now() + ANSWER_MS, &answers);
	if (ret != 0) {
		return ret;
	}
	if (!ctdb_answer_nodemap(&answers[ASK_NODEMAP], &death->flags) ||
	    !ctdb_answer_vnnmap(&answers[ASK_VNNMAP], &death->members)) {
		ret = EPROTO;
	}
	death->recovering = answers[ASK_RECMODE].status != 0;
	talloc_free(answers);
	return ret;
}

static bool is_connected(const struct death *death)
{
	return (death->flags.connected & bit(death->node)) != 0;
}

/* A recovery has ended without it already. */
static bool is_excluded(const struct death *death)
{
	return !death->recovering && !is_connected(death) &&
		death->members.valid &&
		(death->members.nodes & bit(death->own)) != 0 &&
		(death->members.nodes & bit(death->node)) == 0;
}

static enum outcome begin(struct death *death)
{
	static const struct ctdb_question questions[] = {
		{ CTDB_GET_PNN, CTDB_THIS_NODE },
		{ CTDB_GET_CLUSTER_LOCK, CTDB_THIS_NODE },
		{ CTDB_GET_NODEMAP, CTDB_THIS_NODE },
	};
	struct sockaddr_storage address;
	struct ctdb_answer *answers;
	uint64_t until = session_now() + ANSWER_MS;
	int ret;

	ret = session_open(death, death->socket, &death->session);
	if (ret == 0) {
		ret = session_ask(death->session, death, questions, 3, until,
				  &answers);
	}
	if (ret != 0) {
		return broken(death, "ctdbd does not answer here", ret);
	}
	death->own = (uint32_t)answers[0].status;
	death->with_lock = answers[1].status == 0 && answers[1].length > 1;
	if (death->own == death->node ||
	    !ctdb_answer_node_address(&answers[2], death->node, CTDB_PORT,
				      &address)) {
		return broken(death, "it is none of ctdb's other nodes",
			      EINVAL);
	}
	talloc_free(answers);
	getnameinfo((const struct sockaddr *)&address, sizeof(address),
		    death->name, sizeof(death->name), NULL, 0,
		    NI_NUMERICHOST);
	ret = probe_new(death, &address, &death->probe);
	if (ret == 0) {
		ret = session_listen(death->session, recoverd_reply_srvid(),
				     until);
	}
	if (ret == 0) {
		ret = session_listen(death->session, SRVID_LEADER, until);
	}
	return ret == 0 ? GO_ON : broken(death, "cannot begin", ret);
}

/* ------------------------------------------------------------------ confirm */

/*
 * mirrord has to know of its old owner that it does not have a volume any
 * more before it takes it. If it asks now, it need not wait for the answer
 * later. Nobody waits for it here.
 */
static void doubt(const struct death *death)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", death->node);
	if (fork() == 0) {
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (fd != -1) {
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
		}
		execlp("mirrorctl", "mirrorctl", "silent", number, NULL);
		_exit(127);
	}
}

static bool recovered_lately(struct death *death)
{
	static const struct ctdb_question uptime = {
		CTDB_GET_UPTIME, CTDB_THIS_NODE
	};
	struct ctdb_answer *answer;
	struct timespec now;
	uint64_t us = 0;
	bool lately = true;

	if (session_ask(death->session, death, &uptime, 1,
			session_now() + ANSWER_MS, &answer) != 0) {
		return true;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (ctdb_answer_recovered(answer, &us)) {
		lately = us / 1000000 + MEND_REST_SECONDS >
			(uint64_t)now.tv_sec;
	}
	talloc_free(answer);
	return lately;
}

/*
 * What the two ctdbds had sent each other is lost with a connection. Of one
 * that is back at once nobody notices. But if the node stood still meanwhile,
 * and no recovery is made, records of ctdb's databases are sent to and fro for
 * up to 20 s, and clients wait for them: a recovery ends it. Not within the
 * time after another one in which ctdb makes none: clients would wait for
 * the end of that.
 */
static void mend(struct death *death)
{
	uint64_t until = session_now() + MEND_MS;
	uint32_t generation;

	if (look(death) != 0 || is_connected(death)) {
		return;
	}
	generation = death->members.generation;
	do {
		pause_ms(4 * TURN_MS);
		if (look(death) != 0) {
			return;
		}
	} while (!is_connected(death) && session_now() < until);
	if (!is_connected(death) || death->recovering ||
	    death->members.generation != generation ||
	    recovered_lately(death)) {
		return;
	}
	event_log(EVENT_DEATH_MENDED, "node %u stood still for a while: ctdb "
		  "is asked for a recovery", death->node);
	if (system("timeout 10 ctdb recover >/dev/null 2>&1") != 0) {
		broken(death, "ctdb recover failed", EIO);
	}
}

static enum outcome lives(struct death *death, const char *why)
{
	event_log(EVENT_DEATH_NONE, "node %u was silent, but %s: nothing is "
		  "done", death->node, why);
	mend(death);
	return NOTHING;
}

/*
 * Only now: a ctdbd that loses its connection to one that stands still goes on
 * without that one within a second, which then is fenced.
 */
static void cut(const struct death *death)
{
	char command[256];

	snprintf(command, sizeof(command), "ss -K dst %s "
		 "'( dport = %d or sport = %d )' >/dev/null 2>&1",
		 death->name, CTDB_PORT, CTDB_PORT);
	if (system(command) == -1) {
		broken(death, "cannot cut ctdb's connections", errno);
	}
}

static enum outcome confirm(struct death *death)
{
	uint64_t silent_until = session_now() + SILENT_MS;
	uint64_t until = silent_until + DISCONNECTED_MS;
	bool is_cut = false;
	int ret;

	doubt(death);
	/* The kernel of the node has this time to answer anyway. */
	helper_environment();
	do {
		if (probe_answered(death->probe, session_now() + TURN_MS)) {
			return lives(death, "its kernel answers");
		}
		ret = look(death);
		if (ret != 0) {
			return broken(death, "ctdbd does not answer here",
				      ret);
		}
		if (is_connected(death) && !is_cut &&
		    session_now() >= silent_until) {
			is_cut = true;
			cut(death);
			/* What that took does not count. */
			until = session_now() + DISCONNECTED_MS;
		}
		if (is_connected(death) && session_now() > until) {
			return lives(death, "ctdb has a connection to it");
		}
	} while (is_connected(death) || session_now() < silent_until);
	death->confirmed = elapsed(death);
	if (is_excluded(death)) {
		event_log(EVENT_DEATH_LEFT, "node %u is dead; ctdb has gone "
			  "on without it already", death->node);
		return NOTHING;
	}
	return GO_ON;
}

/* --------------------------------------------------------------------- lead */

/*
 * Has a node that is alive said that it leads? Then it is for it to act. What
 * the dead one said last does not count.
 */
static bool other_leads(struct death *death, uint32_t *leader)
{
	struct session_message *message;
	bool found = false;

	while (session_receive(death->session, death, SRVID_LEADER, 0,
			       &message) == 0) {
		uint32_t pnn = UINT32_MAX;

		if (message->length >= sizeof(pnn)) {
			memcpy(&pnn, message->data, sizeof(pnn));
		}
		if (pnn == message->source && pnn != death->node &&
		    (death->flags.active & bit(pnn)) != 0) {
			*leader = pnn;
			found = true;
		}
		talloc_free(message);
	}
	return found;
}

static enum outcome leave_to(const struct death *death, uint32_t leader)
{
	event_log(EVENT_DEATH_LEFT, "node %u is dead; node %u leads and acts "
		  "on it", death->node, leader);
	return NOTHING;
}

static enum outcome lead_by_lock(struct death *death)
{
	uint64_t until = session_now() + LEAD_MS;
	uint64_t elect_again = 0;
	enum lock_state state;
	uint32_t leader;
	int ret;

	for (;;) {
		ret = recoverd_lock(death->session, death->own,
				    session_now() + ANSWER_MS, &state);
		if (ret == 0 && state == LOCK_HELD) {
			return GO_ON;
		}
		if (ret != 0 && ret != ETIMEDOUT) {
			return broken(death, "ctdbd does not answer here",
				      ret);
		}
		if (other_leads(death, &leader) && leader != death->own) {
			return leave_to(death, leader);
		}
		if (session_now() > until) {
			return broken(death, "the cluster lock was not got",
				      ETIMEDOUT);
		}
		if (ret == 0 && state == LOCK_NONE &&
		    session_now() >= elect_again) {
			elect_again = session_now() + ELECT_AGAIN_MS;
			ret = recoverd_elect(death->session);
			if (ret != 0) {
				return broken(death, "ctdbd is gone", ret);
			}
		}
		pause_ms(TURN_MS);
	}
}

/* The lowest of those that are left, if none of them leads. */
static enum outcome lead_without_lock(struct death *death)
{
	uint64_t others = death->flags.active & ~bit(death->own);
	uint64_t until = session_now() + LEADER_SAYS_MS;
	uint32_t leader = death->own;
	int ret;

	while (others != 0 && session_now() < until) {
		if (other_leads(death, &leader)) {
			others = 0;
		}
		pause_ms(TURN_MS);
	}
	if (others != 0 && (others & (bit(death->own) - 1)) != 0) {
		leader = (uint32_t)__builtin_ctzll(others);
	}
	if (leader != death->own) {
		return leave_to(death, leader);
	}
	ret = recoverd_leader(death->session, death->own);
	return ret == 0 ? GO_ON : broken(death, "ctdbd is gone", ret);
}

static enum outcome lead(struct death *death)
{
	enum outcome outcome = death->with_lock ? lead_by_lock(death) :
		lead_without_lock(death);

	death->led = elapsed(death);
	return outcome;
}

/* --------------------------------------------------------------- hold, act */

static enum outcome hold(struct death *death)
{
	uint64_t until = session_now() + ANSWER_MS;
	int ret;

	ret = recoverd_hold_recoveries(death->session, death->own,
				       HOLD_SECONDS, true, until);
	if (ret == 0) {
		ret = recoverd_hold_takeovers(death->session, death->own,
					      HOLD_SECONDS, true, until);
	}
	if (ret == EBUSY) {
		event_log(EVENT_DEATH_LEFT, "node %u is dead; ctdb acts on it "
			  "already", death->node);
		return NOTHING;
	}
	death->hold_again = session_now() + HOLD_AGAIN_MS;
	return ret == 0 ? GO_ON :
		broken(death, "ctdb's recovery daemon does not answer", ret);
}

static void let_go(struct death *death, enum outcome outcome)
{
	recoverd_hold_takeovers(death->session, death->own, 0, false, 0);
	recoverd_hold_recoveries(death->session, death->own,
				 outcome == GO_ON ? REST_SECONDS : 0, false,
				 0);
}

/*
 * While a helper runs: the recovery daemon gives the leadership up with an
 * election of which it tells all, and then nobody may go on here (R13).
 */
static bool go_on(void *private_data)
{
	struct death *death = private_data;
	struct session_message *message;

	while (session_receive(death->session, death, SRVID_LEADER, 0,
			       &message) == 0) {
		uint32_t pnn = 0;

		if (message->length >= sizeof(pnn)) {
			memcpy(&pnn, message->data, sizeof(pnn));
		}
		if (pnn != death->own && message->source != death->node) {
			death->lock_lost = true;
		}
		talloc_free(message);
	}
	if (session_now() >= death->hold_again) {
		death->hold_again = session_now() + HOLD_AGAIN_MS;
		recoverd_hold_recoveries(death->session, death->own,
					 HOLD_SECONDS, false, 0);
		recoverd_hold_takeovers(death->session, death->own,
					HOLD_SECONDS, false, 0);
	}
	return !death->lock_lost;
}

static enum outcome recover(struct death *death)
{
	int attempt, ret = EIO;

	/* Those that we sent ourselves. */
	session_drop(death->session, SRVID_LEADER);
	for (attempt = 0; attempt < RECOVER_ATTEMPTS && ret == EIO;
	     attempt++) {
		ret = helper_recover(death->socket, go_on, death);
	}
	death->recovered = elapsed(death);
	return ret == 0 ? GO_ON :
		broken(death, ret == ECANCELED ?
		       "another node leads" : "the recovery failed", ret);
}

static enum outcome move(struct death *death)
{
	int ret = helper_takeover(death->socket, go_on, death);

	/* As at the end of ctdb's own recovery: smbds look at their locks. */
	session_send(death->session, CTDB_CONNECTED_NODES, SRVID_RECONFIGURE,
		     NULL, 0);
	if (ret != 0) {
		recoverd_want_takeover(death->session);
		return broken(death, ret == ECANCELED ?
			      "another node leads" :
			      "the takeover run failed", ret);
	}
	event_log(EVENT_DEATH, "node %u is dead: confirmed after %" PRIu64
		  " ms, leading after %" PRIu64 ", recovered after %" PRIu64
		  ", addresses moved after %" PRIu64, death->node,
		  death->confirmed, death->led, death->recovered,
		  elapsed(death));
	return GO_ON;
}

static enum outcome act(struct death *death)
{
	enum outcome outcome = hold(death);

	if (outcome == GO_ON) {
		outcome = recover(death);
	}
	if (outcome == GO_ON) {
		outcome = move(death);
	}
	let_go(death, outcome);
	return outcome;
}

/* --------------------------------------------------------------------- main */

/* One at a time: of two nodes that die together the second finds what the
 * first has left. */
static void take_turn(void)
{
	int fd = open(DEATH_LOCK_FILE,
		      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      0600);

	if (fd != -1) {
		while (flock(fd, LOCK_EX) == -1 && errno == EINTR) {
			continue;
		}
	}
}

static void log_where(const char *path)
{
	struct stat st;
	int fd = -1;

	if (path != NULL) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			  0640);
	}
	if (fd != -1) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	/* arpd reads what is said by a pipe, and logs it. */
	if (fstat(STDERR_FILENO, &st) == -1 ||
	    (S_ISCHR(st.st_mode) && !isatty(STDERR_FILENO))) {
		event_log_init("mirror-ctdb-death", EVENT_TO_SYSLOG);
	} else {
		event_log_init("mirror-ctdb-death", S_ISREG(st.st_mode) ?
			       EVENT_TO_FILE : EVENT_TO_STDERR);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: mirror-ctdb-death [-l LOG-FILE] PNN\n");
	return 2;
}

int main(int argc, char *argv[])
{
	const char *log_file = NULL;
	struct death *death;
	enum outcome outcome;
	char *end = NULL;
	unsigned long node;
	int c;

	while ((c = getopt(argc, argv, "l:")) != -1) {
		if (c != 'l') {
			return usage();
		}
		log_file = optarg;
	}
	if (optind + 1 != argc) {
		return usage();
	}
	node = strtoul(argv[optind], &end, 10);
	if (*argv[optind] == '\0' || *end != '\0' || node > 63) {
		return usage();
	}
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	log_where(log_file);
	event_log_keep();
	death = talloc_zero(NULL, struct death);
	if (death == NULL) {
		return 1;
	}
	death->node = (uint32_t)node;
	death->began = session_now();
	death->socket = getenv("CTDB_SOCKET");
	if (death->socket == NULL) {
		death->socket = CTDB_SOCKET;
	}
	take_turn();
	outcome = begin(death);
	if (outcome == GO_ON) {
		outcome = confirm(death);
	}
	if (outcome == GO_ON) {
		outcome = lead(death);
	}
	if (outcome == GO_ON) {
		outcome = act(death);
	}
	talloc_free(death);
	return outcome == FAILED ? 1 : 0;
}
