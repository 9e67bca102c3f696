/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The packet sockets of arpd, and what comes in by them.
 *
 * Owns: sockets on the interfaces that there are; giving each frame to who
 * reads it.
 * Does not own: opening them (privileged.h), what frames mean.
 */

#ifndef ARPD_PORTS_H
#define ARPD_PORTS_H

#include "arpd.h"

int ports_new(struct arpd *arpd, struct ports **ports);

/* Interfaces came, went or were replaced; or addresses are passed through now
 * that were not. */
void ports_sync(struct ports *ports);

/* Read what has come in, beacons only. */
void ports_read(struct ports *ports);

/* Errors are not told: frames get lost anyway. */
void ports_send(struct ports *ports, uint32_t interface,
		const uint8_t *frame, size_t length);

#endif /* ARPD_PORTS_H */
