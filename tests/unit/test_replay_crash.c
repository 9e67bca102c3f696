/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay after real crashes of real file systems (R10): random operations of
 * several users, a shutdown of the file system without its log, journal
 * recovery, replay, and the tree must be what the users were told.
 *
 * Tried, and seen by both tests: redo_as_user() without override;
 * credentials_become() staying root, or with the wrong umask; cancelled
 * records redone; no syncfs() at the end; no times; most of what
 * test_replay.c sees.
 *
 * MIRROR_TEST_SECONDS=N   time for each file system (default 4)
 * MIRROR_TEST_SEED=N      the random numbers of an earlier run
 * MIRROR_TEST_VERBOSE=1   tell what replay says
 */

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define MAX_OBJECTS 2048
#include "mini_module.h"

/* _IOR('X', 125, u32): shut down; 2 = and do not write the log. */
#define FS_SHUTDOWN 0x8004587dUL
#define FS_SHUTDOWN_NOLOGFLUSH 2

#define STEPS_PER_ROUND 700
#define MAX_DIRECTORIES 10

struct fixture {
	char directory[64];
	char image[80];
	char mount[80];
	const char *type;
	TALLOC_CTX *mem_ctx;	/* of one round */
	unsigned int seed;
};

static struct fixture fixture;

static const uint32_t users[] = { 0, 1001, 1002 };

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&fixture.seed) % limit;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- the file system --------------------------------------------------- */

static void shell(const char *format, ...)
{
	char command[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0) {
		fail_msg("failed: %s", command);
	}
}

static void mount_image(void)
{
	shell("mount -t %s -o loop %s %s", fixture.type, fixture.image,
	      fixture.mount);
}

static void make_file_system(const char *type, const char *mkfs)
{
	int fd;

	fixture.type = type;
	fd = open(fixture.image, O_CREAT | O_TRUNC | O_RDWR, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, 400 * 1024 * 1024), 0);
	close(fd);
	shell("%s %s >/dev/null", mkfs, fixture.image);
	mount_image();
}

static void remove_file_system(void)
{
	umount2(fixture.mount, MNT_DETACH);
	unlink(fixture.image);
}

static int open_root(unsigned int round)
{
	char path[120];
	int fd;

	snprintf(path, sizeof(path), "%s/%u", fixture.mount, round);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	return fd;
}

/* Nothing that is not in the journal on the disk survives. */
static void crash(struct volume *v, unsigned int round)
{
	uint32_t how = FS_SHUTDOWN_NOLOGFLUSH;

	assert_int_equal(ioctl(v->root_fd, FS_SHUTDOWN, &how), 0);
	close(v->root_fd);
	shell("umount %s", fixture.mount);
	mount_image();
	v->root_fd = open_root(round);
}

/* ---- making up operations ---------------------------------------------- */

static bool may(const struct m_object *o, uint32_t user, uint32_t bits)
{
	uint32_t mode = o->mode;

	if (user == 0) {
		return true;
	}
	if (user == o->uid) {
		mode >>= 6;
	} else if (user == o->gid) {
		mode >>= 3;
	}
	return (mode & bits) == bits;
}

static int pick_directory(const struct model *m)
{
	int found = ROOT;
	unsigned int count = 0;
	int i;

	for (i = 0; i < m->count; i++) {
		if (m->objects[i].exists && m->objects[i].type == 'd' &&
		    below(++count) == 0) {
			found = i;
		}
	}
	return found;
}

static void pick_name(char *name)
{
	snprintf(name, NAME_SIZE, "n%u", below(7));
}

static int count_directories(const struct model *m)
{
	int count = 0;
	int i;

	for (i = 0; i < m->count; i++) {
		count += m->objects[i].exists && m->objects[i].type == 'd';
	}
	return count;
}

static bool make_birth(const struct model *m, struct step *s)
{
	static const enum record_type types[] = {
		RECORD_CREATE, RECORD_CREATE, RECORD_CREATE, RECORD_CREATE,
		RECORD_MKDIR, RECORD_MKDIR, RECORD_SYMLINK, RECORD_MKNOD
	};
	static const uint32_t umasks[] = { 0, 022, 077 };

	s->type = types[below(8)];
	if (s->type == RECORD_MKDIR &&
	    count_directories(m) >= MAX_DIRECTORIES) {
		s->type = RECORD_CREATE;
	}
	s->object = m->count;
	s->mode = s->type == RECORD_MKDIR ? 0777 : 0666;
	s->umask = umasks[below(3)];
	strcpy(s->value, "target");
	mirror_id_choose(&s->new_id);
	return m->count < MAX_OBJECTS - 1;
}

/* The name is taken by s->object. */
static bool make_change(const struct model *m, struct step *s)
{
	const struct m_object *o = &m->objects[s->object];
	const struct m_entry *e;

	switch (below(4)) {
	case 0:
		s->type = o->type == 'd' ? RECORD_RMDIR : RECORD_UNLINK;
		return o->num_entries == 0;
	case 1:
		s->parent2 = pick_directory(m);
		pick_name(s->name2);
		if (o->type == 'd' || m_find(m, s->parent2, s->name2)) {
			return false;
		}
		s->type = RECORD_LINK;
		s->parent = NONE;
		s->user = below(2) ? o->uid : 0;
		return true;
	default:
		s->type = RECORD_RENAME;
		s->parent2 = pick_directory(m);
		pick_name(s->name2);
		if (m_is_below(m, s->object, s->parent2)) {
			return false;
		}
		if (o->type == 'd' && s->parent != s->parent2 &&
		    !may(o, s->user, 3)) {
			s->user = 0;
		}
		e = m_find(m, s->parent2, s->name2);
		if (e == NULL) {
			return true;
		}
		s->replaced = e->object;
		return (o->type == 'd') ==
			       (m->objects[e->object].type == 'd') &&
		       m->objects[e->object].num_entries == 0;
	}
}

static bool make_names(const struct model *m, struct step *s)
{
	const struct m_entry *e;
	bool ok;

	s->parent = pick_directory(m);
	pick_name(s->name);
	e = m_find(m, s->parent, s->name);
	if (e == NULL) {
		ok = make_birth(m, s);
	} else {
		s->object = e->object;
		ok = make_change(m, s);
	}
	if ((s->parent != NONE && !may(&m->objects[s->parent], s->user, 3)) ||
	    (s->parent2 != NONE &&
	     !may(&m->objects[s->parent2], s->user, 3))) {
		s->user = 0;
	}
	return ok;
}

static bool make_data(const struct model *m, struct step *s)
{
	if (m->objects[s->object].type != 'f') {
		return false;
	}
	s->offset = below(40000);
	s->length = 1 + below(20000);
	s->fill = (uint8_t)below(256);
	switch (below(8)) {
	case 0:
		s->type = RECORD_TRUNCATE;
		break;
	case 1:
		s->type = RECORD_FALLOCATE;
		break;
	default:
		s->type = RECORD_WRITE;
		break;
	}
	return true;
}

static bool make_attribute(const struct model *m, struct step *s)
{
	const struct m_object *o = &m->objects[s->object];

	if (o->type != 'f' && o->type != 'd') {
		return false;
	}
	/* The owner or root; but whoever may write sets xattrs. */
	s->user = below(2) ? o->uid : 0;
	switch (below(5)) {
	case 0:
		s->type = RECORD_CHMOD;
		s->mode = below(01000);
		break;
	case 1:
		s->type = RECORD_CHOWN;
		s->user = 0;
		s->uid = s->gid = users[below(3)];
		break;
	case 2:
		s->type = RECORD_TIMES;
		s->mtime.seconds = below(1000000);
		s->mtime.nanoseconds = below(1000000000);
		break;
	case 3:
		s->type = RECORD_REMOVEXATTR;
		if (o->value[0] == '\0') {
			return false;
		}
		break;
	default:
		s->type = RECORD_SETXATTR;
		snprintf(s->value, sizeof(s->value), "v%u", below(100000));
		break;
	}
	if ((s->type == RECORD_SETXATTR || s->type == RECORD_REMOVEXATTR) &&
	    !may(o, s->user, 2)) {
		s->user = 0;
	}
	return true;
}

static int pick_object(const struct model *m)
{
	int i;

	for (i = 0; i < 50; i++) {
		int object = 1 + (int)below((unsigned int)m->count);

		if (object < m->count && m->objects[object].exists) {
			return object;
		}
	}
	return NONE;
}

static void make_step(const struct model *m, struct step *s)
{
	bool ok;

	do {
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		*s = (struct step){
			.parent = NONE, .parent2 = NONE, .object = NONE,
			.replaced = NONE, .user = users[below(3)],
			.time = { .seconds = ts.tv_sec,
				  .nanoseconds = (uint32_t)ts.tv_nsec }
		};
		if (below(2) == 0) {
			ok = make_names(m, s);
			continue;
		}
		s->object = pick_object(m);
		ok = s->object != NONE && (below(2) ? make_data(m, s)
						    : make_attribute(m, s));
	} while (!ok);
}

/* ---- a round ----------------------------------------------------------- */

struct totals {
	uint64_t rounds;
	uint64_t records;
	uint64_t present;
	uint64_t redone;
	uint64_t kills;
	uint64_t crashes_in_replay;
};

struct run {
	struct volume v;
	struct model *m;
	struct log *log;
	size_t stable;		/* records of wiped epochs */
	struct step history[STEPS_PER_ROUND];
	int count;
};

/* Everything so far is on the disk: the records of this epoch go (R8). */
static void wipe_epoch(struct run *run)
{
	int i;

	assert_int_equal(syncfs(run->v.root_fd), 0);
	run->stable = run->log->count;
	for (i = 0; i < run->m->count; i++) {
		run->m->objects[i].mtime_known = false;
	}
}

/* Make some of it survive. */
static void disturb(struct run *run)
{
	int object;
	int fd;

	if (below(150) == 0) {
		wipe_epoch(run);
	}
	if (below(40) != 0) {
		return;
	}
	object = pick_object(run->m);
	if (object == NONE || run->m->objects[object].type != 'f') {
		return;
	}
	fd = open_path(&run->v, run->m, object, O_RDWR);
	if (below(2) == 0) {
		fsync(fd);
	} else {
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	}
	close(fd);
}

static void cancel(struct run *run, const struct step *s, int session)
{
	struct record r = { .type = RECORD_CANCEL };

	r.cancels = log_step(run->log, session, run->m, &run->v, s);
	log_add(run->log, session, &r);
}

static void work(struct run *run)
{
	const int steps = 1 + (int)below(STEPS_PER_ROUND);

	while (run->count < steps) {
		struct step *s = &run->history[run->count];
		const int session = (int)below(2);

		make_step(run->m, s);
		if (below(30) == 0) {
			/* Failed for a reason of its own. */
			cancel(run, s, session);
			continue;
		}
		log_step(run->log, session, run->m, &run->v, s);
		run->count++;
		if (run->count == steps && below(2) == 0) {
			/* Under way when the node died. */
			model_apply(run->m, s);
		} else {
			execute(&run->v, run->m, s);
			disturb(run);
		}
	}
}

static void check(struct run *run, const char *when)
{
	char *difference = compare(fixture.mem_ctx, run->m, &run->v);
	int i;

	if (difference == NULL) {
		return;
	}
	for (i = 0; i < run->count; i++) {
		print_error("%d: %s\n", i,
			    describe_step(fixture.mem_ctx, &run->history[i]));
	}
	fail_msg("%s, %zu of %zu records stable\n%s", when, run->stable,
		 run->log->count, difference);
}

/* False if it was finished before. */
static bool interrupted_replay(struct run *run, unsigned int microseconds)
{
	pid_t child = fork();
	int status;

	assert_int_not_equal(child, -1);
	if (child == 0) {
		replay_records(run->log, run->stable, run->v.root_fd, NULL,
			       NULL);
		_exit(0);
	}
	usleep(microseconds);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status);
}

static void round_of(unsigned int number, struct totals *totals)
{
	struct run *run = talloc_zero(fixture.mem_ctx, struct run);
	struct replay_result result;
	struct mirror_id id;
	char path[120];
	int warnings = 0;
	int i;
	int ret;

	snprintf(path, sizeof(path), "%s/%u", fixture.mount, number);
	assert_int_equal(mkdir(path, 0777), 0);
	run->v.root_fd = open_root(number);
	run->m = model_new(run, false);
	run->log = log_new(run);
	assert_int_equal(mirror_id_of_fd(run->v.root_fd, &id,
					 &run->v.handles[ROOT], NULL), 0);
	assert_int_equal(syncfs(run->v.root_fd), 0);

	work(run);
	crash(&run->v, number);

	for (i = (int)below(3); i > 0; i--) {
		totals->kills += interrupted_replay(run, below(6000));
	}
	if (below(3) == 0) {
		/* The node that replays dies as well. */
		interrupted_replay(run, below(6000));
		crash(&run->v, number);
		totals->crashes_in_replay++;
	}
	ret = replay_records(run->log, run->stable, run->v.root_fd, &result,
			     &warnings);
	check(run, strerror(ret));
	assert_int_equal(ret, 0);
	assert_int_equal(warnings, 0);
	totals->present += result.present + result.superseded;
	totals->redone += result.redone;
	totals->records += result.records;

	/* What replay_run() said was done is on the disk. */
	crash(&run->v, number);
	check(run, "after replay and another crash");

	ret = replay_records(run->log, run->stable, run->v.root_fd, &result,
			     &warnings);
	assert_int_equal(ret, 0);
	assert_int_equal(warnings, 0);
	check(run, "after a second replay");

	clear(run->v.root_fd, ".");
	close(run->v.root_fd);
	totals->rounds++;
	talloc_free_children(fixture.mem_ctx);
}

static void crash_again_and_again(const char *type, const char *mkfs)
{
	const char *text = getenv("MIRROR_TEST_SECONDS");
	const double end = now() + (text != NULL ? atof(text) : 4);
	struct totals totals = { .rounds = 0 };

	print_message("seed %u\n", fixture.seed);
	make_file_system(type, mkfs);
	while (now() < end) {
		round_of((unsigned int)totals.rounds, &totals);
	}
	remove_file_system();
	print_message("%s: %llu crashes, %llu records (%llu of them were "
		      "there, %llu redone), replay killed %llu times, "
		      "crashed %llu times\n", type,
		      (unsigned long long)totals.rounds,
		      (unsigned long long)totals.records,
		      (unsigned long long)totals.present,
		      (unsigned long long)totals.redone,
		      (unsigned long long)totals.kills,
		      (unsigned long long)totals.crashes_in_replay);
	assert_true(totals.present > 0 && totals.redone > 0);
}

static void test_ext4(void **state)
{
	crash_again_and_again("ext4", "mkfs.ext4 -q -F -E lazy_itable_init=0");
}

static void test_xfs(void **state)
{
	crash_again_and_again("xfs", "mkfs.xfs -q -f");
}

/* What would do something else the second time is refused. */
static void test_not_repeatable(void **state)
{
	struct record r = {
		.type = RECORD_FALLOCATE, .mode = FALLOC_FL_COLLAPSE_RANGE,
		.length = 4096
	};
	struct log *log = log_new(fixture.mem_ctx);
	struct stat st;
	int root;
	int fd;

	make_file_system("ext4", "mkfs.ext4 -q -F");
	root = open(fixture.mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(root, "x", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(mirror_id_of_fd(fd, &r.object, &r.object_hint, NULL),
			 0);
	log_add(log, 0, &r);
	/* Not the last one, so that its failure counts. */
	r = (struct record){ .type = RECORD_CANCEL, .cancels = 1000 };
	log_add(log, 0, &r);
	assert_int_equal(replay_records(log, 0, root, NULL, NULL), EOPNOTSUPP);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	close(fd);
	close(root);
	remove_file_system();
}

/* ---- setup ------------------------------------------------------------- */

static int setup(void **state)
{
	const char *text = getenv("MIRROR_TEST_SEED");

	if (geteuid() != 0) {
		print_message("replay needs root\n");
		exit(77);
	}
	fixture.seed = text != NULL ? (unsigned int)atoi(text)
				    : (unsigned int)time(NULL);
	strcpy(fixture.directory, "/tmp/test_replay_crash.XXXXXX");
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mkdtemp(fixture.directory) == NULL) {
		return -1;
	}
	/* In memory: the image is not what must survive. */
	if (mount("none", fixture.directory, "tmpfs", 0, NULL) == -1) {
		return -1;
	}
	snprintf(fixture.image, sizeof(fixture.image), "%s/image",
		 fixture.directory);
	snprintf(fixture.mount, sizeof(fixture.mount), "%s/mount",
		 fixture.directory);
	fixture.mem_ctx = talloc_new(NULL);
	umask(0);
	return mkdir(fixture.mount, 0755);
}

static int teardown(void **state)
{
	umount2(fixture.mount, MNT_DETACH);
	umount2(fixture.directory, MNT_DETACH);
	rmdir(fixture.directory);
	talloc_free(fixture.mem_ctx);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_xfs),
		cmocka_unit_test(test_not_repeatable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
