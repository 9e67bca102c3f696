/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mirrorctl asks of mirrord, see control.h. */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "control.h"
#include "ctdb_view.h"
#include "dlinklist.h"
#include "facts.h"
#include "fence.h"
#include "giveback.h"
#include "health.h"
#include "nodes.h"
#include "peer.h"
#include "reconfigure.h"
#include "rejoin.h"
#include "service.h"
#include "wanted.h"

#define REQUEST_MAX 65536
#define CLIENTS_MAX 64
#define RETRY_MS 100

struct control_client {
	struct control_client *prev, *next;
	struct control *control;
	int fd;
	struct tevent_fd *fde;
	char *in;
	size_t used;
	char *out;
	size_t out_length;
	size_t out_done;

	/* a request that waits */
	const struct config_service **services;	/* NULL terminated */
	bool release;
	bool accept_loss;
	uint64_t deadline;
	uint64_t move_deadline;	/* if another node gives it away */
	uint64_t next_try;	/* ms */
	struct timer *timer;
};

struct control {
	struct mirrord *mirrord;
	int fd;
	char *path;
	struct tevent_fd *fde;
	struct control_client *clients;
	uint32_t num_clients;
};

/* ----------------------------------------------------------------- replies */

static int client_destructor(struct control_client *client)
{
	TALLOC_FREE(client->fde);
	DLIST_REMOVE(client->control->clients, client);
	client->control->num_clients--;
	if (client->control->fde != NULL) {
		TEVENT_FD_READABLE(client->control->fde);
	}
	close(client->fd);
	return 0;
}

/* Takes over reply. */
static void reply_json(struct control_client *client, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	TALLOC_FREE(client->timer);
	client->services = NULL;
	client->out = text != NULL ? talloc_asprintf(client, "%s\n", text) :
		NULL;
	free(text);
	if (client->out == NULL) {
		talloc_free(client);
		return;
	}
	client->out_length = strlen(client->out);
	tevent_fd_set_flags(client->fde, TEVENT_FD_READ | TEVENT_FD_WRITE);
}

static void reply(struct control_client *client, enum service_result code,
		  const char *text)
{
	reply_json(client, json_pack("{s:i,s:s}", "code", (int)code, "text",
				     text != NULL ? text : ""));
}

/* ---------------------------------------------------- takeover and release */

static json_t *timeline_json(const struct service_volume *volume)
{
	const struct service_timeline *t = &volume->timeline;

	return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "volume",
			 volume->config->name,
			 "checked_ms", (json_int_t)t->checked,
			 "fenced_ms", (json_int_t)t->fenced,
			 "mounted_ms", (json_int_t)t->mounted,
			 "replayed_ms", (json_int_t)t->replayed,
			 "served_ms", (json_int_t)t->done,
			 "records", (json_int_t)t->records,
			 "bytes", (json_int_t)t->bytes);
}

static void reply_done(struct control_client *client)
{
	json_t *timeline = json_array();
	const struct config_service **s;

	for (s = client->services; !client->release && *s != NULL; s++) {
		struct config_volume **v;

		for (v = (*s)->volumes; *v != NULL; v++) {
			const struct service_volume *volume;

			volume = service_volume_find(
				client->control->mirrord->services,
				(*v)->name);
			if (volume != NULL) {
				json_array_append_new(timeline,
						      timeline_json(volume));
			}
		}
	}
	reply_json(client, json_pack("{s:i,s:s,s:o}", "code", SERVICE_OK,
				     "text", "done", "timeline", timeline));
}

static void look_at(struct control_client *client);

static void look_again(void *private_data)
{
	struct control_client *client = private_data;

	client->timer = NULL;
	look_at(client);
}

/* For a move that somebody planned ctdb has less patience, see wanted.h. */
static bool is_late(const struct control_client *client)
{
	uint64_t now = service_now();

	return now >= client->deadline ||
		(now >= client->move_deadline &&
		 service_is_given(client->control->mirrord->services,
				  client->services[0]));
}

static void look_at(struct control_client *client)
{
	struct services *services = client->control->mirrord->services;
	enum service_result result = SERVICE_OK;
	const struct config_service **s;
	TALLOC_CTX *frame = talloc_new(client->control);
	char *text = NULL;
	bool late = is_late(client);

	for (s = client->services; *s != NULL; s++) {
		enum service_result one;
		bool under_way;
		char *problem;

		if (client->release) {
			one = service_released(frame, services, *s, &under_way,
					       &problem);
		} else {
			one = service_taken(frame, services, *s, &under_way,
					    &problem);
		}
		if (one == SERVICE_OK) {
			continue;
		}
		text = problem;
		result = under_way ? SERVICE_NOT_YET : one;
		if (result == SERVICE_NOT_YET && !under_way && !late &&
		    service_now() >= client->next_try) {
			client->next_try = service_now() + RETRY_MS;
			service_takeover(services, *s, client->accept_loss);
		}
		break;
	}
	if (result == SERVICE_OK) {
		reply_done(client);
	} else if (late || result == SERVICE_FAILED) {
		if (!client->release) {
			wanted_note(client->control->mirrord->wanted,
				    client->services[0]);
		}
		reply(client, result, text);
	} else if (client->timer == NULL) {
		client->timer = timer_start(client,
					    client->control->mirrord->ev,
					    RETRY_MS, look_again, client);
	}
	talloc_free(frame);
}

static void look_at_all(void *private_data)
{
	struct control *control = private_data;
	struct control_client *client;

	/* From the loop: the change may be in the middle of something. */
	for (client = control->clients; client != NULL;
	     client = client->next) {
		if (client->services != NULL) {
			TALLOC_FREE(client->timer);
			client->timer = timer_start(client,
						    control->mirrord->ev, 0,
						    look_again, client);
		}
	}
}

static bool choose_services(struct control_client *client, json_t *request,
			    bool all_allowed)
{
	const struct mirror_config *config = client->control->mirrord->config;
	const char *name = json_string_value(json_object_get(request,
							     "service"));
	size_t n = talloc_array_length(config->services);

	client->services = talloc_zero_array(
		client, const struct config_service *, n);
	if (client->services == NULL) {
		return false;
	}
	if (name == NULL && all_allowed) {
		memcpy(client->services, config->services, n * sizeof(void *));
		return true;
	}
	client->services[0] = name != NULL ?
		config_service_by_name(config, name) : NULL;
	if (client->services[0] == NULL) {
		client->services = NULL;
		reply(client, SERVICE_FAILED,
		      "no such service: mirrorctl status shows their names");
		return false;
	}
	return true;
}

static void set_deadline(struct control_client *client, json_t *request)
{
	json_int_t wait = json_integer_value(json_object_get(request,
							     "wait_ms"));

	json_t *move = json_object_get(request, "move_wait_ms");

	client->deadline = service_now() + (wait > 0 ? (uint64_t)wait : 0);
	client->move_deadline = json_is_integer(move) ?
		service_now() + (uint64_t)json_integer_value(move) :
		client->deadline;
}

static void on_takeover(struct control_client *client, json_t *request)
{
	struct services *services = client->control->mirrord->services;

	if (!choose_services(client, request, false)) {
		return;
	}
	set_deadline(client, request);
	client->accept_loss = json_is_true(json_object_get(request,
							   "accept_loss"));
	client->next_try = service_now() + RETRY_MS;
	service_takeover(services, client->services[0], client->accept_loss);
	look_at(client);
}

static void on_release(struct control_client *client, json_t *request)
{
	struct services *services = client->control->mirrord->services;
	const struct config_service **s;

	if (!choose_services(client, request, true)) {
		return;
	}
	set_deadline(client, request);
	client->release = true;
	for (s = client->services; *s != NULL; s++) {
		wanted_forget(client->control->mirrord->wanted, *s);
		service_release(services, *s);
	}
	look_at(client);
}

/* --------------------------------------------------------- the other verbs */

static void on_status(struct control_client *client, json_t *request)
{
	reply_json(client, json_pack("{s:i,s:o}", "code", SERVICE_OK, "status",
				     status_json(client->control->mirrord)));
}

static void on_health(struct control_client *client, json_t *request)
{
	struct health *health = client->control->mirrord->health;
	char *text = health_unhealthy(client, health);
	const char *refused = reconfigure_problem(
		client->control->mirrord->reconfigure);
	json_t *told;

	if (text == NULL) {
		reply(client, SERVICE_FAILED, "no memory");
		return;
	}
	told = health_told(health);
	/* A wrong configuration is no reason to give services away. */
	if (refused != NULL) {
		json_array_append_new(told, json_sprintf(
			"the newest configuration is not in force: %s",
			refused));
	}
	reply_json(client, json_pack(
		"{s:i,s:s,s:o}", "code", text[0] == '\0' ? SERVICE_OK :
		SERVICE_FAILED, "text", text, "told", told));
}

static void on_ping(struct control_client *client, json_t *request)
{
	reply(client, SERVICE_OK, NULL);
}

static void on_verdict(struct control_client *client, json_t *request)
{
	struct ctdb_view *view = client->control->mirrord->view;
	json_t *alive = json_object_get(request, "alive");
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < json_array_size(alive); i++) {
		json_int_t node = json_integer_value(json_array_get(alive, i));

		if (node >= 0 && node < NODES_MAX) {
			bits |= UINT64_C(1) << node;
		}
	}
	if (bits != 0) {
		ctdb_view_decree(view, bits);
	} else {
		ctdb_view_hurry(view);
		ctdb_view_ask(view);
	}
	reply(client, SERVICE_OK, NULL);
}

static void rejoin_done(struct tevent_req *req)
{
	struct control_client *client = tevent_req_callback_data(
		req, struct control_client);
	int ret = rejoin_recv(req);

	talloc_free(req);
	reply(client, ret == 0 ? SERVICE_OK : SERVICE_FAILED,
	      ret == 0 ? NULL : strerror(ret));
}

static void on_rejoin(struct control_client *client, json_t *request)
{
	struct tevent_req *req = rejoin_send(client,
					     client->control->mirrord);

	if (req == NULL) {
		reply(client, SERVICE_FAILED, strerror(ENOMEM));
		return;
	}
	tevent_req_set_callback(req, rejoin_done, client);
}

static void facts_done(struct tevent_req *req)
{
	struct control_client *client = tevent_req_callback_data(
		req, struct control_client);
	json_t *facts = NULL;
	int ret = facts_recv(req, &facts);

	talloc_free(req);
	if (ret != 0) {
		reply(client, SERVICE_FAILED, strerror(ret));
		return;
	}
	reply_json(client, json_pack("{s:i,s:o}", "code", SERVICE_OK, "facts",
				     facts));
}

static void on_facts(struct control_client *client, json_t *request)
{
	json_int_t node = json_integer_value(json_object_get(request, "node"));
	const char *file = json_string_value(json_object_get(request, "file"));
	struct tevent_req *req = NULL;

	if (node >= 0 && node < NODES_MAX) {
		req = facts_send(client, client->control->mirrord,
				 (uint32_t)node, file != NULL ? file : "");
	}
	if (req == NULL) {
		reply(client, SERVICE_FAILED, "no such node");
		return;
	}
	tevent_req_set_callback(req, facts_done, client);
}

static void reload_done(struct tevent_req *req)
{
	struct control_client *client = tevent_req_callback_data(
		req, struct control_client);
	struct reconfigure *r = client->control->mirrord->reconfigure;
	int ret = reconfigure_recv(req);
	const char *told = reconfigure_told(r);

	talloc_free(req);
	if (ret != 0) {
		reply(client, SERVICE_FAILED, reconfigure_problem(r) != NULL ?
		      reconfigure_problem(r) : strerror(ret));
		return;
	}
	reply(client, SERVICE_OK, told != NULL ? told : "nothing changed");
}

static void on_reload(struct control_client *client, json_t *request)
{
	struct tevent_req *req = reconfigure_send(
		client, client->control->mirrord->reconfigure);

	if (req == NULL) {
		reply(client, SERVICE_FAILED, strerror(ENOMEM));
		return;
	}
	tevent_req_set_callback(req, reload_done, client);
}

static void on_silent(struct control_client *client, json_t *request)
{
	struct mirrord *mirrord = client->control->mirrord;
	json_int_t node = json_integer_value(json_object_get(request, "node"));
	struct peer *peer = NULL;

	if (node >= 0 && node < NODES_MAX) {
		peer = peer_find(mirrord->peers, (uint32_t)node);
	}
	if (peer == NULL) {
		reply(client, SERVICE_FAILED, "no such other node");
		return;
	}
	peer_doubt(peer);
	reply(client, SERVICE_OK, NULL);
}

static void on_fenced(struct control_client *client, json_t *request)
{
	struct mirrord *mirrord = client->control->mirrord;
	json_int_t node = json_integer_value(json_object_get(request, "node"));

	if (node < 0 || node >= mirrord->nodes->count ||
	    (uint32_t)node == mirrord->nodes->own) {
		reply(client, SERVICE_FAILED, "no such other node");
		return;
	}
	fence_confirm(mirrord, (uint32_t)node);
	event_log(EVENT_FENCED, "node %u is off: the administrator says so",
		  (unsigned int)node);
	reply(client, SERVICE_OK, NULL);
}

static void on_service(struct control_client *client, json_t *request)
{
	const struct config_service *service = NULL;
	const char *word = json_string_value(json_object_get(request,
							     "service"));

	if (word == NULL) {
		reply(client, SERVICE_OK, config_service_names(
			client, client->control->mirrord->config));
		return;
	}
	if (word != NULL) {
		service = config_service_find(client->control->mirrord->config,
					      word);
	}
	if (service == NULL) {
		reply(client, SERVICE_FAILED, "no such service");
		return;
	}
	reply(client, SERVICE_OK, config_service_describe(client, service));
}

static void on_giveback(struct control_client *client, json_t *request)
{
	reply_json(client, giveback_request(
		client->control->mirrord->giveback, request));
}

static const struct {
	const char *verb;
	void (*handle)(struct control_client *client, json_t *request);
} verbs[] = {
	{ "status", on_status },
	{ "health", on_health },
	{ "reload", on_reload },
	{ "takeover", on_takeover },
	{ "release", on_release },
	{ "verdict", on_verdict },
	{ "rejoin", on_rejoin },
	{ "fenced", on_fenced },
	{ "silent", on_silent },
	{ "ping", on_ping },
	{ "service", on_service },
	{ "giveback", on_giveback },
	{ "facts", on_facts },
};

/* ------------------------------------------------------------- connections */

static void client_request(struct control_client *client)
{
	json_t *request = json_loadb(client->in, client->used, 0, NULL);
	const char *verb = json_string_value(json_object_get(request, "verb"));
	size_t i, n = sizeof(verbs) / sizeof(verbs[0]);

	for (i = 0; verb != NULL && i < n; i++) {
		if (strcmp(verbs[i].verb, verb) == 0) {
			verbs[i].handle(client, request);
			break;
		}
	}
	if (verb == NULL || i == n) {
		reply(client, 2, "mirrord does not know this request: is it of "
		      "another version than mirrorctl?");
	}
	json_decref(request);
}

static void client_readable(struct control_client *client)
{
	ssize_t n = recv(client->fd, client->in + client->used,
			 REQUEST_MAX - client->used, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	/* Gone: what it asked for goes on. */
	if (n <= 0 || client->out != NULL || client->services != NULL) {
		talloc_free(client);
		return;
	}
	client->used += (size_t)n;
	if (client->in[client->used - 1] == '\n') {
		client_request(client);
	} else if (client->used == REQUEST_MAX) {
		talloc_free(client);
	}
}

static void client_event(struct tevent_context *ev,
			 struct tevent_fd *fde,
			 uint16_t flags,
			 void *private_data)
{
	struct control_client *client = private_data;
	ssize_t n;

	if (client->out == NULL) {
		client_readable(client);
		return;
	}
	n = send(client->fd, client->out + client->out_done,
		 client->out_length - client->out_done,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n > 0) {
		client->out_done += (size_t)n;
	}
	if (n <= 0 || client->out_done == client->out_length) {
		talloc_free(client);
	}
}

static void on_connection(struct tevent_context *ev,
			  struct tevent_fd *fde,
			  uint16_t flags,
			  void *private_data)
{
	struct control *control = private_data;
	struct control_client *client;
	int fd;

	fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		return;
	}
	client = talloc_zero(control, struct control_client);
	if (client == NULL) {
		close(fd);
		return;
	}
	client->control = control;
	client->fd = fd;
	client->in = talloc_array(client, char, REQUEST_MAX);
	client->fde = tevent_add_fd(ev, client, fd, TEVENT_FD_READ,
				    client_event, client);
	DLIST_ADD(control->clients, client);
	control->num_clients++;
	talloc_set_destructor(client, client_destructor);
	if (client->in == NULL || client->fde == NULL) {
		talloc_free(client);
		return;
	}
	if (control->num_clients >= CLIENTS_MAX) {
		TEVENT_FD_NOT_READABLE(control->fde);
	}
}

static int control_destructor(struct control *control)
{
	while (control->clients != NULL) {
		talloc_free(control->clients);
	}
	TALLOC_FREE(control->fde);
	if (control->fd != -1) {
		close(control->fd);
		unlink(control->path);
	}
	return 0;
}

static int control_listen(struct control *control)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int ret = 0;

	if (strlen(control->path) >= sizeof(address.sun_path)) {
		return ENAMETOOLONG;
	}
	memcpy(address.sun_path, control->path, strlen(control->path) + 1);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0);
	if (control->fd == -1) {
		return errno;
	}
	/* The pid file says that nobody else uses it. */
	unlink(control->path);
	before = umask(0177);
	if (bind(control->fd, (struct sockaddr *)&address,
		 sizeof(address)) == -1 ||
	    listen(control->fd, CLIENTS_MAX) == -1) {
		ret = errno;
	}
	umask(before);
	return ret;
}

int control_new(struct mirrord *mirrord, struct control **_control,
		char **problem)
{
	struct control *control = talloc_zero(mirrord, struct control);
	int ret;

	*problem = NULL;
	if (control == NULL) {
		return ENOMEM;
	}
	control->mirrord = mirrord;
	control->fd = -1;
	control->path = talloc_asprintf(control, "%s/" CONTROL_SOCKET,
					mirrord->config->run_directory);
	if (control->path == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(control, control_destructor);
	ret = control_listen(control);
	if (ret != 0) {
		*problem = talloc_asprintf(mirrord, "%s: %s", control->path,
					   strerror(ret));
		return ret;
	}
	control->fde = tevent_add_fd(mirrord->ev, control, control->fd,
				     TEVENT_FD_READ, on_connection, control);
	if (control->fde == NULL) {
		return ENOMEM;
	}
	services_watch(mirrord->services, look_at_all, control);
	*_control = control;
	return 0;
}
