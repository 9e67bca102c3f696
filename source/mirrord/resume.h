/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mirrorctl resume, see resume.c. */

#ifndef MIRRORD_RESUME_H
#define MIRRORD_RESUME_H

struct arguments;

int do_resume(struct arguments *arguments);

#endif /* MIRRORD_RESUME_H */
