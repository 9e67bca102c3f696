/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making and looking at mailboxes, see lock_format.h. */

#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lock_format.h"

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "mirror-ctdb-lock: %s: %s\n", path, what);
	return 1;
}

int lock_write_empty(int fd, uint64_t offset,
		     const struct lock_header *header)
{
	uint8_t *block = copy_blocks(1);
	int ret = 0;
	uint32_t i;

	/* The header last: what is made in part is no mailbox. */
	for (i = LOCK_NODES; ret == 0 && i > 0; i--) {
		ret = copy_write_block(fd, offset + LOCK_BLOCK * (uint64_t)i,
				       block);
	}
	if (ret == 0) {
		lock_header_push(header, block);
		ret = copy_write_block(fd, offset, block);
	}
	free(block);
	return ret;
}

/* blkid knows file systems, RAID and LVM members, partition tables. */
static int find_content(const char *path, char *found, size_t size)
{
	int out[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) == -1) {
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("/usr/sbin/blkid", "blkid", "-p", "-o", "value", "-s",
		      "TYPE", "-s", "PTTYPE", path, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	n = pid == -1 ? -1 : read(out[0], found, size - 1);
	close(out[0]);
	found[n > 0 ? n : 0] = '\0';
	found[strcspn(found, "\n")] = '\0';
	if (pid == -1 || waitpid(pid, &status, 0) == -1 ||
	    !WIFEXITED(status)) {
		return -1;
	}
	/* 0: something; 2: nothing; 8: more than one thing. */
	return WEXITSTATUS(status) == 2 ? 0 :
		WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 8 ? 1 : -1;
}

static uint64_t size_of(int fd, const struct stat *st)
{
	uint64_t size = 0;

	if (S_ISBLK(st->st_mode)) {
		return ioctl(fd, BLKGETSIZE64, &size) == 0 ? size : 0;
	}
	return (uint64_t)st->st_size;
}

/* May it be written to? Opened on success. */
static int prepare(const struct copy_place *place, uint64_t needed,
		   bool again, int *_fd)
{
	struct lock_header header;
	char found[64], text[160];
	uint8_t *block;
	struct stat st;
	int fd, ret;

	/* Exclusive: a device that is mounted, or part of something, is not
	 * opened. */
	fd = copy_open(place->path, O_RDWR | (stat(place->path, &st) == 0 &&
					      S_ISBLK(st.st_mode) ?
					      O_EXCL : 0));
	if (fd == -1) {
		return fail(place->path, errno == EBUSY ?
			    "it is in use (mounted?)" : strerror(errno));
	}
	*_fd = fd;
	if (fstat(fd, &st) == -1 ||
	    (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))) {
		return fail(place->path, "neither a device nor a file");
	}
	if (size_of(fd, &st) < needed) {
		snprintf(text, sizeof(text), "too small: %" PRIu64 " bytes "
			 "are needed (of a file: truncate -s 2M)", needed);
		return fail(place->path, text);
	}
	ret = find_content(place->path, found, sizeof(found));
	if (ret != 0) {
		snprintf(text, sizeof(text), ret < 0 ?
			 "cannot find out what is on it (blkid)%s" :
			 "there is something on it (%s). If it is not needed: "
			 "wipefs -a", ret < 0 ? "" : found);
		return fail(place->path, text);
	}
	block = copy_blocks(1);
	ret = copy_read_block(fd, place->offset, block);
	if (ret == 0 && lock_header_pull(block, &header) != ENOENT &&
	    !again) {
		free(block);
		return fail(place->path, "it is a mailbox already; with -f it "
			    "is made anew, if ctdb is stopped on all nodes");
	}
	free(block);
	return ret == 0 ? 0 : fail(place->path, strerror(ret));
}

int lock_format(const struct copy_place *places, uint8_t copies,
		uint32_t lease_ms, bool again)
{
	struct lock_header header = {
		.lease_ms = lease_ms, .copies = copies,
	};
	int fds[LOCK_COPIES] = { -1, -1 };
	uint8_t i;
	int ret;

	if (getrandom(header.id, sizeof(header.id), 0) !=
	    (ssize_t)sizeof(header.id)) {
		return fail("random numbers", strerror(errno));
	}
	/* All of them, before one is written. */
	for (i = 0; i < copies; i++) {
		if (i > 0 && places[i].offset != 0) {
			fds[i] = fds[0];	/* the same device */
		} else if (prepare(&places[i], places[copies - 1].offset +
				   LOCK_COPY_SIZE, again, &fds[i]) != 0) {
			return 1;
		}
	}
	for (i = 0; i < copies; i++) {
		header.copy = i;
		ret = lock_write_empty(fds[i], places[i].offset, &header);
		if (ret != 0) {
			return fail(places[i].path, strerror(ret));
		}
	}
	return 0;
}

/* Read all blocks, after a write if there is one. */
static int use(const struct copy_place *place, const struct sector *write,
	       struct copy_reply *reply)
{
	struct copy_request request = { .nodes = LOCK_NODES };
	int fd = copy_open(place->path, write != NULL ? O_RDWR : O_RDONLY);

	if (fd == -1) {
		return fail(place->path, strerror(errno));
	}
	if (write != NULL) {
		request.write = true;
		request.sector = *write;
	}
	copy_run(fd, place->offset, &request, reply);
	close(fd);
	if (reply->error != 0) {
		return fail(place->path, reply->error == ENOENT ?
			    "no mailbox: mirror-ctdb-lock format" :
			    reply->error == EBADMSG ? "damaged" :
			    strerror(reply->error));
	}
	return 0;
}

bool lock_is_witness(const char *path)
{
	struct lock_header header = { .copies = 0 };
	uint8_t *block = copy_blocks(1);
	int fd = copy_open(path, O_RDONLY);

	if (fd != -1) {
		if (copy_read_block(fd, 0, block) != 0 ||
		    lock_header_pull(block, &header) != 0) {
			header.copies = 0;
		}
		close(fd);
	}
	free(block);
	return header.copies == 1;
}

static void print_sector(const struct sector *sector)
{
	if (sector->sequence == 0) {
		return;
	}
	printf("  node %u %s, term %" PRIu64, sector->node,
	       sector_state_name(sector->state), sector->term);
	if (sector->state == SECTOR_HOLD) {
		printf(", members 0x%" PRIx64 "%s", sector->members,
		       (sector->members & (sector->members - 1)) == 0 ?
		       " (alone)" : "");
	}
	if (sector->lost != 0) {
		printf(", does without copy %s",
		       (sector->lost & 1) != 0 ? "1" : "2");
	}
	printf("%s, write %" PRIu64 "\n",
	       sector->clients ? "" : ", no client network",
	       sector->sequence);
}

int lock_show(const struct copy_place *places, uint8_t copies)
{
	static struct copy_reply reply;
	int shown = 0;
	uint32_t node;
	uint8_t i;

	for (i = 0; i < copies; i++) {
		if (use(&places[i], NULL, &reply) != 0) {
			continue;
		}
		shown++;
		printf("copy %d of %d, %s, lease %u ms\n",
		       reply.header.copy + 1, reply.header.copies,
		       places[i].path, reply.header.lease_ms);
		for (node = 0; node < LOCK_NODES; node++) {
			if ((reply.reading.damaged & UINT64_C(1) << node) !=
			    0) {
				printf("  node %u damaged\n", node);
			} else {
				print_sector(&reply.reading.sectors[node]);
			}
		}
	}
	return shown > 0 ? 0 : 1;
}

int lock_clear(const struct copy_place *places, uint8_t copies, uint32_t node)
{
	static struct copy_reply before[LOCK_COPIES], after;
	struct sector sector = { .sequence = 0 };
	uint8_t i;

	for (i = 0; i < copies; i++) {
		if (use(&places[i], NULL, &before[i]) != 0) {
			return 1;
		}
		if (before[i].reading.sectors[node].sequence >
		    sector.sequence) {
			sector = before[i].reading.sectors[node];
		}
	}
	poll(NULL, 0, 2 * (int)before[0].header.lease_ms);
	for (i = 0; i < copies; i++) {
		if (use(&places[i], NULL, &after) != 0) {
			return 1;
		}
		if (after.reading.sectors[node].sequence !=
		    before[i].reading.sectors[node].sequence) {
			return fail(places[i].path,
				    "the node is on: it writes");
		}
	}
	sector.sequence++;
	sector.node = node;
	sector.state = SECTOR_FREE;
	sector.members = 0;
	sector.lost = 0;
	for (i = 0; i < copies; i++) {
		if (use(&places[i], &sector, &after) != 0) {
			return 1;
		}
	}
	return 0;
}
