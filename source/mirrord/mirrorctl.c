/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirrorctl: asks mirrord, for people and for event scripts.
 * Exit status: 0 done, 1 failed, 2 wrong usage, 3 not yet.
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/config.h"
#include "check.h"
#include "control.h"
#include "files.h"
#include "giveback_command.h"
#include "event_command.h"
#include "health_command.h"
#include "log_command.h"
#include "mirrorctl.h"
#include "status_command.h"
#include "resume.h"
#include "reload_command.h"
#include "trace_command.h"

/* Of Samba's loadparm; its header is private to Samba. */
bool lp_load_global(const char *file);

#define DEFAULT_WAIT_MS 60000
/* A mirrord that says nothing for so long on top of that hangs. */
#define ANSWER_SECONDS 5
#define DEFAULT_TRACE_SECONDS 10

static TALLOC_CTX *ctx;
/* The exit status when mirrord or the configuration does not answer. */
static int failure = EXIT_FAILED;

static void usage(FILE *out)
{
	fprintf(out,
	"usage: mirrorctl [-s SMB.CONF] COMMAND\n"
	"  status [--json]          every volume: owner, mode, records held\n"
	"  check-takeover SERVICE [--fence-test] [--json]\n"
	"                           what would make it fail or slow here\n"
	"  takeover SERVICE [--accept-loss] [--wait SECONDS]\n"
	"                           make this node the owner: fence, mount, "
	"replay\n"
	"  release [SERVICE] [--wait SECONDS]\n"
	"                           give it away: all stable, unmounted\n"
	"  giveback [--list]        services: where, and when they go home\n"
	"  giveback SERVICE [--at HH:MM] [--idle SECONDS] | --now | --cancel\n"
	"                           when this one goes home\n"
	"  fenced PNN               that node is off, for certain\n"
	"  silent PNN               nobody hears that node: ask it now\n"
	"  verdict [PNN..]          ask ctdb now who is alive; or decree it\n"
	"  rejoin                   was this node left out by ctdb? It begins "
	"anew\n"
	"  resume                   ctdb's takeover runs, held back by a "
	"moveip, go on\n"
	"  health [--wait SECONDS]  is this node healthy? End a mirrord that "
	"hangs for\n"
	"                           so long; exit status 1: not, 4: no "
	"mirrord\n"
	"  reload                   look at the configuration now, tell what "
	"changed\n"
	"  service [ADDRESS|NAME]   names, addresses and folders of a service\n"
	"  log [--since TIME] [--severity WORD] [--json]\n"
	"                           what happened when, and what to do\n"
	"  notify-test              send a trap, a mail .. to see them arrive\n"
	"  network [--json]         paths and addresses: mirror-arpd status\n"
	"  trace [VOLUME..] [--seconds SECONDS] [--json]\n"
	"                           where the time of operations goes\n"
	"  files [--sync] [--json]  plain files: are they the same? --sync: "
	"fetch\n"
	"                           those that changed on another node\n"
	"  options [--json]         the options that have one value\n"
	"  names verbs|services|volumes|nodes\n"
	"                           one in a line: for completion\n"
	"exit status: 0 done, 1 failed, 2 wrong usage, 3 not yet\n");
}

/* ----------------------------------------------------------- configuration */

static struct mirror_config *config(struct arguments *arguments)
{
	char *problem;

	if (arguments->config == NULL) {
		if (!lp_load_global(arguments->config_file)) {
			fprintf(stderr, "mirrorctl: cannot load %s\n",
				arguments->config_file);
			exit(failure);
		}
		arguments->config = config_read(ctx, &problem);
		if (arguments->config == NULL) {
			fprintf(stderr, "mirrorctl: %s\n", problem);
			exit(failure);
		}
	}
	return arguments->config;
}

/* -------------------------------------------------------------- the socket */

#define USUAL_SOCKET "/run/samba-mirror/" CONTROL_SOCKET

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* One that hangs has a full queue at last. */
	const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || strlen(path) >= sizeof(address.sun_path)) {
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * The usual place first: so an event script need not read the registry, which
 * does not answer before ctdb's recovery has ended, which waits for the script.
 * A socket there that nobody listens at is that of a mirrord that has ended.
 */
int mirrorctl_connect(struct arguments *arguments)
{
	int fd = try_connect(USUAL_SOCKET);

	if (fd == -1 && access(USUAL_SOCKET, F_OK) == -1) {
		fd = try_connect(talloc_asprintf(
			ctx, "%s/" CONTROL_SOCKET,
			config(arguments)->run_directory));
	}
	return fd;
}

static bool mirrord_runs(void)
{
	int fd = try_connect(USUAL_SOCKET);

	if (fd != -1) {
		close(fd);
	}
	return fd != -1;
}

json_t *mirrorctl_receive(int fd)
{
	char *text = talloc_strdup(ctx, "");
	size_t used = 0;
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		text = talloc_realloc(ctx, text, char, used + (size_t)n);
		if (text == NULL) {
			return NULL;
		}
		memcpy(text + used, buf, (size_t)n);
		used += (size_t)n;
	}
	return json_loadb(text, used, 0, NULL);
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Takes over request. */
static json_t *ask(struct arguments *arguments, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int fd = mirrorctl_connect(arguments);
	const struct timeval patience = {
		.tv_sec = ANSWER_SECONDS + number(request, "wait_ms") / 1000
	};
	json_t *reply;

	json_decref(request);
	if (fd == -1) {
		fprintf(stderr, "mirrorctl: mirrord does not run on this node "
			"(or you are not root)\n");
		exit(failure);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	dprintf(fd, "%s\n", text);
	free(text);
	errno = 0;
	reply = mirrorctl_receive(fd);
	close(fd);
	if (reply == NULL) {
		fprintf(stderr, "mirrorctl: mirrord %s\n",
			errno == EAGAIN ? "does not answer" :
			"ended meanwhile");
		exit(failure);
	}
	return reply;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

/* Tell the text; the exit status is mirrord's. */
static int finish(struct arguments *arguments, json_t *reply)
{
	int code = (int)number(reply, "code");
	const char *text = string(reply, "text");

	if (arguments->json) {
		json_dumpf(reply, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (code != EXIT_DONE) {
		fprintf(stderr, "mirrorctl: %s\n", text);
	}
	json_decref(reply);
	return code;
}

/* For commands in files of their own. */

int mirrorctl_finish_told(struct arguments *arguments, json_t *reply)
{
	const char *text = string(reply, "text");

	if (!arguments->json && number(reply, "code") == EXIT_DONE &&
	    text[0] != '\0') {
		printf("%s%s", text,
		       text[strlen(text) - 1] == '\n' ? "" : "\n");
	}
	return finish(arguments, reply);
}

TALLOC_CTX *mirrorctl_ctx(void)
{
	return ctx;
}

struct mirror_config *mirrorctl_config(struct arguments *arguments)
{
	return config(arguments);
}

json_t *mirrorctl_ask(struct arguments *arguments, json_t *request)
{
	return ask(arguments, request);
}

int mirrorctl_finish(struct arguments *arguments, json_t *reply)
{
	return finish(arguments, reply);
}

/* ------------------------------------------------------- takeover, release */

static void show_timeline(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "timeline");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *t = json_array_get(list, i);

		printf("volume %s: checked %" PRId64 " ms, fenced %" PRId64
		       " ms, mounted %" PRId64 " ms, replayed %" PRId64
		       " records %s %" PRId64 " ms, served %" PRId64 " ms\n",
		       string(t, "volume"), number(t, "checked_ms"),
		       number(t, "fenced_ms"), number(t, "mounted_ms"),
		       number(t, "records"), status_bytes(number(t, "bytes")),
		       number(t, "replayed_ms"), number(t, "served_ms"));
	}
}

static int wait_ms(const struct arguments *arguments)
{
	return arguments->wait_ms >= 0 ? arguments->wait_ms : DEFAULT_WAIT_MS;
}

static int do_takeover(struct arguments *arguments)
{
	json_t *request = json_pack(
		"{s:s,s:s,s:b,s:i}", "verb", "takeover",
		"service", arguments->words[0],
		"accept_loss", (int)arguments->accept_loss,
		"wait_ms", wait_ms(arguments));
	json_t *reply;

	if (arguments->move_wait_ms >= 0) {
		json_object_set_new(request, "move_wait_ms",
				    json_integer(arguments->move_wait_ms));
	}
	reply = ask(arguments, request);
	if (!arguments->json && number(reply, "code") == EXIT_DONE) {
		show_timeline(reply);
	}
	return finish(arguments, reply);
}

static int do_release(struct arguments *arguments)
{
	json_t *request = json_pack("{s:s,s:i}", "verb", "release",
				    "wait_ms", wait_ms(arguments));

	if (arguments->count > 0) {
		json_object_set_new(request, "service",
				    json_string(arguments->words[0]));
	}
	return finish(arguments, ask(arguments, request));
}

/* --------------------------------------------------------- the other verbs */

static json_t *word_number(const char *word)
{
	char *end;
	long value = strtol(word, &end, 10);

	if (end == word || *end != '\0' || value < 0) {
		fprintf(stderr, "mirrorctl: `%s' is not the number of a "
			"node\n", word);
		exit(EXIT_USAGE);
	}
	return json_integer(value);
}

static int do_verdict(struct arguments *arguments)
{
	json_t *alive = json_array();
	int i;

	for (i = 0; i < arguments->count; i++) {
		json_array_append_new(alive, word_number(arguments->words[i]));
	}
	return finish(arguments, ask(arguments, json_pack(
		"{s:s,s:o}", "verb", "verdict", "alive", alive)));
}

static int do_fenced(struct arguments *arguments)
{
	return finish(arguments, ask(arguments, json_pack(
		"{s:s,s:o}", "verb", "fenced",
		"node", word_number(arguments->words[0]))));
}

static int do_silent(struct arguments *arguments)
{
	return finish(arguments, ask(arguments, json_pack(
		"{s:s,s:o}", "verb", "silent",
		"node", word_number(arguments->words[0]))));
}

static int do_rejoin(struct arguments *arguments)
{
	/* The recovery waits for us, and the registry for the recovery. */
	if (!mirrord_runs()) {
		return EXIT_DONE;
	}
	return finish(arguments, ask(arguments, json_pack("{s:s}", "verb",
							  "rejoin")));
}

static int do_log(struct arguments *arguments)
{
	return log_command(arguments->since, arguments->severity,
			   arguments->json);
}

static int do_ping(struct arguments *arguments)
{
	return mirrorctl_finish(arguments, mirrorctl_ask(arguments, json_pack(
		"{s:s}", "verb", "ping")));
}

/*
 * For event scripts, so mirrord is asked first: the registry does not answer
 * during a recovery, and addresses have to go then, too.
 */
static int tell_service(const struct arguments *arguments, const char *text)
{
	char *line, *save = NULL;
	json_t *object, *mounts;

	if (!arguments->json) {
		printf("%s", text);
		return EXIT_DONE;
	}
	object = json_object();
	mounts = json_array();
	for (line = strtok_r(talloc_strdup(ctx, text), "\n", &save);
	     line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (value == NULL) {
			continue;
		}
		*value++ = '\0';
		if (strcmp(line, "mount") == 0) {
			json_array_append_new(mounts, json_string(value));
		} else {
			json_object_set_new(object, line, json_string(value));
		}
	}
	json_object_set_new(object, "mounts", mounts);
	json_dumpf(object, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(object);
	return EXIT_DONE;
}

static int do_service(struct arguments *arguments)
{
	const char *word = arguments->count > 0 ? arguments->words[0] : NULL;
	const struct config_service *service;

	/* Who cannot ask does not know that there is no such service. */
	failure = EXIT_NOT_YET;
	if (mirrord_runs()) {
		json_t *reply = ask(arguments, json_pack(
			"{s:s,s:s?}", "verb", "service", "service", word));

		if (number(reply, "code") != EXIT_DONE) {
			return EXIT_FAILED;
		}
		if (word == NULL) {
			printf("%s", string(reply, "text"));
			return EXIT_DONE;
		}
		return tell_service(arguments, string(reply, "text"));
	}
	if (word == NULL) {
		printf("%s", config_service_names(ctx, config(arguments)));
		return EXIT_DONE;
	}
	service = config_service_find(config(arguments), word);
	if (service == NULL) {
		return EXIT_FAILED;
	}
	return tell_service(arguments, config_service_describe(ctx, service));
}

static int do_network(struct arguments *arguments)
{
	execlp("mirror-arpd", "mirror-arpd", "status",
	       arguments->json ? "--json" : NULL, NULL);
	perror("mirrorctl: mirror-arpd");
	return EXIT_FAILED;
}

static int do_trace(struct arguments *arguments)
{
	const struct mirror_config *c = config(arguments);
	size_t n = talloc_array_length(c->volumes);
	const char **names;
	size_t i;

	if (arguments->seconds <= 0) {
		fprintf(stderr, "mirrorctl: for how many seconds?\n");
		return EXIT_USAGE;
	}
	if (arguments->count > 0) {
		return trace_command(ctx, c->run_directory,
				     (const char *const *)arguments->words,
				     arguments->seconds, arguments->json);
	}
	names = talloc_zero_array(ctx, const char *, n);
	for (i = 0; names != NULL && i + 1 < n; i++) {
		names[i] = c->volumes[i]->name;
	}
	return names == NULL ? EXIT_FAILED :
		trace_command(ctx, c->run_directory, names,
			      arguments->seconds, arguments->json);
}

static int do_options(struct arguments *arguments)
{
	const struct config_option_info *info;
	json_t *list = json_array();

	for (info = config_options(); info->name != NULL; info++) {
		if (arguments->json) {
			json_array_append_new(list, json_pack(
				"{s:s,s:s?,s:s}", "name", info->name,
				"default", info->fallback, "help",
				info->help));
			continue;
		}
		printf("mirror:%s = %s\n    %s\n", info->name,
		       info->fallback != NULL ? info->fallback : "",
		       info->help);
	}
	if (arguments->json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(list);
	return EXIT_DONE;
}

static int do_names(struct arguments *arguments);

static const struct {
	const char *verb;
	int min;
	int max;
	int (*run)(struct arguments *arguments);
} verbs[] = {
	{ "status", 0, 0, status_command },
	{ "check-takeover", 0, 1, check_takeover_command },
	{ "takeover", 1, 1, do_takeover },
	{ "release", 0, 1, do_release },
	{ "fenced", 1, 1, do_fenced },
	{ "silent", 1, 1, do_silent },
	{ "verdict", 0, 64, do_verdict },
	{ "rejoin", 0, 0, do_rejoin },
	{ "resume", 0, 0, do_resume },
	{ "health", 0, 0, health_command },
	{ "reload", 0, 0, reload_command },
	{ "configuration", 0, 0, configuration_command },
	{ "service", 0, 1, do_service },
	{ "log", 0, 0, do_log },
	{ "ping", 0, 0, do_ping },
	{ "event", 2, 64, event_command },
	{ "notify-test", 0, 0, notify_test_command },
	{ "network", 0, 0, do_network },
	{ "giveback", 0, 1, giveback_command },
	{ "trace", 0, 64, do_trace },
	{ "files", 0, 0, files_command },
	{ "options", 0, 0, do_options },
	{ "names", 1, 1, do_names },
};

/* For the shell's completion: of verbs, services, volumes or nodes. */
static int do_names(struct arguments *arguments)
{
	const char *what = arguments->words[0];
	const char *key = strcmp(what, "nodes") == 0 ? "pnn" : "name";
	const json_t *list;
	json_t *reply;
	size_t i;

	if (strcmp(what, "verbs") == 0) {
		for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
			printf("%s\n", verbs[i].verb);
		}
		return EXIT_DONE;
	}
	if (!mirrord_runs()) {
		return EXIT_FAILED;
	}
	reply = ask(arguments, json_pack("{s:s}", "verb", "status"));
	list = json_object_get(json_object_get(reply, "status"), what);
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *name = json_object_get(json_array_get(list, i),
						     key);

		if (json_is_integer(name)) {
			printf("%" PRId64 "\n",
			       (int64_t)json_integer_value(name));
		} else if (json_is_string(name)) {
			printf("%s\n", json_string_value(name));
		}
	}
	json_decref(reply);
	return EXIT_DONE;
}

/* Words and options may come in any order. */
static bool parse(int argc, char **argv, struct arguments *arguments)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			arguments->json = true;
		} else if (strcmp(argv[i], "--accept-loss") == 0) {
			arguments->accept_loss = true;
		} else if (strcmp(argv[i], "--now") == 0) {
			arguments->now = true;
		} else if (strcmp(argv[i], "--cancel") == 0) {
			arguments->cancel = true;
		} else if (strcmp(argv[i], "--list") == 0) {
			/* giveback does so when no service is named */
			continue;
		} else if (strcmp(argv[i], "--at") == 0 && i + 1 < argc) {
			arguments->at = argv[++i];
		} else if (strcmp(argv[i], "--idle") == 0 && i + 1 < argc) {
			arguments->idle = argv[++i];
		} else if (strcmp(argv[i], "--fence-test") == 0) {
			arguments->fence_test = true;
		} else if (strcmp(argv[i], "--sync") == 0) {
			arguments->sync = true;
		} else if (strcmp(argv[i], "--reasons") == 0) {
			arguments->reasons = true;
		} else if (strcmp(argv[i], "--wait") == 0 && i + 1 < argc) {
			arguments->wait_ms = (int)(strtod(argv[++i], NULL) *
						   1000);
		} else if (strcmp(argv[i], "--moved") == 0) {
			arguments->moved = true;
		} else if (strcmp(argv[i], "--move-wait") == 0 &&
			   i + 1 < argc) {
			arguments->move_wait_ms =
				(int)(strtod(argv[++i], NULL) * 1000);
		} else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
			arguments->seconds = strtod(argv[++i], NULL);
		} else if (strcmp(argv[i], "--since") == 0 && i + 1 < argc) {
			arguments->since = argv[++i];
		} else if (strcmp(argv[i], "--severity") == 0 &&
			   i + 1 < argc) {
			arguments->severity = argv[++i];
		} else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			arguments->config_file = argv[++i];
		} else if (argv[i][0] == '-') {
			return false;
		} else {
			arguments->words[arguments->count++] = argv[i];
		}
	}
	return arguments->count > 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.config_file = "/etc/samba/smb.conf",
		.wait_ms = -1,
		.move_wait_ms = -1,
		.seconds = DEFAULT_TRACE_SECONDS,
	};
	size_t i;

	ctx = talloc_new(NULL);
	arguments.words = talloc_zero_array(ctx, char *, (unsigned int)argc);
	if (!parse(argc - 1, argv + 1, &arguments)) {
		usage(argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout :
		      stderr);
		return EXIT_USAGE;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(arguments.words[0], verbs[i].verb) != 0) {
			continue;
		}
		arguments.words++;
		arguments.count--;
		if (arguments.count < verbs[i].min ||
		    arguments.count > verbs[i].max) {
			break;
		}
		return verbs[i].run(&arguments);
	}
	usage(stderr);
	return EXIT_USAGE;
}
