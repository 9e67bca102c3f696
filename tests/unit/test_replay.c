/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay against every state that a crash can leave (R10), without crashes:
 * the state after a prefix of the operations is built by executing only that,
 * on a tmpfs. test_replay_crash.c does it with real file systems.
 *
 * MIRROR_TEST_SECONDS=N   time for each of the tests that search (default 4)
 * MIRROR_TEST_VERBOSE=1   tell what replay says
 */

#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

/* tmpfs has these in all kernels. */
#define TEST_XATTR "trusted.mirror_test"
#define MAX_OBJECTS 24
#include "mini_module.h"

#define MAX_STEPS 12
#define MAX_CHOICES 200

struct fixture {
	char directory[64];
	int mount_fd;
	TALLOC_CTX *mem_ctx;	/* of one case */
};

static struct fixture fixture;
static unsigned int seed = 1;	/* the same cases every time */

/* ---- cases ------------------------------------------------------------- */

enum start {
	START_EMPTY,
	START_DERIVED,	/* a/ with a file x, b a file; ids derived */
	START_CHOSEN,	/* the same; ids chosen, created long ago */
	START_END
};

struct trial {
	enum start start;
	struct step steps[MAX_STEPS];
	int count;
	int order[MAX_STEPS];	/* of execution, indices of steps */
	int executed;		/* this many of them */
	bool half;		/* the next one, a birth, has no id yet */
	uint32_t lost_data;	/* bit per step: its data did not survive */
	uint32_t session;	/* bit per step */
};

static void make_directory(struct volume *v)
{
	/* Always a new one, so that no handle is of an earlier case. */
	assert_int_equal(mkdirat(fixture.mount_fd, "root", 0777), 0);
	v->root_fd = openat(fixture.mount_fd, "root",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(v->root_fd, -1);
}

static void learn(struct volume *v, struct model *m, int object)
{
	struct mirror_id id;
	int fd = open_path(v, m, object, O_PATH);

	assert_int_equal(mirror_id_of_fd(fd, &id, &v->handles[object], NULL),
			 0);
	close(fd);
}

/* What was on the volume before the first record. */
static void start(struct volume *v, struct model *m, enum start how)
{
	static const struct step steps[] = {
		{ .type = RECORD_MKDIR, .name = "a", .object = 1,
		  .parent2 = NONE, .replaced = NONE, .mode = 0777 },
		{ .type = RECORD_CREATE, .parent = 1, .name = "x",
		  .object = 2, .parent2 = NONE, .replaced = NONE,
		  .mode = 0600 },
		{ .type = RECORD_CREATE, .name = "b", .object = 3,
		  .parent2 = NONE, .replaced = NONE, .mode = 0600 },
	};
	size_t i;

	learn(v, m, ROOT);
	for (i = 0; how != START_EMPTY && i < 3; i++) {
		struct step s = steps[i];
		struct m_object *o = &m->objects[s.object];

		mirror_id_choose(&s.new_id);
		execute_names(v, m, &s);
		model_apply(m, &s);
		o->mtime_known = false;
		if (how == START_CHOSEN) {
			execute_id(v, m, &s);
		} else {
			o->chosen = false;
			learn(v, m, s.object);
		}
	}
}

/* The handles of what was created and did not survive are known as well. */
static void invent_handles(struct volume *v)
{
	int i;
	int k;

	for (i = 0; i < 4 + MAX_STEPS; i++) {
		struct mirror_handle *h = &v->handles[i];

		if (h->length != 0) {
			continue;
		}
		*h = v->handles[ROOT];
		for (k = 0; k < h->length; k++) {
			h->bytes[k] = (uint8_t)rand_r(&seed);
		}
	}
}

static struct model *model_copy(TALLOC_CTX *mem_ctx, const struct model *m)
{
	struct model *copy = model_new(mem_ctx, false);
	int i;

	memcpy(copy->objects, m->objects, sizeof(*m->objects) * MAX_OBJECTS);
	copy->count = m->count;
	for (i = 0; i < m->count; i++) {
		assert_null(m->objects[i].data);
	}
	return copy;
}

/* Builds the state after the crash; *full is what it must become. */
static struct log *build(const struct trial *t, struct volume *v,
			 struct model **full)
{
	TALLOC_CTX *ctx = fixture.mem_ctx;
	struct model *disk = model_new(ctx, false);
	struct log *log = log_new(ctx);
	int i;

	*v = (struct volume){ .root_fd = -1 };
	clear(fixture.mount_fd, ".");	/* a failed one may be there */
	make_directory(v);
	start(v, disk, t->start);
	*full = model_copy(ctx, disk);
	for (i = 0; i < t->executed; i++) {
		const struct step *s = &t->steps[t->order[i]];

		if (is_data_step(s) && (t->lost_data >> t->order[i]) & 1) {
			model_apply(disk, s);
		} else {
			execute(v, disk, s);
		}
	}
	if (t->half) {
		execute_names(v, disk, &t->steps[t->order[i]]);
	}

	invent_handles(v);
	for (i = 0; i < t->count; i++) {
		log_step(log, (t->session >> i) & 1, *full, v, &t->steps[i]);
		model_apply(*full, &t->steps[i]);
	}
	return log;
}

static void finish(struct volume *v)
{
	close(v->root_fd);
	clear(fixture.mount_fd, ".");
	talloc_free_children(fixture.mem_ctx);
}

static void explain(const struct trial *t, const char *what,
		    const char *difference)
{
	int i;

	print_error("start %d, executed %d%s, lost data %x, sessions %x\n",
		    t->start, t->executed, t->half ? " and a half" : "",
		    t->lost_data, t->session);
	for (i = 0; i < t->count; i++) {
		print_error("  %d (executed as %d): %s\n", i, t->order[i],
			    describe_step(fixture.mem_ctx, &t->steps[i]));
	}
	fail_msg("%s\n%s", what, difference);
}

static void run_trial(const struct trial *t)
{
	struct replay_result result;
	struct volume v;
	struct model *full;
	struct log *log = build(t, &v, &full);
	char *difference;
	int warnings = 0;
	int ret;

	ret = replay_records(log, 0, v.root_fd, &result, &warnings);
	difference = compare(fixture.mem_ctx, full, &v);
	if (ret != 0 || warnings != 0 || difference != NULL) {
		explain(t, talloc_asprintf(fixture.mem_ctx,
					   "%s, %d warnings", strerror(ret),
					   warnings), difference);
	}
	assert_int_equal(result.redone + result.present + result.superseded +
			 result.cancelled, t->count);

	ret = replay_records(log, 0, v.root_fd, &result, &warnings);
	difference = compare(fixture.mem_ctx, full, &v);
	if (ret != 0 || warnings != 0 || difference != NULL) {
		explain(t, "the second time", difference);
	}
	finish(&v);
}

/* ---- making up operations ---------------------------------------------- */

struct choices {
	struct step list[MAX_CHOICES];
	int count;
};

static struct step *choose(struct choices *c, enum record_type type)
{
	struct step *s = &c->list[c->count++];

	assert_true(c->count <= MAX_CHOICES);
	*s = (struct step){
		.type = type, .parent = NONE, .parent2 = NONE,
		.object = NONE, .replaced = NONE
	};
	return s;
}

struct slot {
	int parent;
	char name[NAME_SIZE];
	int object;
};

/* The names that the search uses: a, b; x, y in directories a and b. */
static int slots_of(const struct model *m, struct slot *slots)
{
	static const char * const top[] = { "a", "b" };
	static const char * const below[] = { "x", "y" };
	int count = 0;
	int i;
	int k;

	for (i = 0; i < 2; i++) {
		struct m_entry *e = m_find(m, ROOT, top[i]);

		slots[count] = (struct slot){ .parent = ROOT,
				.object = e != NULL ? e->object : NONE };
		strcpy(slots[count++].name, top[i]);
		if (e == NULL || m->objects[e->object].type != 'd') {
			continue;
		}
		for (k = 0; k < 2; k++) {
			struct m_entry *f = m_find(m, e->object, below[k]);

			slots[count] = (struct slot){ .parent = e->object,
				.object = f != NULL ? f->object : NONE };
			strcpy(slots[count++].name, below[k]);
		}
	}
	return count;
}

static void choose_birth(struct choices *c, const struct model *m,
			 const struct slot *slot, enum record_type type)
{
	struct step *s = choose(c, type);

	s->parent = slot->parent;
	strcpy(s->name, slot->name);
	s->object = m->count;
	s->mode = type == RECORD_MKDIR ? 0777 : 0644;
	s->umask = 022;
	strcpy(s->value, "target");
}

static void choose_moves(struct choices *c, const struct model *m,
			 const struct slot *from, const struct slot *to)
{
	const struct m_object *o = &m->objects[from->object];
	struct step *s;

	if (to->object == NONE && o->type == 'f') {
		s = choose(c, RECORD_LINK);
		s->object = from->object;
		s->parent2 = to->parent;
		strcpy(s->name2, to->name);
	}
	if (m_is_below(m, from->object, to->parent)) {
		return;
	}
	if (to->object != NONE) {
		const struct m_object *victim = &m->objects[to->object];

		if ((o->type == 'd') != (victim->type == 'd') ||
		    victim->num_entries > 0) {
			return;
		}
	}
	s = choose(c, RECORD_RENAME);
	s->object = from->object;
	s->parent = from->parent;
	strcpy(s->name, from->name);
	s->parent2 = to->parent;
	strcpy(s->name2, to->name);
	s->replaced = to->object;
}

static void choose_others(struct choices *c, const struct model *m,
			  const struct slot *slot)
{
	const struct m_object *o = &m->objects[slot->object];
	struct step *s;

	s = choose(c, RECORD_CHMOD);
	s->object = slot->object;
	s->mode = (uint32_t)rand_r(&seed) & 0777;
	if (o->type == 'p' || o->type == 'l') {
		c->count--;
	}
	s = choose(c, RECORD_SETXATTR);
	s->object = slot->object;
	snprintf(s->value, sizeof(s->value), "v%d", rand_r(&seed) % 1000);
	if (o->value[0] != '\0') {
		s = choose(c, RECORD_REMOVEXATTR);
		s->object = slot->object;
	}
	if (o->type != 'f') {
		return;
	}
	s = choose(c, RECORD_WRITE);
	s->object = slot->object;
	s->offset = (uint64_t)rand_r(&seed) % 5000;
	s->length = 1 + (uint64_t)rand_r(&seed) % 5000;
	s->fill = (uint8_t)rand_r(&seed);
	s = choose(c, RECORD_TRUNCATE);
	s->object = slot->object;
	s->length = (uint64_t)rand_r(&seed) % 8000;
	s = choose(c, RECORD_TIMES);
	s->object = slot->object;
	s->mtime.seconds = rand_r(&seed) % 100000;
	s->mtime.nanoseconds = (uint32_t)rand_r(&seed) % 1000000000;
}

static void choose_all(struct choices *c, const struct model *m, bool others)
{
	struct slot slots[8];
	int count = slots_of(m, slots);
	int i;
	int k;

	c->count = 0;
	for (i = 0; i < count; i++) {
		const struct slot *slot = &slots[i];
		struct step *s;

		if (slot->object == NONE) {
			choose_birth(c, m, slot, RECORD_CREATE);
			choose_birth(c, m, slot, RECORD_MKDIR);
			if (others) {
				choose_birth(c, m, slot, RECORD_SYMLINK);
				choose_birth(c, m, slot, RECORD_MKNOD);
			}
			continue;
		}
		for (k = 0; k < count; k++) {
			choose_moves(c, m, slot, &slots[k]);
		}
		if (others) {
			choose_others(c, m, slot);
		}
		if (m->objects[slot->object].num_entries > 0) {
			continue;
		}
		s = choose(c, m->objects[slot->object].type == 'd'
				? RECORD_RMDIR : RECORD_UNLINK);
		s->object = slot->object;
		s->parent = slot->parent;
		strcpy(s->name, slot->name);
	}
	for (i = 0; i < c->count; i++) {
		mirror_id_choose(&c->list[i].new_id);
		c->list[i].time = (struct record_time){
			.seconds = 1000000 + rand_r(&seed) % 1000000,
			.nanoseconds = (uint32_t)rand_r(&seed) % 1000000000
		};
	}
}

/* The model without a volume: only what there is matters. */
static struct model *imagine(TALLOC_CTX *mem_ctx, const struct trial *t)
{
	static const struct { int parent; const char *name; char type; }
	first[] = { { ROOT, "a", 'd' }, { 1, "x", 'f' }, { ROOT, "b", 'f' } };
	struct model *m = model_new(mem_ctx, false);
	int i;

	for (i = 0; t->start != START_EMPTY && i < 3; i++) {
		m->objects[m->count] = (struct m_object){
			.exists = true, .type = first[i].type
		};
		m_put(m, first[i].parent, first[i].name, m->count++);
	}
	for (i = 0; i < t->count; i++) {
		model_apply(m, &t->steps[i]);
	}
	return m;
}

/* ---- searching --------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds_allowed(void)
{
	const char *text = getenv("MIRROR_TEST_SECONDS");

	return text != NULL ? atof(text) : 4;
}

struct search {
	double end;
	uint64_t logs;
	uint64_t cases;
	bool complete;
};

static void try_prefixes(struct search *search, struct trial *t)
{
	search->logs++;
	for (t->executed = 0; t->executed <= t->count; t->executed++) {
		t->half = false;
		run_trial(t);
		search->cases++;
		if (t->executed < t->count &&
		    is_birth_step(&t->steps[t->order[t->executed]])) {
			t->half = true;
			run_trial(t);
			search->cases++;
		}
	}
	t->half = false;
}

static void try_all(struct search *search, struct trial *t, int length)
{
	struct choices *c;
	int i;

	if (t->count == length) {
		try_prefixes(search, t);
		return;
	}
	c = talloc(NULL, struct choices);
	choose_all(c, imagine(c, t), false);
	for (i = 0; i < c->count && search->complete; i++) {
		t->order[t->count] = t->count;
		t->steps[t->count] = c->list[i];
		t->count++;
		try_all(search, t, length);
		t->count--;
		search->complete = now() < search->end;
	}
	talloc_free(c);
}

/*
 * All sequences of namespace operations, shortest first, with all prefixes,
 * and with the next creation cut before its id.
 *
 * Tried, and seen by this test: replay_plan.c without (1), (2) or (3);
 * remove_unfinished() and object_add_hint() doing nothing; add_rename() not
 * knowing that two links of one object stay; replay_redo() not looking at
 * "persisted" at all.
 */
static void test_all_short_logs(void **state)
{
	struct search search = { .end = now() + seconds_allowed() };
	int length;
	int how;

	search.complete = true;
	for (length = 1; search.complete && length <= 5; length++) {
		for (how = 0; how < START_END; how++) {
			struct trial t = { .start = (enum start)how };

			try_all(&search, &t, length);
		}
		print_message("%s length %d: %llu logs, %llu states\n",
			      search.complete ? "all of" : "some of", length,
			      (unsigned long long)search.logs,
			      (unsigned long long)search.cases);
	}
	assert_true(length > 2);
}

static void random_trial(struct trial *t, int length)
{
	*t = (struct trial){ .start = rand_r(&seed) % START_END };
	while (t->count < length) {
		struct choices *c = talloc(NULL, struct choices);

		choose_all(c, imagine(c, t), true);
		t->order[t->count] = t->count;
		t->steps[t->count++] =
			c->list[rand_r(&seed) % (unsigned int)c->count];
		talloc_free(c);
	}
	t->lost_data = (uint32_t)rand_r(&seed);
	t->session = (uint32_t)rand_r(&seed);
}

/*
 * Longer ones with data and attributes, of which any part of the data is
 * lost.
 *
 * Tried, and seen by this test: replay_plan.c without (4) or with a wrong
 * find_doomed(); no replay_final_times(); note_times() doing nothing;
 * redo_truncate() doing nothing.
 */
static void test_random_logs(void **state)
{
	struct search search = { .end = now() + seconds_allowed() };

	while (now() < search.end) {
		struct trial t;

		random_trial(&t, 2 + rand_r(&seed) % (MAX_STEPS - 2));
		try_prefixes(&search, &t);
	}
	print_message("%llu logs, %llu states\n",
		      (unsigned long long)search.logs,
		      (unsigned long long)search.cases);
}

/* ---- other orders of execution ----------------------------------------- */

static bool removes(const struct step *s, int object)
{
	return ((s->type == RECORD_UNLINK || s->type == RECORD_RMDIR) &&
		s->object == object) ||
	       (s->type == RECORD_RENAME && s->replaced == object &&
		s->object != object);
}

static bool names_same(int p1, const char *n1, int p2, const char *n2)
{
	return p1 != NONE && p1 == p2 && strcmp(n1, n2) == 0;
}

static bool touch_same_name(const struct step *a, const struct step *b)
{
	return names_same(a->parent, a->name, b->parent, b->name) ||
	       names_same(a->parent, a->name, b->parent2, b->name2) ||
	       names_same(a->parent2, a->name2, b->parent, b->name) ||
	       names_same(a->parent2, a->name2, b->parent2, b->name2);
}

static bool is_directory_move(const struct model *m, const struct step *s)
{
	return s->type == RECORD_RENAME && s->parent != s->parent2 &&
	       m->objects[s->object].type == 'd';
}

/* Does b need that a was executed before, or disturb it? See replay.h. */
static bool depends_one_way(const struct step *a, const struct step *b)
{
	int objects[4] = { b->object, b->replaced, b->parent, b->parent2 };
	int i;

	for (i = 0; i < 4; i++) {
		if (objects[i] == NONE) {
			continue;
		}
		if (is_birth_step(a) && a->object == objects[i]) {
			return true;
		}
		if (i >= 2 && removes(a, objects[i])) {
			return true;
		}
		if (i < 2 && removes(a, objects[i]) &&
		    (b->type == RECORD_LINK || !is_namespace_step(b))) {
			return true;
		}
	}
	if (a->object == b->object && !is_namespace_step(a) &&
	    !is_namespace_step(b)) {
		return true;
	}
	return a->type == RECORD_LINK && a->object == b->object &&
	       b->type != RECORD_LINK;
}

static bool depends(const struct model *m, const struct step *a,
		    const struct step *b)
{
	return touch_same_name(a, b) || depends_one_way(a, b) ||
	       depends_one_way(b, a) ||
	       (is_directory_move(m, a) && is_directory_move(m, b));
}

/*
 * Independent operations may be executed in another order than that of the
 * log, so what survives need not be a prefix of the log.
 */
static void test_random_orders(void **state)
{
	struct search search = { .end = now() + seconds_allowed() };
	uint64_t moved = 0;

	while (now() < search.end) {
		struct trial t;
		struct model *m;
		int i;

		random_trial(&t, 2 + rand_r(&seed) % (MAX_STEPS - 2));
		m = imagine(NULL, &t);
		for (i = 0; i < 100; i++) {
			int k = rand_r(&seed) % (t.count - 1);
			int swap = t.order[k];

			if (!depends(m, &t.steps[t.order[k]],
				     &t.steps[t.order[k + 1]])) {
				t.order[k] = t.order[k + 1];
				t.order[k + 1] = swap;
				moved++;
			}
		}
		talloc_free(m);
		try_prefixes(&search, &t);
	}
	print_message("%llu logs, %llu states, %llu exchanges\n",
		      (unsigned long long)search.logs,
		      (unsigned long long)search.cases,
		      (unsigned long long)moved);
}

/* ---- killed ------------------------------------------------------------ */

/* Replay in a child that is killed when it enters its n-th system call. False
 * if it was finished before. */
static bool replay_killed(const struct log *log, int root_fd, int n)
{
	pid_t child = fork();
	int status;

	assert_int_not_equal(child, -1);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		replay_records(log, 0, root_fd, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (n-- > 0) {
		/* once at entry, once at return */
		ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			return false;
		}
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	return true;
}

/* Replay that is killed after any of its system calls, and started again. */
static void test_killed_replay(void **state)
{
	const double end = now() + seconds_allowed();
	uint64_t kills = 0;

	while (now() < end) {
		struct trial t;
		int n = 1;
		bool killed = true;

		random_trial(&t, 2 + rand_r(&seed) % 6);
		t.executed = rand_r(&seed) % (unsigned int)(t.count + 1);
		while (killed) {
			struct model *full;
			struct volume v;
			struct log *log = build(&t, &v, &full);
			char *difference;
			int warnings = 0;
			int ret;

			killed = replay_killed(log, v.root_fd, n);
			/* And once more, somewhere. */
			replay_killed(log, v.root_fd, rand_r(&seed) % 200);
			ret = replay_records(log, 0, v.root_fd, NULL,
					     &warnings);
			difference = compare(fixture.mem_ctx, full, &v);
			if (ret != 0 || warnings != 0 || difference != NULL) {
				explain(&t, "after it was killed",
					difference);
			}
			finish(&v);
			n += 1 + rand_r(&seed) % 16;
			kills++;
		}
	}
	print_message("%llu kills\n", (unsigned long long)kills);
}

/* ---- setup ------------------------------------------------------------- */

static int setup(void **state)
{
	if (geteuid() != 0) {
		print_message("replay needs root\n");
		exit(77);
	}
	strcpy(fixture.directory, "/tmp/test_replay.XXXXXX");
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mkdtemp(fixture.directory) == NULL ||
	    mount("none", fixture.directory, "tmpfs", 0, NULL) == -1) {
		return -1;
	}
	fixture.mount_fd = open(fixture.directory,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fixture.mem_ctx = talloc_new(NULL);
	umask(0);
	return fixture.mount_fd == -1 ? -1 : 0;
}

static int teardown(void **state)
{
	close(fixture.mount_fd);
	umount2(fixture.directory, MNT_DETACH);
	rmdir(fixture.directory);
	talloc_free(fixture.mem_ctx);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_short_logs),
		cmocka_unit_test(test_random_logs),
		cmocka_unit_test(test_random_orders),
		cmocka_unit_test(test_killed_replay),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
