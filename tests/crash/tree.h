/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A directory tree as text, so that two can be compared, kept and shown.
 *
 * Owns: what counts: names, types, mode, owner, size and content, which names
 * are the same object, extended attributes with their values, the time of
 * last change if somebody has set it ("now" if not). What depends on the
 * moment and place (ids, inode numbers, times inside of attributes) is left
 * out or replaced by "now".
 */

#ifndef TESTS_CRASH_TREE_H
#define TESTS_CRASH_TREE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns 0 or errno. *doubled says that two objects have the same id, which
 * may never be.
 */
int tree_read(const char *path, char *text, size_t size, bool *doubled);

/* Has it all that first has, and besides nothing but what last has? */
bool tree_between(const char *first, const char *last, const char *found);

/* Is it like this one, but for lines in which first and last differ? What is
 * on the disk of something that nobody waited for. */
bool tree_like(const char *first, const char *last, const char *like,
	       const char *found);

/* To a file for people: lines that only one of the two has. */
void tree_difference(const char *wanted, const char *found,
		     void (*line)(char sign, const char *text, int length));

#endif /* TESTS_CRASH_TREE_H */
