/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Take, hold and let go of the cluster lock, see lock_hold.h. */

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "death_recoverd.h"
#include "lock_gate.h"
#include "lock_hold.h"
#include "lock_votes.h"

/* Until a first answer of ctdbd, and of any copy. */
#define BEGIN_MS 2000
/* What is written last, if it can be. */
#define LEAVE_MS 300
/* ctdb acts on the end of stdout; only then may the other one take it. */
#define HEED_MS 100
#define REMIND_MS 20
#define VOTES_EVERY_MS 50
/* A next helper waits for so long at most. */
#define STAY_LOOK_MS 20
#define PUBLIC_ADDRESSES "/etc/ctdb/public_addresses"

struct hold {
	const struct hold_settings *settings;
	struct lease *lease;
	int copy_fds[LOCK_COPIES];
	bool busy[LOCK_COPIES];
	bool header_only[LOCK_COPIES];	/* what it is busy with */
	pid_t copy_pids[LOCK_COPIES];
	int votes_fd;
	pid_t votes_pid;
	struct votes votes;
	bool other_nodes;	/* ctdb has more or fewer than at the begin */
	struct lock_header header;
	bool have_header;
	uint8_t ids[LOCK_COPIES][16];
	bool have_id[LOCK_COPIES];
	pid_t parent;
	struct session *session;	/* of the holder, with ctdbd */
	pid_t fence_pid;
	uint32_t fence_node;
	uint64_t clients_at;
	/* what was told */
	uint8_t told_lost;
	bool told_away;
	uint64_t told_members;
	bool taken;
	/* Also with the processes of the copies: what one that hangs in its
	 * disk has written may still land. */
	int gate_fd;
};

static volatile sig_atomic_t told_to_end;

static void on_term(int signum)
{
	told_to_end = 1;
}

void hold_answer(char c)
{
	ssize_t n = write(STDOUT_FILENO, &c, 1);

	(void)n;	/* ctdb is gone: it is noticed soon */
}

/* ---------------------------------------------------------- client networks */

static bool has_carrier(const char *interface)
{
	char path[64];
	char c = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/carrier",
		 interface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		if (read(fd, &c, 1) != 1) {	/* it is down */
			c = '0';
		}
		close(fd);
	}
	return c == '1';
}

/* Any of the interfaces of ctdb's public addresses; without any: yes. */
static bool reaches_clients(void)
{
	FILE *file = fopen(PUBLIC_ADDRESSES, "re");
	char line[256], address[128], interfaces[128];
	bool any = false, carrier = false;

	while (file != NULL && !carrier &&
	       fgets(line, sizeof(line), file) != NULL) {
		char *name, *rest = interfaces;

		if (sscanf(line, "%127s %127s", address, interfaces) != 2 ||
		    address[0] == '#') {
			continue;
		}
		while ((name = strsep(&rest, ",")) != NULL) {
			any = true;
			carrier = carrier || has_carrier(name);
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return carrier || !any;
}

/* --------------------------------------------------------------- told of it */

static void tell(struct hold *hold, uint64_t now)
{
	const uint8_t lost = lease_lost_copies(hold->lease);
	const uint64_t members = lease_members(hold->lease);
	const bool away = !lease_by_mailbox(hold->lease, now);
	uint8_t i;

	for (i = 0; i < hold->settings->copies; i++) {
		uint8_t this = (uint8_t)(1U << i);

		if ((lost & this) == (hold->told_lost & this)) {
			continue;
		}
		event_log((lost & this) != 0 ? EVENT_LOCK_COPY_LOST :
			  EVENT_LOCK_COPY_BACK, "copy %u, %s", i + 1,
			  hold->settings->places[i].path);
	}
	hold->told_lost = lost;
	if (away != hold->told_away) {
		event_log(away ? EVENT_LOCK_AWAY : EVENT_LOCK_BACK,
			  away ? "the mailbox or witness does not answer: "
			  "held because of what %s" :
			  "the mailbox or witness answers again%s",
			  !away ? "" : (members & (members - 1)) == 0 ?
			  "it says: this node was alone" :
			  "the other nodes say");
		hold->told_away = away;
	}
	if (members != hold->told_members) {
		event_log(EVENT_LOCK_MEMBERS, "nodes that may take it when "
			  "this one dies: 0x%" PRIx64, members);
		hold->told_members = members;
	}
}

/* Can anybody take the lock who is not connected? */
static void tell_gate(const struct hold *hold)
{
	const uint64_t here = UINT64_C(1) << hold->votes.own;
	bool settled = (lease_members(hold->lease) & ~here &
			~hold->votes.connected) == 0;

	gate_tell(hold->gate_fd, true, settled ? hold->votes.asked : 0);
}

/* -------------------------------------------------------------------- fence */

static void start_fence(struct hold *hold, uint32_t node)
{
	char number[16];

	if (hold->settings->fence == NULL) {
		lease_fenced(hold->lease, node, false);
		return;
	}
	event_log(EVENT_LOCK_FENCING, "node %u was alone and does not "
		  "answer: %s %u", node, hold->settings->fence, node);
	hold->fence_node = node;
	hold->fence_pid = fork();
	if (hold->fence_pid == 0) {
		snprintf(number, sizeof(number), "%u", node);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(hold->settings->fence, hold->settings->fence, number,
		      (char *)NULL);
		_exit(127);
	}
	if (hold->fence_pid == -1) {
		hold->fence_pid = 0;
		lease_fenced(hold->lease, node, false);
	}
}

static void see_fence(struct hold *hold)
{
	int node = lease_fence(hold->lease);
	int status;

	if (hold->fence_pid == 0 && node >= 0) {
		start_fence(hold, (uint32_t)node);
	} else if (hold->fence_pid != 0 &&
		   waitpid(hold->fence_pid, &status, WNOHANG) ==
		   hold->fence_pid) {
		bool off = WIFEXITED(status) && WEXITSTATUS(status) == 0;

		hold->fence_pid = 0;
		if (!off) {
			event_log(EVENT_LOCK_FENCE_FAILED, "node %u: %s "
				  "ended with 0x%x", hold->fence_node,
				  hold->settings->fence, status);
		}
		lease_fenced(hold->lease, hold->fence_node, off);
	}
}

/* ---------------------------------------------------------------- in, out */

/*
 * A copy that is another one than when it began has forgotten what was written:
 * it must not count.
 */
static bool is_same(struct hold *hold, uint8_t i,
		    const struct lock_header *header)
{
	const size_t size = sizeof(header->id);

	if (hold->settings->made_together &&
	    (header->copies != hold->settings->copies ||
	     header->copy != hold->settings->places[i].copy ||
	     memcmp(header->id, hold->header.id, size) != 0)) {
		return false;
	}
	if (!hold->have_id[i]) {
		hold->have_id[i] = true;
		memcpy(hold->ids[i], header->id, size);
	}
	return header->lease_ms == hold->header.lease_ms &&
		memcmp(header->id, hold->ids[i], size) == 0;
}

static void receive_copy(struct hold *hold, uint8_t i)
{
	static struct copy_reply reply;
	ssize_t n = recv(hold->copy_fds[i], &reply, sizeof(reply),
			 MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	hold->busy[i] = false;
	if (n != (ssize_t)sizeof(reply)) {
		close(hold->copy_fds[i]);	/* its process is gone */
		hold->copy_fds[i] = -1;
		reply.error = EPIPE;
	}
	if (reply.error == 0 && hold->lease == NULL && !hold->have_header) {
		hold->header = reply.header;
		hold->have_header = true;
	}
	if (reply.error == 0 && !is_same(hold, i, &reply.header)) {
		reply.error = ENOTUNIQ;
	}
	if (reply.error != 0) {
		event_log_once(EVENT_LOCK_COPY_FAILED,
			       hold->settings->places[i].path, "%s: %s",
			       hold->settings->places[i].path,
			       reply.error == ENOENT ? "no mailbox" :
			       reply.error == EBADMSG ? "damaged" :
			       reply.error == ENOTUNIQ ?
			       "not of the same mailbox, or not that copy" :
			       reply.error == EACCES ?
			       "refused (of a witness: another cluster key)" :
			       strerror(reply.error));
	}
	/* The header of this copy may come after that of the other one: it is
	 * no reading, least of all one in which nobody holds. */
	if (hold->lease != NULL && !hold->header_only[i]) {
		lease_done(hold->lease, i, lock_now(), reply.error == 0 ?
			   &reply.reading : NULL);
	}
}

static void send_copy(struct hold *hold, uint8_t i, bool header_only)
{
	struct copy_request request = { .nodes = 0 };

	if (!header_only) {
		request.nodes = hold->votes.nodes;
		if (hold->busy[i] || !lease_next(hold->lease, i, lock_now(),
						 &request.write,
						 &request.sector)) {
			return;
		}
	}
	hold->busy[i] = true;
	hold->header_only[i] = header_only;
	if (hold->copy_fds[i] == -1 &&
	    copy_start(&hold->settings->places[i], &hold->copy_fds[i],
		       &hold->copy_pids[i]) != 0) {
		hold->copy_fds[i] = -1;
	}
	if (hold->copy_fds[i] == -1 ||
	    send(hold->copy_fds[i], &request, sizeof(request),
		 MSG_NOSIGNAL) == -1) {
		hold->busy[i] = false;
		if (hold->lease != NULL) {
			lease_done(hold->lease, i, lock_now(), NULL);
		}
	}
}

static void receive_votes(struct hold *hold)
{
	struct votes votes;
	ssize_t n;

	for (;;) {
		n = recv(hold->votes_fd, &votes, sizeof(votes), MSG_DONTWAIT);
		if (n != (ssize_t)sizeof(votes)) {
			break;
		}
		if (hold->lease != NULL && votes.nodes != hold->votes.nodes) {
			hold->other_nodes = true;
		}
		hold->votes = votes;
		if (hold->lease != NULL) {
			lease_votes(hold->lease, votes.asked, votes.connected,
				    votes.answered, lock_now());
		}
	}
	if (n == 0) {
		close(hold->votes_fd);	/* ctdbd is gone */
		hold->votes_fd = -1;
	}
}

static void wait_for(struct hold *hold, int ms)
{
	struct pollfd fds[LOCK_COPIES + 1];
	uint8_t i;

	for (i = 0; i < LOCK_COPIES; i++) {
		fds[i] = (struct pollfd) {
			.fd = i < hold->settings->copies ?
				hold->copy_fds[i] : -1,
			.events = POLLIN,
		};
	}
	fds[LOCK_COPIES] = (struct pollfd) {
		.fd = hold->votes_fd, .events = POLLIN,
	};
	if (poll(fds, LOCK_COPIES + 1, ms) <= 0) {
		fds[0].revents = fds[1].revents = 0;
		fds[LOCK_COPIES].revents = 0;
	}
	/* Time has gone by: this first, whatever has come in meanwhile. */
	if (hold->taken && lease_check(hold->lease, lock_now()) ==
	    LEASE_LOST) {
		return;
	}
	for (i = 0; i < hold->settings->copies; i++) {
		if (fds[i].revents != 0) {
			receive_copy(hold, i);
		}
	}
	if (fds[LOCK_COPIES].revents != 0) {
		receive_votes(hold);
	}
}

/* -------------------------------------------------------------------- begin */

static bool begin(struct hold *hold)
{
	const uint64_t until = lock_now() + BEGIN_MS;
	struct lease_settings settings;
	uint8_t i;

	for (i = 0; i < hold->settings->copies; i++) {
		hold->copy_fds[i] = -1;
		send_copy(hold, i, true);
	}
	if (votes_start(hold->settings->ctdb_socket,
			VOTES_EVERY_MS,
			&hold->votes_fd, &hold->votes_pid) != 0) {
		hold->votes_fd = -1;
	}
	while ((!hold->have_header || hold->votes.nodes == 0) &&
	       lock_now() < until && hold->votes_fd != -1 && !told_to_end) {
		wait_for(hold, 20);
	}
	if (!hold->have_header || hold->votes.nodes == 0) {
		event_log(EVENT_LOCK_UNUSABLE, hold->have_header ?
			  "ctdbd does not answer" :
			  "no copy of the mailbox, no witness answers");
		return false;
	}
	/* Not before: who stays (see below) is of more use than one that cannot
	 * reach the mailbox. */
	if (!gate_take(hold->gate_fd)) {
		event_log(EVENT_LOCK_UNUSABLE, "another mirror-ctdb-lock of "
			  "this node has not ended");
		return false;
	}
	settings = (struct lease_settings) {
		.own = hold->votes.own, .nodes = hold->votes.nodes,
		.copies = hold->settings->copies,
		.lease_ms = hold->header.lease_ms, .now = lock_now(),
	};
	hold->lease = lease_new(hold, &settings);
	if (hold->lease != NULL) {
		lease_votes(hold->lease, hold->votes.asked,
			    hold->votes.connected, hold->votes.answered,
			    lock_now());
	}
	return hold->lease != NULL;
}

/* ---------------------------------------------------------------------- end */

static bool is_over(const struct hold *hold)
{
	return told_to_end != 0 || getppid() != hold->parent;
}

static void end_children(struct hold *hold)
{
	uint8_t i;

	for (i = 0; i < hold->settings->copies; i++) {
		if (hold->copy_pids[i] > 0) {
			kill(hold->copy_pids[i], SIGKILL);
		}
	}
	if (hold->votes_pid > 0) {
		kill(hold->votes_pid, SIGKILL);
	}
	if (hold->fence_pid > 0) {
		kill(hold->fence_pid, SIGKILL);
	}
}

/*
 * ctdb's recovery daemon would try an election, fail for want of the others,
 * still take itself for the leader, find that it has no lock, and ban its node
 * for five minutes. This way it knows that it does not lead before it has
 * asked ctdbd anything for that election: all that goes through ctdbd.
 */
static void end_leadership(const struct hold *hold)
{
	if (hold->session != NULL) {
		recoverd_end_leadership(hold->session);
	}
}

/*
 * While it believes to have the lock it would not elect: only now. And it
 * believes itself if it has just told everybody that it leads.
 */
static void have_elected(const struct hold *hold)
{
	const uint64_t until = lock_now() + HEED_MS;

	if (hold->session != NULL) {
		recoverd_elect(hold->session);
	}
	while (lock_now() < until) {
		poll(NULL, 0, REMIND_MS);
		end_leadership(hold);
	}
}

/* ctdb sees the end of it; its number must not become that of a socket. */
static void end_stdout(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1 || dup2(fd, STDOUT_FILENO) == -1) {
		close(STDOUT_FILENO);
	}
	if (fd > STDERR_FILENO) {
		close(fd);
	}
}

static void leave(struct hold *hold)
{
	/* ctdb tells us to end when it has seen the end of stdout. */
	const bool lost = hold->taken && !is_over(hold);
	uint64_t until;
	uint8_t i;

	/* From here on ctdb does not believe any more that we hold it. */
	gate_tell(hold->gate_fd, false, 0);
	if (lost) {
		end_leadership(hold);
	}
	end_stdout();
	if (lost) {
		have_elected(hold);
	}
	hold->taken = false;
	lease_release(hold->lease);
	until = lock_now() + LEAVE_MS;
	while (!lease_released(hold->lease) && lock_now() < until) {
		for (i = 0; i < hold->settings->copies; i++) {
			send_copy(hold, i, false);
		}
		wait_for(hold, 10);
		if (lost) {
			end_leadership(hold);
		}
	}
}

/*
 * The mailbox is away, and so the block still says, or may say, that this node
 * holds the lock. The next helper of this node would put that right; but ctdb
 * starts none on a node that is banned, and while it is connected to it nobody
 * else is let in either. So a process stays until the block is written, or
 * another helper comes that reaches the mailbox, or the service is stopped
 * (systemd, by a signal).
 */
static void stay(struct hold *hold)
{
	const struct sched_param priority = { .sched_priority = 0 };
	uint8_t i;

	if (!lease_says_held(hold->lease)) {
		return;
	}
	told_to_end = 0;	/* ctdb ends the helper, not this */
	if (fork() != 0) {
		return;
	}
	/* Those of the old process: its end is theirs. */
	hold->votes_pid = 0;
	hold->fence_pid = 0;
	for (i = 0; i < LOCK_COPIES; i++) {
		hold->copy_pids[i] = 0;
	}
	if (hold->votes_fd != -1) {
		close(hold->votes_fd);
		hold->votes_fd = -1;
	}
	TALLOC_FREE(hold->session);
	/* stderr is a pipe to ctdbd, which may end before. */
	signal(SIGPIPE, SIG_IGN);
	setsid();
	sched_setscheduler(0, SCHED_OTHER, &priority);
	gate_stay(hold->gate_fd);
	event_log(EVENT_LOCK_STAYS, "the block of this node may still say "
		  "that it holds the lock; it is written as soon as the "
		  "mailbox or witness answers");
	while (lease_says_held(hold->lease) && told_to_end == 0 &&
	       !gate_is_wanted(hold->gate_fd)) {
		for (i = 0; i < hold->settings->copies; i++) {
			send_copy(hold, i, false);
		}
		wait_for(hold, STAY_LOOK_MS);
	}
	if (!lease_says_held(hold->lease)) {
		event_log(EVENT_LOCK_FREED, "it is written");
	}
	end_children(hold);
	_exit(0);
}

static enum lease_verdict live(struct hold *hold)
{
	enum lease_verdict verdict = LEASE_GO_ON;
	uint8_t i;

	while (!is_over(hold)) {
		uint64_t now = lock_now();

		if (now - hold->clients_at >= 200) {
			hold->clients_at = now;
			lease_set_clients(hold->lease, reaches_clients());
		}
		verdict = lease_check(hold->lease, now);
		if (!hold->taken && hold->other_nodes) {
			/* It has not looked at the block of each. */
			event_log(EVENT_LOCK_UNUSABLE, "ctdb's nodes change "
				  "just now; it is tried again");
			hold_answer('3');
			return LEASE_GO_ON;
		}
		if (verdict == LEASE_TAKEN) {
			hold->taken = true;
			hold->told_members = lease_members(hold->lease);
			hold_answer('0');
			if (session_open(hold, hold->settings->ctdb_socket,
					 &hold->session) != 0) {
				hold->session = NULL;
			}
			event_log(EVENT_LOCK_TAKEN, "members 0x%" PRIx64,
				  hold->told_members);
		} else if (verdict != LEASE_GO_ON) {
			break;
		}
		if (hold->taken) {
			tell_gate(hold);
			tell(hold, now);
		}
		see_fence(hold);
		for (i = 0; i < hold->settings->copies; i++) {
			send_copy(hold, i, false);
		}
		/* What is busy may be late, or the next write due. */
		wait_for(hold, hold->taken ? 20 : 10);
	}
	return verdict;
}

static void end(struct hold *hold, enum lease_verdict verdict)
{
	switch (verdict) {
	case LEASE_REFUSED:
		hold_answer('1');
		event_log(EVENT_LOCK_REFUSED, "%s",
			  lease_reason(hold->lease));
		break;
	case LEASE_FAILED:
		hold_answer('3');
		event_log(EVENT_LOCK_UNUSABLE, "%s",
			  lease_reason(hold->lease));
		break;
	case LEASE_LOST:
		event_log(EVENT_LOCK_LOST, "%s", lease_reason(hold->lease));
		break;
	case LEASE_GO_ON:
	case LEASE_TAKEN:
		break;
	}
	leave(hold);
	stay(hold);
}

int hold_lock(const struct hold_settings *settings)
{
	const struct sched_param priority = { .sched_priority = 1 };
	struct sigaction action = { .sa_handler = on_term };
	struct hold *hold = talloc_zero(NULL, struct hold);

	if (hold == NULL) {
		hold_answer('3');
		return 1;
	}
	hold->settings = settings;
	hold->parent = getppid();
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* As ctdbd: a busy machine is no reason to lose the lock. */
	sched_setscheduler(0, SCHED_FIFO, &priority);
	hold->gate_fd = gate_open();
	if (hold->gate_fd == -1) {
		event_log(EVENT_LOCK_UNUSABLE, "no file in /run: %s",
			  strerror(errno));
		hold_answer('3');
		return 1;
	}
	if (!begin(hold)) {
		hold_answer('3');
		end_children(hold);
		return 1;
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
	end(hold, live(hold));
	end_children(hold);
	return 0;
}
