/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events with stable ids, see event_log.h. */

#include <sys/stat.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "event_file.h"
#include "event_log.h"

#define LINE_MAX_LENGTH 1024
#define ONCE_SECONDS 60
#define ONCE_KEY_SIZE 64
#define ONCE_ENTRIES 64

static const struct {
	const char *code;
	const char *name;
	int severity;
	const char *advice;
} events[EVENT_END] = {
#define EVENT_LOG_ROW(symbol, code, name, severity, advice) \
	[EVENT_##symbol] = { code, name, severity, advice },
	EVENT_LOG_TABLE(EVENT_LOG_ROW)
#undef EVENT_LOG_ROW
};

static char log_program[32] = "mirror";
static enum event_target log_target = EVENT_TO_STDERR;
static void (*log_watch)(const char *line);
static int keep_fd = -1;
static bool keep_wanted;
static uint32_t keep_missed;

void event_log_init(const char *program, enum event_target target)
{
	/* openlog() keeps the pointer that it is given. */
	snprintf(log_program, sizeof(log_program), "%s", program);
	log_target = target;
	if (target == EVENT_TO_SYSLOG) {
		openlog(log_program, LOG_PID, LOG_DAEMON);
	}
}

static void keep_open(void)
{
	if (keep_wanted && keep_fd == -1) {
		keep_fd = event_file_open(EVENT_FILE_NEW);
	}
}

void event_log_keep(void)
{
	keep_wanted = true;
	if (mkdir(EVENT_FILE_DIRECTORY, 0755) == -1 && errno != EEXIST) {
		return;
	}
	keep_open();
}

static void keep(enum event_id id, const char *text, uint32_t again)
{
	const struct event_file_line line = {
		.program = log_program,
		.id = events[id].code,
		.severity = events[id].severity,
		.text = text,
		.again = again,
		.missed = keep_missed,
	};

	/* It may not have been there: /run is made by who starts first. */
	keep_open();
	if (keep_fd == -1) {
		return;
	}
	if (event_file_append(keep_fd, &line) == 0) {
		keep_missed = 0;
	} else {
		keep_missed++;
	}
}

bool event_log_find(const char *code, enum event_id *id)
{
	enum event_id i;

	for (i = 0; i < EVENT_END; i++) {
		if (strcmp(events[i].code, code) == 0) {
			*id = i;
			return true;
		}
	}
	return false;
}

const char *event_log_code(enum event_id id)
{
	return events[id].code;
}

const char *event_log_name(enum event_id id)
{
	return events[id].name;
}

const char *event_log_advice(enum event_id id)
{
	return events[id].advice;
}

void event_log_watch(void (*watch)(const char *line))
{
	log_watch = watch;
}

/* "2026-11-21 02:03:04.567 " */
static void time_string(char *buf, size_t size)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03ld ", ts.tv_nsec / 1000000);
}

/* One line stays one line, whatever a peer wrote into it. */
static void clean(char *line)
{
	for (; *line != '\0'; line++) {
		unsigned char c = (unsigned char)*line;

		if (c < ' ' || c == 0x7f) {
			*line = '?';
		}
	}
}

static void write_event(enum event_id id,
			uint32_t missed,
			const char *format,
			va_list ap)
{
	char text[LINE_MAX_LENGTH];
	char again[48] = "";
	char when[48] = "";
	char line[2 * LINE_MAX_LENGTH];
	int length;

	vsnprintf(text, sizeof(text), format, ap);
	clean(text);
	keep(id, text, missed);
	if (missed != 0) {
		snprintf(again, sizeof(again), " (%u more times before)",
			 missed);
	}
	length = snprintf(line, sizeof(line), "%s %s: %s%s.%s%s%s",
			  events[id].code, events[id].name, text, again,
			  events[id].advice[0] != '\0' ? " " : "",
			  events[id].advice,
			  events[id].advice[0] != '\0' ? "." : "");
	if (length < 0) {
		return;
	}
	if (log_watch != NULL) {
		log_watch(line);
	}
	if (log_target == EVENT_TO_SYSLOG) {
		syslog(events[id].severity, "%s", line);
		return;
	}
	if (log_target == EVENT_TO_FILE) {
		time_string(when, sizeof(when));
	}
	/* One write(2): lines of several processes do not mix. */
	dprintf(STDERR_FILENO, "%s%s: %s\n", when, log_program, line);
}

void event_log(enum event_id id, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	write_event(id, 0, format, ap);
	va_end(ap);
}

/* What was said in the last minute. */
struct once {
	time_t said;		/* 0: free */
	enum event_id id;
	uint32_t missed;	/* not said since */
	char key[ONCE_KEY_SIZE];
};

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	/* Never 0, not even in the first second. */
	return ts.tv_sec + 1;
}

/*
 * The entry of this id and key, or the one that is free or was said longest
 * ago: so the list has a fixed size, however many peers there are.
 */
static struct once *find_once(enum event_id id, const char *key)
{
	static struct once list[ONCE_ENTRIES];
	struct once *oldest = &list[0];
	size_t i;

	for (i = 0; i < ONCE_ENTRIES; i++) {
		struct once *once = &list[i];

		if (once->said != 0 && once->id == id &&
		    strncmp(once->key, key, ONCE_KEY_SIZE - 1) == 0) {
			return once;
		}
		if (once->said < oldest->said) {
			oldest = once;
		}
	}
	*oldest = (struct once){ .id = id };
	snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	return oldest;
}

const char *event_key_of_host(const char *peer, char key[EVENT_KEY_SIZE])
{
	const char *port = strrchr(peer, ':');

	snprintf(key, EVENT_KEY_SIZE, "%.*s", port != NULL ?
		 (int)(port - peer) : (int)strlen(peer), peer);
	return key;
}

void event_log_once(enum event_id id, const char *key, const char *format, ...)
{
	struct once *once = find_once(id, key);
	time_t time = now();
	uint32_t missed;
	va_list ap;

	if (once->said != 0 && time - once->said < ONCE_SECONDS) {
		once->missed++;
		return;
	}
	missed = once->missed;
	once->said = time;
	once->missed = 0;

	va_start(ap, format);
	write_event(id, missed, format, ap);
	va_end(ap);
}
