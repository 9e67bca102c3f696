/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each operation does: what smbd calls for the SMB request (a create, a
 * SETINFO, an IOCTL, a close ...), without the network. Handles are opened
 * and closed inside of the operation.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "system/filesys.h"
#include "libcli/security/security.h"
#include "lib/util/tevent_unix.h"
#include "lib/util/tevent_ntstatus.h"
#include "locking/share_mode_lock.h"
#include "librpc/gen_ndr/smbXsrv.h"
#include "auth.h"
#include "crash.h"
#include "host.h"

#define LONG_AGO 978307200	/* 2001-01-01 */

/* ---------------------------------------------------------------- opening */

struct opening {
	const char *path;	/* "a", "d/x", "b:s" */
	uint32_t access;
	uint32_t disposition;
	uint32_t options;
	uint32_t attributes;
	struct security_descriptor *sd;
};

/* Nobody else has anything open: who did is dead, or has closed it. */
static void check_refusal(const char *path, NTSTATUS status)
{
	case_note(path, nt_errstr(status));
	if (NT_STATUS_EQUAL(status, NT_STATUS_SHARING_VIOLATION) ||
	    NT_STATUS_EQUAL(status, NT_STATUS_DELETE_PENDING)) {
		case_fail("%s is refused because of others: %s", path,
			  nt_errstr(status));
	}
}

static NTSTATUS convert(struct connection_struct *conn, const char *path,
			uint32_t flags, struct files_struct **dirfsp,
			struct smb_filename **name)
{
	char *copy = talloc_strdup(talloc_tos(), path);

	return filename_convert_dirfsp(talloc_tos(), conn, copy, flags, 0,
				       dirfsp, name);
}

static struct files_struct *open_as(struct connection_struct *conn,
				    const struct opening *how)
{
	struct files_struct *dirfsp = NULL;
	struct files_struct *fsp = NULL;
	struct smb_filename *name = NULL;
	NTSTATUS status;
	int info;

	status = convert(conn, how->path, UCF_PREP_CREATEFILE, &dirfsp, &name);
	if (!NT_STATUS_IS_OK(status)) {
		check_refusal(how->path, status);
		return NULL;
	}
	status = SMB_VFS_CREATE_FILE(
		conn, NULL, dirfsp, name, how->access,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		how->disposition, how->options, how->attributes, 0, NULL, 0,
		0, how->sd, NULL, &fsp, &info, NULL, NULL);
	if (!NT_STATUS_IS_OK(status)) {
		check_refusal(how->path, status);
		return NULL;
	}
	return fsp;
}

#define DATA_ACCESS (FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | \
		     FILE_READ_ATTRIBUTES)

static struct files_struct *open_data(struct connection_struct *conn,
				      const char *path)
{
	const struct opening how = {
		.path = path,
		.access = DATA_ACCESS,
		.disposition = FILE_OPEN,
		.options = FILE_NON_DIRECTORY_FILE,
	};

	return open_as(conn, &how);
}

static struct files_struct *open_for(struct connection_struct *conn,
				     const char *path, uint32_t access)
{
	const struct opening how = {
		.path = path,
		.access = access | FILE_READ_ATTRIBUTES,
		.disposition = FILE_OPEN,
	};

	return open_as(conn, &how);
}

static bool close_now(struct files_struct *fsp)
{
	NTSTATUS status = close_file_free(NULL, &fsp, NORMAL_CLOSE);

	if (!NT_STATUS_IS_OK(status)) {
		case_note("close", nt_errstr(status));
	}
	return NT_STATUS_IS_OK(status);
}

static bool create(struct connection_struct *conn, const char *path,
		   uint32_t disposition, uint32_t options,
		   uint32_t attributes)
{
	const struct opening how = {
		.path = path,
		.access = options & FILE_DIRECTORY_FILE
			? FILE_READ_ATTRIBUTES : DATA_ACCESS,
		.disposition = disposition,
		.options = options,
		.attributes = attributes,
	};
	struct files_struct *fsp = open_as(conn, &how);

	return fsp != NULL && close_now(fsp);
}

/* ------------------------------------------------------------------- data */

static bool write_async(struct files_struct *fsp, const void *data,
			size_t length, off_t offset)
{
	struct tevent_context *ev = fsp->conn->sconn->ev_ctx;
	struct vfs_aio_state aio = { .error = 0 };
	struct tevent_req *req = NULL;
	ssize_t written;
	bool ok;

	if (case_current()->plain) {
		/* Without mirror.so it would be done in a thread. */
		written = SMB_VFS_PWRITE(fsp, data, length, offset);
		if (written > 0) {
			mark_file_modified(fsp);
		}
		return written == (ssize_t)length;
	}
	req = SMB_VFS_PWRITE_SEND(talloc_tos(), ev, fsp, data, length, offset);
	if (req == NULL) {
		return false;
	}
	link_in_event_loop(true);
	ok = tevent_req_poll(req, ev);
	link_in_event_loop(false);
	if (!ok) {
		return false;
	}
	written = SMB_VFS_PWRITE_RECV(req, &aio);
	TALLOC_FREE(req);
	if (written > 0) {
		/* As smb2_aio.c: the archive bit, the write time. */
		mark_file_modified(fsp);
	}
	return written == (ssize_t)length;
}

static void fill(uint8_t *bytes, size_t length, uint8_t seed)
{
	size_t i;

	for (i = 0; i < length; i++) {
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
	}
}

static bool write_to(struct connection_struct *conn, const char *path,
		     size_t length, off_t offset, uint8_t seed)
{
	struct files_struct *fsp = open_data(conn, path);
	uint8_t *bytes = talloc_array(talloc_tos(), uint8_t, length);
	bool ok;

	if (fsp == NULL) {
		return false;
	}
	if (offset == -1) {
		offset = fsp->fsp_name->st.st_ex_size;
	}
	fill(bytes, length, seed);
	ok = write_async(fsp, bytes, length, offset);
	return close_now(fsp) && ok;
}

static bool resize(struct connection_struct *conn, const char *path,
		   off_t length)
{
	struct files_struct *fsp = open_data(conn, path);
	bool ok = true;

	if (fsp == NULL) {
		return false;
	}
	/* As smb_set_file_size() in smbd. */
	if (length != fsp->fsp_name->st.st_ex_size) {
		ok = vfs_set_filelen(fsp, length) == 0;
		trigger_write_time_update_immediate(fsp);
	}
	return close_now(fsp) && ok;
}

static bool allocate(struct connection_struct *conn, const char *path,
		     uint32_t mode, off_t offset, off_t length)
{
	struct files_struct *fsp = open_data(conn, path);
	bool ok;

	if (fsp == NULL) {
		return false;
	}
	ok = SMB_VFS_FALLOCATE(fsp, mode, offset, length) == 0;
	return close_now(fsp) && ok;
}

/* FSCTL_SRV_COPYCHUNK needs what a SMB2 open has. */
static void make_smb2_open(struct files_struct *fsp)
{
	fsp->op = talloc_zero(fsp, struct smbXsrv_open);
	fsp->op->global = talloc_zero(fsp->op, struct smbXsrv_open_global0);
	fsp->op->status = NT_STATUS_OK;
}

static bool copy_range(struct files_struct *from, struct files_struct *to,
		       off_t from_offset, off_t to_offset, off_t length)
{
	struct tevent_context *ev = from->conn->sconn->ev_ctx;
	struct tevent_req *req = NULL;
	DATA_BLOB token = data_blob_null;
	uint32_t flags;
	uint64_t xferlen;
	NTSTATUS status;
	off_t copied = 0;

	req = SMB_VFS_OFFLOAD_READ_SEND(talloc_tos(), ev, from,
					FSCTL_SRV_REQUEST_RESUME_KEY, 0, 0, 0);
	if (req == NULL || !tevent_req_poll(req, ev)) {
		return false;
	}
	status = SMB_VFS_OFFLOAD_READ_RECV(req, from->conn, talloc_tos(),
					   &flags, &xferlen, &token);
	TALLOC_FREE(req);
	if (!NT_STATUS_IS_OK(status)) {
		return false;
	}
	req = SMB_VFS_OFFLOAD_WRITE_SEND(to->conn, talloc_tos(), ev,
					 FSCTL_SRV_COPYCHUNK_WRITE, &token,
					 from_offset, to, to_offset, length);
	if (req == NULL || !tevent_req_poll(req, ev)) {
		return false;
	}
	status = SMB_VFS_OFFLOAD_WRITE_RECV(to->conn, req, &copied);
	TALLOC_FREE(req);
	return NT_STATUS_IS_OK(status) && copied == length;
}

static bool copy(struct connection_struct *conn, const char *source,
		 const char *destination)
{
	struct files_struct *from = open_data(conn, source);
	struct files_struct *to = open_data(conn, destination);
	bool ok = false;

	if (from != NULL && to != NULL) {
		make_smb2_open(from);
		make_smb2_open(to);
		ok = from->fsp_name->st.st_ex_size >= 2000 &&
			copy_range(from, to, 0, 100, 2000);
		TALLOC_FREE(from->op);
		TALLOC_FREE(to->op);
	}
	if (from != NULL) {
		ok &= close_now(from);
	}
	if (to != NULL) {
		ok &= close_now(to);
	}
	return ok;
}

/* ------------------------------------------------------------------ names */

static bool rename_to(struct connection_struct *conn, const char *source,
		      const char *destination, bool replace)
{
	struct files_struct *fsp = open_for(conn, source, DELETE_ACCESS);
	struct files_struct *dirfsp = NULL;
	struct smb_filename *name = NULL;
	const char *last = strrchr(destination, '/');
	NTSTATUS status;

	if (fsp == NULL) {
		return false;
	}
	status = convert(conn, destination, 0, &dirfsp, &name);
	if (NT_STATUS_IS_OK(status)) {
		status = rename_internals_fsp(
			conn, fsp, dirfsp, name,
			last != NULL ? last + 1 : destination,
			FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM,
			replace);
	}
	return close_now(fsp) && NT_STATUS_IS_OK(status);
}

static bool link_to(struct connection_struct *conn, const char *source,
		    const char *destination)
{
	struct files_struct *fsp = open_for(conn, source,
					    FILE_WRITE_ATTRIBUTES);
	struct files_struct *dirfsp = NULL;
	struct smb_filename *name = NULL;
	NTSTATUS status;

	if (fsp == NULL) {
		return false;
	}
	status = convert(conn, destination, 0, &dirfsp, &name);
	if (NT_STATUS_IS_OK(status)) {
		status = hardlink_internals(talloc_tos(), conn, NULL, false,
					    NULL, fsp->fsp_name, dirfsp, name);
	}
	return close_now(fsp) && NT_STATUS_IS_OK(status);
}

static bool remove_path(struct connection_struct *conn, const char *path)
{
	struct files_struct *fsp = open_for(conn, path, DELETE_ACCESS);
	const struct auth_session_info *who = conn->session_info;
	bool ok;

	if (fsp == NULL) {
		return false;
	}
	ok = NT_STATUS_IS_OK(can_set_delete_on_close(
				     fsp, FILE_ATTRIBUTE_NORMAL)) &&
		set_delete_on_close(fsp, true, who->security_token,
				    who->unix_token);
	return close_now(fsp) && ok;
}

/* ------------------------------------------------------------- attributes */

typedef bool (*attribute_change)(struct files_struct *fsp);

static bool change(struct connection_struct *conn, const char *path,
		   uint32_t access, attribute_change how)
{
	struct files_struct *fsp = open_for(conn, path, access);
	bool ok;

	if (fsp == NULL) {
		return false;
	}
	ok = how(fsp);
	return close_now(fsp) && ok;
}

static bool set_one_ea(struct files_struct *fsp, const char *name,
		       const char *value)
{
	struct ea_list list = {
		.ea = {
			.name = discard_const_p(char, name),
			.value = data_blob_const(value, strlen(value)),
		},
	};

	return NT_STATUS_IS_OK(set_ea(fsp->conn, fsp, &list));
}

static bool set_new_ea(struct files_struct *fsp)
{
	return set_one_ea(fsp, "after", "value of an attribute") &&
		set_one_ea(fsp, "before", "another value");
}

static bool remove_ea(struct files_struct *fsp)
{
	return set_one_ea(fsp, "before", "");
}

static bool set_dosmode(struct files_struct *fsp)
{
	return file_set_dosmode(fsp->conn, fsp->fsp_name,
				FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM,
				NULL, false) == 0;
}

static struct security_descriptor *make_acl(void)
{
	/* Everybody everything, users may read; both are inherited. */
	struct security_ace aces[2];
	struct security_acl *acl = NULL;
	size_t size;

	init_sec_ace(&aces[0], &global_sid_World, SEC_ACE_TYPE_ACCESS_ALLOWED,
		     SEC_RIGHTS_FILE_ALL,
		     SEC_ACE_FLAG_OBJECT_INHERIT |
		     SEC_ACE_FLAG_CONTAINER_INHERIT);
	init_sec_ace(&aces[1], &global_sid_Builtin_Users,
		     SEC_ACE_TYPE_ACCESS_ALLOWED, SEC_RIGHTS_FILE_READ,
		     SEC_ACE_FLAG_OBJECT_INHERIT |
		     SEC_ACE_FLAG_CONTAINER_INHERIT);
	acl = make_sec_acl(talloc_tos(), SECURITY_ACL_REVISION_NT4, 2, aces);
	return make_sec_desc(talloc_tos(), SECURITY_DESCRIPTOR_REVISION_1,
			     SEC_DESC_SELF_RELATIVE | SEC_DESC_DACL_PRESENT,
			     NULL, NULL, NULL, acl, &size);
}

static bool set_acl(struct files_struct *fsp)
{
	return NT_STATUS_IS_OK(SMB_VFS_FSET_NT_ACL(fsp, SECINFO_DACL,
						   make_acl()));
}

static bool set_mode(struct files_struct *fsp)
{
	int ret;

	/* acl_xattr leaves it to clients that use POSIX. */
	fsp->posix_flags |= FSP_POSIX_FLAGS_PATHNAMES;
	ret = SMB_VFS_FCHMOD(fsp, 0640);
	fsp->posix_flags &= ~FSP_POSIX_FLAGS_PATHNAMES;
	return ret == 0;
}

static bool set_owner(struct files_struct *fsp)
{
	bool ok;

	become_root();
	ok = SMB_VFS_FCHOWN(fsp, 12345, 54321) == 0;
	unbecome_root();
	return ok;
}

static bool set_times(struct files_struct *fsp)
{
	struct smb_file_time ft;

	init_smb_file_time(&ft);
	ft.atime = (struct timespec) { .tv_sec = LONG_AGO };
	ft.mtime = (struct timespec) { .tv_sec = LONG_AGO + 1000 };
	ft.create_time = (struct timespec) { .tv_sec = LONG_AGO + 2000 };
	return NT_STATUS_IS_OK(smb_set_file_time(fsp->conn, fsp, fsp->fsp_name,
						 &ft, true));
}

static bool create_with_acl(struct connection_struct *conn)
{
	const struct opening how = {
		.path = "n",
		.access = DATA_ACCESS,
		.disposition = FILE_CREATE,
		.options = FILE_NON_DIRECTORY_FILE,
		.attributes = FILE_ATTRIBUTE_HIDDEN,
		.sd = make_acl(),
	};
	struct files_struct *fsp = open_as(conn, &how);

	return fsp != NULL && close_now(fsp);
}

static bool write_stream(struct connection_struct *conn, const char *path,
			 uint8_t seed)
{
	const struct opening how = {
		.path = path,
		.access = DATA_ACCESS,
		.disposition = FILE_OVERWRITE_IF,
		.options = FILE_NON_DIRECTORY_FILE,
	};
	struct files_struct *fsp = open_as(conn, &how);
	uint8_t bytes[200];
	bool ok;

	if (fsp == NULL) {
		return false;
	}
	fill(bytes, sizeof(bytes), seed);
	ok = write_async(fsp, bytes, sizeof(bytes), 0);
	return close_now(fsp) && ok;
}

/* -------------------------------------------------------------- the table */

bool operation_do(struct connection_struct *conn, unsigned int number)
{
	const uint32_t file = FILE_NON_DIRECTORY_FILE;
	const uint32_t dir = FILE_DIRECTORY_FILE;
	const uint32_t normal = FILE_ATTRIBUTE_NORMAL;
	const uint32_t keep = VFS_FALLOCATE_FL_KEEP_SIZE;
	const uint32_t punch = VFS_FALLOCATE_FL_PUNCH_HOLE;

	switch ((enum operation_number)number) {
	case OP_create_n:
		return create(conn, "n", FILE_CREATE, file, normal);
	case OP_create_dn:
		return create(conn, "d/n", FILE_OPEN_IF, file, normal);
	case OP_create_nx:
		return create(conn, "n/x", FILE_CREATE, file, normal);
	case OP_create_acl:
		return create_with_acl(conn);
	case OP_overwrite_a:
		return create(conn, "a", FILE_OVERWRITE_IF, file, normal);
	case OP_supersede_b:
		return create(conn, "b", FILE_SUPERSEDE, file,
			      FILE_ATTRIBUTE_HIDDEN);
	case OP_write_a:
		return write_to(conn, "a", 3000, 1000, 1);
	case OP_write_dx:
		return write_to(conn, "d/x", 5000, 2000, 2);
	case OP_write_n:
		return write_to(conn, "n", 1500, 0, 3);
	case OP_append_a:
		return write_to(conn, "a", 5000, -1, 4);
	case OP_append_b:
		return write_to(conn, "b", 100, -1, 5);
	case OP_truncate_a:
		return resize(conn, "a", 100);
	case OP_extend_a:
		return resize(conn, "a", 20000);
	case OP_fallocate_a:
		return allocate(conn, "a", 0, 3000, 9000);
	case OP_punch_a:
		return allocate(conn, "a", keep | punch, 500, 5000);
	case OP_rename_a_n:
		return rename_to(conn, "a", "n", false);
	case OP_rename_a_b:
		return rename_to(conn, "a", "b", true);
	case OP_rename_n_a:
		return rename_to(conn, "n", "a", true);
	case OP_rename_b_a:
		return rename_to(conn, "b", "a", true);
	case OP_rename_dx_n:
		return rename_to(conn, "d/x", "n", true);
	case OP_rename_e_m:
		return rename_to(conn, "e", "m", false);
	case OP_rename_d_m:
		return rename_to(conn, "d", "m", false);
	case OP_move_e_d:
		return rename_to(conn, "e", "d/e", false);
	case OP_link_a_n:
		return link_to(conn, "a", "n");
	case OP_link_b_dn:
		return link_to(conn, "b", "d/n");
	case OP_delete_a:
		return remove_path(conn, "a");
	case OP_delete_n:
		return remove_path(conn, "n");
	case OP_delete_dx:
		return remove_path(conn, "d/x");
	case OP_delete_nx:
		return remove_path(conn, "n/x");
	case OP_mkdir_n:
		return create(conn, "n", FILE_CREATE, dir,
			      FILE_ATTRIBUTE_DIRECTORY);
	case OP_mkdir_dn:
		return create(conn, "d/n", FILE_CREATE, dir,
			      FILE_ATTRIBUTE_DIRECTORY);
	case OP_rmdir_e:
		return remove_path(conn, "e");
	case OP_rmdir_d:
		return remove_path(conn, "d");
	case OP_setea_a:
		return change(conn, "a", FILE_WRITE_EA, set_new_ea);
	case OP_removeea_a:
		return change(conn, "a", FILE_WRITE_EA, remove_ea);
	case OP_dosmode_a:
		return change(conn, "a", FILE_WRITE_ATTRIBUTES, set_dosmode);
	case OP_acl_a:
		return change(conn, "a", SEC_STD_WRITE_DAC, set_acl);
	case OP_acl_d:
		return change(conn, "d", SEC_STD_WRITE_DAC, set_acl);
	case OP_chmod_a:
		return change(conn, "a", FILE_WRITE_ATTRIBUTES, set_mode);
	case OP_chown_a:
		return change(conn, "a", FILE_WRITE_ATTRIBUTES, set_owner);
	case OP_times_a:
		return change(conn, "a", FILE_WRITE_ATTRIBUTES, set_times);
	case OP_times_d:
		return change(conn, "d", FILE_WRITE_ATTRIBUTES, set_times);
	case OP_stream_a:
		return write_stream(conn, "a:s", 6);
	case OP_stream_b:
		return write_stream(conn, "b:s", 7);
	case OP_unstream_b:
		return remove_path(conn, "b:s");
	case OP_copy_a_b:
		return copy(conn, "a", "b");
	case OP_COUNT:
		break;
	}
	return false;
}
