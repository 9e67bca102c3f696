/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Places to crash: all of a sequence, and their names. A name is what a
 * failing case is told and repeated by:
 *
 *   create_n,write_n:user,ids,one,fail0,break0:held6:wipe1:persist6:lazy:kill2
 *   create_n,write_n:user,ids,one,fail0,break0:held6,dies:wipe1:persist6:..
 *   create_n,write_n:user,ids,one,alone,fail0,break0:applied3:wipe0:persist0:..
 *
 * An unprivileged user creates n and writes to it (what was there before has
 * ids; one smbd does both; no call fails, the link does not break; in the
 * third there is no partner). The node, or in the second only smbd ("between":
 * another smbd has done the second operation of three),
 * dies when the partner has the sixth record and the acknowledgement is under
 * way. The first operation is in an epoch that is wiped, syncfs has seen six
 * leaf calls, data stays in memory, and a first replay dies after two calls.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver.h"

static const char *const stop_names[STOP_END] = {
	[STOP_NEVER] = "never",
	[STOP_SENT] = "sent",
	[STOP_HELD] = "held",
	[STOP_ACKNOWLEDGED] = "acknowledged",
	[STOP_APPLIED] = "applied",
	[STOP_REPLIED] = "replied",
};

/* splitmix64 */
uint32_t random_below(uint64_t *state, uint32_t limit)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % limit);
}

/* ------------------------------------------------------------------ moves */

bool sequence_moves(const struct sequence *sequence)
{
	uint8_t i;

	for (i = 0; i < sequence->count; i++) {
		if (sequence->operations[i] == OP_move_e_d) {
			return true;
		}
	}
	return false;
}

/* May its process wait inside of operation n (from 0)? */
static bool parks_in(const struct point *p, const struct golden *g, uint8_t n)
{
	const uint8_t first = g->operation_leafs[n];
	const uint8_t last = g->operation_leafs[n + 1];

	if (p->persist_at > first && p->persist_at <= last) {
		return true;
	}
	switch (p->stop) {
	case STOP_SENT:
	case STOP_HELD:
		return p->stop_at > g->operation_records[n] &&
			p->stop_at <= g->operation_records[n + 1];
	case STOP_ACKNOWLEDGED:
	case STOP_APPLIED:
		return p->stop_at > first && p->stop_at <= last;
	default:
		return false;
	}
}

bool point_parks_in_move(const struct point *point,
			 const struct golden *golden)
{
	uint8_t i;

	for (i = 0; i < point->sequence.count; i++) {
		if (point->sequence.operations[i] == OP_move_e_d &&
		    parks_in(point, golden, i)) {
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------- all points */

struct list {
	struct point *points;
	const struct golden *golden;
	uint64_t *random;
};

static bool has_data(const struct sequence *sequence)
{
	uint8_t i;

	for (i = 0; i < sequence->count; i++) {
		switch (sequence->operations[i]) {
		case OP_write_a:
		case OP_write_dx:
		case OP_write_n:
		case OP_append_a:
		case OP_append_b:
		case OP_truncate_a:
		case OP_extend_a:
		case OP_fallocate_a:
		case OP_punch_a:
		case OP_overwrite_a:
		case OP_supersede_b:
		case OP_copy_a_b:
			return true;
		default:
			break;
		}
	}
	return false;
}

static void add_point(struct list *list, enum stop stop, uint8_t at,
		      uint8_t wipe_at, bool keep, uint8_t persist_at)
{
	size_t n = talloc_array_length(list->points);
	struct point *p;

	list->points = talloc_realloc(NULL, list->points, struct point,
				      n + 1);
	p = &list->points[n];
	*p = (struct point) {
		.sequence = list->golden->sequence,
		.stop = stop,
		.stop_at = at,
		.wipe_at = wipe_at,
		.keep = keep,
		.persist_at = persist_at,
		.eager = has_data(&list->golden->sequence) &&
			random_below(list->random, 2) == 1,
	};
	if (random_below(list->random, 2) == 1 && !p->sequence.alone) {
		p->kill_at = (uint8_t)(1 + random_below(
			list->random, 2u + 2u * list->golden->records));
	}
}

/* With everything that syncfs may have seen of leafs calls, after any number
 * of operations that are in the epoch before. */
static void add_prefixes(struct list *list, enum stop stop, uint8_t at,
			 uint8_t leafs, uint8_t replied)
{
	const struct golden *g = list->golden;
	uint8_t persist_at, wipe_at;

	for (persist_at = 0; persist_at <= leafs; persist_at++) {
		for (wipe_at = 0; wipe_at <= replied &&
		     g->operation_leafs[wipe_at] <= persist_at; wipe_at++) {
			add_point(list, stop, at, wipe_at, false, persist_at);
			if (wipe_at > 0) {
				add_point(list, stop, at, wipe_at, true,
					  persist_at);
			}
		}
	}
}

static uint8_t operation_of_record(const struct golden *g, uint8_t record)
{
	uint8_t n = 0;

	while (n + 1 < g->sequence.count &&
	       g->operation_records[n + 1] < record) {
		n++;
	}
	return n;
}

static uint8_t operation_of_leaf(const struct golden *g, uint8_t leaf)
{
	uint8_t n = 0;

	while (n + 1 < g->sequence.count && g->operation_leafs[n + 1] < leaf) {
		n++;
	}
	return n;
}

/* No partner: no records, and only the client's own changes reach the disk. */
static void add_alone(struct list *list, uint8_t failed)
{
	const struct golden *g = list->golden;
	uint8_t n;

	for (n = g->operation_leafs[failed] + 1; n <= g->leafs; n++) {
		add_point(list, STOP_ACKNOWLEDGED, n, 0, false, 0);
		add_point(list, STOP_APPLIED, n, 0, false, 0);
	}
	for (n = failed > 0 ? failed : 1; n <= g->sequence.count; n++) {
		add_point(list, STOP_REPLIED, n, 0, false, 0);
	}
}

static void add_death(struct list *list, enum stop stop, uint8_t at,
		      uint8_t replied)
{
	const struct golden *g = list->golden;
	uint8_t wipe_at = (uint8_t)random_below(list->random, replied + 1u);
	struct point *p;

	add_point(list, stop, at, wipe_at, false, g->operation_leafs[wipe_at]);
	p = &list->points[talloc_array_length(list->points) - 1];
	p->dies = true;
	p->between = replied == 2 && g->sequence.count == 3 &&
		stop != STOP_REPLIED && !g->sequence.sessions &&
		random_below(list->random, 2) == 1;
}

/* Where smbd dies. It is rolled forward with a syncfs, so what was on the disk
 * before does not matter. */
static void add_deaths(struct list *list, uint8_t failed)
{
	const struct golden *g = list->golden;
	uint8_t n;

	for (n = g->operation_records[failed] + 1; n <= g->records; n++) {
		add_death(list, STOP_SENT, n, operation_of_record(g, n));
		add_death(list, STOP_HELD, n, operation_of_record(g, n));
	}
	for (n = g->operation_leafs[failed] + 1; n <= g->leafs; n++) {
		add_death(list, STOP_ACKNOWLEDGED, n, operation_of_leaf(g, n));
		add_death(list, STOP_APPLIED, n, operation_of_leaf(g, n));
	}
	for (n = failed > 0 ? failed : 1; n <= g->sequence.count; n++) {
		add_death(list, STOP_REPLIED, n, n);
	}
}

/*
 * A call that was made to fail fails at no replay: while its operation is
 * under way, "it was done" is right as well, and no run has shown that. So
 * places to crash come after it.
 */
struct point *points_of(TALLOC_CTX *mem_ctx, const struct golden *golden,
			enum kind kind, uint64_t *random)
{
	struct list list = { .golden = golden, .random = random };
	const uint8_t failed = golden->failed_in;
	uint8_t n, operation;

	list.points = talloc_array(NULL, struct point, 0);
	if (golden->sequence.alone || kind != KIND_CUT) {
		if (golden->sequence.alone && kind == KIND_ALONE) {
			add_alone(&list, failed);
		} else if (!golden->sequence.alone && kind == KIND_DYING) {
			add_deaths(&list, failed);
		}
		return talloc_steal(mem_ctx, list.points);
	}
	for (n = golden->operation_records[failed] + 1; n <= golden->records;
	     n++) {
		operation = operation_of_record(golden, n);
		add_prefixes(&list, STOP_SENT, n, golden->record_leafs[n],
			     operation);
		add_prefixes(&list, STOP_HELD, n, golden->record_leafs[n],
			     operation);
	}
	for (n = golden->operation_leafs[failed] + 1; n <= golden->leafs;
	     n++) {
		operation = operation_of_leaf(golden, n);
		add_prefixes(&list, STOP_ACKNOWLEDGED, n, n - 1, operation);
		add_prefixes(&list, STOP_APPLIED, n, n, operation);
	}
	for (n = failed > 0 ? failed : 1; n <= golden->sequence.count; n++) {
		add_prefixes(&list, STOP_REPLIED, n,
			     golden->operation_leafs[n], n);
	}
	return talloc_steal(mem_ctx, list.points);
}

/* ------------------------------------------------------------------ names */

void point_name(const struct point *p, char *text, size_t size)
{
	const struct sequence *s = &p->sequence;
	size_t at = 0;
	uint8_t i;

	for (i = 0; i < s->count; i++) {
		at += (size_t)snprintf(text + at, size - at, "%s%s",
				       i > 0 ? "," : "", operation_number_name(
					       s->operations[i]));
	}
	snprintf(text + at, size - at,
		 ":%s,%s,%s%s,fail%u,break%u:%s%u%s:%s%u:persist%u:%s:kill%u",
		 s->as_user ? "user" : "root", s->has_ids ? "ids" : "noids",
		 s->sessions ? "each" : "one", s->alone ? ",alone" : "",
		 s->fail_at, s->break_at,
		 stop_names[p->stop], p->stop_at, p->between ? ",between" :
		 p->dies ? ",dies" : "",
		 p->keep ? "keep" : "wipe",
		 p->wipe_at, p->persist_at, p->eager ? "eager" : "lazy",
		 p->kill_at);
}

static bool parse_operations(char *text, struct sequence *sequence)
{
	char *rest = NULL;
	char *name;
	uint8_t n;

	for (name = strtok_r(text, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		for (n = 0; n < OP_COUNT &&
		     strcmp(operation_number_name(n), name) != 0; n++) {
			;
		}
		if (n == OP_COUNT || sequence->count == OPERATIONS_MAX) {
			return false;
		}
		sequence->operations[sequence->count++] = n;
	}
	return sequence->count > 0;
}

static bool parse_stop(const char *text, struct point *point)
{
	uint8_t i;

	for (i = STOP_SENT; i < STOP_END; i++) {
		size_t n = strlen(stop_names[i]);

		if (strncmp(text, stop_names[i], n) == 0) {
			point->stop = i;
			point->stop_at = (uint8_t)atoi(text + n);
			return true;
		}
	}
	return false;
}

bool point_parse(const char *name, struct point *point)
{
	char operations[200], user[8], ids[8], each[8], stop[32];
	char old[8], eager[8], text[400];
	unsigned int fail_at, break_at, wipe_at, persist_at, kill_at;
	char *alone = NULL, *dies = NULL;

	*point = (struct point) { .stop = STOP_NEVER };
	snprintf(text, sizeof(text), "%s", name);
	alone = strstr(text, ",alone,");
	if (alone != NULL) {
		point->sequence.alone = true;
		memmove(alone, alone + 6, strlen(alone + 6) + 1);
	}
	dies = strstr(text, ",between:");
	if (dies != NULL) {
		point->dies = point->between = true;
		memmove(dies, dies + 8, strlen(dies + 8) + 1);
	}
	dies = strstr(text, ",dies:");
	if (dies != NULL) {
		point->dies = true;
		memmove(dies, dies + 5, strlen(dies + 5) + 1);
	}
	if (sscanf(text, "%199[^:]:%7[a-z],%7[a-z],%7[a-z],fail%u,"
		   "break%u:%31[a-z0-9]:"
		   "%4[a-z]%u:persist%u:%7[a-z]:kill%u",
		   operations, user, ids, each, &fail_at, &break_at, stop, old,
		   &wipe_at, &persist_at, eager, &kill_at) != 12) {
		return false;
	}
	point->sequence.as_user = strcmp(user, "user") == 0;
	point->sequence.has_ids = strcmp(ids, "ids") == 0;
	point->sequence.sessions = strcmp(each, "each") == 0;
	point->sequence.break_at = (uint8_t)break_at;
	point->sequence.fail_at = (uint8_t)fail_at;
	point->keep = strcmp(old, "keep") == 0;
	point->wipe_at = (uint8_t)wipe_at;
	point->persist_at = (uint8_t)persist_at;
	point->eager = strcmp(eager, "eager") == 0;
	point->kill_at = (uint8_t)kill_at;
	return parse_operations(operations, &point->sequence) &&
		parse_stop(stop, point);
}
