/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of the cluster lock (lock_lease.c) in a world of nodes, links and
 * copies whose clock is ours: each case of the table in lock_lease.h, and
 * thousands of runs in which anything happens at any time. R13: never two.
 */

#include "lock_world.h"

/* Node 0 holds, node 1 is a member. */
static struct world *pair_of(unsigned int seed)
{
	struct world *world = world_new(2, 2, seed);

	world->node[1].next_try = world->now + 1000;
	assert_true(world_until_held(world, 0, 1000) >= 0);
	world_run(world, 1500);
	assert_int_equal(lease_members(world->node[0].lease), 3);
	return world;
}

static void done(struct world *world)
{
	assert_int_equal(world->most_holders, 1);
	talloc_free(world);
}

static void assert_goes_on(struct world *world, uint32_t node, uint64_t ms)
{
	world_run(world, ms);
	assert_true(world->node[node].holds);
	assert_int_equal(world->node[node].lost, 0);
}

static void test_first(void **state)
{
	struct world *world = world_new(2, 2, 1);
	int took = world_until_held(world, 0, 5000);

	assert_true(took >= 0 && took < 300);
	done(world);
}

/* All links cut, both ways and one way: the holder, not the other one. */
static void test_links_cut(void **state)
{
	int way;

	for (way = 0; way < 3; way++) {
		struct world *world = pair_of(2 + (unsigned int)way);

		if (way == 0) {
			world_cut(world, 0, 1, true);
		} else {
			world_cut(world, (uint32_t)way - 1,
				  2 - (uint32_t)way, false);
		}
		assert_goes_on(world, 0, 8000);
		assert_true(world->node[1].refused > 0);
		assert_int_equal(world->node[1].taken, 0);
		assert_int_equal(lease_members(world->node[0].lease), 1);
		done(world);
	}
}

/* The holder alone loses the mailbox and the links: the other one takes it. */
static void test_links_and_mailbox_of_holder(void **state)
{
	struct world *world = pair_of(5);
	int took;

	world_mailbox(world, 0, HANGS);
	world_cut(world, 0, 1, true);
	took = world_until_held(world, 1, 8000);
	assert_in_range(took, LEASE_MS / 2, 4000);
	assert_int_equal(world->node[0].lost, 1);
	done(world);
}

static void test_all_lost(void **state)
{
	struct world *world = pair_of(6);

	world_mailbox(world, 0, FAILS);
	world_mailbox(world, 1, FAILS);
	world_cut(world, 0, 1, true);
	world_run(world, 2500);
	assert_int_equal(world_holders(world), 0);
	world_run(world, 8000);
	assert_int_equal(world_holders(world), 0);
	/* And back. */
	world_mailbox(world, 1, WORKS);
	assert_true(world_until_held(world, 1, 6000) >= 0);
	done(world);
}

/*
 * The same, but ctdb has banned the node that held it: it does not try again,
 * and the other one, which is connected to it, gets the lock all the same.
 */
static void test_all_lost_and_banned(void **state)
{
	struct world *world = pair_of(18);

	world_mailbox(world, 0, FAILS);
	world_mailbox(world, 1, FAILS);
	world_cut(world, 0, 1, true);
	world_run(world, 2500);
	assert_int_equal(world->node[0].lost, 1);
	world_ban(world, 0);
	world_mend(world);
	world_run(world, 3000);
	assert_int_equal(world_holders(world), 0);
	/* One copy of it first. */
	world->node[0].access[1] = WORKS;
	world_run(world, 1000);
	world_mailbox(world, 0, WORKS);
	world_mailbox(world, 1, WORKS);
	assert_in_range(world_until_held(world, 1, 6000), 0, 2000);
	assert_goes_on(world, 1, 3000);
	done(world);
}

/* A block that is freed voids the older hold of another node as it did. */
static void test_freed_by_who_only_looked(void **state)
{
	struct world *world = pair_of(19);

	world_power_off(world, 0);
	assert_true(world_until_held(world, 1, 8000) >= 0);
	/* Both are back; nothing has written over what they held. */
	world_power_off(world, 1);
	world_power_on(world, 0);
	world_ban(world, 0);
	world_power_on(world, 1);
	world_mailbox(world, 1, FAILS);
	world_run(world, 2500);
	assert_true(world->node[1].failed > 0);
	world_ban(world, 1);
	world_mailbox(world, 1, WORKS);
	world_run(world, 1000);
	assert_int_equal(world->blocks[0][0].state, SECTOR_HOLD);
	assert_int_equal(world->blocks[0][1].state, SECTOR_FREE);
	assert_int_equal(world->blocks[1][1].state, SECTOR_FREE);
	world->node[1].banned = false;
	assert_in_range(world_until_held(world, 1, 6000), 0, 2000);
	done(world);
}

/* No outage from losing the mailbox while the nodes see one another. */
static void test_mailbox_lost(void **state)
{
	int which;

	for (which = 1; which < 4; which++) {
		struct world *world = pair_of(7);

		if ((which & 1) != 0) {
			world_mailbox(world, 0, HANGS);
		}
		if ((which & 2) != 0) {
			world_mailbox(world, 1, FAILS);
		}
		assert_goes_on(world, 0, 30000);
		world_mailbox(world, 0, WORKS);
		world_mailbox(world, 1, WORKS);
		assert_goes_on(world, 0, 3000);
		assert_true(lease_by_mailbox(world->node[0].lease,
					     world->now));
		done(world);
	}
}

/* Mailbox first, links then: who has the mailbox. */
static void test_mailbox_then_links(void **state)
{
	struct world *world = pair_of(8);

	world_mailbox(world, 0, FAILS);
	world_run(world, 5000);
	world_cut(world, 0, 1, true);
	assert_in_range(world_until_held(world, 1, 9000), LEASE_MS / 2, 4000);
	done(world);
}

static struct world *alone(unsigned int seed)
{
	struct world *world = pair_of(seed);

	world_power_off(world, 1);
	world_run(world, 2000);
	assert_int_equal(lease_members(world->node[0].lease), 1);
	return world;
}

static void test_alone_without_mailbox(void **state)
{
	struct world *world = alone(9);

	world_mailbox(world, 0, HANGS);
	assert_goes_on(world, 0, 20000);
	/* The other one is back: with its links, or with the mailbox alone. */
	world_power_on(world, 1);
	assert_goes_on(world, 0, 5000);
	world_cut(world, 0, 1, true);
	assert_goes_on(world, 0, 10000);
	assert_int_equal(world->node[1].taken, 0);
	assert_true(world->node[1].refused > 0);
	done(world);
}

/* It was alone and died: only once it is known to be off. */
static void test_dead_while_alone(void **state)
{
	struct world *world = alone(10);

	world_power_off(world, 0);
	world_power_on(world, 1);
	world_run(world, 10000);
	assert_int_equal(world->node[1].taken, 0);
	world->fence_works = true;
	assert_true(world_until_held(world, 1, 20000) >= 0);
	/* The one that is back does not hold on the strength of its past. */
	world_cut(world, 0, 1, true);
	world_power_on(world, 0);
	world->fence_works = false;
	assert_goes_on(world, 1, 5000);
	world_power_off(world, 1);
	world_run(world, 8000);
	assert_int_equal(world->node[0].holds, 0);
	done(world);
}

static void test_dead_while_alone_back(void **state)
{
	struct world *world = alone(11);

	world_power_off(world, 0);
	world_run(world, 100);
	world_power_on(world, 0);
	assert_in_range(world_until_held(world, 0, 5000), 0, 500);
	done(world);
}

static void test_holder_dies(void **state)
{
	unsigned int seed;

	for (seed = 0; seed < 50; seed++) {
		struct world *world = pair_of(20 + seed);
		int took;

		world->notice_ms = 100;
		world_power_off(world, 0);
		world->node[1].next_try = world->now + 450;
		took = world_until_held(world, 1, 8000);
		assert_in_range(took, LEASE_MS, 1700);
		done(world);
	}
}

static void test_both_die(void **state)
{
	struct world *world = pair_of(12);

	world_power_off(world, 0);
	world_power_off(world, 1);
	world_run(world, 5000);
	world_power_on(world, 1);
	assert_in_range(world_until_held(world, 1, 8000), LEASE_MS, 3000);
	world_power_on(world, 0);
	assert_goes_on(world, 1, 5000);
	done(world);
}

/* The node stands still, as after SIGSTOP of all: late, then it ends. */
static void test_holder_stands_still(void **state)
{
	struct world *world = pair_of(13);

	world->node[0].stopped = true;
	assert_in_range(world_until_held(world, 1, 8000), LEASE_MS, 4000);
	world->node[0].stopped = false;
	world_step(world);
	world_step(world);
	assert_false(world->node[0].holds);
	assert_int_equal(world->node[0].lost, 1);
	assert_goes_on(world, 1, 5000);
	done(world);
}

static void test_one_copy(void **state)
{
	int how;

	for (how = FAILS; how <= HANGS; how++) {
		struct world *world = pair_of(14);

		world->node[0].access[1] = (enum access)how;
		world->node[1].access[1] = (enum access)how;
		assert_goes_on(world, 0, 5000);
		assert_int_equal(lease_lost_copies(world->node[0].lease), 2);
		world_power_off(world, 0);
		assert_in_range(world_until_held(world, 1, 9000), LEASE_MS,
				4000);
		world->node[1].access[1] = WORKS;
		assert_goes_on(world, 1, 3000);
		assert_int_equal(lease_lost_copies(world->node[1].lease), 0);
		done(world);
	}
}

/* Each has another copy: who holds goes on, the other one never takes it. */
static void test_copies_apart(void **state)
{
	struct world *world = pair_of(15);

	world_cut(world, 0, 1, true);
	world->node[0].access[1] = FAILS;
	world->node[1].access[0] = HANGS;
	assert_goes_on(world, 0, 10000);
	assert_int_equal(world->node[1].taken, 0);
	done(world);
}

static void test_released(void **state)
{
	struct world *world = pair_of(16);
	int took;

	world->node[0].holds = false;
	world->node[0].leaving = true;
	lease_release(world->node[0].lease);
	world->node[0].next_try = world->now + 60000;
	world->node[1].next_try = world->now;
	took = world_until_held(world, 1, 5000);
	assert_in_range(took, 1, 500);
	done(world);
}

/* Who has no client network lets the other one have it. */
static void test_no_clients(void **state)
{
	struct world *world = pair_of(17);

	world_cut(world, 0, 1, true);
	world->node[0].clients = false;
	assert_in_range(world_until_held(world, 1, 9000), 1, 5000);
	assert_goes_on(world, 1, 8000);
	done(world);
}

/* Both at once, hundreds of times: one of them, soon. */
static void test_race(void **state)
{
	unsigned int seed;

	for (seed = 0; seed < 300; seed++) {
		struct world *world = world_new(2 + seed % 2, 1 + seed % 2,
						seed);
		uint64_t end = world->now + 6000;

		world->disk_ms = 1 + seed % 40;
		world_cut(world, 0, 1, true);
		while (world_holders(world) == 0 && world->now < end) {
			world_step(world);
		}
		assert_int_equal(world_holders(world), 1);
		world_run(world, 1000);
		done(world);
	}
}

/*
 * Both at once, with disks that answer late and processes that stand still in
 * the middle of it, after a holder that dies or is cut off.
 */
static void test_race_late(void **state)
{
	const char *more = getenv("LOCK_SEEDS");
	unsigned int seeds = more != NULL ? (unsigned int)atoi(more) : 300;
	unsigned int seed;

	for (seed = 1; seed <= seeds; seed++) {
		struct world *world = world_new(2 + seed % 2, 1 + seed / 2 % 2,
						seed);
		uint64_t end = world->now + 9000;
		uint32_t i;

		world->disk_ms = 1 + world_random(world, 20);
		world->late = 3 + world_random(world, 8);
		world->notice_ms = 1 + world_random(world, 100);
		for (i = 0; i < world->nodes; i++) {
			world->node[i].next_try = world->now +
				world_random(world, 40);
			world->node[i].clients = world_random(world, 4) != 0;
		}
		if (world_random(world, 2) == 0) {
			for (i = 1; i < world->nodes; i++) {
				world_cut(world, i - 1, i, true);
			}
		}
		while (world->now < end) {
			struct world_node *node = &world->node[world_random(
				world, world->nodes)];

			switch (world_random(world, 600)) {
			case 0:
				node->stopped = true;
				break;
			case 1: case 2: case 3: case 4:
				node->stopped = false;
				break;
			}
			world_step(world);
			if (world->most_holders > 1) {
				fail_msg("two holders: seed %u, at %llu",
					 seed, (unsigned long long)
					 world->now);
			}
		}
		talloc_free(world);
	}
}

/*
 * The holder loses the links and, at about the same time, the mailbox, whose
 * answers come late, or it stands still: it was not alone yet, so the other one
 * takes the lock when it has lapsed, and not before.
 */
static void test_lost_late(void **state)
{
	const char *more = getenv("LOCK_SEEDS");
	unsigned int seeds = more != NULL ? (unsigned int)atoi(more) : 600;
	unsigned int seed, taken = 0;

	for (seed = 1; seed <= seeds; seed++) {
		struct world *world = world_new(2, 1 + seed % 2, seed);
		struct world_node *node;
		uint32_t holder;

		world_run(world, 1500);
		assert_int_equal(world_holders(world), 1);
		holder = world->node[0].holds ? 0 : 1;
		node = &world->node[holder];
		world->disk_ms = 1 + world_random(world, 6);
		world->late = 3 + world_random(world, 20);
		world_run(world, world_random(world, 1000));
		world->notice_ms = 1 + world_random(world, 1500);
		world_cut(world, 0, 1, true);
		world_run(world, world_random(world, 300));
		switch (world_random(world, 4)) {
		case 0:
			world_mailbox(world, holder, HANGS);
			break;
		case 1:
			world_mailbox(world, holder, FAILS);
			break;
		case 2:
			node->stopped = true;
			break;
		case 3:
			node->access[world_random(world, 2)] = HANGS;
			world_run(world, world_random(world, 200));
			world_mailbox(world, holder, FAILS);
			break;
		}
		world_run(world, world_random(world, 2500));
		world->late = 0;
		world_run(world, 5000);
		taken += world->node[1 - holder].taken > 0;
		node->stopped = false;
		world_run(world, 500);
		assert_int_equal(world->most_holders, 1);
		talloc_free(world);
	}
	/* Else it tests nothing. */
	assert_true(taken > seeds / 2);
}

/* Anything, at any time. */
static void happen(struct world *world)
{
	uint32_t i = world_random(world, world->nodes);
	uint32_t j = world_random(world, world->nodes);
	struct world_node *node = &world->node[i];

	switch (world_random(world, 16)) {
	case 0:
		world_cut(world, i, j, false);
		break;
	case 1:
		world_cut(world, i, j, true);
		break;
	case 2: case 3:
		world_mend(world);
		break;
	case 4:
		node->access[world_random(world, 2)] = FAILS;
		break;
	case 5:
		node->access[world_random(world, 2)] = HANGS;
		break;
	case 6: case 7:
		world_mailbox(world, i, WORKS);
		break;
	case 8:
		node->stopped = true;
		break;
	case 9: case 10:
		node->stopped = false;
		break;
	case 11:
		world_power_off(world, i);
		break;
	case 12:
		if (node->off) {
			world_power_on(world, i);
		}
		break;
	case 13:
		node->clients = !node->clients;
		break;
	case 14:
		world_ban(world, i);
		break;
	case 15:
		node->banned = false;
		break;
	}
}

static void test_anything(void **state)
{
	const char *more = getenv("LOCK_SEEDS");
	unsigned int seeds = more != NULL ? (unsigned int)atoi(more) : 100;
	unsigned int seed;
	int taken = 0, all_well = 0;

	for (seed = 1; seed <= seeds; seed++) {
		struct world *world = world_new(2 + seed % 2, 1 + seed / 2 % 2,
						seed);
		int events;
		uint32_t i;

		world->disk_ms = 1 + world_random(world, 60);
		world->late = 200;
		world->notice_ms = 1 + world_random(world, 2500);
		world->fence_works = seed % 3 != 0;
		for (events = 0; events < 60; events++) {
			world_run(world, world_random(world, 1500));
			happen(world);
			if (world->most_holders > 1) {
				fail_msg("two holders: seed %u, at %llu",
					 seed, (unsigned long long)
					 world->now);
			}
		}
		/* All is well again, but for a ban: then one holds it. */
		world->fence_works = true;
		world->disk_ms = 5;
		world->late = 0;
		world_mend(world);
		for (i = 0; i < world->nodes; i++) {
			world_mailbox(world, i, WORKS);
			world->node[i].stopped = false;
			world->node[i].clients = true;
			world->node[i].banned = false;
			if (world->node[i].off) {
				world_power_on(world, i);
			}
		}
		/* Whoever has just been switched on has tried it. */
		world_run(world, 5000);
		if (seed % 4 != 0) {
			world_ban(world, world_random(world, world->nodes));
		}
		world_run(world, 30000);
		for (i = 0; i < world->nodes; i++) {
			if (world->node[i].off) {	/* fenced just now */
				world_power_on(world, i);
			}
		}
		world_run(world, 10000);
		assert_int_equal(world->most_holders, 1);
		if (world_holders(world) != 1) {
			fail_msg("nobody holds it: seed %u, %s, %s", seed,
				 world->node[0].reason,
				 world->node[1].reason);
		}
		for (i = 0; i < world->nodes; i++) {
			taken += world->node[i].taken;
		}
		all_well++;
		talloc_free(world);
	}
	/* Else it tests nothing. */
	assert_true(taken > all_well + all_well / 2);
}

static void test_sector(void **state)
{
	static const struct sector sector = {
		.sequence = 0x1122334455667788, .term = 5, .members = 3,
		.node = 7, .state = SECTOR_HOLD, .clients = true, .lost = 2,
	};
	uint8_t block[LOCK_BLOCK];
	struct sector got;
	int i;

	sector_push(&sector, block);
	assert_int_equal(sector_pull(block, 7, &got), 0);
	assert_int_equal(got.sequence, sector.sequence);
	assert_int_equal(got.term, 5);
	assert_int_equal(got.members, 3);
	assert_int_equal(got.state, SECTOR_HOLD);
	assert_true(got.clients);
	assert_int_equal(got.lost, 2);
	assert_int_not_equal(sector_pull(block, 6, &got), 0);
	for (i = 0; i < 512; i++) {
		block[i] ^= 0x10;
		assert_int_not_equal(sector_pull(block, 7, &got), 0);
		block[i] ^= 0x10;
	}
	memset(block, 0, sizeof(block));
	assert_int_equal(sector_pull(block, 7, &got), 0);
	assert_int_equal(got.sequence, 0);
	assert_int_equal(got.state, SECTOR_FREE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sector),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_links_cut),
		cmocka_unit_test(test_links_and_mailbox_of_holder),
		cmocka_unit_test(test_all_lost),
		cmocka_unit_test(test_all_lost_and_banned),
		cmocka_unit_test(test_freed_by_who_only_looked),
		cmocka_unit_test(test_mailbox_lost),
		cmocka_unit_test(test_mailbox_then_links),
		cmocka_unit_test(test_alone_without_mailbox),
		cmocka_unit_test(test_dead_while_alone),
		cmocka_unit_test(test_dead_while_alone_back),
		cmocka_unit_test(test_holder_dies),
		cmocka_unit_test(test_both_die),
		cmocka_unit_test(test_holder_stands_still),
		cmocka_unit_test(test_one_copy),
		cmocka_unit_test(test_copies_apart),
		cmocka_unit_test(test_released),
		cmocka_unit_test(test_no_clients),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_race_late),
		cmocka_unit_test(test_lost_late),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
