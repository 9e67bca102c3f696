/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where config_read() finds the values of options.
 *
 * Owns: a table of values that can be written to a file and read again, so
 * that the configuration in force is one thing, whatever the registry says by
 * now: mirrord's, and that of every smbd on its node.
 * Does not own: what the values mean (config.c), when another configuration
 * comes into force (mirrord's reconfigure.c).
 *
 * As text: a line for each option that config_read() asked for and that is
 * set, "TYPE:OPTION = VALUE", and "end" in the last line.
 */

#ifndef MIRROR_CONFIG_TABLE_H
#define MIRROR_CONFIG_TABLE_H

#include "config.h"

/* In the run directory; written by mirrord, read by smbd. */
#define CONFIG_IN_FORCE "configuration"

struct config_table;

/* For config.c: of the table in use, else of Samba's loadparm. NULL: not
 * set. */
const char *config_table_get(const char *type, const char *option);

/* All that config_read() asks for now, also if something of it is wrong. */
struct config_table *config_table_take(TALLOC_CTX *mem_ctx);

/* NULL: no memory. */
char *config_table_text(TALLOC_CTX *mem_ctx, const struct config_table *table);
/* NULL: not the whole text of a table. */
struct config_table *config_table_parse(TALLOC_CTX *mem_ctx, const char *text);

/* option as "mirror:port"; NULL: not set. */
const char *config_table_value(const struct config_table *table,
			       const char *option);
typedef void (*config_table_visitor)(const char *option, const char *value,
				     void *private_data);
void config_table_each(const struct config_table *table,
		       config_table_visitor visitor, void *private_data);
/* value NULL: unset. False: no memory. */
bool config_table_set(struct config_table *table, const char *option,
		      const char *value);

/* As config_read(). */
struct mirror_config *config_table_read(TALLOC_CTX *mem_ctx,
					const struct config_table *table,
					char **problem);

/*
 * The configuration that mirrord of this node goes by; what Samba's loadparm
 * says when there has been none since the node started. As config_read().
 */
struct mirror_config *config_in_force(TALLOC_CTX *mem_ctx, char **problem);

/* As Samba's loadparm says, or its default. */
const char *config_run_directory(void);

/* NULL: there is none in that directory, or no memory. */
struct config_table *config_table_load(TALLOC_CTX *mem_ctx,
				       const char *run_directory);
/* Replaces it as a whole. 0 or errno. */
int config_table_save(const struct config_table *table,
		      const char *run_directory);

#endif /* MIRROR_CONFIG_TABLE_H */
