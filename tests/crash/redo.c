/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Replay of what is in the stores, with mirrord's replay (replay.h): whole,
 * or of one case and killed after some leaf calls.
 */

#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "driver.h"
#include "leafs.h"
#include "record.h"
#include "replay.h"
#include "store.h"

static uint32_t leafs_left;	/* 0: all may be done */

bool leaf_before(const char *call)
{
	return false;
}

void leaf_after(const char *call, int data_fd)
{
	if (leafs_left > 0 && --leafs_left == 0) {
		_exit(9);
	}
}

void leaf_failed(const char *call, int error)
{
}

struct adding {
	struct replay *replay;
	struct driver *driver;
	uint32_t volume;
	const struct crash_case *only;
	uint64_t records;
};

/* Which of its sessions is it? -1: none. */
static int session_of(const struct crash_case *c,
		      const struct mirror_id *session)
{
	uint8_t i;

	for (i = 0; i < c->num_sessions; i++) {
		if (mirror_id_equal(session, &c->sessions[i])) {
			return i;
		}
	}
	return -1;
}

/* --mutant norecord: the last one of each case. */
static bool is_left_out(const struct adding *adding,
			const struct mirror_id *session,
			uint64_t sequence)
{
	const struct batch *batch = adding->driver->batch;
	uint32_t i;

	if (adding->driver->mutant != MUTANT_NO_RECORD) {
		return false;
	}
	for (i = 0; i < batch->num_cases; i++) {
		if (session_of(&batch->cases[i], session) == 0) {
			return sequence == batch->cases[i].records;
		}
	}
	return false;
}

static int add(uint64_t order, const struct mirror_id *session,
	       const uint8_t *record, size_t length, void *private_data)
{
	struct adding *adding = private_data;
	enum record_type type;
	uint64_t sequence, epoch;

	if (adding->only != NULL &&
	    session_of(adding->only, session) == -1) {
		return 0;
	}
	if (record_peek(record, length, &type, &sequence, &epoch) != 0) {
		return EBADMSG;
	}
	if (is_left_out(adding, session, sequence)) {
		return 0;
	}
	adding->records++;
	return replay_add(adding->replay, session, record, length);
}

static void tell(enum replay_level level, const char *message,
		 void *private_data)
{
	int *warnings = private_data;

	if (level != REPLAY_DEBUG) {
		(*warnings)++;
		fprintf(stderr, "replay: %s\n", message);
	}
}

static int redo(struct driver *driver, uint32_t volume,
		const struct crash_case *only, uint64_t *records)
{
	TALLOC_CTX *frame = talloc_new(NULL);
	struct adding adding = {
		.driver = driver, .volume = volume, .only = only,
	};
	struct replay_result result;
	int warnings = 0;
	char path[100];
	int root, ret;

	snprintf(path, sizeof(path), "%s/v%u", driver->batch->mount, volume);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1) {
		die("%s: %s", path, strerror(errno));
	}
	ret = replay_new(frame, root, &adding.replay);
	if (ret == 0) {
		replay_set_logger(adding.replay, tell, &warnings);
		ret = store_visit(pair_store(driver->pair, volume), NULL, 0,
				  add, &adding);
	}
	if (ret == 0 && driver->mutant != MUTANT_NO_REPLAY) {
		ret = replay_run(adding.replay, NULL, NULL, &result);
	}
	close(root);
	talloc_free(frame);
	*records = adding.records;
	return ret == 0 && warnings > 0 ? EILSEQ : ret;
}

int redo_volume(struct driver *driver, uint32_t volume, bool second)
{
	uint64_t records;
	int ret = redo(driver, volume, NULL, &records);

	if (!second) {
		driver->records += records;
	}
	return ret;
}

bool redo_killed(struct driver *driver, uint32_t number)
{
	const struct crash_case *c = &driver->batch->cases[number];
	char path[128];
	struct stat st;
	uint64_t records;
	int status;
	pid_t child;

	if (c->num_sessions == 0 || c->point.kill_at == 0) {
		return false;
	}
	child = fork();
	if (child == 0) {
		case_directory(driver->batch, number, path, sizeof(path));
		if (stat(path, &st) == -1) {
			_exit(1);
		}
		leafs_watch(st.st_dev);
		leafs_left = c->point.kill_at;
		redo(driver, c->volume, c, &records);
		_exit(0);
	}
	if (child == -1 || waitpid(child, &status, 0) != child) {
		die("no child for a replay: %s", strerror(errno));
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 9;
}
