/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An intrusive hash table that grows, see replay_internal.h. */

#include <errno.h>

#include "replay_internal.h"

#define TABLE_SIZE_AT_FIRST 1024	/* a power of two */

int table_init(TALLOC_CTX *mem_ctx, struct table *table)
{
	*table = (struct table){ .size = TABLE_SIZE_AT_FIRST };
	table->buckets = talloc_zero_array(mem_ctx, struct table_node *,
					   table->size);
	return table->buckets != NULL ? 0 : ENOMEM;
}

static struct table_node *same_hash(struct table_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash) {
		node = node->next;
	}
	return node;
}

struct table_node *table_find(const struct table *table, uint64_t hash)
{
	return same_hash(table->buckets[hash & (table->size - 1)], hash);
}

struct table_node *table_next(const struct table_node *node)
{
	return same_hash(node->next, node->hash);
}

static int table_grow(struct table *table)
{
	const size_t size = 2 * table->size;
	struct table_node **buckets;
	size_t i;

	buckets = talloc_zero_array(talloc_parent(table->buckets),
				    struct table_node *, size);
	if (buckets == NULL) {
		return ENOMEM;
	}
	for (i = 0; i < table->size; i++) {
		struct table_node *node = table->buckets[i];

		while (node != NULL) {
			struct table_node *next = node->next;
			struct table_node **head;

			head = &buckets[node->hash & (size - 1)];
			node->next = *head;
			*head = node;
			node = next;
		}
	}
	talloc_free(table->buckets);
	table->buckets = buckets;
	table->size = size;
	return 0;
}

int table_add(struct table *table, struct table_node *node, uint64_t hash)
{
	struct table_node **head;

	if (table->count >= table->size && table_grow(table) != 0) {
		return ENOMEM;
	}
	head = &table->buckets[hash & (table->size - 1)];
	node->hash = hash;
	node->next = *head;
	*head = node;
	table->count++;
	return 0;
}
