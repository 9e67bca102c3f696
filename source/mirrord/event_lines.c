/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The events that this node has kept, see event_lines.h. */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "event_lines.h"

/* Begins of lines in a file's text. */
struct lines {
	char *text;
	const char **line;
	size_t *length;
	size_t count;
};

static char *read_file(TALLOC_CTX *mem_ctx, const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t at, end;
	char *text;

	*size = 0;
	if (fd == -1) {
		return talloc_strdup(mem_ctx, "");
	}
	/* What was carried away is a hole. */
	at = event_file_begin(fd);
	end = lseek(fd, 0, SEEK_END);
	text = talloc_array(mem_ctx, char, (size_t)(end - at) + 1);
	while (text != NULL && at < end) {
		ssize_t n = pread(fd, text + *size, (size_t)(end - at), at);

		if (n <= 0) {
			break;
		}
		*size += (size_t)n;
		at += n;
	}
	close(fd);
	return text;
}

static bool lines_read(TALLOC_CTX *mem_ctx, const char *path,
		       struct lines *lines)
{
	size_t size, begin = 0, i, max = 1;

	*lines = (struct lines){ .text = read_file(mem_ctx, path, &size) };
	for (i = 0; lines->text != NULL && i < size; i++) {
		max += lines->text[i] == '\n';
	}
	lines->line = talloc_array(mem_ctx, const char *, max);
	lines->length = talloc_array(mem_ctx, size_t, max);
	if (lines->text == NULL || lines->line == NULL ||
	    lines->length == NULL) {
		return false;
	}
	for (i = 0; i < size; i++) {
		/* A hole ends in the middle of a page. */
		if (lines->text[i] == '\0') {
			begin = i + 1;
		} else if (lines->text[i] == '\n') {
			lines->line[lines->count] = lines->text + begin;
			lines->length[lines->count++] = i - begin;
			begin = i + 1;
		}
	}
	return true;
}

static bool same(const struct lines *a, size_t i, const struct lines *b,
		 size_t j)
{
	return a->length[i] == b->length[j] &&
		memcmp(a->line[i], b->line[j], a->length[i]) == 0;
}

/* How many lines at the end of one are those at the begin of the other? */
static size_t overlap(const struct lines *a, const struct lines *b)
{
	size_t i;

	for (i = 0; i < a->count; i++) {
		size_t n = a->count - i;
		size_t j;

		if (n > b->count) {
			continue;
		}
		for (j = 0; j < n && same(a, i + j, b, j); j++) {
			continue;
		}
		if (j == n) {
			return n;
		}
	}
	return 0;
}

json_t *event_line_parse(const char *line, size_t length)
{
	json_t *event = json_loadb(line, length, 0, NULL);
	const char *code = json_string_value(json_object_get(event, "id"));
	enum event_id id;
	bool known;

	if (code == NULL ||
	    !json_is_string(json_object_get(event, "severity")) ||
	    !json_is_string(json_object_get(event, "text")) ||
	    !json_is_number(json_object_get(event, "time"))) {
		json_decref(event);
		return NULL;
	}
	known = event_log_find(code, &id);
	json_object_set_new(event, "name", json_string(
		known ? event_log_name(id) : ""));
	json_object_set_new(event, "advice", json_string(
		known ? event_log_advice(id) : ""));
	return event;
}

static void append(json_t *events, const struct lines *lines, size_t from)
{
	size_t i;

	for (i = from; i < lines->count; i++) {
		json_t *event = event_line_parse(lines->line[i],
						 lines->length[i]);

		/* Half a line that a power cut left on the disk. */
		if (event != NULL) {
			json_array_append_new(events, event);
		}
	}
}

json_t *event_lines_read(const char *kept, const char *fresh)
{
	TALLOC_CTX *frame = talloc_new(NULL);
	const char *before = talloc_asprintf(frame, "%s.1", kept);
	struct lines first, second, last;
	json_t *events = NULL;

	if (before != NULL && lines_read(frame, before, &first) &&
	    lines_read(frame, kept, &second) &&
	    lines_read(frame, fresh, &last)) {
		events = json_array();
		append(events, &first, 0);
		append(events, &second, 0);
		append(events, &last, overlap(second.count != 0 ? &second :
					      &first, &last));
	}
	talloc_free(frame);
	return events;
}
