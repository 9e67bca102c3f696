/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells people of one event, see notify_send.h. */

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "../common/timer.h"
#include "child.h"
#include "notify_send.h"

#define LIMIT_MS 15000
#define SCRIPTS_MAX 32

/* conf/SAMBA-MIRROR-MIB.txt: below netSnmpPlaypen, as we have no number. */
#define MIB ".1.3.6.1.4.1.8072.9999.9999.4380"
#define MIB_TRAP MIB ".0.1"
#define MIB_OBJECT(n) MIB ".1." #n ".0"

/* A way to tell; the table is below. True: *argv (children of mem_ctx) is to
 * be run. */
typedef bool (*notify_way)(struct notify_send *send, TALLOC_CTX *mem_ctx,
			   const char ***argv);

struct notify_send {
	struct tevent_context *ev;
	const char *script_directory;
	const char *mail_file;
	char *scripts[SCRIPTS_MAX];
	size_t num_scripts;

	/* the event that is being told */
	const struct notify_settings *settings;
	const json_t *event;
	notify_sent done;
	void *private_data;
	size_t way;		/* the next one */
	struct tevent_req *req;
	struct timer *timer;
	bool failed[2 + SCRIPTS_MAX];	/* when it was last used */
};

static const char *field(const struct notify_send *send, const char *key)
{
	const char *text = json_string_value(json_object_get(send->event,
							     key));

	return text != NULL ? text : "";
}

/* ------------------------------------------------------------------- trap */

/* A bare IPv6 address is not what snmptrap understands. */
static const char *trap_target(TALLOC_CTX *mem_ctx, const char *address)
{
	const char *colon = strchr(address, ':');

	if (address[0] != '[' && colon != NULL &&
	    strchr(colon + 1, ':') != NULL && strncmp(address, "udp", 3) != 0 &&
	    strncmp(address, "tcp", 3) != 0) {
		return talloc_asprintf(mem_ctx, "udp6:[%s]", address);
	}
	return address;
}

static bool way_trap(struct notify_send *send, TALLOC_CTX *mem_ctx,
		     const char ***_argv)
{
	const struct notify_settings *s = send->settings;
	const char *number;
	int severity = event_file_severity(field(send, "severity"));

	if (s->trap_address == NULL) {
		return false;
	}
	number = talloc_asprintf(mem_ctx, "%d", severity);
	const char *argv[] = {
		/* No MIB files are needed: numbers only. */
		"snmptrap", "-m", "", "-v", "2c", "-c", s->trap_community,
		trap_target(mem_ctx, s->trap_address), "", MIB_TRAP,
		MIB_OBJECT(1), "s", field(send, "id"),
		MIB_OBJECT(2), "s", field(send, "name"),
		MIB_OBJECT(3), "i", number,
		MIB_OBJECT(4), "s", field(send, "text"),
		MIB_OBJECT(5), "s", field(send, "advice"),
		MIB_OBJECT(6), "s", field(send, "node"),
		MIB_OBJECT(7), "s", field(send, "program"),
		NULL
	};

	*_argv = talloc_memdup(mem_ctx, argv, sizeof(argv));
	return *_argv != NULL && number != NULL;
}

/* ------------------------------------------------------------------- mail */

static const char *time_text(TALLOC_CTX *mem_ctx,
			     const struct notify_send *send,
			     const char *format)
{
	time_t when = (time_t)json_number_value(json_object_get(
		send->event, "time"));
	char text[64];
	struct tm tm;

	localtime_r(&when, &tm);
	strftime(text, sizeof(text), format, &tm);
	return talloc_strdup(mem_ctx, text);
}

/* Headers are ASCII. */
static char *ascii(TALLOC_CTX *mem_ctx, const char *text)
{
	char *copy = talloc_strdup(mem_ctx, text);
	char *p;

	for (p = copy; p != NULL && *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x7f || *p < ' ') {
			*p = '?';
		}
	}
	return copy;
}

static bool write_mail(struct notify_send *send, TALLOC_CTX *mem_ctx)
{
	const char *advice = field(send, "advice");
	const char *id = field(send, "id");
	char *mail = talloc_asprintf(
		mem_ctx, "To: %s\nSubject: %.200s\nDate: %s\n"
		"Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
		"Content-Type: text/plain; charset=UTF-8\n"
		"Content-Transfer-Encoding: 8bit\n\n"
		"%s\n%s%s%s\n"
		"event:    %s %s\nseverity: %s\nnode:     %s (%s)\n"
		"time:     %s\n\nMore: mirrorctl log, mirrorctl status, "
		"ctdb status on that node.\n",
		send->settings->mail,
		ascii(mem_ctx, talloc_asprintf(
			mem_ctx, "[samba-mirror %s] %s: %s %s: %s",
			field(send, "node"), field(send, "severity"), id,
			field(send, "name"), field(send, "text"))),
		time_text(mem_ctx, send, "%a, %d %b %Y %H:%M:%S %z"),
		field(send, "text"), advice[0] != '\0' ? "\nWhat to do: " : "",
		advice, advice[0] != '\0' ? "\n" : "", id,
		field(send, "name"), field(send, "severity"),
		field(send, "node"), field(send, "program"),
		time_text(mem_ctx, send, "%Y-%m-%d %H:%M:%S %z"));
	size_t length = mail != NULL ? strlen(mail) : 0;
	bool ok;
	int fd;

	fd = open(send->mail_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		  O_NOFOLLOW, 0600);
	if (fd == -1) {
		return false;
	}
	ok = length != 0 && write(fd, mail, length) == (ssize_t)length;
	close(fd);
	return ok;
}

static bool way_mail(struct notify_send *send, TALLOC_CTX *mem_ctx,
		     const char ***_argv)
{
	const char *argv[] = {
		"sh", "-c", "PATH=$PATH:/usr/lib; exec sendmail -oi -t <\"$1\"",
		"sh", send->mail_file, NULL
	};

	if (send->settings->mail == NULL || !write_mail(send, mem_ctx)) {
		return false;
	}
	*_argv = talloc_memdup(mem_ctx, argv, sizeof(argv));
	return *_argv != NULL;
}

/* ---------------------------------------------------------------- scripts */

/* Root's, and nobody else may change it. */
static bool is_script(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_uid == 0 && (st.st_mode & 022) == 0 &&
		access(path, X_OK) == 0;
}

static int is_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	/* Not what editors and dpkg leave. */
	return entry->d_name[0] != '.' && entry->d_name[length - 1] != '~' &&
		strstr(entry->d_name, ".dpkg-") == NULL;
}

static void list_scripts(struct notify_send *send)
{
	struct dirent **names;
	int i, n = scandir(send->script_directory, &names, is_name, alphasort);

	for (i = 0; i < (int)send->num_scripts; i++) {
		TALLOC_FREE(send->scripts[i]);
	}
	send->num_scripts = 0;
	for (i = 0; i < n; i++) {
		char *path = talloc_asprintf(send, "%s/%s",
					     send->script_directory,
					     names[i]->d_name);

		if (path != NULL && send->num_scripts < SCRIPTS_MAX &&
		    is_script(path)) {
			send->scripts[send->num_scripts++] = path;
		} else {
			talloc_free(path);
		}
		free(names[i]);
	}
	if (n >= 0) {
		free(names);
	}
}

static void set_environment(struct notify_send *send, TALLOC_CTX *mem_ctx)
{
	static const char *const keys[][2] = {
		{ "MIRROR_EVENT_ID", "id" },
		{ "MIRROR_EVENT_NAME", "name" },
		{ "MIRROR_EVENT_SEVERITY", "severity" },
		{ "MIRROR_EVENT_TEXT", "text" },
		{ "MIRROR_EVENT_ADVICE", "advice" },
		{ "MIRROR_EVENT_NODE", "node" },
		{ "MIRROR_EVENT_PROGRAM", "program" },
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		setenv(keys[i][0], field(send, keys[i][1]), 1);
	}
	setenv("MIRROR_EVENT_TIME", time_text(mem_ctx, send,
					      "%Y-%m-%dT%H:%M:%S%z"), 1);
}

/* -------------------------------------------------------------- one by one */

static const struct {
	const char *name;
	notify_way way;
} ways[] = {
	{ "trap", way_trap },
	{ "mail", way_mail },
};

#define NUM_WAYS (sizeof(ways) / sizeof(ways[0]))

static const char *way_name(const struct notify_send *send, size_t way)
{
	return way < NUM_WAYS ? ways[way].name : send->scripts[way - NUM_WAYS];
}

static bool prepare(struct notify_send *send, TALLOC_CTX *mem_ctx, size_t way,
		    const char ***argv)
{
	if (way < NUM_WAYS) {
		return ways[way].way(send, mem_ctx, argv);
	}
	*argv = talloc_zero_array(mem_ctx, const char *, 2);
	if (*argv == NULL) {
		return false;
	}
	(*argv)[0] = send->scripts[way - NUM_WAYS];
	return true;
}

static void next(void *private_data);

static void way_ended(struct tevent_req *req)
{
	struct notify_send *send = tevent_req_callback_data(
		req, struct notify_send);
	size_t way = send->way - 1;
	char *last = NULL;
	int status = 0;
	int ret = child_recv(req, send, &status, &last);

	TALLOC_FREE(send->req);
	send->failed[way] = ret != 0;
	if (ret != 0) {
		event_log_once(EVENT_NOTIFY_FAILED, way_name(send, way),
			       "%s: %s%s%s", way_name(send, way),
			       ret == ETIMEDOUT ? "it took too long" :
			       ret == ECHILD ? "exit status " : strerror(ret),
			       ret == ECHILD ? talloc_asprintf(
				       send, "%d", status) : "",
			       last != NULL && last[0] != '\0' ?
			       talloc_asprintf(send, " (%s)", last) : "");
	}
	talloc_free(last);
	send->timer = timer_start(send, send->ev, 0, next, send);
}

static void next(void *private_data)
{
	struct notify_send *send = private_data;
	TALLOC_CTX *frame = talloc_new(send);
	bool is_failure = strcmp(field(send, "id"), event_log_code(
		EVENT_NOTIFY_FAILED)) == 0;
	const char **argv;

	send->timer = NULL;
	while (send->req == NULL && send->way < NUM_WAYS + send->num_scripts) {
		size_t way = send->way++;

		/* That mail fails is not told by mail: for ever. */
		if ((is_failure && send->failed[way]) ||
		    !prepare(send, frame, way, &argv)) {
			continue;
		}
		send->req = child_command_send(send, send->ev, argv, LIMIT_MS,
					       NULL, NULL);
		if (send->req != NULL) {
			tevent_req_set_callback(send->req, way_ended, send);
		}
	}
	talloc_free(frame);
	if (send->req == NULL) {
		send->done(send->private_data);
	}
}

void notify_send_start(struct notify_send *send,
		       const struct notify_settings *settings,
		       const json_t *event,
		       notify_sent done,
		       void *private_data)
{
	TALLOC_CTX *frame = talloc_new(send);

	send->settings = settings;
	send->event = event;
	send->done = done;
	send->private_data = private_data;
	send->way = 0;
	list_scripts(send);
	set_environment(send, frame);
	talloc_free(frame);
	send->timer = timer_start(send, send->ev, 0, next, send);
}

struct notify_send *notify_send_new(TALLOC_CTX *mem_ctx,
				    struct tevent_context *ev,
				    const char *script_directory,
				    const char *mail_file)
{
	struct notify_send *send = talloc_zero(mem_ctx, struct notify_send);

	if (send != NULL) {
		send->ev = ev;
		send->script_directory = script_directory;
		send->mail_file = mail_file;
	}
	return send;
}
