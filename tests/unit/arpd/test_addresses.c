/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses come and go: who else has them is said by this test, and what is
 * asked of the other parts is written down. */

#include <sys/socket.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "addresses.h"
#include "clock.h"
#include "connections.h"
#include "ports.h"

#define LAN 2

static struct arpd *arpd;
static struct interface lan;
static struct peer peer;
static struct path path;
static const struct path *path_list[] = { &path };
static const struct peer *peer_list[] = { &peer };
static const struct net_mac foreign = { { 2, 9, 9, 9, 9, 9 } };

static uint32_t probes, added, removed, announced, stopped, tickled;
static uint32_t contradicted;
static struct net_address last_added;
static int add_result;
/* Who answers the probe with this number, 1 is the first. */
static uint32_t answered;
static struct net_mac answer_mac;
static bool answer_is_probe;

static struct net_address address(const char *text)
{
	struct net_address result;

	assert_true(net_address_parse(text, &result));
	return result;
}

/* -------------------------------------------------------------- other parts */

const struct interface *interfaces_list(const struct interfaces *interfaces,
					uint32_t *count)
{
	*count = 1;
	return &lan;
}

const struct interface *interfaces_by_index(
	const struct interfaces *interfaces, uint32_t index)
{
	return index == LAN ? &lan : NULL;
}

const struct interface *interfaces_by_address(
	const struct interfaces *interfaces, const struct net_address *wanted)
{
	uint32_t i;

	for (i = 0; i < lan.num_addresses; i++) {
		if (net_address_same(&lan.addresses[i].address, wanted)) {
			return &lan;
		}
	}
	return NULL;
}

const struct interface *interfaces_for_address(
	const struct interfaces *interfaces, const struct net_address *wanted,
	uint8_t *prefix)
{
	struct net_address network = address("10.77.0.10/24");

	if (!net_address_within(wanted, &network)) {
		return NULL;
	}
	*prefix = 24;
	return &lan;
}

const struct peer *const *peers_list(const struct peers *peers,
				     uint32_t *count)
{
	*count = 1;
	return peer_list;
}

int privileged_address(struct privileged *privileged, bool add,
		       const struct net_address *wanted, uint32_t interface)
{
	assert_int_equal(interface, LAN);
	if (!add) {
		assert_int_equal(wanted->prefix, 24);
		removed++;
		return 0;
	}
	added++;
	last_added = *wanted;
	return add_result;
}

void ports_send(struct ports *ports, uint32_t interface,
		const uint8_t *frame, size_t length)
{
	struct frame_claim claim = {
		.address = address("10.77.0.200"),
		.mac = answer_mac,
		.is_claim = !answer_is_probe,
		.is_probe = answer_is_probe,
	};

	if (++probes == answered) {
		addresses_heard(arpd->addresses, interface, &claim);
	}
}

size_t frame_probe(uint8_t *frame, const struct net_address *wanted,
		   const struct net_mac *mac)
{
	return 60;
}

void announce_stop(struct announce *announce,
		   const struct net_address *wanted, uint32_t interface)
{
	stopped++;
}

bool announce_heard(struct announce *announce, uint32_t interface,
		    const struct net_address *wanted,
		    const struct net_mac *mac)
{
	contradicted++;
	return true;
}

void arpd_announce(struct arpd *unused, const struct net_address *wanted,
		   const struct interface *interface)
{
	announced++;
}

void arpd_note(struct arpd *unused)
{
}

void connections_leave(struct connections *connections,
		       const struct net_address *address)
{
}

void connections_tickle(struct connections *connections,
			const struct net_address *wanted)
{
	tickled++;
}

/* -------------------------------------------------------------------- tests */

static int setup(void **state)
{
	arpd = talloc_zero(NULL, struct arpd);
	arpd->ev = tevent_context_init(arpd);
	arpd->plan = talloc_zero(arpd, struct plan);
	assert_int_equal(addresses_new(arpd, &arpd->addresses), 0);
	lan = (struct interface){
		.index = LAN, .name = "lan", .carrier = true,
		.mac = { { 2, 0, 0, 0, 0, 1 } },
	};
	path = (struct path){ .their_mac = { { 2, 0, 0, 0, 0, 2 } } };
	peer = (struct peer){
		.node = 1, .state = PEER_ALIVE, .num_paths = 1,
		.paths = path_list,
	};
	probes = added = removed = announced = stopped = tickled = 0;
	contradicted = answered = 0;
	add_result = 0;
	answer_mac = foreign;
	answer_is_probe = false;
	return 0;
}

static int teardown(void **state)
{
	TALLOC_FREE(arpd);
	return 0;
}

static struct tevent_req *take_start(const char *text, const char *interface)
{
	struct address_wish wish = { .address = address(text) };

	strcpy(wish.interface, interface);
	return addresses_take_send(arpd, arpd, &wish, 1);
}

static int finish(struct tevent_req *req, char **problem)
{
	int ret;

	assert_true(tevent_req_poll(req, arpd->ev));
	ret = addresses_take_recv(req, arpd, problem);
	talloc_free(req);
	return ret;
}

static int take(const char *text, const char *interface, char **problem)
{
	return finish(take_start(text, interface), problem);
}

static void test_free_address(void **state)
{
	uint64_t began = clock_ms();
	char *problem;

	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
	assert_null(problem);
	assert_int_equal(probes, 2);
	assert_true(clock_ms() - began >= 2 * ADDRESSES_PROBE_MS);
	assert_int_equal(added, 1);
	assert_int_equal(last_added.prefix, 24);
	assert_int_equal(announced, 1);
	assert_int_equal(tickled, 1);
}

static void test_interface_by_network(void **state)
{
	char *problem;

	assert_int_equal(take("10.77.0.200", "", &problem), 0);
	assert_int_equal(last_added.prefix, 24);
	assert_int_equal(take("10.80.0.200", "", &problem), ENODEV);
	assert_non_null(strstr(problem, "no client interface"));
	assert_int_equal(take("10.77.0.201/24", "eth9", &problem), ENODEV);
	assert_non_null(strstr(problem, "eth9"));
	assert_int_equal(added, 1);
}

static void test_it_is_here(void **state)
{
	char *problem;

	lan.addresses[lan.num_addresses++].address = address("10.77.0.200/24");
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
	assert_int_equal(probes, 0);
	assert_int_equal(added, 0);
	assert_int_equal(announced, 1);
	assert_int_equal(tickled, 0);
}

static void test_somebody_has_it(void **state)
{
	char *problem;
	uint32_t i;

	for (i = 1; i <= 2; i++) {
		probes = 0;
		answered = i;
		assert_int_equal(take("10.77.0.200/24", "lan", &problem),
				 EEXIST);
		assert_non_null(strstr(problem, "02:09:09:09:09:09"));
		assert_int_equal(added, 0);
		assert_int_equal(announced, 0);
		teardown(NULL);
		setup(NULL);
	}
}

/* RFC 5227: who probes at the same time will have it, too. */
static void test_somebody_probes_for_it(void **state)
{
	char *problem;

	answered = 1;
	answer_is_probe = true;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), EEXIST);
	assert_int_equal(added, 0);
}

static void test_own_frames_are_no_claim(void **state)
{
	char *problem;

	answered = 1;
	answer_mac = lan.mac;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
}

static void test_a_living_node_holds_it(void **state)
{
	char *problem;

	peer.num_addresses = 1;
	peer.addresses[0] = (struct peer_address){
		.address = address("10.77.0.200/24"),
		.state = BEACON_HELD,
		.node = NET_NOBODY,
	};
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), EEXIST);
	assert_non_null(strstr(problem, "node 1 still has"));
	assert_int_equal(added, 0);
	/* What it passes through for others is not its own. */
	peer.addresses[0].state = BEACON_PASSING;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
}

static void test_the_kernel_of_a_node_that_was_fenced(void **state)
{
	char *problem;

	peer.state = PEER_SILENT;
	answered = 1;
	answer_mac = path.their_mac;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
	assert_int_equal(added, 1);
}

static bool is_added(void *unused)
{
	return added > 0;
}

static void run_until(bool (*done)(void *), uint64_t ms)
{
	uint64_t end = clock_ms() + ms;

	while (!done(NULL) && clock_ms() < end) {
		tevent_loop_once(arpd->ev);
	}
	assert_true(done(NULL));
}

static void test_again_when_it_is_free(void **state)
{
	char *problem;

	answered = 1;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), EEXIST);
	run_until(is_added, 3000);
	assert_int_equal(announced, 1);
}

static bool time_is_over;

static void time_over(struct tevent_context *ev, struct tevent_timer *te,
		      struct timeval now, void *private_data)
{
	time_is_over = true;
}

static bool is_time_over(void *unused)
{
	return time_is_over;
}

static void test_not_again_after_its_release(void **state)
{
	struct net_address wanted = address("10.77.0.200");
	char *problem;

	answered = 1;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), EEXIST);
	assert_int_equal(addresses_release(arpd, &wanted), 0);
	time_is_over = false;
	tevent_add_timer(arpd->ev, arpd, tevent_timeval_current_ofs(1, 300000),
			 time_over, NULL);
	run_until(is_time_over, 3000);
	assert_int_equal(added, 0);
	assert_int_equal(probes, 1);
}

static void test_released_while_it_is_probed(void **state)
{
	struct net_address wanted = address("10.77.0.200");
	struct tevent_req *req = take_start("10.77.0.200/24", "lan");
	char *problem;

	while (probes == 0) {
		tevent_loop_once(arpd->ev);
	}
	assert_int_equal(addresses_release(arpd, &wanted), 0);
	finish(req, &problem);
	assert_int_equal(added, 0);
	assert_int_equal(announced, 0);
}

static void test_release(void **state)
{
	struct net_address wanted = address("10.77.0.200");

	assert_int_equal(addresses_release(arpd, &wanted), 0);
	assert_int_equal(removed, 0);
	lan.addresses[lan.num_addresses++].address = address("10.77.0.200/24");
	assert_int_equal(addresses_release(arpd, &wanted), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(stopped, 2);
}

static void test_the_kernel_refuses(void **state)
{
	char *problem;

	add_result = EPERM;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), EPERM);
	assert_non_null(strstr(problem, "cannot add 10.77.0.200/24 to lan"));
	assert_int_equal(announced, 0);
	assert_int_equal(tickled, 0);
}

static void hear(const struct net_mac *mac)
{
	const struct frame_claim claim = {
		.address = address("10.77.0.201"),
		.mac = *mac,
		.is_claim = true,
	};

	addresses_heard(arpd->addresses, LAN, &claim);
}

static void test_who_is_contradicted(void **state)
{
	hear(&foreign);
	assert_int_equal(contradicted, 1);
	hear(&lan.mac);
	assert_int_equal(contradicted, 1);
	/* We pass it for the node that claims it: it is back. */
	arpd->plan->num_passing = 1;
	arpd->plan->passing[0] = (struct plan_passing){
		.address = address("10.77.0.201"), .node = 1,
	};
	hear(&path.their_mac);
	assert_int_equal(contradicted, 1);
	hear(&foreign);
	assert_int_equal(contradicted, 2);
}

/* Nobody can answer on a dead port; pass-through takes care of it. */
static void test_without_carrier(void **state)
{
	char *problem;

	lan.carrier = false;
	assert_int_equal(take("10.77.0.200/24", "lan", &problem), 0);
	assert_int_equal(probes, 0);
	assert_int_equal(added, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_free_address),
		TEST(test_interface_by_network),
		TEST(test_it_is_here),
		TEST(test_somebody_has_it),
		TEST(test_somebody_probes_for_it),
		TEST(test_own_frames_are_no_claim),
		TEST(test_a_living_node_holds_it),
		TEST(test_the_kernel_of_a_node_that_was_fenced),
		TEST(test_again_when_it_is_free),
		TEST(test_not_again_after_its_release),
		TEST(test_released_while_it_is_probed),
		TEST(test_release),
		TEST(test_the_kernel_refuses),
		TEST(test_who_is_contradicted),
		TEST(test_without_carrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
