/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What clients are told about the volume, and the right to tell it (R12).
 *
 * Each hook looks first and then asks whether this node may answer. A node
 * that stood still in between, and was replaced meanwhile, keeps what it saw
 * to itself: errors, too, tell something.
 *
 * Byte-range locks are not here: they are granted while a record of a
 * clustered database is locked, and whoever waits with it holds up the very
 * recovery that it waits for. Whatever is done under such a lock is asked.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "lib/util/tevent_unix.h"
#include "mirror_share.h"

/* Returns when this node may answer; else the process ends. */
static void may_answer(struct vfs_handle_struct *handle)
{
	int saved_errno = errno;

	operation_await_right(mirror_volume(handle));
	errno = saved_errno;
}

/* -------------------------------------------------------------------- data */

ssize_t mirror_pread(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     void *data,
		     size_t n,
		     off_t offset)
{
	ssize_t result = SMB_VFS_NEXT_PREAD(handle, fsp, data, n, offset);

	may_answer(handle);
	return result;
}

struct pread_state {
	struct vfs_handle_struct *handle;
	struct vfs_aio_state aio;
	ssize_t result;
};

static void pread_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct pread_state *state = tevent_req_data(req, struct pread_state);

	state->result = SMB_VFS_PREAD_RECV(subreq, &state->aio);
	TALLOC_FREE(subreq);
	tevent_req_done(req);
}

struct tevent_req *mirror_pread_send(struct vfs_handle_struct *handle,
				     TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     struct files_struct *fsp,
				     void *data,
				     size_t n,
				     off_t offset)
{
	struct tevent_req *req = NULL, *subreq = NULL;
	struct pread_state *state = NULL;

	req = tevent_req_create(mem_ctx, &state, struct pread_state);
	if (req == NULL) {
		return NULL;
	}
	state->handle = handle;
	subreq = SMB_VFS_NEXT_PREAD_SEND(state, ev, handle, fsp, data, n,
					 offset);
	if (tevent_req_nomem(subreq, req)) {
		return tevent_req_post(req, ev);
	}
	tevent_req_set_callback(subreq, pread_done, req);
	return req;
}

ssize_t mirror_pread_recv(struct tevent_req *req,
			  struct vfs_aio_state *vfs_aio_state)
{
	struct pread_state *state = tevent_req_data(req, struct pread_state);
	ssize_t result = -1;

	if (tevent_req_is_unix_error(req, &vfs_aio_state->error)) {
		tevent_req_received(req);
		return -1;
	}
	may_answer(state->handle);
	*vfs_aio_state = state->aio;
	result = state->result;
	tevent_req_received(req);
	return result;
}

/* It would be told before we could ask. smbd falls back to reading. */
ssize_t mirror_sendfile(struct vfs_handle_struct *handle,
			int tofd,
			files_struct *fsp,
			const DATA_BLOB *header,
			off_t offset,
			size_t n)
{
	errno = ENOSYS;
	return -1;
}

/* -------------------------------------------------------------------- stat */

int mirror_stat(struct vfs_handle_struct *handle,
		struct smb_filename *smb_fname)
{
	int result;

	if (mirror_share(handle)->not_here) {
		errno = ENOENT;
		return -1;
	}
	result = SMB_VFS_NEXT_STAT(handle, smb_fname);
	may_answer(handle);
	return result;
}

int mirror_lstat(struct vfs_handle_struct *handle,
		 struct smb_filename *smb_fname)
{
	int result;

	if (mirror_share(handle)->not_here) {
		errno = ENOENT;
		return -1;
	}
	result = SMB_VFS_NEXT_LSTAT(handle, smb_fname);
	may_answer(handle);
	return result;
}

int mirror_fstat(struct vfs_handle_struct *handle,
		 struct files_struct *fsp,
		 SMB_STRUCT_STAT *sbuf)
{
	int result = SMB_VFS_NEXT_FSTAT(handle, fsp, sbuf);

	may_answer(handle);
	return result;
}

int mirror_fstatat(struct vfs_handle_struct *handle,
		   const struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   SMB_STRUCT_STAT *sbuf,
		   int flags)
{
	int result = SMB_VFS_NEXT_FSTATAT(handle, dirfsp, smb_fname, sbuf,
					  flags);

	may_answer(handle);
	return result;
}

uint64_t mirror_disk_free(struct vfs_handle_struct *handle,
			  const struct smb_filename *smb_fname,
			  uint64_t *bsize,
			  uint64_t *dfree,
			  uint64_t *dsize)
{
	uint64_t result = SMB_VFS_NEXT_DISK_FREE(handle, smb_fname, bsize,
						 dfree, dsize);

	may_answer(handle);
	return result;
}

int mirror_get_quota(struct vfs_handle_struct *handle,
		     const struct smb_filename *smb_fname,
		     enum SMB_QUOTA_TYPE qtype,
		     unid_t id,
		     SMB_DISK_QUOTA *quota)
{
	int result = SMB_VFS_NEXT_GET_QUOTA(handle, smb_fname, qtype, id,
					    quota);

	may_answer(handle);
	return result;
}

/* ------------------------------------------------------------------- names */

struct dirent *mirror_readdir(struct vfs_handle_struct *handle,
			      struct files_struct *dirfsp,
			      DIR *dirp
			      MIRROR_READDIR_STAT_PARAM)
{
	struct dirent *result = MIRROR_NEXT_READDIR(handle, dirfsp, dirp);

	may_answer(handle);
	return result;
}

int mirror_readlinkat(struct vfs_handle_struct *handle,
		      const struct files_struct *dirfsp,
		      const struct smb_filename *smb_fname,
		      char *buf,
		      size_t size)
{
	int result = SMB_VFS_NEXT_READLINKAT(handle, dirfsp, smb_fname, buf,
					     size);

	may_answer(handle);
	return result;
}

NTSTATUS mirror_get_real_filename_at(struct vfs_handle_struct *handle,
				     struct files_struct *dirfsp,
				     const char *name,
				     TALLOC_CTX *mem_ctx,
				     char **found_name)
{
	NTSTATUS status = SMB_VFS_NEXT_GET_REAL_FILENAME_AT(
		handle, dirfsp, name, mem_ctx, found_name);

	may_answer(handle);
	return status;
}

NTSTATUS mirror_read_dfs_pathat(struct vfs_handle_struct *handle,
				TALLOC_CTX *mem_ctx,
				struct files_struct *dirfsp,
				struct smb_filename *smb_fname,
				struct referral **referrals,
				size_t *count)
{
	NTSTATUS status = SMB_VFS_NEXT_READ_DFS_PATHAT(
		handle, mem_ctx, dirfsp, smb_fname, referrals, count);

	may_answer(handle);
	return status;
}

/* -------------------------------------------------------------- attributes */

ssize_t mirror_fgetxattr(struct vfs_handle_struct *handle,
			 struct files_struct *fsp,
			 const char *name,
			 void *value,
			 size_t size)
{
	ssize_t result = SMB_VFS_NEXT_FGETXATTR(handle, fsp, name, value,
						size);

	may_answer(handle);
	return result;
}

ssize_t mirror_flistxattr(struct vfs_handle_struct *handle,
			  struct files_struct *fsp,
			  char *list,
			  size_t size)
{
	ssize_t result = SMB_VFS_NEXT_FLISTXATTR(handle, fsp, list, size);

	may_answer(handle);
	return result;
}

SMB_ACL_T mirror_sys_acl_get_fd(struct vfs_handle_struct *handle,
				struct files_struct *fsp,
				SMB_ACL_TYPE_T type,
				TALLOC_CTX *mem_ctx)
{
	SMB_ACL_T result = SMB_VFS_NEXT_SYS_ACL_GET_FD(handle, fsp, type,
						       mem_ctx);

	may_answer(handle);
	return result;
}

struct getxattrat_state {
	struct vfs_handle_struct *handle;
	struct vfs_aio_state aio;
	ssize_t result;
	uint8_t *value;
};

static void getxattrat_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(subreq,
							  struct tevent_req);
	struct getxattrat_state *state = tevent_req_data(
		req, struct getxattrat_state);

	state->result = SMB_VFS_NEXT_GETXATTRAT_RECV(
		subreq, &state->aio, state, &state->value);
	TALLOC_FREE(subreq);
	tevent_req_done(req);
}

struct tevent_req *mirror_getxattrat_send(TALLOC_CTX *mem_ctx,
					  struct tevent_context *ev,
					  struct vfs_handle_struct *handle,
					  files_struct *dirfsp,
					  const struct smb_filename *smb_fname,
					  const char *name,
					  size_t alloc_hint)
{
	struct tevent_req *req = NULL, *subreq = NULL;
	struct getxattrat_state *state = NULL;

	req = tevent_req_create(mem_ctx, &state, struct getxattrat_state);
	if (req == NULL) {
		return NULL;
	}
	state->handle = handle;
	subreq = SMB_VFS_NEXT_GETXATTRAT_SEND(state, ev, handle, dirfsp,
					      smb_fname, name, alloc_hint);
	if (tevent_req_nomem(subreq, req)) {
		return tevent_req_post(req, ev);
	}
	tevent_req_set_callback(subreq, getxattrat_done, req);
	return req;
}

ssize_t mirror_getxattrat_recv(struct tevent_req *req,
			       struct vfs_aio_state *vfs_aio_state,
			       TALLOC_CTX *mem_ctx,
			       uint8_t **value)
{
	struct getxattrat_state *state = tevent_req_data(
		req, struct getxattrat_state);
	ssize_t result = -1;

	if (tevent_req_is_unix_error(req, &vfs_aio_state->error)) {
		tevent_req_received(req);
		return -1;
	}
	may_answer(state->handle);
	*vfs_aio_state = state->aio;
	result = state->result;
	if (value != NULL) {
		*value = talloc_move(mem_ctx, &state->value);
	}
	tevent_req_received(req);
	return result;
}
