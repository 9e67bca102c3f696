/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A histogram of durations, of any number of them in bounded memory.
 *
 * Owns: buckets that are 1.6 % wide at most, from 1 ns to 68 s.
 */

#ifndef MIRRORD_HISTOGRAM_H
#define MIRRORD_HISTOGRAM_H

#include <stdint.h>
#include <talloc.h>

struct histogram;

struct histogram *histogram_new(TALLOC_CTX *mem_ctx);
/* NULL is no histogram: it has nothing in it. */
void histogram_add(struct histogram *histogram, uint64_t ns);
uint64_t histogram_count(const struct histogram *histogram);
uint64_t histogram_sum(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);
/* What part (0 to 1) of the values is not above; as exact as the buckets. */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif /* MIRRORD_HISTOGRAM_H */
