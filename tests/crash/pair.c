/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Both mirrords of the pair, as far as the record path needs them: the
 * partner is mirrord's own (partner.h) with its stores; of the owner there
 * are the state pages and the closing of an epoch, step by step.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tevent.h>
#include <unistd.h>
#include "driver.h"
#include "config.h"
#include "mirrord.h"
#include "nodes.h"
#include "partner_private.h"
#include "peer_link.h"
#include "state_page.h"
#include "store.h"

#define GENERATION 7
#define EPOCH_BYTES (1024 * 1024)

/* Of Samba's loadparm, whose header is private. */
bool lp_load_global(const char *file);

struct pair {
	struct mirrord mirrord;
	const char *mount;
	struct state_page *pages[VOLUMES];
	struct page_partner partners[VOLUMES];
	bool running;
	uint64_t old_epochs[VOLUMES];
};

static const char *volume_name(uint32_t volume)
{
	static char name[16];

	snprintf(name, sizeof(name), "v%u", volume);
	return name;
}

struct store *pair_store(struct pair *pair, uint32_t volume)
{
	return partner_volume_find(pair->mirrord.partner,
				   volume_name(volume))->store;
}

struct mirrord *pair_mirrord(struct pair *pair)
{
	return &pair->mirrord;
}

struct state_page *pair_page(struct pair *pair, uint32_t volume)
{
	return pair->pages[volume];
}

uint64_t pair_generation(void)
{
	return GENERATION;
}

struct pair *pair_new(TALLOC_CTX *mem_ctx, const char *directory,
		      const char *mount, const char *smb_conf)
{
	struct pair *pair = talloc_zero(mem_ctx, struct pair);
	struct mirrord *mirrord = &pair->mirrord;
	struct nodes *nodes = NULL;
	struct link_key *key = NULL;
	char *problem = NULL;
	uint32_t i;
	int ret;

	pair->mount = mount;
	if (!lp_load_global(smb_conf)) {
		die("cannot read %s", smb_conf);
	}
	mirrord->ev = tevent_context_init(pair);
	mirrord->config = config_read(pair, &problem);
	if (mirrord->config == NULL) {
		die("%s", problem);
	}
	ret = nodes_read(pair, mirrord->config->nodes_file,
			 mirrord->config->port, &nodes, &problem);
	mirrord->nodes = nodes;
	if (ret == 0) {
		ret = link_key_load(pair, "", false, &key, &problem);
		mirrord->key = key;
	}
	if (ret == 0) {
		/* A child of its mirrord, which is the first in pair. */
		ret = partner_new(mirrord, &mirrord->partner, &problem);
	}
	if (ret != 0) {
		die("partner: %s", problem != NULL ? problem : strerror(ret));
	}
	for (i = 0; i < VOLUMES; i++) {
		ret = state_page_create(pair, mirrord->config->run_directory,
					volume_name(i), &pair->pages[i]);
		if (ret != 0) {
			die("state page: %s", strerror(ret));
		}
		state_page_set_capacity(pair->pages[i], EPOCH_BYTES);
		ret = store_begin(pair_store(pair, i), GENERATION, 1,
				  EPOCH_BYTES);
		if (ret != 0) {
			die("store: %s", strerror(ret));
		}
	}
	return pair;
}

static void free_slot(struct state_page *page, uint32_t slot,
		      const struct mirror_id *session,
		      uint64_t first_sequence, void *private_data)
{
	state_page_free_slot(page, slot);
}

static void begin_volume(struct pair *pair, uint32_t volume, bool alone)
{
	const struct node *own =
		&pair->mirrord.nodes->node[pair->mirrord.nodes->own];
	struct state_page *page = pair->pages[volume];
	struct page_partner partner = {
		.address = own->address,
		.generation = GENERATION,
	};
	struct store_info info;
	struct store *store;
	char path[128];
	struct stat st;
	uint64_t closed;
	int ret;

	snprintf(path, sizeof(path), "%s/v%u", pair->mount, volume);
	if (stat(path, &st) == -1) {
		die("%s: %s", path, strerror(errno));
	}
	state_page_reap(page, free_slot, NULL);
	/* All that is left of the last batch goes. */
	state_page_set_wiped(page, state_page_epoch(page));
	if (state_page_advance(page, &closed) != 0) {
		die("the ring of epochs is full");
	}
	store = pair_store(pair, volume);
	store_info(store, &info);
	ret = store_wipe(store, closed);
	if (ret != 0) {
		die("wipe: %s", strerror(ret));
	}
	partner.incarnation = info.incarnation;
	state_page_set_device(page, st.st_dev);
	/* Nobody else wants it. */
	state_page_set_lease(page, UINT64_MAX);
	state_page_set_mode(page, alone ? PAGE_DEGRADED : PAGE_MIRRORED,
			    GENERATION, alone ? NULL : &partner);
	pair->partners[volume] = partner;
	pair->running = true;
}

void pair_begin(struct pair *pair, const bool alone[VOLUMES])
{
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		begin_volume(pair, i, alone[i]);
	}
}

static void wake(struct tevent_context *ev, struct tevent_timer *te,
		 struct timeval now, void *private_data)
{
	*(bool *)private_data = true;
}

void pair_turn(struct pair *pair)
{
	struct tevent_context *ev = pair->mirrord.ev;
	bool over = false;
	uint32_t i;

	tevent_add_timer(ev, pair, tevent_timeval_current_ofs(0, 1000), wake,
			 &over);
	while (!over) {
		tevent_loop_once(ev);
	}
	for (i = 0; i < VOLUMES && pair->running; i++) {
		/* A smbd had no link for a while; the owner's mirrord looks,
		 * and finds that all is well. */
		if (state_page_mode(pair->pages[i]) == PAGE_WAITING) {
			state_page_set_mode(pair->pages[i], PAGE_MIRRORED,
					    GENERATION, &pair->partners[i]);
		}
	}
}

void pair_advance(struct pair *pair)
{
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		if (state_page_advance(pair->pages[i],
				       &pair->old_epochs[i]) != 0) {
			die("the ring of epochs is full");
		}
	}
}

int pair_old_epoch_busy(struct pair *pair)
{
	uint32_t i;

	for (i = 0; i < VOLUMES; i++) {
		if (state_page_epoch_busy(pair->pages[i],
					  pair->old_epochs[i])) {
			return (int)i;
		}
	}
	return -1;
}

void pair_wipe(struct pair *pair, uint32_t volume, bool early)
{
	uint64_t epoch = pair->old_epochs[volume] + (early ? 1 : 0);
	int ret = store_wipe(pair_store(pair, volume), epoch);

	if (ret != 0) {
		die("wipe: %s", strerror(ret));
	}
	state_page_set_wiped(pair->pages[volume], epoch);
}

void pair_end(struct pair *pair)
{
	uint32_t i;

	pair->running = false;
	for (i = 0; i < VOLUMES; i++) {
		state_page_set_mode(pair->pages[i], PAGE_WAITING, GENERATION,
				    NULL);
	}
	/* The partner sees that their links are gone. */
	for (i = 0; i < VOLUMES; i++) {
		int turns;

		for (turns = 0; turns < 1000 &&
		     partner_links(pair->mirrord.partner,
				   volume_name(i)) > 0; turns++) {
			pair_turn(pair);
		}
	}
}
