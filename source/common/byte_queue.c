/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A queue of bytes, see byte_queue.h. */

#include <errno.h>
#include <string.h>

#include "byte_queue.h"

#define SIZE_MIN 4096

size_t byte_queue_length(const struct byte_queue *queue)
{
	return queue->end - queue->start;
}

const uint8_t *byte_queue_head(const struct byte_queue *queue)
{
	return queue->buf + queue->start;
}

size_t byte_queue_room(const struct byte_queue *queue)
{
	return queue->size - queue->end;
}

/* Move what is queued to the start of the memory. */
static void compact(struct byte_queue *queue)
{
	size_t length = byte_queue_length(queue);

	if (length != 0) {
		memmove(queue->buf, queue->buf + queue->start, length);
	}
	queue->start = 0;
	queue->end = length;
}

uint8_t *byte_queue_reserve(TALLOC_CTX *mem_ctx,
			    struct byte_queue *queue,
			    size_t want)
{
	size_t length = byte_queue_length(queue);
	size_t size = queue->size;
	uint8_t *buf;

	if (length == 0) {
		queue->start = 0;
		queue->end = 0;
	}
	if (want <= byte_queue_room(queue)) {
		return queue->buf + queue->end;
	}
	/*
	 * Move only if at least as many bytes were consumed since the last
	 * move: they pay for it.
	 */
	if (length + want <= size && length <= queue->start) {
		compact(queue);
		return queue->buf + queue->end;
	}
	if (want > SIZE_MAX / 4 - length) {
		return NULL;
	}
	if (size < SIZE_MIN) {
		size = SIZE_MIN;
	}
	while (size < length + want) {
		size *= 2;
	}
	if (size == queue->size) {
		/* Room enough, but too much to be moved again and again. */
		size *= 2;
	}
	compact(queue);
	buf = talloc_realloc_size(mem_ctx, queue->buf, size);
	if (buf == NULL) {
		return NULL;
	}
	queue->buf = buf;
	queue->size = size;
	return queue->buf + queue->end;
}

void byte_queue_commit(struct byte_queue *queue, size_t length)
{
	queue->end += length;
}

int byte_queue_append(TALLOC_CTX *mem_ctx,
		      struct byte_queue *queue,
		      const void *bytes,
		      size_t length)
{
	uint8_t *room;

	if (length == 0) {
		return 0;
	}
	room = byte_queue_reserve(mem_ctx, queue, length);
	if (room == NULL) {
		return ENOMEM;
	}
	memcpy(room, bytes, length);
	byte_queue_commit(queue, length);
	return 0;
}

void byte_queue_consume(struct byte_queue *queue, size_t length)
{
	queue->start += length;
}

void byte_queue_trim(struct byte_queue *queue, size_t keep)
{
	if (byte_queue_length(queue) != 0 || queue->size <= keep) {
		return;
	}
	TALLOC_FREE(queue->buf);
	*queue = (struct byte_queue){ .size = 0 };
}
