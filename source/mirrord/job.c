/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocking calls in threads, see job.h. */

#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "job.h"

/* Shared by thread and request; whoever is last frees it. */
struct job {
	atomic_int users;
	int event_fd;
	job_function function;
	int result;
	char argument[];
};

struct job_state {
	struct job *job;
	struct tevent_fd *fde;
};

static void job_release(struct job *job)
{
	if (atomic_fetch_sub(&job->users, 1) == 1) {
		close(job->event_fd);
		free(job);
	}
}

static void *job_thread(void *private_data)
{
	struct job *job = private_data;
	uint64_t one = 1;

	job->result = job->function(job->argument);
	if (write(job->event_fd, &one, sizeof(one)) != sizeof(one)) {
		/* Cannot be: the counter is zero. */
		abort();
	}
	job_release(job);
	return NULL;
}

static int job_start(struct job *job)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attributes);
	if (ret != 0) {
		return ret;
	}
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Signals are for the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attributes, job_thread, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return ret;
}

static void job_cleanup(struct tevent_req *req, enum tevent_req_state req_state)
{
	struct job_state *state = tevent_req_data(req, struct job_state);

	/* fde first: it must not outlive the descriptor. */
	TALLOC_FREE(state->fde);
	if (req_state == TEVENT_REQ_RECEIVED && state->job != NULL) {
		job_release(state->job);
		state->job = NULL;
	}
}

static void job_done(struct tevent_context *ev,
		     struct tevent_fd *fde,
		     uint16_t flags,
		     void *private_data)
{
	struct tevent_req *req = private_data;
	struct job_state *state = tevent_req_data(req, struct job_state);

	if (state->job->result != 0) {
		tevent_req_error(req, state->job->result);
		return;
	}
	tevent_req_done(req);
}

struct tevent_req *job_send(TALLOC_CTX *mem_ctx,
			    struct tevent_context *ev,
			    job_function function,
			    const void *argument,
			    size_t size)
{
	struct tevent_req *req;
	struct job_state *state;
	struct job *job;
	int ret;

	req = tevent_req_create(mem_ctx, &state, struct job_state);
	if (req == NULL) {
		return NULL;
	}
	job = calloc(1, sizeof(*job) + size);
	if (job == NULL) {
		tevent_req_error(req, ENOMEM);
		return tevent_req_post(req, ev);
	}
	job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->event_fd == -1) {
		tevent_req_error(req, errno);
		free(job);
		return tevent_req_post(req, ev);
	}
	job->function = function;
	memcpy(job->argument, argument, size);
	state->fde = tevent_add_fd(ev, state, job->event_fd, TEVENT_FD_READ,
				   job_done, req);
	atomic_init(&job->users, 2);
	ret = state->fde != NULL ? job_start(job) : ENOMEM;
	if (ret != 0) {
		TALLOC_FREE(state->fde);
		close(job->event_fd);
		free(job);
		tevent_req_error(req, ret);
		return tevent_req_post(req, ev);
	}
	state->job = job;
	tevent_req_set_cleanup_fn(req, job_cleanup);
	return req;
}

int job_recv(struct tevent_req *req)
{
	enum tevent_req_state state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &state, &error)) {
		if (state == TEVENT_REQ_NO_MEMORY) {
			error = ENOMEM;
		}
	}
	tevent_req_received(req);
	return (int)error;
}

static int sync_function(void *argument)
{
	return syncfs(*(int *)argument) == -1 ? errno : 0;
}

struct tevent_req *sync_send(TALLOC_CTX *mem_ctx,
			     struct tevent_context *ev,
			     int fd)
{
	return job_send(mem_ctx, ev, sync_function, &fd, sizeof(fd));
}

int sync_recv(struct tevent_req *req)
{
	return job_recv(req);
}
