/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The records that are to be redone, see replay_internal.h. */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay_internal.h"

/* Records are kept in pieces of memory of this size ... */
#define CHUNK_SIZE (1024 * 1024)
/* ... up to this much, and in a file from then on. */
#define MEMORY_LIMIT (UINT64_C(512) * 1024 * 1024)
/* What is longer is read again from where it came from, if that can be. */
#define KEEP_MAX 4096
/* A record that is written to the file one day is at most this long. */
#define RECORD_LENGTH_MAX (RECORD_DATA_MAX + 1024 * 1024)

static int record_log_destructor(struct record_log *log)
{
	if (log->spill_fd != -1) {
		close(log->spill_fd);
	}
	return 0;
}

int record_log_init(TALLOC_CTX *mem_ctx, struct record_log **_log)
{
	struct record_log *log;

	log = talloc_zero(mem_ctx, struct record_log);
	if (log == NULL) {
		return ENOMEM;
	}
	log->spill_fd = -1;
	log->memory_limit = MEMORY_LIMIT;
	if (table_init(log, &log->session_table) != 0) {
		talloc_free(log);
		return ENOMEM;
	}
	talloc_set_destructor(log, record_log_destructor);
	*_log = log;
	return 0;
}

static int open_spill(struct record_log *log)
{
	const char *directory = getenv("TMPDIR");

	if (directory == NULL) {
		/* Not /tmp: that is often in memory. */
		directory = "/var/tmp";
	}
	log->spill_fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return log->spill_fd == -1 ? errno : 0;
}

static int spill(struct record_log *log,
		 struct entry *entry,
		 const uint8_t *record,
		 size_t length)
{
	size_t done = 0;

	if (log->spill_fd == -1) {
		int ret = open_spill(log);

		if (ret != 0) {
			return ret;
		}
	}
	entry->spilled = true;
	entry->at.offset = log->spilled;
	while (done < length) {
		ssize_t n = pwrite(log->spill_fd, record + done, length - done,
				   (off_t)(log->spilled + done));

		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n == 0 ? EIO : errno;
		}
		done += (size_t)n;
	}
	log->spilled += length;
	return 0;
}

static int keep(struct record_log *log,
		struct entry *entry,
		const uint8_t *record,
		size_t length)
{
	uint8_t *bytes;

	if (log->in_memory + length > log->memory_limit) {
		return spill(log, entry, record, length);
	}
	if (log->chunk_used + length > log->chunk_size) {
		log->chunk_size = length > CHUNK_SIZE ? length : CHUNK_SIZE;
		log->chunk_used = 0;
		log->chunk = talloc_size(log, log->chunk_size);
		if (log->chunk == NULL) {
			log->chunk_size = 0;
			return ENOMEM;
		}
	}
	bytes = (uint8_t *)log->chunk + log->chunk_used;
	memcpy(bytes, record, length);
	log->chunk_used += length;
	log->in_memory += length;
	entry->at.bytes = bytes;
	return 0;
}

/* Make room for one more in a talloc array that has count used. */
#define GROW(ctx, array, type, count)					\
	(((count) < talloc_array_length(array)) ? (array) :		\
	 talloc_realloc((ctx), (array), type, 2 * (count) + 16))

static int get_session(struct record_log *log,
		       const struct mirror_id *id,
		       struct session_log **_session,
		       uint32_t *index)
{
	const uint64_t hash = mirror_id_hash(id);
	struct session_log **sessions;
	struct session_log *session;
	struct table_node *node;
	uint32_t i;

	/* Mostly the same as before, or one of few. */
	for (node = table_find(&log->session_table, hash); node != NULL;
	     node = table_next(node)) {
		session = (struct session_log *)node;
		if (mirror_id_equal(&session->id, id)) {
			*_session = session;
			*index = session->index;
			return 0;
		}
	}
	i = log->num_sessions;
	sessions = GROW(log, log->sessions, struct session_log *, i);
	session = talloc_zero(log, struct session_log);
	if (sessions == NULL || session == NULL) {
		return ENOMEM;
	}
	log->sessions = sessions;
	session->id = *id;
	session->index = i;
	if (table_add(&log->session_table, &session->node, hash) != 0) {
		return ENOMEM;
	}
	log->sessions[i] = session;
	log->num_sessions++;
	*_session = session;
	*index = i;
	return 0;
}

int record_log_add(struct record_log *log,
		   const struct mirror_id *session_id,
		   const uint8_t *record,
		   size_t length,
		   const uint64_t *order)
{
	struct session_log *session = NULL;
	struct entry *entries;
	struct entry *entry;
	uint64_t *positions;
	uint64_t epoch;
	int ret;

	if (length > RECORD_LENGTH_MAX) {
		return EBADMSG;
	}
	entries = GROW(log, log->entries, struct entry, log->count);
	if (entries == NULL) {
		return ENOMEM;
	}
	log->entries = entries;
	entry = &entries[log->count];
	*entry = (struct entry){ .length = (uint32_t)length };

	ret = record_peek(record, length, &entry->type, &entry->sequence,
			  &epoch);
	if (ret != 0) {
		return ret;
	}
	ret = get_session(log, session_id, &session, &entry->session);
	if (ret != 0) {
		return ret;
	}
	if (session->count > 0 &&
	    entries[session->entries[session->count - 1]].sequence >=
	    entry->sequence) {
		/* A store gives each record once, in order. */
		return EBADMSG;
	}
	positions = GROW(session, session->entries, uint64_t, session->count);
	if (positions == NULL) {
		return ENOMEM;
	}
	session->entries = positions;

	if (order != NULL && log->reader != NULL && length > KEEP_MAX) {
		entry->stored = true;
		entry->at.order = *order;
	} else {
		ret = keep(log, entry, record, length);
	}
	if (ret != 0) {
		return ret;
	}
	session->entries[session->count++] = log->count++;
	return 0;
}

struct view {
	const struct entry *entry;
	replay_viewer viewer;
	void *private_data;
};

static int view_stored(const uint8_t *record, size_t length,
		       void *private_data)
{
	const struct view *view = private_data;

	if (length != view->entry->length) {
		return EIO;
	}
	return view->viewer(record, length, view->private_data);
}

static int read_spilled(struct record_log *log, const struct entry *entry)
{
	size_t done = 0;

	if (talloc_array_length(log->buffer) < entry->length) {
		talloc_free(log->buffer);
		log->buffer = talloc_array(log, uint8_t, entry->length);
		if (log->buffer == NULL) {
			return ENOMEM;
		}
	}
	while (done < entry->length) {
		ssize_t n = pread(log->spill_fd, log->buffer + done,
				  entry->length - done,
				  (off_t)(entry->at.offset + done));

		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n == 0 ? EIO : errno;
		}
		done += (size_t)n;
	}
	return 0;
}

int record_log_view(struct record_log *log,
		    uint64_t index,
		    replay_viewer viewer,
		    void *private_data)
{
	const struct entry *entry = &log->entries[index];
	struct view view = {
		.entry = entry, .viewer = viewer, .private_data = private_data
	};
	int ret;

	if (entry->stored) {
		return log->reader(entry->at.order, view_stored, &view,
				   log->reader_private);
	}
	if (!entry->spilled) {
		return viewer(entry->at.bytes, entry->length, private_data);
	}
	ret = read_spilled(log, entry);
	return ret != 0 ? ret :
		viewer(log->buffer, entry->length, private_data);
}

struct entry *record_log_find(struct record_log *log,
			      uint32_t session_index,
			      uint64_t sequence)
{
	const struct session_log *session = log->sessions[session_index];
	size_t low = 0;
	size_t high = session->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct entry *entry = &log->entries[session->entries[middle]];

		if (entry->sequence == sequence) {
			return entry;
		}
		if (entry->sequence < sequence) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return NULL;
}

bool record_log_is_last(const struct record_log *log, uint64_t index)
{
	const struct session_log *session =
		log->sessions[log->entries[index].session];

	return session->entries[session->count - 1] == index;
}
