/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A queue of bytes in one piece of memory: filled at the end, emptied at the
 * start, always contiguous.
 *
 * Owns: when to move bytes and when to grow, so that both cost O(1) per byte
 * whatever the pattern is.
 */

#ifndef MIRROR_BYTE_QUEUE_H
#define MIRROR_BYTE_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

/* All zero is an empty queue; buf is a talloc child of who reserves. */
struct byte_queue {
	uint8_t *buf;
	size_t size;
	size_t start;
	size_t end;
};

size_t byte_queue_length(const struct byte_queue *queue);
const uint8_t *byte_queue_head(const struct byte_queue *queue);

/*
 * At least want bytes of room behind the end; NULL without memory. What is
 * written there belongs to the queue after byte_queue_commit().
 */
uint8_t *byte_queue_reserve(TALLOC_CTX *mem_ctx,
			    struct byte_queue *queue,
			    size_t want);
size_t byte_queue_room(const struct byte_queue *queue);
void byte_queue_commit(struct byte_queue *queue, size_t length);

/* Reserve, copy and commit. 0 or ENOMEM. */
int byte_queue_append(TALLOC_CTX *mem_ctx,
		      struct byte_queue *queue,
		      const void *bytes,
		      size_t length);

/* Forget the first bytes. They stay where they are until the next reserve. */
void byte_queue_consume(struct byte_queue *queue, size_t length);

/* Give the memory back if the queue is empty and larger than keep. */
void byte_queue_trim(struct byte_queue *queue, size_t keep);

#endif /* MIRROR_BYTE_QUEUE_H */
