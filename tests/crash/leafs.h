/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every system call that changes the volume, seen from the inside of the
 * process that makes it.
 *
 * The program that links leafs.c defines the C library's functions itself, so
 * that all shared libraries in it (Samba's, mirror.so, libacl) call these: the
 * product needs no hooks for tests.
 *
 * Owns: which calls there are, and whether one is about the volume.
 * Does not own: what happens then.
 */

#ifndef TESTS_CRASH_LEAFS_H
#define TESTS_CRASH_LEAFS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Defined by the program. data_fd: file content was changed; or -1. A call
 * that leaf_before() says true of is not made: it fails with ENOSPC, which
 * leaf_failed() is not told.
 */
bool leaf_before(const char *call);
void leaf_after(const char *call, int data_fd);
void leaf_failed(const char *call, int error);

/* Calls about this device count from now on; 0: none. */
void leafs_watch(dev_t device);

#endif /* TESTS_CRASH_LEAFS_H */
