/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The child's end, for privileged.c and privileged_start.c only. */

#ifndef ARPD_PRIVILEGED_PRIVATE_H
#define ARPD_PRIVILEGED_PRIVATE_H

struct privileged {
	int fd;
};

#endif /* ARPD_PRIVILEGED_PRIVATE_H */
