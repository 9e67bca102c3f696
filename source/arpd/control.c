/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to a running arpd, see control.h. */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "addresses.h"
#include "control.h"

#define REQUEST_MAX 65536
#define CLIENTS_MAX 16

struct control_client {
	struct control *control;
	int fd;
	struct tevent_fd *fde;
	char *in;
	size_t used;
	char *out;
	size_t out_length;
	size_t out_done;
};

struct control {
	struct arpd *arpd;
	int fd;
	struct tevent_fd *fde;
	uint32_t num_clients;
};

/* ----------------------------------------------------------------- replies */

static int client_destructor(struct control_client *client)
{
	TALLOC_FREE(client->fde);
	close(client->fd);
	client->control->num_clients--;
	TEVENT_FD_READABLE(client->control->fde);
	return 0;
}

/* Takes over json. */
static void reply_json(struct control_client *client, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	client->out = text != NULL ? talloc_asprintf(client, "%s\n", text) :
		NULL;
	free(text);
	if (client->out == NULL) {
		talloc_free(client);
		return;
	}
	client->out_length = strlen(client->out);
	tevent_fd_set_flags(client->fde, TEVENT_FD_WRITE);
}

static void reply(struct control_client *client, enum control_code code,
		  const char *text)
{
	reply_json(client, json_pack("{s:i,s:s}", "code", (int)code, "text",
				     text != NULL ? text : ""));
}

/* ----------------------------------------------------------------- requests */

static bool read_wishes(json_t *request, struct address_wish *wishes,
			uint32_t *count)
{
	json_t *list = json_object_get(request, "addresses");
	size_t i;

	if (json_array_size(list) == 0 ||
	    json_array_size(list) > BEACON_ADDRESSES_MAX) {
		return false;
	}
	for (i = 0; i < json_array_size(list); i++) {
		json_t *row = json_array_get(list, i);
		const char *address = json_string_value(
			json_object_get(row, "address"));
		const char *interface = json_string_value(
			json_object_get(row, "interface"));

		wishes[i] = (struct address_wish){ .interface = "" };
		if (address == NULL ||
		    !net_address_parse(address, &wishes[i].address) ||
		    (interface != NULL &&
		     strlen(interface) >= NET_NAME_SIZE)) {
			return false;
		}
		if (interface != NULL) {
			memcpy(wishes[i].interface, interface,
			       strlen(interface) + 1);
		}
	}
	*count = json_array_size(list);
	return true;
}

static void taken(struct tevent_req *req)
{
	struct control_client *client = tevent_req_callback_data(
		req, struct control_client);
	char *problem;
	int ret = addresses_take_recv(req, client, &problem);

	talloc_free(req);
	reply(client, ret == 0 ? CONTROL_OK :
	      ret == EEXIST ? CONTROL_NOT_YET : CONTROL_FAILED,
	      ret != 0 && problem == NULL ? strerror(ret) : problem);
}

static void on_take(struct control_client *client, json_t *request)
{
	struct address_wish wishes[BEACON_ADDRESSES_MAX];
	struct tevent_req *req;
	uint32_t count;

	if (!read_wishes(request, wishes, &count)) {
		reply(client, CONTROL_FAILED, "no address was given, or one "
		      "that is none");
		return;
	}
	req = addresses_take_send(client, client->control->arpd, wishes,
				  count);
	if (req == NULL) {
		reply(client, CONTROL_FAILED, strerror(ENOMEM));
		return;
	}
	tevent_req_set_callback(req, taken, client);
}

static void on_release(struct control_client *client, json_t *request)
{
	struct address_wish wishes[BEACON_ADDRESSES_MAX];
	uint32_t count, i;
	int ret = 0;

	if (!read_wishes(request, wishes, &count)) {
		reply(client, CONTROL_FAILED, "no address was given, or one "
		      "that is none");
		return;
	}
	for (i = 0; i < count; i++) {
		int one = addresses_release(client->control->arpd,
					    &wishes[i].address);

		ret = ret == 0 ? one : ret;
	}
	reply(client, ret == 0 ? CONTROL_OK : CONTROL_FAILED,
	      ret == 0 ? "" : strerror(ret));
}

static void on_status(struct control_client *client, json_t *request)
{
	reply_json(client, json_pack("{s:i,s:o}", "code", CONTROL_OK, "status",
				     status_json(client->control->arpd)));
}

static const struct {
	const char *name;
	void (*handler)(struct control_client *client, json_t *request);
} verbs[] = {
	{ "take", on_take },
	{ "release", on_release },
	{ "status", on_status },
};

static void take_request(struct control_client *client)
{
	json_t *request = json_loadb(client->in, client->used, 0, NULL);
	const char *verb = json_string_value(json_object_get(request,
							     "verb"));
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verb != NULL && strcmp(verb, verbs[i].name) == 0) {
			tevent_fd_set_flags(client->fde, 0);
			verbs[i].handler(client, request);
			json_decref(request);
			return;
		}
	}
	json_decref(request);
	reply(client, CONTROL_FAILED, "arpd does not know this request: are "
	      "both of the same version?");
}

/* ------------------------------------------------------------------ sockets */

static void client_write(struct control_client *client)
{
	ssize_t done = send(client->fd, client->out + client->out_done,
			    client->out_length - client->out_done,
			    MSG_NOSIGNAL);

	if (done == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	client->out_done += done > 0 ? (size_t)done : 0;
	if (done <= 0 || client->out_done == client->out_length) {
		talloc_free(client);
	}
}

static void client_io(struct tevent_context *ev, struct tevent_fd *fde,
		      uint16_t flags, void *private_data)
{
	struct control_client *client = private_data;
	ssize_t length;

	if (client->out != NULL) {
		client_write(client);
		return;
	}
	length = recv(client->fd, client->in + client->used,
		      REQUEST_MAX - client->used, 0);
	if (length == -1 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (length <= 0 || client->used + (size_t)length == REQUEST_MAX) {
		talloc_free(client);
		return;
	}
	client->used += length;
	if (memchr(client->in, '\n', client->used) != NULL) {
		take_request(client);
	}
}

static void on_connect(struct tevent_context *ev, struct tevent_fd *fde,
		       uint16_t flags, void *private_data)
{
	struct control *control = private_data;
	struct control_client *client;
	int fd;

	if (control->num_clients == CLIENTS_MAX) {
		TEVENT_FD_NOT_READABLE(control->fde);
		return;
	}
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
	control->num_clients++;
	talloc_set_destructor(client, client_destructor);
	client->in = talloc_array(client, char, REQUEST_MAX);
	client->fde = tevent_add_fd(control->arpd->ev, client, fd,
				    TEVENT_FD_READ, client_io, client);
	if (client->in == NULL || client->fde == NULL) {
		talloc_free(client);
	}
}

int control_new(struct arpd *arpd, struct control **_control, char **problem)
{
	struct control *control = talloc_zero(arpd, struct control);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int ret;

	if (control == NULL) {
		return ENOMEM;
	}
	control->arpd = arpd;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s",
		 arpd->settings->run_directory, ARPD_CONTROL);
	control->fd = socket(AF_UNIX,
			     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd == -1) {
		return errno;
	}
	/* Of an arpd that was killed. */
	unlink(address.sun_path);
	mask = umask(077);
	ret = bind(control->fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (ret == -1 || listen(control->fd, CLIENTS_MAX) == -1) {
		ret = errno;
		*problem = talloc_asprintf(arpd, "%s: %s", address.sun_path,
					   strerror(ret));
		return ret;
	}
	control->fde = tevent_add_fd(arpd->ev, control, control->fd,
				     TEVENT_FD_READ, on_connect, control);
	*_control = control;
	return control->fde != NULL ? 0 : ENOMEM;
}
