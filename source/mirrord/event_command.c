/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An event from a script, see event_command.h. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "event_command.h"

static bool may_tell(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "mirrorctl: only root may tell events\n");
		return false;
	}
	event_log_init("mirrorctl", EVENT_TO_SYSLOG);
	event_log_keep();
	return true;
}

static bool find(const char *word, enum event_id *id)
{
	enum event_id i;

	for (i = 0; i < EVENT_END; i++) {
		if (strcmp(event_log_name(i), word) == 0 ||
		    strcmp(event_log_code(i), word) == 0) {
			*id = i;
			return true;
		}
	}
	return false;
}

int event_command(struct arguments *arguments)
{
	char *text = talloc_strdup(mirrorctl_ctx(), arguments->words[1]);
	enum event_id id;
	int i;

	if (!find(arguments->words[0], &id)) {
		fprintf(stderr, "mirrorctl: no event is called %s: see "
			"docs/events.md\n", arguments->words[0]);
		return EXIT_USAGE;
	}
	for (i = 2; text != NULL && i < arguments->count; i++) {
		text = talloc_asprintf_append(text, " %s",
					      arguments->words[i]);
	}
	if (text == NULL || !may_tell()) {
		return EXIT_FAILED;
	}
	event_log(id, "%s", text);
	return EXIT_DONE;
}

int notify_test_command(struct arguments *arguments)
{
	if (!may_tell()) {
		return EXIT_FAILED;
	}
	event_log(EVENT_NOTIFY_TEST, "a test of traps, mail and scripts");
	printf("It is on its way. If nothing arrives: mirrorctl log "
	       "--severity warning\n");
	return EXIT_DONE;
}
