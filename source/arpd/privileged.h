/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The privileged part of arpd: what the rest asks of the kernel and of ctdb.
 *
 * arpd is two processes. This one stays root, reads nothing from the network,
 * and knows a short list of requests. The other one (everything else) parses
 * what comes from the network, as nobody and behind a seccomp filter.
 *
 * Owns: raw sockets until they are handed over; routes, rules, neighbours,
 * proxies, addresses, nftables and sysctls that arpd changes; destroying TCP
 * connections to a dead node; starting mirror-ctdb-death.
 * Does not own: any decision (plan.h).
 *
 * Requests go over a socketpair, one packet each way, in order. Every field of
 * a request is checked again on this side: interfaces are those of the
 * settings, nodes those of ctdb's nodes file.
 *
 * All that is added is marked (ARPD_PROTOCOL, ARPD_RULE_PRIORITY, nftables
 * tables `samba_mirror'), so that the next arpd finds it, and arpd --flush.
 * Nothing of it goes when arpd ends.
 *
 * Sysctls have no marks: what they were before is in arpd.sysctls in the run
 * directory. On the interfaces of the settings rp_filter becomes loose where
 * it was strict (a path that is down in one direction makes the other one look
 * wrong), and promote_secondaries is on. While addresses are passed through,
 * the interfaces concerned forward, and send no redirects.
 */

#ifndef ARPD_PRIVILEGED_H
#define ARPD_PRIVILEGED_H

#include "net.h"
#include "settings.h"

#define ARPD_RULE_PRIORITY 4380	/* and the next ones */
#define ARPD_TABLE 4380		/* table of replies through node n: + n */
/* The table of what is local: the destination is a broadcast address of a
 * client network, also for what comes in by that interface. */
#define ARPD_BROADCAST 255
#define ARPD_NFT_TABLE "samba_mirror"

/* ------------------------------------------------------------------- plan */

#define KERNEL_ROWS_MAX 128

/* A route has a next hop that no ARP has to be asked about. */
struct kernel_neighbour {
	struct net_address address;	/* any host */
	uint32_t interface;	/* index, as everywhere */
	struct net_mac mac;
};

struct kernel_route {
	struct net_address destination;	/* prefix 0: the default route */
	uint32_t table;			/* 0: main, for single hosts of ours
					   only; ARPD_TABLE + n; or
					   ARPD_BROADCAST */
	uint32_t interface;
	struct net_address gateway;	/* family 0: none; else on link; for
					   IPv4 it may be an IPv6 one */
	struct net_address source;	/* family 0: the kernel's choice */
};

/* What has this source goes by that table. */
struct kernel_rule {
	struct net_address from;
	uint32_t table;
};

/* The kernel answers ARP requests, neighbour solicitations, there. At once. */
struct kernel_proxy {
	struct net_address address;
	uint32_t interface;
};

/* Forward what goes to the address from outside to inside, and what comes
 * from it from inside to outside. Nothing else is forwarded between
 * interfaces that did not forward before. */
struct kernel_forward {
	struct net_address address;
	uint32_t outside;
	uint32_t inside;
};

/* No ARP or neighbour message of ours on the interface names the address. */
struct kernel_silence {
	struct net_address address;
	uint32_t interface;
};

/* What the address sends out of one interface goes to the gateway by the
 * other one, too. */
struct kernel_double {
	struct net_address address;
	uint32_t interface;
	struct net_address gateway;
	uint32_t other;
};

/* All that shall be there, addresses excepted. What is not in it is removed. */
struct kernel_plan {
	struct kernel_neighbour neighbours[KERNEL_ROWS_MAX];
	struct kernel_route routes[KERNEL_ROWS_MAX];
	struct kernel_rule rules[KERNEL_ROWS_MAX];
	struct kernel_proxy proxies[KERNEL_ROWS_MAX];
	struct kernel_forward forwards[KERNEL_ROWS_MAX];
	struct kernel_silence silences[KERNEL_ROWS_MAX];
	struct kernel_double doubles[KERNEL_ROWS_MAX];
	uint32_t num_neighbours;
	uint32_t num_routes;
	uint32_t num_rules;
	uint32_t num_proxies;
	uint32_t num_forwards;
	uint32_t num_silences;
	uint32_t num_doubles;
};

/* ---------------------------------------------------------------- requests */

/* What a packet socket receives; it can send whatever. */
enum raw_kind {
	RAW_BEACON,	/* our EtherType, with our multicast address joined */
	RAW_ARP,	/* ARP, also what is not for us */
	RAW_ND,		/* IPv6 neighbour solicitations and advertisements */
	RAW_NETBIOS,	/* IPv4 UDP to port 137 or 138, link broadcasts only */
	/* Of no interface: whole IP packets, to be sent only. */
	RAW_TICKLE,
	RAW_TICKLE6,
	RAW_KIND_END
};

struct privileged;

/*
 * Start the privileged part: this process becomes the unprivileged child (it
 * returns), the caller's process stays as the privileged one and never
 * returns; it ends when the child ends, or starts it again. Call it before
 * anything is opened. EVENTs are logged by both.
 *
 * The parent passes SIGTERM, SIGINT and SIGHUP on. A child that ends with exit
 * status 0 or EX_CONFIG (a wrong setting: another try would be no better) takes
 * the parent with it; in all other cases it is started again, five times in
 * ten seconds at most. A parent that dies takes the child with it at once.
 *
 * It is also started again, with *settings that are read anew, when the files
 * in settings->base (NULL: never) have changed; wrong ones change nothing.
 *
 * 0 or errno; *problem (child of mem_ctx) says what to do.
 */
int privileged_start(TALLOC_CTX *mem_ctx,
		     const struct settings **settings,
		     struct privileged **privileged,
		     char **problem);

/* After all is opened: nobody, no capabilities, seccomp. ENOENT: there is no
 * such user; EINVAL: it is root. From then on nothing can be opened but sockets
 * of AF_UNIX; a system call that is not on the list (sandbox.c) kills. */
int privileged_sandbox(const char *user);

/*
 * These block, for milliseconds. 0 or errno; EPERM or EINVAL: refused by the
 * other side, which logs it; ENODEV: an interface has just gone.
 * A privileged part that is gone ends this process.
 */
/* The first error; what else can be done is done. EEXIST: there is a route of
 * somebody else's to the same destination; it stays. What is gone from the
 * kernel meanwhile (an interface was down) comes back by the same plan. */
int privileged_apply(struct privileged *privileged,
		     const struct kernel_plan *plan);
/* A non-blocking packet socket bound to the interface. */
int privileged_open(struct privileged *privileged,
		    enum raw_kind kind, uint32_t interface, int *fd);
/* EEXIST: it is there. IPv6 without duplicate detection of the kernel's. */
int privileged_address(struct privileged *privileged,
		       bool add,
		       const struct net_address *address,
		       uint32_t interface);
/* Destroy ctdb's TCP connections to the node's identity address; harmless if
 * the node lives: ctdb connects again. */
int privileged_disconnect(struct privileged *privileged, uint32_t node);
/* Run mirror-ctdb-death for the node; returns at once. EALREADY: it runs. */
int privileged_death(struct privileged *privileged, uint32_t node);

/* For arpd --flush: without a child. Removes all that has our marks. */
int privileged_flush(TALLOC_CTX *mem_ctx, char **problem);

#endif /* ARPD_PRIVILEGED_H */
