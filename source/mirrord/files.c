/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plain files that all nodes need, see files.h. */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "files.h"

/* Bytes in a piece of content: a line of child.h takes twice as many. */
#define PIECE 400

json_t *files_facts(TALLOC_CTX *mem_ctx, const char **files)
{
	json_t *object = json_object();

	for (; files != NULL && *files != NULL; files++) {
		char *text = facts_digest(mem_ctx, *files);
		struct stat st;

		if (text != NULL && strlen(text) == 32 &&
		    stat(*files, &st) == 0) {
			text = talloc_asprintf(mem_ctx, "%s %u:%u %04o", text,
					       (unsigned int)st.st_uid,
					       (unsigned int)st.st_gid,
					       (unsigned int)st.st_mode &
					       07777);
		}
		json_object_set_new(object, *files, json_string(text));
	}
	return object;
}

enum files_verdict files_judge(const char *own, const char *other,
			       const char *base)
{
	if (strcmp(own, other) == 0) {
		return FILES_SAME;
	}
	/* A file that was removed comes back: to be rid of it, take it out of
	 * the list first. */
	if (strcmp(other, "-") == 0 || other[0] == '\0') {
		return FILES_LEAVE;
	}
	if (strcmp(own, "-") == 0) {
		return FILES_TAKE;
	}
	if (base[0] == '\0') {
		return FILES_CONFLICT;
	}
	if (strcmp(own, base) == 0) {
		return FILES_TAKE;
	}
	return strcmp(other, base) == 0 ? FILES_LEAVE : FILES_CONFLICT;
}

/* --------------------------------------------------------------- to another */

static bool is_listed(const char **files, const char *path)
{
	for (; files != NULL && *files != NULL; files++) {
		if (strcmp(*files, path) == 0) {
			return true;
		}
	}
	return false;
}

static json_t *pieces(const uint8_t *bytes, size_t length)
{
	json_t *list = json_array();
	char text[2 * PIECE + 1];
	size_t i, j;

	for (i = 0; i < length; i += PIECE) {
		for (j = 0; j < PIECE && i + j < length; j++) {
			snprintf(text + 2 * j, 3, "%02x", bytes[i + j]);
		}
		json_array_append_new(list, json_string(text));
	}
	return list;
}

json_t *files_read(TALLOC_CTX *mem_ctx, const struct mirror_config *config,
		   const char *path)
{
	uint8_t *bytes = talloc_array(mem_ctx, uint8_t, FILES_SIZE_MAX + 1);
	const char *problem = NULL;
	ssize_t n, used = 0;
	struct stat st = { .st_mode = 0 };
	int fd;

	if (bytes == NULL) {
		return NULL;
	}
	/* R6: whatever another node asks for. */
	if (!is_listed(config->files, path)) {
		return json_pack("{s:s}", "problem", "it is not in "
				 "mirror:files there");
	}
	if (!config->encrypt) {
		return json_pack("{s:s}", "problem", "files are not copied "
				 "while mirror:encrypt = no");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1) {
		problem = strerror(errno);
	} else if (!S_ISREG(st.st_mode)) {
		problem = "it is no regular file there";
	}
	while (problem == NULL && used <= FILES_SIZE_MAX &&
	       (n = read(fd, bytes + used,
			 (size_t)(FILES_SIZE_MAX + 1 - used))) != 0) {
		if (n == -1) {
			problem = strerror(errno);
		} else {
			used += n;
		}
	}
	if (fd != -1) {
		close(fd);
	}
	if (problem == NULL && used > FILES_SIZE_MAX) {
		problem = "it is larger than 256 KiB";
	}
	if (problem != NULL) {
		return json_pack("{s:s}", "problem", problem);
	}
	return json_pack("{s:i,s:i,s:i,s:o}", "mode",
			 (int)(st.st_mode & 07777), "uid", (int)st.st_uid,
			 "gid", (int)st.st_gid,
			 "content", pieces(bytes, (size_t)used));
}

/* ------------------------------------------------------------- from another */

static int write_pieces(int fd, const json_t *content)
{
	uint8_t bytes[PIECE];
	size_t i, j;

	for (i = 0; i < json_array_size(content); i++) {
		const char *text = json_string_value(json_array_get(content,
								    i));
		size_t length = text != NULL ? strlen(text) : 1;

		if (length % 2 != 0 || length > 2 * PIECE) {
			return EBADMSG;
		}
		for (j = 0; j < length / 2; j++) {
			unsigned int byte;

			if (sscanf(text + 2 * j, "%2x", &byte) != 1) {
				return EBADMSG;
			}
			bytes[j] = (uint8_t)byte;
		}
		if (write(fd, bytes, length / 2) != (ssize_t)(length / 2)) {
			return ENOSPC;
		}
	}
	return 0;
}

static void sync_folder(const char *path)
{
	char folder[4096];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL) {
		return;
	}
	slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		(void)!fsync(fd);
		close(fd);
	}
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int files_write(TALLOC_CTX *mem_ctx, const char *path, const json_t *file)
{
	char *name = talloc_asprintf(mem_ctx, "%s.mirror-XXXXXX", path);
	struct stat st;
	int ret;
	int fd;

	if (name == NULL) {
		return ENOMEM;
	}
	/* Whoever made a link there wants the file at its other end. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		return EMLINK;
	}
	if (!json_is_array(json_object_get(file, "content"))) {
		return EBADMSG;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd == -1) {
		return errno;
	}
	ret = write_pieces(fd, json_object_get(file, "content"));
	if (ret == 0 &&
	    (fchown(fd, (uid_t)number(file, "uid"),
		    (gid_t)number(file, "gid")) == -1 ||
	     fchmod(fd, (mode_t)number(file, "mode") & 07777) == -1 ||
	     fsync(fd) == -1)) {
		ret = errno;
	}
	close(fd);
	if (ret == 0 && rename(name, path) == -1) {
		ret = errno;
	}
	if (ret != 0) {
		unlink(name);
		return ret;
	}
	sync_folder(path);
	return 0;
}
