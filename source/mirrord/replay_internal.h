/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of replay share. Nothing outside replay*.c includes it.
 *
 *   replay.c              interface, the run
 *   replay_log.c          keeps the encoded records
 *   replay_plan.c         first pass: which records the volume already has
 *   replay_ops.c          table: record -> redo
 *   replay_objects.c      objects and names: the map from ids to what is there
 *   replay_credentials.c  R7
 */

#ifndef MIRROR_REPLAY_INTERNAL_H
#define MIRROR_REPLAY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "record.h"
#include "replay.h"

struct object;
struct name;
struct operation;

/* ---- intrusive hash table ---------------------------------------------- */

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;	/* a power of two of them */
	size_t size;
	size_t count;
};

int table_init(TALLOC_CTX *mem_ctx, struct table *table);
/* First node with this hash, or NULL; go on with table_next(). */
struct table_node *table_find(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);
/* 0 or ENOMEM. */
int table_add(struct table *table, struct table_node *node, uint64_t hash);

/* ---- objects and names ------------------------------------------------- */

/* An object that a record names, or that was met under a touched name. */
struct object {
	struct table_node node;
	struct object *next_all;
	struct mirror_id id;
	bool mentioned;		/* by a record; else only met on the volume */
	bool is_parent;		/* of a touched name */
	bool born;		/* its creation is in the log */
	bool looked_up;
	bool alive;		/* it is on the volume now */
	bool retracted;		/* it and all of its records: see the plan */
	bool examined;		/* its names are bound */
	bool doomed;		/* born in the log, and removed in it */
	struct object *next_queued;

	struct mirror_handle handle;	/* of the living object */
	struct mirror_handle *hints;	/* talloc array, all different */

	struct name *names;	/* touched names in this directory */
	struct member *members;	/* operations that name it */
	struct operation *removals;	/* of its names, newest first */

	/* The last record that changes who may do what with it. */
	uint64_t last_permission;

	/* Times for the final pass. */
	bool set_mtime, set_atime;
	bool mtime_at_least;	/* of a directory that may have it already */
	bool times_redone;
	struct record_time mtime;
	struct record_time atime;

	/* Open files; see object_path(). */
	int path_fd, data_fd;
	struct object *newer, *older;
};

/* A name that a record changes. */
struct name {
	struct table_node node;
	struct object *parent;
	struct name *next_in_parent;
	struct name *next_all;
	const char *text;
	struct object *bound;	/* what it leads to now; NULL: nothing */
	struct touch *last;	/* newest touch that the volume has */
	struct touch *newest;	/* of all */
	bool queued;
	struct name *next_queued;
};

/* How one operation changes one name. */
struct touch {
	struct operation *operation;
	struct name *name;
	struct touch *previous;	/* of the same name, none of them dropped */
	struct object *before, *after;
};

/* Operation in the list of an object. */
struct member {
	struct object *object;
	struct operation *operation;
	struct member *next;
};

#define OPERATION_MEMBERS 4	/* object, replaced, two parents */

/* A namespace record. */
struct operation {
	uint64_t index;		/* of its record */
	enum record_type type;
	bool persisted;		/* in the cut: see the plan */
	bool dropped;		/* never happened */
	bool unconfirmed;	/* it may never have happened */
	bool queued;
	int num_touches;
	struct touch touches[2];
	struct object *object;
	struct object *replaced;
	struct member members[OPERATION_MEMBERS];
	int num_members;
	struct operation *older;	/* in removals */
	struct operation *next_queued;
};

struct objects {
	int root_fd;
	struct table by_id;
	struct table by_name;
	struct object *all;
	struct name *all_names;
	struct object *newest, *oldest;	/* with open files, by last use */
	unsigned int open_files;
	unsigned int max_open_files;
};

int objects_init(TALLOC_CTX *mem_ctx, int root_fd, struct objects **objects);

/* Find or add. NULL: no memory. */
struct object *object_get(struct objects *objects, const struct mirror_id *id);
struct object *object_find(struct objects *objects,
			   const struct mirror_id *id);
int object_add_hint(struct object *object, const struct mirror_handle *hint);
bool object_has_hint(const struct object *object,
		     const struct mirror_handle *handle);
struct name *name_get(struct objects *objects,
		      struct object *parent,
		      const char *text);

/*
 * Find the object by its handles, and prove that it is the one. Sets alive.
 * 0, or errno if that could not be told.
 */
int object_look_up(struct objects *objects, struct object *object);

/* It was met under a name or made: this is its handle. */
void object_found(struct object *object, const struct mirror_handle *handle);

/*
 * An O_PATH descriptor for look-ups and attributes, or a read-write one for
 * data. They belong to the cache and stay open until some others were asked
 * for. 0, ESTALE: it is not there (any more), or errno. Needs root.
 */
int object_path(struct objects *objects, struct object *object, int *fd);
int object_data(struct objects *objects, struct object *object, int *fd);
/* Hand over a descriptor that somebody has opened. */
void object_keep_path(struct objects *objects, struct object *object, int fd);
void object_keep_data(struct objects *objects, struct object *object, int fd);
/* A name of it is gone; maybe it is gone as well. */
void object_unlinked(struct objects *objects, struct object *object);

/* ---- the log ----------------------------------------------------------- */

struct entry {
	uint32_t session;	/* index */
	uint32_t length;
	enum record_type type;
	bool cancelled;
	bool spilled;
	bool stored;		/* the reader has it */
	union {
		const uint8_t *bytes;
		uint64_t offset;	/* in the spill file */
		uint64_t order;		/* for the reader */
	} at;
	uint64_t sequence;
	struct operation *operation;	/* namespace records */
	struct object *object;		/* the others */
};

struct session_log {
	struct table_node node;
	struct mirror_id id;
	uint32_t index;
	uint64_t *entries;	/* talloc array; by rising sequence */
	size_t count;
};

struct record_log {
	struct entry *entries;
	uint64_t count;
	struct session_log **sessions;
	uint32_t num_sessions;
	struct table session_table;
	TALLOC_CTX *chunk;
	size_t chunk_used, chunk_size;
	uint64_t in_memory;
	uint64_t memory_limit;
	int spill_fd;
	uint64_t spilled;
	uint8_t *buffer;	/* a spilled record, while it is looked at */
	replay_reader reader;
	void *reader_private;
};

int record_log_init(TALLOC_CTX *mem_ctx, struct record_log **log);
int record_log_add(struct record_log *log,
		   const struct mirror_id *session,
		   const uint8_t *record,
		   size_t length,
		   const uint64_t *order);
/* Show the viewer the encoded record. What that returned, or errno. */
int record_log_view(struct record_log *log,
		    uint64_t index,
		    replay_viewer viewer,
		    void *private_data);
/* Entry of this session with this sequence, NULL if there is none. */
struct entry *record_log_find(struct record_log *log,
			      uint32_t session,
			      uint64_t sequence);
bool record_log_is_last(const struct record_log *log, uint64_t index);

/* ---- credentials ------------------------------------------------------- */

struct credentials;

int credentials_init(TALLOC_CTX *mem_ctx, struct credentials **credentials);
/*
 * Be who sent the record, in this thread only (R7), but not stopped by what is
 * in beyond: PERMISSIONS of files, LIMITS (quotas, blocks that are kept for
 * root). 0 or errno.
 */
#define BEYOND_PERMISSIONS 1
#define BEYOND_LIMITS 2
int credentials_become(struct credentials *credentials,
		       const struct record_credentials *who,
		       unsigned int beyond);
/* Be root. Ends the process if that fails: nothing could be trusted. */
void credentials_root(struct credentials *credentials);
/* As before credentials_init(), groups and umask included. */
void credentials_restore(struct credentials *credentials);

/* ---- the run ----------------------------------------------------------- */

struct replay {
	int root_fd;
	unsigned int messages;
	struct record_log *log;
	struct objects *objects;
	struct credentials *credentials;
	struct replay_result *result;
	replay_logger logger;
	void *logger_private;
	TALLOC_CTX *scratch;
};

/* What became of a record. */
enum outcome {
	OUTCOME_REDONE,
	OUTCOME_PRESENT,
	OUTCOME_SUPERSEDED,
	OUTCOME_CANCELLED,
	OUTCOME_FAILED
};

/* See replay_plan.c. 0 or errno. */
int replay_plan(struct replay *replay);

/* Redo one record. *error says why when it failed or was superseded. */
enum outcome replay_redo(struct replay *replay,
			 uint64_t index,
			 const struct record *record,
			 int *error);

/* Set the times that redoing has disturbed. 0 or errno. */
int replay_final_times(struct replay *replay);

void replay_message(struct replay *replay,
		    enum replay_level level,
		    const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* MIRROR_REPLAY_INTERNAL_H */
