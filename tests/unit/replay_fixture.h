/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume of its own for each test of replay, a model of what it must look
 * like in the end, and a log: each step goes to those of them that the test
 * wants.
 *
 * Included by one .c file only, as mini_module.h.
 */

#ifndef TESTS_REPLAY_FIXTURE_H
#define TESTS_REPLAY_FIXTURE_H

#include <sys/mount.h>
#include <sched.h>

#define TEST_XATTR "trusted.mirror_test"
#define MAX_OBJECTS 64
#include "mini_module.h"

struct fixture {
	char directory[64];
	struct volume v;
	struct model *m;	/* the volume as it must be in the end */
	struct log *log;
	int warnings;
	struct replay_result result;
};

static inline int setup(void **state)
{
	struct fixture *f = talloc_zero(NULL, struct fixture);
	struct mirror_id id;

	strcpy(f->directory, "/tmp/test_replay.XXXXXX");
	if (geteuid() != 0) {
		print_message("replay needs root\n");
		exit(77);
	}
	umask(0);
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mkdtemp(f->directory) == NULL ||
	    mount("none", f->directory, "tmpfs", 0, "size=4m,mode=777") == -1) {
		return -1;
	}
	f->v.root_fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->m = model_new(f, false);
	f->log = log_new(f);
	*state = f;
	return mirror_id_of_fd(f->v.root_fd, &id, &f->v.handles[ROOT], NULL);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->v.root_fd);
	umount2(f->directory, MNT_DETACH);
	rmdir(f->directory);
	talloc_free(f);
	return 0;
}

static inline struct step birth(struct fixture *f, enum record_type type,
				int parent, const char *name)
{
	struct step s = {
		.type = type, .parent = parent, .parent2 = NONE,
		.replaced = NONE, .object = f->m->count, .mode = 0777,
		.time = { .seconds = 1000 }
	};

	strcpy(s.name, name);
	strcpy(s.value, "target");
	mirror_id_choose(&s.new_id);
	return s;
}

static inline struct step change(enum record_type type, int parent,
				 const char *name, int object)
{
	struct step s = {
		.type = type, .parent = parent, .parent2 = NONE,
		.replaced = NONE, .object = object,
		.time = { .seconds = 1000 }
	};

	strcpy(s.name, name);
	return s;
}

static inline struct step write_to(int object, uint64_t length)
{
	struct step s = change(RECORD_WRITE, NONE, "", object);

	s.length = length;
	s.fill = 'w';
	return s;
}

/* On the volume, before the first record or after. */
static inline int exists(struct fixture *f, const struct step *s)
{
	execute(&f->v, f->m, s);
	return s->object;
}

/* In the log only: replay has to do it. */
static inline int logged(struct fixture *f, int session, const struct step *s)
{
	log_step(f->log, session, f->m, &f->v, s);
	model_apply(f->m, s);
	return s->object;
}

/* In the log, but to no effect. */
static inline void vain(struct fixture *f, int session, const struct step *s)
{
	log_step(f->log, session, f->m, &f->v, s);
}

/* So that what came before was executed, by replay.h. */
static inline void confirm(struct fixture *f, int session)
{
	struct record r = { .type = RECORD_CANCEL, .cancels = 1000000 };

	log_add(f->log, session, &r);
}

static inline int run(struct fixture *f)
{
	f->warnings = 0;
	return replay_records(f->log, 0, f->v.root_fd, &f->result,
			      &f->warnings);
}

static inline void expect_model(struct fixture *f)
{
	char *difference = compare(f, f->m, &f->v);

	if (difference != NULL) {
		fail_msg("%s", difference);
	}
}

/* A file that no record knows, with an id of its own or without. */
static inline void put_foreign(struct fixture *f, const char *name,
			       bool chosen, const char *content)
{
	struct mirror_id id;
	int fd = openat(f->v.root_fd, name, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	mirror_id_choose(&id);
	if (chosen) {
		assert_int_equal(mirror_id_set_fd(fd, &id), 0);
	}
	close(fd);
}

static inline void expect_content(struct fixture *f, const char *name,
				  const char *content)
{
	char found[100] = "";
	int fd = openat(f->v.root_fd, name, O_RDONLY);

	assert_int_not_equal(fd, -1);
	assert_true(read(fd, found, sizeof(found) - 1) >= 0);
	close(fd);
	assert_string_equal(found, content);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* TESTS_REPLAY_FIXTURE_H */
