/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How each record is redone, see replay_internal.h.
 *
 * Namespace records are redone if the volume does not have them yet
 * (replay_plan.c) and their names lead to what they must (R10); data and
 * attributes always. Everything is done as the user who did it first (R7);
 * finding objects, and writing their ids, is done as root.
 */

#include <sys/stat.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/falloc.h>

#include "replay_internal.h"

/* Less than this is for the end. */
#define WRITEBACK_MIN (64 * 1024)

/* What a redo function gets. */
struct act {
	struct replay *replay;
	const struct record *record;
	struct object *object;
	int parent_fd;	/* of name */
	int parent2_fd;	/* of name2 */
	int fd;		/* of the object; LINK, attributes and data */
	bool real;	/* fd is a full descriptor, not O_PATH */
	char fd_path[32];	/* the object, for calls that refuse O_PATH */
	int new_fd;	/* what was created and opened by the way, or -1 */
	/* A later record changes who may do what: */
	bool parent_changes;	/* in one of the directories */
	bool object_changes;	/* with the object or what it replaces */
};

/* ---- namespace --------------------------------------------------------- */

static int redo_create(struct act *act)
{
	const struct record *r = act->record;

	act->new_fd = openat(act->parent_fd, r->name,
			     O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
			     r->mode & 07777);
	return act->new_fd == -1 ? errno : 0;
}

static int redo_mkdir(struct act *act)
{
	const struct record *r = act->record;

	return mkdirat(act->parent_fd, r->name, r->mode & 07777) == -1
		? errno : 0;
}

static int redo_symlink(struct act *act)
{
	const struct record *r = act->record;

	return symlinkat(r->name2, act->parent_fd, r->name) == -1 ? errno : 0;
}

static int redo_mknod(struct act *act)
{
	const struct record *r = act->record;

	return mknodat(act->parent_fd, r->name, (mode_t)r->mode,
		       (dev_t)r->device) == -1 ? errno : 0;
}

static int redo_link(struct act *act)
{
	return linkat(AT_FDCWD, act->fd_path, act->parent2_fd,
		      act->record->name2, AT_SYMLINK_FOLLOW) == -1 ? errno : 0;
}

static int redo_unlink(struct act *act)
{
	return unlinkat(act->parent_fd, act->record->name, 0) == -1
		? errno : 0;
}

static int redo_rmdir(struct act *act)
{
	return unlinkat(act->parent_fd, act->record->name,
			AT_REMOVEDIR) == -1 ? errno : 0;
}

static int redo_rename(struct act *act)
{
	const struct record *r = act->record;
	unsigned int flags = 0;

	if (mirror_id_is_none(&r->replaced)) {
		flags = RENAME_NOREPLACE;
	}
	return renameat2(act->parent_fd, r->name, act->parent2_fd, r->name2,
			 flags) == -1 ? errno : 0;
}

/* ---- data -------------------------------------------------------------- */

static int redo_write(struct act *act)
{
	const struct record *r = act->record;
	size_t done = 0;

	while (done < r->data_length) {
		ssize_t n = pwrite(act->fd, r->data + done,
				   r->data_length - done,
				   (off_t)(r->offset + done));

		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n == 0 ? EIO : errno;
		}
		done += (size_t)n;
	}
	/* The disk may begin: all of it is awaited in the end. */
	if (r->data_length >= WRITEBACK_MIN) {
		sync_file_range(act->fd, (off_t)r->offset,
				(off_t)r->data_length, SYNC_FILE_RANGE_WRITE);
	}
	act->replay->result->bytes += r->data_length;
	return 0;
}

static int redo_truncate(struct act *act)
{
	return ftruncate(act->fd, (off_t)act->record->length) == -1
		? errno : 0;
}

static int redo_fallocate(struct act *act)
{
	const struct record *r = act->record;
	const uint32_t repeatable = FALLOC_FL_KEEP_SIZE |
				    FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_ZERO_RANGE;

	if ((r->mode & ~repeatable) != 0) {
		/* To collapse or insert a range twice is to do it twice. */
		return EOPNOTSUPP;
	}
	return fallocate(act->fd, (int)r->mode, (off_t)r->offset,
			 (off_t)r->length) == -1 ? errno : 0;
}

/* ---- attributes -------------------------------------------------------- */

/* Nobody but replay itself gives ids to objects (R4). */
static bool is_id(const struct record *record)
{
	return strcmp(record->name, MIRROR_ID_XATTR) == 0;
}

static int redo_setxattr(struct act *act)
{
	const struct record *r = act->record;
	int ret;

	if (is_id(r)) {
		return EINVAL;
	}
	/*
	 * Without its flags: it succeeded once, and must not fail because of
	 * that.
	 */
	if (act->real) {
		ret = fsetxattr(act->fd, r->name, r->data, r->data_length, 0);
	} else {
		ret = setxattr(act->fd_path, r->name, r->data, r->data_length,
			       0);
	}
	return ret == -1 ? errno : 0;
}

static int redo_removexattr(struct act *act)
{
	const struct record *r = act->record;
	int ret;

	if (is_id(r)) {
		return EINVAL;
	}
	if (act->real) {
		ret = fremovexattr(act->fd, r->name);
	} else {
		ret = removexattr(act->fd_path, r->name);
	}
	return ret == -1 && errno != ENODATA ? errno : 0;
}

static int redo_chmod(struct act *act)
{
	const mode_t mode = act->record->mode & 07777;
	int ret;

	if (act->real) {
		ret = fchmod(act->fd, mode);
	} else {
		ret = chmod(act->fd_path, mode);
	}
	return ret == -1 ? errno : 0;
}

static int redo_chown(struct act *act)
{
	const struct record *r = act->record;

	return fchownat(act->fd, "", r->uid, r->gid, AT_EMPTY_PATH) == -1
		? errno : 0;
}

static int set_times(int fd,
		     const struct record_time *atime,
		     const struct record_time *mtime)
{
	const struct timespec times[2] = {
		{ .tv_sec = atime->seconds, .tv_nsec = atime->nanoseconds },
		{ .tv_sec = mtime->seconds, .tv_nsec = mtime->nanoseconds },
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH) == -1 ? errno : 0;
}

static int redo_times(struct act *act)
{
	const struct record *r = act->record;

	return set_times(act->fd, &r->atime, &r->mtime);
}

/* ---- the table --------------------------------------------------------- */

enum handling {
	HANDLE_NAMES,
	HANDLE_DATA,
	HANDLE_ATTRIBUTE
};

static const struct {
	int (*redo)(struct act *act);
	enum handling handling;
} table[RECORD_TYPE_END] = {
	[RECORD_CREATE] = { redo_create, HANDLE_NAMES },
	[RECORD_MKDIR] = { redo_mkdir, HANDLE_NAMES },
	[RECORD_SYMLINK] = { redo_symlink, HANDLE_NAMES },
	[RECORD_MKNOD] = { redo_mknod, HANDLE_NAMES },
	[RECORD_LINK] = { redo_link, HANDLE_NAMES },
	[RECORD_UNLINK] = { redo_unlink, HANDLE_NAMES },
	[RECORD_RMDIR] = { redo_rmdir, HANDLE_NAMES },
	[RECORD_RENAME] = { redo_rename, HANDLE_NAMES },
	[RECORD_WRITE] = { redo_write, HANDLE_DATA },
	[RECORD_TRUNCATE] = { redo_truncate, HANDLE_DATA },
	[RECORD_FALLOCATE] = { redo_fallocate, HANDLE_DATA },
	[RECORD_SETXATTR] = { redo_setxattr, HANDLE_ATTRIBUTE },
	[RECORD_REMOVEXATTR] = { redo_removexattr, HANDLE_ATTRIBUTE },
	[RECORD_CHMOD] = { redo_chmod, HANDLE_ATTRIBUTE },
	[RECORD_CHOWN] = { redo_chown, HANDLE_ATTRIBUTE },
	[RECORD_TIMES] = { redo_times, HANDLE_ATTRIBUTE },
};

/* ---- as whom ----------------------------------------------------------- */

static bool is_denial(int error)
{
	return error == EACCES || error == EPERM;
}

/* Not about this record, but about the machine. */
static bool is_environment(int error)
{
	return error == EIO || error == ENOSPC || error == ENOMEM ||
	       error == EDQUOT || error == EROFS || error == EMFILE ||
	       error == ENFILE;
}

/*
 * Owner, mode and ACL may already be those of a later record, which the volume
 * had or an earlier replay made, and forbid what was allowed when it was done.
 */
static bool is_explained(const struct act *act, int error)
{
	const enum record_type type = act->record->type;

	if (act->parent_changes) {
		return true;
	}
	/*
	 * Of namespace operations, the object itself matters in sticky
	 * directories and to hard links (EPERM), and when a directory moves.
	 */
	return act->object_changes &&
	       (table[type].handling != HANDLE_NAMES || error == EPERM ||
		type == RECORD_RENAME);
}

/* Which of what stopped him must not. */
static unsigned int what_to_ignore(const struct act *act, int error)
{
	if (is_denial(error) && is_explained(act, error)) {
		return BEYOND_PERMISSIONS;
	}
	return error == EDQUOT || error == ENOSPC ? BEYOND_LIMITS : 0;
}

/*
 * Do it as the user (R7). Where a later record explains that he is refused
 * (and only so far as permissions of files go) he may do it nevertheless: to
 * leave it out would leave the value that an older record has just brought
 * back. His quota was enough when he did it, and may be smaller now; or what a
 * later record gives back, and the volume has that already, is needed once
 * more for a moment.
 */
static int redo_as_user(struct act *act)
{
	const struct record *record = act->record;
	struct credentials *credentials = act->replay->credentials;
	unsigned int beyond = 0, more;
	int ret;

	do {
		ret = credentials_become(credentials, &record->credentials,
					 beyond);
		if (ret == 0) {
			ret = table[record->type].redo(act);
		}
		more = what_to_ignore(act, ret) & ~beyond;
		beyond |= more;
	} while (more != 0);
	if (beyond != 0) {
		credentials_root(credentials);
	}
	return ret;
}

/* ---- redoing a namespace record ---------------------------------------- */

/*
 * The kernel has set the time of this directory to now; in the end it must be
 * that of the last record.
 */
static void note_change(struct object *object, const struct record *record)
{
	object->set_mtime = true;
	object->mtime_at_least = false;
	object->mtime = record->time;
}

static void note_parents(const struct operation *operation,
			 const struct record *record,
			 bool redone)
{
	int i;

	for (i = 0; i < operation->num_touches; i++) {
		struct object *parent = operation->touches[i].name->parent;

		/* Undisturbed unless an older TIMES record was redone, or if
		 * in truth the volume has none of some records that undo one
		 * another (replay_plan.c). */
		if (redone || parent->times_redone || parent->set_mtime) {
			note_change(parent, record);
		} else {
			parent->mtime_at_least = true;
			parent->mtime = record->time;
		}
	}
}

/* R10: do the names lead to what they did? */
static bool precondition(const struct operation *operation)
{
	int i;

	for (i = 0; i < operation->num_touches; i++) {
		const struct touch *touch = &operation->touches[i];

		if (touch->name->bound != touch->before) {
			return false;
		}
	}
	return true;
}

/* Give what was created its id, and remember where it is. */
static int identify(struct act *act)
{
	struct objects *objects = act->replay->objects;
	const struct record *r = act->record;
	struct mirror_handle handle;
	struct mirror_id id;
	int fd = act->new_fd;
	int ret;

	credentials_root(act->replay->credentials);
	if (fd == -1) {
		fd = openat(act->parent_fd, r->name,
			    O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1) {
			return errno;
		}
	}
	ret = mirror_id_set_fd(fd, &r->object);
	if (ret == 0) {
		ret = mirror_id_of_fd(fd, &id, &handle, NULL);
	}
	if (ret != 0) {
		/* It would be nobody's. */
		close(fd);
		unlinkat(act->parent_fd, r->name,
			 r->type == RECORD_MKDIR ? AT_REMOVEDIR : 0);
		return ret;
	}
	object_found(act->object, &handle);
	if (act->new_fd != -1) {
		object_keep_data(objects, act->object, fd);
	} else {
		object_keep_path(objects, act->object, fd);
	}
	note_change(act->object, r);
	act->object->set_atime = true;
	act->object->atime = r->time;
	return 0;
}

static void look_for_changes(struct act *act,
			     const struct operation *operation)
{
	int i;

	for (i = 0; i < operation->num_touches; i++) {
		const struct object *parent =
			operation->touches[i].name->parent;

		if (parent->last_permission > operation->index) {
			act->parent_changes = true;
		}
	}
	act->object_changes =
		operation->object->last_permission > operation->index ||
		(operation->replaced != NULL &&
		 operation->replaced->last_permission > operation->index);
}

static int open_for(struct act *act, struct object *object)
{
	int ret;

	ret = object_path(act->replay->objects, object, &act->fd);
	act->real = (object->data_fd == act->fd);
	snprintf(act->fd_path, sizeof(act->fd_path), "/proc/self/fd/%d",
		 act->fd);
	return ret;
}

static int open_parents(struct act *act, const struct operation *operation)
{
	struct objects *objects = act->replay->objects;
	const struct touch *touches = operation->touches;
	const int last = operation->num_touches - 1;
	int ret;

	ret = object_path(objects, touches[0].name->parent, &act->parent_fd);
	if (ret == 0) {
		ret = object_path(objects, touches[last].name->parent,
				  &act->parent2_fd);
	}
	return ret;
}

static void rebind(struct act *act, const struct operation *operation)
{
	struct objects *objects = act->replay->objects;
	int i;

	for (i = 0; i < operation->num_touches; i++) {
		const struct touch *touch = &operation->touches[i];

		touch->name->bound = touch->after;
	}
	if (operation->type == RECORD_UNLINK ||
	    operation->type == RECORD_RMDIR) {
		object_unlinked(objects, operation->object);
	}
	if (operation->replaced != NULL &&
	    operation->replaced != operation->object) {
		object_unlinked(objects, operation->replaced);
	}
}

static int do_operation(struct act *act, const struct operation *operation)
{
	const enum record_type type = operation->type;
	int ret;

	ret = open_parents(act, operation);
	if (ret == 0 && type == RECORD_LINK) {
		ret = open_for(act, operation->object);
	}
	if (ret == 0) {
		look_for_changes(act, operation);
		ret = redo_as_user(act);
	}
	if (ret == 0 && (type == RECORD_CREATE || type == RECORD_MKDIR ||
			 type == RECORD_SYMLINK || type == RECORD_MKNOD)) {
		ret = identify(act);
	}
	credentials_root(act->replay->credentials);
	if (ret == 0) {
		rebind(act, operation);
	}
	return ret;
}

static enum outcome redo_names(struct act *act,
			       const struct operation *operation,
			       int *error)
{
	if (operation->dropped) {
		return OUTCOME_CANCELLED;
	}
	if (operation->persisted) {
		note_parents(operation, act->record, false);
		return operation->object->alive ? OUTCOME_PRESENT
						: OUTCOME_SUPERSEDED;
	}
	*error = precondition(operation) ? do_operation(act, operation)
					 : EBUSY;
	if (*error == 0) {
		note_parents(operation, act->record, true);
		return OUTCOME_REDONE;
	}
	if (operation->unconfirmed && !is_environment(*error)) {
		/* It was under way, and would have failed in the same way. */
		return OUTCOME_SUPERSEDED;
	}
	if (*error == EBUSY || *error == ESTALE) {
		/* Not with a log and a volume that belong together. */
		replay_message(act->replay, REPLAY_WARNING,
			       "record %ju (%s \"%s\") does not fit the volume",
			       (uintmax_t)operation->index,
			       record_type_name(operation->type),
			       operation->touches[0].name->text);
		return OUTCOME_SUPERSEDED;
	}
	return OUTCOME_FAILED;
}

/* ---- redoing the others ------------------------------------------------ */

/* Is it right that it is not there? */
static bool was_removed(const struct object *object)
{
	/*
	 * A record tells how it came or went, or its handle leads nowhere. The
	 * only other case is an object that nobody knows how to find.
	 */
	return object->members != NULL ||
	       talloc_array_length(object->hints) > 0;
}

static void note_times(struct object *object, const struct record *record)
{
	object->times_redone = true;
	if (record->atime.nanoseconds != UTIME_OMIT) {
		object->set_atime = false;
	}
	if (record->mtime.nanoseconds != UTIME_OMIT) {
		object->set_mtime = false;
		object->mtime_at_least = false;
	}
}

static enum outcome redo_object(struct act *act,
				uint64_t index,
				bool last_of_session,
				int *error)
{
	struct object *object = act->object;
	const struct record *record = act->record;
	const enum handling handling = table[record->type].handling;

	if (handling == HANDLE_DATA && object->doomed) {
		return OUTCOME_SUPERSEDED;
	}
	if ((handling == HANDLE_DATA || object->path_fd == -1) &&
	    object->data_fd == -1) {
		/* Whether the user may open it was checked when he did. */
		credentials_root(act->replay->credentials);
	}
	if (handling == HANDLE_DATA) {
		*error = object_data(act->replay->objects, object, &act->fd);
	} else {
		*error = open_for(act, object);
	}
	if (*error == ESTALE && was_removed(object)) {
		return OUTCOME_SUPERSEDED;
	}
	if (*error == 0) {
		act->object_changes = object->last_permission > index;
		*error = redo_as_user(act);
	}
	if (*error != 0) {
		return last_of_session && !is_environment(*error)
			? OUTCOME_SUPERSEDED : OUTCOME_FAILED;
	}
	if (handling == HANDLE_DATA) {
		note_change(object, record);
	} else if (record->type == RECORD_TIMES) {
		note_times(object, record);
	}
	return OUTCOME_REDONE;
}

enum outcome replay_redo(struct replay *replay,
			 uint64_t index,
			 const struct record *record,
			 int *error)
{
	const struct entry *entry = &replay->log->entries[index];
	struct act act = {
		.replay = replay, .record = record,
		.parent_fd = -1, .parent2_fd = -1, .fd = -1, .new_fd = -1
	};

	*error = 0;
	if (table[record->type].redo == NULL) {
		*error = EBADMSG;
		return OUTCOME_FAILED;
	}
	if (table[record->type].handling == HANDLE_NAMES) {
		act.object = entry->operation->object;
		credentials_root(replay->credentials);
		return redo_names(&act, entry->operation, error);
	}
	act.object = entry->object;
	return redo_object(&act, index, record_log_is_last(replay->log, index),
			   error);
}

/*
 * Is the object's time so old that the record cannot have been executed? The
 * kernel's clock for files ticks, ours does not.
 */
#define TICK_NS 20000000

static bool is_too_old(int fd, const struct record_time *wanted)
{
	struct stat st;
	int64_t behind;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH) == -1) {
		return false;
	}
	behind = wanted->seconds - st.st_mtim.tv_sec;
	if (behind < -1 || behind > 1) {
		return behind > 0;
	}
	return behind * 1000000000 + (int64_t)wanted->nanoseconds -
		st.st_mtim.tv_nsec > TICK_NS;
}

int replay_final_times(struct replay *replay)
{
	static const struct record_time omit = { .nanoseconds = UTIME_OMIT };
	struct object *object;

	credentials_root(replay->credentials);
	for (object = replay->objects->all; object != NULL;
	     object = object->next_all) {
		int fd;
		int ret;

		if (!object->set_mtime && !object->set_atime &&
		    !object->mtime_at_least) {
			continue;
		}
		ret = object_path(replay->objects, object, &fd);
		if (ret == 0 && object->mtime_at_least) {
			object->set_mtime = is_too_old(fd, &object->mtime);
		}
		if (ret == 0 && (object->set_mtime || object->set_atime)) {
			ret = set_times(fd,
					object->set_atime ? &object->atime
							  : &omit,
					object->set_mtime ? &object->mtime
							  : &omit);
		}
		if (ret != 0 && ret != ESTALE) {
			return ret;
		}
	}
	return 0;
}
