/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay: cases that a search does not meet, because they are not right: a
 * process died, somebody else was at the volume, a user who may not.
 * The search is in test_replay.c, how records get in in test_replay_log.c.
 */

#include <sys/resource.h>
#include <sys/statvfs.h>

#include "replay_fixture.h"
#include "replay_internal.h"
/* What replay calls, as a kernel with quotas would answer. */
#include "../testbed/quota.c"

/* ---- processes that died ----------------------------------------------- */

/*
 * Sent, not executed, and its process gone: the name was free for the next
 * one. Without drop() its file would appear, or stand in the way.
 */
static void test_never_executed(void **state)
{
	struct fixture *f = *state;
	struct step dead = birth(f, RECORD_CREATE, ROOT, "n");
	struct step next = birth(f, RECORD_CREATE, ROOT, "n");
	struct step s;
	int object;

	vain(f, 0, &dead);
	object = logged(f, 1, &next);
	s = write_to(object, 100);
	logged(f, 1, &s);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->warnings, 0);
	expect_model(f);
	assert_int_equal(run(f), 0);
	expect_model(f);
}

/* The same for one that would move something away. */
static void test_never_renamed(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "n");
	struct step dead;
	int object = exists(f, &s);

	dead = change(RECORD_RENAME, ROOT, "n", object);
	dead.parent2 = ROOT;
	strcpy(dead.name2, "m");
	vain(f, 0, &dead);
	s = change(RECORD_UNLINK, ROOT, "n", object);
	logged(f, 1, &s);
	s = birth(f, RECORD_CREATE, ROOT, "m");
	logged(f, 1, &s);
	confirm(f, 1);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->warnings, 0);
	expect_model(f);
}

/*
 * The last record of a session may have failed, and its CANCEL be lost with
 * its node. What is followed by another was executed, and must work.
 */
static void test_under_way(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_MKDIR, ROOT, "d");
	int directory = exists(f, &s);

	s = birth(f, RECORD_CREATE, directory, "x");
	exists(f, &s);
	s = change(RECORD_RMDIR, ROOT, "d", directory);
	vain(f, 0, &s);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->result.superseded, 1);
	expect_model(f);

	confirm(f, 0);
	assert_int_equal(run(f), ENOTEMPTY);
	assert_int_equal(f->result.failed, 1);
	expect_model(f);
}

/* ---- identity ---------------------------------------------------------- */

/* Created; the crash took the id, but a later record knows the handle. */
static void test_id_by_handle(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "n");
	struct mirror_handle handle;
	struct mirror_id id;
	int object;
	int fd;

	execute_names(&f->v, f->m, &s);
	fd = openat(f->v.root_fd, "n", O_RDWR);
	assert_int_equal(mirror_id_of_fd(fd, &id, &handle, NULL), 0);
	object = logged(f, 0, &s);
	f->v.handles[object] = handle;
	s = write_to(object, 10);
	logged(f, 0, &s);
	assert_int_equal(run(f), 0);
	expect_model(f);
	/* It is the same file. */
	assert_int_equal(mirror_id_of_fd(fd, &id, &handle, NULL), 0);
	assert_memory_equal(&handle, &f->v.handles[object], sizeof(handle));
	assert_int_equal(f->result.present, 1);
	close(fd);
}

/* A handle leads to another object, which has another id: not touched. */
static void test_handle_of_another(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "n");
	int other = exists(f, &s);
	int gone;

	s = birth(f, RECORD_CREATE, ROOT, "m");
	gone = exists(f, &s);
	s = change(RECORD_UNLINK, ROOT, "m", gone);
	exists(f, &s);
	f->v.handles[gone] = f->v.handles[other];
	s = write_to(gone, 10);
	vain(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->result.superseded, 1);
	expect_model(f);
}

/* Removed, but somebody holds it open: it is not there any more. */
static void test_held_open(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "n");
	int object = exists(f, &s);
	int fd = openat(f->v.root_fd, "n", O_RDWR);

	s = change(RECORD_UNLINK, ROOT, "n", object);
	exists(f, &s);
	s = write_to(object, 10);
	vain(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->result.superseded, 1);
	close(fd);
}

/* Nobody can tell where it is, or that it is gone: that must be said. */
static void test_lost_object(void **state)
{
	struct fixture *f = *state;
	struct step s = write_to(5, 10);

	f->m->objects[5].chosen = true;
	mirror_id_choose(&f->m->objects[5].id);
	vain(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), ESTALE);
	assert_int_equal(f->result.failed, 1);
}

/* R4: clients must not forge ids, whatever a record says. */
static void test_forged_id(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "n");
	int object = exists(f, &s);
	struct record r = {
		.type = RECORD_SETXATTR, .name = MIRROR_ID_XATTR,
		.object = f->m->objects[object].id,
		.object_hint = f->v.handles[object],
		.data = (const uint8_t *)"\001" "234567890123456",
		.data_length = MIRROR_ID_SIZE
	};

	log_add(f->log, 0, &r);
	r = (struct record){
		.type = RECORD_REMOVEXATTR, .name = MIRROR_ID_XATTR,
		.object = f->m->objects[object].id,
		.object_hint = f->v.handles[object],
	};
	log_add(f->log, 0, &r);
	confirm(f, 0);
	assert_int_equal(run(f), EINVAL);
	assert_int_equal(f->result.failed, 2);
	expect_model(f);
}

/* ---- the plan (R10) ---------------------------------------------------- */

static struct step two_names(enum record_type type, const char *from,
			     const char *to, int object)
{
	struct step s = change(type, ROOT, from, object);

	s.parent2 = ROOT;
	strcpy(s.name2, to);
	return s;
}

/*
 * Nothing of the log is on the volume, but names look as if its ends were:
 * two leads to y before the log and after it. Who believes that x's removal
 * from there was done takes x's last name away before it gets its next.
 */
static void never_without_a_name(struct fixture *f, bool by_rename)
{
	struct step s = birth(f, RECORD_CREATE, ROOT, "one");
	int x = exists(f, &s);
	int y;

	s = birth(f, RECORD_CREATE, ROOT, "two");
	y = exists(f, &s);

	s = two_names(RECORD_RENAME, "two", "aside", y);
	logged(f, 0, &s);
	s = two_names(RECORD_LINK, "one", "two", x);
	logged(f, 0, &s);
	s = change(RECORD_UNLINK, ROOT, "one", x);
	logged(f, 0, &s);
	s = two_names(RECORD_LINK, "two", "three", x);
	logged(f, 0, &s);
	if (!by_rename) {
		s = change(RECORD_UNLINK, ROOT, "two", x);
		logged(f, 0, &s);
	}
	s = two_names(RECORD_RENAME, "aside", "two", y);
	s.replaced = by_rename ? x : NONE;
	logged(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->warnings, 0);
	expect_model(f);
}

static void test_last_name_removed(void **state)
{
	never_without_a_name(*state, false);
}

static void test_last_name_replaced(void **state)
{
	never_without_a_name(*state, true);
}

/*
 * A directory came and went, and something that was made in it has left it:
 * its name says that all was done, or nothing.
 */
static void test_passed_through(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_MKDIR, ROOT, "d");
	int directory = logged(f, 0, &s);
	int object;

	s = birth(f, RECORD_CREATE, directory, "x");
	object = logged(f, 0, &s);
	s = change(RECORD_RENAME, directory, "x", object);
	s.parent2 = ROOT;
	strcpy(s.name2, "y");
	logged(f, 0, &s);
	s = change(RECORD_RMDIR, ROOT, "d", directory);
	logged(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->warnings, 0);
	expect_model(f);
}

/* ---- others at the volume ---------------------------------------------- */

/*
 * A name is taken by what no record knows. Whatever the log says about that
 * name, it is neither replaced nor removed.
 */
static void test_foreign(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "a");
	int a = exists(f, &s);
	int b;

	s = birth(f, RECORD_CREATE, ROOT, "b");
	b = exists(f, &s);
	/* What replay finds: */
	assert_int_equal(unlinkat(f->v.root_fd, "b", 0), 0);
	put_foreign(f, "b", true, "theirs");
	put_foreign(f, "c", false, "theirs, too");
	put_foreign(f, "d", true, "");

	/* The log: rename a over b, remove b, create c, and d. */
	s = change(RECORD_RENAME, ROOT, "a", a);
	s.parent2 = ROOT;
	strcpy(s.name2, "b");
	s.replaced = b;
	logged(f, 0, &s);
	s = change(RECORD_UNLINK, ROOT, "b", a);
	logged(f, 0, &s);
	s = birth(f, RECORD_CREATE, ROOT, "c");
	logged(f, 0, &s);
	s = birth(f, RECORD_MKDIR, ROOT, "d");
	logged(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_true(f->warnings >= 4);
	assert_int_equal(f->result.superseded, 4);
	expect_content(f, "a", "");
	expect_content(f, "b", "theirs");
	expect_content(f, "c", "theirs, too");
	expect_content(f, "d", "");
}

/* Not even by a rename to a name that must be free. */
static void test_foreign_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "a");
	int a = exists(f, &s);

	put_foreign(f, "b", true, "theirs");
	s = change(RECORD_RENAME, ROOT, "a", a);
	s.parent2 = ROOT;
	strcpy(s.name2, "b");
	logged(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->result.superseded, 1);
	expect_content(f, "b", "theirs");
	expect_content(f, "a", "");
}

/* Nor is it moved away. */
static void test_foreign_to_be_moved(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "a");
	int a = exists(f, &s);

	assert_int_equal(renameat(f->v.root_fd, "a", f->v.root_fd, "mine"),
			 0);
	put_foreign(f, "a", true, "theirs");
	s = change(RECORD_RENAME, ROOT, "a", a);
	s.parent2 = ROOT;
	strcpy(s.name2, "b");
	logged(f, 0, &s);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->result.superseded, 1);
	expect_content(f, "a", "theirs");
	assert_int_equal(faccessat(f->v.root_fd, "b", F_OK, 0), -1);
}

/* ---- credentials (R7) -------------------------------------------------- */

static struct step user_step(struct step s, uint32_t user)
{
	s.user = user;
	return s;
}

static void test_user_may_not(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_MKDIR, ROOT, "d");
	int directory;
	int file;

	s.mode = 0755;
	directory = exists(f, &s);
	s = birth(f, RECORD_CREATE, directory, "x");
	s.mode = 0600;
	file = exists(f, &s);

	s = user_step(birth(f, RECORD_CREATE, directory, "y"), 1001);
	vain(f, 0, &s);
	s = user_step(change(RECORD_UNLINK, directory, "x", file), 1001);
	vain(f, 0, &s);
	s = user_step(change(RECORD_CHMOD, NONE, "", file), 1001);
	s.mode = 0777;
	vain(f, 0, &s);
	s = user_step(change(RECORD_CHOWN, NONE, "", file), 1001);
	s.uid = s.gid = 1001;
	vain(f, 0, &s);
	confirm(f, 0);
	/* The CHOWN speaks for the CHMOD, but nothing for the CHOWN. */
	assert_int_equal(run(f), EACCES);
	assert_int_equal(f->result.failed, 3);
	f->m->objects[file].mode = 0777;
	expect_model(f);
}

/* Owner and group are those of the user; afterwards we are who we were. */
static void test_identity_restored(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	gid_t groups[2] = { 55, 56 };
	gid_t found[10];
	struct stat st;

	s.umask = 027;
	s.user = 1001;
	s.object = f->m->count;
	logged(f, 0, &s);
	assert_int_equal(setgroups(2, groups), 0);
	umask(031);
	assert_int_equal(run(f), 0);
	assert_int_equal(umask(0), 031);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
	assert_int_equal(getgroups(10, found), 2);
	assert_int_equal(found[1], 56);
	assert_int_equal(setgroups(0, NULL), 0);
	assert_int_equal(fstatat(f->v.root_fd, "x", &st, 0), 0);
	assert_int_equal(st.st_uid, 1001);
	assert_int_equal(st.st_gid, 1001);
	assert_int_equal(st.st_mode & 07777, 0750);
}

/* To the kernel, -1 is "as before": root. */
static void test_nobody_at_all(void **state)
{
	struct fixture *f = *state;
	struct record r = {
		.type = RECORD_CREATE, .name = "x",
		.parent = m_id(f->m, &f->v, ROOT),
		.credentials = { .uid = (uint32_t)-1, .gid = 1001 }
	};

	mirror_id_choose(&r.object);
	log_add(f->log, 0, &r);
	r.credentials = (struct record_credentials){
		.uid = 1001, .gid = (uint32_t)-1
	};
	mirror_id_choose(&r.object);
	log_add(f->log, 1, &r);
	confirm(f, 0);
	confirm(f, 1);
	assert_int_equal(run(f), EINVAL);
	assert_int_equal(f->result.failed, 2);
	expect_model(f);
}

/* A group of the user, not his first, lets him. */
static void test_groups(void **state)
{
	struct fixture *f = *state;
	uint32_t groups[2] = { 77, 78 };
	struct step s = birth(f, RECORD_MKDIR, ROOT, "d");
	struct record r = {
		.type = RECORD_CREATE, .name = "x", .mode = 0600,
		.credentials = { .uid = 1001, .gid = 1001, .num_groups = 2,
				 .groups = groups },
	};
	struct stat st;
	int directory;

	s.mode = 0770;
	directory = exists(f, &s);
	assert_int_equal(fchownat(f->v.root_fd, "d", 0, 78, 0), 0);
	r.parent = f->m->objects[directory].id;
	r.parent_hint = f->v.handles[directory];
	mirror_id_choose(&r.object);
	log_add(f->log, 0, &r);
	confirm(f, 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(fstatat(f->v.root_fd, "d/x", &st, 0), 0);
}

/* What is made anew inherits what the first one did. */
static void test_inherited_acl(void **state)
{
	/* user::rwx user:1001:rwx group::r-x mask::rwx other::--- */
	static const uint8_t acl[] = {
		2, 0, 0, 0,
		1, 0, 7, 0, 255, 255, 255, 255,
		2, 0, 7, 0, 0xe9, 3, 0, 0,
		4, 0, 5, 0, 255, 255, 255, 255,
		16, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 0, 0, 255, 255, 255, 255,
	};
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_MKDIR, ROOT, "d");
	struct record r = {
		.type = RECORD_SETXATTR, .name = "system.posix_acl_default",
		.object = s.new_id, .data = acl, .data_length = sizeof(acl)
	};
	uint8_t found[100];
	char path[100];
	int directory;

	directory = logged(f, 0, &s);
	log_add(f->log, 0, &r);
	s = birth(f, RECORD_CREATE, directory, "x");
	s.mode = 0666;
	s.umask = 077;
	logged(f, 0, &s);
	assert_int_equal(run(f), 0);
	snprintf(path, sizeof(path), "%s/d/x", f->directory);
	assert_int_equal(getxattr(path, "system.posix_acl_access", found,
				  sizeof(found)), sizeof(acl));
	assert_int_equal(found[16], 0xe9);
}

/* ---- machine ----------------------------------------------------------- */

/* A full volume is an error, and when there is room replay goes on. */
static void test_full_volume(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	int object;

	object = logged(f, 0, &s);
	s = write_to(object, 3 * 1024 * 1024);
	logged(f, 0, &s);
	s = birth(f, RECORD_CREATE, ROOT, "y");
	object = logged(f, 0, &s);
	s = write_to(object, 3 * 1024 * 1024);
	logged(f, 0, &s);
	assert_int_equal(run(f), ENOSPC);
	assert_int_equal(f->result.failed, 1);
	assert_int_equal(mount("none", f->directory, "tmpfs", MS_REMOUNT,
			       "size=8m,mode=777"), 0);
	assert_int_equal(run(f), 0);
	expect_model(f);
}

static void allow_inodes(struct fixture *f, unsigned long more)
{
	struct statvfs st;
	char options[64];

	assert_int_equal(fstatvfs(f->v.root_fd, &st), 0);
	snprintf(options, sizeof(options), "size=4m,mode=777,nr_inodes=%lu",
		 st.f_files - st.f_ffree + more);
	assert_int_equal(mount("none", f->directory, "tmpfs", MS_REMOUNT,
			       options), 0);
}

/*
 * Not even for the last record of a session, which may have failed when it was
 * first done: it may as well have worked, and have been answered.
 */
static void test_full_volume_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");

	logged(f, 0, &s);
	allow_inodes(f, 0);
	assert_int_equal(run(f), ENOSPC);
	assert_int_equal(f->result.failed, 1);
	allow_inodes(f, 100);
	assert_int_equal(run(f), 0);
	expect_model(f);
}

/*
 * What a user had a quota for when he did it, he has it for in a replay, though
 * meanwhile there is no more for him.
 * Seen to fail: what_to_ignore() without BEYOND_LIMITS.
 */
static void test_no_more_for_user(void **state)
{
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	char folder[] = "/tmp/test_replay_quota.XXXXXX", flag[200];
	FILE *file;
	int object;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(flag, sizeof(flag), "%s/%s", folder, basename(f->directory));
	file = fopen(flag, "w");
	assert_non_null(file);
	fputs("blocks inodes", file);
	fclose(file);
	setenv("QUOTA_FOLDER", folder, 1);
	setenv("QUOTA_VOLUMES", "/tmp", 1);

	assert_int_equal(seteuid(1001), 0);
	assert_int_equal(openat(f->v.root_fd, "y", O_CREAT | O_RDWR, 0666),
			 -1);
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(seteuid(0), 0);

	s.user = 1001;
	object = logged(f, 0, &s);
	s = write_to(object, 100);
	s.user = 1001;
	logged(f, 0, &s);
	assert_int_equal(run(f), 0);
	expect_model(f);

	unsetenv("QUOTA_FOLDER");
	unlink(flag);
	rmdir(folder);
}

/* More objects than may be open. */
static void test_few_descriptors(void **state)
{
	struct fixture *f = *state;
	struct rlimit before;
	struct rlimit few;
	struct step s;
	int directory = ROOT;
	int i;
	int k;

	for (i = 0; i < 50; i++) {
		if (i % 15 == 0) {
			char name[NAME_SIZE];

			snprintf(name, sizeof(name), "d%d", i);
			s = birth(f, RECORD_MKDIR, ROOT, name);
			directory = logged(f, 0, &s);
		} else {
			char name[NAME_SIZE];

			snprintf(name, sizeof(name), "f%d", i);
			s = birth(f, RECORD_CREATE, directory, name);
			logged(f, 0, &s);
		}
	}
	for (k = 0; k < 3; k++) {
		for (i = 1; i < f->m->count; i++) {
			if (f->m->objects[i].type == 'f') {
				s = write_to(i, (uint64_t)(10 + i + k));
				s.fill = (uint8_t)(i + k);
				logged(f, 0, &s);
			}
		}
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 36;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_model(f);
}

static int64_t root_mtime(struct fixture *f)
{
	struct stat st;

	assert_int_equal(fstat(f->v.root_fd, &st), 0);
	return st.st_mtim.tv_sec;
}

/*
 * A link that came and went, neither of which the volume has: it looks as if
 * both were there, but for the time of the directory.
 */
static void test_undone_by_the_next(void **state)
{
	struct timespec times[2] = { { .tv_sec = 500 }, { .tv_sec = 500 } };
	struct fixture *f = *state;
	struct step s = birth(f, RECORD_CREATE, ROOT, "x");
	int object = exists(f, &s);

	s = change(RECORD_LINK, NONE, "", object);
	s.parent2 = ROOT;
	strcpy(s.name2, "n");
	logged(f, 0, &s);
	s = change(RECORD_UNLINK, ROOT, "n", object);
	logged(f, 0, &s);
	assert_int_equal(futimens(f->v.root_fd, times), 0);
	assert_int_equal(run(f), 0);
	expect_model(f);
	assert_int_equal(root_mtime(f), 1000);

	/* What is newer was done by what came later. */
	times[1].tv_sec = 2000;
	assert_int_equal(futimens(f->v.root_fd, times), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(root_mtime(f), 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_never_executed),
		TEST(test_never_renamed),
		TEST(test_under_way),
		TEST(test_id_by_handle),
		TEST(test_handle_of_another),
		TEST(test_held_open),
		TEST(test_lost_object),
		TEST(test_forged_id),
		TEST(test_foreign),
		TEST(test_passed_through),
		TEST(test_last_name_removed),
		TEST(test_last_name_replaced),
		TEST(test_foreign_in_the_way),
		TEST(test_foreign_to_be_moved),
		TEST(test_user_may_not),
		TEST(test_identity_restored),
		TEST(test_nobody_at_all),
		TEST(test_groups),
		TEST(test_inherited_acl),
		TEST(test_full_volume),
		TEST(test_full_volume_at_the_end),
		TEST(test_no_more_for_user),
		TEST(test_few_descriptors),
		TEST(test_undone_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
