/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Load the cluster key, see peer_link.h (R6). */

#include <sys/stat.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "link_key.h"
#include "link_tls.h"

#define KEY_FILE_MAX 4096

/* How to make one; the only advice that helps whoever has none. */
#define MAKE_A_KEY \
	"make one with \"head -c 32 /dev/urandom | xxd -p -c 64 > %s; " \
	"chmod 600 %s\" on one node and copy it to the others"

static int key_destructor(struct link_key *key)
{
	if (key->server != NULL) {
		gnutls_psk_free_server_credentials(key->server);
	}
	if (key->client != NULL) {
		gnutls_psk_free_client_credentials(key->client);
	}
	if (key->priority != NULL) {
		gnutls_priority_deinit(key->priority);
	}
	explicit_bzero(key->bytes, sizeof(key->bytes));
	return 0;
}

/* Is this file for root's eyes only? */
static int check_file(TALLOC_CTX *mem_ctx,
		      const char *path,
		      int fd,
		      char **problem)
{
	struct stat st;

	if (fstat(fd, &st) == -1) {
		int ret = errno;

		*problem = talloc_asprintf(
			mem_ctx, "Cannot examine the cluster key %s: %s",
			path, strerror(ret));
		return ret;
	}
	if (!S_ISREG(st.st_mode)) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s is not a regular file: "
			"remove it and " MAKE_A_KEY, path, path, path);
		return EINVAL;
	}
	/* getuid(): smbd's real uid stays root whoever it acts for. */
	if (st.st_uid != 0 && st.st_uid != getuid()) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s belongs to uid %u, who "
			"may have read or changed it: " MAKE_A_KEY
			", owned by root", path, (unsigned)st.st_uid,
			path, path);
		return EACCES;
	}
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s has mode %04o, so others "
			"than root may read it: \"chmod 600 %s\", and make "
			"a new key if anybody else had access", path,
			(unsigned)(st.st_mode & 07777), path);
		return EACCES;
	}
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return -1;
}

/* White space is not part of the key: xxd breaks long lines. */
static int parse_key(TALLOC_CTX *mem_ctx,
		     const char *path,
		     const char *text,
		     size_t length,
		     uint8_t bytes[LINK_KEY_SIZE_MAX],
		     size_t *size,
		     char **problem)
{
	size_t digits = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		int value = hex_value(text[i]);

		if (isspace((unsigned char)text[i])) {
			continue;
		}
		if (value == -1) {
			*problem = talloc_asprintf(
				mem_ctx, "The cluster key %s has something "
				"else than hex digits in it (at byte %zu): "
				MAKE_A_KEY, path, i + 1, path, path);
			return EINVAL;
		}
		if (digits == 2 * LINK_KEY_SIZE_MAX) {
			*problem = talloc_asprintf(
				mem_ctx, "The cluster key %s has more than "
				"%d hex digits: shorten it on all nodes",
				path, 2 * LINK_KEY_SIZE_MAX);
			return EINVAL;
		}
		bytes[digits / 2] <<= 4;
		bytes[digits / 2] |= (uint8_t)value;
		digits++;
	}
	if (digits < 2 * LINK_KEY_SIZE_MIN) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s is too short (%zu hex "
			"digits, at least %d are needed): " MAKE_A_KEY, path,
			digits, 2 * LINK_KEY_SIZE_MIN, path, path);
		return EINVAL;
	}
	if (digits % 2 != 0) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s has an odd number of hex "
			"digits, so one is missing: copy it again from a node "
			"that has it whole", path);
		return EINVAL;
	}
	*size = digits / 2;
	return 0;
}

int link_key_read(TALLOC_CTX *mem_ctx,
		  const char *path,
		  uint8_t bytes[LINK_KEY_SIZE_MAX],
		  size_t *size,
		  char **problem)
{
	char text[KEY_FILE_MAX];
	ssize_t got;
	int fd;
	int ret;

	*problem = NULL;
	/* O_NONBLOCK: a fifo in its place must not stop us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT) {
		*problem = talloc_asprintf(
			mem_ctx, "The cluster key %s does not exist: "
			MAKE_A_KEY, path, path, path);
		return ENOENT;
	}
	if (fd == -1) {
		ret = errno;
		*problem = talloc_asprintf(
			mem_ctx, "Cannot open the cluster key %s: %s",
			path, strerror(ret));
		return ret;
	}
	ret = check_file(mem_ctx, path, fd, problem);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	got = read(fd, text, sizeof(text));
	ret = errno;
	close(fd);
	if (got == -1) {
		*problem = talloc_asprintf(
			mem_ctx, "Cannot read the cluster key %s: %s",
			path, strerror(ret));
		return ret;
	}
	ret = parse_key(mem_ctx, path, text, (size_t)got, bytes, size,
			problem);
	explicit_bzero(text, sizeof(text));
	return ret;
}

int link_key_load(TALLOC_CTX *mem_ctx,
		  const char *path,
		  bool encrypt,
		  struct link_key **_key,
		  char **problem)
{
	struct link_key *key;
	int ret;

	*problem = NULL;
	key = talloc_zero(mem_ctx, struct link_key);
	if (key == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(key, key_destructor);
	key->encrypt = encrypt;
	if (!encrypt) {
		*_key = key;
		return 0;
	}

	ret = link_key_read(mem_ctx, path, key->bytes, &key->size, problem);
	if (ret != 0) {
		talloc_free(key);
		return ret;
	}
	ret = link_tls_use_key(key);
	if (ret != 0) {
		*problem = talloc_asprintf(
			mem_ctx, "GnuTLS does not take the cluster key %s: "
			"its system-wide configuration has to allow TLS 1.3 "
			"with pre-shared keys and AES-128-GCM", path);
		talloc_free(key);
		return ret;
	}
	*_key = key;
	return 0;
}
