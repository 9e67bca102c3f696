/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commands of arpd that ask a running one: status, take, release, monitor.
 *
 * Owns: the command line, what people see.
 * Does not own: what is done (control.h).
 */

#ifndef ARPD_CLIENT_H
#define ARPD_CLIENT_H

/* Exit code: 0 done, 1 failed, 2 usage, 3 not yet, 4 no arpd runs. */
int client_main(int argc, char **argv);

#endif /* ARPD_CLIENT_H */
