/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Peers and paths, with a clock that the test moves.
 *
 * R6: what was recorded and is sent again is not believed.
 */

#include "network.h"
#include "path.h"

/* ------------------------------------------------------------------- paths */

static void test_up(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);
	uint32_t count;

	assert_int_equal(peer->state, PEER_UNKNOWN);
	run(network, 600);
	assert_int_equal(peer->state, PEER_ALIVE);
	assert_int_equal(peer->num_paths, SEGMENTS);
	assert_int_equal(peer->best->interface, 10);
	assert_int_equal(peer->best->their_interface, 20);
	assert_int_equal(peer->best->their_mac.bytes[4], 1);
	assert_int_equal(peer->best->fault, PATH_FINE);
	assert_int_equal(peer->best->missed, 0);
	assert_int_equal(peer->best->loss_permille, 0);
	assert_int_equal(peer->best->round_trip_us, 2 * LATENCY_US);
	assert_int_equal(state_of(network, 1, 0, 1), PATH_UP);
	assert_int_equal(times_logged("N010"), 4);
	assert_int_equal(times_logged("N015"), 2);
	assert_int_equal(network->nodes[0].changes[PEERS_STATE], 1);
	assert_ptr_equal(peers_list(network->nodes[0].peers, &count)[0], peer);
	assert_int_equal(count, 1);
	assert_null(peers_find(network->nodes[0].peers, 0));
	assert_null(peers_find(network->nodes[0].peers, 32));
	talloc_free(network);
}

/* The first time it holds for two beacons, then for the settings' time. */
static void test_hold(void **state)
{
	struct network *network = new_network(2);
	uint64_t held;

	run_until(network, 0, 1, 0, PATH_HOLD, 300);
	assert_int_equal(run_until(network, 0, 1, 0, PATH_UP, 300), 200);
	run(network, 20000);
	set_cut(network, 0, 0, 1, true);
	run(network, 1000);
	assert_int_equal(state_of(network, 0, 1, 0), PATH_DOWN);
	set_cut(network, 0, 0, 1, false);
	run_until(network, 0, 1, 0, PATH_HOLD, 500);
	held = path_of(network, 0, 1, 0)->changed;
	assert_int_equal(run_until(network, 0, 1, 0, PATH_UP, 1100), 1000);
	assert_int_equal(path_of(network, 0, 1, 0)->changed - held, 1000);
	assert_int_equal(path_of(network, 0, 1, 0)->downs, 1);
	talloc_free(network);
}

/* Takes the path down, and tells how long it holds then. */
static uint32_t flap(struct network *network)
{
	set_cut(network, 0, 0, 1, true);
	run_until(network, 0, 1, 0, PATH_DOWN, 500);
	set_cut(network, 0, 0, 1, false);
	run_until(network, 0, 1, 0, PATH_HOLD, 500);
	return run_until(network, 0, 1, 0, PATH_UP, 20000);
}

static void test_flapping(void **state)
{
	static const uint32_t holds[] = {
		2000, 4000, 8000, 16000, 16000,
	};
	struct network *network = new_network(2);
	size_t i;

	run(network, 1000);
	for (i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		assert_int_equal(flap(network), holds[i]);
	}
	/* Up for long, but no quiet minute: no longer, no shorter. */
	run(network, 12000);
	assert_int_equal(flap(network), 16000);
	run(network, 61000);
	assert_int_equal(flap(network), 1000);
	talloc_free(network);
}

/* Nothing of it in a hold: begins again, and says nothing. */
static void test_down_in_hold(void **state)
{
	struct network *network = new_network(2);

	run(network, 20000);
	set_cut(network, 0, 0, 1, true);
	run(network, 1000);
	set_cut(network, 0, 0, 1, false);
	run(network, 600);
	assert_int_equal(state_of(network, 0, 1, 0), PATH_HOLD);
	logged[0] = '\0';
	set_cut(network, 0, 0, 1, true);
	run(network, 500);
	assert_int_equal(state_of(network, 0, 1, 0), PATH_DOWN);
	assert_string_equal(logged, "");
	assert_int_equal(path_of(network, 0, 1, 0)->downs, 1);
	talloc_free(network);
}

static void test_not_heard(void **state)
{
	struct network *network = new_network(2);
	const struct path *path;
	uint64_t last;

	run(network, 1000);
	path = path_of(network, 0, 1, 0);
	last = path->last_us;
	set_cut(network, 0, 0, 1, true);
	run_until(network, 0, 1, 0, PATH_DOWN, 500);
	assert_int_equal(path->fault, PATH_NOT_HEARD);
	assert_int_equal(path->loss_permille, 1000);
	/* 300 ms, and the ms that the clock of the test goes by. */
	assert_in_range(network->now_us - last, 300000, 301000);
	assert_int_equal(times_logged("N012"), 1);
	assert_int_equal(peer_of(network, 0, 1)->state, PEER_ALIVE);
	assert_ptr_equal(peer_of(network, 0, 1)->best,
			 path_of(network, 0, 1, 1));
	/* And back, as soon as it is up. */
	set_cut(network, 0, 0, 1, false);
	run_until(network, 0, 1, 0, PATH_UP, 3000);
	assert_ptr_equal(peer_of(network, 0, 1)->best, path);
	talloc_free(network);
}

/* Paths go before the node: a machine that stood still for a moment is found by
 * other ways, and is not dead. */
static void test_silent_later(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer;
	uint32_t segment;

	network->settings.silence_ms = 600;
	run(network, 1000);
	peer = peer_of(network, 0, 1);
	for (segment = 0; segment < SEGMENTS; segment++) {
		set_cut(network, segment, 0, 1, true);
	}
	run(network, 450);
	assert_int_equal(peer->state, PEER_ALIVE);
	assert_null(peer->best);
	run(network, 160);
	assert_int_equal(peer->state, PEER_SILENT);
	talloc_free(network);
}

/* From 0 to 1 all is lost, on one segment: both know it. */
static void test_one_way(void **state)
{
	struct network *network = new_network(2);
	const struct path *path;
	uint32_t ms;

	run(network, 1000);
	path = path_of(network, 0, 1, 0);
	network->cut[0][0][1] = true;
	ms = run_until(network, 0, 1, 0, PATH_DOWN, 600);
	/* With the first word of it that it was too long ago. */
	assert_in_range(ms, 335, 340);
	assert_true(path->hear);
	assert_false(path->heard);
	assert_int_equal(path->fault, PATH_ONE_WAY);
	run(network, 100);
	assert_int_equal(path_of(network, 1, 0, 0)->fault, PATH_NOT_HEARD);
	assert_int_equal(times_logged("N013"), 1);
	assert_int_equal(times_logged("N012"), 1);
	assert_int_equal(peer_of(network, 0, 1)->state, PEER_ALIVE);
	assert_int_equal(peer_of(network, 1, 0)->state, PEER_ALIVE);
	run(network, 10000);
	assert_int_equal(path->state, PATH_DOWN);
	talloc_free(network);
}

/* What they say is as old as their beacon: one that is lost does no harm,
 * whatever the phase of the two, and if the timers are a little late. */
static void test_one_lost(void **state)
{
	uint32_t phase;

	for (phase = 0; phase < 110; phase++) {
		struct network *network = new_network(2);

		network->period_ms = 110;
		network->nodes[1].phase_ms = phase;
		run(network, 1100);
		network->cut[0][0][1] = true;
		run(network, 110);
		network->cut[0][0][1] = false;
		run(network, 1000);
		assert_int_equal(times_logged("N013"), 0);
		assert_int_equal(times_logged("N012"), 0);
		assert_int_equal(path_of(network, 1, 0, 0)->missed, 1);
		talloc_free(network);
	}
}

static void test_carrier(void **state)
{
	struct network *network = new_network(2);

	run(network, 1000);
	set_link(network, 0, 0, 10, false);
	assert_int_equal(state_of(network, 0, 1, 0), PATH_DOWN);
	assert_int_equal(path_of(network, 0, 1, 0)->fault, PATH_NO_CARRIER);
	assert_int_equal(times_logged("N011"), 1);
	assert_int_equal(peer_of(network, 0, 1)->best->interface, 11);
	set_link(network, 0, 0, 10, true);
	run_until(network, 0, 1, 0, PATH_UP, 3000);
	talloc_free(network);
}

/* Another card in the place of the old one. */
static void test_new_index(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);
	struct beacon beacon;

	run(network, 1000);
	set_link(network, 0, 0, 0, false);
	assert_int_equal(peer->num_paths, 2);
	assert_int_equal(peer->best->interface, 11);
	set_link(network, 0, 0, 99, true);
	assert_int_equal(peer->num_paths, 1);
	assert_int_equal(peer->best->interface, 11);
	assert_null(peer_path_on(peer, 10));
	peers_fill(network->nodes[0].peers, 99, &beacon, network->now_us);
	assert_int_equal(beacon.num_hearings, 1);
	assert_int_equal(beacon.hearings[0].interface, 11);
	set_link(network, 0, 1, 98, true);
	assert_int_equal(peer->num_paths, 0);
	assert_null(peer->best);
	/* It was heard just now, whatever has become of that card. */
	assert_int_equal(peer->state, PEER_ALIVE);
	run(network, 301);
	assert_int_equal(peer->state, PEER_SILENT);
	talloc_free(network);
}

/* Theirs: the old one is known by its MAC. */
static void test_their_new_index(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);

	run(network, 1000);
	stop_node(network, 1);
	run(network, 1000);
	network->nodes[1].first_index = 50;
	start_node(network, 1);
	run(network, 3000);
	assert_int_equal(peer->num_paths, 2);
	assert_int_equal(peer->best->their_interface, 50);
	talloc_free(network);
}

/* In the order of the settings, whichever was heard first. */
static void test_order(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);

	set_cut(network, 0, 0, 1, true);
	run(network, 1000);
	assert_int_equal(peer->best->interface, 11);
	set_cut(network, 0, 0, 1, false);
	run(network, 1000);
	assert_int_equal(peer->best->interface, 10);
	assert_int_equal(peer->paths[0]->interface, 10);
	assert_int_equal(peer->paths[1]->interface, 11);
	talloc_free(network);
}

/* ------------------------------------------------------------------- peers */

static void hold_address(struct network *network, uint32_t own,
			 const char *text)
{
	struct node *node = &network->nodes[own];
	struct beacon_address *row = &node->addresses[node->num_addresses++];

	row->state = BEACON_HELD;
	row->node = NET_NOBODY;
	assert_true(net_address_parse(text, &row->address));
}

static void test_silent(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);
	uint64_t last;

	hold_address(network, 1, "10.0.0.5");
	run(network, 1000);
	assert_int_equal(peer->num_addresses, 1);
	assert_int_equal(network->nodes[0].changes[PEERS_ADDRESSES], 1);
	last = path_of(network, 0, 1, 1)->last_us;
	stop_node(network, 1);
	while (peer->state == PEER_ALIVE) {
		step(network);
	}
	assert_int_equal(peer->state, PEER_SILENT);
	assert_in_range(network->now_us - last, 300000, 301000);
	assert_int_equal(peer->changed, network->now_us / 1000);
	assert_null(peer->best);
	assert_int_equal(peer->num_addresses, 0);
	assert_int_equal(network->nodes[0].changes[PEERS_ADDRESSES], 2);
	assert_int_equal(network->nodes[0].changes[PEERS_STATE], 2);
	assert_int_equal(times_logged("N014"), 1);
	logged[0] = '\0';
	start_node(network, 1);
	run(network, 3000);
	assert_int_equal(peer->state, PEER_ALIVE);
	assert_int_equal(peer->num_addresses, 1);
	assert_int_equal(times_logged("N014"), 0);
	assert_int_equal(times_logged("N015"), 2);
	talloc_free(network);
}

/* All carriers gone: still what is heard decides who is silent. */
static void test_no_carrier_not_silent(void **state)
{
	struct network *network = new_network(2);

	run(network, 1000);
	set_link(network, 0, 0, 10, false);
	set_link(network, 0, 1, 11, false);
	assert_int_equal(peer_of(network, 0, 1)->state, PEER_ALIVE);
	assert_null(peer_of(network, 0, 1)->best);
	talloc_free(network);
}

/* Who does not hear us on any path has no echo; then nothing counts. */
static void test_deaf(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);

	run(network, 1000);
	network->cut[0][0][1] = true;
	network->cut[1][0][1] = true;
	run(network, 900);
	assert_int_equal(peer->state, PEER_ALIVE);
	assert_null(peer->best);
	assert_int_equal(peer_of(network, 1, 0)->state, PEER_SILENT);
	run(network, 500);
	assert_int_equal(peer->state, PEER_SILENT);
	network->cut[0][0][1] = false;
	run(network, 3000);
	assert_int_equal(peer->best->interface, 10);
	assert_int_equal(peer_of(network, 1, 0)->state, PEER_ALIVE);
	talloc_free(network);
}

static void test_bye(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);

	hold_address(network, 1, "10.0.0.5");
	run(network, 1000);
	logged[0] = '\0';
	network->record = talloc_array(network, struct frame, RECORD_MAX);
	network->cut[1][1][0] = true;
	send_round(network, &network->nodes[1]);
	network->record[0].segment = 1;
	network->record[0].beacon.interface = 21;
	network->nodes[1].flags = BEACON_BYE;
	send_round(network, &network->nodes[1]);
	network->cut[1][1][0] = false;
	/* By the other way, and late: from before the good-bye. */
	network->now_us += 1000;
	deliver(network, &network->record[0]);
	network->num_record = RECORD_MAX;
	stop_node(network, 1);
	assert_int_equal(peer->state, PEER_UNKNOWN);
	assert_int_equal(peer->num_addresses, 0);
	assert_null(peer->best);
	run(network, 2000);
	assert_string_equal(logged, "N016 ");
	assert_int_equal(path_of(network, 0, 1, 0)->downs, 0);
	assert_int_equal(path_of(network, 0, 1, 0)->fault, PATH_LEFT);
	assert_int_equal(peer->state, PEER_UNKNOWN);
	/* Its next start is a first one. */
	network->nodes[1].flags = 0;
	start_node(network, 1);
	run_until(network, 0, 1, 0, PATH_HOLD, 300);
	assert_int_equal(run_until(network, 0, 1, 0, PATH_UP, 300), 200);
	talloc_free(network);
}

/* arpd is restarted: nobody notices, for any phase. */
static void test_restart(void **state)
{
	uint32_t phase;

	for (phase = 0; phase < 100; phase += 3) {
		struct network *network = new_network(2);

		network->nodes[1].phase_ms = phase;
		run(network, 1000);
		logged[0] = '\0';
		start_node(network, 1);
		run(network, 2000);
		assert_int_equal(times_logged("N010"), 2); /* its own */
		assert_int_equal(times_logged("N01"), 3);
		assert_int_equal(path_of(network, 0, 1, 0)->downs, 0);
		assert_int_equal(path_of(network, 0, 1, 0)->missed, 0);
		assert_int_equal(state_of(network, 1, 0, 0), PATH_UP);
		talloc_free(network);
	}
}

static uint32_t dice(uint64_t *random, uint32_t limit)
{
	*random = *random * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(*random >> 33) % limit;
}

/* Whatever was cut, unplugged, restarted, in whatever order: when it is over,
 * all is as at the beginning. */
static void test_heals(void **state)
{
	uint64_t random = 1;
	uint32_t round;
	uint32_t i;

	for (round = 0; round < 20; round++) {
		struct network *network = new_network(NODES);

		for (i = 0; i < 100; i++) {
			uint32_t segment = dice(&random, SEGMENTS);
			uint32_t a = dice(&random, NODES);
			uint32_t b = dice(&random, NODES);

			switch (dice(&random, 8)) {
			case 0:
				start_node(network, a);
				break;
			case 1:
				set_link(network, a, segment, index_of(
					 &network->nodes[a], segment),
					 dice(&random, 2) == 0);
				break;
			default:
				network->cut[segment][a][b] =
					dice(&random, 2) == 0;
				break;
			}
			run(network, dice(&random, 700));
		}
		memset(network->cut, 0, sizeof(network->cut));
		for (i = 0; i < NODES * SEGMENTS; i++) {
			struct node *node = &network->nodes[i / SEGMENTS];

			set_link(network, node->own, i % SEGMENTS,
				 index_of(node, i % SEGMENTS), true);
		}
		/* The longest hold, and what it takes to hear each other. */
		run(network, PATH_HOLD_FACTOR_MAX * 1000 + 500);
		for (i = 0; i < NODES * NODES * SEGMENTS; i++) {
			uint32_t a = i / SEGMENTS % NODES;
			uint32_t b = i / SEGMENTS / NODES;

			if (a == b) {
				continue;
			}
			assert_int_equal(state_of(network, a, b, i % SEGMENTS),
					 PATH_UP);
			assert_int_equal(peer_of(network, a, b)->num_paths,
					 SEGMENTS);
			assert_int_equal(peer_of(network, a, b)->state,
					 PEER_ALIVE);
		}
		talloc_free(network);
	}
}

static void test_paused(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers = network->nodes[0].peers;

	run(network, 1000);
	logged[0] = '\0';
	network->now_us += 2000000;
	peers_paused(peers, 2000000);
	network->nodes[0].next_us = peers_tick(peers, network->now_us);
	peers_paused(network->nodes[1].peers, 2000000);
	run(network, 1000);
	assert_string_equal(logged, "");
	/* It is not believed for longer than that. */
	stop_node(network, 1);
	network->now_us += 2000000;
	peers_paused(peers, 2000000);
	run(network, 301);
	assert_int_equal(peer_of(network, 0, 1)->state, PEER_SILENT);
	talloc_free(network);
}

/* ------------------------------------------------------------------- replay */

static void replay(struct network *network, uint32_t from, uint32_t to,
		   uint32_t spacing_ms)
{
	for (; from < to; from++) {
		deliver(network, &network->record[from]);
		run(network, spacing_ms);
	}
}

/* R6: the recording of an old session changes nothing, neither while the node
 * lives nor when it is dead. */
static void test_replay(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);
	struct path before;
	uint32_t old;

	network->record = talloc_array(network, struct frame, RECORD_MAX);
	hold_address(network, 1, "10.0.0.5");
	run(network, 3000);
	old = network->num_record;
	assert_true(old > 100);
	network->nodes[1].addresses[0].address.bytes[3] = 6;
	start_node(network, 1);
	run(network, 3000);
	network->num_record = RECORD_MAX;	/* no more */
	assert_int_equal(peer->addresses[0].address.bytes[3], 6);
	logged[0] = '\0';
	memset(network->nodes[0].changes, 0,
	       sizeof(network->nodes[0].changes));
	before = *peer->best;
	replay(network, 0, old, 7);
	assert_string_equal(logged, "");
	assert_int_equal(peer->num_paths, 2);
	assert_int_equal(peer->best->state, PATH_UP);
	assert_int_equal(peer->best->changed, before.changed);
	assert_memory_equal(&peer->best->their_mac, &before.their_mac,
			    sizeof(before.their_mac));
	assert_int_equal(peer->addresses[0].address.bytes[3], 6);
	assert_int_equal(network->nodes[0].changes[PEERS_PATH], 0);
	assert_int_equal(network->nodes[0].changes[PEERS_ADDRESSES], 0);
	assert_int_equal(network->nodes[0].changes[PEERS_STATE], 0);

	stop_node(network, 1);
	run(network, 1000);
	assert_int_equal(peer->state, PEER_SILENT);
	memset(network->nodes[0].changes, 0,
	       sizeof(network->nodes[0].changes));
	replay(network, 0, network->num_record < 800 ?
	       network->num_record : 800, 3);
	assert_int_equal(peer->state, PEER_SILENT);
	assert_int_equal(network->nodes[0].changes[PEERS_PATH], 0);
	assert_int_equal(network->nodes[0].changes[PEERS_STATE], 0);
	talloc_free(network);
}

/* R6: nor does the last second of a session, while its echo is fresh: neither
 * after its end (retired), nor in it (sequence). */
static void test_replay_at_once(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);
	const struct path *path;
	uint64_t received;

	run(network, 1000);
	network->record = talloc_array(network, struct frame, RECORD_MAX);
	run(network, 100);
	network->num_record = 4;
	hold_address(network, 1, "10.0.0.5");
	path = path_of(network, 0, 1, 0);
	received = path->received;
	replay(network, 0, 4, 0);
	assert_int_equal(path->received, received);
	assert_int_equal(peer->num_addresses, 0);
	/* Its echo is fresh, but it came in on that path already. */
	stop_node(network, 1);
	run(network, 250);
	replay(network, 0, 4, 0);
	run(network, 51);
	assert_int_equal(peer->state, PEER_SILENT);
	start_node(network, 1);
	run(network, 210);
	assert_int_equal(peer->state, PEER_ALIVE);
	assert_int_equal(peer->num_addresses, 1);
	received = path->received;
	replay(network, 0, 4, 0);
	assert_int_equal(peer->num_addresses, 1);
	assert_int_equal(path->received, received);
	talloc_free(network);
}

/* R6: recorded where we did not hear it, and sent to us later. */
static void test_replay_delayed(void **state)
{
	struct network *network = new_network(2);
	const struct peer *peer = peer_of(network, 0, 1);

	run(network, 1000);
	network->record = talloc_array(network, struct frame, RECORD_MAX);
	run(network, 5000);
	start_node(network, 0);		/* that knows nothing of it */
	stop_node(network, 1);
	peer = peer_of(network, 0, 1);
	replay(network, 0, network->num_record, 5);
	assert_int_equal(peer->state, PEER_UNKNOWN);
	assert_int_equal(peer->num_paths, 0);
	talloc_free(network);
}

/* ------------------------------------------------------------- what is told */

static void test_loss(void **state)
{
	struct network *network = new_network(2);
	const struct path *a;
	const struct path *b;

	run(network, 1000);
	network->drop_every = 5;
	run(network, 20000);
	network->drop_every = 0;
	run(network, 200);
	a = path_of(network, 0, 1, 0);
	b = path_of(network, 1, 0, 0);
	assert_int_equal(a->missed + b->missed, network->dropped);
	assert_in_range(a->loss_permille, 180, 220);
	assert_in_range(b->loss_permille, 180, 220);
	assert_int_equal(path_of(network, 0, 1, 1)->loss_permille, 0);
	run(network, 11000);
	assert_int_equal(a->loss_permille, 0);
	/* Away for long: the loss is of then. */
	set_cut(network, 0, 0, 1, true);
	run(network, 30000);
	set_cut(network, 0, 0, 1, false);
	run(network, 6000);
	assert_in_range(a->loss_permille, 300, 500);
	run(network, 6000);
	assert_int_equal(a->loss_permille, 0);
	talloc_free(network);
}

static void test_wrong_ones(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers = network->nodes[0].peers;
	const struct net_mac mac = { { 2, 0, 0, 0, 0, 9 } };
	struct beacon beacon = {
		.node = 7, .interface = 1, .session = 1, .sequence = 1,
	};
	uint32_t i;

	for (i = 0; i < 5; i++) {
		peers_refused(peers, 10, &mac);
		peers_beacon(peers, 10, &beacon, network->now_us);
		beacon.node = UINT32_MAX;
		beacon.sequence++;
	}
	assert_string_equal(logged, "N017 N019 ");
	/* On an interface that is none of ours. */
	beacon.node = 1;
	peers_beacon(peers, 77, &beacon, network->now_us);
	beacon.num_hearings = 0;
	peers_fill(peers, 10, &beacon, network->now_us);
	assert_int_equal(beacon.num_hearings, 0);
	talloc_free(network);
}

/* Two machines are the same node: for themselves, and for others. */
static void test_twice(void **state)
{
	struct network *network = new_network(3);
	struct node *second = &network->nodes[2];
	uint64_t session = 77;

	stop_node(network, 2);
	run(network, 1000);
	logged[0] = '\0';
	assert_int_equal(peers_new(network, &network->settings, 1, session,
				   on_change, second, &second->peers), 0);
	set_link(network, 2, 0, index_of(second, 0), true);
	set_link(network, 2, 1, index_of(second, 1), true);
	run(network, 3000);
	assert_true(times_logged("N018") >= 1);
	assert_int_equal(times_logged("N014"), 0);
	/* Node 0 stays with one of the two. */
	assert_int_equal(peer_of(network, 0, 1)->state, PEER_ALIVE);
	talloc_free(network);
}

/* A recording of our own last session is not another machine. */
static void test_own_recording(void **state)
{
	struct network *network = new_network(2);
	struct beacon beacon = { .node = 0 };
	uint32_t i;

	run(network, 1000);
	peers_fill(network->nodes[0].peers, 10, &beacon, network->now_us);
	start_node(network, 0);
	logged[0] = '\0';
	for (i = 0; i < 10; i++) {
		struct beacon own = { .node = 0 };

		peers_beacon(network->nodes[0].peers, 10, &beacon,
			     network->now_us);
		/* And of this session: heard on another interface. */
		peers_fill(network->nodes[0].peers, 10, &own,
			   network->now_us);
		peers_beacon(network->nodes[0].peers, 11, &own,
			     network->now_us);
		run(network, 50);
	}
	assert_int_equal(times_logged("N018"), 0);
	talloc_free(network);
}

/* ------------------------------------------------------------------ bounds */

/* A beacon of node 1 that echoes what node 0 sent last on its first interface.
 */
static void echo(struct network *network, struct beacon *beacon)
{
	struct beacon ours = { .flags = 0 };

	peers_fill(network->nodes[0].peers, 10, &ours, network->now_us);
	beacon->node = 1;
	beacon->num_hearings = 1;
	beacon->hearings[0] = (struct beacon_hearing){
		.node = 0, .interface = beacon->interface,
		.their_interface = 10, .session = ours.session,
		.sequence = ours.sequence, .age_us = 0,
	};
}

static void test_many_paths(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers = network->nodes[0].peers;
	const struct peer *peer = peer_of(network, 0, 1);
	struct beacon beacon = { .session = 9, .mac = { { 2 } } };
	uint32_t i;

	stop_node(network, 1);
	for (i = 1; i <= 1000; i++) {
		beacon.sequence = i;
		beacon.interface = 3000 - i;
		beacon.mac.bytes[4] = (uint8_t)(i >> 8);
		beacon.mac.bytes[5] = (uint8_t)i;
		echo(network, &beacon);
		peers_beacon(peers, 10, &beacon, network->now_us);
		run(network, 50);
	}
	assert_int_equal(peer->num_paths, PEER_PATHS_MAX);
	/* The last ones are there. */
	assert_int_equal(peer->paths[PEER_PATHS_MAX - 1]->their_interface,
			 1999 + PEER_PATHS_MAX);
	assert_int_equal(peer->paths[0]->their_interface, 2000);
	run(network, 1000);
	/* When all are heard, a new one has to wait. */
	for (i = 1; i <= 100; i++) {
		beacon.sequence = 2000 + i;
		beacon.interface = 5000 + i;
		beacon.mac.bytes[3] = 1;
		beacon.mac.bytes[5] = (uint8_t)i;
		echo(network, &beacon);
		peers_beacon(peers, 10, &beacon, network->now_us);
	}
	assert_int_equal(peer->num_paths, PEER_PATHS_MAX);
	assert_int_equal(peer->paths[PEER_PATHS_MAX - 1]->their_interface,
			 5000 + PEER_PATHS_MAX);
	talloc_free(network);
}

/* Two of theirs with the same MAC, that are both heard. */
static void test_same_mac(void **state)
{
	struct network *network = new_network(2);
	struct beacon beacon = { .session = 9, .mac = { { 2 } } };
	uint32_t i;

	stop_node(network, 1);
	for (i = 1; i <= 20; i++) {
		beacon.sequence = i;
		beacon.interface = 50 + i % 2;
		echo(network, &beacon);
		peers_beacon(network->nodes[0].peers, 10, &beacon,
			     network->now_us);
		run(network, 50);
	}
	assert_int_equal(peer_of(network, 0, 1)->num_paths, 2);
	assert_int_equal(times_logged("N010"), 2);
	talloc_free(network);
}

/* Of two that overtook each other the last word counts, and both are heard. */
static void test_overtaken(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers = network->nodes[0].peers;
	const struct peer *peer = peer_of(network, 0, 1);
	struct beacon first = {
		.session = 9, .sequence = 1, .interface = 50, .mac = { { 2 } },
		.num_addresses = 1,
		.addresses[0] = { .state = BEACON_HELD,
				  .address = { .family = AF_INET } },
	};
	struct beacon second = first;

	stop_node(network, 1);
	echo(network, &first);
	second.sequence = 2;
	second.interface = 51;
	second.addresses[0].state = BEACON_PASSING;
	echo(network, &second);
	peers_beacon(peers, 10, &second, network->now_us);
	peers_beacon(peers, 10, &first, network->now_us);
	assert_int_equal(peer->num_paths, 2);
	assert_true(peer->paths[0]->hear);
	assert_int_equal(peer->addresses[0].state, BEACON_PASSING);
	assert_int_equal(network->nodes[0].changes[PEERS_ADDRESSES], 1);
	talloc_free(network);
}

/* Hearings: those on the interface first, never more than fit, and whoever
 * did not fit is in the next one. */
static void test_hearings(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers = network->nodes[0].peers;
	struct beacon beacon = { .node = 1, .sequence = 1, .interface = 1 };
	struct beacon ours = { .flags = 0 };
	uint32_t i;

	stop_node(network, 1);
	for (i = 0; i < 30; i++) {
		beacon.session = 100 + i;
		peers_beacon(peers, i < 20 ? 10 : 11, &beacon,
			     network->now_us);
	}
	peers_fill(peers, 11, &ours, network->now_us + 5000);
	assert_int_equal(ours.num_hearings, BEACON_HEARINGS_MAX);
	for (i = 0; i < 10; i++) {
		assert_int_equal(ours.hearings[i].node, 1);
		assert_int_equal(ours.hearings[i].interface, 11);
		assert_int_equal(ours.hearings[i].session, 120 + i);
		assert_int_equal(ours.hearings[i].age_us, 5000);
	}
	assert_int_equal(ours.hearings[10].interface, 10);
	/* A look at the clock from before is none into the past. */
	peers_fill(peers, 11, &ours, network->now_us - 1);
	assert_int_equal(ours.num_hearings, BEACON_HEARINGS_MAX);
	/* A second later there is nothing to tell. */
	peers_fill(peers, 11, &ours, network->now_us + 1000000);
	assert_int_equal(ours.num_hearings, 0);
	assert_int_equal(ours.sequence, 3);
	assert_int_equal(ours.count, 3);
	peers_fill(peers, 10, &ours, network->now_us + 1000000);
	assert_int_equal(ours.sequence, 4);
	assert_int_equal(ours.count, 1);
	talloc_free(network);
}

static void test_hearings_turn(void **state)
{
	struct network *network = new_network(2);
	struct settings settings = network->settings;
	struct beacon beacon = { .session = 5, .sequence = 1, .interface = 1 };
	struct beacon ours = { .flags = 0 };
	struct peers *peers;
	struct interface interface = { .index = 10, .name = "net0" };
	uint32_t told = 0;
	uint32_t i;

	settings.num_nodes = SETTINGS_NODES_MAX;
	for (i = 0; i < SETTINGS_NODES_MAX; i++) {
		settings.nodes[i].family = AF_INET;
	}
	assert_int_equal(peers_new(network, &settings, 0, 1, NULL, NULL,
				   &peers), 0);
	peers_link(peers, &interface, network->now_us);
	for (i = 1; i < SETTINGS_NODES_MAX; i++) {
		beacon.node = i;
		peers_beacon(peers, 10, &beacon, network->now_us);
	}
	peers_fill(peers, 10, &ours, network->now_us);
	for (i = 0; i < ours.num_hearings; i++) {
		told |= UINT32_C(1) << ours.hearings[i].node;
	}
	peers_fill(peers, 10, &ours, network->now_us);
	for (i = 0; i < ours.num_hearings; i++) {
		told |= UINT32_C(1) << ours.hearings[i].node;
	}
	assert_int_equal(told, UINT32_MAX - 1);
	talloc_free(network);
}

static void test_refused(void **state)
{
	struct network *network = new_network(2);
	struct peers *peers;

	assert_int_equal(peers_new(network, &network->settings, 0, 0, NULL,
				   NULL, &peers), EINVAL);
	talloc_free(network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_down_in_hold),
		cmocka_unit_test(test_not_heard),
		cmocka_unit_test(test_silent_later),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_one_lost),
		cmocka_unit_test(test_carrier),
		cmocka_unit_test(test_new_index),
		cmocka_unit_test(test_their_new_index),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_no_carrier_not_silent),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_heals),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_replay_at_once),
		cmocka_unit_test(test_replay_delayed),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_wrong_ones),
		/* In that order: the event is logged once a minute. */
		cmocka_unit_test(test_own_recording),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_many_paths),
		cmocka_unit_test(test_same_mac),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_hearings),
		cmocka_unit_test(test_hearings_turn),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
