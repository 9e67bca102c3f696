/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can be measured: a table, one row for each workload. The parts of the
 * rows are in data.c (reading and writing) and names.c (all else).
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench.h"
#include "operation.h"

struct workload {
	const char *name;
	const char *help;
	bool fixed_size;	/* -s has no meaning */
	uint32_t size;		/* of a read or write, the largest; 0: none */
	uint64_t file_size;	/* default; the file of one client */
	struct action action;	/* what is measured */
	/* Operations of a client in a round; NULL: as many as there is time. */
	uint64_t (*batch)(const struct options *options);
	/* Before each round, in an empty folder; NULL: nothing. */
	bool (*prepare)(struct client *client);
	/* After it, whatever failed: close what is open; NULL: nothing. */
	bool (*finish)(struct client *client);
};

/* Ends with a row without a name. */
extern const struct workload workloads[];

/* data.c */
extern const struct step write_steps[];
extern const struct step read_steps[];
void choose_sequential(struct operation *operation);
void choose_random(struct operation *operation);
uint64_t batch_file(const struct options *options);
bool prepare_fresh_file(struct client *client);
bool prepare_written_file(struct client *client);
bool finish_file(struct client *client);

/* names.c */
extern const struct step create_steps[];
extern const struct step open_close_steps[];
extern const struct step rename_steps[];
extern const struct step unlink_steps[];
extern const struct step mkdir_steps[];
extern const struct step set_attributes_steps[];
extern const struct step set_acl_steps[];
extern const struct step list_steps[];
void choose_name_of_batch(struct operation *operation);
void choose_name_of_slot(struct operation *operation);
void choose_one_of_few(struct operation *operation);
void choose_directory(struct operation *operation);
uint64_t batch_names(const struct options *options);
/* That have room for so many names of choose_name_of_batch(). */
bool make_directories(struct client *client, uint64_t entries);
bool prepare_directories(struct client *client);
bool prepare_batch(struct client *client);
bool prepare_file_of_slot(struct client *client);
bool prepare_few(struct client *client);
bool prepare_for_acls(struct client *client);
bool prepare_listed(struct client *client);

/* tree.c */
extern const struct step tree_file_steps[];
void choose_next_of_tree(struct operation *operation);

/* hold.c */
void choose_held(struct operation *operation);
bool prepare_held(struct client *client);
bool finish_held(struct client *client);

#endif
