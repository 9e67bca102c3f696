/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See batch.h. */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include <sys/ioctl.h>
#include "batch.h"

/* Of larger ones the system call is the least part. */
#define BATCH_DATA_MAX (16 * 1024)
/* The partner keeps a batch while we make the next one. */
#define BATCH_RECORDS 8

/* Whose link keeps records back; of several volumes one at a time. */
static struct mirror_volume *holder;
/* So many it had when the process was about to wait before. */
static uint32_t seen;

/* smbd's own, which is called after ours. */
static tevent_trace_callback_t next_callback;
static void *next_data;

/* Will smbd's loop read a request of this client next, without waiting? */
static bool client_has_more(const struct smbXsrv_client *client)
{
	const struct smbXsrv_connection *connection = NULL;

	if (client == NULL) {
		return false;
	}
	for (connection = client->connections; connection != NULL;
	     connection = connection->next) {
		struct tevent_fd *fde = connection->transport.fde;
		int bytes = 0;

		if (fde != NULL &&
		    (tevent_fd_get_flags(fde) & TEVENT_FD_READ) &&
		    ioctl(connection->transport.sock, FIONREAD, &bytes) == 0 &&
		    bytes > 0) {
			return true;
		}
	}
	return false;
}

static void before_wait(void)
{
	struct mirror_volume *volume = holder;

	/* What is a part of a request, or another one, brings no record. */
	if (volume->num_held > seen && client_has_more(volume->client)) {
		seen = volume->num_held;
		return;
	}
	sender_push(volume);
}

static void on_trace(enum tevent_trace_point point, void *private_data)
{
	if (point == TEVENT_TRACE_BEFORE_WAIT && holder != NULL) {
		before_wait();
	}
	if (next_callback != NULL) {
		next_callback(point, next_data);
	}
}

/* There is one callback per event context; smbd's is set before it accepts
 * requests, and never again. */
static void watch(struct tevent_context *ev)
{
	tevent_trace_callback_t callback = NULL;
	void *private_data = NULL;

	tevent_get_trace_callback(ev, &callback, &private_data);
	if (callback != on_trace) {
		next_callback = callback;
		next_data = private_data;
		tevent_set_trace_callback(ev, on_trace, NULL);
	}
}

bool batch_may_wait(struct mirror_volume *volume,
		    const struct mirror_operation *operation)
{
	if (!operation->starting || volume->ev == NULL ||
	    operation->record.data_length > BATCH_DATA_MAX ||
	    volume->num_held + 1 >= BATCH_RECORDS ||
	    (holder != NULL && holder != volume) ||
	    !client_has_more(volume->client)) {
		return false;
	}
	watch(volume->ev);
	if (volume->num_held++ == 0) {
		holder = volume;
		seen = 0;
	}
	return true;
}

void batch_pushed(struct mirror_volume *volume)
{
	volume->num_held = 0;
	if (holder == volume) {
		holder = NULL;
	}
}
