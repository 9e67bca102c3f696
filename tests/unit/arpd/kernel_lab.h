/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network of its own for a test program, with the real kernel: lan0 and ic0
 * are arpd's, other0 is not; lan0p, ic0p, other0p are the far ends.
 */

#ifndef TEST_KERNEL_LAB_H
#define TEST_KERNEL_LAB_H

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernel.h"

#define LAB_DUMP "ip -d addr | grep -v valid_lft; " \
	"ip -4 route show table all; ip -6 route show table all; " \
	"ip -4 rule; ip -6 rule; " \
	"ip neigh show nud permanent | grep -v ff02; ip neigh show proxy; " \
	"nft list ruleset; " \
	"cd /proc/sys/net && grep -H . ipv[46]/conf/*/* ipv[46]/neigh/*/* " \
	"2>/dev/null | grep -v -e stable_secret -e gc_stale -e mtu"

static struct net_address lab_addresses[2];
static struct settings lab_settings = {
	.interfaces = { { "ic0", true }, { "lan0", false } },
	.num_interfaces = 2,
	.num_nodes = 4,
	.addresses = lab_addresses,
	.num_addresses = 2,
};
static char lab_directory[] = "/tmp/test-kernel-XXXXXX";

static inline struct net_address lab_address(const char *text)
{
	struct net_address address;

	if (!net_address_parse(text, &address)) {
		fprintf(stderr, "no address: %s\n", text);
		abort();
	}
	return address;
}

static inline void lab_run(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

/* What it prints; free() it. */
static inline char *lab_output(const char *command)
{
	FILE *file = popen(command, "r");
	size_t used = 0, size = 1 << 22;
	char *output = malloc(size);

	used = fread(output, 1, size - 1, file);
	output[used] = '\0';
	pclose(file);
	return output;
}

static inline bool lab_has(const char *command, const char *what)
{
	char *output = lab_output(command);
	bool found = strstr(output, what) != NULL;

	free(output);
	return found;
}

static inline uint32_t lab_index(const char *name)
{
	return if_nametoindex(name);
}

static inline void lab_links(void)
{
	/* Its own addresses at once: later they would be changes. */
	lab_run("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; "
		"echo 0 >/proc/sys/net/ipv6/conf/default/dad_transmits; "
		"for i in lan0 ic0 other0; do "
		"ip link add $i type veth peer name ${i}p && "
		"ip link set $i up && ip link set ${i}p up || exit 1; done");
	lab_run("ip addr add 10.0.0.1/24 dev lan0 && "
		"ip -6 addr add fd00::1/64 dev lan0 nodad && "
		"ip addr add 10.255.0.1/32 dev lo && ip link set lo up");
}

static inline int lab_up(void **state)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	if (unshare(CLONE_NEWNET) != 0 || mkdtemp(lab_directory) == NULL) {
		perror("a network namespace (as root)");
		return -1;
	}
	lab_settings.run_directory = lab_directory;
	lab_settings.user = "nobody";
	lab_settings.nodes[0] = lab_address("10.255.0.1");
	lab_settings.nodes[1] = lab_address("10.255.0.2");
	lab_settings.nodes[3] = lab_address("fd00:255::3");
	lab_addresses[0] = lab_address("10.0.0.5/24");
	lab_addresses[1] = lab_address("fd00::5/64");
	lab_links();
	return 0;
}

static inline int lab_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", lab_directory);
	return system(command);
}

static const struct net_mac lab_mac = { { 2, 0, 0, 0, 0, 9 } };

/* A plan with a row of everything, of both families: node 1 is to be reached
 * by ic0; its addresses are passed through. */
static inline void lab_plan(struct kernel_plan *plan)
{
	uint32_t lan = lab_index("lan0"), ic = lab_index("ic0");
	static const struct {
		const char *passed;
		const char *gateway;
	} families[] = {
		{ "10.0.0.6", "169.254.67.2" },
		{ "fd00::6", "fe80::67:2" },
	};
	size_t i;

	memset(plan, 0, sizeof(*plan));
	plan->neighbours[plan->num_neighbours++] = (struct kernel_neighbour){
		lab_address("10.255.0.2"), ic, lab_mac };
	plan->routes[plan->num_routes++] = (struct kernel_route){
		.destination = lab_address("10.255.0.2"),
		.interface = ic,
		.source = lab_address("10.255.0.1") };
	for (i = 0; i < 2; i++) {
		struct net_address passed = lab_address(families[i].passed);
		struct net_address gateway = lab_address(families[i].gateway);
		struct net_address all = { .family = passed.family };

		plan->neighbours[plan->num_neighbours++] =
			(struct kernel_neighbour){ gateway, ic, lab_mac };
		plan->routes[plan->num_routes++] = (struct kernel_route){
			.destination = passed,
			.interface = ic, .gateway = gateway };
		plan->routes[plan->num_routes++] = (struct kernel_route){
			.destination = all, .table = ARPD_TABLE + 1,
			.interface = ic, .gateway = gateway };
		plan->rules[plan->num_rules++] = (struct kernel_rule){
			lab_addresses[i], ARPD_TABLE + 1 };
		plan->proxies[plan->num_proxies++] = (struct kernel_proxy){
			passed, lan };
		plan->forwards[plan->num_forwards++] = (struct kernel_forward){
			passed, lan, ic };
		plan->silences[plan->num_silences++] = (struct kernel_silence){
			lab_addresses[i], lan };
		plan->doubles[plan->num_doubles++] = (struct kernel_double){
			lab_addresses[i], lan, gateway, ic };
	}
}

#endif /* TEST_KERNEL_LAB_H */
