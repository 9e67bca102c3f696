/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One batch: its cases run up to their places, the power is cut, the records
 * are replayed (for some cases first by a replay that is killed), and every
 * tree is compared with what its client was told; then all of it is replayed
 * once more, which must not change anything.
 *
 * What a client was told: the operations that had replied are there, the one
 * that was under way may be there, in part if it is more than one change; what
 * follows is not. So the tree must be one of those that an undisturbed run
 * showed between the last reply and the next.
 *
 * Where a smbd dies, its tree must be so when it was rolled forward, and the
 * power cut, which comes later, must not change anything any more.
 *
 * Without a partner nothing is replayed, and what is under way may have
 * reached the disk by parts. A batch has cases of one kind.
 */

#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "driver.h"
#include "mirror_id.h"
#include "tree.h"

#define STAGE_SECONDS 60
/* Who is told of so many has enough to do. */
#define REPORTS_MAX 20

/* ---------------------------------------------------------------- the host */

static pid_t start_host(struct driver *driver)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		if (!driver->verbose) {
			/* Samba's words about calls that were made to fail. */
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC),
			     STDERR_FILENO);
		}
		/* Or each case looks for every symbol anew. */
		setenv("LD_BIND_NOW", "1", 1);
		execl(driver->host, driver->host, driver->smb_conf,
		      driver->batch_path, NULL);
		_exit(1);
	}
	if (pid == -1) {
		die("no process for the host: %s", strerror(errno));
	}
	setpgid(pid, pid);
	return pid;
}

/* Cases become ours when the host is dead (PR_SET_CHILD_SUBREAPER). */
static void end_host(struct driver *driver, pid_t host)
{
	kill(-host, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
		;
	}
	/* Of each process, two files. */
	run_command("rm -rf %s/samba/msg.lock %s/samba/msg.sock",
		    driver->directory, driver->directory);
}

static void wait_for(struct driver *driver, enum stage stage)
{
	struct batch *batch = driver->batch;
	const double end = now_seconds() + STAGE_SECONDS;
	uint32_t i;

	while (atomic_load(&batch->at_stage[stage]) < batch->num_cases) {
		pair_turn(driver->pair);
		if (now_seconds() < end) {
			continue;
		}
		for (i = 0; i < batch->num_cases; i++) {
			char name[300];

			point_name(&batch->cases[i].point, name,
				   sizeof(name));
			if (batch->cases[i].stage < stage) {
				fprintf(stderr, "hangs before stage %d: %s "
					"(volume %u, %u leafs, %u of %u "
					"records acknowledged)\n", stage,
					name, batch->cases[i].volume,
					batch->cases[i].leafs,
					batch->cases[i].acknowledged,
					batch->cases[i].records);
			}
		}
		die("cases do not go on");
	}
}

static void release(struct driver *driver, enum stage stage)
{
	atomic_store(&driver->batch->released, stage);
	syscall(SYS_futex, &driver->batch->released, FUTEX_WAKE, CASES_MAX,
		NULL, NULL, 0);
}

/* -------------------------------------------------------------- beginning */

/* What differs between cases in the tree that they find. */
static void prepare_case(struct driver *driver, uint32_t number)
{
	static const char *const all[] = { ".", "a", "b", "d", "d/x", "e" };
	const struct sequence *sequence =
		&driver->batch->cases[number].point.sequence;
	char path[128];
	size_t i;
	int fd;

	case_directory(driver->batch, number, path, sizeof(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		die("%s: %s", path, strerror(errno));
	}
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct mirror_id id;
		int object = openat(fd, all[i], O_RDONLY | O_CLOEXEC);
		int ret = 0;

		if (object == -1) {
			die("%s/%s: %s", path, all[i], strerror(errno));
		}
		if (sequence->as_user) {
			ret = fchown(object, 65534, 65534);
		}
		if (ret == 0 && sequence->has_ids) {
			mirror_id_choose(&id);
			ret = mirror_id_set_fd(object, &id);
		}
		if (ret != 0) {
			die("%s/%s: cannot be prepared", path, all[i]);
		}
		close(object);
	}
	close(fd);
}

static void begin_batch(struct driver *driver, uint32_t count)
{
	struct batch *batch = driver->batch;
	bool alone[VOLUMES] = { false };
	uint32_t i;

	batch->num_cases = count;
	memset(batch->at_stage, 0, sizeof(batch->at_stage));
	atomic_store(&batch->released, STAGE_START);
	disk_fresh(driver->disk, count);
	for (i = 0; i < count; i++) {
		prepare_case(driver, i);
		alone[batch->cases[i].volume] |=
			batch->cases[i].point.sequence.alone &&
			!batch->cases[i].plain;
	}
	disk_sync(driver->disk);
	pair_begin(driver->pair, alone);
}

static void report_broken(struct driver *driver, uint32_t number)
{
	const struct crash_case *c = &driver->batch->cases[number];
	char name[300];

	point_name(&c->point, name, sizeof(name));
	if (driver->broken++ < REPORTS_MAX) {
		printf("BROKEN %s %s: %s\n", driver->type, name, c->problem);
	}
}

/* ----------------------------------------------------------------- golden */

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/*
 * A create that failed has touched its directory, and replay leaves it out: so
 * the time of directories does not count where a call was made to fail.
 */
static bool same_tree(const char *a, const char *b, bool times)
{
	while (*a != '\0' || *b != '\0') {
		int fields = 0;

		if (strcspn(a, "\n") == 0 || *b == '\0' || *a == '\0') {
			return *a == *b && strcmp(a, b) == 0;
		}
		for (; *a != '\n' && *a != '\0'; fields++) {
			size_t n = strcspn(a, " \n"), m = strcspn(b, " \n");

			if ((times || fields != 4) &&
			    (n != m || memcmp(a, b, n) != 0)) {
				return false;
			}
			a += n + (a[n] == ' ');
			b += m + (b[m] == ' ');
		}
		if (*a != *b) {
			return false;
		}
		a += *a == '\n';
		b += *b == '\n';
	}
	return true;
}

static void show_line(char sign, const char *text, int length)
{
	printf("    %c %.*s\n", sign, length, text);
}

static void name_of(const struct sequence *sequence, char *name, size_t size)
{
	const struct point point = { .sequence = *sequence };

	point_name(&point, name, size);
	*strrchr(name, ':') = '\0';
}

/* The module changes nothing of what clients see. */
static void check_golden(struct driver *driver, const struct golden *g)
{
	char name[300];
	uint8_t n;

	if (g->failed_in > 0) {
		/* Nothing failed without it. */
		return;
	}
	for (n = 0; n <= g->sequence.count; n++) {
		const char *mirrored = g->trees[g->operation_leafs[n]];

		if (same_text(mirrored, g->plain[n]) &&
		    (n == 0 ||
		     g->succeeded[n - 1] == g->plain_succeeded[n - 1])) {
			continue;
		}
		if (driver->lost++ >= REPORTS_MAX) {
			return;
		}
		name_of(&g->sequence, name, sizeof(name));
		printf("DIFFERS %s %s: after operation %u the tree with "
		       "mirror.so is not the one without\n", driver->type,
		       name, n);
		tree_difference(g->plain[n], mirrored, show_line);
		return;
	}
}

/*
 * A free case on a volume with or without a partner. There is room for all
 * with one; a sequence that finds none without takes one with.
 */
static uint32_t golden_seat(bool taken[BATCH], struct sequence *sequence)
{
	uint32_t i;

	for (i = 0; i < BATCH; i++) {
		if (!taken[i] && (i % VOLUMES % 4 == 3) == sequence->alone) {
			taken[i] = true;
			return i;
		}
	}
	sequence->alone = false;
	return golden_seat(taken, sequence);
}

static uint32_t plain_seat(bool taken[BATCH])
{
	uint32_t i;

	for (i = 0; i < BATCH && taken[i]; i++) {
		;
	}
	taken[i] = true;
	return i;
}

static void begin_golden(struct driver *driver,
			 const struct sequence *sequences,
			 uint32_t seats[][2], uint32_t count)
{
	struct batch *batch = driver->batch;
	bool taken[BATCH] = { false };
	uint32_t end = 0;
	uint32_t i, plain;

	for (i = 0; i < BATCH; i++) {
		batch->cases[i] = (struct crash_case) {
			.volume = i % VOLUMES, .golden = -1,
		};
	}
	for (i = 0; i < count; i++) {
		batch->golden[i].sequence = sequences[i];
		batch->golden[i].failed_in = 0;
		seats[i][0] = golden_seat(taken, &batch->golden[i].sequence);
	}
	for (i = 0; i < count; i++) {
		seats[i][1] = plain_seat(taken);
		for (plain = 0; plain < 2; plain++) {
			struct crash_case *c = &batch->cases[seats[i][plain]];

			c->point.sequence = batch->golden[i].sequence;
			c->plain = plain == 1;
			c->golden = (int32_t)i;
			end = MAX(end, seats[i][plain] + 1);
		}
	}
	begin_batch(driver, end);
}

void batch_golden(struct driver *driver, const struct sequence *sequences,
		  uint32_t count)
{
	struct batch *batch = driver->batch;
	uint32_t (*seats)[2] = talloc_zero_size(driver,
						count * sizeof(*seats));
	pid_t host;
	uint32_t i;

	driver->disk = driver->together;
	begin_golden(driver, sequences, seats, count);
	host = start_host(driver);
	for (i = STAGE_WIPE; i <= STAGE_CRASH; i++) {
		wait_for(driver, i);
		release(driver, i < STAGE_CRASH ? i : STAGE_DEAD);
	}
	end_host(driver, host);
	pair_end(driver->pair);
	disk_unmount(driver->disk);
	for (i = 0; i < count; i++) {
		struct golden *g = &batch->golden[i];
		bool failed = batch->cases[seats[i][0]].failed;
		bool plain_failed = batch->cases[seats[i][1]].failed;

		if (failed || plain_failed) {
			report_broken(driver, seats[i][failed ? 0 : 1]);
			g->leafs = g->records = 0;
			continue;
		}
		check_golden(driver, g);
		if (g->failed_in == 0) {
			g->sequence.fail_at = 0;
		}
	}
	talloc_free(seats);
}

/* ---------------------------------------------------------------- compare */

/* False: nothing more is to be said. */
static bool report_lost(struct driver *driver, uint32_t number,
			const char *when, const char *why)
{
	const struct crash_case *c = &driver->batch->cases[number];
	char name[300];

	if (driver->reports++ >= REPORTS_MAX) {
		return false;
	}
	point_name(&c->point, name, sizeof(name));
	printf("LOST %s %s\n  %s: %s\n"
	       "  told %u operations; %u leaf calls done, %u records sent, "
	       "%u acknowledged\n"
	       "  again: tests/crash/run --fs %s --case %s\n",
	       driver->type, name, when, why, c->replied, c->leafs,
	       c->records, c->acknowledged, driver->type, name);
	return true;
}

/* False: it is not what the client was told. */
static bool check_case(struct driver *driver, uint32_t number,
		       const char *when, char *tree)
{
	const struct crash_case *c = &driver->batch->cases[number];
	const struct golden *g = &driver->batch->golden[-2 - c->golden];
	bool under_way = c->point.stop != STOP_REPLIED &&
		c->replied < c->point.sequence.count;
	uint8_t first = g->operation_leafs[c->replied];
	uint8_t last = g->operation_leafs[c->replied + (under_way ? 1 : 0)];
	bool doubled = false;
	char path[128];
	uint8_t i;
	int ret;

	case_directory(driver->batch, number, path, sizeof(path));
	ret = tree_read(path, tree, TREE_SIZE, &doubled);
	if (ret != 0 || doubled) {
		report_lost(driver, number, when,
			    doubled ? "an id is there twice" : strerror(ret));
		return false;
	}
	for (i = first; i <= last; i++) {
		if (same_tree(tree, g->trees[i], g->failed_in == 0)) {
			return true;
		}
	}
	if (c->point.sequence.alone && under_way) {
		for (i = first; i <= last; i++) {
			if (tree_like(g->trees[first], g->trees[last],
				      g->trees[i], tree)) {
				return true;
			}
		}
	}
	/* Attributes inside of a create may be on the disk without a record
	 * (R1's exception), some of them. */
	if (c->point.stop == STOP_SENT &&
	    tree_between(g->trees[first], g->trees[last], tree)) {
		return true;
	}
	if (!report_lost(driver, number, when, first == last
			 ? "not what the client was told"
			 : "neither before nor after what was under way")) {
		return false;
	}
	printf("  - must be there, + is there:\n");
	tree_difference(g->trees[first], tree, show_line);
	if (first != last) {
		printf("  or:\n");
		tree_difference(g->trees[last], tree, show_line);
	}
	return false;
}

static void check_all(struct driver *driver, const char *when, bool *lost,
		      char (*trees)[TREE_SIZE], bool again)
{
	struct batch *batch = driver->batch;
	static char tree[TREE_SIZE];
	uint32_t i;

	for (i = 0; i < batch->num_cases; i++) {
		if (batch->cases[i].failed || lost[i] ||
		    batch->cases[i].point.sequence.count == 0) {
			continue;
		}
		lost[i] = !check_case(driver, i, when, tree);
		if (!lost[i] && again && !same_text(tree, trees[i])) {
			if (report_lost(driver, i, when, "it changed")) {
				tree_difference(trees[i], tree, show_line);
			}
			lost[i] = true;
		}
		memcpy(trees[i], tree, TREE_SIZE);
	}
}

/* What clients could see before the power cut. */
struct trees {
	bool lost[CASES_MAX];
	char trees[CASES_MAX][TREE_SIZE];
};

static bool is_of_interest(const struct trees *seen,
			   const struct crash_case *cases, uint32_t number)
{
	return !cases[number].failed && !seen->lost[number] &&
		cases[number].point.sequence.count > 0;
}

static void see_all(struct driver *driver, struct trees *seen)
{
	struct batch *batch = driver->batch;
	char path[128];
	bool doubled;
	uint32_t i;

	for (i = 0; i < batch->num_cases; i++) {
		if (is_of_interest(seen, batch->cases, i)) {
			case_directory(batch, i, path, sizeof(path));
			tree_read(path, seen->trees[i], TREE_SIZE, &doubled);
		}
	}
}

/*
 * Names and contents alone. A process that dies in a create may have changed
 * attributes that there is no record of (R1's exception). They stay, unless
 * an operation before has a record of the same attribute, which is redone.
 */
static void objects_of(const char *tree, char objects[TREE_SIZE])
{
	char *to = objects;
	size_t n;

	for (; *tree != '\0'; tree += n + (tree[n] == '\n')) {
		int fields = 0;
		size_t i;

		n = strcspn(tree, "\n");
		for (i = 0; i <= n && *tree != ' '; i++) {
			/* Not mode, owner, time. */
			if (fields < 2 || fields > 4) {
				*to++ = i < n ? tree[i] : '\n';
			}
			fields += tree[i] == ' ';
		}
	}
	*to = '\0';
}

static bool is_as_seen(const struct point *point, const char *seen,
		       const char *tree)
{
	static char a[TREE_SIZE], b[TREE_SIZE];

	if (same_tree(tree, seen, point->sequence.fail_at == 0)) {
		return true;
	}
	objects_of(seen, a);
	objects_of(tree, b);
	return point->stop == STOP_SENT && point->sequence.count > 1 &&
		same_text(a, b);
}

static void compare_all(struct driver *driver, const char *when,
			struct trees *seen)
{
	struct batch *batch = driver->batch;
	static char tree[TREE_SIZE];
	char path[128];
	bool doubled = false;
	uint32_t i;

	for (i = 0; i < batch->num_cases; i++) {
		if (!is_of_interest(seen, batch->cases, i)) {
			continue;
		}
		case_directory(batch, i, path, sizeof(path));
		if (tree_read(path, tree, TREE_SIZE, &doubled) == 0 &&
		    !doubled && is_as_seen(&batch->cases[i].point,
					   seen->trees[i], tree)) {
			continue;
		}
		seen->lost[i] = true;
		if (report_lost(driver, i, when, "clients saw another")) {
			tree_difference(seen->trees[i], tree, show_line);
		}
	}
}

/* ------------------------------------------------------------------ crash */

static void redo_all(struct driver *driver, bool second)
{
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		int ret = redo_volume(driver, i, second);

		if (ret != 0) {
			printf("FAILED %s: replay of volume %u: %s\n",
			       driver->type, i, ret == EILSEQ
			       ? "it warned" : strerror(ret));
			driver->failed++;
		}
	}
}

/* The old epoch goes: syncfs, and then the records. */
static void purge(struct driver *driver)
{
	struct batch *batch = driver->batch;
	char name[300];
	int busy;
	uint32_t i;

	busy = pair_old_epoch_busy(driver->pair);
	for (i = 0; i < batch->num_cases && busy != -1; i++) {
		if (batch->cases[i].volume == busy) {
			point_name(&batch->cases[i].point, name,
				   sizeof(name));
			fprintf(stderr, "one of these: %s\n", name);
		}
	}
	if (busy != -1) {
		die("the old epoch is still in use");
	}
	if (driver->mutant != MUTANT_NO_SYNC) {
		disk_sync(driver->disk);
	}
	for (i = 0; i < VOLUMES; i++) {
		/* All cases of a volume agree about it. */
		if (i < batch->num_cases && !batch->cases[i].point.keep) {
			pair_wipe(driver->pair, i, false);
		}
	}
}

static void run_to_crash(struct driver *driver, bool alone,
			 struct trees *seen)
{
	pid_t host = start_host(driver);
	uint32_t i;

	wait_for(driver, STAGE_WIPE);
	pair_advance(driver->pair);
	release(driver, STAGE_WIPE);
	wait_for(driver, STAGE_PERSIST);
	if (!alone) {
		purge(driver);
	}
	release(driver, STAGE_PERSIST);
	wait_for(driver, STAGE_DEAD);
	if (seen != NULL) {
		roll_forward(driver);
		check_all(driver, "when smbd's death was rolled forward",
			  seen->lost, seen->trees, false);
	}
	release(driver, STAGE_DEAD);
	wait_for(driver, STAGE_CRASH);
	if (seen != NULL) {
		see_all(driver, seen);
	}
	for (i = 0; i < VOLUMES && driver->mutant == MUTANT_WIPE_EARLY; i++) {
		pair_wipe(driver->pair, i, true);
	}
	disk_cut(driver->disk);
	end_host(driver, host);
	pair_end(driver->pair);
	disk_unmount(driver->disk);
	disk_mount(driver->disk);
	driver->cuts++;
}

static void kill_replays(struct driver *driver)
{
	uint32_t i;

	for (i = 0; i < driver->batch->num_cases; i++) {
		if (!driver->batch->cases[i].failed &&
		    redo_killed(driver, i)) {
			driver->kills++;
		}
	}
}

static void replay_and_check(struct driver *driver, bool *lost)
{
	static char trees[CASES_MAX][TREE_SIZE];

	kill_replays(driver);
	redo_all(driver, false);
	check_all(driver, "after replay", lost, trees, false);
	redo_all(driver, true);
	check_all(driver, "after a second replay", lost, trees, true);
	if (driver->cuts % 4 == 1) {
		/* What replay_run() said was done is on the disk. */
		disk_cut(driver->disk);
		disk_unmount(driver->disk);
		disk_mount(driver->disk);
		check_all(driver, "after replay and another power cut", lost,
			  trees, true);
	}
}

static void replay_and_compare(struct driver *driver, struct trees *seen)
{
	kill_replays(driver);
	redo_all(driver, false);
	compare_all(driver, "after replay", seen);
	redo_all(driver, true);
	compare_all(driver, "after a second replay", seen);
}

void batch_crash(struct driver *driver, const struct point *points,
		 const int32_t *goldens, uint32_t count)
{
	static struct trees seen;
	const bool alone = points[0].sequence.alone;
	struct batch *batch = driver->batch;
	bool dies = false;
	uint32_t i;

	memset(seen.lost, 0, sizeof(seen.lost));

	driver->disk = alone ? driver->apart : driver->together;
	for (i = 0; i < count; i++) {
		batch->cases[i] = (struct crash_case) {
			.point = points[i],
			.volume = i % VOLUMES,
			/* Not to be written to by the case. */
			.golden = -2 - goldens[i],
		};
		dies |= points[i].dies;
	}
	begin_batch(driver, count);
	run_to_crash(driver, alone, dies ? &seen : NULL);
	for (i = 0; i < count; i++) {
		if (batch->cases[i].failed) {
			report_broken(driver, i);
		}
	}
	if (alone) {
		check_all(driver, "after a power cut without a partner",
			  seen.lost, seen.trees, false);
	} else if (dies) {
		replay_and_compare(driver, &seen);
	} else {
		replay_and_check(driver, seen.lost);
	}
	disk_unmount(driver->disk);
	for (i = 0; i < count; i++) {
		driver->lost += seen.lost[i];
		if (batch->cases[i].point.sequence.count == 0 ||
		    batch->cases[i].failed) {
			continue;
		}
		/* One that did not come to its place was tried all the same,
		 * but is no point of its own. */
		if (batch->cases[i].stopped) {
			driver->points++;
			driver->alone += alone;
			driver->dying += batch->cases[i].point.dies;
		} else {
			driver->missed++;
		}
	}
}
