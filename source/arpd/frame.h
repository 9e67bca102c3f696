/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames that arpd makes and reads, beacons excepted: ARP, IPv6 neighbour
 * messages, NetBIOS broadcasts, TCP tickles.
 *
 * Owns: their form, and the bounds of what is read.
 * Does not own: when they are sent, who believes them.
 */

#ifndef ARPD_FRAME_H
#define ARPD_FRAME_H

#include "net.h"

#define FRAME_MAX 1514

/* Who has the address? IPv4: an ARP probe (RFC 5227, sender 0.0.0.0); IPv6: a
 * solicitation from ::. Length of the frame. */
size_t frame_probe(uint8_t *frame, const struct net_address *address,
		   const struct net_mac *mac);
/* "The address is at mac": ARP request or reply to all; IPv6: an unsolicited
 * advertisement with the override flag (once, for !reply 0 is returned). */
size_t frame_announcement(uint8_t *frame, const struct net_address *address,
			  const struct net_mac *mac, bool reply);
/* Ask one neighbour at its own MAC whether it has the address. IPv4 only,
 * source is our address. */
size_t frame_unicast_probe(uint8_t *frame, const struct net_address *address,
			   const struct net_mac *to,
			   const struct net_address *source,
			   const struct net_mac *mac);

/*
 * What an ARP or neighbour frame says. Whoever sends from an address with a MAC
 * claims it, also when he asks for another one: all who hear it believe it.
 *
 *   ARP from 0.0.0.0                    probe for the target
 *   any other ARP                       claim of the sender
 *   solicitation from ::                probe for the target
 *   solicitation with a source's MAC    claim of the source
 *   solicitation without                question for the target
 *   advertisement                       claim of the target
 */
struct frame_claim {
	struct net_address address;	/* of whom */
	struct net_mac mac;
	bool is_claim;	/* "address is at mac"; false: somebody asks or probes
			   for address, mac is who asks */
	bool is_probe;	/* asks without an address of his own */
};

/* 0 or EBADMSG: anything else, too short, a wrong checksum, a VLAN's tag, a MAC
 * or address that is no host's. */
int frame_read_claim(const uint8_t *frame, size_t length,
		     struct frame_claim *claim);

/* A NetBIOS broadcast (to all of the link, UDP port 137 or 138, not in pieces):
 * is it one, and to which broadcast address? 0, EBADMSG */
int frame_read_netbios(const uint8_t *frame, size_t length,
		       struct net_address *source,
		       struct net_address *destination);
/*
 * The same packet in a frame from mac to mac. Length, 0: too long, or not even
 * a header. A UDP checksum that was left to the hardware (senders on this
 * machine or on its host) is completed; a wrong one stays wrong.
 */
size_t frame_relay(uint8_t *frame, const uint8_t *received, size_t length,
		   const struct net_mac *to, const struct net_mac *from);

#endif /* ARPD_FRAME_H */
