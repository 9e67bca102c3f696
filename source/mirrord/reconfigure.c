/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another configuration comes into force, see reconfigure.h. */

#include <sys/stat.h>
#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "anchors.h"
#include "child.h"
#include "ctdb_query.h"
#include "ctdb_view.h"
#include "dlinklist.h"
#include "health.h"
#include "nodes.h"
#include "notify_settings.h"
#include "partner.h"
#include "peer.h"
#include "reconfigure.h"
#include "reconfigure_check.h"
#include "service.h"

#define LOOK_MS 1000
#define ANSWER_MS 2000
/* Not soon: it may be in the middle of a transaction of the registry. */
#define READ_MS 60000
#define READ_AGAIN_MS 5000
/* ctdbd logs each question for a database that it does not have. */
#define NO_REGISTRY_MS 60000
#define EVENT_MS 60000

struct seen {
	struct timespec config;
	struct timespec nodes;
	uint64_t registry;	/* grows with every change; 0: not known */
};

struct waiter {
	struct waiter *prev, *next;
	struct tevent_req *req;
	struct reconfigure *reconfigure;
	bool begun;		/* what is being read is new enough */
};

struct reconfigure {
	struct mirrord *mirrord;
	char *config_file;
	struct timer *timer;

	struct seen seen;	/* when it was last looked */
	struct seen read;	/* when it was last read */
	bool again;
	uint64_t again_at;	/* ms */
	uint32_t failures;	/* to read, in a row */
	struct tevent_req *asking;
	uint64_t ask_not_before;

	struct tevent_req *reading;
	char *text;		/* as far as it was read */
	struct config_table *in_force;
	struct config_table *next;	/* NULL: none is waiting */
	char *problem;
	char *told;
	char *waits;		/* for a restart */

	struct tevent_req *telling;	/* ctdb's scripts */
	bool tell_again;
	struct waiter *waiters;
};

static void text_set(struct reconfigure *r, char **field, char *text)
{
	talloc_free(*field);
	*field = text != NULL && text[0] != '\0' ? talloc_steal(r, text) :
		NULL;
	if (*field == NULL) {
		talloc_free(text);
	}
}

/* ---------------------------------------------------------- ctdb's scripts */

static void tell_scripts(struct reconfigure *r);

static void scripts_told(struct tevent_req *req)
{
	struct reconfigure *r = tevent_req_callback_data(req,
							 struct reconfigure);
	char *last = NULL;
	int ret = child_recv(req, r, NULL, &last);

	TALLOC_FREE(r->telling);
	if (ret != 0) {
		event_log_once(EVENT_SCRIPTS_FAILED, "scripts", "ctdb event "
			       "run %d legacy reconfigure: %s",
			       EVENT_MS / 1000, last != NULL ? last :
			       strerror(ret));
	}
	talloc_free(last);
	if (r->tell_again) {
		tell_scripts(r);
	}
}

/* They bring the addresses and names of services that are here. */
static void tell_scripts(struct reconfigure *r)
{
	static const char *const argv[] = {
		"ctdb", "event", "run", "60", "legacy", "reconfigure", NULL
	};

	r->tell_again = r->telling != NULL;
	if (r->tell_again) {
		return;
	}
	r->telling = child_command_send(r, r->mirrord->ev, argv,
					EVENT_MS + 5000, NULL, NULL);
	if (r->telling != NULL) {
		tevent_req_set_callback(r->telling, scripts_told, r);
	}
}

/* -------------------------------------------------------- coming into force */

static bool at_rest(const struct config_service *service, void *private_data)
{
	struct reconfigure *r = private_data;
	const struct mirrord *mirrord = r->mirrord;
	struct config_volume **v;

	if (service->enabled || !ctdb_view_known(mirrord->view) ||
	    ctdb_view_host(mirrord->view, service->addresses[0]) != -1) {
		return false;
	}
	for (v = service->volumes; *v != NULL; v++) {
		if (service_volume_role(mirrord, (*v)->name) !=
		    VOLUME_ROLE_NONE) {
			return false;
		}
	}
	return true;
}

/* New ones may come, and a number may be freed; no other change. */
static char *nodes_refused(TALLOC_CTX *mem_ctx, const struct nodes *now,
			   const struct nodes *next)
{
	uint32_t i;

	if (next->own != now->own) {
		return talloc_strdup(mem_ctx, "this node has another number "
				     "in ctdb's nodes file: restart ctdb and "
				     "mirrord on all nodes");
	}
	for (i = 0; i < now->count; i++) {
		if (now->node[i].used &&
		    (i >= next->count ||
		     (next->node[i].used && strcmp(next->node[i].name,
						   now->node[i].name) != 0))) {
			return talloc_asprintf(
				mem_ctx, "node %u has another address in "
				"ctdb's nodes file, or its line is gone: "
				"restart ctdb and mirrord on all nodes. A "
				"node that leaves is commented out, a new one "
				"comes last", i);
		}
	}
	return NULL;
}

static char *nodes_differences(TALLOC_CTX *mem_ctx, const struct nodes *now,
			       const struct nodes *next, bool *changed)
{
	char *text = talloc_strdup(mem_ctx, "");
	uint32_t i;

	*changed = now->count != next->count;
	for (i = 0; i < next->count; i++) {
		bool was = i < now->count && now->node[i].used;

		if (was == next->node[i].used) {
			continue;
		}
		*changed = true;
		text = talloc_asprintf_append_buffer(
			text, "node %u, %s, %s\n", i, next->node[i].name, was ?
			"does not belong to the cluster any more" :
			"is new");
	}
	return text;
}

/* Takes over next. NULL, or why not. */
static char *put_into_force(struct reconfigure *r, TALLOC_CTX *frame,
			    struct config_table *next)
{
	struct mirrord *mirrord = r->mirrord;
	struct mirror_config *config;
	struct nodes *nodes = NULL;
	bool nodes_changed = false;
	char *problem = NULL;
	char *waits, *differences, *of_nodes;
	int ret;

	waits = reconfigure_hold_back(frame, r->in_force, next);
	config = config_table_read(frame, next, &problem);
	if (config == NULL) {
		return problem;
	}
	ret = nodes_read(frame, config->nodes_file, config->port, &nodes,
			 &problem);
	if (ret != 0) {
		return problem != NULL ? problem :
			talloc_strdup(frame, strerror(ret));
	}
	problem = nodes_refused(frame, mirrord->nodes, nodes);
	if (problem == NULL) {
		problem = reconfigure_refused(frame, mirrord->config, config,
					      at_rest, r);
	}
	if (problem != NULL) {
		return problem;
	}
	differences = reconfigure_differences(frame, r->in_force, next);
	of_nodes = nodes_differences(frame, mirrord->nodes, nodes,
				     &nodes_changed);
	if (waits == NULL || differences == NULL || of_nodes == NULL) {
		return talloc_strdup(frame, "out of memory");
	}
	/* The stores of new volumes: what can fail comes first. */
	ret = partner_configure(mirrord->partner, config, &problem);
	if (ret != 0) {
		return problem != NULL ? problem :
			talloc_strdup(frame, strerror(ret));
	}
	text_set(r, &r->waits, waits);
	if (differences[0] == '\0' && !nodes_changed) {
		return NULL;
	}

	/* The old ones stay until the end, a few KiB each: requests that wait
	 * and replays under way look at them. */
	mirrord->config = talloc_steal(mirrord, config);
	if (nodes_changed) {
		mirrord->nodes = talloc_steal(mirrord, nodes);
		peers_configure(mirrord->peers);
	}
	services_configure(mirrord->services);
	health_configure(mirrord->health);
	notify_settings_leave(mirrord->config);
	TALLOC_FREE(r->in_force);
	r->in_force = talloc_steal(r, next);
	ret = config_table_save(next, config->run_directory);
	if (ret != 0) {
		event_log(EVENT_CONFIG_NOT_SAVED, "%s/" CONFIG_IN_FORCE ": %s",
			  config->run_directory, strerror(ret));
	}
	anchors_configure(mirrord->anchors);
	/* A new node makes ctdb recover, and a recovery waits for scripts. */
	if (differences[0] != '\0') {
		tell_scripts(r);
	}
	text_set(r, &r->told, talloc_asprintf(r, "%s%s", differences,
					      of_nodes));
	return NULL;
}

static void log_lines(enum event_id id, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, "\n");

		event_log(id, "%.*s", (int)length, text);
		text += length + (text[length] != '\0');
	}
}

/* Again and again for one that is refused: what it waits for may happen. */
static void attempt(struct reconfigure *r)
{
	TALLOC_CTX *frame = talloc_new(r);
	/* A copy: what waits for a restart is taken out of it. */
	char *text = config_table_text(frame, r->next);
	struct config_table *next = text != NULL ?
		config_table_parse(frame, text) : NULL;
	char *before = r->problem != NULL ? talloc_strdup(frame, r->problem) :
		NULL;
	char *waited = r->waits != NULL ? talloc_strdup(frame, r->waits) :
		NULL;
	char *problem;

	text_set(r, &r->told, NULL);
	problem = next == NULL ? talloc_strdup(frame, "out of memory") :
		put_into_force(r, frame, next);
	if (problem == NULL) {
		TALLOC_FREE(r->next);
		log_lines(EVENT_CONFIG_CHANGED, r->told);
		if (r->waits != NULL && (waited == NULL ||
					 strcmp(waited, r->waits) != 0)) {
			log_lines(EVENT_CONFIG_WAITS, r->waits);
		}
		if (before != NULL) {
			event_log(EVENT_CONFIG_RIGHT, "the configuration in "
				  "force is the newest again");
		}
	} else if (before == NULL || strcmp(before, problem) != 0) {
		event_log(EVENT_CONFIG_REFUSED, "%s", problem);
	}
	text_set(r, &r->problem, problem);
	talloc_free(frame);
}

/* ----------------------------------------------------------------- reading */

static void waiters_done(struct reconfigure *r)
{
	struct waiter *w, *next;

	for (w = r->waiters; w != NULL; w = next) {
		next = w->next;
		if (!w->begun) {
			continue;
		}
		if (r->problem != NULL) {
			tevent_req_error(w->req, EINVAL);
		} else {
			tevent_req_done(w->req);
		}
	}
}

static void read_line(const char *line, void *private_data)
{
	struct reconfigure *r = private_data;

	/* What Samba's libraries have to say is among them. */
	if (line[0] == '@' && r->text != NULL) {
		r->text = talloc_asprintf_append_buffer(r->text, "%s\n",
							line + 1);
	}
}

static void read_configuration(struct reconfigure *r);

static void read_done(struct tevent_req *req)
{
	struct reconfigure *r = tevent_req_callback_data(req,
							 struct reconfigure);
	struct config_table *next = NULL;
	char *last = NULL;
	int ret = child_recv(req, r, NULL, &last);

	TALLOC_FREE(r->reading);
	if (ret == 0 && r->text != NULL) {
		next = config_table_parse(r, r->text);
	}
	TALLOC_FREE(r->text);
	if (next != NULL) {
		talloc_free(r->next);
		r->next = next;
		r->failures = 0;
		attempt(r);
	} else {
		/* No registry, say: the one in force stays. */
		r->again = true;
		r->again_at = service_now() + READ_AGAIN_MS;
		/* Once may be a recovery of ctdb. */
		if (++r->failures == 2) {
			event_log(EVENT_CONFIG_REFUSED, "cannot be read: %s",
				  last != NULL ? last : strerror(ret));
		}
		text_set(r, &r->problem, talloc_asprintf(
			r, "cannot be read: %s", last != NULL ? last :
			strerror(ret)));
	}
	talloc_free(last);
	waiters_done(r);
	if (r->waiters != NULL) {
		read_configuration(r);
	}
}

static void read_configuration(struct reconfigure *r)
{
	const char *const argv[] = {
		"mirrorctl", "-s", r->config_file, "configuration", NULL
	};
	struct waiter *w;

	if (r->reading != NULL) {
		return;
	}
	r->again = false;
	r->read = r->seen;
	r->text = talloc_strdup(r, "");
	r->reading = child_command_send(r, r->mirrord->ev, argv, READ_MS,
					read_line, r);
	if (r->reading == NULL) {
		return;
	}
	tevent_req_set_callback(r->reading, read_done, r);
	for (w = r->waiters; w != NULL; w = w->next) {
		w->begun = true;
	}
}

/* ---------------------------------------------------------------- noticing */

static struct timespec changed_at(const char *path)
{
	struct stat st;

	/* A file that is replaced may keep its times, but not that one. */
	return stat(path, &st) == 0 ? st.st_ctim : (struct timespec){ 0 };
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_seen(const struct seen *a, const struct seen *b)
{
	return same_time(a->config, b->config) &&
		same_time(a->nodes, b->nodes) &&
		/* Not known for a moment is no change. */
		(a->registry == b->registry || b->registry == 0);
}

static void look(void *private_data);

static void looked(struct reconfigure *r, uint64_t registry)
{
	struct seen now = {
		.config = changed_at(r->config_file),
		.nodes = changed_at(r->mirrord->config->nodes_file),
		.registry = registry,
	};
	bool quiet = same_seen(&r->seen, &now);

	if (now.registry == 0) {
		now.registry = r->seen.registry;
	}
	r->seen = now;
	/* `net conf' once more and once more: not each of them. */
	if (quiet && ctdb_view_settled(r->mirrord->view) &&
	    (r->again ? service_now() >= r->again_at :
	     !same_seen(&r->read, &now))) {
		read_configuration(r);
	} else if (r->next != NULL && r->reading == NULL) {
		attempt(r);
	}
	r->timer = timer_start(r, r->mirrord->ev, LOOK_MS, look, r);
}

static void registry_answered(struct tevent_req *req)
{
	struct reconfigure *r = tevent_req_callback_data(req,
							 struct reconfigure);
	struct ctdb_answer *answer = NULL;
	uint64_t registry = 0;

	if (ctdb_query_recv(req, r, &answer) == 0) {
		if (answer->status == 0 &&
		    answer->length == sizeof(registry)) {
			memcpy(&registry, answer->data, sizeof(registry));
		} else {
			r->ask_not_before = service_now() + NO_REGISTRY_MS;
		}
	}
	talloc_free(answer);
	TALLOC_FREE(r->asking);
	looked(r, registry);
}

static void look(void *private_data)
{
	struct reconfigure *r = private_data;
	static const struct ctdb_question question = {
		CTDB_GET_DB_SEQNUM, CTDB_THIS_NODE
	};

	r->timer = NULL;
	if (ctdb_view_settled(r->mirrord->view) &&
	    service_now() >= r->ask_not_before) {
		r->asking = ctdb_query_send(r, r->mirrord->ev,
					    r->mirrord->config->ctdb_socket,
					    &question, 1, ANSWER_MS);
	}
	if (r->asking != NULL) {
		tevent_req_set_callback(r->asking, registry_answered, r);
	} else {
		looked(r, 0);
	}
}

/* ------------------------------------------------------------------ asking */

static void waiter_cleanup(struct tevent_req *req,
			   enum tevent_req_state req_state)
{
	struct waiter *w = tevent_req_data(req, struct waiter);

	if (w->reconfigure != NULL) {
		DLIST_REMOVE(w->reconfigure->waiters, w);
		w->reconfigure = NULL;
	}
}

struct tevent_req *reconfigure_send(TALLOC_CTX *mem_ctx,
				    struct reconfigure *r)
{
	struct tevent_req *req;
	struct waiter *w;

	req = tevent_req_create(mem_ctx, &w, struct waiter);
	if (req == NULL) {
		return NULL;
	}
	w->req = req;
	w->reconfigure = r;
	DLIST_ADD(r->waiters, w);
	tevent_req_set_cleanup_fn(req, waiter_cleanup);
	read_configuration(r);
	if (r->reading == NULL) {
		tevent_req_error(req, ENOMEM);
		return tevent_req_post(req, r->mirrord->ev);
	}
	return req;
}

int reconfigure_recv(struct tevent_req *req)
{
	enum tevent_req_state state;
	uint64_t error = 0;

	if (tevent_req_is_error(req, &state, &error) &&
	    state == TEVENT_REQ_NO_MEMORY) {
		error = ENOMEM;
	}
	tevent_req_received(req);
	return (int)error;
}

const char *reconfigure_problem(const struct reconfigure *r)
{
	return r != NULL ? r->problem : NULL;
}

const char *reconfigure_told(const struct reconfigure *r)
{
	return r->told;
}

json_t *reconfigure_json(const struct reconfigure *r)
{
	return json_pack("{s:o,s:o}", "problem",
			 r != NULL && r->problem != NULL ?
			 json_string_nocheck(r->problem) : json_null(),
			 "waits", r != NULL && r->waits != NULL ?
			 json_string_nocheck(r->waits) : json_null());
}

int reconfigure_new(struct mirrord *mirrord,
		    const char *config_file,
		    struct config_table *table,
		    const char *problem,
		    struct reconfigure **_reconfigure)
{
	struct reconfigure *r = talloc_zero(mirrord, struct reconfigure);
	int ret;

	if (r == NULL) {
		return ENOMEM;
	}
	r->mirrord = mirrord;
	r->config_file = talloc_strdup(r, config_file);
	r->in_force = talloc_steal(r, table);
	if (problem != NULL) {
		r->problem = talloc_strdup(r, problem);
	}
	/* It may have changed since it was read: once more. */
	r->again = true;
	r->again_at = service_now() + READ_AGAIN_MS;
	ret = config_table_save(table, mirrord->config->run_directory);
	if (ret != 0) {
		return ret;
	}
	r->timer = timer_start(r, mirrord->ev, LOOK_MS, look, r);
	*_reconfigure = r;
	return r->config_file != NULL && r->timer != NULL ? 0 : ENOMEM;
}
