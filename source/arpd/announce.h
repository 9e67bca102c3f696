/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Telling a network where an address is: gratuitous ARP, unsolicited
 * neighbour advertisements.
 *
 * Owns: what is being announced where, when it is said again.
 * Does not own: the frames' form (frame.h), sockets, decisions.
 *
 * Said at once, both as request and as reply, again after 50, 150, 350, 750,
 * 1500 and 3000 ms, then every refresh_ms: frames get lost, switches
 * learn late, the last word of an old owner may come after our first one. And
 * said again, not more often than every 100 ms, when somebody else is heard
 * saying that the address is his.
 */

#ifndef ARPD_ANNOUNCE_H
#define ARPD_ANNOUNCE_H

#include <tevent.h>
#include "net.h"

#define ANNOUNCE_REFRESH_MS 60000
/* While a network is not whole: a switch that heals tells nobody. */
#define ANNOUNCE_TROUBLE_MS 1000
/* While nobody else is there. */
#define ANNOUNCE_ALONE_MS 3000

struct announce;

/* Called from announce_start() and announce_heard(), too. The frame is the
 * callee's until it returns. Must not call back. */
typedef void (*announce_send)(void *private_data, uint32_t interface,
			      const uint8_t *frame, size_t length);

int announce_new(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
		 announce_send send, void *private_data,
		 struct announce **announce);

/* The address is at mac, on that interface (ours). Again from the beginning
 * if it was announced before. 0 or errno; what was said is said. */
int announce_start(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface,
		   const struct net_mac *mac,
		   uint32_t refresh_ms);
/* The same, but not before refresh_ms have passed, and then only now and then;
 * if it is announced there already: from now on as often as that. */
int announce_later(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface,
		   const struct net_mac *mac,
		   uint32_t refresh_ms);
/* On this interface; 0: on all. */
void announce_stop(struct announce *announce,
		   const struct net_address *address,
		   uint32_t interface);

/* Somebody said on the interface that the address is at mac. Returns true if
 * it is announced by us there, and mac is another one. */
bool announce_heard(struct announce *announce, uint32_t interface,
		    const struct net_address *address,
		    const struct net_mac *mac);

#endif /* ARPD_ANNOUNCE_H */
