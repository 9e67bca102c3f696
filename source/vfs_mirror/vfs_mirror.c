/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vfs_mirror: every change that a client makes is in the partner's memory
 * before the client hears "done".
 *
 * Which calls are hooked: the leaves, and only them. Samba's composite calls
 * (create_file, fset_nt_acl, fset_dos_attributes, ...) re-enter the chain from
 * its top and arrive here as leaves; recording them too would record every
 * change twice. create_file is hooked for one reason: at its end the
 * acknowledgements of the attribute changes inside are collected (R1).
 *
 * Where to find what:
 *   namespace_ops.c, data_ops.c, copy_ops.c, attribute_ops.c
 *                    the hooks: which locks, which record, which call
 *   read_ops.c       what is told, and the right to tell it (R12)
 *   operation.c      the steps of an operation, the same for all (R1-R3)
 *   operation_trace.c  when which step was taken, if somebody asks
 *   sender.c         the link to the partner's mirrord (R5)
 *   identity.c       which object a call is about (R4)
 *   check_share.c    which configurations are refused
 *   not_here.c       a share whose service lives elsewhere
 *   compat.h         Samba 4.17 and 4.22
 *
 * Reads pass straight through, and then look at the state page: a node that
 * does not own the volume answers nothing (R12).
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "mirror_share.h"
#include "../common/config_table.h"

#undef DBGC_CLASS
#define DBGC_CLASS DBGC_VFS

struct mirror_share *mirror_share(struct vfs_handle_struct *handle)
{
	struct mirror_share *share = NULL;

	SMB_VFS_HANDLE_GET_DATA(handle, share, struct mirror_share,
				smb_panic("samba-mirror: no share data"));
	return share;
}

struct mirror_volume *mirror_volume(struct vfs_handle_struct *handle)
{
	return mirror_share(handle)->volume;
}

/* ---------------------------------------------------- connect, disconnect */

static int refuse(struct vfs_handle_struct *handle, const char *why)
{
	DBG_ERR("share [%s] is not served: %s\n",
		lp_const_servicename(SNUM(handle->conn)),
		why != NULL ? why : "out of memory");
	SMB_VFS_NEXT_DISCONNECT(handle);
	errno = EINVAL;
	return -1;
}

static void share_free(void **data);

/*
 * Its service lives elsewhere. smbd gives a client NT_STATUS_UNSUCCESSFUL when
 * connect fails, and the right NT_STATUS_BAD_NETWORK_NAME when the share's
 * path is not there, for which it looks next (not_here.c).
 */
static int not_here(struct vfs_handle_struct *handle, const char *why)
{
	struct mirror_share *share;

	if (!not_here_can_tell(handle)) {
		return refuse(handle, why);
	}
	DBG_ERR("share [%s] is not here: %s\n",
		lp_const_servicename(SNUM(handle->conn)), why);
	share = talloc_zero(NULL, struct mirror_share);
	if (share == NULL) {
		return refuse(handle, NULL);
	}
	share->not_here = true;
	SMB_VFS_HANDLE_SET_DATA(handle, share, share_free, struct mirror_share,
				return -1);
	return 0;
}

/* FNV-1a of the volume's name: a device number that all nodes agree on (R4). */
static uint64_t volume_device(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++) {
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	}
	return hash;
}

static void share_free(void **data)
{
	struct mirror_share *share = talloc_get_type_abort(
		*data, struct mirror_share);

	if (share->volume != NULL) {
		sender_close(share->volume);
	}
	TALLOC_FREE(share);
}

/* Is the path on the volume that mirrord mounted, and not on an empty mount
 * point? */
static const char *check_mounted(const struct mirror_volume *volume,
				 const char *path,
				 bool *elsewhere)
{
	struct stat st;

	*elsewhere = state_page_may_answer(volume->page) == ESTALE;
	if (*elsewhere) {
		return talloc_asprintf(
			talloc_tos(), "volume %s is not here (state: %s). "
			"`ctdb ip` shows where it is.", volume->name,
			page_mode_name(state_page_mode(volume->page)));
	}
	if (stat(path, &st) == -1) {
		return talloc_asprintf(talloc_tos(), "%s: %s", path,
				       strerror(errno));
	}
	if (st.st_dev != state_page_device(volume->page)) {
		return talloc_asprintf(
			talloc_tos(), "%s is not on volume %s: is it mounted? "
			"See `mirrorctl status`.", path, volume->name);
	}
	return NULL;
}

static int mirror_connect(struct vfs_handle_struct *handle,
			  const char *service,
			  const char *user)
{
	const struct mirror_config *config = NULL;
	const struct config_volume *configured = NULL;
	struct mirror_share *share = NULL;
	const char *path = handle->conn->connectpath;
	const char *why = NULL;
	char *problem = NULL;
	bool elsewhere = false;

	if (SMB_VFS_NEXT_CONNECT(handle, service, user) == -1) {
		return -1;
	}
	if (IS_IPC(handle->conn)) {
		return 0;
	}
	why = mirror_check_share(handle);
	if (why != NULL) {
		return refuse(handle, why);
	}
	config = config_in_force(talloc_tos(), &problem);
	if (config == NULL) {
		return refuse(handle, problem);
	}
	configured = config_volume_by_path(config, path);
	if (configured == NULL) {
		return refuse(handle, talloc_asprintf(
			talloc_tos(), "its path %s is on no configured volume. "
			"Set 'mirror:VOLUME mount point', or take mirror out "
			"of its 'vfs objects'.", path));
	}
	why = not_here_by_address(handle, config, configured->service);
	if (why != NULL) {
		return not_here(handle, why);
	}
	share = talloc_zero(NULL, struct mirror_share);
	if (share == NULL) {
		return refuse(handle, NULL);
	}
	share->flush = config->flush;
	share->device = volume_device(configured->name);
	share->volume = sender_open(configured->name, config->run_directory,
				    config->key_file, config->encrypt,
				    configured->mount_point, &problem);
	if (share->volume == NULL) {
		/* It never was here. */
		elsewhere = errno == ESTALE;
		TALLOC_FREE(share);
		return elsewhere ? not_here(handle, problem) :
			refuse(handle, problem);
	}
	share->lock_space = state_page_lock_space(share->volume->page);
	share->volume->sconn = handle->conn->sconn;
	share->volume->write_back = config->degraded == CONFIG_WRITE_BACK;
	why = check_mounted(share->volume, path, &elsewhere);
	if (why != NULL) {
		sender_close(share->volume);
		TALLOC_FREE(share);
		return elsewhere ? not_here(handle, why) : refuse(handle, why);
	}
	SMB_VFS_HANDLE_SET_DATA(handle, share, share_free, struct mirror_share,
				return -1);
	return 0;
}

/* ------------------------------------------------ what is not a change */

static NTSTATUS mirror_create_file(struct vfs_handle_struct *handle,
				   struct smb_request *req,
				   struct files_struct *dirfsp,
				   struct smb_filename *smb_fname,
				   uint32_t access_mask,
				   uint32_t share_access,
				   uint32_t create_disposition,
				   uint32_t create_options,
				   uint32_t file_attributes,
				   uint32_t oplock_request,
				   const struct smb2_lease *lease,
				   uint64_t allocation_size,
				   uint32_t private_flags,
				   struct security_descriptor *sd,
				   struct ea_list *ea_list,
				   files_struct **result,
				   int *pinfo,
				   const struct smb2_create_blobs *in_blobs,
				   struct smb2_create_blobs *out_blobs)
{
	struct mirror_volume *volume = mirror_volume(handle);
	NTSTATUS status;

	volume->num_collect++;
	status = SMB_VFS_NEXT_CREATE_FILE(
		handle, req, dirfsp, smb_fname, access_mask, share_access,
		create_disposition, create_options, file_attributes,
		oplock_request, lease, allocation_size, private_flags, sd,
		ea_list, result, pinfo, in_blobs, out_blobs);
	volume->num_collect--;
	if (volume->num_collect == 0) {
		operation_collect(volume);
		operation_await_right(volume);
	}
	return status;
}

static int mirror_close(struct vfs_handle_struct *handle,
			struct files_struct *fsp)
{
	identity_forget(handle, fsp);
	return SMB_VFS_NEXT_CLOSE(handle, fsp);
}

static struct file_id mirror_file_id_create(struct vfs_handle_struct *handle,
					    const SMB_STRUCT_STAT *sbuf)
{
	struct file_id id = SMB_VFS_NEXT_FILE_ID_CREATE(handle, sbuf);

	id.devid = mirror_share(handle)->device;
	/* Opens and locks of a node that died are none of ours. */
	id.extid = mirror_share(handle)->lock_space;
	return id;
}

static NTSTATUS mirror_set_compression(struct vfs_handle_struct *handle,
				       TALLOC_CTX *mem_ctx,
				       struct files_struct *fsp,
				       uint16_t compression_fmt)
{
	return NT_STATUS_INVALID_DEVICE_REQUEST;
}

static NTSTATUS mirror_snap_create(struct vfs_handle_struct *handle,
				   TALLOC_CTX *mem_ctx,
				   const char *base_volume,
				   time_t *tstamp,
				   bool rw,
				   char **base_path,
				   char **snap_path)
{
	return NT_STATUS_NOT_SUPPORTED;
}

static NTSTATUS mirror_snap_delete(struct vfs_handle_struct *handle,
				   TALLOC_CTX *mem_ctx,
				   char *base_path,
				   char *snap_path)
{
	return NT_STATUS_NOT_SUPPORTED;
}

static struct vfs_fn_pointers mirror_functions = {
	.connect_fn = mirror_connect,

	/* names */
	.openat_fn = mirror_openat,
	.mkdirat_fn = mirror_mkdirat,
	.mknodat_fn = mirror_mknodat,
	.symlinkat_fn = mirror_symlinkat,
	.create_dfs_pathat_fn = mirror_create_dfs_pathat,
	.unlinkat_fn = mirror_unlinkat,
	.renameat_fn = mirror_renameat,
	.linkat_fn = mirror_linkat,

	/* data */
	.pwrite_fn = mirror_pwrite,
	.pwrite_send_fn = mirror_pwrite_send,
	.pwrite_recv_fn = mirror_pwrite_recv,
	.recvfile_fn = mirror_recvfile,
	.ftruncate_fn = mirror_ftruncate,
	.fallocate_fn = mirror_fallocate,
	.offload_read_send_fn = mirror_offload_read_send,
	.offload_read_recv_fn = mirror_offload_read_recv,
	.offload_write_send_fn = mirror_offload_write_send,
	.offload_write_recv_fn = mirror_offload_write_recv,
	.fsync_send_fn = mirror_fsync_send,
	.fsync_recv_fn = mirror_fsync_recv,

	/* attributes */
	.fsetxattr_fn = mirror_fsetxattr,
	.fremovexattr_fn = mirror_fremovexattr,
	.sys_acl_set_fd_fn = mirror_sys_acl_set_fd,
	.sys_acl_delete_def_fd_fn = mirror_sys_acl_delete_def_fd,
	.fchmod_fn = mirror_fchmod,
	.fchown_fn = mirror_fchown,
	.lchown_fn = mirror_lchown,
	.fntimes_fn = mirror_fntimes,
	.set_quota_fn = mirror_set_quota,

	/* the first thing that is looked at after connect */
	.realpath_fn = mirror_realpath,

	/* what is told */
	.pread_fn = mirror_pread,
	.pread_send_fn = mirror_pread_send,
	.pread_recv_fn = mirror_pread_recv,
	.sendfile_fn = mirror_sendfile,
	.stat_fn = mirror_stat,
	.lstat_fn = mirror_lstat,
	.fstat_fn = mirror_fstat,
	.fstatat_fn = mirror_fstatat,
	.disk_free_fn = mirror_disk_free,
	.get_quota_fn = mirror_get_quota,
	.readdir_fn = mirror_readdir,
	.readlinkat_fn = mirror_readlinkat,
	.get_real_filename_at_fn = mirror_get_real_filename_at,
	.read_dfs_pathat_fn = mirror_read_dfs_pathat,
	.fgetxattr_fn = mirror_fgetxattr,
	.flistxattr_fn = mirror_flistxattr,
	.sys_acl_get_fd_fn = mirror_sys_acl_get_fd,
	.getxattrat_send_fn = mirror_getxattrat_send,
	.getxattrat_recv_fn = mirror_getxattrat_recv,

	/* no changes */
	.create_file_fn = mirror_create_file,
	.close_fn = mirror_close,
	.file_id_create_fn = mirror_file_id_create,
	.set_compression_fn = mirror_set_compression,
	.snap_create_fn = mirror_snap_create,
	.snap_delete_fn = mirror_snap_delete,
};

/*
 * The VFS interface's number does not change with every change of a struct in
 * it: a module of another Samba version can load and then corrupt memory.
 */
static bool version_matches(void)
{
	const char *running = samba_version_string();
	size_t length = strlen(MIRROR_SAMBA_VERSION);

	return strncmp(running, MIRROR_SAMBA_VERSION, length) == 0 &&
		!isdigit((unsigned char)running[length]);
}

_PUBLIC_ __attribute__((visibility("default")))
NTSTATUS samba_init_module(TALLOC_CTX *mem_ctx);
NTSTATUS samba_init_module(TALLOC_CTX *mem_ctx)
{
	if (!version_matches()) {
		DBG_ERR("vfs_mirror was built for Samba %s, this is %s. Build "
			"it again on this machine (make install) or install "
			"the Samba that it was built for.\n",
			MIRROR_SAMBA_VERSION, samba_version_string());
		return NT_STATUS_REVISION_MISMATCH;
	}
	return smb_register_vfs(SMB_VFS_INTERFACE_VERSION, "mirror",
				&mirror_functions);
}
