/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the module keeps for one connection (tree connect), and the hooks of
 * its parts. The table that puts them together is in vfs_mirror.c.
 */

#ifndef VFS_MIRROR_SHARE_H
#define VFS_MIRROR_SHARE_H

#include "compat.h"
#include "identity.h"
#include "operation.h"
#include "sender.h"
#include "../common/config.h"

struct mirror_share {
	struct mirror_volume *volume;	/* NULL: not here */
	bool not_here;
	enum config_flush flush;
	uint64_t device;	/* the same on every node */
	uint64_t lock_space;	/* see label.h */
};

/* The share of a handle. */
struct mirror_share *mirror_share(struct vfs_handle_struct *handle);
struct mirror_volume *mirror_volume(struct vfs_handle_struct *handle);

/* Is the configuration of this share one that the module can protect?
 * NULL: yes; else what is wrong and what to do. */
const char *mirror_check_share(struct vfs_handle_struct *handle);

/* not_here.c */
bool not_here_can_tell(struct vfs_handle_struct *handle);
const char *not_here_by_address(struct vfs_handle_struct *handle,
				const struct mirror_config *config,
				const struct config_service *service);
struct smb_filename *mirror_realpath(struct vfs_handle_struct *handle,
				     TALLOC_CTX *ctx,
				     const struct smb_filename *smb_fname);

/* Degraded mode: on the disk before the reply. */
int harden_fd(int fd);			/* data */
int harden_object(int fd);		/* attributes; O_PATH is fine */
int harden_directory(int fd);		/* names; O_PATH is fine */

/* namespace_ops.c */
int mirror_openat(struct vfs_handle_struct *handle,
		  const struct files_struct *dirfsp,
		  const struct smb_filename *smb_fname,
		  struct files_struct *fsp,
		  const struct vfs_open_how *how);
int mirror_mkdirat(struct vfs_handle_struct *handle,
		   struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   mode_t mode);
int mirror_mknodat(struct vfs_handle_struct *handle,
		   struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   mode_t mode,
		   SMB_DEV_T dev);
int mirror_symlinkat(struct vfs_handle_struct *handle,
		     const struct smb_filename *link_contents,
		     struct files_struct *dirfsp,
		     const struct smb_filename *new_smb_fname);
NTSTATUS mirror_create_dfs_pathat(struct vfs_handle_struct *handle,
				  struct files_struct *dirfsp,
				  const struct smb_filename *smb_fname,
				  const struct referral *reflist,
				  size_t referral_count);
int mirror_unlinkat(struct vfs_handle_struct *handle,
		    struct files_struct *dirfsp,
		    const struct smb_filename *smb_fname,
		    int flags);
int mirror_renameat(struct vfs_handle_struct *handle,
		    struct files_struct *src_dirfsp,
		    const struct smb_filename *smb_fname_src,
		    struct files_struct *dst_dirfsp,
		    const struct smb_filename *smb_fname_dst
		    MIRROR_RENAMEAT_HOW_PARAM);
int mirror_linkat(struct vfs_handle_struct *handle,
		  struct files_struct *src_dirfsp,
		  const struct smb_filename *old_smb_fname,
		  struct files_struct *dst_dirfsp,
		  const struct smb_filename *new_smb_fname,
		  int flags);

/* data_ops.c */
ssize_t mirror_pwrite(struct vfs_handle_struct *handle,
		      struct files_struct *fsp,
		      const void *data,
		      size_t n,
		      off_t offset);
struct tevent_req *mirror_pwrite_send(struct vfs_handle_struct *handle,
				      TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      struct files_struct *fsp,
				      const void *data,
				      size_t n,
				      off_t offset);
ssize_t mirror_pwrite_recv(struct tevent_req *req,
			   struct vfs_aio_state *vfs_aio_state);
ssize_t mirror_recvfile(struct vfs_handle_struct *handle,
			int fromfd,
			struct files_struct *fsp,
			off_t offset,
			size_t n);
int mirror_ftruncate(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     off_t length);
int mirror_fallocate(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     uint32_t mode,
		     off_t offset,
		     off_t length);
struct tevent_req *mirror_fsync_send(struct vfs_handle_struct *handle,
				     TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     struct files_struct *fsp);
int mirror_fsync_recv(struct tevent_req *req,
		      struct vfs_aio_state *vfs_aio_state);

/* copy_ops.c */
struct tevent_req *mirror_offload_read_send(TALLOC_CTX *mem_ctx,
					    struct tevent_context *ev,
					    struct vfs_handle_struct *handle,
					    struct files_struct *fsp,
					    uint32_t fsctl,
					    uint32_t ttl,
					    off_t offset,
					    size_t to_copy);
NTSTATUS mirror_offload_read_recv(struct tevent_req *req,
				  struct vfs_handle_struct *handle,
				  TALLOC_CTX *mem_ctx,
				  uint32_t *flags,
				  uint64_t *xferlen,
				  DATA_BLOB *token);
struct tevent_req *mirror_offload_write_send(struct vfs_handle_struct *handle,
					     TALLOC_CTX *mem_ctx,
					     struct tevent_context *ev,
					     uint32_t fsctl,
					     DATA_BLOB *token,
					     off_t transfer_offset,
					     struct files_struct *dest_fsp,
					     off_t dest_off,
					     off_t to_copy);
NTSTATUS mirror_offload_write_recv(struct vfs_handle_struct *handle,
				   struct tevent_req *req,
				   off_t *copied);

/* read_ops.c */
ssize_t mirror_pread(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     void *data,
		     size_t n,
		     off_t offset);
struct tevent_req *mirror_pread_send(struct vfs_handle_struct *handle,
				     TALLOC_CTX *mem_ctx,
				     struct tevent_context *ev,
				     struct files_struct *fsp,
				     void *data,
				     size_t n,
				     off_t offset);
ssize_t mirror_pread_recv(struct tevent_req *req,
			  struct vfs_aio_state *vfs_aio_state);
ssize_t mirror_sendfile(struct vfs_handle_struct *handle,
			int tofd,
			files_struct *fsp,
			const DATA_BLOB *header,
			off_t offset,
			size_t n);
int mirror_stat(struct vfs_handle_struct *handle,
		struct smb_filename *smb_fname);
int mirror_lstat(struct vfs_handle_struct *handle,
		 struct smb_filename *smb_fname);
int mirror_fstat(struct vfs_handle_struct *handle,
		 struct files_struct *fsp,
		 SMB_STRUCT_STAT *sbuf);
int mirror_fstatat(struct vfs_handle_struct *handle,
		   const struct files_struct *dirfsp,
		   const struct smb_filename *smb_fname,
		   SMB_STRUCT_STAT *sbuf,
		   int flags);
uint64_t mirror_disk_free(struct vfs_handle_struct *handle,
			  const struct smb_filename *smb_fname,
			  uint64_t *bsize,
			  uint64_t *dfree,
			  uint64_t *dsize);
int mirror_get_quota(struct vfs_handle_struct *handle,
		     const struct smb_filename *smb_fname,
		     enum SMB_QUOTA_TYPE qtype,
		     unid_t id,
		     SMB_DISK_QUOTA *quota);
struct dirent *mirror_readdir(struct vfs_handle_struct *handle,
			      struct files_struct *dirfsp,
			      DIR *dirp
			      MIRROR_READDIR_STAT_PARAM);
int mirror_readlinkat(struct vfs_handle_struct *handle,
		      const struct files_struct *dirfsp,
		      const struct smb_filename *smb_fname,
		      char *buf,
		      size_t size);
NTSTATUS mirror_get_real_filename_at(struct vfs_handle_struct *handle,
				     struct files_struct *dirfsp,
				     const char *name,
				     TALLOC_CTX *mem_ctx,
				     char **found_name);
NTSTATUS mirror_read_dfs_pathat(struct vfs_handle_struct *handle,
				TALLOC_CTX *mem_ctx,
				struct files_struct *dirfsp,
				struct smb_filename *smb_fname,
				struct referral **referrals,
				size_t *count);
ssize_t mirror_fgetxattr(struct vfs_handle_struct *handle,
			 struct files_struct *fsp,
			 const char *name,
			 void *value,
			 size_t size);
ssize_t mirror_flistxattr(struct vfs_handle_struct *handle,
			  struct files_struct *fsp,
			  char *list,
			  size_t size);
SMB_ACL_T mirror_sys_acl_get_fd(struct vfs_handle_struct *handle,
				struct files_struct *fsp,
				SMB_ACL_TYPE_T type,
				TALLOC_CTX *mem_ctx);
struct tevent_req *mirror_getxattrat_send(TALLOC_CTX *mem_ctx,
					  struct tevent_context *ev,
					  struct vfs_handle_struct *handle,
					  files_struct *dirfsp,
					  const struct smb_filename *smb_fname,
					  const char *name,
					  size_t alloc_hint);
ssize_t mirror_getxattrat_recv(struct tevent_req *req,
			       struct vfs_aio_state *vfs_aio_state,
			       TALLOC_CTX *mem_ctx,
			       uint8_t **value);

/* attribute_ops.c */
int mirror_fsetxattr(struct vfs_handle_struct *handle,
		     struct files_struct *fsp,
		     const char *name,
		     const void *value,
		     size_t size,
		     int flags);
int mirror_fremovexattr(struct vfs_handle_struct *handle,
			struct files_struct *fsp,
			const char *name);
int mirror_sys_acl_set_fd(struct vfs_handle_struct *handle,
			  struct files_struct *fsp,
			  SMB_ACL_TYPE_T type,
			  SMB_ACL_T acl);
int mirror_sys_acl_delete_def_fd(struct vfs_handle_struct *handle,
				 struct files_struct *fsp);
int mirror_fchmod(struct vfs_handle_struct *handle,
		  struct files_struct *fsp,
		  mode_t mode);
int mirror_fchown(struct vfs_handle_struct *handle,
		  struct files_struct *fsp,
		  uid_t uid,
		  gid_t gid);
int mirror_lchown(struct vfs_handle_struct *handle,
		  const struct smb_filename *smb_fname,
		  uid_t uid,
		  gid_t gid);
int mirror_fntimes(struct vfs_handle_struct *handle,
		   struct files_struct *fsp,
		   struct smb_file_time *ft);
int mirror_set_quota(struct vfs_handle_struct *handle,
		     enum SMB_QUOTA_TYPE qtype,
		     unid_t id,
		     SMB_DISK_QUOTA *qt);

#endif /* VFS_MIRROR_SHARE_H */
