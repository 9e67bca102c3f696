/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See operation.h. */

#include "includes.h"
#include "libsmb/libsmb.h"
#include "libcli/smb/smbXcli_base.h"
#include "client_process.h"
#include "operation.h"
#include "steps.h"

#define CREDIT 65536		/* bytes that one is good for */

static void operation_begin(struct operation *operation, uint64_t time);

/* ---------------------------------------------------------------- requests */

static void operation_end(struct operation *operation, bool ok)
{
	struct phase *phase = operation->phase;
	struct result *result = operation->client->result;
	uint64_t time = now();

	phase->active--;
	if (ok && phase->options.measured) {
		histogram_add(&result->latency, time - operation->begun);
		result->operations++;
		result->bytes += operation->bytes;
		result->ended = time;
	}
	operation->turn++;
	if (ok) {
		operation_begin(operation, time);
	}
}

static void operation_fail(struct operation *operation, NTSTATUS status)
{
	operation->phase->failed = true;
	client_fail(operation->client, status, "%s of %s",
		    operation->step->name, operation->path);
	operation_end(operation, false);
}

static void step_done(struct tevent_req *req);

static void step_send(struct operation *operation)
{
	struct tevent_req *req;

	operation->again = false;
	req = operation->step->send(operation);
	if (req == NULL) {
		operation_fail(operation, NT_STATUS_NO_MEMORY);
		return;
	}
	operation->phase->in_flight++;
	tevent_req_set_callback(req, step_done, operation);
}

static bool has_credits(const struct operation *operation)
{
	uint32_t needed = 1;

	if (operation->step->has_data && operation->length > 0) {
		needed = (operation->length - 1) / CREDIT + 1;
	}
	return smb2cli_conn_get_cur_credits(operation->client->cli->conn) >=
		needed;
}

/* In the order of their arrival, so that a large one gets its turn. */
static void serve_waiting(struct phase *phase)
{
	while (phase->waiting != NULL &&
	       (has_credits(phase->waiting) || phase->in_flight == 0)) {
		struct operation *first = phase->waiting;

		phase->waiting = first->next_waiting;
		if (phase->waiting == NULL) {
			phase->waiting_end = &phase->waiting;
		}
		if (has_credits(first)) {
			step_send(first);
		} else {
			/* No reply will ever bring more. */
			operation_fail(first,
				       NT_STATUS_INSUFFICIENT_RESOURCES);
		}
	}
}

static void step_begin(struct operation *operation)
{
	struct phase *phase = operation->phase;

	operation->next_waiting = NULL;
	*phase->waiting_end = operation;
	phase->waiting_end = &operation->next_waiting;
	serve_waiting(phase);
}

static void step_done(struct tevent_req *req)
{
	struct operation *operation = tevent_req_callback_data_void(req);
	struct phase *phase = operation->phase;
	NTSTATUS status;

	phase->in_flight--;
	status = operation->step->receive(operation, req);
	TALLOC_FREE(req);
	if (!NT_STATUS_IS_OK(status)) {
		operation_fail(operation, status);
	} else {
		if (!operation->again) {
			operation->step++;
		}
		if (operation->step->name == NULL) {
			operation_end(operation, true);
		} else {
			step_begin(operation);
		}
	}
	serve_waiting(phase);
}

/* -------------------------------------------------------------- operations */

static bool may_begin(struct phase *phase, uint64_t time)
{
	struct shared *shared = phase->client->shared;

	if (phase->failed || (shared->stop && !phase->options.cleaning)) {
		return false;
	}
	if (phase->next == phase->options.count) {
		if (phase->options.measured) {
			shared->round_over = true;
		}
		return false;
	}
	return !phase->options.measured ||
		(!shared->round_over && time < shared->deadline &&
		 atomic_fetch_sub(&shared->left, 1) > 0);
}

static void operation_begin(struct operation *operation, uint64_t time)
{
	struct phase *phase = operation->phase;

	if (!may_begin(phase, time)) {
		return;
	}
	phase->active++;
	operation->number = phase->next++;
	operation->begun = time;
	operation->bytes = 0;
	operation->length = phase->options.length;
	operation->step = phase->options.action->steps;
	phase->options.action->choose(operation);
	step_begin(operation);
}

bool phase_run(struct client *client, const struct phase_options *options)
{
	struct phase phase = { .options = *options, .client = client };
	unsigned int i;

	phase.waiting_end = &phase.waiting;
	phase.operations = talloc_zero_array(client, struct operation,
					     options->depth);
	if (phase.operations == NULL) {
		client_fail(client, NT_STATUS_NO_MEMORY, "%u operations",
			    options->depth);
		return false;
	}
	for (i = 0; i < options->depth; i++) {
		struct operation *operation = &phase.operations[i];

		operation->phase = &phase;
		operation->client = client;
		operation->slot = i;
		if (options->length > 0) {
			operation->buffer = talloc_array(
				phase.operations, uint8_t, options->length);
			if (operation->buffer == NULL) {
				client_fail(client, NT_STATUS_NO_MEMORY,
					    "%u bytes", options->length);
				phase.failed = true;
				break;
			}
			fill_buffer(operation->buffer, options->length);
		}
	}
	for (i = 0; i < options->depth && !phase.failed; i++) {
		operation_begin(&phase.operations[i], now());
	}
	while (phase.active > 0) {
		if (tevent_loop_once(client->ev) != 0) {
			client_fail(client, NT_STATUS_INTERNAL_ERROR,
				    "event loop");
			phase.failed = true;
			break;
		}
	}
	/* Requests that are left are freed with the operations. */
	TALLOC_FREE(phase.operations);
	return !phase.failed;
}
