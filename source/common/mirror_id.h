/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Identity of a file-system object (R4).
 *
 * Owns: the 128-bit id, the kernel file handle that goes with it as a hint,
 * and how both are read from and written to an object.
 * Does not own: names, paths, and Samba's struct file_id (which has no
 * generation and is therefore no identity).
 *
 * An id has one of two forms:
 *   chosen   random, chosen by the module before it creates the object and
 *            kept in the extended attribute MIRROR_ID_XATTR
 *   derived  made of the kernel handle; for objects that were on the volume
 *            before the module was: nothing has to be written for them
 * The first byte tells them apart.
 */

#ifndef MIRROR_ID_H
#define MIRROR_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * security.*: everybody may read it without a privilege, only root may write
 * it, and Samba never shows it to clients.
 */
#define MIRROR_ID_XATTR "security.mirror.id"

#define MIRROR_ID_SIZE 16
#define MIRROR_HANDLE_MAX 24

struct mirror_id {
	uint8_t bytes[MIRROR_ID_SIZE];
};

/* What name_to_handle_at() tells; length 0 means "not known". */
struct mirror_handle {
	uint8_t type;
	uint8_t length;
	uint8_t bytes[MIRROR_HANDLE_MAX];
};

/* First byte of an id. */
#define MIRROR_ID_NONE 0
#define MIRROR_ID_CHOSEN 1
#define MIRROR_ID_DERIVED 2

void mirror_id_choose(struct mirror_id *id);

/* False if the handle is too long for an id (no file system we support). */
bool mirror_id_derive(const struct mirror_handle *handle,
		      struct mirror_id *id);

/* The handle that a derived id was made of; false for a chosen one. */
bool mirror_id_underive(const struct mirror_id *id,
			struct mirror_handle *handle);

bool mirror_id_equal(const struct mirror_id *a, const struct mirror_id *b);
bool mirror_id_is_none(const struct mirror_id *id);
uint64_t mirror_id_hash(const struct mirror_id *id);

/* 32 hex digits and the terminating zero. */
#define MIRROR_ID_STRING_SIZE 33
const char *mirror_id_string(const struct mirror_id *id, char *buf);

/*
 * Read handle and id of an open object (any fd, O_PATH included).
 * Returns 0 or errno. ENODATA does not occur: without the attribute the id is
 * derived; *chosen (may be NULL) tells which it is.
 */
int mirror_id_of_fd(int fd,
		    struct mirror_id *id,
		    struct mirror_handle *handle,
		    bool *chosen);

/* The same for the last component of a name; symlinks are not followed. */
int mirror_id_of_name(int dirfd,
		      const char *name,
		      struct mirror_id *id,
		      struct mirror_handle *handle,
		      bool *chosen);

/* Write the id (privileged). Returns 0 or errno. */
int mirror_id_set_fd(int fd, const struct mirror_id *id);
int mirror_id_set_name(int dirfd, const char *name, const struct mirror_id *id);

#endif /* MIRROR_ID_H */
