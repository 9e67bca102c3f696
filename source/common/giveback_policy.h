/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When a service that is not at home goes home by itself.
 *
 * Owns: the words: `manual', or `at HH:MM', `idle SECONDS', or both.
 * Does not own: whether it is safe, and doing it (mirrord's giveback.h).
 *
 *   manual              not by itself
 *   at 03:00            at that time of day, by the node's time zone
 *   idle 600            when no client changed anything for 600 s
 *   at 03:00 idle 60    in the hour that begins at 03:00, when no client
 *                       changed anything for 60 s
 */

#ifndef MIRROR_GIVEBACK_POLICY_H
#define MIRROR_GIVEBACK_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>

#define GIVEBACK_IDLE_MAX (7 * 86400)

/* Neither: manual. */
struct giveback_policy {
	bool at;
	uint32_t minute;	/* of the day */
	bool idle;
	uint32_t idle_s;
};

/* False: not one of the above, *policy is not changed. */
bool giveback_policy_parse(const char *text, struct giveback_policy *policy);
/* "HH:MM" alone. */
bool giveback_policy_time(const char *text, uint32_t *minute);

/* In the same words, child of mem_ctx; NULL: no memory. */
char *giveback_policy_describe(TALLOC_CTX *mem_ctx,
			       const struct giveback_policy *policy);

#endif /* MIRROR_GIVEBACK_POLICY_H */
