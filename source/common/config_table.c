/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where config_read() finds the values of options, see config_table.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config_table.h"
#include "replace_file.h"

/*
 * All that we need of Samba's loadparm. smbd has it, and libsmbconf.so.0; the
 * header is private to Samba.
 */
#define GLOBAL_SECTION (-1)
const char *lp_parm_const_string(int snum,
				 const char *type,
				 const char *option,
				 const char *fallback);

#define LAST_LINE "end\n"
#define TEXT_MAX (4 << 20)

struct config_table {
	char **names;
	char **values;
	size_t count;
};

static const struct config_table *in_use;
static struct config_table *recorded;
static bool record_failed;

const char *config_table_value(const struct config_table *table,
			       const char *option)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		if (strcmp(table->names[i], option) == 0) {
			return table->values[i];
		}
	}
	return NULL;
}

void config_table_each(const struct config_table *table,
		       config_table_visitor visitor, void *private_data)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		visitor(table->names[i], table->values[i], private_data);
	}
}

bool config_table_set(struct config_table *table, const char *option,
		      const char *value)
{
	size_t i, n = table->count;

	for (i = 0; i < n && strcmp(table->names[i], option) != 0; i++) {
	}
	if (value == NULL) {
		if (i < n) {
			table->names[i] = table->names[n - 1];
			table->values[i] = table->values[n - 1];
			table->count--;
		}
		return true;
	}
	if (i == n) {
		table->names = talloc_realloc(table, table->names, char *,
					      n + 1);
		table->values = talloc_realloc(table, table->values, char *,
					       n + 1);
		if (table->names == NULL || table->values == NULL) {
			table->count = 0;
			return false;
		}
		table->names[n] = talloc_strdup(table, option);
		table->values[n] = NULL;
		table->count++;
	}
	table->values[i] = talloc_strdup(table, value);
	return table->names[i] != NULL && table->values[i] != NULL;
}

const char *config_table_get(const char *type, const char *option)
{
	const char *value;
	char *name;

	if (in_use == NULL && recorded == NULL) {
		return lp_parm_const_string(GLOBAL_SECTION, type, option,
					    NULL);
	}
	name = talloc_asprintf(NULL, "%s:%s", type, option);
	if (name == NULL) {
		record_failed = true;
		return NULL;
	}
	if (in_use != NULL) {
		value = config_table_value(in_use, name);
	} else {
		value = lp_parm_const_string(GLOBAL_SECTION, type, option,
					     NULL);
		if (value != NULL && strchr(value, '\n') == NULL &&
		    !config_table_set(recorded, name, value)) {
			record_failed = true;
		}
	}
	talloc_free(name);
	return value;
}

struct config_table *config_table_take(TALLOC_CTX *mem_ctx)
{
	struct config_table *table = talloc_zero(mem_ctx, struct config_table);
	char *problem = NULL;

	if (table == NULL) {
		return NULL;
	}
	recorded = table;
	record_failed = false;
	/* What is wrong will be wrong again when the table is read. */
	talloc_free(config_read(table, &problem));
	talloc_free(problem);
	recorded = NULL;
	if (record_failed) {
		TALLOC_FREE(table);
	}
	return table;
}

struct mirror_config *config_table_read(TALLOC_CTX *mem_ctx,
					const struct config_table *table,
					char **problem)
{
	struct mirror_config *config;

	in_use = table;
	config = config_read(mem_ctx, problem);
	in_use = NULL;
	return config;
}

/* -------------------------------------------------------------------- text */

char *config_table_text(TALLOC_CTX *mem_ctx, const struct config_table *table)
{
	char *text = talloc_strdup(mem_ctx, "");
	size_t i;

	for (i = 0; text != NULL && i < table->count; i++) {
		text = talloc_asprintf_append_buffer(
			text, "%s = %s\n", table->names[i], table->values[i]);
	}
	return text != NULL ? talloc_strdup_append_buffer(text, LAST_LINE) :
		NULL;
}

struct config_table *config_table_parse(TALLOC_CTX *mem_ctx, const char *text)
{
	struct config_table *table = talloc_zero(mem_ctx, struct config_table);
	char *copy = table != NULL ? talloc_strdup(table, text) : NULL;
	char *line = copy;

	while (line != NULL && strcmp(line, LAST_LINE) != 0) {
		char *next = strchr(line, '\n');
		char *value = strstr(line, " = ");

		if (next == NULL || value == NULL || value > next) {
			break;
		}
		*next = '\0';
		*value = '\0';
		if (!config_table_set(table, line, value + 3)) {
			break;
		}
		line = next + 1;
	}
	if (line == NULL || strcmp(line, LAST_LINE) != 0) {
		TALLOC_FREE(table);
	}
	return table;
}

/* -------------------------------------------------------------------- file */

struct config_table *config_table_load(TALLOC_CTX *mem_ctx,
				       const char *run_directory)
{
	struct config_table *table = NULL;
	struct stat st;
	char *path = talloc_asprintf(mem_ctx, "%s/" CONFIG_IN_FORCE,
				     run_directory);
	char *text = NULL;
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) :
		-1;

	/* Replaced as a whole, so it does not change while it is read. */
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == 0 && st.st_size > 0 && st.st_size < TEXT_MAX) {
		text = talloc_zero_array(path, char, (size_t)st.st_size + 1);
	}
	if (text != NULL && read(fd, text, (size_t)st.st_size) == st.st_size) {
		table = config_table_parse(mem_ctx, text);
	}
	if (fd != -1) {
		close(fd);
	}
	talloc_free(path);
	return table;
}

int config_table_save(const struct config_table *table,
		      const char *run_directory)
{
	char *text = config_table_text(NULL, table);
	char *path = talloc_asprintf(text, "%s/" CONFIG_IN_FORCE,
				     run_directory);
	int ret = ENOMEM;

	if (text != NULL && path != NULL) {
		/* The folder is on a tmpfs. */
		ret = replace_file(path, 0600, false, text);
	}
	talloc_free(text);
	return ret;
}

const char *config_run_directory(void)
{
	return lp_parm_const_string(GLOBAL_SECTION, "mirror", "run directory",
				    "/run/samba-mirror");
}

struct mirror_config *config_in_force(TALLOC_CTX *mem_ctx, char **problem)
{
	struct config_table *table = config_table_load(
		mem_ctx, config_run_directory());
	struct mirror_config *config;

	if (table == NULL) {
		return config_read(mem_ctx, problem);
	}
	config = config_table_read(mem_ctx, table, problem);
	talloc_free(table);
	return config;
}
