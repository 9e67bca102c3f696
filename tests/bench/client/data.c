/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading and writing: one file for each client, open while a round lasts.
 *
 * write-sequential appends to a file that is new in each round, like a copy;
 * what it costs to remove the last one is not measured. The others use a file
 * that was really written, and flushed, so that its writing back is over.
 */

#include "includes.h"
#include "client_process.h"
#include "steps.h"
#include "workload.h"

const struct step write_steps[] = { STEP_WRITE, STEP_END };
const struct step read_steps[] = { STEP_READ, STEP_END };

void choose_sequential(struct operation *operation)
{
	uint64_t room = operation->client->options->file_size /
		operation->length;

	operation->file = operation->client->file;
	operation->offset = operation->number % room * operation->length;
}

/* The same offsets in every run, others for each client. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void choose_random(struct operation *operation)
{
	uint64_t room = (operation->client->options->file_size -
			 operation->length) / BLOCK + 1;

	operation->file = operation->client->file;
	operation->offset = next_random(&operation->client->random) % room *
		BLOCK;
}

uint64_t batch_file(const struct options *options)
{
	return options->file_size / options->size;
}

/* --------------------------------------------------------------- its file */

static NTSTATUS keep_receive(struct operation *operation,
			     struct tevent_req *req)
{
	NTSTATUS status = open_receive(operation, req);

	if (NT_STATUS_IS_OK(status)) {
		operation->client->file = operation->file;
		operation->client->has_file = true;
	}
	return status;
}

static void choose_file(struct operation *operation)
{
	snprintf(operation->path, sizeof(operation->path), "%s\\data",
		 operation->client->folder);
	operation->file = operation->client->file;
}

/* One operation of one request. */
static bool do_once(struct client *client, struct step step, bool cleaning)
{
	const struct step steps[] = { step, STEP_END };
	const struct action action = { steps, choose_file };
	const struct phase_options options = {
		.action = &action, .count = 1, .depth = 1,
		.cleaning = cleaning,
	};

	return phase_run(client, &options);
}

bool prepare_fresh_file(struct client *client)
{
	const struct step create = {
		"open", open_send, keep_receive, &opening_new_file, false,
	};

	return do_once(client, create, false);
}

bool prepare_written_file(struct client *client)
{
	static const struct action fill = { write_steps, choose_sequential };
	const struct options *options = client->options;
	const struct phase_options phase = {
		.action = &fill,
		.count = options->file_size / piece_size(options),
		.length = piece_size(options),
		.depth = unmeasured_depth(client),
	};
	const struct step flush = STEP_FLUSH;

	return prepare_fresh_file(client) && phase_run(client, &phase) &&
		do_once(client, flush, false);
}

bool finish_file(struct client *client)
{
	const struct step close_it = STEP_CLOSE;

	if (!client->has_file) {
		return true;
	}
	client->has_file = false;
	return do_once(client, close_it, true);
}
