/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A witness: a third machine that keeps a copy of the mailbox, for sites whose
 * nodes share no disk. It answers what a disk would, and decides nothing.
 *
 * Owns: the server with its file; what goes over the link; the process of a
 * node that uses it (`serve' of a copy_place).
 * Does not own: the link, its encryption and proof of identity (peer_link.h,
 * R6), the blocks (lock_sector.h), the rules (lock_lease.h).
 *
 * A request is one frame of FRAME_RECORD: a header of 16 bytes (magic, blocks
 * to read, blocks that follow: 0 or 1) and the block to write before; an answer
 * is a header (magic, errno, blocks that follow) and the blocks, the mailbox's
 * header first. Only the first 512 bytes of a block are sent.
 */

#ifndef MIRRORD_LOCK_WITNESS_H
#define MIRRORD_LOCK_WITNESS_H

#include "lock_copy.h"

#define WITNESS_PORT 4382
#define WITNESS_KEY_FILE "/etc/samba/mirror.key"

/* path: HOST, HOST:PORT, [ADDRESS]:PORT. */
int copy_serve_witness(const struct copy_place *place, int fd);

/*
 * Serve for ever. The file is made if there is none (with this lease); it is
 * the memory of the lock: on a disk, and backed up by nothing. Returns an exit
 * status if it cannot begin.
 */
int witness_serve(const char *file, const char *key_file, uint16_t port,
		  uint32_t lease_ms);

#endif /* MIRRORD_LOCK_WITNESS_H */
