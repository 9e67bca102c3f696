/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Beacons of nodes that have our key and say whatever they like (R6), links
 * that come and go, time: all bounds are kept, what is told fits together, and
 * tick never asks to be called in the past.
 *
 * The input is a list of steps of eight bytes.
 */

#include <sys/socket.h>
#include <stdarg.h>
#include <stdio.h>
#include "event_log.h"
#include "fuzz_arpd.h"
#include "peers.h"

#define STEP 8
#define OWN 0
#define SESSION 42
#define INTERFACES 3

enum { BEACON, ECHO, TICK, LINK, FILL, REFUSED, PAUSED, NUM_KINDS };

/* In the place of event_log.c: only that the arguments fit. */
static void print(const char *format, va_list ap)
{
	char line[1024];

	FUZZ_CHECK(vsnprintf(line, sizeof(line), format, ap) > 0);
}

void event_log(enum event_id id, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(format, ap);
	va_end(ap);
}

void event_log_once(enum event_id id, const char *key, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print(format, ap);
	va_end(ap);
}

static void check_peer(const struct peer *peer)
{
	bool best = false;
	uint32_t i;

	FUZZ_CHECK(peer->state < PEER_STATE_END);
	FUZZ_CHECK(peer->num_paths <= PEER_PATHS_MAX);
	FUZZ_CHECK(peer->num_addresses <= BEACON_ADDRESSES_MAX);
	FUZZ_CHECK(peer->state == PEER_ALIVE || peer->num_addresses == 0);
	for (i = 0; i < peer->num_paths; i++) {
		const struct path *path = peer->paths[i];

		FUZZ_CHECK(path->node == peer->node);
		FUZZ_CHECK(path->state < PATH_STATE_END);
		FUZZ_CHECK(path->loss_permille <= 1000);
		FUZZ_CHECK((path->state == PATH_DOWN) ==
			   (path->fault != PATH_FINE));
		FUZZ_CHECK(!path->hear || peer->state == PEER_ALIVE);
		FUZZ_CHECK(path->state != PATH_UP || peer->best != NULL);
		FUZZ_CHECK(peer_path_on(peer, path->interface) != NULL);
		best = best || path == peer->best;
	}
	FUZZ_CHECK(best == (peer->best != NULL));
	FUZZ_CHECK(peer->best == NULL || peer->best->state == PATH_UP);
}

static void on_change(void *private_data, const struct peer *peer,
		      enum peers_change change)
{
	check_peer(peer);
}

struct run {
	struct peers *peers;
	uint64_t now_us;
	struct beacon sent;	/* our last one */
};

static void give_beacon(struct run *run, const uint8_t *step, bool echo)
{
	struct beacon beacon = {
		.flags = step[1] == 0xff ? BEACON_BYE : 0,
		.node = step[1] % 5,
		.interface = step[2],
		.session = step[3] % 8,
		.sequence = step[4] * UINT64_C(0x0123456789ab),
		.count = step[5] * UINT64_C(0x0fedcba98765),
		.mac = { { 2, 0, 0, 0, 0, step[2] } },
		.num_hearings = step[6] % (BEACON_HEARINGS_MAX + 1),
		.num_addresses = step[7] % (BEACON_ADDRESSES_MAX + 1),
	};
	uint32_t i;

	for (i = 0; i < beacon.num_hearings; i++) {
		beacon.hearings[i] = (struct beacon_hearing){
			.node = i % 2,
			.interface = beacon.interface,
			.their_interface = run->sent.interface,
			.session = SESSION,
			.sequence = run->sent.sequence - (echo ? 0 : i * 7),
			.age_us = step[5] * UINT32_C(16843009),
		};
	}
	for (i = 0; i < beacon.num_addresses; i++) {
		beacon.addresses[i].state = BEACON_HELD;
		beacon.addresses[i].address.family = AF_INET;
		beacon.addresses[i].address.bytes[0] = step[4];
	}
	peers_beacon(run->peers, 1 + step[0] / NUM_KINDS % INTERFACES,
		     &beacon, run->now_us);
}

static void change_link(struct run *run, const uint8_t *step)
{
	struct interface interface = {
		.index = step[2] % 5, .carrier = step[3] % 2 != 0,
	};

	snprintf(interface.name, sizeof(interface.name), "net%u", step[1] % 4);
	peers_link(run->peers, &interface, run->now_us);
}

static void do_step(struct run *run, const uint8_t *step)
{
	const struct net_mac mac = { { 2 } };
	uint64_t next;

	switch (step[0] % NUM_KINDS) {
	case BEACON:
		give_beacon(run, step, false);
		break;
	case ECHO:
		give_beacon(run, step, true);
		break;
	case TICK:
		run->now_us += (uint64_t)step[1] * 1000 +
			(uint64_t)step[2] * step[2] * step[3] * 100;
		break;
	case LINK:
		change_link(run, step);
		break;
	case FILL:
		peers_fill(run->peers, 1 + step[1] % INTERFACES, &run->sent,
			   run->now_us);
		FUZZ_CHECK(run->sent.num_hearings <= BEACON_HEARINGS_MAX);
		break;
	case REFUSED:
		peers_refused(run->peers, step[1], &mac);
		break;
	default:
		run->now_us += (uint64_t)step[1] * 10000;
		peers_paused(run->peers, (uint64_t)step[1] * 10000);
		break;
	}
	next = peers_tick(run->peers, run->now_us);
	FUZZ_CHECK(next > run->now_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct settings settings = {
		.interfaces = { { .name = "net0" }, { .name = "net1" },
				{ .name = "net2" } },
		.num_interfaces = INTERFACES,
		.nodes = { { .family = AF_INET }, { .family = AF_INET },
			   { .family = AF_INET } },
		.num_nodes = 4,
		.beacon_ms = 100, .detection_ms = 300, .hold_ms = 1000,
		.silence_ms = 300,
	};
	struct run run = { .now_us = 1000000 };
	const struct peer *const *list;
	uint32_t count;
	size_t at;
	uint32_t i;

	FUZZ_CHECK(peers_new(NULL, &settings, OWN, SESSION, on_change, NULL,
			     &run.peers) == 0);
	for (i = 0; i < INTERFACES; i++) {
		uint8_t step[STEP] = { LINK, (uint8_t)i, (uint8_t)(i + 1), 1 };

		change_link(&run, step);
	}
	for (at = 0; at + STEP <= size; at += STEP) {
		do_step(&run, bytes + at);
		list = peers_list(run.peers, &count);
		FUZZ_CHECK(count == 2);
		for (i = 0; i < count; i++) {
			check_peer(list[i]);
		}
	}
	talloc_free(run.peers);
	return 0;
}

/* A node that is heard, hears us, does so for a while, and with pauses. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes,
			       size_t size,
			       size_t max_size,
			       unsigned int seed)
{
	uint64_t random = seed | 1;
	size_t at;

	if (seed % FUZZ_NEW_ONE_IN != 0) {
		return LLVMFuzzerMutate(bytes, size, max_size);
	}
	for (at = 0; at + 3 * STEP <= max_size && at < 360 * STEP;
	     at += 3 * STEP) {
		const uint8_t pause = fuzz_random(&random, 25) == 0 ? 16 : 0;
		const uint8_t steps[3 * STEP] = {
			FILL, 0, 0, 0, 0, 0, 0, 0,
			ECHO, (uint8_t)(1 + fuzz_random(&random, 2)), 7, 5,
			(uint8_t)(1 + at / (3 * STEP)), 0, 1,
			(uint8_t)fuzz_random(&random, 4),
			TICK, (uint8_t)fuzz_random(&random, 120),
			pause, pause,
		};

		memcpy(bytes + at, steps, sizeof(steps));
	}
	return at;
}
