/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A world for the cluster lock: nodes, links and two copies of a mailbox, with
 * a clock of their own. What it lacks of the real one is only that it is fast.
 *
 * Operations on a copy take time; a write lands, and a read looks, somewhere
 * within it, whatever has become of who wanted it.
 */

#ifndef TESTS_LOCK_WORLD_H
#define TESTS_LOCK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <talloc.h>
#include "lock_lease.h"

#define NODES_MAX 3
#define LEASE_MS 1000
#define VOTE_EVERY 100

enum access { WORKS, FAILS, HANGS };

struct world_operation {
	bool busy, written, read;
	bool write;
	struct sector sector;
	uint64_t writes_at, reads_at, ends_at;
	struct lease_reading reading;
	int failed;
};

struct world_node {
	struct lease *lease;
	bool off, stopped;
	bool banned;		/* by ctdb, which does not try it then */
	bool holds, leaving;
	bool clients;
	enum access access[LOCK_COPIES];
	struct world_operation operations[LOCK_COPIES];
	uint64_t connected;	/* as its ctdbd has it */
	uint64_t gone_at[NODES_MAX];	/* when ctdbd notices; 0: all well */
	uint64_t next_vote, next_try;
	int lost, taken, refused, failed;
	const char *reason;
};

struct world {
	uint64_t now;
	uint32_t nodes;
	uint8_t copies;
	unsigned int seed;
	bool fence_works;
	uint32_t disk_ms;	/* at most, usually */
	uint32_t late;		/* one of so many takes much longer; 0: none */
	uint32_t notice_ms;	/* ctdb's, of a link that is cut */
	bool link[NODES_MAX][NODES_MAX];	/* frames from, to */
	struct sector blocks[LOCK_COPIES][NODES_MAX];
	struct world_node node[NODES_MAX];
	int most_holders;
};

static inline uint32_t world_random(struct world *world, uint32_t below)
{
	return below == 0 ? 0 : (uint32_t)rand_r(&world->seed) % below;
}

static inline struct world *world_new(uint32_t nodes, uint8_t copies,
				      unsigned int seed)
{
	struct world *world = talloc_zero(NULL, struct world);
	uint32_t i, j;

	world->now = 100000;
	world->nodes = nodes;
	world->copies = copies;
	world->seed = seed;
	world->disk_ms = 5;
	world->notice_ms = 500;
	for (i = 0; i < nodes; i++) {
		world->node[i].clients = true;
		world->node[i].connected = (UINT64_C(1) << nodes) - 1;
		for (j = 0; j < nodes; j++) {
			world->link[i][j] = true;
			world->blocks[0][j].node = j;
			world->blocks[1][j].node = j;
		}
	}
	return world;
}

static inline bool world_reaches(const struct world *world, uint32_t a,
				 uint32_t b)
{
	return world->link[a][b] && world->link[b][a] &&
		!world->node[b].off && !world->node[a].off;
}

static inline bool world_is_connected(const struct world_node *node,
				      uint32_t peer)
{
	return (node->connected & UINT64_C(1) << peer) != 0;
}

/* Each side's ctdbd finds out by itself. */
static inline void world_connections(struct world *world, uint32_t i)
{
	struct world_node *node = &world->node[i];
	uint32_t j;

	for (j = 0; j < world->nodes; j++) {
		bool well = j == i || (world_reaches(world, i, j) &&
				       !world->node[j].stopped);

		if (well && j != i && !world_is_connected(node, j)) {
			/* It takes both to connect. */
			node->connected |= UINT64_C(1) << j;
		}
		if (well) {
			node->gone_at[j] = 0;
		} else if (node->gone_at[j] == 0) {
			node->gone_at[j] = world->now + 1 +
				world_random(world, world->notice_ms);
		} else if (world->now >= node->gone_at[j]) {
			node->connected &= ~(UINT64_C(1) << j);
		}
	}
}

static inline void world_vote(struct world *world, uint32_t i)
{
	struct world_node *node = &world->node[i];
	uint64_t answered = 0;
	uint32_t j;

	if (world->now < node->next_vote) {
		return;
	}
	node->next_vote = world->now + VOTE_EVERY;
	for (j = 0; j < world->nodes; j++) {
		const struct world_node *peer = &world->node[j];

		if (j != i && world_reaches(world, i, j) && !peer->stopped &&
		    world_is_connected(peer, i) &&
		    world_is_connected(node, j)) {
			answered |= UINT64_C(1) << j;
		}
	}
	lease_votes(node->lease, world->now, node->connected, answered,
		    world->now);
}

static inline void world_disk(struct world *world, uint32_t i, uint8_t c)
{
	struct world_node *node = &world->node[i];
	struct world_operation *op = &node->operations[c];

	if (!op->busy) {
		return;
	}
	if (op->failed == HANGS && node->access[c] == HANGS) {
		return;
	}
	if (op->failed == HANGS) {
		/* It works again: what hung goes on. */
		op->failed = WORKS;
		op->writes_at = op->reads_at = op->ends_at = world->now;
	}
	if (!op->written && world->now >= op->writes_at &&
	    op->failed == WORKS) {
		op->written = true;
		if (op->write) {
			world->blocks[c][i] = op->sector;
		}
	}
	if (!op->read && world->now >= op->reads_at) {
		op->read = true;
		memcpy(op->reading.sectors, world->blocks[c],
		       sizeof(world->blocks[c]));
	}
	if (world->now < op->ends_at || node->stopped) {
		return;
	}
	op->busy = false;
	if (node->lease != NULL && !node->off) {
		lease_done(node->lease, c, world->now,
			   op->failed == FAILS ? NULL : &op->reading);
	}
}

static inline void world_begin(struct world *world, uint32_t i, uint8_t c)
{
	struct world_node *node = &world->node[i];
	struct world_operation *op = &node->operations[c];
	uint32_t longest = world->disk_ms;
	bool write = false;
	struct sector sector;

	/* Of a process before this one: it has to end first. */
	if (op->busy || !lease_next(node->lease, c, world->now, &write,
				    &sector)) {
		return;
	}
	if (world->late != 0 && world_random(world, world->late) == 0) {
		longest *= 100;		/* a disk that answers late */
	}
	*op = (struct world_operation) {
		.busy = true, .write = write, .sector = sector,
		.failed = node->access[c],
	};
	op->writes_at = world->now + world_random(world, longest);
	op->reads_at = op->writes_at + world_random(world, longest);
	op->ends_at = op->reads_at + world_random(world, longest);
}

static inline void world_end(struct world_node *node)
{
	node->holds = node->leaving = false;
	TALLOC_FREE(node->lease);
}

static inline void world_heed(struct world *world, uint32_t i,
			      enum lease_verdict verdict)
{
	struct world_node *node = &world->node[i];

	if (verdict != LEASE_GO_ON && verdict != LEASE_TAKEN) {
		node->reason = lease_reason(node->lease);
		node->lost += verdict == LEASE_LOST;
		node->refused += verdict == LEASE_REFUSED;
		node->failed += verdict == LEASE_FAILED;
		node->holds = false;
		node->leaving = true;
		lease_release(node->lease);
		node->next_try = world->now + 250 + world_random(world, 500);
	} else if (verdict == LEASE_TAKEN) {
		node->holds = true;
		node->taken++;
	}
}

/* Would ctdb call the helper? Not while it hears of a leader. */
static inline bool world_elects(struct world *world, uint32_t i)
{
	uint32_t j;

	for (j = 0; j < world->nodes; j++) {
		if (world->node[j].holds && j != i &&
		    world_is_connected(&world->node[i], j)) {
			return false;
		}
	}
	return !world->node[i].banned &&
		world->now >= world->node[i].next_try;
}

static inline void world_run_node(struct world *world, uint32_t i)
{
	struct world_node *node = &world->node[i];
	bool idle = true;
	int fence;
	uint8_t c;

	if (node->lease != NULL && node->holds) {
		/* As the helper does when it wakes up: first of all. */
		world_heed(world, i, lease_check(node->lease, world->now));
	}
	for (c = 0; c < world->copies; c++) {
		world_disk(world, i, c);
		idle = idle && !node->operations[c].busy;
	}
	if (node->lease == NULL && idle && world_elects(world, i)) {
		const struct lease_settings settings = {
			.own = i, .nodes = world->nodes,
			.copies = world->copies, .lease_ms = LEASE_MS,
			.now = world->now,
		};

		node->lease = lease_new(world, &settings);
		node->next_vote = 0;
	}
	if (node->lease == NULL) {
		return;
	}
	lease_set_clients(node->lease, node->clients);
	world_vote(world, i);
	for (c = 0; c < world->copies; c++) {
		world_begin(world, i, c);
	}
	world_heed(world, i, lease_check(node->lease, world->now));
	fence = lease_fence(node->lease);
	if (fence >= 0) {
		bool works = world->fence_works &&
			world_random(world, 4) != 0;

		if (works) {
			world->node[fence].off = true;
			world_end(&world->node[fence]);
		}
		lease_fenced(node->lease, (uint32_t)fence, works);
	}
	if (node->leaving && lease_released(node->lease) &&
	    (!lease_says_held(node->lease) || world_elects(world, i))) {
		world_end(node);
	}
}

static inline int world_holders(const struct world *world)
{
	int n = 0;
	uint32_t i;

	for (i = 0; i < world->nodes; i++) {
		/* Also one that stands still: it does not know better. */
		n += world->node[i].holds && !world->node[i].off &&
			world->now < lease_valid_until(world->node[i].lease);
	}
	return n;
}

static inline void world_step(struct world *world)
{
	uint32_t i;
	uint8_t c;
	int holders;

	world->now++;
	for (i = 0; i < world->nodes; i++) {
		struct world_node *node = &world->node[i];

		if (node->off || node->stopped) {
			for (c = 0; c < world->copies; c++) {
				world_disk(world, i, c);
			}
			continue;
		}
		world_connections(world, i);
		world_run_node(world, i);
	}
	holders = world_holders(world);
	if (holders > world->most_holders) {
		world->most_holders = holders;
	}
}

static inline void world_run(struct world *world, uint64_t ms)
{
	while (ms-- > 0) {
		world_step(world);
	}
}

/* How long until there is a holder that runs; -1: not within ms. */
static inline int world_until_held(struct world *world, uint32_t node,
				   int ms)
{
	int waited;

	for (waited = 0; waited < ms; waited++) {
		if (world->node[node].holds && !world->node[node].stopped) {
			return waited;
		}
		world_step(world);
	}
	return -1;
}

static inline void world_power_off(struct world *world, uint32_t i)
{
	world->node[i].off = true;
	world_end(&world->node[i]);
}

static inline void world_power_on(struct world *world, uint32_t i)
{
	world->node[i].off = false;
	world->node[i].stopped = false;
	world->node[i].banned = false;
	world->node[i].next_try = world->now;
	world->node[i].connected = UINT64_C(1) << i;
}

/* ctdb ends the helper of a node that it bans, and starts none. */
static inline void world_ban(struct world *world, uint32_t i)
{
	struct world_node *node = &world->node[i];

	node->banned = true;
	if (node->lease != NULL && !node->leaving) {
		node->holds = false;
		node->leaving = true;
		lease_release(node->lease);
	}
}

static inline void world_cut(struct world *world, uint32_t a, uint32_t b,
			     bool both)
{
	world->link[a][b] = false;
	if (both) {
		world->link[b][a] = false;
	}
}

static inline void world_mend(struct world *world)
{
	uint32_t i, j;

	for (i = 0; i < world->nodes; i++) {
		for (j = 0; j < world->nodes; j++) {
			world->link[i][j] = true;
		}
	}
}

static inline void world_mailbox(struct world *world, uint32_t node,
				 enum access access)
{
	uint8_t c;

	for (c = 0; c < world->copies; c++) {
		world->node[node].access[c] = access;
	}
}

#endif /* TESTS_LOCK_WORLD_H */
