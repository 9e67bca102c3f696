/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which object a VFS call is about (R4).
 *
 * Owns: ids and handles of open files, remembered with them; the split of a
 * name into its directory and its last component.
 * Does not own: what an id is and where it is kept (mirror_id.h).
 */

#ifndef VFS_MIRROR_IDENTITY_H
#define VFS_MIRROR_IDENTITY_H

#include "../common/mirror_id.h"

struct identity {
	struct mirror_id id;
	struct mirror_handle handle;
};

/* Of an open file or directory; read once per open. 0, or -1 with errno. */
int identity_of_fsp(struct vfs_handle_struct *handle,
		    const struct files_struct *fsp,
		    struct identity *identity);

/* A create gave it this id. */
void identity_remember(struct vfs_handle_struct *handle,
		       struct files_struct *fsp,
		       const struct identity *identity);
/* The file is closed, or another one is behind it now. */
void identity_forget(struct vfs_handle_struct *handle,
		     struct files_struct *fsp);

/* A place for a name: the directory, and the name in it. */
struct place {
	int dirfd;
	bool opened;		/* dirfd is ours to close */
	struct identity directory;
	const char *name;
};

/*
 * Names are single components except where Samba's own modules pass longer
 * ones (recycle): those are split at the last slash. 0, or -1 with errno.
 */
int place_open(struct vfs_handle_struct *handle,
	       const struct files_struct *dirfsp,
	       const struct smb_filename *smb_fname,
	       struct place *place);
/* Keeps errno. */
void place_close(struct place *place);

/* Who is there. 0; -1 with errno, ENOENT if nobody. */
int place_occupant(const struct place *place,
		   struct identity *identity,
		   struct stat *st);

#endif /* VFS_MIRROR_IDENTITY_H */
