/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Orders to give a service back, and what is told of it, see giveback.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ctdb_view.h"
#include "giveback_private.h"
#include "nodes.h"
#include "service.h"

/* --------------------------------------------------------------- the file */

static char *file_of(const struct giveback_service *service)
{
	return talloc_asprintf(service, "%s/giveback.%s",
		service->giveback->mirrord->config->run_directory,
		service->name);
}

/* The folder is on a tmpfs: a node that restarts has no service. */
void giveback_save(const struct giveback_service *service)
{
	char *path = file_of(service);
	char *next = talloc_asprintf(service, "%s.new", path);
	json_t *json = json_pack(
		"{s:i,s:i,s:b,s:i,s:b,s:i}", "hold", (int)service->hold,
		"order", (int)service->order, "at", (int)service->ordered.at,
		"minute", (int)service->ordered.minute,
		"idle", (int)service->ordered.idle,
		"idle_s", (int)service->ordered.idle_s);

	if (path != NULL && next != NULL && json != NULL &&
	    json_dump_file(json, next, JSON_COMPACT) == 0) {
		rename(next, path);
	}
	json_decref(json);
	talloc_free(next);
	talloc_free(path);
}

void giveback_load(struct giveback_service *service)
{
	char *path = file_of(service);
	json_t *json = path != NULL ? json_load_file(path, 0, NULL) : NULL;
	int hold, order, at, minute, idle, idle_s;

	if (json_unpack(json, "{s:i,s:i,s:b,s:i,s:b,s:i}", "hold", &hold,
			"order", &order, "at", &at, "minute", &minute,
			"idle", &idle, "idle_s", &idle_s) == 0 &&
	    hold >= GIVEBACK_FREE && hold <= GIVEBACK_CANCELLED &&
	    order >= GIVEBACK_POLICY && order <= GIVEBACK_ORDERED) {
		service->hold = (enum giveback_hold)hold;
		service->order = (enum giveback_order)order;
		service->ordered = (struct giveback_policy){
			.at = at != 0, .minute = (uint32_t)minute,
			.idle = idle != 0, .idle_s = (uint32_t)idle_s,
		};
	}
	json_decref(json);
	talloc_free(path);
}

void giveback_forget(const struct giveback_service *service)
{
	char *path = file_of(service);

	if (path != NULL) {
		unlink(path);
	}
	talloc_free(path);
}

/* ---------------------------------------------------------------- telling */

static json_t *text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *when(const struct giveback_service *service)
{
	char *text;
	json_t *json;

	if (service->order == GIVEBACK_NOW) {
		return json_string("now");
	}
	text = giveback_policy_describe(NULL, giveback_policy_of(service));
	json = text_or_null(text);
	talloc_free(text);
	return json;
}

static json_t *service_json(const struct giveback_service *service)
{
	const struct giveback *giveback = service->giveback;
	const struct mirrord *mirrord = giveback->mirrord;
	const struct config_service *config = service->config;
	bool moving = service->move != NULL;

	return json_pack(
		"{s:s,s:i,s:i,s:b,s:o,s:b,s:o,s:o}", "service", config->name,
		"home", (int)config->home,
		"host", ctdb_view_host(mirrord->view, config->addresses[0]),
		"away", (int)service->here,
		"when", when(service),
		"ordered", (int)(service->order != GIVEBACK_POLICY),
		"idle_s", service->here ? json_integer(
			giveback->now.boot - service->changed_at) :
		json_null(),
		"why_not", !service->here ? json_null() : text_or_null(
			moving ? "it is on its way" :
			giveback_why_not(giveback, service)));
}

json_t *giveback_json(struct giveback *giveback)
{
	json_t *list = json_array();
	size_t i, n;

	giveback_refresh(giveback);
	n = talloc_array_length(giveback->services);
	for (i = 0; i < n; i++) {
		/* It may have been removed. */
		if (config_service_by_name(
				giveback->mirrord->config,
				giveback->services[i]->name) == NULL) {
			continue;
		}
		json_array_append_new(list,
				      service_json(giveback->services[i]));
	}
	return list;
}

/* --------------------------------------------------------------- ordering */

static json_t *answer(enum service_result code, char *text)
{
	json_t *json = json_pack("{s:i,s:s}", "code", (int)code, "text",
				 text != NULL ? text : "out of memory");

	talloc_free(text);
	return json;
}

/* Why it cannot be given back by this node at all. */
static char *not_here(struct giveback *giveback, const char *name,
		      const struct giveback_service *service)
{
	const struct mirrord *mirrord = giveback->mirrord;
	int host;

	if (service == NULL) {
		return talloc_asprintf(giveback, "%s%sno such service: "
				       "mirrorctl status shows their names",
				       name != NULL ? name : "",
				       name != NULL ? ": " : "");
	}
	host = ctdb_view_host(mirrord->view, service->config->addresses[0]);
	if (service->config->home == (uint32_t)host) {
		return talloc_asprintf(giveback, "service %s is at home (node "
				       "%d)", service->name, host);
	}
	if (host == -1) {
		return talloc_asprintf(giveback, "service %s is nowhere now, "
				       "see ctdb ip", service->name);
	}
	if ((uint32_t)host == mirrord->nodes->own) {
		return talloc_asprintf(giveback, "service %s is still being "
				       "taken over", service->name);
	}
	return talloc_asprintf(giveback, "service %s is on node %d: say it "
			       "there", service->name, host);
}

static bool take_order(struct giveback_service *service, json_t *request)
{
	const char *order = json_string_value(json_object_get(request,
							      "order"));

	if (json_is_true(json_object_get(request, "cancel"))) {
		service->order = GIVEBACK_POLICY;
		service->hold = GIVEBACK_CANCELLED;
	} else if (json_is_true(json_object_get(request, "now"))) {
		service->order = GIVEBACK_NOW;
		service->not_before = 0;
	} else if (order == NULL ||
		   !giveback_policy_parse(order, &service->ordered)) {
		return false;
	} else {
		service->order = GIVEBACK_ORDERED;
		/* The window of what was said before is not meant. */
		service->window_began = 0;
		service->window_ends = 0;
	}
	giveback_save(service);
	return true;
}

json_t *giveback_request(struct giveback *giveback, json_t *request)
{
	const char *name = json_string_value(json_object_get(request,
							     "service"));
	struct giveback_service *service;
	const char *why;
	char *text;

	if (name == NULL) {
		return json_pack("{s:i,s:s,s:o}", "code", SERVICE_OK, "text",
				 "", "services", giveback_json(giveback));
	}
	giveback_refresh(giveback);
	service = giveback_find(giveback, name);
	if (service == NULL || !service->here) {
		return answer(SERVICE_FAILED, not_here(giveback, name,
						       service));
	}
	if (!take_order(service, request)) {
		return answer(SERVICE_FAILED, talloc_strdup(
			giveback, "say when: --at HH:MM, --idle SECONDS, "
			"--now, or --cancel"));
	}
	/* At once, if it is to be at once. */
	giveback_look(giveback, giveback->now);
	why = giveback_why_not(giveback, service);
	if (service->order == GIVEBACK_NOW && service->move == NULL &&
	    why != NULL) {
		text = talloc_asprintf(
			giveback, "service %s goes home when this is over: %s "
			"(mirrorctl giveback %s --cancel, if it shall not)",
			service->name, why, service->name);
		return answer(SERVICE_NOT_YET, text);
	}
	return answer(SERVICE_OK, talloc_strdup(giveback, ""));
}
