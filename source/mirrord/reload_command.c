/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mirrorctl reload, see reload_command.h. */

#include <stdio.h>
#include <string.h>
#include "../common/config_table.h"
#include "reload_command.h"

/* Of Samba's loadparm; its header is private to Samba. */
bool lp_load_global(const char *file);

/* The registry may be slow to answer. */
#define READ_MS 15000

int reload_command(struct arguments *arguments)
{
	return mirrorctl_finish_told(arguments, mirrorctl_ask(
		arguments, json_pack("{s:s,s:i}", "verb", "reload", "wait_ms",
				     READ_MS)));
}

int configuration_command(struct arguments *arguments)
{
	const struct config_table *table;
	char *text, *line, *rest;

	if (!lp_load_global(arguments->config_file)) {
		fprintf(stderr, "cannot load %s (testparm tells why)\n",
			arguments->config_file);
		return EXIT_FAILED;
	}
	table = config_table_take(mirrorctl_ctx());
	text = table != NULL ? config_table_text(mirrorctl_ctx(), table) :
		NULL;
	if (text == NULL) {
		fprintf(stderr, "out of memory\n");
		return EXIT_FAILED;
	}
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		printf("@%s\n", line);
	}
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
