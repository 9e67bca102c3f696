/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copying a tree of sources onto the server: every operation is one object, a
 * directory or a file in the last one. As many are copied at once as -q says,
 * each of these copiers in directories of its own, since a directory must be
 * there before its first file.
 */

#include "includes.h"
#include "client_process.h"
#include "steps.h"
#include "workload.h"

#define EVERY 20		/* one of them is a directory */

/* In units of 512 bytes: as in trees of C sources; 11.9k on average. */
static const uint8_t sizes[] = {
	1, 2, 3, 4, 4, 6, 8, 8, 12, 16, 20, 24, 32, 48, 64, 128,
};

const struct step tree_file_steps[] = {
	STEP_OPEN(&opening_new_file), STEP_WRITE,
	STEP_SET("set times", set_times_send), STEP_CLOSE, STEP_END,
};

static const struct step tree_directory_steps[] = {
	STEP_OPEN(&opening_new_directory), STEP_CLOSE, STEP_END,
};

void choose_next_of_tree(struct operation *operation)
{
	const char *folder = operation->client->folder;
	uint64_t directory = operation->turn / EVERY;

	operation->offset = 0;
	if (operation->turn % EVERY == 0) {
		operation->step = tree_directory_steps;
		operation->length = 0;
		snprintf(operation->path, sizeof(operation->path),
			 "%s\\t%u-%" PRIu64, folder, operation->slot,
			 directory);
		return;
	}
	/* 7 and 16 have no common divisor: all sizes are met, mixed. */
	operation->length = sizes[operation->turn * 7 % sizeof(sizes)] * 512;
	snprintf(operation->path, sizeof(operation->path),
		 "%s\\t%u-%" PRIu64 "\\source%" PRIu64 ".c", folder,
		 operation->slot, directory, operation->turn);
}
