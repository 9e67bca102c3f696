/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a node is fenced, see config_fence.h. */

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include "config_fence.h"

#define EXAMPLE "for example: fence_ipmilan ip=10.9.0.1 username=admin " \
	"password_script=/etc/samba/ipmi-password"

/* All options of an agent go to it by a pipe, at once. */
#define OPTIONS_MAX 16384

/*
 * The next word, quotes taken away; NULL at the end of the text. *open is set
 * if a quote is not closed.
 */
static char *next_word(TALLOC_CTX *mem_ctx, const char **text, bool *open)
{
	const char *at = *text + strspn(*text, " \t");
	char *word = talloc_zero_array(mem_ctx, char, strlen(at) + 1);
	char quote = '\0';
	size_t n = 0;

	*open = false;
	if (word == NULL || *at == '\0') {
		talloc_free(word);
		return NULL;
	}
	for (; *at != '\0'; at++) {
		if (quote != '\0' && *at == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*at == '"' || *at == '\'')) {
			quote = *at;
		} else if (quote == '\0' && (*at == ' ' || *at == '\t')) {
			break;
		} else {
			word[n++] = *at;
		}
	}
	*open = quote != '\0';
	*text = at;
	return word;
}

static bool good_agent(const char *name)
{
	size_t i;

	if (name[0] == '/') {
		return true;
	}
	if (strncmp(name, "fence_", 6) != 0 || name[6] == '\0') {
		return false;
	}
	for (i = 0; name[i] != '\0'; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' &&
		    name[i] != '-') {
			return false;
		}
	}
	return true;
}

/* "name=value"; what is read by lines has none in it. */
static bool good_option(const char *option)
{
	size_t i;

	for (i = 0; option[i] != '\0' && option[i] != '='; i++) {
		if (!isalnum((unsigned char)option[i]) && option[i] != '_' &&
		    option[i] != '-') {
			return false;
		}
	}
	return i > 0 && option[i] == '=' && strpbrk(option, "\r\n") == NULL;
}

static struct config_agent *add_agent(struct config_level *level, char *name)
{
	size_t n = talloc_array_length(level->agents);
	struct config_agent *agent = talloc_zero(level, struct config_agent);

	level->agents = talloc_realloc(level, level->agents,
				       struct config_agent *, n + 1);
	if (agent == NULL || level->agents == NULL) {
		return NULL;
	}
	agent->name = talloc_steal(agent, name);
	agent->action = "off";
	agent->options = talloc_zero_array(agent, const char *, 1);
	level->agents[n - 1] = agent;
	level->agents[n] = NULL;
	return agent->options != NULL ? agent : NULL;
}

static bool add_option(struct config_agent *agent, char *option)
{
	size_t n = talloc_array_length(agent->options);

	agent->options = talloc_realloc(agent, agent->options, const char *,
					n + 1);
	if (agent->options == NULL) {
		return false;
	}
	agent->options[n - 1] = talloc_steal(agent, option);
	agent->options[n] = NULL;
	return true;
}

/* NULL: fine. */
static char *take_word(TALLOC_CTX *mem_ctx, struct config_level *level,
		       struct config_agent **agent, char *word)
{
	if (*agent == NULL) {
		if (!good_agent(word)) {
			return talloc_asprintf(
				mem_ctx, "`%s' is no fence agent: its name "
				"begins with fence_, or it is a path; "
				EXAMPLE, word);
		}
		*agent = add_agent(level, word);
		return *agent != NULL ? NULL :
			talloc_strdup(mem_ctx, "out of memory");
	}
	if (strcmp(word, "and") == 0) {
		*agent = NULL;
		return NULL;
	}
	if (!good_option(word)) {
		return talloc_asprintf(
			mem_ctx, "an option is missing its name: %s takes "
			"name=value (its manual page has them); " EXAMPLE,
			(*agent)->name);
	}
	if (strncmp(word, "action=", 7) == 0) {
		(*agent)->action = talloc_strdup(*agent, word + 7);
		return strcmp(word, "action=off") == 0 ||
			strcmp(word, "action=reboot") == 0 ? NULL :
			talloc_asprintf(mem_ctx, "%s cuts a node off by off "
					"or reboot, nothing else", word);
	}
	return add_option(*agent, word) ? NULL :
		talloc_strdup(mem_ctx, "out of memory");
}

struct config_level *config_fence_parse(TALLOC_CTX *mem_ctx,
					const char *text,
					char **problem)
{
	struct config_level *level = talloc_zero(mem_ctx, struct config_level);
	struct config_agent *agent = NULL;
	bool open = false;
	char *word;

	*problem = NULL;
	if (level != NULL) {
		level->agents = talloc_zero_array(level, struct config_agent *,
						  1);
	}
	if (level == NULL || level->agents == NULL) {
		*problem = talloc_strdup(mem_ctx, "out of memory");
		return NULL;
	}
	if (strlen(text) > OPTIONS_MAX) {
		*problem = talloc_strdup(mem_ctx, "is too long");
	}
	while (*problem == NULL &&
	       (word = next_word(level, &text, &open)) != NULL) {
		*problem = open ?
			talloc_strdup(mem_ctx, "a quote is not closed") :
			take_word(mem_ctx, level, &agent, word);
	}
	if (*problem == NULL && agent == NULL) {
		*problem = talloc_strdup(mem_ctx, "a fence agent is missing; "
					 EXAMPLE);
	}
	if (*problem != NULL) {
		TALLOC_FREE(level);
	}
	return level;
}

const struct config_fence *config_fence_find(
	struct config_fence *const *fences, uint32_t node)
{
	for (; fences != NULL && *fences != NULL; fences++) {
		if ((*fences)->node == node) {
			return *fences;
		}
	}
	return NULL;
}

static bool add_level(struct config_fence *fence, struct config_level *level)
{
	size_t n = talloc_array_length(fence->levels);

	fence->levels = talloc_realloc(fence, fence->levels,
				       struct config_level *, n + 1);
	if (fence->levels == NULL) {
		return false;
	}
	fence->levels[n - 1] = talloc_steal(fence, level);
	fence->levels[n] = NULL;
	return true;
}

/* NULL without *problem: there is none for this node. */
static struct config_fence *read_node(TALLOC_CTX *mem_ctx, uint32_t node,
				      const char *(*get)(const char *option),
				      TALLOC_CTX *problem_ctx, char **problem)
{
	static const char *const suffix[CONFIG_FENCE_LEVELS] = {
		"", " second", " third"
	};
	struct config_fence *fence = talloc_zero(mem_ctx, struct config_fence);
	uint32_t i;

	if (fence == NULL) {
		return NULL;
	}
	fence->node = node;
	fence->levels = talloc_zero_array(fence, struct config_level *, 1);
	for (i = 0; i < CONFIG_FENCE_LEVELS && fence->levels != NULL; i++) {
		char *name = talloc_asprintf(fence, "fence %u%s", node,
					     suffix[i]);
		const char *text = name != NULL ? get(name) : NULL;
		struct config_level *level;
		char *what = NULL;

		if (text == NULL) {
			continue;
		}
		level = config_fence_parse(fence, text, &what);
		if (level == NULL || !add_level(fence, level)) {
			*problem = talloc_asprintf(problem_ctx, "mirror:%s: %s",
						   name, what);
			talloc_free(fence);
			return NULL;
		}
	}
	if (fence->levels == NULL || fence->levels[0] == NULL) {
		TALLOC_FREE(fence);
	}
	return fence;
}

struct config_fence **config_fence_read(TALLOC_CTX *mem_ctx,
					const char *(*get)(const char *option),
					TALLOC_CTX *problem_ctx,
					char **problem)
{
	struct config_fence **fences;
	uint32_t node;
	size_t n = 0;

	fences = talloc_zero_array(mem_ctx, struct config_fence *,
				   CONFIG_FENCE_NODES + 1);
	for (node = 0; fences != NULL && node < CONFIG_FENCE_NODES; node++) {
		struct config_fence *fence = read_node(
			fences, node, get, problem_ctx, problem);

		if (*problem != NULL) {
			TALLOC_FREE(fences);
		} else if (fence != NULL) {
			fences[n++] = fence;
		}
	}
	return fences;
}
