/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What another configuration would change, and whether it may.
 *
 * Owns: which options wait for a restart; which changes want a service that
 * is served nowhere.
 * Does not own: when a configuration is looked at, putting it into force
 * (reconfigure.c).
 */

#ifndef MIRRORD_RECONFIGURE_CHECK_H
#define MIRRORD_RECONFIGURE_CHECK_H

#include "../common/config_table.h"

/*
 * Options that a running mirrord or smbd has made use of already: in next they
 * get the values that they have in now. Returns a line for each that waits
 * (child of mem_ctx, "" if none; NULL: no memory).
 */
char *reconfigure_hold_back(TALLOC_CTX *mem_ctx,
			    const struct config_table *now,
			    struct config_table *next);

/* A line for each option that differs. "": none; NULL: no memory. */
char *reconfigure_differences(TALLOC_CTX *mem_ctx,
			      const struct config_table *now,
			      const struct config_table *next);

/* Is the service served nowhere, and will not be? */
typedef bool (*reconfigure_at_rest)(const struct config_service *service,
				    void *private_data);

/*
 * NULL: next may come into force. Else why not and what to do, child of
 * mem_ctx.
 */
char *reconfigure_refused(TALLOC_CTX *mem_ctx,
			  const struct mirror_config *now,
			  const struct mirror_config *next,
			  reconfigure_at_rest at_rest,
			  void *private_data);

#endif /* MIRRORD_RECONFIGURE_CHECK_H */
