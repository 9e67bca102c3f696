/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control.tdb of a mirror store, see store_control.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <tdb.h>
#include <zlib.h>

#include "store_control.h"

#define CONTROL_FORMAT 1
#define CONTROL_CHAINS 7

struct control_file {
	struct tdb_context *tdb;
};

static const TDB_DATA control_key = {
	.dptr = (uint8_t *)(uintptr_t)"control", .dsize = 7
};

static int control_file_destructor(struct control_file *file)
{
	tdb_close(file->tdb);
	return 0;
}

int control_file_open(TALLOC_CTX *mem_ctx,
		      const char *path,
		      struct control_file **_file)
{
	struct control_file *file;
	int ret;

	file = talloc_zero(mem_ctx, struct control_file);
	if (file == NULL) {
		return ENOMEM;
	}
	/* With locks: tools may look at it, and it is hardly ever written.
	 * Nothing is synced, but a process that dies inside a transaction is
	 * what transactions are for. */
	file->tdb = tdb_open(path, CONTROL_CHAINS,
			     TDB_NOSYNC | TDB_INCOMPATIBLE_HASH,
			     O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file->tdb == NULL) {
		ret = errno != 0 ? errno : EIO;
		talloc_free(file);
		return ret;
	}
	talloc_set_destructor(file, control_file_destructor);
	*_file = file;
	return 0;
}

struct read_state {
	TALLOC_CTX *mem_ctx;
	struct store_control *control;
	struct store_session *sessions;
	int ret;
};

static uint32_t checksum(const uint8_t *bytes, size_t length)
{
	return (uint32_t)crc32(0, bytes, (uInt)length);
}

/* struct store_control, the sessions, a checksum. */
static int parse_control(TDB_DATA key, TDB_DATA data, void *private_data)
{
	struct read_state *state = private_data;
	struct store_control *control = state->control;
	size_t length;
	uint32_t sum;

	state->ret = EIO;
	if (data.dsize < sizeof(*control) + sizeof(sum)) {
		return 0;
	}
	memcpy(control, data.dptr, sizeof(*control));
	length = sizeof(*control) +
		 control->num_sessions * sizeof(*state->sessions);
	if (control->format != CONTROL_FORMAT ||
	    data.dsize != length + sizeof(sum)) {
		return 0;
	}
	memcpy(&sum, data.dptr + length, sizeof(sum));
	if (sum != checksum(data.dptr, length) ||
	    control->volume[WIRE_VOLUME_MAX] != '\0') {
		return 0;
	}
	state->sessions = talloc_array(state->mem_ctx, struct store_session,
				       control->num_sessions);
	if (state->sessions == NULL) {
		state->ret = ENOMEM;
		return 0;
	}
	memcpy(state->sessions, data.dptr + sizeof(*control),
	       control->num_sessions * sizeof(*state->sessions));
	state->ret = 0;
	return 0;
}

int control_file_read(struct control_file *file,
		      TALLOC_CTX *mem_ctx,
		      struct store_control *control,
		      struct store_session **sessions)
{
	struct read_state state = { .mem_ctx = mem_ctx, .control = control };

	if (tdb_parse_record(file->tdb, control_key, parse_control,
			     &state) != 0) {
		return tdb_error(file->tdb) == TDB_ERR_NOEXIST ? ENOENT : EIO;
	}
	*sessions = state.sessions;
	return state.ret;
}

int control_file_write(struct control_file *file,
		       struct store_control *control,
		       const struct store_session *sessions,
		       uint32_t num_sessions)
{
	const size_t table = num_sessions * sizeof(*sessions);
	const size_t length = sizeof(*control) + table;
	TDB_DATA data = { .dsize = length + sizeof(uint32_t) };
	uint32_t sum;
	int ret = 0;

	control->format = CONTROL_FORMAT;
	control->num_sessions = num_sessions;

	data.dptr = talloc_size(file, data.dsize);
	if (data.dptr == NULL) {
		return ENOMEM;
	}
	memcpy(data.dptr, control, sizeof(*control));
	if (table > 0) {
		memcpy(data.dptr + sizeof(*control), sessions, table);
	}
	sum = checksum(data.dptr, length);
	memcpy(data.dptr + length, &sum, sizeof(sum));

	ret = EIO;
	if (tdb_transaction_start(file->tdb) == 0) {
		if (tdb_store(file->tdb, control_key, data,
			      TDB_REPLACE) != 0) {
			tdb_transaction_cancel(file->tdb);
		} else if (tdb_transaction_commit(file->tdb) == 0) {
			ret = 0;
		}
	}
	talloc_free(data.dptr);
	return ret;
}
