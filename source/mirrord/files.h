/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plain files that all nodes need, such as certificates: mirror:files.
 *
 * Owns: what they are like on this node, giving one to another node, and
 * `mirrorctl files', which lists them and fetches what changed elsewhere.
 * Does not own: the way between nodes (facts.h, over mirrord's links, which
 * need no further password and are encrypted), when (event script
 * 70.mirror-files).
 *
 * No clock tells which of two is the right one: each node remembers what a
 * file was like when it was last the same everywhere. Who still has that, takes
 * the other one's. If both have changed, nothing is done, and it is told.
 */

#ifndef MIRRORD_FILES_H
#define MIRRORD_FILES_H

#include <jansson.h>
#include <talloc.h>
#include "../common/config.h"

/* Larger ones are not for this. */
#define FILES_SIZE_MAX (256 * 1024)

struct arguments;

/* "-": it is not there. Half a SHA-256 in hex, or why it cannot be read. */
char *facts_digest(TALLOC_CTX *mem_ctx, const char *path);

/* Path to its digest, with owner and mode: "0a1b.. 0:0 0640". */
json_t *files_facts(TALLOC_CTX *mem_ctx, const char **files);

/*
 * One of the list, whole: mode, uid, gid, content (hex digits, in pieces). Else
 * problem says why not. Never NULL but without memory.
 */
json_t *files_read(TALLOC_CTX *mem_ctx, const struct mirror_config *config,
		   const char *path);

/* What to do about a file that this node has as own and another as other, when
 * it was once base on both; "-" or "": there is none. */
enum files_verdict {
	FILES_SAME,
	FILES_TAKE,		/* it has changed there */
	FILES_LEAVE,		/* it has changed here */
	FILES_CONFLICT
};
enum files_verdict files_judge(const char *own, const char *other,
			       const char *base);

/* Write what files_read() gave, as a whole or not at all. 0 or errno. */
int files_write(TALLOC_CTX *mem_ctx, const char *path, const json_t *file);

/* The verb. */
int files_command(struct arguments *arguments);

#endif /* MIRRORD_FILES_H */
