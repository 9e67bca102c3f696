/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beacons to bytes and back, by tables; see beacon.h (R6). */

#include <sys/socket.h>
#include <errno.h>
#include <string.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include "beacon.h"
#include "link_key.h"

#define ETHERNET_HEADER 14
#define HEAD_SIZE 8
#define VERSION 1
#define DERIVATION "samba-mirror beacon 1"

const struct net_mac beacon_group = {
	{ 0x03, 0x53, 0x4d, 0x42, 0x42, 0x31 }
};

static const uint8_t magic[] = { 'S', 'M', 'B', 'B' };

/* Ready to be used again after each HMAC, so that none allocates. */
struct beacon_key {
	gnutls_hmac_hd_t hmac;
};

/* ------------------------------------------------------------------ tables */

/* A member of a struct (an unsigned integer of any size, or bytes), and how
 * many bytes it has in the frame. */
struct field {
	size_t wire;
	size_t offset;
	size_t size;
	bool is_bytes;
};

#define INTEGER(wire_, struct_, member_) \
	{ (wire_), offsetof(struct_, member_), \
	  sizeof(((struct_ *)NULL)->member_), false }
#define BYTES(struct_, member_) \
	{ sizeof(((struct_ *)NULL)->member_), offsetof(struct_, member_), \
	  sizeof(((struct_ *)NULL)->member_), true }
#define END { 0, 0, 0, false }

/* What is only in the frame. */
struct head {
	uint8_t magic[4];
	uint8_t version;
	uint8_t flags;
	uint16_t size;
};

static const struct field head_fields[] = {
	BYTES(struct head, magic),
	INTEGER(1, struct head, version),
	INTEGER(1, struct head, flags),
	INTEGER(2, struct head, size),
	END
};

static const struct field beacon_fields[] = {
	INTEGER(4, struct beacon, node),
	INTEGER(4, struct beacon, interface),
	INTEGER(8, struct beacon, session),
	INTEGER(8, struct beacon, sequence),
	INTEGER(8, struct beacon, count),
	BYTES(struct beacon, mac.bytes),
	INTEGER(1, struct beacon, num_hearings),
	INTEGER(1, struct beacon, num_addresses),
	END
};

static const struct field hearing_fields[] = {
	INTEGER(4, struct beacon_hearing, node),
	INTEGER(4, struct beacon_hearing, interface),
	INTEGER(4, struct beacon_hearing, their_interface),
	INTEGER(8, struct beacon_hearing, session),
	INTEGER(8, struct beacon_hearing, sequence),
	INTEGER(4, struct beacon_hearing, age_us),
	END
};

static const struct field address_fields[] = {
	INTEGER(1, struct beacon_address, address.family),
	INTEGER(1, struct beacon_address, state),
	INTEGER(4, struct beacon_address, node),
	BYTES(struct beacon_address, address.bytes),
	END
};

/* ------------------------------------------------------------------- codec */

/* A place in a frame. Only take() moves it. */
struct cursor {
	size_t offset;
	size_t length;
};

/* The one bounds check: size bytes at *at, or false. */
static bool take(struct cursor *cursor, size_t size, size_t *at)
{
	if (size > cursor->length - cursor->offset) {
		return false;
	}
	*at = cursor->offset;
	cursor->offset += size;
	return true;
}

static uint64_t load(const void *object, const struct field *field)
{
	const uint8_t *member = (const uint8_t *)object + field->offset;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (field->size) {
	case sizeof(u8):
		return *member;
	case sizeof(u16):
		memcpy(&u16, member, sizeof(u16));
		return u16;
	case sizeof(u32):
		memcpy(&u32, member, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, member, sizeof(u64));
		return u64;
	}
}

static void store(void *object, const struct field *field, uint64_t value)
{
	uint8_t *member = (uint8_t *)object + field->offset;
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (field->size) {
	case sizeof(u8):
		*member = u8;
		break;
	case sizeof(u16):
		memcpy(member, &u16, sizeof(u16));
		break;
	case sizeof(u32):
		memcpy(member, &u32, sizeof(u32));
		break;
	default:
		memcpy(member, &value, sizeof(value));
		break;
	}
}

static bool push(const struct field *field, const void *object,
		 uint8_t *frame, struct cursor *cursor)
{
	for (; field->wire != 0; field++) {
		uint64_t value;
		size_t at;
		size_t i;

		if (!take(cursor, field->wire, &at)) {
			return false;
		}
		if (field->is_bytes) {
			memcpy(frame + at,
			       (const uint8_t *)object + field->offset,
			       field->wire);
			continue;
		}
		value = load(object, field);
		for (i = field->wire; i > 0; i--) {
			frame[at + i - 1] = (uint8_t)value;
			value >>= 8;
		}
	}
	return true;
}

static bool pull(const struct field *field, void *object,
		 const uint8_t *frame, struct cursor *cursor)
{
	for (; field->wire != 0; field++) {
		uint64_t value = 0;
		size_t at;
		size_t i;

		if (!take(cursor, field->wire, &at)) {
			return false;
		}
		if (field->is_bytes) {
			memcpy((uint8_t *)object + field->offset, frame + at,
			       field->wire);
			continue;
		}
		for (i = 0; i < field->wire; i++) {
			value = value << 8 | frame[at + i];
		}
		store(object, field, value);
	}
	return true;
}

/* --------------------------------------------------------------- the rules */

static bool address_is_valid(const struct beacon_address *row)
{
	static const uint8_t zero[16];
	size_t size = net_address_size(&row->address);

	/* One encoding for each address. */
	return size != 0 &&
		memcmp(row->address.bytes + size, zero,
		       sizeof(zero) - size) == 0 &&
		row->state >= BEACON_HELD &&
		row->state < BEACON_ADDRESS_STATE_END;
}

/* Of what is sent and of what is read, so that both are the same. */
static bool beacon_is_valid(const struct beacon *beacon)
{
	static const struct net_mac none;
	uint32_t i;

	if (beacon->session == 0 || beacon->interface == 0 ||
	    net_mac_same(&beacon->mac, &none) ||
	    (beacon->mac.bytes[0] & 1) != 0 ||
	    beacon->num_hearings > BEACON_HEARINGS_MAX ||
	    beacon->num_addresses > BEACON_ADDRESSES_MAX) {
		return false;
	}
	for (i = 0; i < beacon->num_addresses; i++) {
		if (!address_is_valid(&beacon->addresses[i])) {
			return false;
		}
	}
	return true;
}

/* ----------------------------------------------------------------- the key */

static int key_destructor(struct beacon_key *key)
{
	if (key->hmac != NULL) {
		gnutls_hmac_deinit(key->hmac, NULL);
	}
	return 0;
}

int beacon_key_derive(TALLOC_CTX *mem_ctx,
		      const uint8_t *bytes, size_t size,
		      struct beacon_key **_key)
{
	uint8_t derived[BEACON_HMAC_SIZE];
	struct beacon_key *key = talloc_zero(mem_ctx, struct beacon_key);
	int ret;

	if (key == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(key, key_destructor);
	/* Not the cluster key itself: what one use gives away, if anything,
	 * is of no use for the other. */
	ret = gnutls_hmac_fast(GNUTLS_MAC_SHA256, bytes, size,
			       DERIVATION, strlen(DERIVATION), derived);
	if (ret == 0) {
		ret = gnutls_hmac_init(&key->hmac, GNUTLS_MAC_SHA256,
				       derived, sizeof(derived));
	}
	explicit_bzero(derived, sizeof(derived));
	if (ret != 0) {
		talloc_free(key);
		return ENOTSUP;
	}
	*_key = key;
	return 0;
}

int beacon_key_load(TALLOC_CTX *mem_ctx, const char *path,
		    struct beacon_key **key, char **problem)
{
	uint8_t bytes[LINK_KEY_SIZE_MAX];
	size_t size;
	int ret;

	ret = link_key_read(mem_ctx, path, bytes, &size, problem);
	if (ret != 0) {
		return ret;
	}
	ret = beacon_key_derive(mem_ctx, bytes, size, key);
	explicit_bzero(bytes, sizeof(bytes));
	if (ret != 0) {
		*problem = talloc_asprintf(
			mem_ctx, "GnuTLS does not take the cluster key %s: "
			"its system-wide configuration has to allow "
			"HMAC-SHA256", path);
	}
	return ret;
}

bool beacon_hmac(const struct beacon_key *key, const uint8_t *bytes,
		 size_t size, uint8_t digest[BEACON_HMAC_SIZE])
{
	int ret = gnutls_hmac(key->hmac, bytes, size);

	gnutls_hmac_output(key->hmac, digest);
	return ret == 0;
}

/* -------------------------------------------------------------- the frame */

static bool push_body(const struct beacon *beacon, uint8_t *frame,
		      struct cursor *cursor)
{
	uint32_t i;
	bool ok;

	ok = push(beacon_fields, beacon, frame, cursor);
	for (i = 0; ok && i < beacon->num_hearings; i++) {
		ok = push(hearing_fields, &beacon->hearings[i], frame, cursor);
	}
	for (i = 0; ok && i < beacon->num_addresses; i++) {
		ok = push(address_fields, &beacon->addresses[i], frame,
			  cursor);
	}
	return ok;
}

size_t beacon_push(const struct beacon_key *key,
		   const struct beacon *beacon,
		   uint8_t frame[BEACON_FRAME_MAX])
{
	const size_t start = ETHERNET_HEADER;
	struct cursor cursor = { .offset = start + HEAD_SIZE,
				 .length = BEACON_FRAME_MAX -
					   BEACON_HMAC_SIZE };
	struct cursor head_cursor = { .offset = start,
				      .length = start + HEAD_SIZE };
	struct head head = { .version = VERSION, .flags = beacon->flags };

	memcpy(head.magic, magic, sizeof(magic));
	if (!beacon_is_valid(beacon) || !push_body(beacon, frame, &cursor)) {
		return 0;
	}
	head.size = (uint16_t)(cursor.offset - start);
	if (!push(head_fields, &head, frame, &head_cursor) ||
	    !beacon_hmac(key, frame + start, head.size,
			 frame + cursor.offset)) {
		return 0;
	}
	memcpy(frame, beacon_group.bytes, NET_MAC_SIZE);
	memcpy(frame + NET_MAC_SIZE, beacon->mac.bytes, NET_MAC_SIZE);
	frame[12] = BEACON_ETHERTYPE >> 8;
	frame[13] = BEACON_ETHERTYPE & 0xff;
	return cursor.offset + BEACON_HMAC_SIZE;
}

static bool pull_body(struct beacon *beacon, const uint8_t *frame,
		      struct cursor *cursor)
{
	uint32_t i;

	if (!pull(beacon_fields, beacon, frame, cursor) ||
	    beacon->num_hearings > BEACON_HEARINGS_MAX ||
	    beacon->num_addresses > BEACON_ADDRESSES_MAX) {
		return false;
	}
	for (i = 0; i < beacon->num_hearings; i++) {
		if (!pull(hearing_fields, &beacon->hearings[i], frame,
			  cursor)) {
			return false;
		}
	}
	for (i = 0; i < beacon->num_addresses; i++) {
		struct beacon_address *row = &beacon->addresses[i];

		if (!pull(address_fields, row, frame, cursor)) {
			return false;
		}
		row->address.prefix = net_address_bits(&row->address);
	}
	return cursor->offset == cursor->length && beacon_is_valid(beacon);
}

int beacon_pull(const struct beacon_key *key,
		const uint8_t *frame, size_t length,
		struct beacon *beacon)
{
	struct cursor cursor = { .offset = 0, .length = length };
	uint8_t digest[BEACON_HMAC_SIZE];
	struct head head = { .size = 0 };
	size_t start;
	size_t end;

	if (!take(&cursor, ETHERNET_HEADER, &start) ||
	    frame[12] != BEACON_ETHERTYPE >> 8 ||
	    frame[13] != (BEACON_ETHERTYPE & 0xff)) {
		return EBADMSG;
	}
	start = cursor.offset;
	if (!pull(head_fields, &head, frame, &cursor) ||
	    memcmp(head.magic, magic, sizeof(magic)) != 0 ||
	    head.version != VERSION || head.size < cursor.offset - start ||
	    !take(&cursor, head.size - (cursor.offset - start), &end) ||
	    !take(&cursor, BEACON_HMAC_SIZE, &end)) {
		return EBADMSG;
	}
	if (!beacon_hmac(key, frame + start, head.size, digest) ||
	    gnutls_memcmp(digest, frame + end, BEACON_HMAC_SIZE) != 0) {
		return EACCES;
	}
	*beacon = (struct beacon){ .flags = head.flags };
	cursor = (struct cursor){ .offset = start + HEAD_SIZE, .length = end };
	return pull_body(beacon, frame, &cursor) ? 0 : EBADMSG;
}
