/*
 * What a client of the load has done, and what must therefore be on the server.
 *
 * Journal: one line per event, times are CLOCK_MONOTONIC seconds.
 *   H 1 SERVER SHARE DIRECTORY SEED CLIENT TIME REALTIME
 *   I SEQ TIME TYPE PATH PATH2 OFFSET LENGTH ID     issued
 *   A SEQ TIME                                      acknowledged
 *   D SEQ TIME ERRNO                                in doubt: no good answer
 *   R SEQ TIME done|not|half|mixed                  what the server shows of it
 *   X SEQ TIME                                      the server shows neither
 *                                                   before nor after: given up
 * A client does one operation at a time. After "not", "half" and "mixed" it
 * issues the rest again under a new SEQ but the same ID.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum op_type {
	OP_CREATE,
	OP_WRITE,
	OP_TRUNCATE,		/* to length */
	OP_RENAME,
	OP_REPLACE,		/* rename over an existing file */
	OP_UNLINK,
	OP_MKDIR,
	OP_RMDIR,
	OP_ATTRIBUTES,		/* length = hidden and system bits */
	OP_TIME,		/* length = modification time */
	OP_TYPES
};

#define PATH_LENGTH 128

struct op {
	uint64_t seq;
	enum op_type type;
	char path[PATH_LENGTH];
	char path2[PATH_LENGTH];
	uint64_t offset;
	uint64_t length;
	uint64_t id;		/* of the content */
	double issued;
	double acknowledged;	/* 0: not */
};

struct extent {
	uint64_t offset;
	uint64_t length;
	uint64_t id;
	uint64_t position;	/* of its first byte in the content of id */
};

struct object {
	struct object *parent;
	struct object *children;
	struct object *next;
	char name[32];
	bool is_dir;
	bool given_up;
	/* the operations that made it what it is */
	uint64_t name_seq;
	uint64_t size_seq;
	uint64_t attributes_seq;
	uint64_t time_seq;	/* 0: time is not known */
	uint64_t size;
	uint32_t attributes;
	uint64_t time;
	struct extent *extents;	/* no two overlap, zeros between them */
	const struct op *mixed;	/* any part of this write may be there */
};

struct tombstone {
	struct tombstone *next;
	uint64_t seq;
	char path[PATH_LENGTH];
};

struct model {
	char server[64];
	char share[64];
	char directory[64];
	uint64_t seed;
	unsigned client;
	struct object *root;
	struct tombstone *tombstones;
	struct op **ops;	/* by seq */
	struct op **doubts;	/* operations that may be either way */
	uint64_t acknowledged;
	uint64_t in_doubt;
	double start;
	double longest_pause;
	double pause_start;
};

extern const char *const op_names[OP_TYPES];

/* What the server shows of an operation in doubt. */
enum verdict { DONE, NOT_DONE, HALF_DONE, MIXED, NEITHER };
extern const char *const verdict_names[];

double now(void);
/* Bytes position .. position + length - 1 of the content id. */
void content(uint64_t seed, uint64_t id, uint64_t position, uint8_t *buffer,
	     size_t length);

struct model *model_new(void *mem_ctx);
struct object *model_find(struct model *m, const char *path);
void model_path(const struct object *object, char path[PATH_LENGTH]);
void model_apply(struct model *m, const struct op *op);
/* The target of a REPLACE is gone, the source still has its old name. */
void model_apply_half(struct model *m, const struct op *op);
/* What a file must contain at offset. */
void model_fill(const struct model *m, const struct object *file,
		uint64_t offset, uint8_t *buffer, size_t length);
const struct extent *model_extent(const struct object *file, uint64_t offset);

/* Read a journal; NULL and a message if it is not one. */
struct model *model_replay(void *mem_ctx, const char *journal);

void op_print(FILE *f, const struct op *op);

#endif
