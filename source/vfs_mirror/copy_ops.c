/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Server-side copy.
 *
 * vfs_default copies with copy_file_range(2), past the chain. A record "copy
 * this range" would not do either: at replay the source may have changed. So
 * the data is read, and written like any other write: chunks are at most a
 * few MiB each, smbd sees to that.
 *
 * The tokens are our own, as every module's are that implements the copy.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "lib/util/tevent_ntstatus.h"
#include "modules/offload_token.h"
#include "mirror_share.h"

#define COPY_PIECE (1024 * 1024)

static struct vfs_offload_ctx *tokens;

struct offload_read_state {
	DATA_BLOB token;
	struct vfs_handle_struct *handle;
	bool ours;
	uint32_t flags;
	uint64_t xferlen;
};

static void offload_read_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(
		subreq, struct tevent_req);
	struct offload_read_state *state = tevent_req_data(
		req, struct offload_read_state);
	NTSTATUS status;

	status = SMB_VFS_NEXT_OFFLOAD_READ_RECV(subreq, state->handle, state,
						&state->flags,
						&state->xferlen,
						&state->token);
	TALLOC_FREE(subreq);
	if (tevent_req_nterror(req, status)) {
		return;
	}
	tevent_req_done(req);
}

struct tevent_req *mirror_offload_read_send(TALLOC_CTX *mem_ctx,
					    struct tevent_context *ev,
					    struct vfs_handle_struct *handle,
					    struct files_struct *fsp,
					    uint32_t fsctl,
					    uint32_t ttl,
					    off_t offset,
					    size_t to_copy)
{
	struct tevent_req *req = NULL;
	struct tevent_req *subreq = NULL;
	struct offload_read_state *state = NULL;
	NTSTATUS status;

	req = tevent_req_create(mem_ctx, &state, struct offload_read_state);
	if (req == NULL) {
		return NULL;
	}
	state->handle = handle;
	status = vfs_offload_token_ctx_init(handle->conn->sconn->client,
					    &tokens);
	if (tevent_req_nterror(req, status)) {
		return tevent_req_post(req, ev);
	}
	if (fsctl != FSCTL_SRV_REQUEST_RESUME_KEY) {
		subreq = SMB_VFS_NEXT_OFFLOAD_READ_SEND(
			state, ev, handle, fsp, fsctl, ttl, offset, to_copy);
		if (tevent_req_nomem(subreq, req)) {
			return tevent_req_post(req, ev);
		}
		tevent_req_set_callback(subreq, offload_read_done, req);
		return req;
	}
	status = vfs_offload_token_create_blob(state, fsp, fsctl,
					       &state->token);
	if (tevent_req_nterror(req, status)) {
		return tevent_req_post(req, ev);
	}
	status = vfs_offload_token_db_store_fsp(tokens, fsp, &state->token);
	if (tevent_req_nterror(req, status)) {
		return tevent_req_post(req, ev);
	}
	tevent_req_done(req);
	return tevent_req_post(req, ev);
}

NTSTATUS mirror_offload_read_recv(struct tevent_req *req,
				  struct vfs_handle_struct *handle,
				  TALLOC_CTX *mem_ctx,
				  uint32_t *flags,
				  uint64_t *xferlen,
				  DATA_BLOB *token)
{
	struct offload_read_state *state = tevent_req_data(
		req, struct offload_read_state);
	NTSTATUS status;

	if (tevent_req_is_nterror(req, &status)) {
		tevent_req_received(req);
		return status;
	}
	*flags = state->flags;
	*xferlen = state->xferlen;
	*token = (DATA_BLOB) {
		.data = talloc_move(mem_ctx, &state->token.data),
		.length = state->token.length,
	};
	tevent_req_received(req);
	return NT_STATUS_OK;
}

struct copy_state {
	struct vfs_handle_struct *handle;
	off_t copied;
};

static bool range_is_free(struct files_struct *fsp,
			  off_t offset,
			  off_t length,
			  enum brl_type type)
{
	struct lock_struct lock;

	init_strict_lock_struct(fsp, fsp->op->global->open_persistent_id,
				offset, length, type,
				lp_posix_cifsu_locktype(fsp), &lock);
	return SMB_VFS_STRICT_LOCK_CHECK(fsp->conn, fsp, &lock);
}

static NTSTATUS copy_range(struct copy_state *state,
			   struct files_struct *source,
			   off_t source_offset,
			   struct files_struct *destination,
			   off_t offset,
			   off_t length)
{
	uint8_t *buffer = NULL;
	NTSTATUS status = NT_STATUS_OK;

	buffer = talloc_array(state, uint8_t, MIN(length, COPY_PIECE));
	if (buffer == NULL) {
		return NT_STATUS_NO_MEMORY;
	}
	while (length > 0) {
		size_t piece = MIN(length, COPY_PIECE);
		ssize_t n;

		if (!change_to_user_and_service_by_fsp(source)) {
			status = NT_STATUS_ACCESS_DENIED;
			break;
		}
		if (!range_is_free(source, source_offset, piece, READ_LOCK)) {
			status = NT_STATUS_FILE_LOCK_CONFLICT;
			break;
		}
		n = SMB_VFS_PREAD(source, buffer, piece, source_offset);
		if (n <= 0) {
			status = n == 0 ? NT_STATUS_END_OF_FILE
					: map_nt_error_from_unix(errno);
			break;
		}
		if (!change_to_user_and_service_by_fsp(destination)) {
			status = NT_STATUS_ACCESS_DENIED;
			break;
		}
		if (!range_is_free(destination, offset, n, WRITE_LOCK)) {
			status = NT_STATUS_FILE_LOCK_CONFLICT;
			break;
		}
		n = SMB_VFS_PWRITE(destination, buffer, n, offset);
		if (n <= 0) {
			status = map_nt_error_from_unix(errno);
			break;
		}
		source_offset += n;
		offset += n;
		length -= n;
		state->copied += n;
	}
	TALLOC_FREE(buffer);
	return status;
}

static NTSTATUS copy_chunk(struct copy_state *state,
			   uint32_t fsctl,
			   DATA_BLOB *token,
			   off_t source_offset,
			   struct files_struct *destination,
			   off_t offset,
			   off_t length)
{
	struct files_struct *source = NULL;
	NTSTATUS status;

	if (length == 0) {
		return NT_STATUS_OK;
	}
	if (source_offset < 0 || offset < 0 || length < 0 ||
	    source_offset > INT64_MAX - length ||
	    offset > INT64_MAX - length) {
		return NT_STATUS_INVALID_PARAMETER;
	}
	status = vfs_offload_token_db_fetch_fsp(tokens, token, &source);
	if (!NT_STATUS_IS_OK(status)) {
		return status;
	}
	status = vfs_offload_token_check_handles(fsctl, source, destination);
	if (!NT_STATUS_IS_OK(status)) {
		return status;
	}
	if (!change_to_user_and_service_by_fsp(source)) {
		return NT_STATUS_ACCESS_DENIED;
	}
	status = vfs_stat_fsp(source);
	if (!NT_STATUS_IS_OK(status)) {
		return status;
	}
	if (source->fsp_name->st.st_ex_size < source_offset + length) {
		/* As vfs_default: [MS-SMB2] 3.3.5.15.6, note <240> */
		return NT_STATUS_INVALID_VIEW_SIZE;
	}
	return copy_range(state, source, source_offset, destination, offset,
			  length);
}

struct tevent_req *mirror_offload_write_send(struct vfs_handle_struct *handle,
					     TALLOC_CTX *mem_ctx,
					     struct tevent_context *ev,
					     uint32_t fsctl,
					     DATA_BLOB *token,
					     off_t transfer_offset,
					     struct files_struct *dest_fsp,
					     off_t dest_off,
					     off_t to_copy)
{
	struct tevent_req *req = NULL;
	struct copy_state *state = NULL;
	NTSTATUS status;

	req = tevent_req_create(mem_ctx, &state, struct copy_state);
	if (req == NULL) {
		return NULL;
	}
	state->handle = handle;

	switch (fsctl) {
	case FSCTL_SRV_COPYCHUNK:
	case FSCTL_SRV_COPYCHUNK_WRITE:
		status = copy_chunk(state, fsctl, token, transfer_offset,
				    dest_fsp, dest_off, to_copy);
		if (!change_to_user_and_service_by_fsp(dest_fsp)) {
			status = NT_STATUS_INTERNAL_ERROR;
		}
		break;
	case FSCTL_OFFLOAD_WRITE:
		status = NT_STATUS_NOT_IMPLEMENTED;
		break;
	case FSCTL_DUP_EXTENTS_TO_FILE:
		/* Sharing extents would pass the chain; so says vfs_default,
		 * too. */
		status = NT_STATUS_INVALID_PARAMETER;
		break;
	default:
		status = NT_STATUS_INTERNAL_ERROR;
		break;
	}
	if (!tevent_req_nterror(req, status)) {
		tevent_req_done(req);
	}
	return tevent_req_post(req, ev);
}

NTSTATUS mirror_offload_write_recv(struct vfs_handle_struct *handle,
				   struct tevent_req *req,
				   off_t *copied)
{
	struct copy_state *state = tevent_req_data(req, struct copy_state);
	NTSTATUS status;

	*copied = state->copied;
	if (tevent_req_is_nterror(req, &status)) {
		tevent_req_received(req);
		return status;
	}
	tevent_req_received(req);
	return NT_STATUS_OK;
}
