/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes of the copies, see lock_copy.h. */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/state_page.h"
#include "lock_copy.h"

uint64_t lock_now(void)
{
	return state_page_clock() / 1000000;
}

uint8_t *copy_blocks(uint32_t count)
{
	void *blocks = NULL;

	if (posix_memalign(&blocks, LOCK_BLOCK,
			   (size_t)count * LOCK_BLOCK) != 0) {
		_exit(1);
	}
	memset(blocks, 0, (size_t)count * LOCK_BLOCK);
	return blocks;
}

int copy_open(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);

	/* A file system that has none, as some that are in memory. */
	if (fd == -1 && errno == EINVAL) {
		fd = open(path, flags | O_DSYNC | O_CLOEXEC, 0600);
	}
	return fd;
}

static int read_all(int fd, uint64_t offset, uint8_t *at, size_t size)
{
	ssize_t n = pread(fd, at, size, (off_t)offset);

	if (n == -1) {
		return errno;
	}
	return (size_t)n == size ? 0 : EIO;
}

int copy_read_block(int fd, uint64_t offset, uint8_t *block)
{
	return read_all(fd, offset, block, LOCK_BLOCK);
}

int copy_write_block(int fd, uint64_t offset, const uint8_t *block)
{
	ssize_t n = pwrite(fd, block, LOCK_BLOCK, (off_t)offset);

	if (n == -1) {
		return errno;
	}
	return n == LOCK_BLOCK ? 0 : EIO;
}

/* First the write, then the read: what the rules build on. */
void copy_run(int fd, uint64_t offset, const struct copy_request *request,
	      struct copy_reply *reply)
{
	static uint8_t *blocks;
	uint32_t i;

	if (blocks == NULL) {
		blocks = copy_blocks(1 + LOCK_NODES);
	}
	reply->error = 0;
	if (request->nodes > LOCK_NODES ||
	    request->sector.node >= LOCK_NODES) {
		reply->error = EINVAL;
		return;
	}
	if (request->write) {
		sector_push(&request->sector, blocks);
		reply->error = copy_write_block(
			fd, offset + LOCK_BLOCK *
			(1 + (uint64_t)request->sector.node), blocks);
	}
	if (reply->error == 0) {
		reply->error = read_all(fd, offset, blocks, LOCK_BLOCK *
					(1 + (size_t)request->nodes));
	}
	if (reply->error == 0) {
		reply->error = lock_header_pull(blocks, &reply->header);
	}
	reply->reading.damaged = 0;
	for (i = 0; reply->error == 0 && i < request->nodes; i++) {
		if (sector_pull(blocks + LOCK_BLOCK * (1 + (size_t)i), i,
				&reply->reading.sectors[i]) != 0) {
			reply->reading.damaged |= UINT64_C(1) << i;
		}
	}
}

int copy_serve_disk(const struct copy_place *place, int socket)
{
	struct copy_request request;
	struct copy_reply reply;
	int fd = -1;

	while (recv(socket, &request, sizeof(request), 0) ==
	       (ssize_t)sizeof(request)) {
		memset(&reply, 0, sizeof(reply));
		if (fd == -1) {
			fd = copy_open(place->path, O_RDWR);
		}
		if (fd == -1) {
			reply.error = errno;
		} else {
			copy_run(fd, place->offset, &request, &reply);
		}
		/* A device that is back may be another one. */
		if (reply.error != 0 && fd != -1) {
			close(fd);
			fd = -1;
		}
		if (send(socket, &reply, sizeof(reply), MSG_NOSIGNAL) == -1) {
			break;
		}
	}
	return 0;
}

int copy_start(const struct copy_place *place, int *fd, pid_t *pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       pair) == -1) {
		return errno;
	}
	*pid = fork();
	if (*pid == -1) {
		int ret = errno;

		close(pair[0]);
		close(pair[1]);
		return ret;
	}
	if (*pid == 0) {
		/* ctdb learns of the end of the lock by the end of stdout:
		 * it must not be open here. */
		close(STDOUT_FILENO);
		close(pair[0]);
		signal(SIGTERM, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(place->serve(place, pair[1]));
	}
	close(pair[1]);
	*fd = pair[0];
	return 0;
}
