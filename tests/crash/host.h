/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the host share: a process that is Samba's VFS with
 * mirror.so, for one case.
 *
 *   crash_host.c       Samba as far as it is needed, a process for each case
 *   host_case.c        how far the case is: barriers, where it ends
 *   host_link.c        the link to the partner, seen from the inside
 *   host_operations.c  what an operation does
 */

#ifndef TESTS_CRASH_HOST_H
#define TESTS_CRASH_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include "crash.h"

struct connection_struct;

/* ------------------------------------------------------------ host_case.c */

void case_begin(struct batch *batch, struct crash_case *this_case);
/* Before the first operation. */
void case_ready(void);
/* The process that did it until now is dead; rolls forward (STAGE_DEAD).
 * Returns the operation (from 0) that comes next. */
uint32_t case_resume(void);
/* Where to end, from now on. */
enum stop case_stop_kind(void);
/* Operation n (from 1 on) was answered. */
void case_replied(uint32_t n, bool succeeded);
/* Why the operation that is under way fails; the last reason counts. */
void case_note(const char *what, const char *why);
/* Record n is on its way. */
void case_sent(uint32_t n);
/* After the last one. Does not return. */
void case_end(void) __attribute__((noreturn));
void case_fail(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
/* The place to end is here. Does not return. */
void case_stop(void) __attribute__((noreturn));
struct crash_case *case_current(void);

/* ------------------------------------------------------------ host_link.c */

/* What comes now is of another smbd. */
void link_forget(void);
/* Another smbd has sent so many records meanwhile. */
void link_skip(uint8_t records);
/* The event loop waits: nothing goes on without the partner. */
void link_in_event_loop(bool is);

/* ------------------------------------------------------ host_operations.c */

/* Did the client get a success? */
bool operation_do(struct connection_struct *conn, unsigned int number);

#endif /* TESTS_CRASH_HOST_H */
