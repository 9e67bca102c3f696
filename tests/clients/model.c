/* The model of what must be on the server: see model.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <talloc.h>
#include "model.h"

const char *const op_names[OP_TYPES] = {
	"create", "write", "truncate", "rename", "replace", "unlink", "mkdir",
	"rmdir", "attributes", "time",
};

const char *const verdict_names[] = {
	"done", "not", "half", "mixed", "neither",
};

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)		/* splitmix64 */
{
	x += 0x9E3779B97F4A7C15;
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
	return x ^ (x >> 31);
}

void content(uint64_t seed, uint64_t id, uint64_t position, uint8_t *buffer,
	     size_t length)
{
	uint64_t key = mix(seed ^ mix(id));
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < length; i++, position++) {
		if (i == 0 || position % 8 == 0) {
			word = mix(key + position / 8);
		}
		buffer[i] = word >> (position % 8 * 8);
	}
}

struct model *model_new(void *mem_ctx)
{
	struct model *m = talloc_zero(mem_ctx, struct model);

	m->root = talloc_zero(m, struct object);
	m->root->is_dir = true;
	m->ops = talloc_zero_array(m, struct op *, 1);	/* 0 is no seq */
	m->doubts = talloc_array(m, struct op *, 0);
	return m;
}

static struct object *find_child(struct object *dir, const char *name,
				 size_t length)
{
	struct object *o = NULL;

	for (o = dir->children; o != NULL; o = o->next) {
		if (strlen(o->name) == length &&
		    memcmp(o->name, name, length) == 0) {
			return o;
		}
	}
	return NULL;
}

struct object *model_find(struct model *m, const char *path)
{
	struct object *o = m->root;

	while (o != NULL && *path == '/') {
		size_t length = strcspn(++path, "/");

		if (length == 0) {
			break;
		}
		o = find_child(o, path, length);
		path += length;
	}
	return o;
}

void model_path(const struct object *object, char path[PATH_LENGTH])
{
	size_t length;

	if (object->parent == NULL) {
		path[0] = '\0';
		return;
	}
	model_path(object->parent, path);
	length = strlen(path);
	snprintf(path + length, PATH_LENGTH - length, "/%s", object->name);
}

static void unlink_object(struct object *o)
{
	struct object **p = &o->parent->children;

	while (*p != o) {
		p = &(*p)->next;
	}
	*p = o->next;
}

static bool link_object(struct model *m, struct object *o, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char dir[PATH_LENGTH];

	snprintf(dir, sizeof(dir), "%.*s", (int)(name - 1 - path), path);
	o->parent = model_find(m, dir);
	if (o->parent == NULL) {
		return false;
	}
	snprintf(o->name, sizeof(o->name), "%s", name);
	o->next = o->parent->children;
	o->parent->children = o;
	return true;
}

static void bury(struct model *m, const char *path, uint64_t seq)
{
	struct tombstone *t = talloc_zero(m, struct tombstone);

	snprintf(t->path, sizeof(t->path), "%s", path);
	t->seq = seq;
	t->next = m->tombstones;
	m->tombstones = t;
}

/* Forget what is in [from, to) of a file. */
static void cut(struct object *file, uint64_t from, uint64_t to)
{
	struct extent *old = file->extents;
	size_t i, n = 0, count = talloc_array_length(old);

	file->extents = talloc_array(NULL, struct extent, 2 * count + 1);
	for (i = 0; i < count; i++) {
		struct extent e = old[i];
		uint64_t end = e.offset + e.length;

		if (e.offset < from) {
			file->extents[n] = e;
			file->extents[n].length = (end < from ? end : from) -
						  e.offset;
			n++;
		}
		if (end > to) {
			uint64_t skip = e.offset < to ? to - e.offset : 0;

			file->extents[n] = e;
			file->extents[n].offset += skip;
			file->extents[n].position += skip;
			file->extents[n].length -= skip;
			n++;
		}
	}
	talloc_free(old);
	file->extents = talloc_realloc(file, file->extents, struct extent, n);
	talloc_steal(file, file->extents);
}

static void write_file(struct object *o, const struct op *op)
{
	uint64_t end = op->offset + op->length;
	size_t n;

	cut(o, op->offset, end);
	n = talloc_array_length(o->extents);
	o->extents = talloc_realloc(o, o->extents, struct extent, n + 1);
	o->extents[n] = (struct extent) {
		.offset = op->offset, .length = op->length, .id = op->id,
	};
	if (end > o->size) {
		o->size = end;
		o->size_seq = op->seq;
	}
	o->time_seq = 0;
}

void model_apply_half(struct model *m, const struct op *op)
{
	struct object *o = model_find(m, op->path2);

	if (o != NULL && o->parent != NULL) {
		unlink_object(o);
		bury(m, op->path2, op->seq);
	}
}

void model_apply(struct model *m, const struct op *op)
{
	struct object *o = NULL;

	if (op->type == OP_CREATE || op->type == OP_MKDIR) {
		o = talloc_zero(m, struct object);
		o->is_dir = (op->type == OP_MKDIR);
		o->name_seq = o->size_seq = op->seq;
		link_object(m, o, op->path);
		return;
	}
	o = model_find(m, op->path);
	if (o == NULL || o->parent == NULL) {
		return;
	}
	switch (op->type) {
	case OP_WRITE:
		write_file(o, op);
		break;
	case OP_TRUNCATE:
		cut(o, op->length, UINT64_MAX);
		o->size = op->length;
		o->size_seq = op->seq;
		o->time_seq = 0;
		break;
	case OP_REPLACE:
		model_apply_half(m, op);
		/* fall through */
	case OP_RENAME:
		unlink_object(o);
		bury(m, op->path, op->seq);
		link_object(m, o, op->path2);
		o->name_seq = op->seq;
		break;
	case OP_UNLINK:
	case OP_RMDIR:
		unlink_object(o);
		bury(m, op->path, op->seq);
		break;
	case OP_ATTRIBUTES:
		o->attributes = op->length;
		o->attributes_seq = op->seq;
		break;
	case OP_TIME:
		o->time = op->length;
		o->time_seq = op->seq;
		/* smbc_utimes() sets the attributes, too: to none */
		o->attributes = 0;
		o->attributes_seq = op->seq;
		break;
	default:
		break;
	}
}

const struct extent *model_extent(const struct object *file, uint64_t offset)
{
	size_t i;

	for (i = 0; i < talloc_array_length(file->extents); i++) {
		const struct extent *e = &file->extents[i];

		if (offset >= e->offset && offset - e->offset < e->length) {
			return e;
		}
	}
	return NULL;
}

void model_fill(const struct model *m, const struct object *file,
		uint64_t offset, uint8_t *buffer, size_t length)
{
	size_t i;

	memset(buffer, 0, length);
	for (i = 0; i < talloc_array_length(file->extents); i++) {
		const struct extent *e = &file->extents[i];
		uint64_t from = e->offset > offset ? e->offset : offset;
		uint64_t to = e->offset + e->length;

		if (to > offset + length) {
			to = offset + length;
		}
		if (from < to) {
			content(m->seed, e->id, e->position + from - e->offset,
				buffer + (from - offset), to - from);
		}
	}
}

void op_print(FILE *f, const struct op *op)
{
	fprintf(f, "I %"PRIu64" %.6f %s %s %s %"PRIu64" %"PRIu64" %"PRIu64"\n",
		op->seq, op->issued, op_names[op->type], op->path,
		op->path2[0] != '\0' ? op->path2 : "-", op->offset, op->length,
		op->id);
}

static struct op *op_parse(struct model *m, const char *line)
{
	struct op *op = talloc_zero(m, struct op);
	char type[16];
	int i;

	if (sscanf(line, "I %"SCNu64" %lf %15s %127s %127s %"SCNu64" %"SCNu64
		   " %"SCNu64, &op->seq, &op->issued, type, op->path, op->path2,
		   &op->offset, &op->length, &op->id) != 8) {
		return NULL;
	}
	for (i = 0; i < OP_TYPES && strcmp(type, op_names[i]) != 0; i++) {
	}
	op->type = i;
	if (i == OP_TYPES || op->seq != talloc_array_length(m->ops)) {
		return NULL;
	}
	m->ops = talloc_realloc(m, m->ops, struct op *, op->seq + 1);
	m->ops[op->seq] = op;
	return op;
}

static void settled(struct model *m, struct op *op, double t, double *last)
{
	/* A repeated write has the content, so also the time, of its first. */
	m->ops[op->id]->acknowledged = op->acknowledged = t;
	m->acknowledged++;
	if (t - *last > m->longest_pause) {
		m->longest_pause = t - *last;
		m->pause_start = *last;
	}
	*last = t;
	model_apply(m, op);
}

static void doubt(struct model *m, struct op *op)
{
	size_t n = talloc_array_length(m->doubts);

	m->doubts = talloc_realloc(m, m->doubts, struct op *, n + 1);
	m->doubts[n] = op;
}

/* One event; op is the operation under way or one left "mixed". */
static bool replay_line(struct model *m, const char *line, struct op **op,
			double *last)
{
	uint64_t seq = 0;
	double t = 0;
	char word[16] = "";

	if (line[0] == 'I') {
		*op = op_parse(m, line);
		if (*op != NULL && *last == 0) {
			*last = m->start = (*op)->issued;
		}
		return *op != NULL;
	}
	if (sscanf(line + 1, "%"SCNu64" %lf %15s", &seq, &t, word) < 2 ||
	    *op == NULL || (*op)->seq != seq) {
		return false;
	}
	switch (line[0]) {
	case 'D':
		m->in_doubt++;
		return true;
	case 'R':
		if (strcmp(word, "half") == 0) {
			model_apply_half(m, *op);
		} else if (strcmp(word, "mixed") == 0) {
			return true;
		} else if (strcmp(word, "done") == 0) {
			settled(m, *op, t, last);
		}
		break;
	case 'A':
		settled(m, *op, t, last);
		break;
	case 'X':
		doubt(m, *op);
		break;
	default:
		return false;
	}
	*op = NULL;
	return true;
}

struct model *model_replay(void *mem_ctx, const char *journal)
{
	struct model *m = model_new(mem_ctx);
	struct op *op = NULL;
	char line[512];
	double last = 0;
	unsigned number = 1;
	FILE *f = fopen(journal, "r");

	if (f == NULL) {
		perror(journal);
		return NULL;
	}
	if (fgets(line, sizeof(line), f) == NULL ||
	    sscanf(line, "H 1 %63s %63s %63s %"SCNu64" %u", m->server,
		   m->share, m->directory, &m->seed, &m->client) != 5) {
		fprintf(stderr, "%s: not a journal\n", journal);
		fclose(f);
		return NULL;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL) {
			break;		/* the writer was killed here */
		}
		if (!replay_line(m, line, &op, &last)) {
			fprintf(stderr, "%s:%u: bad line\n", journal, number);
			fclose(f);
			return NULL;
		}
	}
	fclose(f);
	if (op != NULL) {
		doubt(m, op);
	}
	return m;
}
