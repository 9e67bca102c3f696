/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NetBIOS broadcasts (ports 137 and 138) of a network on which we pass
 * addresses through are given to the nodes that hold those addresses: their
 * nmbd would not hear them.
 *
 * The packet goes unchanged in a frame to the holder's interface of the best
 * path; there it is one for the broadcast address of a network that the holder
 * has, whatever interface it came by.
 */

#ifndef ARPD_RELAY_H
#define ARPD_RELAY_H

#include "arpd.h"

void relay_netbios(struct arpd *arpd, uint32_t interface,
		   const uint8_t *frame, size_t length);

#endif /* ARPD_RELAY_H */
