/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans in the kernel: applied, changed, taken over, removed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include "kernel_lab.h"

static struct kernel *start(void)
{
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_new(NULL, &lab_settings, lab_directory,
				    &kernel), 0);
	return kernel;
}

static void flush(void)
{
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_new(NULL, NULL, lab_directory, &kernel), 0);
	assert_int_equal(kernel_flush(kernel), 0);
	talloc_free(kernel);
}

static void assert_same(char *before, char *after)
{
	if (strcmp(before, after) != 0) {
		FILE *a = fopen("/tmp/test-kernel.before", "w");
		FILE *b = fopen("/tmp/test-kernel.after", "w");

		fputs(before, a);
		fputs(after, b);
		fclose(a);
		fclose(b);
		(void)!system("diff /tmp/test-kernel.before "
			      "/tmp/test-kernel.after >&2");
		fail();
	}
	free(before);
	free(after);
}

/* ip monitor in the background, until it is stopped. */
struct monitor {
	FILE *file;
	pid_t pid;
};

/* Has it seen that the entry was deleted again? */
static bool saw(struct monitor *monitor, const char *entry)
{
	struct pollfd pollfd = { .fd = fileno(monitor->file),
				 .events = POLLIN };
	char line[512];

	while (poll(&pollfd, 1, 100) == 1 &&
	       fgets(line, sizeof(line), monitor->file) != NULL) {
		if (strncmp(line, "Deleted", 7) == 0 &&
		    strstr(line, entry) != NULL) {
			return true;
		}
	}
	return false;
}

static struct monitor watch(void)
{
	struct monitor monitor;
	char entry[32], command[192];
	int fds[2], tries = 0;

	assert_int_equal(pipe(fds), 0);
	monitor.pid = fork();
	if (monitor.pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execlp("ip", "ip", "-o", "monitor", "address", "route",
		       "neigh", "rule", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	monitor.file = fdopen(fds[0], "r");
	setvbuf(monitor.file, NULL, _IONBF, 0);
	/* It watches as soon as it sees what is done for that alone. */
	do {
		snprintf(entry, sizeof(entry), "10.9.9.%d ", ++tries);
		snprintf(command, sizeof(command),
			 "ip neigh replace %s lladdr 02:00:00:00:00:77 "
			 "dev other0 && ip neigh del %s dev other0", entry,
			 entry);
		lab_run(command);
	} while (!saw(&monitor, entry));
	return monitor;
}

/* Lines of what it saw, without IPv6's own. free() it. */
static char *watched(struct monitor *monitor)
{
	char *output = calloc(1, 1 << 20);
	char line[512];

	lab_run("ip neigh replace 10.9.8.1 lladdr 02:00:00:00:00:77 "
		"dev other0");
	while (fgets(line, sizeof(line), monitor->file) != NULL &&
	       strstr(line, "10.9.8.1") == NULL) {
		strcat(output, line);
	}
	kill(monitor->pid, SIGTERM);
	waitpid(monitor->pid, NULL, 0);
	fclose(monitor->file);
	lab_run("ip neigh del 10.9.8.1 dev other0");
	return output;
}

static void test_apply(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();

	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_true(lab_has("ip route show table main",
			    "10.255.0.2 dev ic0 proto 67 scope link "
			    "src 10.255.0.1"));
	assert_true(lab_has("ip route show table main",
			    "10.0.0.6 via 169.254.67.2 dev ic0 proto 67 "
			    "onlink"));
	assert_true(lab_has("ip route show table 4381",
			    "default via 169.254.67.2 dev ic0 proto 67 "
			    "onlink"));
	assert_true(lab_has("ip -6 route show table main",
			    "fd00::6 via fe80::67:2 dev ic0 proto 67 "
			    "metric 1 onlink"));
	assert_true(lab_has("ip -6 route get fd00::6", "dev ic0"));
	assert_true(lab_has("ip rule",
			    "4380:\tfrom 10.0.0.5 lookup 4381 proto 67"));
	assert_true(lab_has("ip -6 rule",
			    "4380:\tfrom fd00::5 lookup 4381 proto 67"));
	assert_true(lab_has("ip -d neigh show nud permanent",
			    "10.255.0.2 dev ic0 lladdr 02:00:00:00:00:09 "
			    "PERMANENT proto 67"));
	assert_true(lab_has("ip -d neigh show proxy",
			    "10.0.0.6 dev lan0 proxy proto 67"));
	assert_true(lab_has("ip -d neigh show proxy",
			    "fd00::6 dev lan0 proxy proto 67"));
	assert_true(lab_has("nft list ruleset", "arp saddr ip 10.0.0.5 drop"));
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/lan0/forwarding"),
			 1);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/ic0/forwarding"),
			 1);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/other0/forwarding"),
			 0);
	assert_int_equal(kernel_sysctl_read("net/ipv4/neigh/lan0/proxy_delay"),
			 0);
	assert_int_equal(kernel_sysctl_read("net/ipv6/conf/lan0/proxy_ndp"),
			 1);
	talloc_free(kernel);
	flush();
}

/* Somebody is asked for who does not answer; a packet waits for him. */
static void ask_in_vain(void)
{
	lab_run("ip neigh flush dev lan0 || true");
	lab_run("echo | timeout 1 bash -c 'cat >/dev/udp/10.0.0.77/9'");
	assert_true(lab_has("ip neigh show dev lan0", "10.0.0.77"));
}

/* What waits would keep TCP from sending it by another way. */
static void test_unresolved(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();

	lab_plan(&plan);
	plan.num_silences = 0;
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	ask_in_vain();
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_true(lab_has("ip neigh show dev lan0", "10.0.0.77"));
	/* A silence begins. */
	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_false(lab_has("ip neigh show dev lan0", "10.0.0.77"));
	/* And ends. */
	ask_in_vain();
	plan.num_silences = 0;
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_false(lab_has("ip neigh show dev lan0", "10.0.0.77"));
	talloc_free(kernel);
	flush();
}

/* The same plan again, by the same process and by the next one. */
static void test_again(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();
	struct monitor monitor;
	char *before, *seen;

	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	before = lab_output(LAB_DUMP);
	monitor = watch();
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	talloc_free(kernel);
	kernel = start();
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	seen = watched(&monitor);
	assert_string_equal(seen, "");
	free(seen);
	assert_same(before, lab_output(LAB_DUMP));
	talloc_free(kernel);
	flush();
}

/* A route to a node moves to another interface without being away. */
static void test_change(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();
	struct monitor monitor;
	char *seen;

	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	monitor = watch();
	plan.routes[0].interface = lab_index("lan0");
	plan.neighbours[0].interface = lab_index("lan0");
	plan.num_rules = 1;
	plan.num_proxies = 0;
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	seen = watched(&monitor);
	assert_non_null(strstr(seen, "10.255.0.2 dev lan0 proto 67"));
	assert_null(strstr(seen, "Deleted 10.255.0.2 dev ic0 proto"));
	assert_null(strstr(seen, "Deleted 10.0.0.6"));
	free(seen);
	assert_false(lab_has("ip -6 rule", "4380:"));
	assert_true(lab_has("ip rule", "4380:"));
	assert_false(lab_has("ip neigh show proxy", "10.0.0.6"));
	assert_false(lab_has("ip neigh show nud permanent",
			     "10.255.0.2 dev ic0"));
	assert_int_equal(kernel_sysctl_read("net/ipv6/conf/lan0/proxy_ndp"),
			 0);
	talloc_free(kernel);
	flush();
}

/* IPv6 has no replacing without looking: the same for it. */
static void test_change_ipv6(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();
	struct monitor monitor;
	char *seen;

	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	monitor = watch();
	plan.routes[3].interface = lab_index("lan0");
	plan.neighbours[2].interface = lab_index("lan0");
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	seen = watched(&monitor);
	assert_non_null(strstr(seen, "fd00::6 via fe80::67:2 dev lan0"));
	assert_null(strstr(seen, "Deleted fd00::6"));
	free(seen);
	talloc_free(kernel);
	flush();
}

/* Somebody else's route stays, and the rest is done. */
static void test_foreign(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel = start();

	lab_run("ip route add 10.255.0.2 dev other0 proto static");
	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), EEXIST);
	assert_true(lab_has("ip route", "10.255.0.2 dev other0 proto static"));
	assert_true(lab_has("ip route show table 4381", "default"));
	flush();
	assert_true(lab_has("ip route", "10.255.0.2 dev other0 proto static"));
	lab_run("ip route del 10.255.0.2");
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	talloc_free(kernel);
	flush();
}

/* After --flush nothing is different from before. */
static void test_flush(void **state)
{
	struct kernel_plan plan;
	struct net_address second = lab_address("10.0.0.7/24");
	struct kernel *kernel;
	char *before;

	lab_run("echo 1 >/proc/sys/net/ipv4/conf/ic0/rp_filter; "
		"nft add table ip mine; ip rule add from 10.0.0.77 "
		"table 77 prio 4380; ip route add default dev other0 "
		"table 77; ip neigh add proxy 10.0.0.78 dev lan0; "
		"ip neigh add 10.0.0.79 dev lan0 "
		"lladdr 02:00:00:00:00:79");
	before = lab_output(LAB_DUMP);
	kernel = start();
	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/ic0/rp_filter"), 2);
	assert_int_equal(kernel_address(kernel, true, &lab_addresses[0],
					lab_index("lan0")), 0);
	assert_int_equal(kernel_address(kernel, true, &lab_addresses[1],
					lab_index("lan0")), 0);
	assert_int_equal(kernel_address(kernel, true, &second,
					lab_index("lan0")), 0);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	talloc_free(kernel);
	flush();
	assert_same(before, lab_output(LAB_DUMP));
	lab_run("nft delete table ip mine; ip rule del prio 4380; "
		"ip route flush table 77; "
		"ip neigh del proxy 10.0.0.78 dev lan0; "
		"ip neigh del 10.0.0.79 dev lan0; "
		"echo 0 >/proc/sys/net/ipv4/conf/ic0/rp_filter");
}

/* As on kernels that switch IPv6 forwarding for all interfaces only. */
static void test_flush_forwarding(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel;
	char *before;

	lab_run("echo 1 >/proc/sys/net/ipv6/conf/other0/forwarding");
	before = lab_output(LAB_DUMP);
	kernel = start();
	kernel->without_force_forwarding = true;
	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_int_equal(kernel_sysctl_read("net/ipv6/conf/all/forwarding"),
			 1);
	assert_int_equal(kernel_sysctl_read("net/ipv6/conf/lan0/accept_ra"),
			 2);
	assert_true(lab_has("nft list table ip6 samba_mirror", "\t\tdrop\n"));
	talloc_free(kernel);
	flush();
	assert_same(before, lab_output(LAB_DUMP));
	lab_run("echo 0 >/proc/sys/net/ipv6/conf/other0/forwarding");
}

/* What was a router before stays one, without a filter of ours. */
static void test_router_before(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel;

	lab_run("echo 1 >/proc/sys/net/ipv4/conf/lan0/forwarding; "
		"echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	kernel = start();
	lab_plan(&plan);
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_false(lab_has("nft list table ip samba_mirror",
			     "iifname \"lan0\" drop"));
	assert_true(lab_has("nft list table ip samba_mirror",
			    "iifname \"ic0\" drop"));
	assert_false(lab_has("nft list table ip6 samba_mirror", "drop\n\t}\n}"
			     ));
	plan.num_forwards = plan.num_proxies = 0;
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/lan0/forwarding"),
			 1);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/ic0/forwarding"),
			 0);
	assert_int_equal(kernel_sysctl_read("net/ipv6/conf/all/forwarding"),
			 1);
	talloc_free(kernel);
	flush();
	lab_run("echo 0 >/proc/sys/net/ipv4/conf/lan0/forwarding; "
		"echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
}

/* The administrator changes one of them meanwhile: his value stays. */
static void test_sysctl_of_others(void **state)
{
	struct kernel_plan plan;
	struct kernel *kernel;

	lab_run("echo 1 >/proc/sys/net/ipv4/conf/ic0/rp_filter");
	kernel = start();
	memset(&plan, 0, sizeof(plan));
	assert_int_equal(kernel_apply(kernel, &plan), 0);
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/ic0/rp_filter"), 2);
	lab_run("echo 0 >/proc/sys/net/ipv4/conf/ic0/rp_filter");
	talloc_free(kernel);
	flush();
	assert_int_equal(kernel_sysctl_read("net/ipv4/conf/ic0/rp_filter"), 0);
}

static void test_address(void **state)
{
	uint32_t lan = lab_index("lan0");
	struct kernel_plan *nothing = talloc_zero(NULL, struct kernel_plan);
	struct kernel *kernel = start();

	assert_int_equal(kernel_apply(kernel, nothing), 0);
	lab_run("ip addr del 10.0.0.1/24 dev lan0");
	assert_int_equal(kernel_address(kernel, true, &lab_addresses[0], lan),
			 0);
	assert_int_equal(kernel_address(kernel, true, &lab_addresses[0], lan),
			 EEXIST);
	assert_true(lab_has("ip addr show lan0",
			    "10.0.0.5/24 brd 10.0.0.255 scope global lan0"));
	lab_run("ip addr add 10.0.0.1/24 dev lan0");
	/* The first one of the network goes; the second one stays. */
	assert_int_equal(kernel_address(kernel, false, &lab_addresses[0], lan),
			 0);
	assert_true(lab_has("ip addr show lan0", "10.0.0.1/24"));
	assert_int_equal(kernel_address(kernel, false, &lab_addresses[0], lan),
			 EADDRNOTAVAIL);
	assert_int_equal(kernel_address(kernel, true, &lab_addresses[1], lan),
			 0);
	assert_false(lab_has("ip addr show lan0 tentative", "fd00::5"));
	assert_true(lab_has("ip addr show lan0", "fd00::5/64"));
	flush();
	assert_false(lab_has("ip addr show lan0", "fd00::5"));
	assert_true(lab_has("ip addr show lan0", "fd00::1"));
	talloc_free(kernel);
	talloc_free(nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_change_ipv6),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_flush_forwarding),
		cmocka_unit_test(test_router_before),
		cmocka_unit_test(test_sysctl_of_others),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, lab_up, lab_down);
}
