/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See operation_trace.h. */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "operation_trace.h"
#include "sender.h"

struct operation_trace {
	struct operation_trace *prev, *next;
	struct request_trace *request;
	struct mirror_operation *operation;	/* NULL: it is gone */
	struct trace_entry entry;
};

struct request_trace {
	struct request_trace *prev, *next;
	struct mirror_volume *volume;	/* NULL: it is gone */
	const struct smbd_smb2_request *smb;	/* NULL: not known */
	uint64_t begun;		/* 0: not known */
	uint64_t idle_since;	/* smbd has the word: the module returned */
	uint16_t command;
	struct operation_trace *operations;
};

/* ------------------------------------------------------------- the request */

/* smbd notes when it came by the wall clock. */
static uint64_t wall_ns(const struct smbd_smb2_request *request)
{
	return (uint64_t)request->request_time.tv_sec * 1000000000 +
		(uint64_t)request->request_time.tv_usec * 1000;
}

/*
 * The request that smbd works on: it takes them one by one, so it is the one
 * that came last. (One that was put off and is taken up again is not found
 * then: its operations count as those of the last one.)
 */
static struct smbd_smb2_request *current_request(
	const struct mirror_volume *volume)
{
	struct smbXsrv_connection *connection = NULL;
	struct smbd_smb2_request *found = NULL;

	if (volume->sconn == NULL || volume->sconn->client == NULL) {
		return NULL;
	}
	for (connection = volume->sconn->client->connections;
	     connection != NULL; connection = connection->next) {
		struct smbd_smb2_request *request = DLIST_TAIL(
			connection->smb2.requests);

		if (request != NULL &&
		    (found == NULL || wall_ns(request) > wall_ns(found))) {
			found = request;
		}
	}
	return found;
}

static uint64_t request_begun(const struct smbd_smb2_request *request)
{
	struct timespec wall;
	uint64_t begun = wall_ns(request);
	uint64_t now = 0;

	clock_gettime(CLOCK_REALTIME, &wall);
	now = (uint64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
	return now < begun ? trace_now() : trace_now() - (now - begun);
}

static uint16_t request_command(const struct smbd_smb2_request *request)
{
	return SVAL(SMBD_SMB2_IN_HDR_PTR(request), SMB2_HDR_OPCODE);
}

/* What the module took of the time of the request. */
static uint64_t time_inside(const struct request_trace *request)
{
	const struct operation_trace *trace = NULL;
	uint64_t inside = 0;
	uint64_t collecting = 0;

	for (trace = request->operations; trace != NULL; trace = trace->next) {
		const uint64_t *at = trace->entry.at;
		uint64_t end = at[TRACE_RETURNED] != 0 ? at[TRACE_RETURNED] :
			at[TRACE_UNLOCKED];

		inside += end > at[TRACE_BEGUN] ? end - at[TRACE_BEGUN] : 0;
		/* These are waited for together. */
		if (at[TRACE_COLLECTED] != 0 &&
		    at[TRACE_UNLOCKED] > at[TRACE_COLLECTED]) {
			collecting = MAX(collecting, at[TRACE_UNLOCKED] -
					 at[TRACE_COLLECTED]);
		}
	}
	return inside + collecting;
}

static void tell_last(struct request_trace *request)
{
	struct operation_trace *last = DLIST_TAIL(request->operations);
	struct trace_entry *entry = &last->entry;
	const struct operation_trace *trace = NULL;

	entry->at[TRACE_REPLIED] = trace_now();
	entry->flags |= TRACE_LAST;
	entry->command = request->command;
	entry->request_begun = request->begun;
	entry->request_inside = time_inside(request);
	for (trace = request->operations; trace != NULL; trace = trace->next) {
		entry->operations += !(trace->entry.flags & TRACE_ABANDONED);
	}
}

static int request_destructor(struct request_trace *request)
{
	struct mirror_volume *volume = request->volume;
	struct operation_trace *trace = NULL;

	if (request->begun != 0 && request->operations != NULL) {
		tell_last(request);
	}
	for (trace = request->operations; trace != NULL; trace = trace->next) {
		if (trace->operation != NULL) {
			trace->operation->trace = NULL;
		}
		/* One that was given up, or is still under way, tells
		 * nothing. */
		if (volume != NULL && trace->entry.at[TRACE_UNLOCKED] != 0) {
			trace_add(volume->trace, &trace->entry);
		}
	}
	if (volume != NULL) {
		DLIST_REMOVE(volume->traced, request);
	}
	return 0;
}

static struct request_trace *request_find(struct mirror_operation *operation)
{
	struct mirror_volume *volume = operation->volume;
	struct smbd_smb2_request *smb = current_request(volume);
	struct request_trace *request = NULL;

	for (request = volume->traced; smb != NULL && request != NULL;
	     request = request->next) {
		if (request->smb == smb) {
			return request;
		}
	}
	request = smb != NULL ? talloc_zero(smb, struct request_trace) :
		talloc_zero(operation, struct request_trace);
	if (request == NULL) {
		return NULL;
	}
	request->volume = volume;
	request->smb = smb;
	if (smb != NULL) {
		request->begun = request_begun(smb);
		request->idle_since = request->begun;
		request->command = request_command(smb);
	}
	DLIST_ADD(volume->traced, request);
	talloc_set_destructor(request, request_destructor);
	return request;
}

/* ----------------------------------------------------------- the operation */

static int operation_destructor(struct mirror_operation *operation)
{
	if (operation->trace != NULL) {
		operation->trace->operation = NULL;
	}
	return 0;
}

void operation_trace_begin(struct mirror_operation *operation)
{
	struct request_trace *request = request_find(operation);
	struct operation_trace *trace = NULL;

	if (request == NULL) {
		return;
	}
	trace = talloc_zero(request, struct operation_trace);
	if (trace == NULL) {
		return;
	}
	trace->request = request;
	trace->operation = operation;
	trace->entry.role = TRACE_OWNER;
	trace->entry.type = operation->record.type;
	trace->entry.session = operation->volume->session;
	trace->entry.at[TRACE_REQUEST] = request->idle_since;
	trace->entry.at[TRACE_BEGUN] = trace_now();
	DLIST_ADD_END(request->operations, trace);
	operation->trace = trace;
	talloc_set_destructor(operation, operation_destructor);
}

void operation_trace_point(struct mirror_operation *operation,
			   enum trace_owner_point point)
{
	struct operation_trace *trace = operation->trace;

	trace->entry.at[point] = trace_now();
	if (point == TRACE_RETURNED && trace->request->begun != 0) {
		trace->request->idle_since = trace->entry.at[point];
	}
}

void operation_trace_acknowledged(struct mirror_operation *operation)
{
	operation->trace->entry.at[TRACE_ANSWERED] =
		operation->volume->answered;
	operation_trace_point(operation, TRACE_ACKNOWLEDGED);
}

void operation_trace_end(struct mirror_operation *operation)
{
	struct trace_entry *entry = &operation->trace->entry;
	const struct record *record = &operation->record;

	operation_trace_point(operation, TRACE_UNLOCKED);
	entry->sequence = record->cancels != 0 ? record->cancels :
		record->sequence;
	entry->bytes = record->data_length;
	if (operation->error != 0 && !(entry->flags & TRACE_ABANDONED)) {
		entry->flags |= TRACE_FAILED;
	}
	if (operation->deferred) {
		entry->flags |= TRACE_DEFERRED;
	}
}

void operation_trace_abandon(struct mirror_operation *operation)
{
	operation->trace->entry.flags |= TRACE_ABANDONED;
}

void operation_trace_collect(struct mirror_volume *volume)
{
	struct mirror_operation *operation = NULL;

	for (operation = volume->in_flight; operation != NULL;
	     operation = operation->next) {
		if (operation->deferred) {
			operation_point(operation, TRACE_COLLECTED);
		}
	}
}

void operation_trace_collected(struct mirror_volume *volume)
{
	struct request_trace *request = NULL;

	for (request = volume->traced; request != NULL;
	     request = request->next) {
		if (request->begun != 0) {
			request->idle_since = trace_now();
		}
	}
}

void operation_trace_close(struct mirror_volume *volume)
{
	struct request_trace *request = NULL;

	for (request = volume->traced; request != NULL;
	     request = request->next) {
		request->volume = NULL;
	}
	volume->traced = NULL;
}
