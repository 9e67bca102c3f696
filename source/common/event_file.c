/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file that events are appended to, see event_file.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "event_file.h"

static const struct {
	const char *name;
	int severity;
} severities[] = {
	{ "emerg", LOG_EMERG }, { "alert", LOG_ALERT }, { "crit", LOG_CRIT },
	{ "err", LOG_ERR }, { "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE }, { "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	/* what people write, too */
	{ "critical", LOG_CRIT }, { "error", LOG_ERR }, { "warn", LOG_WARNING },
};

#define NUM_SEVERITIES (sizeof(severities) / sizeof(severities[0]))

const char *event_file_severity_name(int severity)
{
	size_t i;

	for (i = 0; i < NUM_SEVERITIES; i++) {
		if (severities[i].severity == severity) {
			return severities[i].name;
		}
	}
	return NULL;
}

int event_file_severity(const char *name)
{
	size_t i;

	for (i = 0; i < NUM_SEVERITIES; i++) {
		if (strcasecmp(severities[i].name, name) == 0) {
			return severities[i].severity;
		}
	}
	return -1;
}

int event_file_open(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
}

off_t event_file_begin(int fd)
{
	off_t begin = lseek(fd, 0, SEEK_DATA);

	/* ENXIO: nothing but holes. */
	return begin != -1 ? begin : lseek(fd, 0, SEEK_END);
}

/* Of the character that begins here; 0: these bytes are none. */
static size_t utf8_length(const unsigned char *p)
{
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	/* too long, a surrogate, beyond the last */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
		return 0;
	}
	return length;
}

/* The inside of a JSON string; what does not fit is cut off. */
static void escape(char *out, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p != '\0') {
		size_t length = utf8_length(p);

		if (used + 5 > size) {
			break;
		}
		if (*p == '"' || *p == '\\') {
			out[used++] = '\\';
			out[used++] = (char)*p++;
		} else if (length == 0 || *p < ' ' || *p == 0x7f) {
			out[used++] = '?';
			p++;
		} else {
			memcpy(out + used, p, length);
			used += length;
			p += length;
		}
	}
	out[used] = '\0';
}

static void counter(char *out, size_t size, const char *name, uint32_t value)
{
	out[0] = '\0';
	if (value != 0) {
		snprintf(out, size, ",\"%s\":%u", name, value);
	}
}

int event_file_append(int fd, const struct event_file_line *line)
{
	char text[EVENT_FILE_LINE_MAX - 1024];
	char buf[EVENT_FILE_LINE_MAX];
	char node[256] = "";
	char name[2 * sizeof(node)];
	char program[128];
	char again[32], missed[32];
	struct timespec now;
	ssize_t written;
	int length;

	if (lseek(fd, 0, SEEK_END) - event_file_begin(fd) > EVENT_FILE_MAX) {
		return ENOSPC;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (gethostname(node, sizeof(node) - 1) == -1) {
		node[0] = '\0';
	}
	escape(name, sizeof(name), node);
	escape(program, sizeof(program), line->program);
	escape(text, sizeof(text), line->text);
	counter(again, sizeof(again), "again", line->again);
	counter(missed, sizeof(missed), "missed", line->missed);
	length = snprintf(buf, sizeof(buf),
			  "{\"time\":%lld.%06ld,\"node\":\"%s\","
			  "\"program\":\"%s\",\"pid\":%d,\"id\":\"%s\","
			  "\"severity\":\"%s\",\"text\":\"%s\"%s%s}\n",
			  (long long)now.tv_sec, now.tv_nsec / 1000, name,
			  program, (int)getpid(), line->id,
			  event_file_severity_name(line->severity), text,
			  again, missed);
	if (length < 0 || (size_t)length >= sizeof(buf)) {
		return EMSGSIZE;
	}
	written = write(fd, buf, (size_t)length);
	return written == length ? 0 : written == -1 ? errno : ENOSPC;
}
