/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See steps.h. */

#include "includes.h"
#include "libsmb/libsmb.h"
#include "libcli/smb/smbXcli_base.h"
#include "libcli/smb/smb2_create_blob.h"
#include "libcli/smb/smb2_lease.h"
#include "libcli/security/security.h"
#include "client_process.h"
#include "operation.h"
#include "steps.h"

#define LEASE_LENGTH 32
#define LIST_LENGTH 65536
#define LIST_ENTRY_MIN 64	/* where the length of the name ends */
#define BASIC_LENGTH 40
#define FILE_BASIC_INFORMATION 4
#define FILE_RENAME_INFORMATION 10
#define FILE_DISPOSITION_INFORMATION 13
#define RENAME_NAME 20		/* its offset */
/* 2020-01-01 in units of 100 ns since 1601. */
#define LONG_AGO UINT64_C(132223104000000000)

/* An operation is no chunk of talloc, the array of them is. */
#define WITH_CONNECTION(operation) \
	(operation)->phase->operations, (operation)->client->ev, \
	(operation)->client->cli->conn, REQUEST_TIMEOUT_MS, \
	(operation)->client->cli->smb2.session, \
	(operation)->client->cli->smb2.tcon

/* ----------------------------------------------------------------- opening */

#define STAT_ACCESS (FILE_READ_ATTRIBUTES | SEC_STD_SYNCHRONIZE)
#define READ_ACCESS (STAT_ACCESS | FILE_READ_DATA | FILE_READ_EA | \
		     SEC_STD_READ_CONTROL)
#define WRITE_ACCESS (READ_ACCESS | FILE_WRITE_DATA | FILE_APPEND_DATA | \
		      FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES)

const struct opening opening_new_file = {
	WRITE_ACCESS, FILE_CREATE, FILE_NON_DIRECTORY_FILE,
	FILE_ATTRIBUTE_ARCHIVE, true,
};
const struct opening opening_new_directory = {
	STAT_ACCESS, FILE_CREATE, FILE_DIRECTORY_FILE,
	FILE_ATTRIBUTE_DIRECTORY, false,
};
const struct opening opening_read = {
	READ_ACCESS, FILE_OPEN, FILE_NON_DIRECTORY_FILE, 0, true,
};
const struct opening opening_list = {
	STAT_ACCESS | FILE_READ_DATA, FILE_OPEN, FILE_DIRECTORY_FILE, 0, false,
};
const struct opening opening_delete = {
	STAT_ACCESS | SEC_STD_DELETE, FILE_OPEN, FILE_NON_DIRECTORY_FILE, 0,
	false,
};
const struct opening opening_delete_any = {
	STAT_ACCESS | SEC_STD_DELETE, FILE_OPEN, 0, 0, false,
};
const struct opening opening_rename = {
	STAT_ACCESS | SEC_STD_DELETE, FILE_OPEN, 0, 0, false,
};
const struct opening opening_attributes = {
	STAT_ACCESS | FILE_WRITE_ATTRIBUTES, FILE_OPEN, 0, 0, false,
};
const struct opening opening_acl = {
	STAT_ACCESS | SEC_STD_READ_CONTROL | SEC_STD_WRITE_DAC, FILE_OPEN, 0,
	0, false,
};

/*
 * The key belongs to the path, so that no open of this client breaks the lease
 * of another one.
 */
static bool lease_blob(TALLOC_CTX *mem_ctx, const char *path,
		       struct smb2_create_blobs *blobs)
{
	struct smb2_lease lease = {
		.lease_key = {{ UINT64_C(14695981039346656037), 0 }},
		.lease_state = SMB2_LEASE_READ | SMB2_LEASE_WRITE |
			SMB2_LEASE_HANDLE,
	};
	uint8_t bytes[LEASE_LENGTH];
	const char *c;

	for (c = path; *c != '\0'; c++) {
		lease.lease_key.data[0] ^= (uint8_t)*c;
		lease.lease_key.data[0] *= UINT64_C(1099511628211);
		lease.lease_key.data[1] = lease.lease_key.data[1] * 31 +
			(uint8_t)*c;
	}
	return smb2_lease_push(&lease, bytes, sizeof(bytes)) &&
		NT_STATUS_IS_OK(smb2_create_blob_add(
			mem_ctx, blobs, SMB2_CREATE_TAG_RQLS,
			data_blob_const(bytes, sizeof(bytes))));
}

struct tevent_req *open_send(struct operation *operation)
{
	const struct opening *opening = operation->step->how;
	struct smb2_create_blobs blobs = { .num_blobs = 0 };
	struct tevent_req *req;
	bool lease = opening->may_lease && operation->client->options->lease;

	if (lease && !lease_blob(operation->client, operation->path, &blobs)) {
		return NULL;
	}
	req = smb2cli_create_send(
		WITH_CONNECTION(operation), operation->path,
		lease ? SMB2_OPLOCK_LEVEL_LEASE : SMB2_OPLOCK_LEVEL_NONE,
		SMB2_IMPERSONATION_IMPERSONATION, opening->access,
		opening->attributes,
		FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
		opening->disposition, opening->options, &blobs);
	TALLOC_FREE(blobs.blobs);
	return req;
}

NTSTATUS open_receive(struct operation *operation, struct tevent_req *req)
{
	return smb2cli_create_recv(req, &operation->file.persistent,
				   &operation->file.open, NULL, NULL, NULL);
}

struct tevent_req *close_send(struct operation *operation)
{
	return smb2cli_close_send(WITH_CONNECTION(operation), 0,
				  operation->file.persistent,
				  operation->file.open);
}

NTSTATUS close_receive(struct operation *operation, struct tevent_req *req)
{
	return smb2cli_close_recv(req);
}

/* -------------------------------------------------------------------- data */

void fill_buffer(uint8_t *buffer, uint32_t length)
{
	uint64_t x = UINT64_C(88172645463325252);
	uint32_t i;

	for (i = 0; i < length; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buffer[i] = (uint8_t)x;
	}
}

struct tevent_req *write_send(struct operation *operation)
{
	uint64_t block = operation->offset / BLOCK;
	uint32_t i;

	for (i = 0; i + 8 <= operation->length; i += BLOCK) {
		SBVAL(operation->buffer, i, block);
		block++;
	}
	return smb2cli_write_send(WITH_CONNECTION(operation),
				  operation->length, operation->offset,
				  operation->file.persistent,
				  operation->file.open, 0, 0,
				  operation->buffer);
}

NTSTATUS write_receive(struct operation *operation, struct tevent_req *req)
{
	uint32_t written = 0;
	NTSTATUS status = smb2cli_write_recv(req, &written);

	if (NT_STATUS_IS_OK(status) && written != operation->length) {
		status = NT_STATUS_DISK_FULL;
	}
	operation->bytes += written;
	return status;
}

struct tevent_req *read_send(struct operation *operation)
{
	return smb2cli_read_send(WITH_CONNECTION(operation),
				 operation->length, operation->offset,
				 operation->file.persistent,
				 operation->file.open, 0, 0);
}

NTSTATUS read_receive(struct operation *operation, struct tevent_req *req)
{
	uint64_t block = operation->offset / BLOCK;
	uint32_t length = 0, i;
	uint8_t *data = NULL;
	NTSTATUS status = smb2cli_read_recv(req, req, &data, &length);

	if (!NT_STATUS_IS_OK(status)) {
		return status;
	}
	if (length != operation->length) {
		return NT_STATUS_END_OF_FILE;
	}
	for (i = 0; i + 8 <= length; i += BLOCK) {
		if (BVAL(data, i) != block++) {
			return NT_STATUS_DATA_ERROR;
		}
	}
	operation->bytes += length;
	return NT_STATUS_OK;
}

struct tevent_req *flush_send(struct operation *operation)
{
	return smb2cli_flush_send(WITH_CONNECTION(operation),
				  operation->file.persistent,
				  operation->file.open);
}

NTSTATUS flush_receive(struct operation *operation, struct tevent_req *req)
{
	return smb2cli_flush_recv(req);
}

/* ----------------------------------------------------------------- listing */

struct tevent_req *list_send(struct operation *operation)
{
	return smb2cli_query_directory_send(
		WITH_CONNECTION(operation), SMB2_FIND_ID_BOTH_DIRECTORY_INFO,
		0, 0, operation->file.persistent, operation->file.open, "*",
		LIST_LENGTH);
}

/* 0: it is damaged. */
static uint32_t count_entries(const uint8_t *data, uint32_t length)
{
	uint32_t count = 0, offset = 0, next;

	do {
		if (length - offset < LIST_ENTRY_MIN) {
			return 0;
		}
		next = IVAL(data, offset);
		if (next > length - offset) {
			return 0;
		}
		offset += next;
		count++;
	} while (next != 0);
	return count;
}

NTSTATUS list_receive(struct operation *operation, struct tevent_req *req)
{
	const uint32_t *expected = operation->step->how;
	uint32_t length = 0, count;
	uint8_t *data = NULL;
	NTSTATUS status = smb2cli_query_directory_recv(req, req, &data,
						       &length);

	if (NT_STATUS_EQUAL(status, STATUS_NO_MORE_FILES)) {
		return operation->entries == *expected
			? NT_STATUS_OK : NT_STATUS_DATA_ERROR;
	}
	if (!NT_STATUS_IS_OK(status)) {
		return status;
	}
	count = count_entries(data, length);
	if (count == 0) {
		return NT_STATUS_INVALID_NETWORK_RESPONSE;
	}
	operation->entries += count;
	operation->bytes += length;
	operation->again = true;
	return NT_STATUS_OK;
}

/* -------------------------------------------------------------- attributes */

struct tevent_req *set_info_send(struct operation *operation, uint8_t type,
				 uint8_t info_class, uint32_t additional,
				 uint8_t *bytes, size_t length)
{
	DATA_BLOB blob = data_blob_const(bytes, length);

	return smb2cli_set_info_send(WITH_CONNECTION(operation), type,
				     info_class, &blob, additional,
				     operation->file.persistent,
				     operation->file.open);
}

NTSTATUS set_info_receive(struct operation *operation, struct tevent_req *req)
{
	return smb2cli_set_info_recv(req);
}

struct tevent_req *set_deletion_send(struct operation *operation)
{
	operation->info[0] = 1;
	return set_info_send(operation, SMB2_0_INFO_FILE,
			     FILE_DISPOSITION_INFORMATION, 0,
			     operation->info, 1);
}

static struct tevent_req *set_basic_send(struct operation *operation,
					 uint32_t attributes)
{
	uint8_t *info = operation->info;
	uint64_t time = LONG_AGO + operation->number * 10000000;

	memset(info, 0, BASIC_LENGTH);	/* zero: leave it as it is */
	SBVAL(info, 8, time);		/* of access */
	SBVAL(info, 16, time);		/* of writing */
	SIVAL(info, 32, attributes);
	return set_info_send(operation, SMB2_0_INFO_FILE,
			     FILE_BASIC_INFORMATION, 0, info, BASIC_LENGTH);
}

struct tevent_req *set_times_send(struct operation *operation)
{
	return set_basic_send(operation, 0);
}

struct tevent_req *set_attributes_send(struct operation *operation)
{
	return set_basic_send(operation, (uint32_t)operation->offset);
}

struct tevent_req *set_name_send(struct operation *operation,
				 const char *new_path)
{
	uint8_t *info = operation->info;
	size_t length = strlen(new_path), i;

	/* Ours are plain ASCII. */
	if (length >= PATH_LENGTH) {
		return NULL;
	}
	memset(info, 0, RENAME_NAME);	/* replaces nothing */
	SIVAL(info, 16, 2 * length);
	for (i = 0; i < length; i++) {
		SSVAL(info, RENAME_NAME + 2 * i, (uint8_t)new_path[i]);
	}
	return set_info_send(operation, SMB2_0_INFO_FILE,
			     FILE_RENAME_INFORMATION, 0, info,
			     RENAME_NAME + 2 * length);
}
