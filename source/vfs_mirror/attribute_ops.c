/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations on attributes: extended ones, ACLs, mode, owner, times, quota.
 *
 * All are absolute: redoing one twice is redoing it once (R10). Inside a
 * create they do not wait for the partner (R1's exception): operation_collect
 * does at its end.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "mirror_share.h"

/* Longer ones are not worth a look whether they change. */
#define COMPARE_MAX 1024

struct attribute {
	struct vfs_handle_struct *handle;
	struct files_struct *fsp;
	const struct smb_filename *smb_fname;
	const char *name;
	const void *value;
	size_t size;
	int flags;
	SMB_ACL_TYPE_T acl_type;
	SMB_ACL_T acl;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct smb_file_time *ft;
};

static int attribute_harden(struct mirror_operation *operation,
			    void *private_data)
{
	struct attribute *attribute = private_data;

	return harden_object(fsp_get_pathref_fd(attribute->fsp));
}

static struct mirror_operation *attribute_begin(struct attribute *attribute,
						enum record_type type,
						operation_apply apply)
{
	struct mirror_operation *operation = NULL;
	struct identity identity;

	if (identity_of_fsp(attribute->handle, attribute->fsp,
			    &identity) == -1) {
		return NULL;
	}
	operation = operation_new(talloc_tos(),
				  mirror_volume(attribute->handle), type);
	if (operation == NULL) {
		return NULL;
	}
	operation->apply = apply;
	operation->harden = attribute_harden;
	operation->private_data = attribute;
	operation->record.object = identity.id;
	operation->record.object_hint = identity.handle;
	return operation;
}

/* The record of a deferred operation outlives the caller's buffers. */
static int attribute_run(struct mirror_operation *operation)
{
	struct record *record = &operation->record;

	if (operation->volume->num_collect > 0) {
		if (record->name != NULL) {
			record->name = talloc_strdup(operation, record->name);
		}
		if (record->data != NULL) {
			record->data = talloc_memdup(operation, record->data,
						     record->data_length);
		}
	}
	return operation_run_attribute(operation);
}

/* ---------------------------------------------------- extended attributes */

static int apply_fsetxattr(struct mirror_operation *operation,
			   void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_FSETXATTR(attribute->handle, attribute->fsp,
				      attribute->name, attribute->value,
				      attribute->size, attribute->flags);
}

/*
 * Is this what the attribute is already? Asked under its lock: then whoever set
 * it has the partner's acknowledgement, or is this very request.
 */
static bool is_there(const struct attribute *attribute)
{
	uint8_t present[COMPARE_MAX];

	if (attribute->flags != 0 || attribute->size > sizeof(present)) {
		return false;
	}
	return SMB_VFS_NEXT_FGETXATTR(attribute->handle, attribute->fsp,
				      attribute->name, present,
				      sizeof(present)) ==
		(ssize_t)attribute->size &&
		memcmp(present, attribute->value, attribute->size) == 0;
}

int mirror_fsetxattr(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     const char *name,
		     const void *value,
		     size_t size,
		     int flags)
{
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.name = name,
		.value = value,
		.size = size,
		.flags = flags,
	};
	struct mirror_operation *operation = NULL;

	if (strequal(name, MIRROR_ID_XATTR)) {
		/* R4: nobody forges an identity. */
		errno = EPERM;
		return -1;
	}
	operation = attribute_begin(&attribute, RECORD_SETXATTR,
				    apply_fsetxattr);
	if (operation == NULL) {
		return -1;
	}
	operation->record.name = name;
	operation->record.data = value;
	operation->record.data_length = size;
	operation_lock(operation,
		       page_lock_attribute(&operation->record.object, name));
	if (operation_take_locks(operation) == -1) {
		operation_abandon(operation);
		return -1;
	}
	if (is_there(&attribute)) {
		/* smbd sets the DOS attributes anew with every rename. */
		operation_abandon(operation);
		operation_await_right(mirror_volume(handle));
		return 0;
	}
	return attribute_run(operation);
}

static int apply_fremovexattr(struct mirror_operation *operation,
			      void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_FREMOVEXATTR(attribute->handle, attribute->fsp,
					 attribute->name);
}

int mirror_fremovexattr(struct vfs_handle_struct *handle,
			struct files_struct *fsp,
			const char *name)
{
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.name = name,
	};
	struct mirror_operation *operation = NULL;

	if (strequal(name, MIRROR_ID_XATTR)) {
		errno = EPERM;
		return -1;
	}
	operation = attribute_begin(&attribute, RECORD_REMOVEXATTR,
				    apply_fremovexattr);
	if (operation == NULL) {
		return -1;
	}
	operation->record.name = name;
	operation_lock(operation,
		       page_lock_attribute(&operation->record.object, name));
	return attribute_run(operation);
}

/* ------------------------------------------------------------ POSIX ACLs */

#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

/* The kernel's format of both: linux/posix_acl_xattr.h, little endian. */
#define XATTR_ACL_VERSION 2
#define XATTR_ACL_HEADER 4
#define XATTR_ACL_ENTRY 8

/* In the order that the kernel wants the entries in. */
static const struct {
	enum smb_acl_tag_t samba;
	uint16_t kernel;
} acl_tags[] = {
	{ SMB_ACL_USER_OBJ, 0x01 },
	{ SMB_ACL_USER, 0x02 },
	{ SMB_ACL_GROUP_OBJ, 0x04 },
	{ SMB_ACL_GROUP, 0x08 },
	{ SMB_ACL_MASK, 0x10 },
	{ SMB_ACL_OTHER, 0x20 },
};

static uint32_t acl_entry_id(const struct smb_acl_entry *entry)
{
	switch (entry->a_type) {
	case SMB_ACL_USER:
		return entry->info.user.uid;
	case SMB_ACL_GROUP:
		return entry->info.group.gid;
	default:
		return UINT32_MAX;
	}
}

/* libacl sorts named users and groups by their ids; first: of this tag. */
static void acl_put(const uint8_t *first, uint8_t *at, uint16_t tag,
		    const struct smb_acl_entry *entry)
{
	const uint32_t id = acl_entry_id(entry);

	for (; at > first && IVAL(at - XATTR_ACL_ENTRY, 4) > id;
	     at -= XATTR_ACL_ENTRY) {
		memcpy(at, at - XATTR_ACL_ENTRY, XATTR_ACL_ENTRY);
	}
	SSVAL(at, 0, tag);
	SSVAL(at, 2, entry->a_perm & 7);
	SIVAL(at, 4, id);
}

/*
 * The partner has to have the ACL before it is set (R1), so its encoding
 * cannot be read back from the object: it is made here.
 */
static uint8_t *acl_encode(TALLOC_CTX *mem_ctx, SMB_ACL_T acl, size_t *length)
{
	uint8_t *value = NULL;
	size_t at = XATTR_ACL_HEADER;
	size_t tag;
	int i;

	*length = XATTR_ACL_HEADER + (size_t)acl->count * XATTR_ACL_ENTRY;
	value = talloc_zero_array(mem_ctx, uint8_t, *length);
	if (value == NULL) {
		return NULL;
	}
	SIVAL(value, 0, XATTR_ACL_VERSION);
	for (tag = 0; tag < ARRAY_SIZE(acl_tags); tag++) {
		const uint8_t *first = value + at;

		for (i = 0; i < acl->count; i++) {
			const struct smb_acl_entry *entry = &acl->acl[i];

			if (entry->a_type != acl_tags[tag].samba) {
				continue;
			}
			acl_put(first, value + at, acl_tags[tag].kernel,
				entry);
			at += XATTR_ACL_ENTRY;
		}
	}
	*length = at;
	return value;
}

static int apply_acl_set(struct mirror_operation *operation, void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_SYS_ACL_SET_FD(attribute->handle, attribute->fsp,
					   attribute->acl_type,
					   attribute->acl);
}

int mirror_sys_acl_set_fd(struct vfs_handle_struct *handle,
			  struct files_struct *fsp,
			  SMB_ACL_TYPE_T type,
			  SMB_ACL_T acl)
{
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.acl_type = type,
		.acl = acl,
	};
	struct mirror_operation *operation = NULL;
	struct record *record = NULL;

	operation = attribute_begin(&attribute, RECORD_SETXATTR,
				    apply_acl_set);
	if (operation == NULL) {
		return -1;
	}
	record = &operation->record;
	record->name = type == SMB_ACL_TYPE_DEFAULT ? XATTR_ACL_DEFAULT
						    : XATTR_ACL_ACCESS;
	record->data = acl_encode(operation, acl, &record->data_length);
	if (record->data == NULL) {
		operation_abandon(operation);
		errno = ENOMEM;
		return -1;
	}
	operation_lock(operation, page_lock_permissions(&record->object));
	return attribute_run(operation);
}

static int apply_acl_delete(struct mirror_operation *operation,
			    void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_SYS_ACL_DELETE_DEF_FD(attribute->handle,
						  attribute->fsp);
}

int mirror_sys_acl_delete_def_fd(struct vfs_handle_struct *handle,
				 struct files_struct *fsp)
{
	struct attribute attribute = { .handle = handle, .fsp = fsp };
	struct mirror_operation *operation = NULL;

	operation = attribute_begin(&attribute, RECORD_REMOVEXATTR,
				    apply_acl_delete);
	if (operation == NULL) {
		return -1;
	}
	operation->record.name = XATTR_ACL_DEFAULT;
	operation_lock(operation,
		       page_lock_permissions(&operation->record.object));
	return attribute_run(operation);
}

/* ------------------------------------------------------------- mode, owner */

static int apply_fchmod(struct mirror_operation *operation, void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_FCHMOD(attribute->handle, attribute->fsp,
				   attribute->mode);
}

int mirror_fchmod(struct vfs_handle_struct *handle,
		  struct files_struct *fsp,
		  mode_t mode)
{
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.mode = mode,
	};
	struct mirror_operation *operation = NULL;

	operation = attribute_begin(&attribute, RECORD_CHMOD, apply_fchmod);
	if (operation == NULL) {
		return -1;
	}
	operation->record.mode = mode & 07777;
	operation_lock(operation,
		       page_lock_permissions(&operation->record.object));
	return attribute_run(operation);
}

static int apply_fchown(struct mirror_operation *operation, void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_FCHOWN(attribute->handle, attribute->fsp,
				   attribute->uid, attribute->gid);
}

int mirror_fchown(struct vfs_handle_struct *handle,
		  struct files_struct *fsp,
		  uid_t uid,
		  gid_t gid)
{
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.uid = uid,
		.gid = gid,
	};
	struct mirror_operation *operation = NULL;

	operation = attribute_begin(&attribute, RECORD_CHOWN, apply_fchown);
	if (operation == NULL) {
		return -1;
	}
	operation->record.uid = uid;
	operation->record.gid = gid;
	operation_lock(operation,
		       page_lock_permissions(&operation->record.object));
	return attribute_run(operation);
}

static int apply_lchown(struct mirror_operation *operation, void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_LCHOWN(attribute->handle, attribute->smb_fname,
				   attribute->uid, attribute->gid);
}

static int lchown_harden(struct mirror_operation *operation,
			 void *private_data)
{
	/* A symlink cannot be opened to sync it alone. */
	return syncfs(operation->volume->root_fd);
}

/* SMB1's UNIX extensions only. */
int mirror_lchown(struct vfs_handle_struct *handle,
		  const struct smb_filename *smb_fname,
		  uid_t uid,
		  gid_t gid)
{
	struct attribute attribute = {
		.handle = handle,
		.smb_fname = smb_fname,
		.uid = uid,
		.gid = gid,
	};
	struct mirror_operation *operation = NULL;
	struct record *record = NULL;
	int ret;

	operation = operation_new(talloc_tos(), mirror_volume(handle),
				  RECORD_CHOWN);
	if (operation == NULL) {
		return -1;
	}
	record = &operation->record;
	ret = mirror_id_of_name(fsp_get_pathref_fd(handle->conn->cwd_fsp),
				smb_fname->base_name, &record->object,
				&record->object_hint, NULL);
	if (ret != 0) {
		operation_abandon(operation);
		errno = ret;
		return -1;
	}
	operation->apply = apply_lchown;
	operation->harden = lchown_harden;
	operation->private_data = &attribute;
	record->uid = uid;
	record->gid = gid;
	operation_lock(operation, page_lock_permissions(&record->object));
	return attribute_run(operation);
}

/* ------------------------------------------------------------------ times */

static struct record_time record_time_of(const struct timespec *time)
{
	return (struct record_time) {
		.seconds = time->tv_sec,
		.nanoseconds = time->tv_nsec,
	};
}

static int apply_fntimes(struct mirror_operation *operation, void *private_data)
{
	struct attribute *attribute = private_data;

	return SMB_VFS_NEXT_FNTIMES(attribute->handle, attribute->fsp,
				    attribute->ft);
}

static bool same_time(const struct timespec *wanted,
		      const struct timespec *present)
{
	return is_omit_timespec(wanted) ||
		timespec_compare(wanted, present) == 0;
}

/*
 * vfs_default makes a composite of this call (the creation time is an extended
 * attribute and comes to us by itself) and leaves out a change to what is
 * there already. So do we, or every SETINFO would cost a round trip for
 * nothing.
 */
int mirror_fntimes(struct vfs_handle_struct *handle,
		   struct files_struct *fsp,
		   struct smb_file_time *ft)
{
	const struct stat_ex *st = &fsp->fsp_name->st;
	struct attribute attribute = {
		.handle = handle,
		.fsp = fsp,
		.ft = ft,
	};
	struct mirror_operation *operation = NULL;
	struct record *record = NULL;

	if (fsp_is_alternate_stream(fsp)) {
		return SMB_VFS_NEXT_FNTIMES(handle, fsp, ft);
	}
	if (ft != NULL && !is_omit_timespec(&ft->create_time)) {
		set_create_timespec_ea(fsp, ft->create_time);
		ft->create_time = make_omit_timespec();
	}
	if (ft != NULL && same_time(&ft->atime, &st->st_ex_atime) &&
	    same_time(&ft->mtime, &st->st_ex_mtime)) {
		return SMB_VFS_NEXT_FNTIMES(handle, fsp, ft);
	}

	operation = attribute_begin(&attribute, RECORD_TIMES, apply_fntimes);
	if (operation == NULL) {
		return -1;
	}
	record = &operation->record;
	if (ft == NULL) {
		record->atime = record->time;
		record->mtime = record->time;
	} else {
		record->atime = record_time_of(is_omit_timespec(&ft->atime)
					       ? &st->st_ex_atime
					       : &ft->atime);
		record->mtime = record_time_of(is_omit_timespec(&ft->mtime)
					       ? &st->st_ex_mtime
					       : &ft->mtime);
	}
	operation_lock(operation, page_lock_times(&record->object));
	return attribute_run(operation);
}

/* ------------------------------------------------------------------ quota */

/*
 * Rare, and nothing in the store touches quotas: made durable at once instead
 * of being recorded.
 */
int mirror_set_quota(struct vfs_handle_struct *handle,
		     enum SMB_QUOTA_TYPE qtype,
		     unid_t id,
		     SMB_DISK_QUOTA *qt)
{
	int ret = SMB_VFS_NEXT_SET_QUOTA(handle, qtype, id, qt);

	if (ret == 0 && syncfs(mirror_volume(handle)->root_fd) == -1) {
		return -1;
	}
	return ret;
}
