/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The interfaces of the settings, and their addresses, as the kernel tells.
 *
 * Owns: a routing netlink socket (no privileges needed), what it said.
 * Does not own: what is made of it.
 */

#ifndef ARPD_INTERFACES_H
#define ARPD_INTERFACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>
#include <tevent.h>
#include "net.h"
#include "settings.h"

#define INTERFACE_ADDRESSES_MAX 64

struct interface_address {
	struct net_address address;	/* with its prefix */
	uint8_t protocol;		/* ARPD_PROTOCOL: we added it */
};

struct interface {
	uint32_t index;		/* 0: there is no such interface now */
	char name[NET_NAME_SIZE];
	bool interconnect;
	bool carrier;		/* up, and running */
	uint64_t carrier_since;	/* ms of clock.h, of the last change */
	/* ms, when anything was last received; told by interfaces_count() */
	uint64_t received_at;
	uint64_t received;
	uint32_t mtu;
	struct net_mac mac;
	struct interface_address addresses[INTERFACE_ADDRESSES_MAX];
	uint32_t num_addresses;
};

struct interfaces;

enum interfaces_change {
	INTERFACES_LINK,	/* carrier, index, MAC */
	INTERFACES_ADDRESS
};

/* interface: what changed; valid during the call. */
typedef void (*interfaces_changed)(void *private_data,
				   const struct interface *interface,
				   enum interfaces_change change);

/* Reads all that there is, then watches. changed() must only note that there is
 * something to look at, and look later. 0 or errno. */
int interfaces_new(TALLOC_CTX *mem_ctx,
		   struct tevent_context *ev,
		   const struct settings *settings,
		   interfaces_changed changed,
		   void *private_data,
		   struct interfaces **interfaces);

/* In the order of the settings. Rows never move. */
const struct interface *interfaces_list(const struct interfaces *interfaces,
					uint32_t *count);
/* NULL: none of ours. */
const struct interface *interfaces_by_index(
	const struct interfaces *interfaces, uint32_t index);
/* The one that has the address; NULL: none. */
const struct interface *interfaces_by_address(
	const struct interfaces *interfaces,
	const struct net_address *address);
/* A client interface whose network the address is in, not counting the address
 * itself; *prefix is that network's. NULL: none. */
const struct interface *interfaces_for_address(
	const struct interfaces *interfaces,
	const struct net_address *address,
	uint8_t *prefix);
/* Ask the kernel how many packets came in. */
void interfaces_count(struct interfaces *interfaces);

/* Messages of the kernel, as they came; for the fuzzer. */
void interfaces_take(struct interfaces *interfaces, uint8_t *data,
		     size_t length);

/* Is the address on this machine, on any interface (lo, too)? */
bool interfaces_is_local(const struct interfaces *interfaces,
			 const struct net_address *address);

#endif /* ARPD_INTERFACES_H */
