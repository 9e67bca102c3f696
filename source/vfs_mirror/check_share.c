/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is a share's configuration one that the module can protect? What is wrong is
 * refused at connect, with a message that says what to do: a share that looks
 * mirrored and is not would be worse than none.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "mirror_share.h"

/* Modules that change the volume past the chain, or keep what belongs to it
 * elsewhere. */
static const struct {
	const char *name;
	const char *why;
} forbidden[] = {
	{ "acl_tdb", "keeps ACLs outside the volume; use acl_xattr" },
	{ "xattr_tdb", "keeps attributes outside the volume" },
	{ "posix_eadb", "keeps attributes outside the volume" },
	{ "streams_depot", "finds streams by inode number; use streams_xattr" },
	{ "btrfs", "clones past the VFS" },
	{ "crossrename", "copies between file systems past the VFS" },
	{ "glusterfs", "is a replicated file system of its own" },
	{ "glusterfs_fuse", "is a replicated file system of its own" },
	{ "ceph", "is a replicated file system of its own" },
	{ "ceph_new", "is a replicated file system of its own" },
	{ "ceph_snapshots", "is a replicated file system of its own" },
	{ "commit", "syncs on its own account; mirror does that" },
	{ "syncops", "syncs on its own account; mirror does that" },
};

static const char *check_modules(const char **modules)
{
	bool seen = false;
	size_t i, k;

	for (i = 0; modules != NULL && modules[i] != NULL; i++) {
		if (strequal(modules[i], "mirror")) {
			seen = true;
			continue;
		}
		if (seen && !strequal(modules[i], "io_uring")) {
			return talloc_asprintf(
				talloc_tos(),
				"module %s stands behind mirror in 'vfs "
				"objects': what it changes would not be "
				"mirrored. mirror must be the last one (only "
				"io_uring may follow).", modules[i]);
		}
		for (k = 0; k < ARRAY_SIZE(forbidden); k++) {
			if (strequal(modules[i], forbidden[k].name)) {
				return talloc_asprintf(
					talloc_tos(),
					"'vfs objects' has %s, which cannot "
					"be used with mirror: it %s.",
					modules[i], forbidden[k].why);
			}
		}
	}
	return NULL;
}

const char *mirror_check_share(struct vfs_handle_struct *handle)
{
	const struct loadparm_substitution *lp_sub =
		loadparm_s3_global_substitution();
	int snum = SNUM(handle->conn);
	const char *problem = check_modules(lp_vfs_objects(snum));

	if (problem != NULL) {
		return problem;
	}
	if (lp_printable(snum)) {
		return "a print share spools past the VFS; take mirror out of "
			"its 'vfs objects'.";
	}
	if (lp_magic_script(talloc_tos(), lp_sub, snum)[0] != '\0') {
		return "'magic script' writes past the VFS; remove it.";
	}
	if (lp_parm_bool(snum, "aio_pthread", "aio open", false)) {
		return "'aio_pthread:aio open' creates files past the VFS; "
			"remove it.";
	}
	return NULL;
}
