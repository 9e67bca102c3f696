/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a service goes home, see giveback_policy.h. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "giveback_policy.h"

#define WORD_MAX 16

static bool next_word(const char **text, char word[WORD_MAX])
{
	size_t length;

	*text += strspn(*text, " \t,");
	length = strcspn(*text, " \t,");
	if (length == 0 || length >= WORD_MAX) {
		return false;
	}
	memcpy(word, *text, length);
	word[length] = '\0';
	*text += length;
	return true;
}

static bool at_end(const char *text)
{
	return text[strspn(text, " \t,")] == '\0';
}

/* Digits and nothing else, at most seven. */
static bool parse_digits(const char *text, size_t length, uint32_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i])) {
			return false;
		}
		*value = 10 * *value + (uint32_t)(text[i] - '0');
	}
	return length > 0 && length <= 7;
}

bool giveback_policy_time(const char *text, uint32_t *minute)
{
	const char *colon = strchr(text, ':');
	uint32_t hours, minutes;

	if (colon == NULL || colon - text > 2 || strlen(colon + 1) != 2 ||
	    !parse_digits(text, (size_t)(colon - text), &hours) ||
	    !parse_digits(colon + 1, 2, &minutes) || hours > 23 ||
	    minutes > 59) {
		return false;
	}
	*minute = 60 * hours + minutes;
	return true;
}

static bool parse_idle(const char *text, uint32_t *seconds)
{
	return parse_digits(text, strlen(text), seconds) && *seconds > 0 &&
		*seconds <= GIVEBACK_IDLE_MAX;
}

bool giveback_policy_parse(const char *text, struct giveback_policy *policy)
{
	struct giveback_policy parsed = { .at = false };
	char word[WORD_MAX], value[WORD_MAX];

	while (next_word(&text, word)) {
		if (strcasecmp(word, "manual") == 0 && !parsed.at &&
		    !parsed.idle && at_end(text)) {
			*policy = parsed;
			return true;
		}
		if (!next_word(&text, value)) {
			return false;
		}
		if (strcasecmp(word, "at") == 0 && !parsed.at) {
			parsed.at = giveback_policy_time(value,
							 &parsed.minute);
			if (!parsed.at) {
				return false;
			}
		} else if (strcasecmp(word, "idle") == 0 && !parsed.idle) {
			parsed.idle = parse_idle(value, &parsed.idle_s);
			if (!parsed.idle) {
				return false;
			}
		} else {
			return false;
		}
	}
	if (!at_end(text) || (!parsed.at && !parsed.idle)) {
		return false;
	}
	*policy = parsed;
	return true;
}

char *giveback_policy_describe(TALLOC_CTX *mem_ctx,
			       const struct giveback_policy *policy)
{
	char at[16] = "", idle[24] = "";

	if (!policy->at && !policy->idle) {
		return talloc_strdup(mem_ctx, "manual");
	}
	if (policy->at) {
		snprintf(at, sizeof(at), "at %02u:%02u", policy->minute / 60,
			 policy->minute % 60);
	}
	if (policy->idle) {
		snprintf(idle, sizeof(idle), "idle %u", policy->idle_s);
	}
	return talloc_asprintf(mem_ctx, "%s%s%s", at,
			       policy->at && policy->idle ? " " : "", idle);
}
