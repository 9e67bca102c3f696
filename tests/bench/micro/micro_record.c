/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See micro_record.h. */

#include <endian.h>
#include <string.h>

#include "micro_record.h"

/* record.h: type, sequence and epoch are at a fixed place. */
#define AT_SEQUENCE 4
#define AT_EPOCH 12

static const struct {
	const char *word;
	enum record_type type;
} types[] = {
	{ "create", RECORD_CREATE },
	{ "write", RECORD_WRITE },
	{ "rename", RECORD_RENAME },
	{ "setxattr", RECORD_SETXATTR },
	{ "times", RECORD_TIMES },
};

static const uint32_t groups[] = { 100, 513, 10513, 10512, 11001 };

static void object(struct mirror_id *id, struct mirror_handle *handle,
		   uint8_t number)
{
	memset(id->bytes, number, sizeof(id->bytes));
	id->bytes[0] = MIRROR_ID_CHOSEN;
	handle->type = 1;
	handle->length = 12;
	memset(handle->bytes, number, handle->length);
}

void micro_record(TALLOC_CTX *mem_ctx,
		  const char *name,
		  size_t size,
		  struct record *record)
{
	size_t i;

	*record = (struct record){
		.sequence = 1,
		.epoch = 1,
		.time = { .seconds = 1700000000, .nanoseconds = 123456789 },
		.credentials = { .uid = 10001, .gid = 10513, .umask = 022 },
		.mode = 0644,
		.offset = 1048576,
		.atime = { .nanoseconds = 1 },
		.mtime = { .seconds = 1700000000 },
	};
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strstr(name, types[i].word) != NULL) {
			record->type = types[i].type;
		}
	}
	micro_check(record->type != 0, "no such record");
	record->credentials.num_groups = sizeof(groups) / sizeof(groups[0]);
	record->credentials.groups = talloc_memdup(mem_ctx, groups,
						   sizeof(groups));
	object(&record->object, &record->object_hint, 3);
	object(&record->parent, &record->parent_hint, 4);
	object(&record->parent2, &record->parent2_hint, 5);
	record->name = "Quarterly report (draft 2).docx";
	record->name2 = "Quarterly report (final).docx";
	if (record->type == RECORD_SETXATTR) {
		record->name = "user.DOSATTRIB";
	}
	if (size != 0) {
		record->data = micro_bytes(mem_ctx, size);
		record->data_length = size;
	}
}

uint8_t *micro_encode(TALLOC_CTX *mem_ctx,
		      const struct record *record,
		      size_t *length)
{
	size_t head_length;
	uint8_t *bytes;
	uint8_t *head;

	micro_check(record_encode(mem_ctx, record, &head, &head_length) == 0,
		    "a record cannot be encoded");
	*length = head_length + record->data_length;
	bytes = talloc_size(mem_ctx, *length);
	micro_check(bytes != NULL, "no memory");
	memcpy(bytes, head, head_length);
	if (record->data_length != 0) {
		memcpy(bytes + head_length, record->data,
		       record->data_length);
	}
	talloc_free(head);
	return bytes;
}

void micro_renumber(uint8_t *bytes, uint64_t sequence, uint64_t epoch)
{
	sequence = htole64(sequence);
	epoch = htole64(epoch);
	memcpy(bytes + AT_SEQUENCE, &sequence, sizeof(sequence));
	memcpy(bytes + AT_EPOCH, &epoch, sizeof(epoch));
}
