/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirrorctl resume: ctdb's takeover runs, which are held back, go on.
 *
 * `ctdb moveip' holds them back for twenty seconds and does not let them go
 * when it is done; whatever dies or is disabled in that time was taken over
 * after it. So where an address has arrived, the hold ends two seconds later
 * (resume --moved): not at once, as another address may be under way. And when
 * a recovery is over, it ends, as who held them back may be dead: but not what
 * this node moves just now, or ctdb's run would find its address in the middle
 * of an event, which counts as a failure of the node. ctdb does the same to the
 * others at the end of each of its runs.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "death_recoverd.h"
#include "mirrorctl.h"
#include "resume.h"

/* Not from the registry, which does not answer in the middle of events. */
#define CTDB_SOCKET "/run/ctdb/ctdbd.socket"
#define ANSWER_MS 500
#define MOVED_SECONDS 2

int do_resume(struct arguments *arguments)
{
	const struct ctdb_question question = {
		CTDB_GET_RECMODE, CTDB_THIS_NODE
	};
	struct ctdb_answer *answer;
	struct session *session;
	int ret;

	/* What mirror-ctdb-death holds back it lets go itself. */
	if (recoverd_death_is_at_work() ||
	    (!arguments->moved && recoverd_move_is_at_work())) {
		return EXIT_DONE;
	}
	ret = session_open(mirrorctl_ctx(), CTDB_SOCKET, &session);
	if (ret == 0) {
		ret = arguments->moved ?
			recoverd_hold_all_takeovers(session, MOVED_SECONDS) :
			recoverd_hold_takeovers(session, 0, 0, false, 0);
	}
	if (ret == 0) {
		/* What ctdbd has answered after, it has got. */
		ret = session_ask(session, session, &question, 1,
				  session_now() + ANSWER_MS, &answer);
	}
	if (ret != 0) {
		fprintf(stderr, "mirrorctl: ctdbd does not answer here: %s\n",
			strerror(ret));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}
