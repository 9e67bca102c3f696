/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mirrorctl giveback', see giveback_command.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "giveback_command.h"

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static void show_why_not(const json_t *service)
{
	const json_t *idle = json_object_get(service, "idle_s");

	printf("           service %s would be at home on node %" PRId64
	       "; goes there: %s%s", string(service, "service"),
	       number(service, "home"), string(service, "when"),
	       json_is_true(json_object_get(service, "ordered")) ?
	       " (ordered)" : "");
	if (json_is_integer(idle)) {
		printf("; nothing changed for %" PRId64 " s",
		       (int64_t)json_integer_value(idle));
	}
	printf("\n           not now: %s\n", string(service, "why_not"));
}

void giveback_show_away(const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *service = json_array_get(list, i);

		if (json_is_true(json_object_get(service, "away"))) {
			show_why_not(service);
		}
	}
}

static void show_list(const json_t *list)
{
	size_t i;

	printf("%-15s %4s %4s  %s\n", "SERVICE", "HOME", "HOST",
	       "GOES HOME BY ITSELF");
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *service = json_array_get(list, i);
		int64_t host = number(service, "host");
		bool away = json_is_true(json_object_get(service, "away"));

		printf("%-15s %4" PRId64, string(service, "service"),
		       number(service, "home"));
		if (host == -1) {
			printf(" %4s", "-");
		} else {
			printf(" %4" PRId64, host);
		}
		printf("  %s\n", host == number(service, "home") ?
		       "it is at home" : string(service, "when"));
		if (away) {
			show_why_not(service);
		} else if (host != -1 && host != number(service, "home")) {
			printf("           node %" PRId64 " knows more\n",
			       host);
		}
	}
}

static int do_list(struct arguments *arguments)
{
	json_t *reply = mirrorctl_ask(arguments, json_pack("{s:s}", "verb",
							   "giveback"));

	if (arguments->json) {
		return mirrorctl_finish(arguments, reply);
	}
	show_list(json_object_get(reply, "services"));
	json_decref(reply);
	return EXIT_DONE;
}

static char *policy_words(const struct arguments *arguments)
{
	return talloc_asprintf(
		mirrorctl_ctx(), "%s%s %s%s",
		arguments->at != NULL ? "at " : "",
		arguments->at != NULL ? arguments->at : "",
		arguments->idle != NULL ? "idle " : "",
		arguments->idle != NULL ? arguments->idle : "");
}

int giveback_command(struct arguments *arguments)
{
	bool timed = arguments->at != NULL || arguments->idle != NULL;
	struct giveback_policy policy;
	json_t *request;

	if (arguments->count == 0) {
		return do_list(arguments);
	}
	if (arguments->now + arguments->cancel + timed != 1) {
		fprintf(stderr, "mirrorctl: say when: --at HH:MM, --idle "
			"SECONDS or both, or --now, or --cancel\n");
		return EXIT_USAGE;
	}
	if (timed &&
	    !giveback_policy_parse(policy_words(arguments), &policy)) {
		fprintf(stderr, "mirrorctl: --at is followed by a time of day "
			"from 00:00 to 23:59, --idle by seconds, from 1 to "
			"%d\n", GIVEBACK_IDLE_MAX);
		return EXIT_USAGE;
	}
	request = json_pack("{s:s,s:s}", "verb", "giveback", "service",
			    arguments->words[0]);
	if (timed) {
		json_object_set_new(request, "order",
				    json_string(policy_words(arguments)));
	}
	json_object_set_new(request, "now", json_boolean(arguments->now));
	json_object_set_new(request, "cancel",
			    json_boolean(arguments->cancel));
	return mirrorctl_finish(arguments, mirrorctl_ask(arguments, request));
}
