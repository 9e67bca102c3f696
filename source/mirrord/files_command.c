/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mirrorctl files', see files.h. */

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "files.h"
#include "mirrorctl.h"
#include "nodes.h"

#define FOLDER "/var/lib/samba-mirror"
#define BASE FOLDER "/files"

struct command {
	struct arguments *arguments;
	const struct mirror_config *config;
	struct nodes *nodes;
	json_t *base;		/* path to what it was when all had the same */
	json_t *facts[NODES_MAX];	/* "files" of each; NULL: not there */
	json_t *list;		/* what is told */
	bool trouble;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static json_t *ask(struct command *c, uint32_t node, const char *file)
{
	json_t *reply = mirrorctl_ask(c->arguments, json_pack(
		"{s:s,s:i,s:s,s:i}", "verb", "facts", "node", (int)node,
		"file", file, "wait_ms", 20000));
	json_t *facts = json_incref(json_object_get(reply, "facts"));

	json_decref(reply);
	return facts;
}

/* ---------------------- one file */

static void add(struct command *c, const char *path, uint32_t node,
		const char *state, const char *why)
{
	json_array_append_new(c->list, json_pack(
		"{s:s,s:i,s:s,s:s}", "file", path, "node", (int)node, "state",
		state, "text", why));
}

/* Told once, not every minute: what was told stands beside what it was. */
static void tell_conflict(struct command *c, const char *path, uint32_t node,
			  const char *own, const char *other)
{
	char *key = talloc_asprintf(mirrorctl_ctx(), "conflict %s", path);
	char *now = talloc_asprintf(mirrorctl_ctx(), "%s, %s", own, other);

	if (strcmp(text_of(c->base, key), now) != 0) {
		event_log(EVENT_FILE_CONFLICT, "%s is not the same here and "
			  "on node %u, and it is not known where it changed",
			  path, node);
		json_object_set_new(c->base, key, json_string(now));
	}
}

static void take(struct command *c, const char *path, uint32_t node,
		 const char *own, const char *other)
{
	const char *problem;
	json_t *now, *file = ask(c, node, path);
	int ret = 0;

	problem = file == NULL ? "the node did not answer" :
		json_string_value(json_object_get(file, "problem"));
	if (problem == NULL) {
		/* Somebody may have written it meanwhile. */
		const char *one[] = { path, NULL };

		now = files_facts(mirrorctl_ctx(), one);
		if (strcmp(text_of(now, path), own) != 0) {
			problem = "it changes just now";
		} else {
			ret = files_write(mirrorctl_ctx(), path, file);
		}
		json_decref(now);
	}
	json_decref(file);
	if (ret != 0) {
		problem = ret == EMLINK ? "here it is a link, or no file" :
			strerror(ret);
	}
	if (problem != NULL) {
		c->trouble = true;
		add(c, path, node, "not copied", problem);
		event_log(EVENT_FILE_NOT_COPIED, "%s from node %u: %s", path,
			  node, problem);
		return;
	}
	json_object_set_new(c->base, path, json_string(other));
	json_object_set_new(c->facts[c->nodes->own], path,
			    json_string(other));
	add(c, path, node, "copied", "");
	event_log(EVENT_FILE_COPIED, "%s from node %u", path, node);
}

static void one_file(struct command *c, const char *path, uint32_t node,
		     bool *all_same)
{
	const char *own = text_of(c->facts[c->nodes->own], path);
	const char *other = text_of(c->facts[node], path);

	switch (files_judge(own, other, text_of(c->base, path))) {
	case FILES_SAME:
		if (strcmp(own, "-") == 0) {
			add(c, path, node, "missing", "on both");
			c->trouble = true;
			*all_same = false;
		} else {
			add(c, path, node, "same", "");
		}
		return;
	case FILES_TAKE:
		if (c->arguments->sync) {
			take(c, path, node, own, other);
		} else {
			add(c, path, node, "newer there", "");
			c->trouble = true;
		}
		break;
	case FILES_LEAVE:
		add(c, path, node, "newer here", "it is fetched from there");
		c->trouble = c->trouble || !c->arguments->sync;
		break;
	case FILES_CONFLICT:
		add(c, path, node, "differs", "it is not known where it "
		    "changed: copy the right one yourself");
		c->trouble = true;
		if (c->arguments->sync) {
			tell_conflict(c, path, node, own, other);
		}
		break;
	}
	*all_same = false;
}

static void all_files(struct command *c)
{
	const char **path;
	uint32_t node;

	for (path = c->config->files; *path != NULL; path++) {
		bool same = true, any = false;

		for (node = 0; node < c->nodes->count; node++) {
			if (node != c->nodes->own && c->facts[node] != NULL) {
				any = true;
				one_file(c, *path, node, &same);
			}
		}
		if (any && same) {
			json_object_set(c->base, *path, json_object_get(
				c->facts[c->nodes->own], *path));
			json_object_del(c->base, talloc_asprintf(
				mirrorctl_ctx(), "conflict %s", *path));
		}
	}
}

/* ---------------------- the verb */

static int save_base(const json_t *base)
{
	const char *temporary = BASE ".new";
	int ret = json_dump_file(base, temporary, JSON_INDENT(1));

	return ret == 0 && rename(temporary, BASE) == 0 ? 0 : -1;
}

static void get_facts(struct command *c)
{
	json_t *reply = mirrorctl_ask(c->arguments, json_pack("{s:s}", "verb",
							      "status"));
	const json_t *nodes = json_object_get(json_object_get(reply, "status"),
					      "nodes");
	size_t i;

	for (i = 0; i < json_array_size(nodes); i++) {
		const json_t *one = json_array_get(nodes, i);
		uint32_t node = (uint32_t)json_integer_value(
			json_object_get(one, "pnn"));
		json_t *facts;

		if (node >= c->nodes->count ||
		    strcmp(text_of(one, "link"), "down") == 0) {
			continue;
		}
		facts = ask(c, node, "");
		c->facts[node] = json_incref(json_object_get(facts, "files"));
		json_decref(facts);
	}
	json_decref(reply);
}

static int show(struct command *c)
{
	size_t i;

	if (c->arguments->json) {
		json_dumpf(c->list, stdout, JSON_INDENT(2));
		printf("\n");
	}
	for (i = 0; !c->arguments->json && i < json_array_size(c->list); i++) {
		const json_t *one = json_array_get(c->list, i);

		printf("node %d  %-12s %s%s%s\n", (int)json_integer_value(
			       json_object_get(one, "node")),
		       text_of(one, "state"), text_of(one, "file"),
		       text_of(one, "text")[0] != '\0' ? ": " : "",
		       text_of(one, "text"));
	}
	return c->trouble ? EXIT_FAILED : EXIT_DONE;
}

int files_command(struct arguments *arguments)
{
	struct command *c = talloc_zero(mirrorctl_ctx(), struct command);
	static int lock;	/* until the program ends */
	char *problem;
	int ret;

	c->arguments = arguments;
	c->config = mirrorctl_config(arguments);
	c->list = json_array();
	if (c->config->files[0] == NULL) {
		return show(c);
	}
	ret = nodes_read(c, c->config->nodes_file, c->config->port, &c->nodes,
			 &problem);
	if (ret != 0) {
		fprintf(stderr, "mirrorctl: %s\n", problem);
		return EXIT_FAILED;
	}
	(void)!mkdir(FOLDER, 0700);
	lock = open(FOLDER "/files.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock == -1 || flock(lock, LOCK_EX) == -1) {
		fprintf(stderr, "mirrorctl: " FOLDER ": %s\n",
			strerror(errno));
		return EXIT_FAILED;
	}
	c->base = json_load_file(BASE, 0, NULL);
	if (!json_is_object(c->base)) {
		c->base = json_object();
	}
	get_facts(c);
	if (c->facts[c->nodes->own] == NULL) {
		fprintf(stderr, "mirrorctl: mirrord of this node does not tell "
			"how its files are\n");
		return EXIT_FAILED;
	}
	if (arguments->sync) {
		event_log_init("mirrorctl", EVENT_TO_SYSLOG);
		event_log_keep();
	}
	all_files(c);
	if (save_base(c->base) != 0) {
		fprintf(stderr, "mirrorctl: " BASE ": %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return show(c);
}
