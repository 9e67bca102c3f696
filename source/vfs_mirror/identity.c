/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See identity.h. */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "identity.h"

static int identity_of_fd(int fd, struct identity *identity)
{
	int ret;

	if (fd == AT_FDCWD) {
		ret = mirror_id_of_name(AT_FDCWD, ".", &identity->id,
					&identity->handle, NULL);
	} else {
		ret = mirror_id_of_fd(fd, &identity->id, &identity->handle,
				      NULL);
	}
	if (ret != 0) {
		errno = ret;
		return -1;
	}
	return 0;
}

int identity_of_fsp(struct vfs_handle_struct *handle,
		    const struct files_struct *fsp,
		    struct identity *identity)
{
	/* The extension is a cache: it does not change what fsp is. */
	struct files_struct *cache = discard_const_p(struct files_struct, fsp);
	int fd = fsp_get_pathref_fd(fsp);
	struct identity *known = NULL;

	if (fd == AT_FDCWD) {
		return identity_of_fd(fd, identity);
	}
	known = VFS_FETCH_FSP_EXTENSION(handle, cache);
	if (known != NULL) {
		*identity = *known;
		return 0;
	}
	if (identity_of_fd(fd, identity) == -1) {
		return -1;
	}
	identity_remember(handle, cache, identity);
	return 0;
}

void identity_remember(struct vfs_handle_struct *handle,
		       struct files_struct *fsp,
		       const struct identity *identity)
{
	struct identity *known = VFS_FETCH_FSP_EXTENSION(handle, fsp);

	if (known == NULL) {
		known = VFS_ADD_FSP_EXTENSION(handle, fsp, struct identity,
					      NULL);
	}
	if (known != NULL) {
		*known = *identity;
	}
}

void identity_forget(struct vfs_handle_struct *handle, struct files_struct *fsp)
{
	VFS_REMOVE_FSP_EXTENSION(handle, fsp);
}

int place_open(struct vfs_handle_struct *handle,
	       const struct files_struct *dirfsp,
	       const struct smb_filename *smb_fname,
	       struct place *place)
{
	const char *path = smb_fname->base_name;
	const char *slash = strrchr(path, '/');
	char *parent = NULL;
	int fd = fsp_get_pathref_fd(dirfsp);

	*place = (struct place) { .dirfd = fd, .name = path };
	if (slash == NULL) {
		return identity_of_fsp(handle, dirfsp, &place->directory);
	}

	parent = talloc_strndup(talloc_tos(), path, MAX(slash - path, 1));
	if (parent == NULL) {
		errno = ENOMEM;
		return -1;
	}
	place->name = slash + 1;
	place->dirfd = openat(fd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	TALLOC_FREE(parent);
	if (place->dirfd == -1) {
		return -1;
	}
	place->opened = true;
	if (identity_of_fd(place->dirfd, &place->directory) == -1) {
		place_close(place);
		return -1;
	}
	return 0;
}

void place_close(struct place *place)
{
	int saved_errno = errno;

	if (place->opened) {
		close(place->dirfd);
		place->opened = false;
	}
	errno = saved_errno;
}

int place_occupant(const struct place *place,
		   struct identity *identity,
		   struct stat *st)
{
	int ret;

	if (fstatat(place->dirfd, place->name, st, AT_SYMLINK_NOFOLLOW) == -1) {
		return -1;
	}
	ret = mirror_id_of_name(place->dirfd, place->name, &identity->id,
				&identity->handle, NULL);
	if (ret != 0) {
		errno = ret;
		return -1;
	}
	return 0;
}
