/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The blocks of a mailbox, see lock_sector.h. */

#include <errno.h>
#include <string.h>
#include <zlib.h>
#include "lock_sector.h"

#define MAGIC_SIZE 16
static const char header_magic[MAGIC_SIZE] = "mirror-lock-1";
static const char sector_magic[MAGIC_SIZE] = "mirror-node-1";

/* Header: magic, id, lease, copy, copies. Sector: magic, three numbers, ... */
enum {
	AT_ID = MAGIC_SIZE,
	AT_LEASE = 32,
	AT_COPY = 36,
	AT_COPIES = 37,
	AT_SEQUENCE = MAGIC_SIZE,
	AT_TERM = 24,
	AT_MEMBERS = 32,
	AT_NODE = 40,
	AT_STATE = 44,
	AT_CLIENTS = 45,
	AT_LOST = 46,
	AT_CHECKSUM = 508
};

static void push(uint8_t *at, uint64_t value, int bytes)
{
	for (; bytes > 0; bytes--, value >>= 8) {
		*at++ = (uint8_t)value;
	}
}

static uint64_t pull(const uint8_t *at, int bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0) {
		value = value << 8 | at[bytes];
	}
	return value;
}

static void seal(uint8_t *block)
{
	push(block + AT_CHECKSUM, crc32(0, block, AT_CHECKSUM), 4);
}

static bool is_sealed(const uint8_t *block)
{
	return pull(block + AT_CHECKSUM, 4) == crc32(0, block, AT_CHECKSUM);
}

void lock_header_push(const struct lock_header *header,
		      uint8_t block[LOCK_BLOCK])
{
	memset(block, 0, LOCK_BLOCK);
	memcpy(block, header_magic, MAGIC_SIZE);
	memcpy(block + AT_ID, header->id, sizeof(header->id));
	push(block + AT_LEASE, header->lease_ms, 4);
	block[AT_COPY] = header->copy;
	block[AT_COPIES] = header->copies;
	seal(block);
}

int lock_header_pull(const uint8_t block[LOCK_BLOCK],
		     struct lock_header *header)
{
	if (memcmp(block, header_magic, MAGIC_SIZE) != 0) {
		return ENOENT;
	}
	memcpy(header->id, block + AT_ID, sizeof(header->id));
	header->lease_ms = (uint32_t)pull(block + AT_LEASE, 4);
	header->copy = block[AT_COPY];
	header->copies = block[AT_COPIES];
	if (!is_sealed(block) || header->lease_ms < LOCK_LEASE_MS_MIN ||
	    header->lease_ms > LOCK_LEASE_MS_MAX || header->copies == 0 ||
	    header->copies > LOCK_COPIES || header->copy >= header->copies) {
		return EBADMSG;
	}
	return 0;
}

void sector_push(const struct sector *sector, uint8_t block[LOCK_BLOCK])
{
	memset(block, 0, LOCK_BLOCK);
	memcpy(block, sector_magic, MAGIC_SIZE);
	push(block + AT_SEQUENCE, sector->sequence, 8);
	push(block + AT_TERM, sector->term, 8);
	push(block + AT_MEMBERS, sector->members, 8);
	push(block + AT_NODE, sector->node, 4);
	block[AT_STATE] = (uint8_t)sector->state;
	block[AT_CLIENTS] = sector->clients;
	block[AT_LOST] = sector->lost;
	seal(block);
}

int sector_pull(const uint8_t block[LOCK_BLOCK], uint32_t node,
		struct sector *sector)
{
	static const uint8_t empty[AT_CHECKSUM + 4];

	*sector = (struct sector) { .node = node };
	if (memcmp(block, empty, sizeof(empty)) == 0) {
		return 0;
	}
	if (memcmp(block, sector_magic, MAGIC_SIZE) != 0 ||
	    !is_sealed(block) || pull(block + AT_NODE, 4) != node ||
	    block[AT_STATE] >= SECTOR_STATES) {
		return EBADMSG;
	}
	sector->sequence = pull(block + AT_SEQUENCE, 8);
	sector->term = pull(block + AT_TERM, 8);
	sector->members = pull(block + AT_MEMBERS, 8);
	sector->state = (enum sector_state)block[AT_STATE];
	sector->clients = block[AT_CLIENTS] != 0;
	sector->lost = block[AT_LOST];
	return 0;
}

const char *sector_state_name(enum sector_state state)
{
	static const char *const names[SECTOR_STATES] = {
		[SECTOR_FREE] = "free",
		[SECTOR_WANT] = "wants",
		[SECTOR_HOLD] = "holds",
	};

	return state < SECTOR_STATES ? names[state] : "?";
}
