/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mirrorctl log', see log_command.h. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "event_lines.h"
#include "log_command.h"

static bool parse_ago(const char *text, time_t now, time_t *when)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	char *end;
	long value;
	size_t i;

	if (!isdigit((unsigned char)text[0])) {
		return false;
	}
	value = strtol(text, &end, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (end[0] == units[i].unit && end[1] == '\0' &&
		    value < (1L << 32)) {
			*when = now - value * units[i].seconds;
			return true;
		}
	}
	return false;
}

bool log_parse_since(const char *text, time_t now, time_t *when)
{
	static const struct {
		const char *format;
		bool date;
		bool time;
	} formats[] = {
		{ "%Y-%m-%d %H:%M:%S", true, true },
		{ "%Y-%m-%dT%H:%M:%S", true, true },
		{ "%Y-%m-%d %H:%M", true, true },
		{ "%Y-%m-%d", true, false },
		{ "%H:%M:%S", false, true },
		{ "%H:%M", false, true },
	};
	struct tm today;
	size_t i;

	if (parse_ago(text, now, when)) {
		return true;
	}
	localtime_r(&now, &today);
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, formats[i].format, &tm);

		if (end == NULL || *end != '\0') {
			continue;
		}
		if (!formats[i].date) {
			tm.tm_year = today.tm_year;
			tm.tm_mon = today.tm_mon;
			tm.tm_mday = today.tm_mday;
		}
		tm.tm_isdst = -1;
		*when = mktime(&tm);
		return true;
	}
	return false;
}

static const char *string(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text != NULL ? text : "";
}

static double event_time(const json_t *event)
{
	return json_number_value(json_object_get(event, "time"));
}

static void show(const json_t *event)
{
	double at = event_time(event);
	time_t when = (time_t)at;
	json_int_t again = json_integer_value(json_object_get(event, "again"));
	json_int_t missed = json_integer_value(json_object_get(event,
							       "missed"));
	const char *advice = string(event, "advice");
	struct tm tm;
	char text[32];

	localtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	if (missed > 0) {
		printf("%s     (%lld events before this one are not kept; see "
		       "syslog)\n", text, (long long)missed);
	}
	printf("%s.%03d %-7s %s %s: %s", text,
	       (int)((at - (double)when) * 1000), string(event, "severity"),
	       string(event, "id"), string(event, "name"),
	       string(event, "text"));
	if (again > 0) {
		printf(" (%lld more times before)", (long long)again);
	}
	printf(".%s%s%s\n", advice[0] != '\0' ? " " : "", advice,
	       advice[0] != '\0' ? "." : "");
}

static bool wanted(const json_t *event, double from, int worst)
{
	int severity = event_file_severity(string(event, "severity"));

	return event_time(event) >= from && severity <= worst;
}

int log_command(const char *since, const char *severity, bool json)
{
	json_t *events;
	time_t from = 0;
	int worst = LOG_DEBUG;
	size_t i = 0;

	if (since != NULL && !log_parse_since(since, time(NULL), &from)) {
		fprintf(stderr, "mirrorctl: --since %s: say for example 10m, "
			"2h, 3d, 21:30 or \"2026-11-21 21:30\"\n", since);
		return 2;
	}
	if (severity != NULL) {
		worst = event_file_severity(severity);
	}
	if (worst == -1) {
		fprintf(stderr, "mirrorctl: --severity %s: say crit, err, "
			"warning, notice or info; worse ones are shown, "
			"too\n", severity);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "mirrorctl: only root may read the events\n");
		return 1;
	}
	events = event_lines_read(EVENT_FILE_KEPT, EVENT_FILE_NEW);
	while (i < json_array_size(events)) {
		const json_t *event = json_array_get(events, i);

		if (!wanted(event, (double)from, worst)) {
			json_array_remove(events, i);
			continue;
		}
		if (!json) {
			show(event);
		}
		i++;
	}
	if (json) {
		events = json_pack("{s:i,s:o}", "code", 0, "events", events);
		json_dumpf(events, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(events);
	return 0;
}
