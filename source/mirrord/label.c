/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The label of a volume, see label.h. */

#include <sys/file.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
#include <zlib.h>
#include "job.h"
#include "label.h"

#define LABEL_MAGIC 0x4d4c424cU		/* "LBLM" */
#define LABEL_VERSION 1

/* Where things are; little endian. */
#define AT_MAGIC 0
#define AT_VERSION 4
#define AT_GENERATION 8
#define AT_OWNER 16
#define AT_PROTECTION 20
#define AT_PARTNER 24
#define AT_STORE_GENERATION 28
#define AT_BEAT 28	/* without a store */
#define AT_INCARNATION 36
#define AT_LOCK_SPACE 52
#define AT_CRC 60

static void push_u32(uint8_t *buf, size_t at, uint32_t value)
{
	size_t i;

	for (i = 0; i < 4; i++) {
		buf[at + i] = (uint8_t)(value >> (8 * i));
	}
}

static uint32_t pull_u32(const uint8_t *buf, size_t at)
{
	return (uint32_t)buf[at] | (uint32_t)buf[at + 1] << 8 |
		(uint32_t)buf[at + 2] << 16 | (uint32_t)buf[at + 3] << 24;
}

static void push_u64(uint8_t *buf, size_t at, uint64_t value)
{
	push_u32(buf, at, (uint32_t)value);
	push_u32(buf, at + 4, (uint32_t)(value >> 32));
}

static uint64_t pull_u64(const uint8_t *buf, size_t at)
{
	return pull_u32(buf, at) | (uint64_t)pull_u32(buf, at + 4) << 32;
}

static uint32_t checksum(const uint8_t *buf)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), buf, AT_CRC);
}

static bool has_store(enum label_protection protection)
{
	return protection == LABEL_MIRRORED || protection == LABEL_REPLAYING;
}

struct label label_next(const struct label *label,
			uint32_t owner,
			enum label_protection protection)
{
	return (struct label){
		.generation = label->generation + 1,
		.owner = owner,
		.protection = protection,
		.lock_space = label->lock_space,
	};
}

void label_push(const struct label *label, uint8_t buf[LABEL_SIZE])
{
	memset(buf, 0, LABEL_SIZE);
	push_u32(buf, AT_MAGIC, LABEL_MAGIC);
	push_u32(buf, AT_VERSION, LABEL_VERSION);
	push_u64(buf, AT_GENERATION, label->generation);
	push_u32(buf, AT_OWNER, label->owner);
	push_u32(buf, AT_PROTECTION, label->protection);
	push_u32(buf, AT_PARTNER, label->partner);
	push_u64(buf, AT_STORE_GENERATION, has_store(label->protection) ?
		 label->store_generation : label->beat);
	memcpy(buf + AT_INCARNATION, label->incarnation.bytes,
	       MIRROR_ID_SIZE);
	push_u64(buf, AT_LOCK_SPACE, label->lock_space);
	push_u32(buf, AT_CRC, checksum(buf));
}

int label_pull(const uint8_t *buf, size_t length, struct label *label)
{
	uint32_t protection;

	if (length < AT_GENERATION ||
	    pull_u32(buf, AT_MAGIC) != LABEL_MAGIC) {
		return EBADMSG;
	}
	if (pull_u32(buf, AT_VERSION) != LABEL_VERSION) {
		return EPROTO;
	}
	if (length != LABEL_SIZE || pull_u32(buf, AT_CRC) != checksum(buf)) {
		return EBADMSG;
	}
	protection = pull_u32(buf, AT_PROTECTION);
	if (protection == 0 || protection >= LABEL_PROTECTION_END) {
		return EBADMSG;
	}
	*label = (struct label){
		.generation = pull_u64(buf, AT_GENERATION),
		.owner = pull_u32(buf, AT_OWNER),
		.protection = (enum label_protection)protection,
		.partner = pull_u32(buf, AT_PARTNER),
		.lock_space = pull_u64(buf, AT_LOCK_SPACE),
	};
	if (has_store(label->protection)) {
		label->store_generation = pull_u64(buf, AT_STORE_GENERATION);
	} else {
		label->beat = pull_u64(buf, AT_BEAT);
	}
	memcpy(label->incarnation.bytes, buf + AT_INCARNATION,
	       MIRROR_ID_SIZE);
	return 0;
}

int label_read(int root_fd, struct label *label)
{
	uint8_t buf[LABEL_SIZE + 1];
	ssize_t n;

	n = fgetxattr(root_fd, LABEL_XATTR, buf, sizeof(buf));
	if (n == -1 && errno == ENODATA) {
		*label = (struct label){ .protection = LABEL_CLEAN };
		return 0;
	}
	if (n == -1) {
		return errno == ERANGE ? EPROTO : errno;
	}
	return label_pull(buf, (size_t)n, label);
}

int label_write(int root_fd, const struct label *label)
{
	uint8_t buf[LABEL_SIZE];

	label_push(label, buf);
	/* R11: durable before anybody relies on it. The attribute of a
	 * directory is with the directory. */
	if (fsetxattr(root_fd, LABEL_XATTR, buf, sizeof(buf), 0) == -1 ||
	    fsync(root_fd) == -1) {
		return errno;
	}
	return 0;
}

int label_replace(int root_fd,
		  const struct label *found,
		  const struct label *label)
{
	struct label there = { .generation = 0 };
	int fd, ret;

	/* An open file of its own, so that the lock is, too. */
	fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		return errno;
	}
	do {
		ret = flock(fd, LOCK_EX) == -1 ? errno : 0;
	} while (ret == EINTR);
	if (ret == 0) {
		ret = label_read(fd, &there);
	}
	if (ret == 0 && (there.generation != found->generation ||
			 there.owner != found->owner)) {
		ret = ESTALE;
	}
	if (ret == 0) {
		ret = label_write(fd, label);
	}
	close(fd);
	return ret;
}

struct label_job {
	int root_fd;
	bool guarded;
	struct label found;
	struct label label;
};

static int label_job_run(void *argument)
{
	const struct label_job *job = argument;

	return job->guarded ?
		label_replace(job->root_fd, &job->found, &job->label) :
		label_write(job->root_fd, &job->label);
}

struct tevent_req *label_write_send(TALLOC_CTX *mem_ctx,
				    struct tevent_context *ev,
				    int root_fd,
				    const struct label *found,
				    const struct label *label)
{
	const struct label_job job = {
		.root_fd = root_fd,
		.guarded = found != NULL,
		.found = found != NULL ? *found : *label,
		.label = *label,
	};

	return job_send(mem_ctx, ev, label_job_run, &job, sizeof(job));
}

int label_write_recv(struct tevent_req *req)
{
	return job_recv(req);
}

int label_volume_read(TALLOC_CTX *mem_ctx, int root_fd, char **name)
{
	char text[NAME_MAX + 1];
	ssize_t n;

	*name = NULL;
	n = fgetxattr(root_fd, LABEL_VOLUME_XATTR, text, sizeof(text));
	if (n == -1) {
		return errno == ENODATA ? 0 : errno;
	}
	*name = talloc_strndup(mem_ctx, text, (size_t)n);
	return *name != NULL ? 0 : ENOMEM;
}

int label_volume_write(int root_fd, const char *name)
{
	return fsetxattr(root_fd, LABEL_VOLUME_XATTR, name, strlen(name),
			 0) == -1 ? errno : 0;
}

const char *label_protection_name(enum label_protection protection)
{
	static const char *const names[LABEL_PROTECTION_END] = {
		[LABEL_CLEAN] = "clean",
		[LABEL_MIRRORED] = "mirrored",
		[LABEL_DEGRADED] = "degraded",
		[LABEL_REPLAYING] = "replaying",
	};

	return protection < LABEL_PROTECTION_END && names[protection] != NULL ?
		names[protection] : "unknown";
}

char *label_describe(TALLOC_CTX *mem_ctx, const struct label *label)
{
	char id[MIRROR_ID_STRING_SIZE];

	if (has_store(label->protection)) {
		return talloc_asprintf(
			mem_ctx, "generation %llu, owner %u, %s, store %.8s "
			"of generation %llu at node %u",
			(unsigned long long)label->generation, label->owner,
			label_protection_name(label->protection),
			mirror_id_string(&label->incarnation, id),
			(unsigned long long)label->store_generation,
			label->partner);
	}
	return talloc_asprintf(mem_ctx, "generation %llu, owner %u, %s",
			       (unsigned long long)label->generation,
			       label->owner,
			       label_protection_name(label->protection));
}
