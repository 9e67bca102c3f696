/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of one fixed size that several processes map.
 *
 * Owns: its descriptor and its mapping.
 * Does not own: what is in it, nor who may write where (state_page.h,
 * trace.h).
 */

#ifndef MIRROR_MAPPED_FILE_H
#define MIRROR_MAPPED_FILE_H

#include <stddef.h>
#include <talloc.h>

struct mapped_file {
	void *map;
	size_t size;
	int fd;
};

/*
 * Map path, which is not followed if it is a symbolic link. flags may be
 * O_CREAT, which gives it its size, and O_EXCL; a new one is all zero. 0,
 * EPROTO for a file of another size, or errno.
 */
int mapped_file_open(TALLOC_CTX *mem_ctx,
		     const char *path,
		     int flags,
		     size_t size,
		     struct mapped_file **file);

#endif /* MIRROR_MAPPED_FILE_H */
