/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mapped_file.h. */

#include <sys/mman.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "mapped_file.h"

static int mapped_file_destructor(struct mapped_file *file)
{
	if (file->map != MAP_FAILED) {
		munmap(file->map, file->size);
	}
	if (file->fd != -1) {
		close(file->fd);
	}
	return 0;
}

int mapped_file_open(TALLOC_CTX *mem_ctx,
		     const char *path,
		     int flags,
		     size_t size,
		     struct mapped_file **_file)
{
	struct mapped_file *file = talloc_zero(mem_ctx, struct mapped_file);
	struct stat st;
	int ret;

	if (file == NULL) {
		return ENOMEM;
	}
	file->map = MAP_FAILED;
	file->size = size;
	file->fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	talloc_set_destructor(file, mapped_file_destructor);
	if (file->fd == -1 ||
	    ((flags & O_CREAT) && ftruncate(file->fd, (off_t)size) == -1) ||
	    fstat(file->fd, &st) == -1) {
		goto fail;
	}
	/* Beyond the end of a shorter one is SIGBUS. */
	if ((size_t)st.st_size != size) {
		errno = EPROTO;
		goto fail;
	}
	file->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 file->fd, 0);
	if (file->map == MAP_FAILED) {
		goto fail;
	}
	*_file = file;
	return 0;

fail:
	ret = errno;
	talloc_free(file);
	return ret;
}
