/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations on names: create, remove, rename, link.
 *
 * They always wait for the partner (R1). What they find under a name is looked
 * up under the lock of that name (R3), and a create that would find its name
 * taken fails before anything is recorded: replay relies on it (R10).
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "mirror_share.h"

/* A namespace operation and where it takes place. */
struct names {
	struct vfs_handle_struct *handle;
	struct place place;
	struct place place2;
	const struct smb_filename *smb_fname;
	const struct smb_filename *smb_fname2;
	/* what the call behind us needs, by type of operation */
	struct files_struct *dirfsp;
	struct files_struct *dirfsp2;
	const struct files_struct *open_dirfsp;
	struct files_struct *fsp;
	const struct vfs_open_how *how;
	const struct vfs_rename_how *rename_how;
	mode_t mode;
	SMB_DEV_T dev;
	int flags;
	int result;
};

static int names_harden(struct mirror_operation *operation, void *private_data)
{
	struct names *names = private_data;

	/* A rename is one transaction: either directory makes it durable. */
	return harden_directory(names->place.dirfd);
}

/* An operation on names->place, with the locks that all of them take. */
static struct mirror_operation *names_begin(struct names *names,
					    enum record_type type,
					    operation_apply apply)
{
	struct mirror_operation *operation;
	struct place *place = &names->place;

	operation = operation_new(talloc_tos(), mirror_volume(names->handle),
				  type);
	if (operation == NULL) {
		return NULL;
	}
	operation->apply = apply;
	operation->harden = names_harden;
	operation->private_data = names;
	operation->alone = true;
	operation->record.parent = place->directory.id;
	operation->record.parent_hint = place->directory.handle;
	operation->record.name = place->name;
	operation_lock(operation, page_lock_exists(&place->directory.id, true));
	operation_lock(operation,
		       page_lock_name(&place->directory.id, place->name));
	return operation;
}

/* ----------------------------------------------------------------- create */

/*
 * It was made and cannot stay. Its record is about to be cancelled, so nothing
 * would tell a replay that the object which a crash brings back is to go, or
 * that the name it has is free: the disk has to know.
 */
static void undo_create(const struct place *place, int unlink_flags)
{
	become_root();
	unlinkat(place->dirfd, place->name, unlink_flags);
	unbecome_root();
	if (harden_directory(place->dirfd) == -1) {
		DBG_ERR("%s: the disk refused a write-through (%s)\n",
			place->name, strerror(errno));
	}
}

/*
 * Give the object that was just made its id. Without one it could not be found
 * again; then it must not be there either.
 */
static int name_new_object(struct mirror_operation *operation,
			   struct names *names,
			   int unlink_flags)
{
	struct place *place = &names->place;
	int ret;

	become_root();
	ret = mirror_id_set_name(place->dirfd, place->name,
				 &operation->record.object);
	unbecome_root();
	if (ret != 0) {
		undo_create(place, unlink_flags);
		DBG_ERR("%s: cannot set %s: %s. The file system must support "
			"security.* extended attributes.\n",
			place->name, MIRROR_ID_XATTR, strerror(ret));
		errno = ret;
		return -1;
	}
	return 0;
}

/* Run a create of any kind: the name must be free, under its lock. */
static int names_create(struct names *names,
			struct mirror_operation *operation)
{
	struct identity occupant;
	struct stat st;

	mirror_id_choose(&operation->record.object);
	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	if (place_occupant(&names->place, &occupant, &st) == 0) {
		errno = EEXIST;
	}
	if (errno != ENOENT) {
		operation_abandon(operation);
		return -1;
	}
	return operation_run(operation);
}

static int apply_openat(struct mirror_operation *operation, void *private_data)
{
	struct names *names = private_data;
	struct identity identity = { .id = operation->record.object };
	int saved_errno;
	int ret;

	names->result = SMB_VFS_NEXT_OPENAT(names->handle, names->open_dirfsp,
					    names->smb_fname, names->fsp,
					    names->how);
	if (names->result == -1) {
		return -1;
	}
	become_root();
	ret = mirror_id_set_fd(names->result, &identity.id);
	unbecome_root();
	if (ret == 0) {
		ret = mirror_id_of_fd(names->result, &identity.id,
				      &identity.handle, NULL);
	}
	if (ret == 0) {
		identity_remember(names->handle, names->fsp, &identity);
		return 0;
	}
	DBG_ERR("%s: cannot set %s: %s. The file system must support "
		"security.* extended attributes.\n",
		names->place.name, MIRROR_ID_XATTR, strerror(ret));
	saved_errno = ret;
	close(names->result);
	names->result = -1;
	undo_create(&names->place, 0);
	errno = saved_errno;
	return -1;
}

int mirror_openat(struct vfs_handle_struct *handle,
		  const struct files_struct *dirfsp,
		  const struct smb_filename *smb_fname,
		  struct files_struct *fsp,
		  const struct vfs_open_how *how)
{
	struct names names = {
		.handle = handle,
		.open_dirfsp = dirfsp,
		.smb_fname = smb_fname,
		.fsp = fsp,
		.how = how,
		.result = -1,
	};
	struct mirror_operation *operation = NULL;
	struct vfs_open_how plain = *how;
	int ret;

	identity_forget(handle, fsp);
	if (fsp->fsp_flags.is_pathref || (how->flags & O_PATH)) {
		return SMB_VFS_NEXT_OPENAT(handle, dirfsp, smb_fname, fsp, how);
	}
	if (how->flags & O_TRUNC) {
		/* smbd truncates by FTRUNCATE; this would pass us by. */
		DBG_ERR("%s: open with O_TRUNC is not supported\n",
			smb_fname_str_dbg(smb_fname));
		errno = EINVAL;
		return -1;
	}
	if ((how->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL)) {
		/* A re-open. smbd creates with O_EXCL only; should the file
		 * vanish in between, it is told ENOENT and tries again. */
		plain.flags &= ~O_CREAT;
		return SMB_VFS_NEXT_OPENAT(handle, dirfsp, smb_fname, fsp,
					   &plain);
	}

	if (place_open(handle, dirfsp, smb_fname, &names.place) == -1) {
		return -1;
	}
	operation = names_begin(&names, RECORD_CREATE, apply_openat);
	if (operation == NULL) {
		place_close(&names.place);
		return -1;
	}
	operation->record.mode = how->mode;
	ret = names_create(&names, operation);
	place_close(&names.place);
	return ret == -1 ? -1 : names.result;
}

static int apply_mkdirat(struct mirror_operation *operation, void *private_data)
{
	struct names *names = private_data;

	if (SMB_VFS_NEXT_MKDIRAT(names->handle, names->dirfsp,
				 names->smb_fname, names->mode) == -1) {
		return -1;
	}
	return name_new_object(operation, names, AT_REMOVEDIR);
}

int mirror_mkdirat(struct vfs_handle_struct *handle,
		   struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   mode_t mode)
{
	struct names names = {
		.handle = handle,
		.dirfsp = dirfsp,
		.smb_fname = smb_fname,
		.mode = mode,
	};
	struct mirror_operation *operation = NULL;
	int ret = -1;

	if (place_open(handle, dirfsp, smb_fname, &names.place) == -1) {
		return -1;
	}
	operation = names_begin(&names, RECORD_MKDIR, apply_mkdirat);
	if (operation != NULL) {
		operation->record.mode = mode;
		ret = names_create(&names, operation);
	}
	place_close(&names.place);
	return ret;
}

static int apply_mknodat(struct mirror_operation *operation, void *private_data)
{
	struct names *names = private_data;

	if (SMB_VFS_NEXT_MKNODAT(names->handle, names->dirfsp,
				 names->smb_fname, names->mode,
				 names->dev) == -1) {
		return -1;
	}
	return name_new_object(operation, names, 0);
}

int mirror_mknodat(struct vfs_handle_struct *handle,
		   struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   mode_t mode,
		   SMB_DEV_T dev)
{
	struct names names = {
		.handle = handle,
		.dirfsp = dirfsp,
		.smb_fname = smb_fname,
		.mode = mode,
		.dev = dev,
	};
	struct mirror_operation *operation = NULL;
	int ret = -1;

	if (place_open(handle, dirfsp, smb_fname, &names.place) == -1) {
		return -1;
	}
	operation = names_begin(&names, RECORD_MKNOD, apply_mknodat);
	if (operation != NULL) {
		operation->record.mode = mode;
		operation->record.device = dev;
		ret = names_create(&names, operation);
	}
	place_close(&names.place);
	return ret;
}

static int apply_symlinkat(struct mirror_operation *operation,
			   void *private_data)
{
	struct names *names = private_data;

	if (SMB_VFS_NEXT_SYMLINKAT(names->handle, names->smb_fname2,
				   names->dirfsp, names->smb_fname) == -1) {
		return -1;
	}
	return name_new_object(operation, names, 0);
}

int mirror_symlinkat(struct vfs_handle_struct *handle,
		     const struct smb_filename *link_contents,
		     struct files_struct *dirfsp,
		     const struct smb_filename *new_smb_fname)
{
	struct names names = {
		.handle = handle,
		.dirfsp = dirfsp,
		.smb_fname = new_smb_fname,
		.smb_fname2 = link_contents,
	};
	struct mirror_operation *operation = NULL;
	int ret = -1;

	if (place_open(handle, dirfsp, new_smb_fname, &names.place) == -1) {
		return -1;
	}
	operation = names_begin(&names, RECORD_SYMLINK, apply_symlinkat);
	if (operation != NULL) {
		operation->record.name2 = link_contents->base_name;
		ret = names_create(&names, operation);
	}
	place_close(&names.place);
	return ret;
}

/* vfs_default makes a symlink of it, past the chain: so do we, through it. */
NTSTATUS mirror_create_dfs_pathat(struct vfs_handle_struct *handle,
				  struct files_struct *dirfsp,
				  const struct smb_filename *smb_fname,
				  const struct referral *reflist,
				  size_t referral_count)
{
	TALLOC_CTX *frame = talloc_stackframe();
	struct smb_filename contents = { .base_name = NULL };
	NTSTATUS status = NT_STATUS_NO_MEMORY;

	contents.base_name = msdfs_link_string(frame, reflist, referral_count);
	if (contents.base_name != NULL) {
		status = NT_STATUS_OK;
		if (mirror_symlinkat(handle, &contents, dirfsp,
				     smb_fname) == -1) {
			status = map_nt_error_from_unix(errno);
		}
	}
	TALLOC_FREE(frame);
	return status;
}

/* ------------------------------------------- remove, rename, link: victims */

/*
 * The identity of what is under a name can be locked only after it was looked
 * up, and counts only if it is the same under the lock.
 */
enum victim { VICTIM_SAME, VICTIM_CHANGED };

static enum victim victim_check(const struct place *place,
				const struct identity *before)
{
	struct identity now = { .id = { .bytes = { 0 } } };
	struct stat st;

	if (place_occupant(place, &now, &st) == -1) {
		now = (struct identity) { .id = { .bytes = { 0 } } };
	}
	return mirror_id_equal(&now.id, &before->id) ? VICTIM_SAME
						     : VICTIM_CHANGED;
}

static int apply_unlinkat(struct mirror_operation *operation,
			  void *private_data)
{
	struct names *names = private_data;

	return SMB_VFS_NEXT_UNLINKAT(names->handle, names->dirfsp,
				     names->smb_fname, names->flags);
}

static int unlinkat_once(struct names *names, enum victim *victim)
{
	struct mirror_operation *operation = NULL;
	struct identity object;
	struct stat st;
	bool directory = names->flags & AT_REMOVEDIR;

	*victim = VICTIM_SAME;
	if (place_occupant(&names->place, &object, &st) == -1) {
		return -1;
	}
	operation = names_begin(names,
				directory ? RECORD_RMDIR : RECORD_UNLINK,
				apply_unlinkat);
	if (operation == NULL) {
		return -1;
	}
	operation->record.object = object.id;
	operation->record.object_hint = object.handle;
	operation_lock(operation, page_lock_links(&object.id));
	if (directory) {
		operation_lock(operation, page_lock_exists(&object.id, false));
	}
	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	*victim = victim_check(&names->place, &object);
	if (*victim == VICTIM_CHANGED) {
		operation_abandon(operation);
		return -1;
	}
	return operation_run(operation);
}

int mirror_unlinkat(struct vfs_handle_struct *handle,
		    struct files_struct *dirfsp,
		    const struct smb_filename *smb_fname,
		    int flags)
{
	struct names names = {
		.handle = handle,
		.dirfsp = dirfsp,
		.smb_fname = smb_fname,
		.flags = flags,
	};
	enum victim victim;
	int ret;

	if (place_open(handle, dirfsp, smb_fname, &names.place) == -1) {
		return -1;
	}
	do {
		ret = unlinkat_once(&names, &victim);
	} while (victim == VICTIM_CHANGED);
	place_close(&names.place);
	return ret;
}

static int apply_renameat(struct mirror_operation *operation,
			  void *private_data)
{
	struct names *names = private_data;

	return MIRROR_NEXT_RENAMEAT(names->handle, names->dirfsp,
				    names->smb_fname, names->dirfsp2,
				    names->smb_fname2, names->rename_how);
}

static int renameat_once(struct names *names, enum victim *victim)
{
	struct mirror_operation *operation = NULL;
	struct identity moved;
	struct identity replaced = { .id = { .bytes = { 0 } } };
	struct place *from = &names->place;
	struct place *to = &names->place2;
	struct stat st = { .st_mode = 0 };
	bool directory_moves;

	*victim = VICTIM_SAME;
	if (place_occupant(from, &moved, &st) == -1) {
		return -1;
	}
	directory_moves = S_ISDIR(st.st_mode) &&
		!mirror_id_equal(&from->directory.id, &to->directory.id);
	if (place_occupant(to, &replaced, &st) == -1 && errno != ENOENT) {
		return -1;
	}
	operation = names_begin(names, RECORD_RENAME, apply_renameat);
	if (operation == NULL) {
		return -1;
	}
	operation->record.object = moved.id;
	operation->record.object_hint = moved.handle;
	operation->record.parent2 = to->directory.id;
	operation->record.parent2_hint = to->directory.handle;
	operation->record.name2 = to->name;
	operation->record.replaced = replaced.id;
	operation->record.replaced_hint = replaced.handle;
	operation_lock(operation, page_lock_exists(&to->directory.id, true));
	operation_lock(operation,
		       page_lock_name(&to->directory.id, to->name));
	operation_lock(operation, page_lock_links(&moved.id));
	if (directory_moves) {
		operation_lock(operation, page_lock_directory_moves());
	}
	if (!mirror_id_is_none(&replaced.id)) {
		operation_lock(operation, page_lock_links(&replaced.id));
		if (S_ISDIR(st.st_mode)) {
			operation_lock(operation,
				       page_lock_exists(&replaced.id, false));
		}
	}
	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	if (victim_check(from, &moved) == VICTIM_CHANGED ||
	    victim_check(to, &replaced) == VICTIM_CHANGED) {
		*victim = VICTIM_CHANGED;
		operation_abandon(operation);
		return -1;
	}
	return operation_run(operation);
}

int mirror_renameat(struct vfs_handle_struct *handle,
		    struct files_struct *src_dirfsp,
		    const struct smb_filename *smb_fname_src,
		    struct files_struct *dst_dirfsp,
		    const struct smb_filename *smb_fname_dst
		    MIRROR_RENAMEAT_HOW_PARAM)
{
	struct names names = {
		.handle = handle,
		.dirfsp = src_dirfsp,
		.dirfsp2 = dst_dirfsp,
		.smb_fname = smb_fname_src,
		.smb_fname2 = smb_fname_dst,
		.rename_how = MIRROR_RENAMEAT_HOW,
	};
	enum victim victim;
	int ret = -1;

	if (is_named_stream(smb_fname_src) || is_named_stream(smb_fname_dst)) {
		errno = ENOENT;
		return -1;
	}
	if (place_open(handle, src_dirfsp, smb_fname_src, &names.place) == -1) {
		return -1;
	}
	if (place_open(handle, dst_dirfsp, smb_fname_dst,
		       &names.place2) == -1) {
		place_close(&names.place);
		return -1;
	}
	do {
		ret = renameat_once(&names, &victim);
	} while (victim == VICTIM_CHANGED);
	place_close(&names.place);
	place_close(&names.place2);
	return ret;
}

static int apply_linkat(struct mirror_operation *operation, void *private_data)
{
	struct names *names = private_data;

	return SMB_VFS_NEXT_LINKAT(names->handle, names->dirfsp2,
				   names->smb_fname2, names->dirfsp,
				   names->smb_fname, names->flags);
}

/* names->place is the new name, place2 the old one. */
static int linkat_once(struct names *names, enum victim *victim)
{
	struct mirror_operation *operation = NULL;
	struct identity object;
	struct identity occupant;
	struct stat st;

	*victim = VICTIM_SAME;
	if (place_occupant(&names->place2, &object, &st) == -1) {
		return -1;
	}
	operation = names_begin(names, RECORD_LINK, apply_linkat);
	if (operation == NULL) {
		return -1;
	}
	operation->record.parent2 = operation->record.parent;
	operation->record.parent2_hint = operation->record.parent_hint;
	operation->record.name2 = operation->record.name;
	operation->record.name = NULL;
	operation->record.object = object.id;
	operation->record.object_hint = object.handle;
	operation_lock(operation, page_lock_links(&object.id));
	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	*victim = victim_check(&names->place2, &object);
	if (*victim == VICTIM_CHANGED) {
		operation_abandon(operation);
		return -1;
	}
	if (place_occupant(&names->place, &occupant, &st) == 0) {
		errno = EEXIST;
	}
	if (errno != ENOENT) {
		operation_abandon(operation);
		return -1;
	}
	return operation_run(operation);
}

int mirror_linkat(struct vfs_handle_struct *handle,
		  struct files_struct *src_dirfsp,
		  const struct smb_filename *old_smb_fname,
		  struct files_struct *dst_dirfsp,
		  const struct smb_filename *new_smb_fname,
		  int flags)
{
	struct names names = {
		.handle = handle,
		.dirfsp = dst_dirfsp,
		.dirfsp2 = src_dirfsp,
		.smb_fname = new_smb_fname,
		.smb_fname2 = old_smb_fname,
		.flags = flags,
	};
	enum victim victim;
	int ret;

	if (place_open(handle, dst_dirfsp, new_smb_fname, &names.place) == -1) {
		return -1;
	}
	if (place_open(handle, src_dirfsp, old_smb_fname,
		       &names.place2) == -1) {
		place_close(&names.place);
		return -1;
	}
	do {
		ret = linkat_once(&names, &victim);
	} while (victim == VICTIM_CHANGED);
	place_close(&names.place);
	place_close(&names.place2);
	return ret;
}
