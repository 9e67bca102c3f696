/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the things that operations lock have their places in the range of an
 * object (state_page.h).
 */

#include <string.h>
#include "state_page.h"

/*
 * Bytes below 2^63; single points above. Names and attributes are hashed
 * into their half: equal hashes cost a wait, no more.
 */
#define POINT_EXISTS (PAGE_LOCK_BYTES_END)
#define POINT_LINKS (PAGE_LOCK_BYTES_END + 1)
#define POINT_PERMISSIONS (PAGE_LOCK_BYTES_END + 2)
#define POINT_TIMES (PAGE_LOCK_BYTES_END + 3)
#define POINTS_ATTRIBUTES (PAGE_LOCK_BYTES_END + ((uint64_t)1 << 60))
#define POINTS_NAMES (PAGE_LOCK_BYTES_END + ((uint64_t)1 << 62))
#define POINT_HASH_MASK (((uint64_t)1 << 60) - 1)

/* FNV-1a */
static uint64_t name_hash(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++) {
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	}
	return hash ^ (hash >> 32);
}

static struct page_lock point(const struct mirror_id *id,
			      uint64_t at,
			      bool shared)
{
	return (struct page_lock) {
		.id = *id,
		.start = at,
		.end = at + 1,
		.shared = shared,
	};
}

struct page_lock page_lock_bytes(const struct mirror_id *id,
				 uint64_t offset,
				 uint64_t length)
{
	uint64_t end = offset + length;

	if (end > PAGE_LOCK_BYTES_END || end < offset) {
		end = PAGE_LOCK_BYTES_END;
	}
	return (struct page_lock) { .id = *id, .start = offset, .end = end };
}

struct page_lock page_lock_bytes_from(const struct mirror_id *id,
				      uint64_t offset)
{
	return (struct page_lock) {
		.id = *id,
		.start = offset,
		.end = PAGE_LOCK_BYTES_END,
	};
}

struct page_lock page_lock_name(const struct mirror_id *parent,
				const char *name)
{
	return point(parent, POINTS_NAMES + (name_hash(name) & POINT_HASH_MASK),
		     false);
}

struct page_lock page_lock_exists(const struct mirror_id *directory,
				  bool shared)
{
	return point(directory, POINT_EXISTS, shared);
}

struct page_lock page_lock_links(const struct mirror_id *id)
{
	return point(id, POINT_LINKS, false);
}

struct page_lock page_lock_directory_moves(void)
{
	const struct mirror_id whole_volume = {
		.bytes = { MIRROR_ID_NONE },
	};

	return point(&whole_volume, POINT_EXISTS, false);
}

struct page_lock page_lock_attribute(const struct mirror_id *id,
				     const char *name)
{
	return point(id,
		     POINTS_ATTRIBUTES + (name_hash(name) & POINT_HASH_MASK),
		     false);
}

struct page_lock page_lock_permissions(const struct mirror_id *id)
{
	return point(id, POINT_PERMISSIONS, false);
}

struct page_lock page_lock_times(const struct mirror_id *id)
{
	return point(id, POINT_TIMES, false);
}
