/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See connection.h. */

#include "includes.h"
#include "libsmb/libsmb.h"
#include "libcli/smb/smbXcli_base.h"
#include "client_process.h"
#include "connection.h"
#include "steps.h"

#define CREDITS_MAX 8192
#define CREDIT 65536
#define ECHOES_MAX 100
#define PORT 445

/* -------------------------------------------------------------- connection */

/*
 * Servers grant credits little by little, with their replies. What is in
 * flight shall not be fewer at the beginning than later.
 */
static bool gather_credits(struct client *client)
{
	const struct options *options = client->options;
	struct smbXcli_conn *conn = client->cli->conn;
	uint32_t wanted = options->depth *
		(options->size > 0 ? (options->size - 1) / CREDIT + 1 : 1) +
		UNMEASURED_DEPTH;
	unsigned int i;

	if (wanted > CREDITS_MAX) {
		wanted = CREDITS_MAX;
	}
	smb2cli_conn_set_max_credits(conn, CREDITS_MAX);
	for (i = 0; i < ECHOES_MAX &&
	     smb2cli_conn_get_cur_credits(conn) < wanted; i++) {
		NTSTATUS status = smb2cli_echo(conn, REQUEST_TIMEOUT_MS);

		if (!NT_STATUS_IS_OK(status)) {
			client_fail(client, status, "echo");
			return false;
		}
	}
	/* If they are fewer even now, operations wait for them. */
	return true;
}

bool connection_open(struct client *client)
{
	const struct options *options = client->options;
	struct cli_credentials *credentials = NULL;
	uint32_t limit;
	NTSTATUS status;

	credentials = cli_session_creds_init(client, options->user, "", NULL,
					     options->password, false, false,
					     false, false);
	if (credentials == NULL) {
		client_fail(client, NT_STATUS_NO_MEMORY, "credentials");
		return false;
	}
	status = cli_full_connection_creds(
		&client->cli, "BENCH", options->address, NULL, PORT,
		options->share, "A:", credentials, 0);
	if (!NT_STATUS_IS_OK(status)) {
		client_fail(client, status, "connect to //%s/%s",
			    options->address, options->share);
		return false;
	}
	cli_set_timeout(client->cli, REQUEST_TIMEOUT_MS);
	if (smbXcli_conn_protocol(client->cli->conn) < PROTOCOL_SMB3_00) {
		client_fail(client, NT_STATUS_REVISION_MISMATCH,
			    "SMB 3 with //%s", options->address);
		return false;
	}
	limit = MIN(smb2cli_conn_max_write_size(client->cli->conn),
		    smb2cli_conn_max_read_size(client->cli->conn));
	if (options->size > limit) {
		client_fail(client, NT_STATUS_INVALID_PARAMETER,
			    "requests of more than %u bytes", limit);
		return false;
	}
	return gather_credits(client);
}

void connection_close(struct client *client)
{
	if (client->cli != NULL) {
		cli_shutdown(client->cli);
		client->cli = NULL;
	}
}

/* ------------------------------------------------------------------ folder */

static bool make_directory(struct client *client, const char *path,
			   bool may_exist)
{
	NTSTATUS status = cli_mkdir(client->cli, path);

	if (!NT_STATUS_IS_OK(status) &&
	    !(may_exist && NT_STATUS_EQUAL(
		    status, NT_STATUS_OBJECT_NAME_COLLISION))) {
		client_fail(client, status, "mkdir of %s", path);
		return false;
	}
	return true;
}

bool folder_make(struct client *client)
{
	return make_directory(client, client->options->directory, true) &&
		(client->has_folder = make_directory(client, client->folder,
						     false));
}

struct listing {
	const char *path;
	char **names;		/* paths in the share */
	unsigned int files;
	char **directories;
	unsigned int directory_count;
};

static bool add_name(char ***names, unsigned int *count, char *name)
{
	/* Growing one by one would copy them all each time. */
	if ((*count & (*count - 1)) == 0) {
		char **larger = talloc_realloc(talloc_parent(*names), *names,
					       char *, 2 * (*count + 1));

		if (larger == NULL) {
			return false;
		}
		*names = larger;
	}
	(*names)[(*count)++] = name;
	return true;
}

static NTSTATUS note_entry(struct file_info *entry, const char *mask,
			   void *private_data)
{
	struct listing *listing = private_data;
	bool ok;
	char *path;

	if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) {
		return NT_STATUS_OK;
	}
	path = talloc_asprintf(listing->names, "%s\\%s", listing->path,
			       entry->name);
	if (path == NULL || strlen(path) >= PATH_LENGTH) {
		return NT_STATUS_NAME_TOO_LONG;
	}
	ok = entry->attr & FILE_ATTRIBUTE_DIRECTORY
		? add_name(&listing->directories, &listing->directory_count,
			   path)
		: add_name(&listing->names, &listing->files, path);
	return ok ? NT_STATUS_OK : NT_STATUS_NO_MEMORY;
}

static void choose_name(struct operation *operation)
{
	snprintf(operation->path, sizeof(operation->path), "%s",
		 operation->phase->options.names[operation->number]);
}

static bool remove_all(struct client *client, char **names, uint64_t count)
{
	static const struct step steps[] = {
		STEP_OPEN(&opening_delete_any),
		STEP_SET("delete", set_deletion_send),
		STEP_CLOSE,
		STEP_END,
	};
	static const struct action remove = { steps, choose_name };
	const struct phase_options options = {
		.action = &remove, .count = count, .names = names,
		.depth = unmeasured_depth(client), .cleaning = true,
	};

	return phase_run(client, &options);
}

static bool empty_directory(struct client *client, const char *path)
{
	TALLOC_CTX *frame = talloc_new(client);
	struct listing listing = { .path = path };
	char *mask = talloc_asprintf(frame, "%s\\*", path);
	unsigned int i;
	NTSTATUS status;
	bool ok;

	listing.names = talloc_array(frame, char *, 1);
	listing.directories = talloc_array(frame, char *, 1);
	status = cli_list(client->cli, mask, FILE_ATTRIBUTE_DIRECTORY |
			  FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM,
			  note_entry, &listing);
	ok = NT_STATUS_IS_OK(status) ||
		NT_STATUS_EQUAL(status, NT_STATUS_NO_SUCH_FILE);
	if (!ok) {
		client_fail(client, status, "list of %s", path);
	}
	for (i = 0; ok && i < listing.directory_count; i++) {
		ok = empty_directory(client, listing.directories[i]);
	}
	ok = ok && remove_all(client, listing.names, listing.files) &&
		remove_all(client, listing.directories,
			   listing.directory_count);
	TALLOC_FREE(frame);
	return ok;
}

bool folder_empty(struct client *client)
{
	return !client->has_folder ||
		empty_directory(client, client->folder);
}

bool folder_remove(struct client *client)
{
	bool ok;

	if (!client->has_folder || client->options->keep) {
		return true;
	}
	ok = empty_directory(client, client->folder) &&
		remove_all(client, &client->folder, 1);
	/* Not empty for all but the last client, or somebody else's. */
	cli_rmdir(client->cli, client->options->directory);
	return ok;
}
