/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients of addresses that were given up, see connections_left.h. */

#include <talloc.h>
#include "connections_left.h"

struct connections_left {
	uint32_t count;
	struct {
		struct connection connection;
		uint64_t until;		/* ms */
	} rows[CONNECTIONS_MAX];
};

struct connections_left *connections_left_new(TALLOC_CTX *mem_ctx)
{
	return talloc_zero(mem_ctx, struct connections_left);
}

void connections_left_forget(struct connections_left *left,
			     const struct net_address *address)
{
	uint32_t i, kept = 0;

	for (i = 0; i < left->count; i++) {
		if (!net_address_same(&left->rows[i].connection.address,
				      address)) {
			left->rows[kept++] = left->rows[i];
		}
	}
	left->count = kept;
}

void connections_left_note(struct connections_left *left,
			   const struct connection *rows, uint32_t count,
			   const struct net_address *address, uint64_t now)
{
	uint32_t i;

	connections_left_forget(left, address);
	for (i = 0; i < count && left->count < CONNECTIONS_MAX; i++) {
		if (net_address_same(&rows[i].address, address)) {
			left->rows[left->count].connection = rows[i];
			left->rows[left->count].until = now +
				CONNECTIONS_LEFT_MS;
			left->count++;
		}
	}
}

static void forget_old(struct connections_left *left, uint64_t now)
{
	uint32_t i, kept = 0;

	for (i = 0; i < left->count; i++) {
		if (now < left->rows[i].until) {
			left->rows[kept++] = left->rows[i];
		}
	}
	left->count = kept;
}

uint32_t connections_left_append(struct connections_left *left,
				 const struct net_address *address,
				 struct connection *rows, uint32_t count,
				 uint32_t max, uint64_t now)
{
	uint32_t i;

	forget_old(left, now);
	for (i = 0; i < left->count && count < max; i++) {
		const struct connection *row = &left->rows[i].connection;

		if (address == NULL ||
		    net_address_same(&row->address, address)) {
			rows[count++] = *row;
		}
	}
	return count;
}
