/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom mirror-notify tells, see notify_settings.h. */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "../common/replace_file.h"
#include "notify_settings.h"

#define FILE_MAX 4096
#define DEFAULT_RATE 10

static char *read_all(TALLOC_CTX *mem_ctx, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[FILE_MAX];
	ssize_t n = 0;

	if (fd != -1) {
		n = read(fd, buf, sizeof(buf));
		close(fd);
	}
	return talloc_strndup(mem_ctx, buf, n > 0 ? (size_t)n : 0);
}

int notify_settings_store(const char *path, const struct mirror_config *config)
{
	TALLOC_CTX *frame = talloc_new(NULL);
	const char *trap = config->notify_trap;
	const char *mail = config->notify_mail;
	char *before = read_all(frame, path);
	char *text = talloc_asprintf(
		frame, "# Written by mirrord from smb.conf; changes are lost.\n"
		"trap=%s\nmail=%s\nseverity=%s\nrate=%u\n",
		trap != NULL ? trap : "", mail != NULL ? mail : "",
		config->notify_severity, config->notify_rate);
	int ret = 0;

	if (before == NULL || text == NULL) {
		ret = ENOMEM;
	} else if (strcmp(before, text) != 0) {
		/* Written at every start: it need not outlive a power cut. */
		ret = replace_file(path, 0600, false, text);
	}
	talloc_free(frame);
	return ret;
}

static void set_trap(struct notify_settings *s, const char *value)
{
	size_t length = strcspn(value, " \t");
	const char *community = value + length + strspn(value + length, " \t");

	if (length != 0 && community[0] != '\0') {
		s->trap_address = talloc_strndup(s, value, length);
		s->trap_community = talloc_strdup(s, community);
	}
}

static void set(struct notify_settings *s, const char *key, const char *value)
{
	if (value[0] == '\0') {
		return;
	}
	if (strcmp(key, "trap") == 0) {
		set_trap(s, value);
	} else if (strcmp(key, "mail") == 0) {
		s->mail = talloc_strdup(s, value);
	} else if (strcmp(key, "severity") == 0 &&
		   event_file_severity(value) != -1) {
		s->severity = event_file_severity(value);
	} else if (strcmp(key, "rate") == 0 && atoi(value) > 0) {
		s->rate = (uint32_t)atoi(value);
	}
}

void notify_settings_leave(const struct mirror_config *config)
{
	int ret = 0;

	if (mkdir(EVENT_FILE_KEPT_DIRECTORY, 0700) == -1 && errno != EEXIST) {
		ret = errno;
	}
	if (ret == 0) {
		ret = notify_settings_store(NOTIFY_SETTINGS_FILE, config);
	}
	if (ret != 0) {
		event_log(EVENT_NOTIFY_FAILED, "%s: %s", NOTIFY_SETTINGS_FILE,
			  strerror(ret));
	}
}

struct notify_settings *notify_settings_load(TALLOC_CTX *mem_ctx,
					     const char *path)
{
	struct notify_settings *s = talloc_zero(mem_ctx,
						struct notify_settings);
	char *text, *line, *next = NULL;

	if (s == NULL) {
		return NULL;
	}
	s->severity = LOG_WARNING;
	s->rate = DEFAULT_RATE;
	text = read_all(s, path);
	for (line = text != NULL ? strtok_r(text, "\n", &next) : NULL;
	     line != NULL; line = strtok_r(NULL, "\n", &next)) {
		char *value = strchr(line, '=');

		if (line[0] != '#' && value != NULL) {
			*value++ = '\0';
			set(s, line, value);
		}
	}
	return s;
}
