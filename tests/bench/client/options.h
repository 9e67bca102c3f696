/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line of mirror-bench. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench.h"

/*
 * Strings of the options point into argv, which is changed. If it cannot be
 * understood, this ends the program.
 */
void options_parse(struct options *options, int argc, char **argv);

#endif
