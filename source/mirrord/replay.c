/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replay, see replay.h; how it is divided: replay_internal.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replay_internal.h"

/* How often progress is told, in records. */
#define PROGRESS_INTERVAL 1024

/* A volume that is broken must not fill the log as well. */
#define MESSAGES_MAX 100

static void log_to_stderr(enum replay_level level,
			  const char *message,
			  void *private_data)
{
	if (level != REPLAY_DEBUG) {
		fprintf(stderr, "replay: %s\n", message);
	}
}

int replay_new(TALLOC_CTX *mem_ctx, int root_fd, struct replay **_replay)
{
	struct replay *replay;
	int ret;

	replay = talloc_zero(mem_ctx, struct replay);
	if (replay == NULL) {
		return ENOMEM;
	}
	replay->logger = log_to_stderr;
	replay->root_fd = root_fd;
	replay->scratch = talloc_pool(replay, 64 * 1024);
	ret = replay->scratch != NULL
		? record_log_init(replay, &replay->log) : ENOMEM;
	if (ret != 0) {
		talloc_free(replay);
		return ret;
	}
	*_replay = replay;
	return 0;
}

void replay_set_logger(struct replay *replay,
		       replay_logger logger,
		       void *private_data)
{
	replay->logger = logger;
	replay->logger_private = private_data;
}

void replay_message(struct replay *replay,
		    enum replay_level level,
		    const char *format, ...)
{
	va_list ap;
	char *message;

	if (level != REPLAY_DEBUG && replay->messages++ >= MESSAGES_MAX) {
		return;
	}
	va_start(ap, format);
	message = talloc_vasprintf(replay, format, ap);
	va_end(ap);
	if (message != NULL) {
		replay->logger(level, message, replay->logger_private);
		talloc_free(message);
	}
}

int replay_add(struct replay *replay,
	       const struct mirror_id *session,
	       const uint8_t *record,
	       size_t length)
{
	return record_log_add(replay->log, session, record, length, NULL);
}

void replay_set_reader(struct replay *replay,
		       replay_reader reader,
		       void *private_data)
{
	replay->log->reader = reader;
	replay->log->reader_private = private_data;
}

int replay_add_stored(struct replay *replay,
		      uint64_t order,
		      const struct mirror_id *session,
		      const uint8_t *record,
		      size_t length)
{
	return record_log_add(replay->log, session, record, length, &order);
}

static void report(struct replay *replay,
		   enum outcome outcome,
		   const struct record *record,
		   int error)
{
	char *line;

	if (error == 0) {
		return;
	}
	line = record_describe(replay->scratch, record);
	if (outcome == OUTCOME_FAILED) {
		replay_message(replay, REPLAY_ERROR, "cannot redo %s: %s",
			       line != NULL ? line : "a record",
			       strerror(error));
	} else {
		replay_message(replay, REPLAY_DEBUG, "skipped %s: %s",
			       line != NULL ? line : "a record",
			       strerror(error));
	}
}

struct redoing {
	struct replay *replay;
	uint64_t index;
	enum outcome outcome;
};

/* errno if it cannot even be looked at. */
static int redo_viewed(const uint8_t *bytes, size_t length,
		       void *private_data)
{
	struct redoing *redoing = private_data;
	struct replay *replay = redoing->replay;
	struct record record;
	int error;
	int ret;

	ret = record_decode(replay->scratch, bytes, length, &record);
	if (ret != 0) {
		return ret;
	}
	redoing->outcome = replay_redo(replay, redoing->index, &record,
				       &error);
	report(replay, redoing->outcome, &record, error);
	return redoing->outcome == OUTCOME_FAILED ? error : 0;
}

static int redo_one(struct replay *replay,
		    uint64_t index,
		    struct replay_result *result)
{
	struct redoing redoing = {
		.replay = replay, .index = index, .outcome = OUTCOME_CANCELLED
	};
	int error = 0;

	if (!replay->log->entries[index].cancelled) {
		redoing.outcome = OUTCOME_FAILED;
		error = record_log_view(replay->log, index, redo_viewed,
					&redoing);
		talloc_free_children(replay->scratch);
	}
	switch (redoing.outcome) {
	case OUTCOME_REDONE:
		result->redone++;
		break;
	case OUTCOME_PRESENT:
		result->present++;
		break;
	case OUTCOME_SUPERSEDED:
		result->superseded++;
		break;
	case OUTCOME_CANCELLED:
		result->cancelled++;
		break;
	case OUTCOME_FAILED:
		result->failed++;
		return error;
	}
	return 0;
}

/*
 * What comes after a record that failed is tried all the same: it says what
 * else is wrong, and does no harm, because the next replay does all again.
 */
static int redo_all(struct replay *replay,
		    replay_progress progress,
		    void *private_data)
{
	const uint64_t total = replay->log->count;
	int first_error = 0;
	uint64_t i;

	for (i = 0; i < total; i++) {
		int ret;

		if (progress != NULL && i % PROGRESS_INTERVAL == 0) {
			progress(i, total, private_data);
		}
		ret = redo_one(replay, i, replay->result);
		if (first_error == 0) {
			first_error = ret;
		}
	}
	if (progress != NULL) {
		progress(total, total, private_data);
	}
	return first_error;
}

int replay_run(struct replay *replay,
	       replay_progress progress,
	       void *private_data,
	       struct replay_result *result)
{
	int ret;

	*result = (struct replay_result){ .records = replay->log->count };
	replay->result = result;
	replay->messages = 0;

	ret = credentials_init(replay, &replay->credentials);
	if (ret != 0) {
		return ret;
	}
	ret = objects_init(replay, replay->root_fd, &replay->objects);
	if (ret == 0) {
		ret = replay_plan(replay);
	}
	if (ret == 0) {
		ret = redo_all(replay, progress, private_data);
	}
	if (ret == 0) {
		ret = replay_final_times(replay);
	}
	credentials_restore(replay->credentials);
	TALLOC_FREE(replay->objects);
	TALLOC_FREE(replay->credentials);

	/* R8: only what is on the disk may be forgotten. */
	if (ret == 0 && syncfs(replay->root_fd) == -1) {
		ret = errno;
	}
	return ret;
}

char *replay_describe(TALLOC_CTX *mem_ctx, const struct replay_result *result)
{
	return talloc_asprintf(mem_ctx,
			       "%" PRIu64 " records: %" PRIu64 " redone, %"
			       PRIu64 " present, %" PRIu64 " superseded, %"
			       PRIu64 " cancelled, %" PRIu64 " failed, %"
			       PRIu64 " bytes of data written",
			       result->records, result->redone,
			       result->present, result->superseded,
			       result->cancelled, result->failed,
			       result->bytes);
}
