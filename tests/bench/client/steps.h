/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The requests that operations are made of, and the content of files: every
 * block of 4 KiB begins with its number in the file (64 bits, little endian),
 * so that who reads can tell whether it is the right one; the rest is noise
 * that does not compress.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include "operation.h"

/* How a path is opened: MS-SMB2 2.2.13. */
struct opening {
	uint32_t access;
	uint32_t disposition;
	uint32_t options;
	uint32_t attributes;
	bool may_lease;		/* a lease is asked for with -l */
};

extern const struct opening opening_new_file;
extern const struct opening opening_new_directory;
extern const struct opening opening_read;
extern const struct opening opening_list;
extern const struct opening opening_delete;
extern const struct opening opening_delete_any;	/* with a directory */
extern const struct opening opening_rename;
extern const struct opening opening_attributes;
extern const struct opening opening_acl;

struct tevent_req *open_send(struct operation *operation);
NTSTATUS open_receive(struct operation *operation, struct tevent_req *req);
struct tevent_req *close_send(struct operation *operation);
NTSTATUS close_receive(struct operation *operation, struct tevent_req *req);
/* length bytes at offset, which must be a multiple of BLOCK. */
struct tevent_req *write_send(struct operation *operation);
NTSTATUS write_receive(struct operation *operation, struct tevent_req *req);
struct tevent_req *read_send(struct operation *operation);
NTSTATUS read_receive(struct operation *operation, struct tevent_req *req);
struct tevent_req *flush_send(struct operation *operation);
NTSTATUS flush_receive(struct operation *operation, struct tevent_req *req);
/* Until there are no more entries; how: a uint32_t, how many there must be. */
struct tevent_req *list_send(struct operation *operation);
NTSTATUS list_receive(struct operation *operation, struct tevent_req *req);

/* SET_INFO: type and class of MS-SMB2 2.2.39; bytes outlive the request. */
struct tevent_req *set_info_send(struct operation *operation, uint8_t type,
				 uint8_t info_class, uint32_t additional,
				 uint8_t *bytes, size_t length);
NTSTATUS set_info_receive(struct operation *operation,
			  struct tevent_req *req);
struct tevent_req *set_deletion_send(struct operation *operation);
/* Another time with every number. */
struct tevent_req *set_times_send(struct operation *operation);
/* The same, and the DOS attributes in offset. */
struct tevent_req *set_attributes_send(struct operation *operation);
/* To the path in new_path of the same share. */
struct tevent_req *set_name_send(struct operation *operation,
				 const char *new_path);

#define STEP_OPEN(how) { "open", open_send, open_receive, how, false }
#define STEP_CLOSE { "close", close_send, close_receive, NULL, false }
#define STEP_WRITE { "write", write_send, write_receive, NULL, true }
#define STEP_READ { "read", read_send, read_receive, NULL, true }
#define STEP_FLUSH { "flush", flush_send, flush_receive, NULL, false }
#define STEP_LIST(count) { "list", list_send, list_receive, count, false }
#define STEP_SET(what, send) { what, send, set_info_receive, NULL, false }
#define STEP_END { NULL, NULL, NULL, NULL, false }

void fill_buffer(uint8_t *buffer, uint32_t length);

#endif
