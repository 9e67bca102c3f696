/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tree that a sequence finds: see operations.h. */

#ifndef TESTS_CRASH_START_TREE_H
#define TESTS_CRASH_START_TREE_H

/* A folder with the tree in it; the program ends if that does not work. */
void start_tree_make(const char *path);

#endif /* TESTS_CRASH_START_TREE_H */
