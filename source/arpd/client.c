/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands to a running arpd, see client.h. */

#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "client.h"
#include "control.h"

#define EXIT_USAGE 2
#define EXIT_NO_ARPD 4
#define SOCKET_PATH "/run/samba-mirror/" ARPD_CONTROL
#define ANSWER_SECONDS 10
/* So long it takes until one that died is replaced; else none was. */
#define START_SECONDS 2
#define REPLACE_TURNS 10
/* A port that is down for so long, and not passed through, makes a node
 * unhealthy: not one that is just being taken care of. */
#define MONITOR_SECONDS 5.0

static const struct timespec turn = { .tv_nsec = 50000000 };

static int no_arpd(void)
{
	fprintf(stderr, "mirror-arpd: none is running here (%s: %s)\n",
		SOCKET_PATH, strerror(errno));
	return EXIT_NO_ARPD;
}

/* Takes over request. NULL: errno says why, ECONNREFUSED or ENOENT that none
 * is running, ECONNRESET that it ended meanwhile, EAGAIN that it hangs. */
static json_t *exchange(json_t *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	char *text = json_dumps(request, JSON_COMPACT);
	json_error_t error;
	json_t *answer = NULL;
	FILE *file = NULL;
	int reason = ENOMEM;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	json_decref(request);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 SOCKET_PATH);
	if (fd == -1 || text == NULL ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		reason = errno;
		goto done;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	file = fdopen(fd, "r");
	if (file == NULL) {
		reason = errno;
		goto done;
	}
	errno = 0;
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != -1 &&
	    send(fd, "\n", 1, MSG_NOSIGNAL) != -1) {
		answer = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
	}
	reason = errno == EAGAIN ? EAGAIN : ECONNRESET;
done:
	free(text);
	if (file != NULL) {
		fclose(file);
	} else if (fd != -1) {
		close(fd);
	}
	errno = reason;
	return answer;
}

static bool is_away(int error)
{
	return error == ECONNREFUSED || error == ENOENT;
}

/* Of exchange(), with its errno. NULL: *code is the exit code, and it was said
 * why. */
static json_t *judge(json_t *answer, int *code)
{
	if (answer != NULL) {
		*code = (int)json_integer_value(json_object_get(answer,
								"code"));
	} else if (errno == ECONNRESET || errno == EAGAIN) {
		fprintf(stderr, "mirror-arpd: the running one %s\n",
			errno == EAGAIN ? "does not answer" :
			"ended meanwhile");
		*code = EXIT_FAILURE;
	} else {
		*code = no_arpd();
	}
	return answer;
}

static json_t *ask(json_t *request, int *code)
{
	return judge(exchange(request), code);
}

static const char *string(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text != NULL ? text : "";
}

static double real(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

static bool is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

static int finish(json_t *answer, int code)
{
	const char *text = string(answer, "text");

	if (text[0] != '\0') {
		fprintf(code == 0 ? stdout : stderr, "%s\n", text);
	}
	json_decref(answer);
	return code;
}

/* ------------------------------------------------------------------- status */

static void show_interfaces(const json_t *status)
{
	const json_t *row;
	size_t i;

	printf("\n%-12s %-12s %-8s %10s  %s\n", "interface", "kind", "carrier",
	       "for", "MAC");
	json_array_foreach(json_object_get(status, "interfaces"), i, row) {
		printf("%-12s %-12s %-8s %8.1f s  %s\n", string(row, "name"),
		       is_true(row, "interconnect") ? "interconnect" :
		       "client",
		       !is_true(row, "present") ? "missing" :
		       is_true(row, "carrier") ? "yes" : "no",
		       real(row, "since"), string(row, "mac"));
	}
}

static void show_peers(const json_t *status)
{
	const json_t *peer, *row;
	size_t i, j;

	json_array_foreach(json_object_get(status, "peers"), i, peer) {
		printf("\nnode %.0f (%s): %s for %.1f s%s%s\n",
		       real(peer, "node"), string(peer, "address"),
		       string(peer, "state"), real(peer, "since"),
		       string(peer, "best")[0] != '\0' ?
		       ", reached through " : "", string(peer, "best"));
		printf("  %-12s %-6s %10s %6s %6s %8s %11s %6s\n", "path",
		       "state", "for", "hear", "heard", "loss", "round trip",
		       "downs");
		json_array_foreach(json_object_get(peer, "paths"), j, row) {
			printf("  %-12s %-6s %8.1f s %6s %6s %6.1f %% "
			       "%8.2f ms %6.0f\n", string(row, "interface"),
			       string(row, "state"), real(row, "since"),
			       is_true(row, "hear") ? "yes" : "no",
			       is_true(row, "heard") ? "yes" : "no",
			       real(row, "loss_percent"),
			       real(row, "round_trip_ms"),
			       real(row, "downs"));
		}
	}
}

static void show_addresses(const json_t *status)
{
	const json_t *row;
	size_t i;

	printf("\naddresses\n");
	json_array_foreach(json_object_get(status, "addresses"), i, row) {
		const char *where = string(row, "where");

		printf("  %-24s ", string(row, "address"));
		if (strcmp(where, "here") == 0) {
			printf("here, on %s, %.0f clients\n",
			       string(row, "interface"),
			       real(row, "clients"));
		} else if (strcmp(where, "passed") == 0) {
			printf("here, on %s; passed through by node %.0f\n",
			       string(row, "interface"), real(row, "helper"));
		} else if (strcmp(where, "elsewhere") == 0) {
			printf("node %.0f, %.0f clients\n",
			       real(row, "node"), real(row, "clients"));
		} else {
			printf("%s for node %.0f, from %s through %s\n", where,
			       real(row, "node"), string(row, "interface"),
			       string(row, "inside"));
		}
	}
}

static int do_status(int argc, char **argv)
{
	json_t *answer, *status;
	int code;

	if (argc > 1 || (argc == 1 && strcmp(argv[0], "--json") != 0)) {
		return EXIT_USAGE;
	}
	answer = ask(json_pack("{s:s}", "verb", "status"), &code);
	if (answer == NULL) {
		return code;
	}
	status = json_object_get(answer, "status");
	if (argc == 1) {
		json_dumpf(status, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		printf("node %.0f (%s), for %.1f s%s\n", real(status, "node"),
		       string(status, "identity"), real(status, "since"),
		       is_true(status, "applied") ? "" :
		       "; NOT in force, see the log");
		show_interfaces(status);
		show_peers(status);
		show_addresses(status);
	}
	json_decref(answer);
	return code;
}

/* ------------------------------------------------------------------ monitor */

static const json_t *interface_named(const json_t *status, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "interfaces"), i, row) {
		if (strcmp(string(row, "name"), name) == 0) {
			return row;
		}
	}
	return NULL;
}

/* One that ends, or has just been started, is not there for a moment. */
static json_t *ask_patiently(const char *verb, int *code)
{
	int turns = START_SECONDS * 20;
	json_t *answer;

	for (; turns > 0; turns--) {
		answer = exchange(json_pack("{s:s}", "verb", verb));
		if (answer != NULL) {
			*code = EXIT_SUCCESS;
			return answer;
		}
		if (errno == EAGAIN) {
			break;
		}
		nanosleep(&turn, NULL);
	}
	return ask(json_pack("{s:s}", "verb", verb), code);
}

/* For ctdb's monitor: a port that is down is no reason to move a service while
 * another node passes its traffic through. */
static int do_monitor(int argc, char **argv)
{
	const json_t *status, *row;
	json_t *answer;
	size_t i;
	int code;

	if (argc != 0) {
		return EXIT_USAGE;
	}
	answer = ask_patiently("status", &code);
	if (answer == NULL) {
		return code;
	}
	status = json_object_get(answer, "status");
	json_array_foreach(json_object_get(status, "addresses"), i, row) {
		const json_t *interface = interface_named(
			status, string(row, "interface"));

		if (strcmp(string(row, "where"), "here") == 0 &&
		    !is_true(interface, "carrier") &&
		    real(interface, "since") > MONITOR_SECONDS) {
			printf("%s cannot be reached: %s has no carrier, and "
			       "no other node passes it through\n",
			       string(row, "address"),
			       string(row, "interface"));
			code = EXIT_FAILURE;
		}
	}
	json_decref(answer);
	return code;
}

/* --------------------------------------------------------- take and release */

/* ADDRESS[/PREFIX][@INTERFACE] .. */
static json_t *address_list(int argc, char **argv)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < argc; i++) {
		char *at = strchr(argv[i], '@');
		json_t *row = json_object();

		if (at != NULL) {
			*at++ = '\0';
			json_object_set_new(row, "interface",
					    json_string(at));
		}
		json_object_set_new(row, "address", json_string(argv[i]));
		json_array_append_new(list, row);
	}
	return list;
}

static int with_addresses(const char *verb, int argc, char **argv)
{
	int turns = REPLACE_TURNS;
	json_t *answer;
	int code;

	if (argc == 0) {
		return EXIT_USAGE;
	}
	/* One that begins anew with other settings is back in a moment. */
	do {
		answer = exchange(json_pack("{s:s,s:o}", "verb", verb,
					    "addresses",
					    address_list(argc, argv)));
		if (answer != NULL || !is_away(errno)) {
			break;
		}
		nanosleep(&turn, NULL);
	} while (turns-- > 0);
	answer = judge(answer, &code);
	return answer != NULL ? finish(answer, code) : code;
}

static int do_take(int argc, char **argv)
{
	return with_addresses("take", argc, argv);
}

/* What is here, whoever gave it to us. */
static json_t *all_here(const json_t *status)
{
	json_t *list = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(status, "addresses"), i, row) {
		const char *where = string(row, "where");

		if (strcmp(where, "here") == 0 ||
		    strcmp(where, "passed") == 0) {
			json_array_append_new(list, json_pack(
				"{s:O}", "address",
				json_object_get(row, "address")));
		}
	}
	return list;
}

static int release_all(void)
{
	json_t *answer, *list;
	int code;

	answer = ask(json_pack("{s:s}", "verb", "status"), &code);
	if (answer == NULL) {
		return code;
	}
	list = all_here(json_object_get(answer, "status"));
	json_decref(answer);
	if (json_array_size(list) == 0) {
		json_decref(list);
		return EXIT_SUCCESS;
	}
	answer = ask(json_pack("{s:s,s:o}", "verb", "release", "addresses",
			       list), &code);
	return answer != NULL ? finish(answer, code) : code;
}

static int do_release(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "--all") == 0) {
		return release_all();
	}
	return with_addresses("release", argc, argv);
}

/* -------------------------------------------------------------------- verbs */

static const struct {
	const char *verb;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "status", do_status },
	{ "monitor", do_monitor },
	{ "take", do_take },
	{ "release", do_release },
};

int client_main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[0], verbs[i].verb) == 0) {
			return verbs[i].run(argc - 1, argv + 1);
		}
	}
	return EXIT_USAGE;
}
