/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which sysctls a plan needs, see kernel.h.
 *
 * While arpd runs, on its interfaces: rp_filter is loose (paths differ in the
 * two directions while a path is down), promote_secondaries is on (an address
 * that goes does not take the others of its network along).
 * While it passes addresses through, on the two interfaces: forwarding, no
 * redirects, answers without delay.
 *
 * IPv6 forwards by interface from Linux 6.17 on (force_forwarding). Before
 * that it is a switch for all interfaces, and with it they would no longer
 * believe routers: accept_ra becomes 2 where it was 1.
 */

#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "kernel.h"

#define CONF_IPV4 "net/ipv4/conf"
#define CONF_IPV6 "net/ipv6/conf"

/* false: there cannot be such a long one. */
static bool conf_path(struct kernel_sysctl *row, const char *directory,
		      const char *name, const char *key)
{
	int length = snprintf(row->path, sizeof(row->path), "%s/%s/%s",
			      directory, name, key);

	return length > 0 && length < (int)sizeof(row->path);
}

static void want(struct kernel_wanted *wanted, int value, bool always,
		 const char *directory, const char *name, const char *key)
{
	struct kernel_sysctl row = { .value = value, .always = always };
	uint32_t i;

	if (wanted->num == KERNEL_SYSCTLS_MAX ||
	    !conf_path(&row, directory, name, key)) {
		return;
	}
	for (i = 0; i < wanted->num; i++) {
		if (strcmp(wanted->rows[i].path, row.path) == 0) {
			return;
		}
	}
	wanted->rows[wanted->num++] = row;
}

static int read_conf(const char *directory, const char *name, const char *key)
{
	struct kernel_sysctl row = { .value = 0 };

	return conf_path(&row, directory, name, key) ?
		kernel_sysctl_read(row.path) : -1;
}

static bool is_ours(const struct kernel *kernel, const char *directory,
		    const char *name, const char *key, int value)
{
	struct kernel_sysctl row = { .value = 0 };

	return conf_path(&row, directory, name, key) &&
		kernel_sysctl_is_ours(kernel->sysctls, row.path, value);
}

static void close_interface(struct kernel_closed *closed, uint32_t interface)
{
	uint32_t i;

	for (i = 0; i < closed->num_interfaces; i++) {
		if (closed->interfaces[i] == interface) {
			return;
		}
	}
	if (i < sizeof(closed->interfaces) / sizeof(closed->interfaces[0])) {
		closed->interfaces[closed->num_interfaces++] = interface;
	}
}

/* ------------------------------------------------------- while arpd runs */

static void want_always(const struct kernel *kernel,
			struct kernel_wanted *wanted)
{
	const struct settings *settings = kernel->settings;
	int all = read_conf(CONF_IPV4, "all", "rp_filter");
	uint32_t i;

	for (i = 0; i < settings->num_interfaces; i++) {
		const char *name = settings->interfaces[i].name;
		int own = read_conf(CONF_IPV4, name, "rp_filter");

		/* The kernel takes the larger one: 1 is strict, 2 loose. */
		if ((all == 1 && own < 2) || own == 1 ||
		    (own == 2 && is_ours(kernel, CONF_IPV4, name, "rp_filter",
					 2))) {
			want(wanted, 2, false, CONF_IPV4, name, "rp_filter");
		}
		if (!settings->interfaces[i].interconnect) {
			want(wanted, 1, false, CONF_IPV4, name,
			     "promote_secondaries");
		}
	}
}

/* ------------------------------------------------------------------- IPv4 */

static void want_forwarding_ipv4(const struct kernel *kernel,
				 struct kernel_wanted *wanted,
				 uint32_t interface)
{
	char name[IF_NAMESIZE];

	if (if_indextoname(interface, name) == NULL) {
		return;
	}
	if (is_ours(kernel, CONF_IPV4, name, "forwarding", 1)) {
		close_interface(&wanted->ipv4, interface);
	}
	/* Either of the two makes the kernel send them. */
	want(wanted, 0, false, CONF_IPV4, "all", "send_redirects");
	want(wanted, 0, false, CONF_IPV4, name, "send_redirects");
	want(wanted, 1, false, CONF_IPV4, name, "forwarding");
}

/* ------------------------------------------------------------------- IPv6 */

/* Routes that came from routers are kept only where accept_ra is 2. */
static void want_accept_ra(const struct kernel *kernel,
			   struct kernel_wanted *wanted, bool forward_all)
{
	struct dirent *entry;
	DIR *directory;

	if (wanted->routers_kept && (wanted->all_kept || !forward_all)) {
		return;
	}
	wanted->routers_kept = true;
	wanted->all_kept = forward_all;
	directory = opendir("/proc/sys/" CONF_IPV6);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		const char *name = entry->d_name;

		if (name[0] == '.' || strcmp(name, "all") == 0) {
			continue;
		}
		if (read_conf(CONF_IPV6, name, "accept_ra") == 1 ||
		    is_ours(kernel, CONF_IPV6, name, "accept_ra",
			    read_conf(CONF_IPV6, name, "accept_ra"))) {
			want(wanted, 2, false, CONF_IPV6, name, "accept_ra");
		}
		if (forward_all) {
			/* Switching all off switches these off. */
			want(wanted, 1, true, CONF_IPV6, name, "forwarding");
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
}

static bool has_force_forwarding(const struct kernel *kernel)
{
	return !kernel->without_force_forwarding &&
		read_conf(CONF_IPV6, "default", "force_forwarding") != -1;
}

static void want_forwarding_ipv6(const struct kernel *kernel,
				 struct kernel_wanted *wanted,
				 uint32_t interface)
{
	bool all_is_ours = is_ours(kernel, CONF_IPV6, "all", "forwarding", 1);
	char name[IF_NAMESIZE];

	if (if_indextoname(interface, name) == NULL) {
		return;
	}
	if (!all_is_ours) {
		/* A router already: no filter of ours. */
		return;
	}
	if (has_force_forwarding(kernel)) {
		if (is_ours(kernel, CONF_IPV6, name, "force_forwarding", 1)) {
			close_interface(&wanted->ipv6, interface);
		}
		want(wanted, 1, false, CONF_IPV6, name, "force_forwarding");
		return;
	}
	wanted->ipv6.all = true;
	want_accept_ra(kernel, wanted, true);
	want(wanted, 1, false, CONF_IPV6, "all", "forwarding");
}

static void want_proxy_ipv6(const struct kernel *kernel,
			    struct kernel_wanted *wanted, const char *name)
{
	/* The kernel answers for others only where it is a router. */
	want_accept_ra(kernel, wanted, false);
	want(wanted, 1, false, CONF_IPV6, name, "forwarding");
	want(wanted, 1, false, CONF_IPV6, name, "proxy_ndp");
}

/* -------------------------------------------------------------------- plan */

static void want_forwarding(const struct kernel *kernel,
			    struct kernel_wanted *wanted,
			    uint8_t family, uint32_t interface)
{
	if (family == AF_INET) {
		want_forwarding_ipv4(kernel, wanted, interface);
	} else {
		want_forwarding_ipv6(kernel, wanted, interface);
	}
}

static void want_proxy(const struct kernel *kernel,
		       struct kernel_wanted *wanted,
		       const struct kernel_proxy *row)
{
	bool ipv6 = row->address.family == AF_INET6;
	char name[IF_NAMESIZE];

	if (if_indextoname(row->interface, name) == NULL) {
		return;
	}
	want(wanted, 0, false, ipv6 ? "net/ipv6/neigh" : "net/ipv4/neigh",
	     name, "proxy_delay");
	want_forwarding(kernel, wanted, row->address.family, row->interface);
	if (ipv6) {
		want_proxy_ipv6(kernel, wanted, name);
	}
}

void kernel_want(const struct kernel *kernel, const struct kernel_plan *plan,
		 struct kernel_wanted *wanted)
{
	uint32_t i;

	if (kernel->settings != NULL) {
		want_always(kernel, wanted);
	}
	for (i = 0; i < plan->num_forwards; i++) {
		const struct kernel_forward *row = &plan->forwards[i];

		want_forwarding(kernel, wanted, row->address.family,
				row->outside);
		want_forwarding(kernel, wanted, row->address.family,
				row->inside);
	}
	for (i = 0; i < plan->num_proxies; i++) {
		want_proxy(kernel, wanted, &plan->proxies[i]);
	}
}
