/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The label of a volume: the truth about it, on its own disk (R11).
 *
 * Owns: the format of the extended attribute, and that a label that was
 * written is durable.
 * Does not own: who may write it: the node that has the volume mounted, or,
 * where all have, the one whose label is there.
 *
 * A volume without a label is new: generation 0, clean.
 *
 *   protection   what a takeover has to do
 *   CLEAN        nothing: its owner released it
 *   DEGRADED     nothing: all that was acknowledged is on the disk
 *   MIRRORED     replay the store that node `partner' holds, if it is the
 *                one with this incarnation and store_generation
 *   REPLAYING    that store is being replayed by node `owner' (the label's
 *                generation is the store's claim): go on with it
 *
 * The lock space is part of every file id that smbd uses as key in the
 * clustered databases of opens and locks. It changes when a volume is taken
 * from an owner that did not release it: ctdb restores what the survivors have
 * of these databases, and that can be an older state of a record (measured: an
 * acknowledged write time went back in listings). No smbd may find such a
 * record. Where these databases are each node's own, it changes at every
 * release.
 */

#ifndef MIRRORD_LABEL_H
#define MIRRORD_LABEL_H

#include <stdbool.h>
#include <stdint.h>
#include <tevent.h>
#include "../common/mirror_id.h"

#define LABEL_XATTR "trusted.samba-mirror"
#define LABEL_VOLUME_XATTR "trusted.samba-mirror.volume"

enum label_protection {
	LABEL_CLEAN = 1,
	LABEL_MIRRORED,
	LABEL_DEGRADED,
	LABEL_REPLAYING,
	LABEL_PROTECTION_END
};

struct label {
	uint64_t generation;
	uint32_t owner;
	enum label_protection protection;
	uint32_t partner;		/* who holds the store */
	uint64_t store_generation;	/* of that store */
	struct mirror_id incarnation;	/* of that store */
	uint64_t lock_space;
	uint64_t beat;			/* DEGRADED: of the lease */
};

#define LABEL_SIZE 64

/* The label that comes after this one: the next generation, same lock space. */
struct label label_next(const struct label *label,
			uint32_t owner,
			enum label_protection protection);

void label_push(const struct label *label, uint8_t buf[LABEL_SIZE]);
/* 0, EPROTO (another version), EBADMSG (damaged). */
int label_pull(const uint8_t *buf, size_t length, struct label *label);

/* root_fd: the root directory of the mounted volume. 0 or errno. */
int label_read(int root_fd, struct label *label);

/* Write it, and return when it is on the disk. Blocks: see below. */
int label_write(int root_fd, const struct label *label);

/*
 * The same, but only over this label: of its generation and owner. ESTALE:
 * another node has written one. On a cluster file system a node that was
 * replaced can still write; the lock makes it one step for all nodes.
 */
int label_replace(int root_fd,
		  const struct label *found,
		  const struct label *label);

/* label_replace(), or label_write() if found is NULL, beside the event loop. */
struct tevent_req *label_write_send(TALLOC_CTX *mem_ctx,
				    struct tevent_context *ev,
				    int root_fd,
				    const struct label *found,
				    const struct label *label);
int label_write_recv(struct tevent_req *req);

/*
 * Whose label it is, the volume's name: so that no disk is ever served as
 * another volume, or gets its records. *name (child of mem_ctx) is NULL if
 * nobody has written it yet. 0 or errno.
 */
int label_volume_read(TALLOC_CTX *mem_ctx, int root_fd, char **name);
/* Durable with the label that is written next. 0 or errno. */
int label_volume_write(int root_fd, const char *name);

const char *label_protection_name(enum label_protection protection);
/* "generation 7, mirrored by node 1", child of mem_ctx. */
char *label_describe(TALLOC_CTX *mem_ctx, const struct label *label);

#endif /* MIRRORD_LABEL_H */
