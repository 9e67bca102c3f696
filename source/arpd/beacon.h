/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Beacons: what nodes tell each other twenty times a second on every path.
 *
 * Owns: the frame, its authentication with the cluster key (R6), taking it
 * apart.
 * Does not own: when they are sent, what is believed of them (peers.h).
 *
 * An Ethernet frame, EtherType 0x88b5 (for local experiments; IEEE 802), to
 * the group address BEACON_GROUP. Integers are big endian:
 *
 *   magic "SMBB"  version u8 (1)  flags u8  size u16 (of all, without the HMAC)
 *   node u32  interface u32  session u64  sequence u64  count u64  mac[6]
 *   num_hearings u8  num_addresses u8
 *   hearings:  node u32, interface u32, their_interface u32, session u64,
 *              sequence u64, age_us u32
 *   addresses: family u8 (2: IPv4, 10: IPv6), state u8, node u32, bytes[16]
 *   HMAC-SHA256 of all from the magic on, with a key derived from the cluster
 *   key: HMAC-SHA256(cluster key, "samba-mirror beacon 1")
 *
 * What comes behind the HMAC is padding and not looked at.
 */

#ifndef ARPD_BEACON_H
#define ARPD_BEACON_H

#include "net.h"

#define BEACON_ETHERTYPE 0x88b5
#define BEACON_GROUP { { 0x03, 0x53, 0x4d, 0x42, 0x42, 0x31 } }
extern const struct net_mac beacon_group;	/* the same */
#define BEACON_FRAME_MAX 1514
#define BEACON_HEARINGS_MAX 20
#define BEACON_ADDRESSES_MAX 32

/* The last that this node heard of another one, on one interface. */
struct beacon_hearing {
	uint32_t node;			/* who was heard */
	uint32_t interface;		/* ours: where */
	uint32_t their_interface;	/* from which one of theirs */
	uint64_t session;		/* of the last beacon */
	uint64_t sequence;
	uint32_t age_us;		/* since then; UINT32_MAX: longer */
};

enum beacon_address_state {
	BEACON_HELD = 1,	/* it is here; node: who is to pass it
				   through, or NET_NOBODY */
	BEACON_PASSING = 2,	/* we pass it through for node */
	BEACON_HELD_CUT = 3,	/* as HELD, and its port has no carrier: there
				   is no doubt whose port is dead */
	BEACON_ADDRESS_STATE_END
};

struct beacon_address {
	enum beacon_address_state state;
	uint32_t node;
	struct net_address address;
};

#define BEACON_BYE 0x01		/* arpd ends on purpose: no alarm */
#define BEACON_STARTING 0x02	/* it does not know yet what it holds: what
				   was known before still counts */

struct beacon {
	uint8_t flags;
	uint32_t node;
	uint32_t interface;	/* index at the sender */
	uint64_t session;	/* random, of this arpd process */
	uint64_t sequence;	/* of all beacons of the session */
	uint64_t count;		/* of the session's on this interface: what is
				   missing on a path is known, not guessed */
	struct net_mac mac;	/* of the interface; what the frame says can
				   be anybody's */
	uint32_t num_hearings;
	struct beacon_hearing hearings[BEACON_HEARINGS_MAX];
	uint32_t num_addresses;
	struct beacon_address addresses[BEACON_ADDRESSES_MAX];
};

struct beacon_key;

/* The cluster key's file, as link_key_load() wants it (peer_link.h). */
int beacon_key_load(TALLOC_CTX *mem_ctx, const char *path,
		    struct beacon_key **key, char **problem);

/* The same for a key that is there already. 0 or errno. */
int beacon_key_derive(TALLOC_CTX *mem_ctx,
		      const uint8_t *bytes, size_t size,
		      struct beacon_key **key);

#define BEACON_HMAC_SIZE 32

/* For other frames of ours. False: no memory. */
bool beacon_hmac(const struct beacon_key *key, const uint8_t *bytes,
		 size_t size, uint8_t digest[BEACON_HMAC_SIZE]);

/*
 * The whole frame, with its Ethernet header; 0: cannot be sent (too many rows,
 * no session, no interface, no MAC of an interface, a family or state that
 * does not exist).
 */
size_t beacon_push(const struct beacon_key *key,
		   const struct beacon *beacon,
		   uint8_t frame[BEACON_FRAME_MAX]);

/*
 * 0; EBADMSG: no beacon (or one that beacon_push() would not make), EACCES: not
 * of somebody who has our key. Nothing but the size is looked at before the
 * HMAC is. Addresses have all bits as prefix.
 */
int beacon_pull(const struct beacon_key *key,
		const uint8_t *frame, size_t length,
		struct beacon *beacon);

#endif /* ARPD_BEACON_H */
