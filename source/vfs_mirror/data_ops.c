/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations on the content of files: write, truncate, allocate, flush.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "lib/util/tevent_unix.h"
#include "lib/util/sys_rw.h"
#include "mirror_share.h"

struct data {
	struct vfs_handle_struct *handle;
	struct tevent_req *req;	/* asynchronous writes only */
	struct files_struct *fsp;
	const void *buffer;
	size_t n;
	off_t offset;
	off_t length;
	uint32_t mode;
	ssize_t result;
};

static int data_harden(struct mirror_operation *operation, void *private_data)
{
	struct data *data = private_data;

	return harden_fd(fsp_get_io_fd(data->fsp));
}

/* Of a write smbd sets the time afterwards; of these the kernel does, and it
 * may be all that is new of the inode: fdatasync() would leave it out. */
static int size_harden(struct mirror_operation *operation, void *private_data)
{
	struct data *data = private_data;

	return harden_object(fsp_get_io_fd(data->fsp));
}

static struct mirror_operation *data_begin(TALLOC_CTX *mem_ctx,
					   struct data *data,
					   enum record_type type,
					   operation_apply apply)
{
	struct mirror_operation *operation = NULL;
	struct identity identity;

	if (identity_of_fsp(data->handle, data->fsp, &identity) == -1) {
		return NULL;
	}
	operation = operation_new(mem_ctx, mirror_volume(data->handle), type);
	if (operation == NULL) {
		return NULL;
	}
	operation->apply = apply;
	operation->harden = data_harden;
	operation->private_data = data;
	operation->record.object = identity.id;
	operation->record.object_hint = identity.handle;
	return operation;
}

/* ------------------------------------------------------------------ write */

static int apply_pwrite(struct mirror_operation *operation, void *private_data)
{
	struct data *data = private_data;

	data->result = SMB_VFS_NEXT_PWRITE(data->handle, data->fsp,
					   data->buffer, data->n,
					   data->offset);
	if (data->result == (ssize_t)data->n) {
		return 0;
	}
	/* The partner has all of it; a part of it is not what it has. */
	if (data->result >= 0) {
		errno = ENOSPC;
	}
	data->result = -1;
	return -1;
}

static struct mirror_operation *pwrite_begin(TALLOC_CTX *mem_ctx,
					     struct data *data)
{
	struct mirror_operation *operation;

	operation = data_begin(mem_ctx, data, RECORD_WRITE, apply_pwrite);
	if (operation == NULL) {
		return NULL;
	}
	operation->record.offset = data->offset;
	operation->record.data = data->buffer;
	operation->record.data_length = data->n;
	operation_lock(operation,
		       page_lock_bytes(&operation->record.object,
				       data->offset, data->n));
	return operation;
}

/*
 * POSIX append (4.22): the place is known only under the lock of everything
 * behind the present end; from then on it is a write like others.
 */
static struct mirror_operation *append_begin(TALLOC_CTX *mem_ctx,
					     struct data *data)
{
	struct mirror_operation *operation;
	struct stat st;

	operation = data_begin(mem_ctx, data, RECORD_WRITE, apply_pwrite);
	if (operation == NULL) {
		return NULL;
	}
	operation_lock(operation,
		       page_lock_bytes_from(&operation->record.object, 0));
	if (operation_take_locks(operation) == -1 ||
	    fstat(fsp_get_io_fd(data->fsp), &st) == -1) {
		operation_abandon(operation);
		return NULL;
	}
	operation->record.offset = st.st_size;
	operation->record.data = data->buffer;
	operation->record.data_length = data->n;
	return operation;
}

ssize_t mirror_pwrite(struct vfs_handle_struct *handle,
		      struct files_struct *fsp,
		      const void *buffer,
		      size_t n,
		      off_t offset)
{
	struct data data = {
		.handle = handle,
		.fsp = fsp,
		.buffer = buffer,
		.n = n,
		.offset = offset,
	};
	struct mirror_operation *operation = NULL;

	if (n == 0) {
		return SMB_VFS_NEXT_PWRITE(handle, fsp, buffer, n, offset);
	}
	operation = MIRROR_PWRITE_APPENDS(offset)
		? append_begin(talloc_tos(), &data)
		: pwrite_begin(talloc_tos(), &data);
	if (operation == NULL || operation_run(operation) == -1) {
		return -1;
	}
	return data.result;
}

struct pwrite_state {
	struct data data;
	struct mirror_operation *operation;	/* NULL when it is over */
	struct vfs_aio_state aio;
	uint64_t started;
};

static void pwrite_done(struct mirror_operation *operation, void *private_data)
{
	struct data *data = private_data;
	struct tevent_req *req = talloc_get_type_abort(data->req,
						       struct tevent_req);
	struct pwrite_state *state = tevent_req_data(req, struct pwrite_state);
	int error = operation->error;

	mirror_volume(data->handle)->num_async--;
	state->operation = NULL;
	TALLOC_FREE(operation);
	state->aio.duration = (sender_now() - state->started) * 1000;
	if (error != 0) {
		tevent_req_error(req, error);
	} else {
		tevent_req_done(req);
	}
}

/*
 * The request goes away before the write is over (its client did): the buffer
 * goes with it, so the write has to be over now.
 */
static void pwrite_cleanup(struct tevent_req *req,
			   enum tevent_req_state req_state)
{
	struct pwrite_state *state = tevent_req_data(req, struct pwrite_state);
	struct mirror_operation *operation = state->operation;

	if (operation == NULL) {
		return;
	}
	state->operation = NULL;
	operation_finish(operation);
	mirror_volume(state->data.handle)->num_async--;
	TALLOC_FREE(operation);
}

static struct tevent_req *pwrite_now(struct tevent_req *req,
				     struct tevent_context *ev)
{
	struct pwrite_state *state = tevent_req_data(req, struct pwrite_state);
	struct data *data = &state->data;

	data->result = mirror_pwrite(data->handle, data->fsp, data->buffer,
				     data->n, data->offset);
	if (data->result == -1) {
		tevent_req_error(req, errno);
	} else {
		tevent_req_done(req);
	}
	return tevent_req_post(req, ev);
}

struct tevent_req *mirror_pwrite_send(struct vfs_handle_struct *handle,
				      TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      struct files_struct *fsp,
				      const void *buffer,
				      size_t n,
				      off_t offset)
{
	struct mirror_volume *volume = mirror_volume(handle);
	struct tevent_req *req = NULL;
	struct pwrite_state *state = NULL;
	struct mirror_operation *operation = NULL;

	req = tevent_req_create(mem_ctx, &state, struct pwrite_state);
	if (req == NULL) {
		return NULL;
	}
	state->started = sender_now();
	state->data = (struct data) {
		.handle = handle,
		.req = req,
		.fsp = fsp,
		.buffer = buffer,
		.n = n,
		.offset = offset,
	};
	/* A caller with a loop of its own waits in it, and only for this. */
	if (ev != handle->conn->sconn->ev_ctx || n == 0) {
		return pwrite_now(req, ev);
	}

	/*
	 * Acknowledgements are also read in the middle of other VFS calls;
	 * our caller's callback must not run there.
	 */
	tevent_req_defer_callback(req, ev);
	operation = MIRROR_PWRITE_APPENDS(offset)
		? append_begin(volume, &state->data)
		: pwrite_begin(volume, &state->data);
	if (operation == NULL) {
		tevent_req_error(req, errno);
		return tevent_req_post(req, ev);
	}
	operation->done = pwrite_done;
	state->operation = operation;
	volume->num_async++;
	volume->client = handle->conn->sconn->client;
	tevent_req_set_cleanup_fn(req, pwrite_cleanup);
	if (operation_start(operation) == -1) {
		int error = errno;

		state->operation = NULL;
		volume->num_async--;
		tevent_req_error(req, error);
		return tevent_req_post(req, ev);
	}
	if (volume->num_async > 0) {
		sender_watch(volume, ev);
	}
	return req;
}

ssize_t mirror_pwrite_recv(struct tevent_req *req,
			   struct vfs_aio_state *vfs_aio_state)
{
	struct pwrite_state *state = tevent_req_data(req, struct pwrite_state);
	ssize_t result = -1;

	operation_await_right(mirror_volume(state->data.handle));
	if (tevent_req_is_unix_error(req, &vfs_aio_state->error)) {
		tevent_req_received(req);
		return -1;
	}
	*vfs_aio_state = state->aio;
	result = state->data.result;
	tevent_req_received(req);
	return result;
}

/* splice(2) would pass the chain: read, then write like any other. */
ssize_t mirror_recvfile(struct vfs_handle_struct *handle,
			int fromfd,
			struct files_struct *fsp,
			off_t offset,
			size_t n)
{
	TALLOC_CTX *frame = talloc_stackframe();
	uint8_t *buffer = NULL;
	ssize_t result = -1;
	size_t got = 0;

	buffer = talloc_array(frame, uint8_t, n);
	if (buffer == NULL) {
		errno = ENOMEM;
		goto out;
	}
	while (got < n) {
		ssize_t ret = sys_read(fromfd, buffer + got, n - got);

		if (ret <= 0) {
			break;
		}
		got += ret;
	}
	result = mirror_pwrite(handle, fsp, buffer, got, offset);
out:
	TALLOC_FREE(frame);
	return result;
}

/* ------------------------------------------------------ truncate, allocate */

static int apply_ftruncate(struct mirror_operation *operation,
			   void *private_data)
{
	struct data *data = private_data;

	return SMB_VFS_NEXT_FTRUNCATE(data->handle, data->fsp, data->length);
}

/* With strict allocate an extending truncate is a composite of calls that
 * come to us one by one. */
static bool ftruncate_is_composite(struct files_struct *fsp, off_t length)
{
	struct stat st;

	if (!lp_strict_allocate(SNUM(fsp->conn)) || fsp->fsp_flags.is_sparse) {
		return false;
	}
	return fstat(fsp_get_io_fd(fsp), &st) == 0 && st.st_size <= length;
}

int mirror_ftruncate(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     off_t length)
{
	struct data data = {
		.handle = handle,
		.fsp = fsp,
		.length = length,
	};
	struct mirror_operation *operation = NULL;

	if (ftruncate_is_composite(fsp, length)) {
		return SMB_VFS_NEXT_FTRUNCATE(handle, fsp, length);
	}
	operation = data_begin(talloc_tos(), &data, RECORD_TRUNCATE,
			       apply_ftruncate);
	if (operation == NULL) {
		return -1;
	}
	operation->harden = size_harden;
	operation->record.length = length;
	operation_lock(operation,
		       page_lock_bytes_from(&operation->record.object,
					    length));
	return operation_run(operation);
}

static int apply_fallocate(struct mirror_operation *operation,
			   void *private_data)
{
	struct data *data = private_data;

	return SMB_VFS_NEXT_FALLOCATE(data->handle, data->fsp, data->mode,
				      data->offset, data->length);
}

int mirror_fallocate(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     uint32_t mode,
		     off_t offset,
		     off_t length)
{
	struct data data = {
		.handle = handle,
		.fsp = fsp,
		.mode = mode,
		.offset = offset,
		.length = length,
	};
	struct mirror_operation *operation = NULL;

	operation = data_begin(talloc_tos(), &data, RECORD_FALLOCATE,
			       apply_fallocate);
	if (operation == NULL) {
		return -1;
	}
	operation->harden = size_harden;
	/* Samba's VFS flags are not the kernel's: the record has those. */
	if (mode & VFS_FALLOCATE_FL_KEEP_SIZE) {
		operation->record.mode |= FALLOC_FL_KEEP_SIZE;
	}
	if (mode & VFS_FALLOCATE_FL_PUNCH_HOLE) {
		operation->record.mode |= FALLOC_FL_PUNCH_HOLE;
	}
	operation->record.offset = offset;
	operation->record.length = length;
	operation_lock(operation,
		       page_lock_bytes(&operation->record.object, offset,
				       length));
	return operation_run(operation);
}

/* ------------------------------------------------------------------ flush */

struct fsync_state {
	int ret;
	struct vfs_aio_state aio;
};

static void fsync_done(struct tevent_req *subreq)
{
	struct tevent_req *req = tevent_req_callback_data(
		subreq, struct tevent_req);
	struct fsync_state *state = tevent_req_data(req, struct fsync_state);

	state->ret = SMB_VFS_FSYNC_RECV(subreq, &state->aio);
	TALLOC_FREE(subreq);
	if (state->ret == -1) {
		tevent_req_error(req, state->aio.error);
		return;
	}
	tevent_req_done(req);
}

/*
 * R14. Every write that was answered is with the partner already, so with
 * mirror:flush = mirrored there is nothing to wait for; otherwise, and always
 * when degraded, a flush reaches the disk.
 */
struct tevent_req *mirror_fsync_send(struct vfs_handle_struct *handle,
				     TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     struct files_struct *fsp)
{
	struct mirror_share *share = mirror_share(handle);
	struct tevent_req *req = NULL;
	struct tevent_req *subreq = NULL;
	struct fsync_state *state = NULL;

	req = tevent_req_create(mem_ctx, &state, struct fsync_state);
	if (req == NULL) {
		return NULL;
	}
	if (share->flush == CONFIG_FLUSH_MIRRORED &&
	    state_page_mode(share->volume->page) == PAGE_MIRRORED) {
		tevent_req_done(req);
		return tevent_req_post(req, ev);
	}
	subreq = SMB_VFS_NEXT_FSYNC_SEND(state, ev, handle, fsp);
	if (tevent_req_nomem(subreq, req)) {
		return tevent_req_post(req, ev);
	}
	tevent_req_set_callback(subreq, fsync_done, req);
	return req;
}

int mirror_fsync_recv(struct tevent_req *req,
		      struct vfs_aio_state *vfs_aio_state)
{
	struct fsync_state *state = tevent_req_data(req, struct fsync_state);
	int ret;

	if (tevent_req_is_unix_error(req, &vfs_aio_state->error)) {
		tevent_req_received(req);
		return -1;
	}
	*vfs_aio_state = state->aio;
	ret = state->ret;
	tevent_req_received(req);
	return ret;
}
