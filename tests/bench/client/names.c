/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names and attributes. What is made or used up in a round is spread over
 * directories of 128 entries, made before: the cost of a name does not grow
 * with the length of a run (a server that ignores case may look through the
 * whole directory for a new one).
 */

#include "includes.h"
#include "libcli/security/security.h"
#include "libcli/smb/smb2_constants.h"
#include "client_process.h"
#include "steps.h"
#include "workload.h"

#define DIRECTORY_ENTRIES 128
#define BATCH_MIN 64
#define BATCH_ALL_CLIENTS 8192
#define FEW 64
#define FEW_MIN 8
#define FEW_ALL_CLIENTS 2048
#define LISTED 100

const struct step create_steps[] = {
	STEP_OPEN(&opening_new_file), STEP_WRITE, STEP_CLOSE, STEP_END,
};

const struct step open_close_steps[] = {
	STEP_OPEN(&opening_read), STEP_CLOSE, STEP_END,
};

const struct step unlink_steps[] = {
	STEP_OPEN(&opening_delete), STEP_SET("delete", set_deletion_send),
	STEP_CLOSE, STEP_END,
};

const struct step mkdir_steps[] = {
	STEP_OPEN(&opening_new_directory), STEP_CLOSE, STEP_END,
};

const struct step set_attributes_steps[] = {
	STEP_OPEN(&opening_attributes),
	STEP_SET("set attributes", set_attributes_send),
	STEP_CLOSE, STEP_END,
};

static const uint32_t listed_entries = LISTED + 2;	/* . and .. */

const struct step list_steps[] = {
	STEP_OPEN(&opening_list), STEP_LIST(&listed_entries), STEP_CLOSE,
	STEP_END,
};

static void set_path(struct operation *operation, const char *format, ...)
	PRINTF_ATTRIBUTE(2, 3);

/* In the client's folder. */
static void set_path(struct operation *operation, const char *format, ...)
{
	int length = snprintf(operation->path, sizeof(operation->path),
			      "%s\\", operation->client->folder);
	va_list ap;

	va_start(ap, format);
	vsnprintf(operation->path + length,
		  sizeof(operation->path) - (size_t)length, format, ap);
	va_end(ap);
}

/* --------------------------------------------------------------- the batch */

uint64_t batch_names(const struct options *options)
{
	uint64_t count = BATCH_ALL_CLIENTS / options->clients;

	count = MIN(count, options->batch);
	count = MAX(count, BATCH_MIN);
	count = MIN(count, (uint64_t)options->operations);
	return MAX(count, 8 * options->depth);
}

void choose_name_of_batch(struct operation *operation)
{
	set_path(operation, "d%" PRIu64 "\\n%" PRIu64,
		 operation->number / DIRECTORY_ENTRIES, operation->number);
	operation->offset = 0;
}

static void choose_directory_of_batch(struct operation *operation)
{
	set_path(operation, "d%" PRIu64, operation->number);
}

static bool make(struct client *client, const struct action *action,
		 uint64_t count, uint32_t length)
{
	const struct phase_options options = {
		.action = action, .count = count, .length = length,
		.depth = unmeasured_depth(client),
	};

	return phase_run(client, &options);
}

bool make_directories(struct client *client, uint64_t entries)
{
	static const struct action action = {
		mkdir_steps, choose_directory_of_batch,
	};

	return make(client, &action,
		    (entries - 1) / DIRECTORY_ENTRIES + 1, 0);
}

static bool make_files(struct client *client, uint64_t count)
{
	static const struct action action = {
		create_steps, choose_name_of_batch,
	};

	return make_directories(client, count) &&
		make(client, &action, count, BLOCK);
}

bool prepare_directories(struct client *client)
{
	return make_directories(client, batch_names(client->options));
}

bool prepare_batch(struct client *client)
{
	return make_files(client, batch_names(client->options));
}

/* --------------------------------------------------------------- few files */

/* No two in flight shall be of the same. */
static uint64_t few(const struct options *options)
{
	uint64_t count = FEW_ALL_CLIENTS / options->clients;

	count = MIN(count, FEW);
	count = MAX(count, FEW_MIN);
	return MAX(count, options->depth);
}

bool prepare_few(struct client *client)
{
	return make_files(client, few(client->options));
}

void choose_one_of_few(struct operation *operation)
{
	uint64_t count = few(operation->client->options);
	uint64_t number = operation->number % count;

	set_path(operation, "d%" PRIu64 "\\n%" PRIu64,
		 number / DIRECTORY_ENTRIES, number);
	/* Hidden and shown again, for set_attributes_send(). */
	operation->offset = FILE_ATTRIBUTE_ARCHIVE |
		(operation->number / count % 2 == 0
		 ? FILE_ATTRIBUTE_HIDDEN : 0);
}

bool prepare_listed(struct client *client)
{
	return make_files(client, LISTED);
}

void choose_directory(struct operation *operation)
{
	set_path(operation, "d0");
	operation->entries = 0;
}

/* ------------------------------------------------------------------ rename */

void choose_name_of_slot(struct operation *operation)
{
	set_path(operation, "s%u.%u", operation->slot,
		 (unsigned int)(operation->turn % 2));
}

static void choose_first_name_of_slot(struct operation *operation)
{
	set_path(operation, "s%" PRIu64 ".0", operation->number);
	operation->offset = 0;
}

bool prepare_file_of_slot(struct client *client)
{
	static const struct action action = {
		create_steps, choose_first_name_of_slot,
	};

	return make(client, &action, client->options->depth, BLOCK);
}

static struct tevent_req *rename_send(struct operation *operation)
{
	char path[PATH_LENGTH];

	memcpy(path, operation->path, sizeof(path));
	path[strlen(path) - 1] = operation->turn % 2 == 0 ? '1' : '0';
	return set_name_send(operation, path);
}

const struct step rename_steps[] = {
	STEP_OPEN(&opening_rename), STEP_SET("rename", rename_send),
	STEP_CLOSE, STEP_END,
};

/* --------------------------------------------------------------------- ACL */

/* Everybody may do everything, and all users may read: with, or without. */
static bool make_descriptor(struct client *client, unsigned int number)
{
	struct security_descriptor *descriptor = NULL;
	struct security_acl *acl = NULL;
	struct security_ace aces[2];
	NTSTATUS status;
	size_t size;

	init_sec_ace(&aces[0], &global_sid_World, SEC_ACE_TYPE_ACCESS_ALLOWED,
		     SEC_RIGHTS_FILE_ALL, 0);
	init_sec_ace(&aces[1], &global_sid_Builtin_Users,
		     SEC_ACE_TYPE_ACCESS_ALLOWED, SEC_RIGHTS_FILE_READ, 0);
	acl = make_sec_acl(client, SECURITY_ACL_REVISION_NT4, 1 + number,
			   aces);
	descriptor = make_sec_desc(client, SECURITY_DESCRIPTOR_REVISION_1,
				   SEC_DESC_SELF_RELATIVE |
				   SEC_DESC_DACL_PRESENT, NULL, NULL, NULL,
				   acl, &size);
	status = marshall_sec_desc(client, descriptor,
				   &client->descriptors[number],
				   &client->descriptor_lengths[number]);
	if (!NT_STATUS_IS_OK(status)) {
		client_fail(client, status, "security descriptor");
		return false;
	}
	return true;
}

bool prepare_for_acls(struct client *client)
{
	return make_descriptor(client, 0) && make_descriptor(client, 1) &&
		prepare_few(client);
}

static struct tevent_req *set_acl_send(struct operation *operation)
{
	struct client *client = operation->client;
	/* Each time that it is this file's turn, the other one. */
	uint64_t which = operation->number / few(client->options) % 2;

	return set_info_send(operation, SMB2_0_INFO_SECURITY, 0, SECINFO_DACL,
			     client->descriptors[which],
			     client->descriptor_lengths[which]);
}

const struct step set_acl_steps[] = {
	STEP_OPEN(&opening_acl), STEP_SET("set ACL", set_acl_send),
	STEP_CLOSE, STEP_END,
};
