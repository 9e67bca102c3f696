/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first pass of replay: which namespace records does the volume have
 * already? (R10)
 *
 * To look at each record alone ("is the precondition met?") does not do. For
 *	create a (x); rename a -> b; unlink b; create b (y)
 * all of which the volume has, it would make x anew and then find b taken by
 * y, so that x stays for ever. So the question is asked for the whole log.
 *
 * Every namespace record tells what its one or two names led to before and
 * after it. Call "cut" a set C of namespace records such that
 *   (1) of the records that touch a name, C has the first so-and-so many;
 *   (2) every name leads on the volume to what the last record in C that
 *       touches it says (or, if there is none, what the first one found);
 *   (3) of the records that name an object that the volume does not have,
 *       as the object, what was replaced, or a directory, C has all or none;
 *   (4) if C lacks a LINK of an object, it has no later record that removes
 *       another name of that object.
 *
 * Let T be the records that the volume really has. T is a cut: (1), (2) and
 * (4) because such records are in the order of their execution (replay.h) and
 * what survives is closed under "executed before and depended on". (3): the
 * object is not there either because its creation is not in T, and then
 * nothing that came to name it is, or because its last name was removed, and
 * then all that named it came before.
 *
 * The union of cuts is a cut: for each name it has as many records as one of
 * them. So there is a greatest cut G, which holds T, and it is found by
 * starting with all records and taking away what cannot be in any cut.
 *
 * G may have more than T, for instance a creation and the removal of what it
 * created. But names lead to the same after G as after T, by (2): all of G is
 * done as far as anybody can tell. And of what remains, each record finds, in
 * the order of the log, what it found when it was first executed:
 *   - its names, by (1) and (2);
 *   - the directories: a directory is either made anew by a record before it,
 *     by (3), or it is there, and then so is its removal's place in the log:
 *     each record that moves it touches the name that the one before gave it,
 *     so that of these, too, G has the first so-and-so many;
 *   - for a LINK, the object: what G has of its names' removals that are
 *     still to come in the log is, by (4), before the first LINK that G lacks.
 *     With all of them and all LINKs up to there done the object had a name
 *     left, when that LINK was first executed; so it has one until then, and
 *     the same goes for the next.
 * So exactly the rest is redone, and the tree becomes the one after the last
 * record. That is also true for what a replay that was killed has left: it is
 * what is on the volume after some more records.
 *
 * One thing is between two records: an object that was created and has not
 * got its id yet. Nothing was done with it, so it is removed, and the record
 * is one of those that are to be redone. (If a record knows its handle, it
 * gets its id now.)
 */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "replay_internal.h"

/* ---- reading the log --------------------------------------------------- */

static bool is_birth(enum record_type type)
{
	return type == RECORD_CREATE || type == RECORD_MKDIR ||
	       type == RECORD_SYMLINK || type == RECORD_MKNOD;
}

static bool is_namespace(enum record_type type)
{
	return is_birth(type) || type == RECORD_LINK ||
	       type == RECORD_UNLINK || type == RECORD_RMDIR ||
	       type == RECORD_RENAME;
}

/* May others do more or less with the object afterwards? */
static bool changes_permission(const struct record *record)
{
	if (record->type == RECORD_SETXATTR ||
	    record->type == RECORD_REMOVEXATTR) {
		return strncmp(record->name, "system.posix_acl_",
			       strlen("system.posix_acl_")) == 0;
	}
	return record->type == RECORD_CHMOD || record->type == RECORD_CHOWN;
}

/* What loses a name? Directories have no LINKs and do not matter here. */
static struct object *loser(const struct operation *operation)
{
	if (operation->type == RECORD_UNLINK) {
		return operation->object;
	}
	if (operation->type == RECORD_RENAME &&
	    operation->replaced != operation->object) {
		return operation->replaced;
	}
	return NULL;
}

/* *object is NULL for "none". 0 or ENOMEM. */
static int mention(struct replay *replay,
		   const struct mirror_id *id,
		   const struct mirror_handle *hint,
		   struct object **object)
{
	*object = NULL;
	if (mirror_id_is_none(id)) {
		return 0;
	}
	*object = object_get(replay->objects, id);
	if (*object == NULL) {
		return ENOMEM;
	}
	(*object)->mentioned = true;
	return object_add_hint(*object, hint);
}

static void add_member(struct operation *operation, struct object *object)
{
	struct member *member;
	int i;

	if (object == NULL) {
		return;
	}
	for (i = 0; i < operation->num_members; i++) {
		if (operation->members[i].object == object) {
			return;
		}
	}
	member = &operation->members[operation->num_members++];
	member->operation = operation;
	member->object = object;
	member->next = object->members;
	object->members = member;
}

/* It never happened: take it out of the histories of its names. */
static void drop(struct replay *replay, struct operation *operation)
{
	int i;

	operation->dropped = true;
	operation->persisted = false;
	if (is_birth(operation->type)) {
		operation->object->born = false;
	}
	for (i = 0; i < operation->num_touches; i++) {
		struct touch *touch = &operation->touches[i];
		struct touch **place = &touch->name->newest;

		while (*place != touch) {
			place = &(*place)->previous;
		}
		*place = touch->previous;
	}
	replay_message(replay, REPLAY_DEBUG,
		       "record %ju was never executed, by what came later",
		       (uintmax_t)operation->index);
}

static int add_touch(struct replay *replay,
		     struct operation *operation,
		     struct object *parent,
		     const char *text,
		     struct object *before,
		     struct object *after)
{
	struct touch *touch = &operation->touches[operation->num_touches++];
	struct name *name = name_get(replay->objects, parent, text);

	if (name == NULL) {
		return ENOMEM;
	}
	*touch = (struct touch){
		.operation = operation, .name = name,
		.before = before, .after = after
	};
	/*
	 * A process that died between sending a record and executing it left
	 * a record that never happened; what others did with the name
	 * afterwards tells.
	 */
	while (name->newest != NULL && name->newest->after != before &&
	       name->newest->operation->unconfirmed) {
		drop(replay, name->newest->operation);
	}
	if (name->newest != NULL && name->newest->after != before) {
		replay_message(replay, REPLAY_WARNING,
			       "records %ju and %ju do not agree about \"%s\"",
			       (uintmax_t)name->newest->operation->index,
			       (uintmax_t)operation->index, text);
	}
	touch->previous = name->newest;
	name->newest = touch;
	return 0;
}

static int add_rename(struct replay *replay,
		      struct operation *operation,
		      const struct record *record,
		      struct object *parent,
		      struct object *parent2)
{
	struct object *object = operation->object;
	struct object *left = NULL;
	int ret;

	if (parent == parent2 && strcmp(record->name, record->name2) == 0) {
		return add_touch(replay, operation, parent, record->name,
				 object, object);
	}
	if (operation->replaced == object) {
		/* Two links of one object: POSIX says that nothing happens. */
		left = object;
	}
	ret = add_touch(replay, operation, parent, record->name, object, left);
	if (ret != 0) {
		return ret;
	}
	return add_touch(replay, operation, parent2, record->name2,
			 operation->replaced, object);
}

static int add_operation(struct replay *replay,
			 uint64_t index,
			 const struct record *record,
			 struct object *object)
{
	struct operation *operation;
	struct object *parent;
	struct object *parent2;
	int ret;

	operation = talloc_zero(replay->objects, struct operation);
	if (operation == NULL) {
		return ENOMEM;
	}
	replay->log->entries[index].operation = operation;
	operation->index = index;
	operation->type = record->type;
	operation->persisted = true;
	operation->unconfirmed = record_log_is_last(replay->log, index);
	operation->object = object;

	ret = mention(replay, &record->parent, &record->parent_hint, &parent);
	if (ret == 0) {
		ret = mention(replay, &record->parent2, &record->parent2_hint,
			      &parent2);
	}
	if (ret == 0) {
		ret = mention(replay, &record->replaced,
			      &record->replaced_hint, &operation->replaced);
	}
	if (ret != 0) {
		return ret;
	}
	if (object == NULL ||
	    (parent == NULL && record->type != RECORD_LINK) ||
	    (parent2 == NULL && (record->type == RECORD_LINK ||
				 record->type == RECORD_RENAME))) {
		return EBADMSG;
	}
	add_member(operation, object);
	add_member(operation, operation->replaced);
	add_member(operation, parent);
	add_member(operation, parent2);
	if (loser(operation) != NULL) {
		operation->older = loser(operation)->removals;
		loser(operation)->removals = operation;
	}

	switch (record->type) {
	case RECORD_LINK:
		return add_touch(replay, operation, parent2, record->name2,
				 NULL, object);
	case RECORD_UNLINK:
	case RECORD_RMDIR:
		return add_touch(replay, operation, parent, record->name,
				 object, NULL);
	case RECORD_RENAME:
		return add_rename(replay, operation, record, parent, parent2);
	default:
		object->born = true;
		return add_touch(replay, operation, parent, record->name,
				 NULL, object);
	}
}

struct reading {
	struct replay *replay;
	uint64_t index;
};

static int read_record(const uint8_t *bytes, size_t length,
		       void *private_data)
{
	const struct reading *reading = private_data;
	struct replay *replay = reading->replay;
	const uint64_t index = reading->index;
	struct entry *entry = &replay->log->entries[index];
	struct object *object;
	struct record record;
	int ret;

	ret = record_decode(replay->scratch, bytes, length, &record);
	if (ret == 0) {
		ret = mention(replay, &record.object, &record.object_hint,
			      &object);
	}
	if (ret != 0) {
		return ret;
	}
	if (is_namespace(record.type)) {
		return add_operation(replay, index, &record, object);
	}
	if (object == NULL) {
		return EBADMSG;
	}
	entry->object = object;
	if (changes_permission(&record)) {
		object->last_permission = index;
	}
	return 0;
}

/* R2. Both the record and its cancellation are done with. */
static int cancel(const uint8_t *bytes, size_t length, void *private_data)
{
	const struct reading *reading = private_data;
	struct replay *replay = reading->replay;
	struct entry *entry = &replay->log->entries[reading->index];
	struct entry *cancelled;
	struct record record;
	int ret;

	ret = record_decode(replay->scratch, bytes, length, &record);
	if (ret != 0) {
		return ret;
	}
	entry->cancelled = true;
	cancelled = record_log_find(replay->log, entry->session,
				    record.cancels);
	if (cancelled != NULL) {
		cancelled->cancelled = true;
	}
	return 0;
}

static int read_log(struct replay *replay)
{
	struct record_log *log = replay->log;
	struct reading reading = { .replay = replay };
	uint64_t *i = &reading.index;
	int ret;

	for (*i = 0; *i < log->count; (*i)++) {
		if (log->entries[*i].type != RECORD_CANCEL) {
			continue;
		}
		ret = record_log_view(log, *i, cancel, &reading);
		talloc_free_children(replay->scratch);
		if (ret != 0) {
			return ret;
		}
	}
	for (*i = 0; *i < log->count; (*i)++) {
		if (log->entries[*i].cancelled) {
			continue;
		}
		ret = record_log_view(log, *i, read_record, &reading);
		talloc_free_children(replay->scratch);
		if (ret != 0) {
			replay_message(replay, REPLAY_ERROR,
				       "record %ju cannot be used: %s",
				       (uintmax_t)*i, strerror(ret));
			return ret;
		}
	}
	return 0;
}

/* ---- reading the volume ------------------------------------------------ */

static bool type_fits(enum record_type type, mode_t mode)
{
	switch (type) {
	case RECORD_CREATE:
		return S_ISREG(mode);
	case RECORD_MKDIR:
		return S_ISDIR(mode);
	case RECORD_SYMLINK:
		return S_ISLNK(mode);
	default:
		return type == RECORD_MKNOD && !S_ISDIR(mode) &&
		       !S_ISLNK(mode);
	}
}

/* Removes it if it can be nothing but a creation that was cut short. */
static int remove_unfinished(struct replay *replay,
			     int parent_fd,
			     struct name *name,
			     bool *removed)
{
	const struct touch *touch = name->newest;
	struct stat st;
	int flags;

	*removed = false;
	if (fstatat(parent_fd, name->text, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		return errno;
	}
	while (touch != NULL && !type_fits(touch->operation->type,
					   st.st_mode)) {
		touch = touch->previous;
	}
	if (touch == NULL ||
	    (S_ISREG(st.st_mode) && st.st_size != 0) ||
	    (!S_ISDIR(st.st_mode) && st.st_nlink != 1)) {
		return 0;
	}
	flags = S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0;
	if (unlinkat(parent_fd, name->text, flags) == -1) {
		return errno == ENOTEMPTY || errno == EEXIST ? 0 : errno;
	}
	*removed = true;
	replay_message(replay, REPLAY_DEBUG,
		       "removed \"%s\", created without its id", name->text);
	return 0;
}

/* Does a record know this handle as one of an object created here? */
static struct object *hinted_birth(const struct name *name,
				   const struct mirror_handle *handle)
{
	const struct touch *touch;

	for (touch = name->newest; touch != NULL; touch = touch->previous) {
		if (is_birth(touch->operation->type) &&
		    object_has_hint(touch->after, handle)) {
			return touch->after;
		}
	}
	return NULL;
}

static int bind_name(struct replay *replay, struct name *name, int parent_fd)
{
	struct mirror_handle handle;
	struct object *object;
	struct mirror_id id;
	bool chosen;
	int ret;

	ret = mirror_id_of_name(parent_fd, name->text, &id, &handle, &chosen);
	if (ret == ENOENT || ret == ENOTDIR || ret == ENAMETOOLONG) {
		return 0;
	}
	if (ret != 0) {
		return ret;
	}
	object = object_find(replay->objects, &id);
	if (!chosen && (object == NULL || !object->mentioned)) {
		bool removed;

		object = hinted_birth(name, &handle);
		if (object != NULL) {
			ret = mirror_id_set_name(parent_fd, name->text,
						 &object->id);
		} else {
			ret = remove_unfinished(replay, parent_fd, name,
						&removed);
			if (ret == 0 && removed) {
				return 0;
			}
		}
		if (ret != 0) {
			return ret;
		}
	}
	if (object == NULL) {
		object = object_get(replay->objects, &id);
		if (object == NULL) {
			return ENOMEM;
		}
	}
	object_found(object, &handle);
	name->bound = object;
	return 0;
}

static int examine(struct replay *replay,
		   struct object *directory,
		   struct object **queue)
{
	struct name *name;
	int ret = 0;

	for (name = directory->names; name != NULL && ret == 0;
	     name = name->next_in_parent) {
		struct object *object;
		int fd;

		ret = object_path(replay->objects, directory, &fd);
		if (ret == 0) {
			ret = bind_name(replay, name, fd);
		}
		object = name->bound;
		if (object != NULL && object->is_parent && !object->examined) {
			object->examined = true;
			object->next_queued = *queue;
			*queue = object;
		}
	}
	return ret;
}

/*
 * Directories are found by their handles, or under a name in one that was
 * found. What is not found in the end is not there, and has no names.
 */
static int read_volume(struct replay *replay)
{
	struct object *queue = NULL;
	struct object *object;
	int ret;

	for (object = replay->objects->all; object != NULL;
	     object = object->next_all) {
		if (!object->is_parent || object->examined) {
			continue;
		}
		ret = object_look_up(replay->objects, object);
		if (ret != 0) {
			return ret;
		}
		if (object->alive) {
			object->examined = true;
			object->next_queued = queue;
			queue = object;
		}
	}
	while (queue != NULL) {
		object = queue;
		queue = object->next_queued;
		ret = examine(replay, object, &queue);
		if (ret != 0) {
			return ret;
		}
	}
	for (object = replay->objects->all; object != NULL;
	     object = object->next_all) {
		if (object->members == NULL || object->born) {
			continue;
		}
		ret = object_look_up(replay->objects, object);
		if (ret != 0) {
			return ret;
		}
	}
	return 0;
}

/* ---- the greatest cut -------------------------------------------------- */

struct cut {
	struct operation *operations;	/* to be taken out */
	struct name *names;		/* to be looked at */
};

static void take_out(struct cut *cut, struct operation *operation)
{
	if (operation->persisted && !operation->queued) {
		operation->queued = true;
		operation->next_queued = cut->operations;
		cut->operations = operation;
	}
}

static void look_again(struct cut *cut, struct name *name)
{
	if (!name->queued) {
		name->queued = true;
		name->next_queued = cut->names;
		cut->names = name;
	}
}

/* What else cannot be in a cut without this one? */
static void retract(struct cut *cut, struct operation *operation)
{
	int i;

	operation->persisted = false;
	for (i = 0; i < operation->num_touches; i++) {
		struct name *name = operation->touches[i].name;

		/* (1) */
		while (name->last != NULL &&
		       name->last->operation->index >= operation->index) {
			take_out(cut, name->last->operation);
			name->last = name->last->previous;
		}
		look_again(cut, name);
	}
	for (i = 0; i < operation->num_members; i++) {
		struct object *object = operation->members[i].object;
		struct member *member;

		/* (3) */
		if (object->alive || object->retracted) {
			continue;
		}
		object->retracted = true;
		for (member = object->members; member != NULL;
		     member = member->next) {
			take_out(cut, member->operation);
		}
	}
	if (operation->type == RECORD_LINK) {
		struct object *object = operation->object;

		/* (4) */
		while (object->removals != NULL &&
		       object->removals->index > operation->index) {
			take_out(cut, object->removals);
			object->removals = object->removals->older;
		}
	}
}

static void find_cut(struct replay *replay)
{
	struct cut cut = { .operations = NULL };
	struct name *name;

	for (name = replay->objects->all_names; name != NULL;
	     name = name->next_all) {
		name->last = name->newest;
		look_again(&cut, name);
	}
	while (cut.operations != NULL || cut.names != NULL) {
		if (cut.operations != NULL) {
			struct operation *operation = cut.operations;

			cut.operations = operation->next_queued;
			retract(&cut, operation);
			continue;
		}
		name = cut.names;
		cut.names = name->next_queued;
		name->queued = false;
		/* (2) */
		if (name->last != NULL && name->last->after != name->bound) {
			take_out(&cut, name->last->operation);
		}
	}
}

/* Names for which there is no cut: somebody else was at work there. */
static void report_strange_names(struct replay *replay)
{
	struct name *name;

	for (name = replay->objects->all_names; name != NULL;
	     name = name->next_all) {
		const struct touch *next = name->newest;

		while (next != NULL && next->previous != name->last) {
			next = next->previous;
		}
		if (name->last == NULL && next != NULL &&
		    next->before != name->bound) {
			replay_message(replay, REPLAY_WARNING,
				       "\"%s\" is not what any record says",
				       name->text);
		}
	}
}

/* Whose data need not be written: nobody will see it. */
static void find_doomed(struct replay *replay)
{
	struct object *object;
	struct name *name;

	for (object = replay->objects->all; object != NULL;
	     object = object->next_all) {
		object->doomed = object->born;
	}
	for (name = replay->objects->all_names; name != NULL;
	     name = name->next_all) {
		if (name->newest != NULL && name->newest->after != NULL) {
			name->newest->after->doomed = false;
		}
	}
}

int replay_plan(struct replay *replay)
{
	int ret;

	ret = read_log(replay);
	if (ret == 0) {
		ret = read_volume(replay);
	}
	if (ret != 0) {
		return ret;
	}
	find_cut(replay);
	report_strange_names(replay);
	find_doomed(replay);
	return 0;
}
