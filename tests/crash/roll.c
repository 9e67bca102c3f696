/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * smbds that died: the owner's mirrord finds them in the state page, fetches
 * their records from the partner and redoes them. This is its own code
 * (owner_reap.c); the rest of the owner is pair.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "driver.h"
#include "nodes.h"
#include "owner_private.h"

#define ROLL_SECONDS 60

static void count(struct state_page *page, uint32_t slot,
		  const struct mirror_id *session, uint64_t first_sequence,
		  void *private_data)
{
	(*(uint32_t *)private_data)++;
}

static struct owner *owner_of(TALLOC_CTX *mem_ctx, struct driver *driver,
			      uint32_t number)
{
	struct mirrord *mirrord = pair_mirrord(driver->pair);
	struct owner *owner = talloc_zero(mem_ctx, struct owner);
	struct config_volume *volume = talloc_zero(owner,
						   struct config_volume);
	char path[100];

	volume->name = talloc_asprintf(volume, "v%u", number);
	snprintf(path, sizeof(path), "%s/v%u", driver->batch->mount, number);
	owner->mirrord = mirrord;
	owner->volume = volume;
	owner->page = pair_page(driver->pair, number);
	owner->label.partner = mirrord->nodes->own;
	owner->label.store_generation = pair_generation();
	owner->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (owner->root_fd == -1) {
		die("%s: %s", path, strerror(errno));
	}
	return owner;
}

/* False: there is still something to do. */
static bool roll_volume(struct owner *owner)
{
	uint32_t dead = 0;

	owner->next_reap = 0;
	owner_reap_look(owner);
	state_page_reap(owner->page, count, &dead);
	return dead == 0 && owner->rolling == NULL;
}

/* Each is an event, which mirrord tells on stderr. */
static int quiet(const struct driver *driver)
{
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int was = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (!driver->verbose) {
		dup2(null_fd, STDERR_FILENO);
	}
	close(null_fd);
	return was;
}

void roll_forward(struct driver *driver)
{
	const int told = quiet(driver);
	const double end = now_seconds() + ROLL_SECONDS;
	TALLOC_CTX *frame = talloc_new(NULL);
	struct owner *owners[VOLUMES];
	bool over = false;
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		owners[i] = owner_of(frame, driver, i);
	}
	while (!over) {
		over = true;
		for (i = 0; i < VOLUMES; i++) {
			over &= roll_volume(owners[i]);
		}
		pair_turn(driver->pair);
		if (now_seconds() > end) {
			dup2(told, STDERR_FILENO);
			die("dead smbds are not rolled forward");
		}
	}
	for (i = 0; i < VOLUMES; i++) {
		close(owners[i]->root_fd);
	}
	dup2(told, STDERR_FILENO);
	close(told);
	talloc_free(frame);
}
