/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Many open files: each client has -f of them open, and reads a block of one
 * after the other.
 */

#include "includes.h"
#include "client_process.h"
#include "steps.h"
#include "workload.h"

#define STRIDE 7919		/* prime: meets all, not in their order */

static NTSTATUS hold_receive(struct operation *operation,
			     struct tevent_req *req)
{
	NTSTATUS status = open_receive(operation, req);

	if (NT_STATUS_IS_OK(status)) {
		operation->client->held[operation->number] = operation->file;
	}
	return status;
}

bool prepare_held(struct client *client)
{
	static const struct step steps[] = {
		{ "open", open_send, hold_receive, &opening_new_file, false },
		STEP_WRITE, STEP_END,
	};
	static const struct action action = { steps, choose_name_of_batch };
	const struct phase_options options = {
		.action = &action, .count = client->options->files,
		.length = BLOCK, .depth = unmeasured_depth(client),
	};

	client->held = talloc_zero_array(client, struct file,
					 client->options->files);
	if (client->held == NULL) {
		client_fail(client, NT_STATUS_NO_MEMORY, "%u files",
			    client->options->files);
		return false;
	}
	return make_directories(client, client->options->files) &&
		phase_run(client, &options);
}

void choose_held(struct operation *operation)
{
	struct client *client = operation->client;

	operation->file = client->held[operation->number * STRIDE %
				       client->options->files];
	operation->offset = 0;
}

static void choose_to_close(struct operation *operation)
{
	operation->file = operation->client->held[operation->number];
}

bool finish_held(struct client *client)
{
	static const struct step steps[] = { STEP_CLOSE, STEP_END };
	static const struct action action = { steps, choose_to_close };
	struct phase_options options = {
		.action = &action, .depth = unmeasured_depth(client),
		.cleaning = true,
	};
	uint64_t i;
	bool ok;

	/* After a failure some were not opened. */
	for (i = 0; client->held != NULL && i < client->options->files; i++) {
		if (client->held[i].open != 0) {
			client->held[options.count++] = client->held[i];
		}
	}
	ok = options.count == 0 || phase_run(client, &options);
	TALLOC_FREE(client->held);
	return ok;
}
