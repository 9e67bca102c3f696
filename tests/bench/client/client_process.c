/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See client_process.h. */

#include "includes.h"
#include "libsmb/libsmb.h"
#include "lib/util/tevent_ntstatus.h"
#include "client_process.h"
#include "connection.h"
#include "workload.h"

void client_fail(struct client *client, NTSTATUS status, const char *what, ...)
{
	struct result *result = client->result;
	char text[160];
	va_list ap;

	if (result->errors++ == 0) {
		va_start(ap, what);
		vsnprintf(text, sizeof(text), what, ap);
		va_end(ap);
		snprintf(result->message, sizeof(result->message),
			 "client %u: %s: %s", client->number, text,
			 nt_errstr(status));
	}
	client->shared->stop = true;
	/* Each further question would wait as long again. */
	if (NT_STATUS_EQUAL(status, NT_STATUS_IO_TIMEOUT) ||
	    (client->cli != NULL && !cli_state_is_connected(client->cli))) {
		client->deserted = true;
	}
}

/* Tell the parent that a stage is over. Shall there be another one? */
static bool meet(struct client *client)
{
	char word = 'd';
	ssize_t n;

	do {
		n = write(client->parent, &word, 1);
	} while (n == -1 && errno == EINTR);
	do {
		n = read(client->parent, &word, 1);
	} while (n == -1 && errno == EINTR);
	/* Without a parent there is nothing more to do. */
	return n == 1 && word == GO;
}

static uint64_t round_length(const struct client *client)
{
	const struct workload *workload = client->options->workload;

	return workload->batch != NULL ? workload->batch(client->options)
		: UNLIMITED;
}

static bool prepare(struct client *client)
{
	const struct workload *workload = client->options->workload;

	return !client->shared->stop &&
		(workload->prepare == NULL || workload->prepare(client));
}

static void measure(struct client *client)
{
	const struct options *options = client->options;
	const struct phase_options phase = {
		.action = &options->workload->action,
		.count = round_length(client),
		.depth = options->depth,
		.length = options->size,
		.measured = true,
	};

	phase_run(client, &phase);
}

static void clean(struct client *client)
{
	const struct workload *workload = client->options->workload;

	if (workload->finish != NULL && !client->deserted) {
		workload->finish(client);
	}
}

/* Stages as the parent counts them, see rounds_run(). */
static void run(struct client *client)
{
	bool prepared;

	if (connection_open(client)) {
		folder_make(client);
	}
	if (!meet(client)) {
		return;
	}
	while (true) {
		prepared = prepare(client);
		if (!meet(client)) {
			clean(client);
			return;
		}
		if (prepared) {
			measure(client);
		}
		if (!meet(client)) {
			clean(client);
			return;
		}
		clean(client);
		folder_empty(client);
	}
}

int client_main(struct client *client)
{
	TALLOC_CTX *frame = talloc_stackframe();

	client->random = UINT64_C(0x9e3779b97f4a7c15) * (client->number + 1);
	client->ev = samba_tevent_context_init(client);
	client->folder = talloc_asprintf(client, "%s\\c%u",
					 client->options->directory,
					 client->number);
	if (client->ev == NULL || client->folder == NULL) {
		client_fail(client, NT_STATUS_NO_MEMORY, "start");
		return 1;
	}
	run(client);
	if (!client->deserted) {
		folder_remove(client);
		connection_close(client);
	}
	TALLOC_FREE(frame);
	return client->result->errors == 0 ? 0 : 1;
}
