/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Identity of a file-system object, see mirror_id.h. */

#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mirror_id.h"

/*
 * A derived id: MIRROR_ID_DERIVED, type and length of the handle, the handle,
 * zeroes. ext4 has handles of 8 bytes, xfs and tmpfs of 12.
 */
#define DERIVED_TYPE 1
#define DERIVED_LENGTH 2
#define DERIVED_BYTES 3
#define DERIVED_MAX (MIRROR_ID_SIZE - DERIVED_BYTES)

/* "/proc/self/fd/" and a number */
#define FD_PATH_SIZE 32

void mirror_id_choose(struct mirror_id *id)
{
	ssize_t got;

	do {
		got = getrandom(id->bytes, sizeof(id->bytes), 0);
	} while (got == -1 && errno == EINTR);

	if (got != sizeof(id->bytes)) {
		/* Two objects with one id lose data: better none at all. */
		abort();
	}
	id->bytes[0] = MIRROR_ID_CHOSEN;
}

bool mirror_id_derive(const struct mirror_handle *handle,
		      struct mirror_id *id)
{
	*id = (struct mirror_id){ .bytes = { MIRROR_ID_NONE } };

	if (handle->length == 0 || handle->length > DERIVED_MAX) {
		return false;
	}
	id->bytes[0] = MIRROR_ID_DERIVED;
	id->bytes[DERIVED_TYPE] = handle->type;
	id->bytes[DERIVED_LENGTH] = handle->length;
	memcpy(id->bytes + DERIVED_BYTES, handle->bytes, handle->length);
	return true;
}

bool mirror_id_underive(const struct mirror_id *id,
			struct mirror_handle *handle)
{
	uint8_t length = id->bytes[DERIVED_LENGTH];

	*handle = (struct mirror_handle){ .length = 0 };

	if (id->bytes[0] != MIRROR_ID_DERIVED ||
	    length == 0 || length > DERIVED_MAX) {
		return false;
	}
	handle->type = id->bytes[DERIVED_TYPE];
	handle->length = length;
	memcpy(handle->bytes, id->bytes + DERIVED_BYTES, length);
	return true;
}

bool mirror_id_equal(const struct mirror_id *a, const struct mirror_id *b)
{
	return memcmp(a->bytes, b->bytes, MIRROR_ID_SIZE) == 0;
}

bool mirror_id_is_none(const struct mirror_id *id)
{
	static const struct mirror_id none;

	return mirror_id_equal(id, &none);
}

uint64_t mirror_id_hash(const struct mirror_id *id)
{
	uint64_t half[2];
	uint64_t hash;

	/*
	 * Chosen ids are random, but derived ones differ in a few bits in the
	 * middle: spread them (the finalizer of splitmix64).
	 */
	memcpy(half, id->bytes, sizeof(half));
	hash = half[0] ^ (half[1] * UINT64_C(0x9e3779b97f4a7c15));
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return hash ^ (hash >> 31);
}

const char *mirror_id_string(const struct mirror_id *id, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < MIRROR_ID_SIZE; i++) {
		buf[2 * i] = digits[id->bytes[i] >> 4];
		buf[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	buf[2 * MIRROR_ID_SIZE] = '\0';
	return buf;
}

static int handle_of_fd(int fd, struct mirror_handle *handle)
{
	union {
		struct file_handle header;
		uint8_t space[sizeof(struct file_handle) + MIRROR_HANDLE_MAX];
	} kernel;
	int mount_id;
	int ret;

	*handle = (struct mirror_handle){ .length = 0 };

	kernel.header.handle_bytes = MIRROR_HANDLE_MAX;
	ret = name_to_handle_at(fd, "", &kernel.header, &mount_id,
				AT_EMPTY_PATH);
	if (ret == -1) {
		return errno;
	}
	if (kernel.header.handle_type < 0 ||
	    kernel.header.handle_type > UINT8_MAX) {
		return EOVERFLOW;
	}
	handle->type = (uint8_t)kernel.header.handle_type;
	handle->length = (uint8_t)kernel.header.handle_bytes;
	memcpy(handle->bytes,
	       kernel.space + offsetof(struct file_handle, f_handle),
	       handle->length);
	return 0;
}

/*
 * The xattr calls refuse an O_PATH descriptor; by way of /proc they take it,
 * and it leads to the very object, even if that is a symlink.
 */
static void fd_path(int fd, char *path)
{
	snprintf(path, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

static ssize_t get_attribute(int fd, void *value, size_t size)
{
	ssize_t got;

	got = fgetxattr(fd, MIRROR_ID_XATTR, value, size);
	if (got == -1 && errno == EBADF) {
		char path[FD_PATH_SIZE];

		fd_path(fd, path);
		got = getxattr(path, MIRROR_ID_XATTR, value, size);
	}
	return got;
}

static int set_attribute(int fd, const void *value, size_t size)
{
	int ret;

	ret = fsetxattr(fd, MIRROR_ID_XATTR, value, size, 0);
	if (ret == -1 && errno == EBADF) {
		char path[FD_PATH_SIZE];

		fd_path(fd, path);
		ret = setxattr(path, MIRROR_ID_XATTR, value, size, 0);
	}
	return ret == -1 ? errno : 0;
}

int mirror_id_of_fd(int fd,
		    struct mirror_id *id,
		    struct mirror_handle *handle,
		    bool *chosen)
{
	ssize_t got;
	int ret;

	ret = handle_of_fd(fd, handle);
	if (ret != 0) {
		return ret;
	}

	got = get_attribute(fd, id->bytes, sizeof(id->bytes));
	if (chosen != NULL) {
		*chosen = (got >= 0);
	}
	if (got == -1 && (errno == ENODATA || errno == ENOTSUP)) {
		return mirror_id_derive(handle, id) ? 0 : EOVERFLOW;
	}
	if (got == -1 && errno != ERANGE) {
		return errno;
	}
	if (got != sizeof(id->bytes) || id->bytes[0] == MIRROR_ID_NONE) {
		/*
		 * Not written by us. To derive an id instead would give the
		 * object a second identity.
		 */
		return EIO;
	}
	return 0;
}

static int open_object(int dirfd, const char *name)
{
	/*
	 * One look-up of the name, so that handle and attribute are of one
	 * object whatever happens to the name meanwhile.
	 */
	return openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int mirror_id_of_name(int dirfd,
		      const char *name,
		      struct mirror_id *id,
		      struct mirror_handle *handle,
		      bool *chosen)
{
	int fd;
	int ret;

	fd = open_object(dirfd, name);
	if (fd == -1) {
		return errno;
	}
	ret = mirror_id_of_fd(fd, id, handle, chosen);
	close(fd);
	return ret;
}

int mirror_id_set_fd(int fd, const struct mirror_id *id)
{
	return set_attribute(fd, id->bytes, sizeof(id->bytes));
}

int mirror_id_set_name(int dirfd, const char *name, const struct mirror_id *id)
{
	int fd;
	int ret;

	fd = open_object(dirfd, name);
	if (fd == -1) {
		return errno;
	}
	ret = mirror_id_set_fd(fd, id);
	close(fd);
	return ret;
}
