/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `mirrorctl check-takeover': would a takeover of a service by this node fail,
 * or lose time or data? Nothing is changed by it.
 *
 * Owns: the list of reasons with ids that never change (check_reasons.h), the
 * checks (one table, check_takeover.c, and one file per theme).
 * Does not own: what it looks at: `mirrorctl status', facts.h, ctdb.
 */

#ifndef MIRRORD_CHECK_H
#define MIRRORD_CHECK_H

#include <jansson.h>
#include "check_reasons.h"
#include "mirrorctl.h"
#include "nodes.h"

struct check {
	TALLOC_CTX *ctx;
	const struct mirror_config *config;
	const struct config_service *service;
	const json_t *status;		/* mirrord's of this node */
	const struct nodes *nodes;
	json_t *facts[NODES_MAX];	/* NULL: not to be had */
	double asked[NODES_MAX];	/* wall clock before and */
	double answered[NODES_MAX];	/* after they came */
	uint32_t own;
	int owner;			/* who has it; -1: not known, nobody */
	bool fence_test;
	json_t *found;			/* reasons, as they are told */
};

typedef void (*check_function)(struct check *check);

/* What is the case, of what or whom. */
void check_found(struct check *check, enum check_reason reason,
		 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The state of one of the service's volumes on a node, by its mirrord; NULL:
 * the node does not tell. */
const json_t *check_volume(const struct check *check, uint32_t node,
			   const char *volume);
/* "" if there is no such text. */
const char *check_text(const json_t *object, const char *key);

/* The lines that a command of a shell prints, child of check->ctx; NULL: its
 * exit status is not 0, or it took too long. */
char *check_command(struct check *check, const char *command);

/* ctdb's tunable, or fallback if ctdb does not say. */
long check_tunable(struct check *check, const char *name, long fallback);

void check_fence(struct check *check);
void check_partner(struct check *check);
void check_records(struct check *check);
void check_volumes(struct check *check);
void check_addresses(struct check *check);
void check_memory(struct check *check);
void check_programs(struct check *check);
void check_module(struct check *check);
void check_ctdb_node(struct check *check);
void check_ctdb_scripts(struct check *check);
void check_ctdb_tunables(struct check *check);
void check_ctdb_lock(struct check *check);
void check_equal_files(struct check *check);
void check_equal_scripts(struct check *check);
void check_equal_devices(struct check *check);
void check_equal_clocks(struct check *check);
void check_plain_files(struct check *check);

/* The verb. */
int check_takeover_command(struct arguments *arguments);

#endif /* MIRRORD_CHECK_H */
