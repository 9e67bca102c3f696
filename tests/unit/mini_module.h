/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A miniature of the module, for tests of replay: it performs operations on a
 * directory as smbd with the module would (choose the id, make the record,
 * execute as the user, write the id), and keeps a model in memory of what the
 * tree must look like.
 *
 * A struct step is one operation. It can be made up from a model, executed on
 * a volume, applied to a model and turned into a record, each separately, so
 * that a test can execute less, or in another order, than what is in the log.
 *
 * Included by one .c file only.
 */

#ifndef TESTS_MINI_MODULE_H
#define TESTS_MINI_MODULE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <talloc.h>

#include "mirror_id.h"
#include "record.h"
#include "replay.h"

#ifndef MAX_OBJECTS
#define MAX_OBJECTS 512
#endif
#define MAX_ENTRIES 24
#define NAME_SIZE 12
#define VALUE_SIZE 24
#define ROOT 0
#define NONE (-1)

#ifndef TEST_XATTR
#define TEST_XATTR "user.mirror_test"
#endif

struct m_entry {
	char name[NAME_SIZE];
	int object;
};

struct m_object {
	bool exists;
	char type;		/* f, d, l, p */
	bool chosen;		/* id; else derived of its handle */
	struct mirror_id id;
	uint32_t mode, uid, gid;
	int links;		/* names */
	uint8_t *data;
	size_t size;
	char value[VALUE_SIZE];	/* of TEST_XATTR; "" = none */
	char target[VALUE_SIZE];
	bool mtime_known;	/* a record says what it must be */
	struct record_time mtime;
	struct m_entry entries[MAX_ENTRIES];
	int num_entries;
};

struct model {
	struct m_object *objects;
	int count;
};

struct step {
	enum record_type type;
	int parent, parent2;
	char name[NAME_SIZE], name2[NAME_SIZE];
	int object, replaced;
	struct mirror_id new_id;
	uint32_t user, umask;
	uint32_t mode, uid, gid;
	uint64_t offset, length;
	uint8_t fill;
	char value[VALUE_SIZE];
	struct record_time time, mtime;
};

/* ---- model ------------------------------------------------------------- */

static inline struct model *model_new(TALLOC_CTX *mem_ctx, bool chosen_root)
{
	struct model *m = talloc_zero(mem_ctx, struct model);

	m->objects = talloc_zero_array(m, struct m_object, MAX_OBJECTS);
	m->objects[ROOT] = (struct m_object){
		.exists = true, .type = 'd', .mode = 0777, .links = 1,
		.chosen = chosen_root
	};
	m->count = 1;
	return m;
}

static inline struct m_entry *m_find(const struct model *m,
				     int directory,
				     const char *name)
{
	struct m_object *d = &m->objects[directory];
	int i;

	for (i = 0; i < d->num_entries; i++) {
		if (strcmp(d->entries[i].name, name) == 0) {
			return &d->entries[i];
		}
	}
	return NULL;
}

static inline void m_put(struct model *m, int directory, const char *name,
			 int object)
{
	struct m_object *d = &m->objects[directory];
	struct m_entry *e = &d->entries[d->num_entries];

	assert_true(d->num_entries < MAX_ENTRIES);
	assert_null(m_find(m, directory, name));
	d->num_entries++;
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->object = object;
	m->objects[object].links++;
}

static inline void m_take(struct model *m, int directory, const char *name)
{
	struct m_object *d = &m->objects[directory];
	struct m_entry *e = m_find(m, directory, name);
	struct m_object *o;

	assert_non_null(e);
	o = &m->objects[e->object];
	o->links--;
	if (o->links == 0) {
		o->exists = false;
	}
	*e = d->entries[--d->num_entries];
}

static inline void m_resize(struct model *m, struct m_object *o, size_t size)
{
	if (size > o->size) {
		o->data = talloc_realloc(m, o->data, uint8_t, size);
		memset(o->data + o->size, 0, size - o->size);
	}
	o->size = size;
}

static inline void m_touch(struct m_object *o, const struct step *s)
{
	o->mtime_known = true;
	o->mtime = s->time;
}

static inline void model_apply(struct model *m, const struct step *s)
{
	struct m_object *o = &m->objects[s->object];

	switch (s->type) {
	case RECORD_CREATE:
	case RECORD_MKDIR:
	case RECORD_SYMLINK:
	case RECORD_MKNOD:
		if (s->object >= m->count) {
			m->count = s->object + 1;
		}
		assert_true(m->count <= MAX_OBJECTS);
		*o = (struct m_object){
			.exists = true, .chosen = true, .id = s->new_id,
			.mode = s->mode & ~s->umask,
			.uid = s->user, .gid = s->user,
			.type = s->type == RECORD_CREATE ? 'f' :
				s->type == RECORD_MKDIR ? 'd' :
				s->type == RECORD_SYMLINK ? 'l' : 'p',
		};
		if (o->type == 'l') {
			o->mode = 0777;
			memcpy(o->target, s->value, VALUE_SIZE);
		}
		m_put(m, s->parent, s->name, s->object);
		break;
	case RECORD_LINK:
		m_put(m, s->parent2, s->name2, s->object);
		break;
	case RECORD_UNLINK:
	case RECORD_RMDIR:
		m_take(m, s->parent, s->name);
		break;
	case RECORD_RENAME:
		if (s->replaced == s->object) {
			break;
		}
		if (s->replaced != NONE) {
			m_take(m, s->parent2, s->name2);
		}
		o->links++;	/* so that it does not vanish in between */
		m_take(m, s->parent, s->name);
		m_put(m, s->parent2, s->name2, s->object);
		o->links--;
		break;
	case RECORD_WRITE:
		if (s->offset + s->length > o->size) {
			m_resize(m, o, s->offset + s->length);
		}
		memset(o->data + s->offset, s->fill, s->length);
		m_touch(o, s);
		break;
	case RECORD_TRUNCATE:
		m_resize(m, o, s->length);
		m_touch(o, s);
		break;
	case RECORD_FALLOCATE:
		if (s->offset + s->length > o->size) {
			m_resize(m, o, s->offset + s->length);
		}
		m_touch(o, s);
		break;
	case RECORD_SETXATTR:
		memcpy(o->value, s->value, VALUE_SIZE);
		break;
	case RECORD_REMOVEXATTR:
		o->value[0] = '\0';
		break;
	case RECORD_CHMOD:
		o->mode = s->mode;
		break;
	case RECORD_CHOWN:
		o->uid = s->uid;
		o->gid = s->gid;
		break;
	case RECORD_TIMES:
		o->mtime_known = true;
		o->mtime = s->mtime;
		break;
	default:
		fail();
	}
	/* Times of directories are not compared. */
	if (o->type == 'd') {
		o->mtime_known = false;
	}
}

/* Path of an object from the root; false if it has no name. */
static inline bool m_path(const struct model *m, int object, char *path,
			  size_t size)
{
	int d;
	int i;

	if (object == ROOT) {
		snprintf(path, size, ".");
		return true;
	}
	for (d = 0; d < m->count; d++) {
		const struct m_object *directory = &m->objects[d];

		if (!directory->exists || directory->type != 'd') {
			continue;
		}
		for (i = 0; i < directory->num_entries; i++) {
			size_t used;

			if (directory->entries[i].object != object) {
				continue;
			}
			if (!m_path(m, d, path, size)) {
				continue;
			}
			used = strlen(path);
			snprintf(path + used, size - used, "/%s",
				 directory->entries[i].name);
			return true;
		}
	}
	return false;
}

/* Is directory b the directory a, or below it? */
static inline bool m_is_below(const struct model *m, int a, int b)
{
	const struct m_object *directory = &m->objects[a];
	int i;

	if (a == b) {
		return true;
	}
	if (directory->type != 'd') {
		return false;
	}
	for (i = 0; i < directory->num_entries; i++) {
		if (m_is_below(m, directory->entries[i].object, b)) {
			return true;
		}
	}
	return false;
}

/* ---- volume ------------------------------------------------------------ */

struct volume {
	int root_fd;
	struct mirror_handle handles[MAX_OBJECTS];	/* as records hint */
};

static inline void be(uint32_t user)
{
	if (geteuid() != 0) {
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(setegid(user), 0);
	if (user != 0) {
		assert_int_equal(seteuid(user), 0);
	}
}

static inline int open_path(const struct volume *v, const struct model *m,
			    int object, int flags)
{
	char path[512];
	int fd;

	assert_true(m_path(m, object, path, sizeof(path)));
	fd = openat(v->root_fd, path, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		fail_msg("open %s: %s", path, strerror(errno));
	}
	return fd;
}

#define MUST(call) do {							\
	if ((call) == -1) {						\
		int must_errno = errno;					\
		be(0);							\
		fail_msg("%s: %s (step %s)", #call,			\
			 strerror(must_errno),				\
			 record_type_name(s->type));			\
	}								\
} while (0)

static inline void execute_names(struct volume *v, const struct model *m,
				 const struct step *s)
{
	int p = -1, p2 = -1, o = -1;
	char path[64];

	if (s->parent != NONE) {
		p = open_path(v, m, s->parent, O_PATH);
	}
	if (s->parent2 != NONE) {
		p2 = open_path(v, m, s->parent2, O_PATH);
	}
	if (s->type == RECORD_LINK) {
		o = open_path(v, m, s->object, O_PATH);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", o);
	}
	be(s->user);
	umask(s->umask);
	switch (s->type) {
	case RECORD_CREATE:
		MUST(o = openat(p, s->name, O_CREAT | O_EXCL | O_RDWR,
				s->mode));
		break;
	case RECORD_MKDIR:
		MUST(mkdirat(p, s->name, s->mode));
		break;
	case RECORD_SYMLINK:
		MUST(symlinkat(s->value, p, s->name));
		break;
	case RECORD_MKNOD:
		MUST(mknodat(p, s->name, S_IFIFO | s->mode, 0));
		break;
	case RECORD_LINK:
		MUST(linkat(AT_FDCWD, path, p2, s->name2, AT_SYMLINK_FOLLOW));
		break;
	case RECORD_UNLINK:
		MUST(unlinkat(p, s->name, 0));
		break;
	case RECORD_RMDIR:
		MUST(unlinkat(p, s->name, AT_REMOVEDIR));
		break;
	case RECORD_RENAME:
		MUST(renameat(p, s->name, p2, s->name2));
		break;
	default:
		fail();
	}
	be(0);
	umask(0);
	close(p);
	close(p2);
	close(o);
}

static inline bool is_birth_step(const struct step *s)
{
	return s->type == RECORD_CREATE || s->type == RECORD_MKDIR ||
	       s->type == RECORD_SYMLINK || s->type == RECORD_MKNOD;
}

static inline bool is_namespace_step(const struct step *s)
{
	return is_birth_step(s) || s->type == RECORD_LINK ||
	       s->type == RECORD_UNLINK || s->type == RECORD_RMDIR ||
	       s->type == RECORD_RENAME;
}

static inline bool is_data_step(const struct step *s)
{
	return s->type == RECORD_WRITE || s->type == RECORD_TRUNCATE ||
	       s->type == RECORD_FALLOCATE;
}

/* The second half of a creation. */
static inline void execute_id(struct volume *v, const struct model *m,
			      const struct step *s)
{
	struct mirror_id id;
	int p = open_path(v, m, s->parent, O_PATH);

	assert_int_equal(mirror_id_set_name(p, s->name, &s->new_id), 0);
	assert_int_equal(mirror_id_of_name(p, s->name, &id,
					   &v->handles[s->object], NULL), 0);
	close(p);
}

static inline void execute_other(struct volume *v, const struct model *m,
				 const struct step *s)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = s->mtime.seconds, .tv_nsec = s->mtime.nanoseconds },
	};
	char path[64];
	uint8_t *data;
	int fd;

	fd = open_path(v, m, s->object, is_data_step(s) ? O_RDWR : O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	be(s->user);
	switch (s->type) {
	case RECORD_WRITE:
		data = malloc(s->length);
		memset(data, s->fill, s->length);
		MUST(pwrite(fd, data, s->length, (off_t)s->offset));
		free(data);
		break;
	case RECORD_TRUNCATE:
		MUST(ftruncate(fd, (off_t)s->length));
		break;
	case RECORD_FALLOCATE:
		MUST(fallocate(fd, 0, (off_t)s->offset, (off_t)s->length));
		break;
	case RECORD_SETXATTR:
		MUST(setxattr(path, TEST_XATTR, s->value, strlen(s->value), 0));
		break;
	case RECORD_REMOVEXATTR:
		MUST(removexattr(path, TEST_XATTR));
		break;
	case RECORD_CHMOD:
		MUST(chmod(path, s->mode));
		break;
	case RECORD_CHOWN:
		MUST(chown(path, s->uid, s->gid));
		break;
	case RECORD_TIMES:
		MUST(utimensat(fd, "", times, AT_EMPTY_PATH));
		break;
	default:
		fail();
	}
	be(0);
	close(fd);
}

/* m is what is on the volume; s is applied to it as well. */
static inline void execute(struct volume *v, struct model *m,
			   const struct step *s)
{
	if (is_namespace_step(s)) {
		execute_names(v, m, s);
		model_apply(m, s);
		if (is_birth_step(s)) {
			execute_id(v, m, s);
		}
		return;
	}
	execute_other(v, m, s);
	model_apply(m, s);
}

/* ---- records ----------------------------------------------------------- */

struct log_entry {
	struct mirror_id session;
	uint8_t *bytes;
	size_t length;
};

struct log {
	struct log_entry *entries;
	size_t count;
	struct mirror_id sessions[2];
	uint64_t sequences[2];
};

static inline struct log *log_new(TALLOC_CTX *mem_ctx)
{
	struct log *log = talloc_zero(mem_ctx, struct log);

	mirror_id_choose(&log->sessions[0]);
	mirror_id_choose(&log->sessions[1]);
	return log;
}

static inline uint64_t log_add(struct log *log, int session,
			       struct record *r)
{
	struct log_entry *e;
	uint8_t *head;
	size_t length;

	r->sequence = ++log->sequences[session];
	r->epoch = 1;
	assert_int_equal(record_encode(log, r, &head, &length), 0);
	log->entries = talloc_realloc(log, log->entries, struct log_entry,
				      log->count + 1);
	e = &log->entries[log->count++];
	e->session = log->sessions[session];
	e->length = length + r->data_length;
	e->bytes = talloc_array(log, uint8_t, e->length);
	memcpy(e->bytes, head, length);
	if (r->data_length > 0) {
		memcpy(e->bytes + length, r->data, r->data_length);
	}
	talloc_free(head);
	return r->sequence;
}

static inline struct mirror_id m_id(const struct model *m,
				    const struct volume *v, int object)
{
	struct mirror_id id = { { 0 } };

	if (object == NONE) {
		return id;
	}
	if (m->objects[object].chosen) {
		return m->objects[object].id;
	}
	assert_true(mirror_id_derive(&v->handles[object], &id));
	return id;
}

static inline struct mirror_handle m_hint(const struct volume *v, int object)
{
	return object == NONE ? (struct mirror_handle){ .length = 0 }
			      : v->handles[object];
}

/* m is what there was before the step. */
static inline uint64_t log_step(struct log *log, int session,
				const struct model *m,
				const struct volume *v,
				const struct step *s)
{
	uint32_t groups[1] = { s->user };
	struct record r = {
		.type = s->type, .time = s->time,
		.credentials = { .uid = s->user, .gid = s->user,
				 .umask = s->umask,
				 .num_groups = s->user != 0,
				 .groups = groups },
		.parent = m_id(m, v, s->parent),
		.parent_hint = m_hint(v, s->parent),
		.parent2 = m_id(m, v, s->parent2),
		.parent2_hint = m_hint(v, s->parent2),
		.replaced = m_id(m, v, s->replaced),
		.replaced_hint = m_hint(v, s->replaced),
		.name = s->name, .name2 = s->name2,
		.mode = s->mode, .uid = s->uid, .gid = s->gid,
		.offset = s->offset, .length = s->length,
		.atime = { .nanoseconds = UTIME_OMIT }, .mtime = s->mtime,
	};
	uint8_t *data = NULL;
	uint64_t sequence;

	if (is_birth_step(s)) {
		r.object = s->new_id;
		r.name2 = s->value;
		if (s->type == RECORD_MKNOD) {
			r.mode |= S_IFIFO;
		}
	} else {
		r.object = m_id(m, v, s->object);
		r.object_hint = m_hint(v, s->object);
	}
	switch (s->type) {
	case RECORD_WRITE:
		data = malloc(s->length);
		memset(data, s->fill, s->length);
		r.data = data;
		r.data_length = s->length;
		break;
	case RECORD_SETXATTR:
		r.data = (const uint8_t *)s->value;
		r.data_length = strlen(s->value);
		r.name = TEST_XATTR;
		r.mode = 0;
		break;
	case RECORD_REMOVEXATTR:
		r.name = TEST_XATTR;
		break;
	case RECORD_FALLOCATE:
		r.mode = 0;
		break;
	default:
		break;
	}
	sequence = log_add(log, session, &r);
	free(data);
	return sequence;
}

static inline void quiet(enum replay_level level, const char *message,
			 void *private_data)
{
	int *warnings = private_data;

	if (getenv("MIRROR_TEST_VERBOSE") != NULL) {
		fprintf(stderr, "  replay(%d): %s\n", level, message);
	}
	if (warnings != NULL && level == REPLAY_WARNING) {
		(*warnings)++;
	}
}

static inline int replay_records(const struct log *log, size_t from,
				 int root_fd, struct replay_result *result,
				 int *warnings)
{
	struct replay_result ignored;
	struct replay *replay;
	size_t i;
	int ret;

	assert_int_equal(replay_new(NULL, root_fd, &replay), 0);
	replay_set_logger(replay, quiet, warnings);
	for (i = from; i < log->count; i++) {
		assert_int_equal(replay_add(replay, &log->entries[i].session,
					    log->entries[i].bytes,
					    log->entries[i].length), 0);
	}
	ret = replay_run(replay, NULL, NULL,
			 result != NULL ? result : &ignored);
	talloc_free(replay);
	return ret;
}

/* ---- comparing --------------------------------------------------------- */

static inline uint32_t sum_data(const uint8_t *data, size_t size)
{
	uint32_t sum = 2166136261U;
	size_t i;

	for (i = 0; i < size; i++) {
		sum = (sum ^ data[i]) * 16777619U;
	}
	return sum;
}

struct line {
	const char *path;
	char type;
	struct mirror_id id;
	uint32_t mode, uid, gid;
	int links;
	size_t size;
	uint32_t sum;
	const char *value;
	const char *target;
	const struct record_time *mtime;	/* NULL: not compared */
};

static inline char *add_line(char *text, const struct line *l)
{
	char id[MIRROR_ID_STRING_SIZE];

	text = talloc_asprintf_append_buffer(
		text, "%s %c %s %04o %u:%u", l->path, l->type,
		mirror_id_string(&l->id, id), l->mode, l->uid, l->gid);
	if (l->type != 'd') {
		text = talloc_asprintf_append_buffer(
			text, " links=%d size=%zu sum=%08x", l->links,
			l->size, l->sum);
	}
	text = talloc_asprintf_append_buffer(text, " value=%s target=%s",
					     l->value, l->target);
	if (l->mtime != NULL) {
		text = talloc_asprintf_append_buffer(
			text, " mtime=%lld.%09u",
			(long long)l->mtime->seconds, l->mtime->nanoseconds);
	}
	return talloc_strdup_append_buffer(text, "\n");
}

static inline int by_name(const void *a, const void *b)
{
	return strcmp(((const struct m_entry *)a)->name,
		      ((const struct m_entry *)b)->name);
}

static inline char *model_text(const struct model *m, const struct volume *v,
			       int directory, const char *path, char *text)
{
	struct m_entry entries[MAX_ENTRIES];
	const struct m_object *d = &m->objects[directory];
	int i;

	memcpy(entries, d->entries, sizeof(entries));
	qsort(entries, (size_t)d->num_entries, sizeof(entries[0]), by_name);
	for (i = 0; i < d->num_entries; i++) {
		const struct m_object *o = &m->objects[entries[i].object];
		char *below = talloc_asprintf(text, "%s/%s", path,
					      entries[i].name);
		struct line line = {
			.path = below, .type = o->type,
			.id = m_id(m, v, entries[i].object),
			.mode = o->mode, .uid = o->uid, .gid = o->gid,
			.links = o->links, .size = o->size,
			.sum = sum_data(o->data, o->size), .value = o->value,
			.target = o->target,
			.mtime = o->mtime_known ? &o->mtime : NULL
		};

		text = add_line(text, &line);
		if (o->type == 'd') {
			text = model_text(m, v, entries[i].object, below,
					  text);
		}
	}
	return text;
}

/* m only tells which times are to be compared. */
static inline char *volume_text(const struct model *m,
				const struct volume *v,
				int parent_fd,
				const char *name,
				const char *path,
				char *text)
{
	struct m_entry entries[MAX_ENTRIES];
	int count = 0;
	struct dirent *entry;
	DIR *dir;
	int fd;
	int i;

	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	dir = fdopendir(fd);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, "lost+found") == 0) {
			continue;
		}
		assert_true(count < MAX_ENTRIES);
		assert_true(strlen(entry->d_name) < NAME_SIZE);
		strcpy(entries[count++].name, entry->d_name);
	}
	qsort(entries, (size_t)count, sizeof(entries[0]), by_name);
	for (i = 0; i < count; i++) {
		char *below = talloc_asprintf(text, "%s/%s", path,
					      entries[i].name);
		struct mirror_handle handle;
		char value[VALUE_SIZE] = "";
		char target[VALUE_SIZE] = "";
		char proc[64];
		struct record_time mtime;
		struct line line = { .path = below, .value = value,
				     .target = target };
		struct stat st;
		int o;
		int k;

		o = openat(fd, entries[i].name,
			   O_PATH | O_NOFOLLOW | O_CLOEXEC);
		assert_int_not_equal(o, -1);
		assert_int_equal(fstat(o, &st), 0);
		assert_int_equal(mirror_id_of_fd(o, &line.id, &handle, NULL),
				 0);
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", o);
		if (getxattr(proc, TEST_XATTR, value, sizeof(value) - 1) ==
		    -1) {
			value[0] = '\0';
		}
		line.type = S_ISREG(st.st_mode) ? 'f' :
			    S_ISDIR(st.st_mode) ? 'd' :
			    S_ISLNK(st.st_mode) ? 'l' : 'p';
		line.mode = st.st_mode & 07777;
		line.uid = st.st_uid;
		line.gid = st.st_gid;
		line.links = (int)st.st_nlink;
		line.sum = sum_data(NULL, 0);
		if (line.type == 'f') {
			uint8_t *data = malloc((size_t)st.st_size + 1);
			int real = open(proc, O_RDONLY | O_CLOEXEC);

			assert_int_equal(read(real, data, (size_t)st.st_size +
					      1), st.st_size);
			line.size = (size_t)st.st_size;
			line.sum = sum_data(data, line.size);
			free(data);
			close(real);
		}
		if (line.type == 'l') {
			assert_true(readlinkat(fd, entries[i].name, target,
					       sizeof(target) - 1) >= 0);
		}
		for (k = 0; k < m->count; k++) {
			const struct m_object *x = &m->objects[k];
			struct mirror_id id;

			if (!x->exists || !x->mtime_known) {
				continue;
			}
			id = m_id(m, v, k);
			if (mirror_id_equal(&id, &line.id)) {
				mtime.seconds = st.st_mtim.tv_sec;
				mtime.nanoseconds =
					(uint32_t)st.st_mtim.tv_nsec;
				line.mtime = &mtime;
			}
		}
		text = add_line(text, &line);
		close(o);
		if (line.type == 'd') {
			text = volume_text(m, v, fd, entries[i].name, below,
					   text);
		}
	}
	closedir(dir);
	return text;
}

/* NULL if they are equal, else both, for the message. Child of mem_ctx. */
static inline char *compare(TALLOC_CTX *mem_ctx, const struct model *m,
			    const struct volume *v)
{
	char *expected = model_text(m, v, ROOT, "",
				    talloc_strdup(mem_ctx, ""));
	char *found = volume_text(m, v, v->root_fd, ".", "",
				  talloc_strdup(mem_ctx, ""));
	char *difference = NULL;

	if (strcmp(expected, found) != 0) {
		difference = talloc_asprintf(mem_ctx,
					     "expected:\n%sfound:\n%s",
					     expected, found);
	}
	talloc_free(expected);
	talloc_free(found);
	return difference;
}

static inline char *describe_step(TALLOC_CTX *mem_ctx, const struct step *s)
{
	return talloc_asprintf(mem_ctx,
			       "%s %d/%s -> %d/%s object %d replaced %d "
			       "user %u mode %o %llu+%llu %s",
			       record_type_name(s->type), s->parent, s->name,
			       s->parent2, s->name2, s->object, s->replaced,
			       s->user, s->mode,
			       (unsigned long long)s->offset,
			       (unsigned long long)s->length, s->value);
}

/* Everything in the directory goes. */
static inline void clear(int parent_fd, const char *name)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	dir = fdopendir(fd);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0) {
			continue;
		}
		if (unlinkat(fd, entry->d_name, 0) == -1) {
			clear(fd, entry->d_name);
			assert_int_equal(unlinkat(fd, entry->d_name,
						  AT_REMOVEDIR), 0);
		}
	}
	closedir(dir);
}

#endif /* TESTS_MINI_MODULE_H */
