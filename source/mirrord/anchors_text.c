/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of anchors in ctdb's public_addresses, see anchors.h. */

#include <string.h>
#include "anchors.h"

#define FIRST_MARK "# samba-mirror: from net conf; edited lines are lost"
#define LAST_MARK "# samba-mirror: end"

/* The service that the registry lets us place the line's address of. */
static bool is_ours(const struct mirror_config *config, const char *line)
{
	struct config_service **s;

	for (s = config->services; *s != NULL; s++) {
		const char *anchor = (*s)->addresses[0];
		size_t length = strlen(anchor);

		if ((*s)->places[0].prefix != 0 &&
		    strncmp(line, anchor, length) == 0 &&
		    line[length] == '/') {
			return true;
		}
	}
	return false;
}

/* What is not between the marks, without lines of the same addresses. */
static char *others(TALLOC_CTX *mem_ctx, const char *text,
		    const struct mirror_config *config)
{
	char *kept = talloc_strdup(mem_ctx, "");
	bool inside = false;

	while (kept != NULL && *text != '\0') {
		size_t length = strcspn(text, "\n");
		const char *line = text + strspn(text, " \t");
		bool mark = strncmp(line, FIRST_MARK,
				    strlen(FIRST_MARK)) == 0;
		bool end = strncmp(line, LAST_MARK, strlen(LAST_MARK)) == 0;

		inside = inside || mark;
		if (!inside && !is_ours(config, line)) {
			kept = talloc_asprintf_append_buffer(
				kept, "%.*s\n", (int)length, text);
		}
		inside = inside && !end;
		text += length + (text[length] != '\0');
	}
	return kept;
}

char *anchors_text(TALLOC_CTX *mem_ctx,
		   const char *text,
		   const struct mirror_config *config,
		   anchors_interface interface,
		   char **problem)
{
	char *next = others(mem_ctx, text, config);
	struct config_service **s;
	bool any = false;

	*problem = NULL;
	for (s = config->services; next != NULL && *s != NULL; s++) {
		const struct config_place *place = &(*s)->places[0];
		const char *name = place->interface;

		if (place->prefix == 0 || !(*s)->enabled) {
			continue;
		}
		if (name == NULL) {
			name = interface(next, (*s)->addresses[0],
					 place->prefix);
		}
		if (name == NULL) {
			talloc_free(*problem);
			*problem = talloc_asprintf(
				mem_ctx, "service %s: no interface of this "
				"node has an address in the network of "
				"%s/%u; name one, for example: mirror:%s "
				"addresses = %s/%u@eth0", (*s)->name,
				(*s)->addresses[0], place->prefix, (*s)->name,
				(*s)->addresses[0], place->prefix);
			continue;
		}
		next = talloc_asprintf_append_buffer(
			next, "%s%s/%u %s\n", any ? "" : FIRST_MARK "\n",
			(*s)->addresses[0], place->prefix, name);
		any = true;
	}
	return next != NULL && any ?
		talloc_strdup_append_buffer(next, LAST_MARK "\n") : next;
}
