/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See client.h. */

#include "includes.h"
#include "libsmb/libsmb.h"
#include "libsmb/cli_smb2_fnum.h"
#include "libcli/security/security.h"
#include "../libcli/smb/smb_constants.h"
#include "operations.h"
#include "client.h"

#define LONG_AGO 978307200	/* 2001-01-01 */
#define FILE_BASIC_INFORMATION 4
#define NTTIME_EPOCH INT64_C(11644473600)

static struct cli_state *cli;
static const char *folder;

static const char *in_folder(const char *path)
{
	char *full = talloc_asprintf(talloc_tos(), "%s\\%s", folder, path);

	string_replace(full, '/', '\\');
	return full;
}

/* ---------------------------------------------------------------- opening */

#define DATA_ACCESS (FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | \
		     FILE_READ_ATTRIBUTES)

static bool open_as(const char *path, uint32_t access, uint32_t disposition,
		    uint32_t options, uint32_t attributes, uint16_t *fnum,
		    off_t *size)
{
	struct smb_create_returns created = { .end_of_file = 0 };
	NTSTATUS status;

	status = cli_ntcreate(cli, in_folder(path), 0, access, attributes,
			      FILE_SHARE_READ | FILE_SHARE_WRITE |
			      FILE_SHARE_DELETE, disposition, options, 0,
			      fnum, &created);
	if (size != NULL) {
		*size = created.end_of_file;
	}
	return NT_STATUS_IS_OK(status);
}

static bool close_now(uint16_t fnum)
{
	return NT_STATUS_IS_OK(cli_close(cli, fnum));
}

static bool open_data(const char *path, uint16_t *fnum, off_t *size)
{
	return open_as(path, DATA_ACCESS, FILE_OPEN, FILE_NON_DIRECTORY_FILE,
		       0, fnum, size);
}

static bool open_for(const char *path, uint32_t access, uint16_t *fnum)
{
	return open_as(path, access | FILE_READ_ATTRIBUTES, FILE_OPEN, 0, 0,
		       fnum, NULL);
}

static bool create(const char *path, uint32_t disposition, uint32_t options,
		   uint32_t attributes)
{
	uint16_t fnum;

	return open_as(path, options & FILE_DIRECTORY_FILE
		       ? FILE_READ_ATTRIBUTES : DATA_ACCESS,
		       disposition, options, attributes, &fnum, NULL) &&
		close_now(fnum);
}

/* ------------------------------------------------------------------- data */

static bool write_open(uint16_t fnum, size_t length, off_t offset,
		       uint8_t seed)
{
	uint8_t *bytes = talloc_array(talloc_tos(), uint8_t, length);
	size_t i, written = 0;

	for (i = 0; i < length; i++) {
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
	}
	return NT_STATUS_IS_OK(cli_writeall(cli, fnum, 0, bytes, offset,
					    length, &written)) &&
		written == length;
}

static bool write_to(const char *path, size_t length, off_t offset,
		     uint8_t seed)
{
	uint16_t fnum;
	off_t size;
	bool ok;

	if (!open_data(path, &fnum, &size)) {
		return false;
	}
	ok = write_open(fnum, length, offset == -1 ? size : offset, seed);
	return close_now(fnum) && ok;
}

static bool resize(const char *path, off_t length)
{
	uint16_t fnum;
	bool ok;

	if (!open_data(path, &fnum, NULL)) {
		return false;
	}
	ok = NT_STATUS_IS_OK(cli_ftruncate(cli, fnum, length));
	return close_now(fnum) && ok;
}

static int go_on(off_t n, void *private_data)
{
	return 1;
}

static bool copy(const char *source, const char *destination)
{
	uint16_t from, to;
	off_t size, copied = 0;
	bool is_to, ok = false;

	if (!open_data(source, &from, &size)) {
		size = -1;
	}
	is_to = open_data(destination, &to, NULL);
	if (size >= 2000 && is_to) {
		ok = NT_STATUS_IS_OK(cli_splice(cli, cli, from, to, 2000, 0,
						100, &copied, go_on, NULL)) &&
			copied == 2000;
	}
	if (size != -1) {
		ok &= close_now(from);
	}
	if (is_to) {
		ok &= close_now(to);
	}
	return ok;
}

/* ------------------------------------------------------------------ names */

static bool rename_to(const char *source, const char *destination,
		      bool replace)
{
	return NT_STATUS_IS_OK(cli_rename(cli, in_folder(source),
					  in_folder(destination), replace));
}

static bool link_to(const char *source, const char *destination)
{
	return NT_STATUS_IS_OK(cli_hardlink(cli, in_folder(source),
					    in_folder(destination)));
}

static bool remove_path(const char *path)
{
	uint16_t fnum;
	bool ok;

	if (!open_for(path, DELETE_ACCESS, &fnum)) {
		return false;
	}
	ok = NT_STATUS_IS_OK(cli_nt_delete_on_close(cli, fnum, true));
	return close_now(fnum) && ok;
}

/* ------------------------------------------------------------- attributes */

typedef bool (*attribute_change)(uint16_t fnum);

static bool change(const char *path, uint32_t access, attribute_change how)
{
	uint16_t fnum;
	bool ok;

	if (!open_for(path, access, &fnum)) {
		return false;
	}
	ok = how(fnum);
	return close_now(fnum) && ok;
}

static bool set_one_ea(uint16_t fnum, const char *name, const char *value)
{
	return NT_STATUS_IS_OK(cli_set_ea_fnum(cli, fnum, name, value,
					       strlen(value)));
}

static bool set_new_ea(uint16_t fnum)
{
	return set_one_ea(fnum, "after", "value of an attribute") &&
		set_one_ea(fnum, "before", "another value");
}

static bool remove_ea(uint16_t fnum)
{
	return set_one_ea(fnum, "before", "");
}

/* Seconds since 1970; 0: leave it. */
static bool set_basic(uint16_t fnum, int64_t created, int64_t accessed,
		      int64_t written, uint32_t attributes)
{
	const int64_t times[3] = { created, accessed, written };
	uint8_t info[40] = { 0 };
	DATA_BLOB blob = data_blob_const(info, sizeof(info));
	size_t i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		if (times[i] != 0) {
			SBVAL(info, 8 * i,
			      (uint64_t)(times[i] + NTTIME_EPOCH) * 10000000);
		}
	}
	SIVAL(info, 32, attributes);
	return NT_STATUS_IS_OK(cli_smb2_set_info_fnum(
		cli, fnum, SMB2_0_INFO_FILE, FILE_BASIC_INFORMATION,
		&blob, 0));
}

static bool set_dosmode(uint16_t fnum)
{
	return set_basic(fnum, 0, 0, 0,
			 FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
}

static bool set_times(uint16_t fnum)
{
	return set_basic(fnum, LONG_AGO + 2000, LONG_AGO, LONG_AGO + 1000, 0);
}

static bool set_acl(uint16_t fnum)
{
	const uint8_t inherit = SEC_ACE_FLAG_OBJECT_INHERIT |
		SEC_ACE_FLAG_CONTAINER_INHERIT;
	struct security_descriptor *sd = NULL;
	struct security_acl *acl = NULL;
	struct security_ace aces[2];
	size_t size;

	init_sec_ace(&aces[0], &global_sid_World, SEC_ACE_TYPE_ACCESS_ALLOWED,
		     SEC_RIGHTS_FILE_ALL, inherit);
	init_sec_ace(&aces[1], &global_sid_Builtin_Users,
		     SEC_ACE_TYPE_ACCESS_ALLOWED, SEC_RIGHTS_FILE_READ,
		     inherit);
	acl = make_sec_acl(talloc_tos(), SECURITY_ACL_REVISION_NT4, 2, aces);
	sd = make_sec_desc(talloc_tos(), SECURITY_DESCRIPTOR_REVISION_1,
			   SEC_DESC_SELF_RELATIVE | SEC_DESC_DACL_PRESENT,
			   NULL, NULL, NULL, acl, &size);
	return NT_STATUS_IS_OK(cli_set_security_descriptor(
		cli, fnum, SECINFO_DACL, sd));
}

static bool write_stream(const char *path, uint8_t seed)
{
	uint16_t fnum;
	bool ok;

	if (!open_as(path, DATA_ACCESS, FILE_OVERWRITE_IF,
		     FILE_NON_DIRECTORY_FILE, 0, &fnum, NULL)) {
		return false;
	}
	ok = write_open(fnum, 200, 0, seed);
	return close_now(fnum) && ok;
}

/* -------------------------------------------------------------- the table */

static bool operation(enum operation_number number)
{
	const uint32_t file = FILE_NON_DIRECTORY_FILE;
	const uint32_t dir = FILE_DIRECTORY_FILE;
	const uint32_t normal = FILE_ATTRIBUTE_NORMAL;

	switch (number) {
	case OP_create_n:
		return create("n", FILE_CREATE, file, normal);
	case OP_create_dn:
		return create("d/n", FILE_OPEN_IF, file, normal);
	case OP_create_nx:
		return create("n/x", FILE_CREATE, file, normal);
	case OP_overwrite_a:
		return create("a", FILE_OVERWRITE_IF, file, normal);
	case OP_supersede_b:
		return create("b", FILE_SUPERSEDE, file,
			      FILE_ATTRIBUTE_HIDDEN);
	case OP_write_a:
		return write_to("a", 3000, 1000, 1);
	case OP_write_dx:
		return write_to("d/x", 5000, 2000, 2);
	case OP_write_n:
		return write_to("n", 1500, 0, 3);
	case OP_append_a:
		return write_to("a", 5000, -1, 4);
	case OP_append_b:
		return write_to("b", 100, -1, 5);
	case OP_truncate_a:
		return resize("a", 100);
	case OP_extend_a:
		return resize("a", 20000);
	case OP_rename_a_n:
		return rename_to("a", "n", false);
	case OP_rename_a_b:
		return rename_to("a", "b", true);
	case OP_rename_n_a:
		return rename_to("n", "a", true);
	case OP_rename_b_a:
		return rename_to("b", "a", true);
	case OP_rename_dx_n:
		return rename_to("d/x", "n", true);
	case OP_rename_e_m:
		return rename_to("e", "m", false);
	case OP_rename_d_m:
		return rename_to("d", "m", false);
	case OP_move_e_d:
		return rename_to("e", "d/e", false);
	case OP_link_a_n:
		return link_to("a", "n");
	case OP_link_b_dn:
		return link_to("b", "d/n");
	case OP_delete_a:
		return remove_path("a");
	case OP_delete_n:
		return remove_path("n");
	case OP_delete_dx:
		return remove_path("d/x");
	case OP_delete_nx:
		return remove_path("n/x");
	case OP_mkdir_n:
		return create("n", FILE_CREATE, dir, FILE_ATTRIBUTE_DIRECTORY);
	case OP_mkdir_dn:
		return create("d/n", FILE_CREATE, dir,
			      FILE_ATTRIBUTE_DIRECTORY);
	case OP_rmdir_e:
		return remove_path("e");
	case OP_rmdir_d:
		return remove_path("d");
	case OP_setea_a:
		return change("a", FILE_WRITE_EA, set_new_ea);
	case OP_removeea_a:
		return change("a", FILE_WRITE_EA, remove_ea);
	case OP_dosmode_a:
		return change("a", FILE_WRITE_ATTRIBUTES, set_dosmode);
	case OP_acl_a:
		return change("a", SEC_STD_WRITE_DAC, set_acl);
	case OP_acl_d:
		return change("d", SEC_STD_WRITE_DAC, set_acl);
	case OP_times_a:
		return change("a", FILE_WRITE_ATTRIBUTES, set_times);
	case OP_times_d:
		return change("d", FILE_WRITE_ATTRIBUTES, set_times);
	case OP_stream_a:
		return write_stream("a:s", 6);
	case OP_stream_b:
		return write_stream("b:s", 7);
	case OP_unstream_b:
		return remove_path("b:s");
	case OP_copy_a_b:
		return copy("a", "b");
	default:
		/* See operation_has_smb(). */
		return false;
	}
}

bool client_operation(struct cli_state *the_cli, const char *the_folder,
		      unsigned int number)
{
	TALLOC_CTX *frame = talloc_stackframe();
	bool ok;

	cli = the_cli;
	folder = the_folder;
	ok = operation((enum operation_number)number);
	TALLOC_FREE(frame);
	return ok;
}
