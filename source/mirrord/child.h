/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Work in a process of its own: a command (mount, a fence agent) or a function
 * of ours that takes long (replay, growing a store).
 *
 * Owns: the process, its time limit, what it writes.
 * Does not own: what it does.
 *
 * A child dies with mirrord (PR_SET_PDEATHSIG): what it was doing is then
 * begun again by the next mirrord, as after a power cut.
 */

#ifndef MIRRORD_CHILD_H
#define MIRRORD_CHILD_H

#include <stdint.h>
#include <tevent.h>

/*
 * Runs in the child; it writes lines to out. The exit status is 0 if it
 * returns 0, else its return value is what child_recv() gives (errno).
 * It must not use the parent's event context.
 */
typedef int (*child_function)(int out, void *private_data);

/* A complete line, without its newline. */
typedef void (*child_line)(const char *line, void *private_data);

struct tevent_req *child_function_send(TALLOC_CTX *mem_ctx,
				       struct tevent_context *ev,
				       child_function function,
				       void *function_data,
				       uint32_t timeout_ms, /* 0: none */
				       child_line line,	/* may be NULL */
				       void *line_data);

/*
 * For the function, in the child: close all sockets but keep (-1: all), so
 * that connections which the parent closes are really closed.
 */
void child_close_sockets(int keep);
/* The same for a child that has no business with a volume: with its root open
 * none could be unmounted, for as long as the child works. */
void child_close_directories(void);

/* argv[0] is searched for in PATH; output and error go to line. */
struct tevent_req *child_command_send(TALLOC_CTX *mem_ctx,
				      struct tevent_context *ev,
				      const char *const *argv,
				      uint32_t timeout_ms,
				      child_line line,
				      void *line_data);

/* It ends with EINTR soon. */
void child_kill(struct tevent_req *req);

/*
 * 0 on success; ETIMEDOUT; the function's errno. For a command that failed
 * *status (may be NULL) has its exit status and the result is ECHILD.
 * *last (may be NULL; child of mem_ctx) is the last line that it wrote.
 */
int child_recv(struct tevent_req *req,
	       TALLOC_CTX *mem_ctx,
	       int *status,
	       char **last);

#endif /* MIRRORD_CHILD_H */
