/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Services that are not served yet, see wanted.h. */

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "child.h"
#include "ctdb_view.h"
#include "death_recoverd.h"
#include "dlinklist.h"
#include "nodes.h"
#include "peer.h"
#include "service.h"
#include "service_move.h"
#include "wanted.h"

#define LOOK_MS 100
/* After so long it is no planned move any more, and looked at less often. */
#define SOON_MS 10000
#define LOOK_LATER_MS 1000
/* What ctdb said before it asked us may be told for so long. */
#define STALE_MS 3000
#define RUN_MS 15000
/* A takeip event waits for another one, a recovery's say, and does not come
 * when it is over: by then something else is wrong. */
#define IN_FLIGHT_MS 10000

struct wish {
	struct wish *prev, *next;
	struct wanted *wanted;
	char *name;		/* of the service */
	uint64_t noted;		/* ms, the last time */
	uint64_t began;		/* ms */
	struct timer *timer;
	struct tevent_req *adding;
	uint64_t asked;		/* ms; 0: no takeip event is on its way */
	int lock;		/* see death_recoverd.h; -1: none */
};

struct wanted {
	struct mirrord *mirrord;
	struct wish *list;
};

/* ctdb's tool gives up before the event comes, if that has to wait. */
static void in_flight(struct wish *wish)
{
	if (wish->asked == 0) {
		wish->asked = service_now();
		wish->lock = recoverd_move_begins();
	}
}

static void unlock(struct wish *wish)
{
	recoverd_move_ends(wish->lock);
	wish->lock = -1;
}

static void landed(struct wish *wish)
{
	unlock(wish);
	wish->asked = 0;
}

static int wish_destructor(struct wish *wish)
{
	unlock(wish);
	DLIST_REMOVE(wish->wanted->list, wish);
	return 0;
}

/* ---------------------------------------------------------------- addresses */

static bool same_address(const struct sockaddr *address, const char *text)
{
	char buf[INET6_ADDRSTRLEN];
	const void *bytes = NULL;

	if (address != NULL && address->sa_family == AF_INET) {
		bytes = &((const struct sockaddr_in *)
			  (const void *)address)->sin_addr;
	} else if (address != NULL && address->sa_family == AF_INET6) {
		bytes = &((const struct sockaddr_in6 *)
			  (const void *)address)->sin6_addr;
	}
	return bytes != NULL &&
		inet_ntop(address->sa_family, bytes, buf, sizeof(buf)) &&
		strcmp(buf, text) == 0;
}

static bool address_is_here(const char *text)
{
	struct ifaddrs *list = NULL, *row;

	if (getifaddrs(&list) == -1) {
		return false;
	}
	for (row = list; row != NULL; row = row->ifa_next) {
		if (same_address(row->ifa_addr, text)) {
			break;
		}
	}
	freeifaddrs(list);
	return row != NULL;
}

static void look(void *private_data);

static void look_after(struct wish *wish, uint32_t ms)
{
	TALLOC_FREE(wish->timer);
	wish->timer = timer_start(wish, wish->wanted->mirrord->ev, ms, look,
				  wish);
}

static void look_later(struct wish *wish)
{
	bool soon = service_now() - wish->began < SOON_MS;

	look_after(wish, soon ? LOOK_MS : LOOK_LATER_MS);
}

static void not_added(const struct wish *wish, const char *problem)
{
	event_log_once(EVENT_NOT_ADDED, wish->name, "service %s is served "
		       "here, and ctdb does not add its addresses: %s",
		       wish->name, problem != NULL ? problem : "?");
}

static void moved(struct tevent_req *req)
{
	struct wish *wish = tevent_req_callback_data(req, struct wish);
	char *problem;
	int ret;

	wish->adding = NULL;
	ret = service_move_recv(req, wish, &problem);
	/* Else ctdb is at it itself. */
	if (ret != 0 && ret != EBUSY) {
		not_added(wish, problem);
	} else {
		landed(wish);
	}
	talloc_free(problem);
}

static void run_done(struct tevent_req *req)
{
	struct wish *wish = tevent_req_callback_data(req, struct wish);
	char *last = NULL;

	if (child_recv(req, wish, NULL, &last) != 0) {
		not_added(wish, last);
	}
	talloc_free(last);
	TALLOC_FREE(wish->adding);
}

/* moveip asks for another node that takes part. */
static bool others_take_part(const struct mirrord *mirrord)
{
	uint32_t i;

	for (i = 0; i < mirrord->nodes->count; i++) {
		if (i != mirrord->nodes->own &&
		    ctdb_view_connected(mirrord->view, i) &&
		    !ctdb_view_excluded(mirrord->view, i)) {
			return true;
		}
	}
	return false;
}

/*
 * A takeover run would do, but moveip may hold these back. It is to this node
 * that ctdb has given the address already; so all that moveip does is to call
 * the takeip event once more.
 */
static void add(struct wish *wish, const struct config_service *service)
{
	const struct mirrord *mirrord = wish->wanted->mirrord;
	const char *run[] = { "ctdb", "-t", "5", "ipreallocate", NULL };
	const bool move = others_take_part(mirrord);

	if (move) {
		in_flight(wish);
		wish->adding = service_move_send(wish, mirrord, service,
						 mirrord->nodes->own,
						 SERVICE_MOVE_HERE_SECONDS);
	} else {
		wish->adding = child_command_send(wish, mirrord->ev, run,
						  RUN_MS, NULL, NULL);
	}
	if (wish->adding != NULL) {
		tevent_req_set_callback(wish->adding,
					move ? moved : run_done, wish);
	}
}

/* --------------------------------------------------------------------- look */

static void look(void *private_data)
{
	struct wish *wish = private_data;
	struct mirrord *mirrord = wish->wanted->mirrord;
	const struct config_service *service = config_service_by_name(
		mirrord->config, wish->name);
	enum service_result result;
	bool under_way;
	char *problem;
	int host;

	wish->timer = NULL;
	if (service == NULL) {
		talloc_free(wish);
		return;
	}
	host = ctdb_view_host(mirrord->view, service->addresses[0]);
	if (host != -1 && host != (int)mirrord->nodes->own &&
	    service_now() - wish->noted > STALE_MS) {
		talloc_free(wish);
		return;
	}
	if (service_now() - wish->asked > IN_FLIGHT_MS) {
		unlock(wish);
	}
	ctdb_view_hurry(mirrord->view);
	look_later(wish);
	if (host != (int)mirrord->nodes->own) {
		return;
	}
	result = service_taken(wish, mirrord->services, service, &under_way,
			       &problem);
	talloc_free(problem);
	if (result != SERVICE_OK) {
		if (!under_way) {
			service_takeover(mirrord->services, service, false);
		}
		/* What failed, a fence command say, is not done ten times a
		 * second. */
		if (result == SERVICE_FAILED) {
			look_after(wish, LOOK_LATER_MS);
		}
		return;
	}
	/* With what was to add it: somebody may move the address on. */
	if (address_is_here(service->addresses[0])) {
		talloc_free(wish);
		return;
	}
	if (wish->adding == NULL) {
		add(wish, service);
	}
}

/* ----------------------------------------------------------------- requests */

static struct wish *find(struct wanted *wanted, const char *name)
{
	struct wish *wish = wanted->list;

	while (wish != NULL && strcmp(wish->name, name) != 0) {
		wish = wish->next;
	}
	return wish;
}

void wanted_note(struct wanted *wanted, const struct config_service *service)
{
	struct wish *wish = find(wanted, service->name);

	if (wish == NULL) {
		wish = talloc_zero(wanted, struct wish);
		if (wish == NULL) {
			return;
		}
		wish->wanted = wanted;
		wish->name = talloc_strdup(wish, service->name);
		if (wish->name == NULL) {
			talloc_free(wish);
			return;
		}
		wish->began = service_now();
		wish->lock = -1;
		DLIST_ADD(wanted->list, wish);
		talloc_set_destructor(wish, wish_destructor);
		look_later(wish);
	}
	/* That was the event. */
	landed(wish);
	wish->noted = service_now();
}

void wanted_forget(struct wanted *wanted,
		   const struct config_service *service)
{
	talloc_free(find(wanted, service->name));
}

int wanted_new(struct mirrord *mirrord, struct wanted **wanted)
{
	*wanted = talloc_zero(mirrord, struct wanted);
	if (*wanted == NULL) {
		return ENOMEM;
	}
	(*wanted)->mirrord = mirrord;
	return 0;
}
