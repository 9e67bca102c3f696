/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's side of arpd, as the privileged part uses it.
 *
 * Owns: what of the kernel's state has our marks; bringing it to what a plan
 * says with the fewest changes.
 * Does not own: whether a request may be made (privileged_check.c).
 *
 * All return 0 or errno. Nothing of the network waits for what is removed:
 * what a plan adds is there before what it lacks goes.
 */

#ifndef ARPD_KERNEL_H
#define ARPD_KERNEL_H

#include <netlink/netlink.h>
#include "privileged.h"

#define KERNEL_RUN_DIRECTORY "/run/samba-mirror"
#define KERNEL_SYSCTL_FILE "arpd.sysctls"

struct kernel_sysctls;

struct kernel {
	const struct settings *settings;	/* NULL: flush */
	struct nl_sock *route;
	struct kernel_sysctls *sysctls;
	/* interfaces of the last plan's silences */
	uint32_t silent[KERNEL_ROWS_MAX];
	uint32_t num_silent;
	char *nft;		/* the last that was applied; NULL: not known */
	/* As on kernels before 6.17, which have no force_forwarding. */
	bool without_force_forwarding;
};

/* run_directory is where is written what sysctls were before. */
int kernel_new(TALLOC_CTX *mem_ctx,
	       const struct settings *settings,
	       const char *run_directory,
	       struct kernel **kernel);

/* The first error; the other rows are done nevertheless. */
int kernel_apply(struct kernel *kernel, const struct kernel_plan *plan);

/* Removes all that has our marks, addresses too. */
int kernel_flush(struct kernel *kernel);

/* kernel_unresolved.c: neighbours that the kernel asked for in vain. */
int kernel_forget_unresolved(struct kernel *kernel, uint32_t interface);

int kernel_address(struct kernel *kernel, bool add,
		   const struct net_address *address, uint32_t interface);
int kernel_flush_addresses(struct kernel *kernel);

/* A packet socket; whoever gets it cannot make it receive more. */
int kernel_open(enum raw_kind kind, uint32_t interface, int *fd);

/* TCP connections between any node's address and this one, of ctdb's port. */
int kernel_disconnect(const struct settings *settings, uint32_t node);

/* ---------------------------------------------------------------- netlink */

/* message is freed. */
int kernel_talk(struct nl_sock *sock, struct nl_msg *message);

typedef void (*kernel_found)(const struct nlmsghdr *header,
			     void *private_data);

/* found is called for each; EINTR: it changed meanwhile, begin again. */
int kernel_dump(struct nl_sock *sock, struct nl_msg *message,
		kernel_found found, void *private_data);
/* nl_socket_free() it. */
int kernel_socket(int protocol, struct nl_sock **sock);

/* --------------------------------------------------------------- nftables */

/* Interfaces that forward only because of us. */
struct kernel_closed {
	uint32_t interfaces[2 * SETTINGS_INTERFACES_MAX];
	uint32_t num_interfaces;
	bool all;	/* no interface forwarded before */
};

/* Name of an interface; NULL: there is none. */
typedef const char *(*kernel_name)(uint32_t interface,
				   char name[NET_NAME_SIZE]);

/*
 * What nft is to read: replaces our tables in one transaction. Child of
 * mem_ctx. NULL: no memory, or an interface without (a sane) name.
 */
char *kernel_nft_text(TALLOC_CTX *mem_ctx,
		      const struct kernel_plan *plan,
		      const struct kernel_closed *ipv4,
		      const struct kernel_closed *ipv6,
		      kernel_name name);
int kernel_nft_apply(struct kernel *kernel, const struct kernel_plan *plan,
		     const struct kernel_closed *ipv4,
		     const struct kernel_closed *ipv6);

/* ---------------------------------------------------------------- sysctls */

struct kernel_sysctl {
	char path[96];	/* below /proc/sys */
	int value;
	bool always;	/* the old value is put back in any case, even if it is
			   the same: another one changes it, too */
};

#define KERNEL_SYSCTLS_MAX 512

/* In the order in which they are set; put back in the reverse one. */
struct kernel_wanted {
	struct kernel_sysctl rows[KERNEL_SYSCTLS_MAX];
	uint32_t num;
	struct kernel_closed ipv4;
	struct kernel_closed ipv6;
	/* what goes for all interfaces is in it already */
	bool routers_kept;
	bool all_kept;
};

/* What the plan and the settings need. */
void kernel_want(const struct kernel *kernel, const struct kernel_plan *plan,
		 struct kernel_wanted *wanted);

int kernel_sysctls_load(TALLOC_CTX *mem_ctx, const char *run_directory,
			struct kernel_sysctls **sysctls);
/* -1: there is none. */
int kernel_sysctl_read(const char *path);
/* Did we set it, or would it be us? */
bool kernel_sysctl_is_ours(const struct kernel_sysctls *sysctls,
			   const char *path, int value);
int kernel_sysctls_restore(struct kernel_sysctls *sysctls,
			   const struct kernel_wanted *wanted);
int kernel_sysctls_set(struct kernel_sysctls *sysctls,
		       const struct kernel_wanted *wanted);

#endif /* ARPD_KERNEL_H */
