/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What has to be equal on all nodes, see facts.h. */

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include "facts.h"
#include "files.h"

#define LEGACY "/etc/ctdb/events/legacy"

/* --------------------------------------------------------------- one digest */

/* "-": it is not there. Half a SHA-256 tells two files apart. */
char *facts_digest(TALLOC_CTX *mem_ctx, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[33] = "-";
	gnutls_hash_hd_t hash;
	uint8_t sum[32];
	char buf[65536];
	ssize_t n = -1;
	size_t i;

	if (fd == -1) {
		return talloc_strdup(mem_ctx, errno == ENOENT ? "-" :
				     strerror(errno));
	}
	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0) {
		close(fd);
		return NULL;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		gnutls_hash(hash, buf, (size_t)n);
	}
	gnutls_hash_deinit(hash, sum);
	close(fd);
	if (n == -1) {
		return talloc_strdup(mem_ctx, strerror(errno));
	}
	for (i = 0; i < 16; i++) {
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	}
	return talloc_strdup(mem_ctx, text);
}

/* ------------------------------------------------------------------- disks */

static void format_uuid(const uint8_t *id, char text[37])
{
	size_t i, n = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			text[n++] = '-';
		}
		snprintf(text + n, 3, "%02x", id[i]);
		n += 2;
	}
}

/* Where file systems have their magic and their UUID. */
static const struct {
	const char *name;
	size_t magic_at;
	const char *magic;
	size_t magic_length;
	size_t uuid_at;
} kinds[] = {
	{ "ext4", 0x438, "\x53\xef", 2, 0x468 },
	{ "xfs", 0, "XFSB", 4, 0x20 },
	{ "btrfs", 0x10040, "_BHRfS_M", 8, 0x10020 },
};

#define HEAD_SIZE 0x11000

char *facts_device(TALLOC_CTX *mem_ctx, const char *device, char **problem)
{
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	uint8_t *head = NULL;
	char uuid[37] = "";
	char *result = NULL;
	size_t i;

	*problem = NULL;
	if (fd == -1) {
		*problem = talloc_strdup(mem_ctx, strerror(errno));
		return NULL;
	}
	if (posix_memalign((void **)&head, 4096, HEAD_SIZE) != 0) {
		close(fd);
		return NULL;
	}
	memset(head, 0, HEAD_SIZE);
	if (pread(fd, head, HEAD_SIZE, 0) < 4096) {
		*problem = talloc_strdup(mem_ctx, strerror(
			errno != 0 ? errno : EIO));
		goto done;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (memcmp(head + kinds[i].magic_at, kinds[i].magic,
			   kinds[i].magic_length) == 0) {
			format_uuid(head + kinds[i].uuid_at, uuid);
			result = talloc_asprintf(mem_ctx, "%s:%s",
						 kinds[i].name, uuid);
			break;
		}
	}
	if (result == NULL) {
		result = talloc_strdup(mem_ctx, "-");
	}
done:
	free(head);
	close(fd);
	return result;
}

static json_t *devices(TALLOC_CTX *mem_ctx, const struct mirror_config *config)
{
	json_t *object = json_object();
	struct config_volume **v;

	for (v = config->volumes; *v != NULL; v++) {
		char *problem;
		char *id = facts_device(mem_ctx, (*v)->device, &problem);

		if (id != NULL) {
			json_object_set_new(object, (*v)->name,
					    json_string(id));
		}
	}
	return object;
}

/* -------------------------------------------------------------------- lists */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Event scripts that are enabled, with what is in them. */
static json_t *scripts(TALLOC_CTX *mem_ctx)
{
	json_t *object = json_object();
	DIR *directory = opendir(LEGACY);
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		const char *end = strstr(entry->d_name, ".script");
		char *path = talloc_asprintf(mem_ctx, LEGACY "/%s",
					     entry->d_name);

		if (end != NULL && end[7] == '\0' && path != NULL &&
		    access(path, X_OK) == 0) {
			json_object_set_new(object, entry->d_name, json_string(
				facts_digest(mem_ctx, path)));
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
	return object;
}

/* Lines of /etc/passwd or /etc/group for people: id 1000 to 59999. */
static char *people(TALLOC_CTX *mem_ctx, const char *path)
{
	FILE *file = fopen(path, "re");
	char **lines = talloc_zero_array(mem_ctx, char *, 0);
	char *text = talloc_strdup(mem_ctx, "");
	char *line = NULL;
	size_t size = 0, n = 0, i;

	while (file != NULL && getline(&line, &size, file) != -1) {
		char name[256];
		unsigned int id;

		if (sscanf(line, "%255[^:]:%*[^:]:%u", name, &id) == 2 &&
		    id >= 1000 && id < 60000) {
			lines = talloc_realloc(mem_ctx, lines, char *, n + 1);
			if (lines == NULL) {
				break;
			}
			lines[n++] = talloc_asprintf(lines, "%s:%u", name, id);
		}
	}
	free(line);
	if (file != NULL) {
		fclose(file);
	}
	if (n > 0) {
		qsort(lines, n, sizeof(char *), compare);
	}
	for (i = 0; i < n && text != NULL; i++) {
		text = talloc_asprintf_append(text, "%s\n", lines[i]);
	}
	return text;
}

static char *text_digest(TALLOC_CTX *mem_ctx, const char *text)
{
	uint8_t sum[32];
	char hex[17];
	size_t i;

	if (text == NULL || gnutls_hash_fast(GNUTLS_DIG_SHA256, text,
					     strlen(text), sum) != 0) {
		return NULL;
	}
	for (i = 0; i < 8; i++) {
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	}
	return talloc_strdup(mem_ctx, hex);
}

/* ----------------------------------------------------------------- together */

static const struct {
	const char *name;
	const char *path;
} files[] = {
	{ "smb.conf", "/etc/samba/smb.conf" },
	{ "ctdb.conf", "/etc/ctdb/ctdb.conf" },
	{ "ctdb.tunables", "/etc/ctdb/ctdb.tunables" },
	{ "script.options", "/etc/ctdb/script.options" },
	{ "public_addresses", "/etc/ctdb/public_addresses" },
	{ "mirrord", "/proc/self/exe" },
	{ "module", MIRROR_VFS_DIR "/mirror.so" },
	{ "smbd", "/usr/sbin/smbd" },
};

json_t *facts_collect(TALLOC_CTX *mem_ctx, const struct mirror_config *config)
{
	TALLOC_CTX *frame = talloc_new(mem_ctx);
	json_t *digests = json_object();
	json_t *result;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		json_object_set_new(digests, files[i].name, json_string(
			facts_digest(frame, files[i].path)));
	}
	json_object_set_new(digests, "nodes", json_string(
		facts_digest(frame, config->nodes_file)));
	json_object_set_new(digests, "users", json_string(text_digest(
		frame, talloc_asprintf(frame, "%s\n%s",
				       people(frame, "/etc/passwd"),
				       people(frame, "/etc/group")))));
	result = json_pack("{s:o,s:o,s:o,s:o}", "digests", digests,
			   "scripts", scripts(frame),
			   "devices", devices(frame, config),
			   "files", files_facts(frame, config->files));
	talloc_free(frame);
	return result;
}
