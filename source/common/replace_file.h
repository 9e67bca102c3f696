/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small file gets another content as a whole: a reader sees the old one or
 * the new one, and a full disk leaves the old one.
 *
 * Owns: the file FOLDER/.NAME.new while it is written.
 * Does not own: order between two writers of one file.
 */

#ifndef MIRROR_COMMON_REPLACE_FILE_H
#define MIRROR_COMMON_REPLACE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * 0 or errno. on_disk: it is there after a power cut, too, and the call waits
 * for the disk; without, there may be nothing but an empty file then. A link
 * of that name is replaced, not followed.
 */
int replace_file(const char *path, mode_t mode, bool on_disk,
		 const char *text);

#endif /* MIRROR_COMMON_REPLACE_FILE_H */
