/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A call that may block (syncfs, fsync), in a thread of its own.
 *
 * Owns: the thread and a copy of its argument.
 * Does not own: what the call does. It must not touch talloc, tevent or
 * anything else of the daemon: only its argument.
 */

#ifndef MIRRORD_JOB_H
#define MIRRORD_JOB_H

#include <stddef.h>
#include <tevent.h>

/* Returns 0 or errno. */
typedef int (*job_function)(void *argument);

/*
 * argument is copied. If the request is freed before the call has returned,
 * the thread goes on and its result is dropped.
 */
struct tevent_req *job_send(TALLOC_CTX *mem_ctx,
			    struct tevent_context *ev,
			    job_function function,
			    const void *argument,
			    size_t size);
/* What the function returned; an error of ours looks the same. */
int job_recv(struct tevent_req *req);

/* syncfs(fd). */
struct tevent_req *sync_send(TALLOC_CTX *mem_ctx,
			     struct tevent_context *ev,
			     int fd);
int sync_recv(struct tevent_req *req);

#endif /* MIRRORD_JOB_H */
