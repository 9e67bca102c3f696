/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The anchors of services in ctdb, see anchors.h. */

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/replace_file.h"
#include "../common/timer.h"
#include "anchors.h"
#include "child.h"
#include "ctdb_view.h"
#include "nodes.h"
#include "service.h"

#define LOOK_MS 500
/* The home is first to know of an address, who has it last to forget it. */
#define OTHERS_MS 4000
#define COMMAND_MS 30000
#define AGAIN_MS 10000
/* After a change ctdb is told again what its file says; what an administrator
 * takes from it at another time stays away. */
#define CHANGE_MS 30000
#define FILE_NAME "public_addresses"
#define FILE_MAX (1 << 20)

enum doing { NOTHING, ADDING, REMOVING, PLACING };

struct anchors {
	struct mirrord *mirrord;
	struct timer *timer;
	uint64_t since;		/* ms, when the configuration was read */
	uint64_t changed;	/* ms, when it was another one; 0: never */
	uint64_t not_before;	/* ms, after a failure */
	bool file_is_right;
	struct tevent_req *writing;
	struct tevent_req *telling;
	enum doing doing;
	char *address;
};

/* -------------------------------------------------------------------- file */

static bool same_network(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));

	return memcmp(a, b, bits / 8) == 0 &&
		(bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

static const char *interface_of(TALLOC_CTX *mem_ctx, const char *address,
				uint32_t prefix)
{
	int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	struct ifaddrs *all = NULL, *i;
	uint8_t wanted[sizeof(struct in6_addr)];
	const char *found = NULL;

	if (inet_pton(family, address, wanted) != 1 ||
	    getifaddrs(&all) == -1) {
		return NULL;
	}
	for (i = all; i != NULL && found == NULL; i = i->ifa_next) {
		const void *data;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != family ||
		    (i->ifa_flags & IFF_LOOPBACK) != 0) {
			continue;
		}
		data = family == AF_INET ?
			(const void *)&((struct sockaddr_in *)
					i->ifa_addr)->sin_addr :
			&((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
		if (same_network(data, wanted, prefix)) {
			found = talloc_strdup(mem_ctx, i->ifa_name);
		}
	}
	freeifaddrs(all);
	return found;
}

static char *read_file(TALLOC_CTX *mem_ctx, const char *path, int *error)
{
	char *text = talloc_zero_array(mem_ctx, char, FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*error = 0;
	if (text == NULL) {
		*error = ENOMEM;
	} else if (fd == -1) {
		*error = errno == ENOENT ? 0 : errno;
	} else {
		n = read(fd, text, FILE_MAX + 1);
		*error = n == -1 ? errno : n > FILE_MAX ? EFBIG : 0;
	}
	if (fd != -1) {
		close(fd);
	}
	return text;
}

static char *file_path(TALLOC_CTX *mem_ctx, const struct mirrord *mirrord)
{
	const char *base = getenv("CTDB_BASE");
	char *folder = talloc_strdup(mem_ctx, mirrord->config->nodes_file);

	return talloc_asprintf(mem_ctx, "%s/" FILE_NAME, base != NULL ? base :
			       dirname(folder));
}

/* In a child: the disk of /etc may be slow. */
static int write_file(int out, void *private_data)
{
	const struct mirrord *mirrord = private_data;
	TALLOC_CTX *frame = talloc_new(NULL);
	char *problem = NULL;
	char *path, *text, *next;
	int ret;

	child_close_sockets(out);
	child_close_directories();
	path = file_path(frame, mirrord);
	text = read_file(frame, path, &ret);
	if (ret != 0) {
		dprintf(out, "%s: %s\n", path, strerror(ret));
		return ret;
	}
	next = anchors_text(frame, text, mirrord->config, interface_of,
			    &problem);
	if (next == NULL) {
		return ENOMEM;
	}
	if (strcmp(text, next) != 0) {
		ret = replace_file(path, 0644, true, next);
		if (ret != 0) {
			dprintf(out, "%s: %s\n", path, strerror(ret));
			return ret;
		}
	}
	if (problem != NULL) {
		dprintf(out, "%s\n", problem);
		return ENODEV;
	}
	return 0;
}

static void file_written(struct tevent_req *req)
{
	struct anchors *anchors = tevent_req_callback_data(req,
							   struct anchors);
	char *last = NULL;
	int ret = child_recv(req, anchors, NULL, &last);

	TALLOC_FREE(anchors->writing);
	anchors->file_is_right = ret == 0;
	if (ret != 0) {
		anchors->not_before = service_now() + AGAIN_MS;
		event_log_once(EVENT_ANCHOR_FAILED, "file", "%s",
			       last != NULL ? last : strerror(ret));
	}
	talloc_free(last);
}

/* -------------------------------------------------------------------- ctdbd */

/* address: NULL: the one that the last command was of. */
static void run(struct anchors *anchors, enum doing doing,
		const char *address, const char *const *argv);

static void told(struct tevent_req *req)
{
	static const char *const done[] = {
		[ADDING] = "ctdb of this node may have it from now on",
		[REMOVING] = "ctdb of this node does not have it any more",
		[PLACING] = "",
	};
	struct anchors *anchors = tevent_req_callback_data(req,
							   struct anchors);
	static const char *const again[] = { "ctdb", "ipreallocate", NULL };
	enum doing doing = anchors->doing;
	char *last = NULL;
	int ret = child_recv(req, anchors, NULL, &last);

	TALLOC_FREE(anchors->telling);
	anchors->doing = NOTHING;
	if (ret != 0) {
		anchors->not_before = service_now() + AGAIN_MS;
		event_log_once(EVENT_ANCHOR_FAILED, anchors->address, "%s: %s",
			       anchors->address, last != NULL ? last :
			       strerror(ret));
	} else if (doing != PLACING) {
		event_log(EVENT_ANCHOR_CHANGED, "%s: %s", anchors->address,
			  done[doing]);
	}
	talloc_free(last);
	ctdb_view_hurry(anchors->mirrord->view);
	if (ret == 0 && doing == REMOVING) {
		/* One that is here goes with the next run only. */
		run(anchors, PLACING, NULL, again);
	}
}

static void run(struct anchors *anchors, enum doing doing,
		const char *address, const char *const *argv)
{
	if (address != NULL) {
		talloc_free(anchors->address);
		anchors->address = talloc_strdup(anchors, address);
	}
	anchors->telling = child_command_send(anchors, anchors->mirrord->ev,
					      argv, COMMAND_MS, NULL, NULL);
	if (anchors->telling != NULL) {
		anchors->doing = doing;
		tevent_req_set_callback(anchors->telling, told, anchors);
	}
}

static void tell(struct anchors *anchors, enum doing doing,
		 const struct config_service *service)
{
	const struct config_place *place = &service->places[0];
	TALLOC_CTX *frame = talloc_new(anchors);
	const char *address = service->addresses[0];
	const char *interface = place->interface;
	const char *argv[] = { "ctdb", "delip", address, NULL, NULL };

	if (doing == ADDING) {
		if (interface == NULL) {
			interface = interface_of(frame, address,
						 place->prefix);
		}
		argv[1] = "addip";
		argv[2] = talloc_asprintf(frame, "%s/%u", address,
					  place->prefix);
		argv[3] = interface;
	}
	/* Without an interface the file told it already. */
	if (argv[2] != NULL && (doing != ADDING || interface != NULL)) {
		run(anchors, doing, address, argv);
	}
	talloc_free(frame);
}

/* The line is the administrator's: ctdb read it when it started, and was told
 * to forget it when the service was stopped. */
static void tell_line(struct anchors *anchors,
		      const struct config_service *service)
{
	static const char add[] =
		"line=$(awk -v a=\"$1/\" 'index($1, a) == 1' \"$2\") && "
		"[ -n \"$line\" ] || "
		"{ echo \"no line in $2, and no prefix in the registry\"; "
		"exit 1; }\n"
		"exec ctdb addip $line";
	TALLOC_CTX *frame = talloc_new(anchors);
	const char *argv[] = {
		"/bin/sh", "-c", add, "sh", service->addresses[0],
		file_path(frame, anchors->mirrord), NULL
	};

	if (argv[5] != NULL) {
		run(anchors, ADDING, service->addresses[0], argv);
	}
	talloc_free(frame);
}

/* What ctdbd of this node does not know yet. */
static enum doing wanted(struct anchors *anchors,
			 const struct config_service *service)
{
	const struct mirrord *mirrord = anchors->mirrord;
	const char *anchor = service->addresses[0];
	bool others_first = service_now() - anchors->since < OTHERS_MS;

	if (service->enabled == ctdb_view_has(mirrord->view, anchor)) {
		return NOTHING;
	}
	if (!service->enabled) {
		return ctdb_view_host(mirrord->view, anchor) ==
			(int)mirrord->nodes->own && others_first ?
			NOTHING : REMOVING;
	}
	if (service->places[0].prefix == 0 &&
	    (anchors->changed == 0 ||
	     service_now() - anchors->changed > CHANGE_MS)) {
		return NOTHING;
	}
	return (service->home != mirrord->nodes->own && others_first &&
		 ctdb_view_connected(mirrord->view, service->home)) ?
		NOTHING : ADDING;
}

static void look(void *private_data)
{
	struct anchors *anchors = private_data;
	struct mirrord *mirrord = anchors->mirrord;
	struct config_service **s = mirrord->config->services;

	anchors->timer = timer_start(anchors, mirrord->ev, LOOK_MS, look,
				     anchors);
	if (anchors->writing != NULL || anchors->telling != NULL ||
	    service_now() < anchors->not_before) {
		return;
	}
	if (!anchors->file_is_right) {
		anchors->writing = child_function_send(
			anchors, mirrord->ev, write_file, mirrord, COMMAND_MS,
			NULL, NULL);
		if (anchors->writing != NULL) {
			tevent_req_set_callback(anchors->writing, file_written,
						anchors);
		}
		return;
	}
	if (!ctdb_view_settled(mirrord->view)) {
		return;
	}
	for (; *s != NULL; s++) {
		enum doing doing = wanted(anchors, *s);

		if (doing == ADDING && (*s)->places[0].prefix == 0) {
			tell_line(anchors, *s);
			break;
		}
		if (doing != NOTHING) {
			tell(anchors, doing, *s);
			break;
		}
	}
}

static void begin(struct anchors *anchors)
{
	anchors->since = service_now();
	anchors->not_before = 0;
	anchors->file_is_right = false;
}

void anchors_configure(struct anchors *anchors)
{
	begin(anchors);
	anchors->changed = service_now();
}

int anchors_new(struct mirrord *mirrord, struct anchors **_anchors)
{
	struct anchors *anchors = talloc_zero(mirrord, struct anchors);

	if (anchors == NULL) {
		return ENOMEM;
	}
	anchors->mirrord = mirrord;
	begin(anchors);
	anchors->timer = timer_start(anchors, mirrord->ev, LOOK_MS, look,
				     anchors);
	*_anchors = anchors;
	return anchors->timer != NULL ? 0 : ENOMEM;
}
