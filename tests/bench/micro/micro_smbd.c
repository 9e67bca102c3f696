/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The module's half of micro_path.c: operations that change nothing, and
 * what they want of smbd beyond smbd_stubs.c.
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "operation.h"
#include "sender.h"
#include "micro.h"

struct micro_smbd {
	struct mirror_volume *volume;
	struct mirror_id directory;
	struct mirror_id file;
};

/* -------------------------------------------------------------------- stubs */

TALLOC_CTX *_talloc_stackframe(const char *location)
{
	return talloc_new(NULL);
}

TALLOC_CTX *_talloc_tos(const char *location)
{
	return NULL;
}

/* A user of a domain, whoever runs this. */
int getgroups(int size, gid_t list[])
{
	static const gid_t groups[] = { 100, 513, 10513, 10512, 11001 };

	if (size != 0) {
		memcpy(list, groups, sizeof(groups));
	}
	return ARRAY_SIZE(groups);
}

/* --------------------------------------------------------------- operations */

static int apply(struct mirror_operation *operation, void *private_data)
{
	return 0;
}

static struct mirror_operation *begin(struct micro_smbd *smbd,
				      enum record_type type)
{
	struct mirror_operation *operation = operation_new(
		smbd->volume, smbd->volume, type);

	micro_check(operation != NULL, "no operation");
	operation->record.object = smbd->file;
	operation->record.object_hint.type = 1;
	operation->record.object_hint.length = 12;
	operation->apply = apply;
	operation->harden = apply;
	return operation;
}

void micro_smbd_write(struct micro_smbd *smbd, const uint8_t *data,
		      size_t length)
{
	struct mirror_operation *operation = begin(smbd, RECORD_WRITE);

	operation->record.offset = 1048576;
	operation->record.data = data;
	operation->record.data_length = length;
	operation_lock(operation, page_lock_bytes(&smbd->file, 1048576,
						  length));
	micro_check(operation_run(operation) == 0, "a write failed");
}

void micro_smbd_create(struct micro_smbd *smbd)
{
	struct mirror_operation *operation = begin(smbd, RECORD_CREATE);

	operation->record.parent = smbd->directory;
	operation->record.parent_hint = operation->record.object_hint;
	operation->record.object_hint.length = 0;
	operation->record.name = "Quarterly report (draft 2).docx";
	operation->record.mode = 0644;
	operation->alone = true;
	operation_lock(operation, page_lock_exists(&smbd->directory, true));
	operation_lock(operation, page_lock_name(&smbd->directory,
						 operation->record.name));
	micro_check(operation_run(operation) == 0, "a create failed");
}

static void attribute(struct micro_smbd *smbd, const char *name)
{
	static const uint8_t value[64];
	struct mirror_operation *operation = begin(smbd, RECORD_SETXATTR);

	operation->record.name = name;
	operation->record.data = value;
	operation->record.data_length = sizeof(value);
	operation_lock(operation, page_lock_attribute(&smbd->file, name));
	micro_check(operation_run_attribute(operation) == 0,
		    "an attribute failed");
}

void micro_smbd_create_all(struct micro_smbd *smbd)
{
	smbd->volume->num_collect++;
	micro_smbd_create(smbd);
	attribute(smbd, "user.DOSATTRIB");
	attribute(smbd, "security.NTACL");
	smbd->volume->num_collect--;
	operation_collect(smbd->volume);
}

static int micro_smbd_destructor(struct micro_smbd *smbd)
{
	sender_close(smbd->volume);
	return 0;
}

struct micro_smbd *micro_smbd_open(TALLOC_CTX *mem_ctx,
				   const char *run_directory,
				   const char *key_file,
				   bool encrypt)
{
	struct micro_smbd *smbd = talloc_zero(mem_ctx, struct micro_smbd);
	char *problem = NULL;

	micro_check(smbd != NULL, "no memory");
	smbd->volume = sender_open("data", run_directory, key_file, encrypt,
				   run_directory, &problem);
	micro_check(smbd->volume != NULL, problem);
	/* Under valgrind it takes longer than the module would wait. */
	sender_service(smbd->volume);
	while (smbd->volume->state != SENDER_READY) {
		sender_wait(smbd->volume, 0, false);
		sender_service(smbd->volume);
	}
	smbd->directory.bytes[0] = smbd->file.bytes[0] = MIRROR_ID_CHOSEN;
	smbd->directory.bytes[5] = 5;
	smbd->file.bytes[5] = 6;
	talloc_set_destructor(smbd, micro_smbd_destructor);
	return smbd;
}
