/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What differs between the Samba versions that the module compiles against:
 * 4.17 (VFS interface 47) and 4.22 (50). Nothing else in the module asks for
 * a version.
 */

#ifndef VFS_MIRROR_COMPAT_H
#define VFS_MIRROR_COMPAT_H

#if SMB_VFS_INTERFACE_VERSION != 47 && SMB_VFS_INTERFACE_VERSION != 50
#error "samba-mirror knows the VFS interfaces 47 (Samba 4.17) and 50 (4.22)"
#endif

#if SMB_VFS_INTERFACE_VERSION >= 50

#define MIRROR_RENAMEAT_HOW_PARAM , const struct vfs_rename_how *how
#define MIRROR_RENAMEAT_HOW how
#define MIRROR_NEXT_RENAMEAT(handle, dir1, name1, dir2, name2, how) \
	SMB_VFS_NEXT_RENAMEAT(handle, dir1, name1, dir2, name2, how)
#define MIRROR_READDIR_STAT_PARAM
#define MIRROR_NEXT_READDIR(handle, dirfsp, dirp) \
	SMB_VFS_NEXT_READDIR(handle, dirfsp, dirp)
/* POSIX append: the real offset is the end of the file. */
#define MIRROR_PWRITE_APPENDS(offset) ((offset) == VFS_PWRITE_APPEND_OFFSET)

#else

#define MIRROR_RENAMEAT_HOW_PARAM
#define MIRROR_RENAMEAT_HOW NULL
#define MIRROR_NEXT_RENAMEAT(handle, dir1, name1, dir2, name2, how) \
	SMB_VFS_NEXT_RENAMEAT(handle, dir1, name1, dir2, name2)
#define MIRROR_READDIR_STAT_PARAM , SMB_STRUCT_STAT *sbuf
#define MIRROR_NEXT_READDIR(handle, dirfsp, dirp) \
	SMB_VFS_NEXT_READDIR(handle, dirfsp, dirp, sbuf)
#define MIRROR_PWRITE_APPENDS(offset) false

#endif

#endif /* VFS_MIRROR_COMPAT_H */
