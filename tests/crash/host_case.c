/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How far a case is: it counts leaf calls and operations, waits at the
 * barriers of its batch, and ends where its point says. See crash.h.
 */

#include <sys/stat.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "crash.h"
#include "host.h"
#include "leafs.h"
#include "tree.h"

static struct batch *batch;
static struct crash_case *self;
static bool running;	/* operations are under way */
static char directory[128];
static char note[100];	/* why the operation under way failed */

struct crash_case *case_current(void)
{
	return self;
}

/* -------------------------------------------------------------- barriers */

static void wait_at(enum stage stage)
{
	self->stage = stage;
	atomic_fetch_add(&batch->at_stage[stage], 1);
	syscall(SYS_futex, &batch->at_stage[stage], FUTEX_WAKE, 1000, NULL,
		NULL, 0);
	for (;;) {
		uint32_t released = atomic_load(&batch->released);

		if (released >= stage) {
			return;
		}
		syscall(SYS_futex, &batch->released, FUTEX_WAIT, released,
			NULL, NULL, 0);
	}
}

static void pass(enum stage last)
{
	while (self->stage < last) {
		wait_at(self->stage + 1);
	}
}

/* Only smbd: as it is, without any order. */
static void die_here(void)
{
	pass(STAGE_PERSIST);
	kill(getpid(), SIGKILL);
}

enum stop case_stop_kind(void)
{
	return self->resumed ? STOP_NEVER : (enum stop)self->point.stop;
}

uint32_t case_resume(void)
{
	/* What was under way may be done or not; nobody does it again. */
	uint32_t next = self->replied +
		(self->point.stop == STOP_REPLIED ? 0 : 1);

	self->resumed = true;
	self->acknowledged = self->records;
	if (!self->failed) {
		wait_at(STAGE_DEAD);
	}
	return next;
}

void case_stop(void)
{
	self->stopped = true;
	running = false;
	if (self->point.dies && !self->resumed) {
		die_here();
	}
	pass(STAGE_CRASH);
	/* The driver lets nobody go on from there. */
	for (;;) {
		pause();
	}
}

void case_fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(self->problem, sizeof(self->problem), format, ap);
	va_end(ap);
	self->failed = true;
	running = false;
	pass(STAGE_CRASH);
	_exit(1);
}

/* ------------------------------------------------------------------ leafs */

static bool stop_here(enum stop stop, uint32_t at)
{
	/* A leaf call that fails has the number of the next one: there may be
	 * one before the place that is meant. */
	return self->stage >= STAGE_WIPE && case_stop_kind() == stop &&
		self->point.stop_at == at;
}

static struct golden *golden(void)
{
	return self->golden < 0 ? NULL : &batch->golden[self->golden];
}

static void look(char tree[TREE_SIZE])
{
	bool doubled = false;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ret;

	/* Not the user's business: whoever looks is root. */
	running = false;
	if (syscall(SYS_setresuid, -1, 0, -1) == -1) {
		case_fail("cannot become root to look at the tree");
	}
	ret = tree_read(directory, tree, TREE_SIZE, &doubled);
	if (syscall(SYS_setresuid, -1, uid, -1) == -1) {
		case_fail("cannot become the user again");
	}
	(void)gid;
	running = true;
	if (ret != 0 || doubled) {
		case_fail("tree: %s", doubled ? "an id is there twice"
					      : strerror(ret));
	}
}

/* All barriers that may be passed here. */
static void check_barriers(void)
{
	if (self->stage == STAGE_WIPE &&
	    self->leafs >= self->point.persist_at) {
		wait_at(STAGE_PERSIST);
	}
}

/* Is it one that R1 has wait, even inside of a create? */
static bool must_be_acknowledged(const char *call)
{
	return strstr(call, "xattr") == NULL &&
		strstr(call, "chmod") == NULL &&
		strstr(call, "chown") == NULL &&
		strstr(call, "utimens") == NULL;
}

bool leaf_before(const char *call)
{
	if (!running) {
		return false;
	}
	if (!self->plain && must_be_acknowledged(call) &&
	    self->acknowledged < self->records) {
		case_fail("R1: %s before the partner has its record", call);
	}
	self->attempts++;
	if (self->plain || self->attempts != self->point.sequence.fail_at) {
		/* What was made to fail has the number of the next one. */
		if (self->attempts > self->point.sequence.fail_at &&
		    stop_here(STOP_ACKNOWLEDGED, self->leafs + 1u)) {
			case_stop();
		}
		return false;
	}
	if (golden() != NULL) {
		golden()->failed_in = self->replied + 1;
	}
	return true;
}

void leaf_after(const char *call, int data_fd)
{
	if (!running) {
		return;
	}
	if (self->leafs == LEAFS_MAX) {
		case_fail("more than %d leaf calls", LEAFS_MAX);
	}
	self->leafs++;
	if (golden() != NULL && !self->plain) {
		if (self->leafs >= GOLDEN_TREES) {
			case_fail("more than %d trees", GOLDEN_TREES - 1);
		}
		look(golden()->trees[self->leafs]);
	}
	if (data_fd != -1 && self->point.eager) {
		sync_file_range(data_fd, 0, 0, SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	}
	check_barriers();
	if (stop_here(STOP_APPLIED, self->leafs)) {
		case_stop();
	}
}

void leaf_failed(const char *call, int error)
{
	case_note(call, strerror(error));
}

/* ------------------------------------------------------------- operations */

void case_note(const char *what, const char *why)
{
	snprintf(note, sizeof(note), "; %s: %s", what, why);
}

/*
 * Until its place a case does what the undisturbed run did. One that does not
 * shows nothing of what crashes do to what clients were told.
 */
static void compare_with_golden(uint32_t n, bool succeeded)
{
	const struct golden *g = NULL;

	if (self->golden > -2 ||
	    (self->resumed && self->point.stop != STOP_REPLIED)) {
		return;
	}
	g = &batch->golden[-2 - self->golden];
	if (succeeded == g->succeeded[n - 1] &&
	    self->leafs == g->operation_leafs[n]) {
		return;
	}
	case_fail("operation %u %s after %u leaf calls, undisturbed it %s "
		  "after %u%s", n, succeeded ? "succeeded" : "failed",
		  self->leafs, g->succeeded[n - 1] ? "succeeds" : "fails",
		  g->operation_leafs[n], note);
}

void case_begin(struct batch *the_batch, struct crash_case *this_case)
{
	batch = the_batch;
	self = this_case;
	case_directory(batch, (uint32_t)(this_case - batch->cases), directory,
		       sizeof(directory));
}

static void between_operations(void)
{
	struct golden *g = golden();

	if (g != NULL && self->plain) {
		look(g->plain[self->replied]);
	} else if (g != NULL) {
		g->operation_leafs[self->replied] = self->leafs;
		g->operation_records[self->replied] = self->records;
	}
	if (self->stage == STAGE_START &&
	    self->replied >= self->point.wipe_at) {
		wait_at(STAGE_WIPE);
	}
	check_barriers();
}

void case_ready(void)
{
	struct stat st;

	if (stat(directory, &st) == -1) {
		case_fail("%s is not there", directory);
	}
	leafs_watch(st.st_dev);
	running = true;
	if (golden() != NULL && !self->plain) {
		look(golden()->trees[0]);
	}
	between_operations();
}

void case_replied(uint32_t n, bool succeeded)
{
	struct golden *g = golden();

	if (self->acknowledged < self->records) {
		case_fail("R2: replied before the partner has all records");
	}
	self->replied = (uint8_t)n;
	compare_with_golden(n, succeeded);
	note[0] = '\0';
	if (g != NULL && self->plain) {
		g->plain_succeeded[n - 1] = succeeded;
	} else if (g != NULL) {
		g->succeeded[n - 1] = succeeded;
	}
	between_operations();
	if (stop_here(STOP_REPLIED, n)) {
		case_stop();
	}
}

void case_sent(uint32_t n)
{
	if (golden() != NULL) {
		golden()->record_leafs[n] = self->leafs;
	}
}

void case_end(void)
{
	struct golden *g = golden();

	if (g != NULL && !self->plain) {
		g->records = self->records;
		g->leafs = self->leafs;
	}
	running = false;
	if (self->point.dies && !self->resumed) {
		die_here();
	}
	pass(STAGE_CRASH);
	for (;;) {
		pause();
	}
}
