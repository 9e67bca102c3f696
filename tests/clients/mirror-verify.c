/*
 * mirror-verify - is everything that mirror-load was told "done" there?
 *
 * Replays the journals into a model and compares it with what the server has,
 * seen over a fresh connection: every acknowledged operation must be there,
 * byte for byte, and nothing that was not issued. Exit status 1 if not.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include "smb.h"

#define CHUNK (256 * 1024)

struct check {
	struct smb smb;
	struct model *m;
	bool *lost;		/* by seq */
	uint64_t num_lost;
	uint64_t unexpected;
	bool quiet;
	bool failed;		/* could not look */
};

static void __attribute__((format(printf, 3, 4)))
lose(struct check *c, uint64_t seq, const char *format, ...)
{
	struct op *op = NULL;
	va_list ap;

	if (seq >= talloc_array_length(c->m->ops) || c->lost[seq]) {
		return;
	}
	c->lost[seq] = true;
	c->num_lost++;
	if (c->quiet || seq == 0) {
		return;
	}
	op = c->m->ops[seq];
	printf("LOST client %u operation %"PRIu64": %s %s", c->m->client, seq,
	       op_names[op->type], op->path);
	if (strcmp(op->path2, "-") != 0) {
		printf(" -> %s", op->path2);
	}
	if (op->type == OP_WRITE) {
		printf(" (%"PRIu64" bytes at %"PRIu64")", op->length,
		       op->offset);
	}
	printf(" acknowledged at %.6f: ", op->acknowledged);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

/* Something that should not be there: undone, or never asked for? */
static void unwanted(struct check *c, const char *path, const char *what)
{
	const struct tombstone *t = NULL;

	for (t = c->m->tombstones; t != NULL; t = t->next) {
		if (strcmp(t->path, path) == 0) {
			lose(c, t->seq, "%s is there again", path);
			return;
		}
	}
	c->unexpected++;
	if (!c->quiet) {
		printf("UNEXPECTED client %u: %s %s\n", c->m->client, path,
		       what);
	}
}

static void lost_object(struct check *c, const struct object *o,
			const char *why)
{
	const struct object *child = NULL;
	char path[PATH_LENGTH];
	size_t i;

	model_path(o, path);
	lose(c, o->name_seq, "%s %s", path, why);
	lose(c, o->size_seq, "%s %s", path, why);
	if (o->attributes_seq != 0) {
		lose(c, o->attributes_seq, "%s %s", path, why);
	}
	if (o->time_seq != 0) {
		lose(c, o->time_seq, "%s %s", path, why);
	}
	for (i = 0; i < talloc_array_length(o->extents); i++) {
		lose(c, o->extents[i].id, "%s %s", path, why);
	}
	for (child = o->children; child != NULL; child = child->next) {
		lost_object(c, child, why);
	}
}

/* Compare length bytes at offset; is holds what the server has. */
static void compare_bytes(struct check *c, const struct object *o,
			  const char *path, uint64_t offset, const uint8_t *is,
			  const uint8_t *must, uint64_t length)
{
	uint64_t i;

	for (i = 0; i < length; i++) {
		const struct extent *e = NULL;
		const struct op *mixed = o->mixed;
		uint64_t at = offset + i;
		uint8_t other;

		if (is[i] == must[i]) {
			continue;
		}
		if (mixed != NULL && at >= mixed->offset &&
		    at - mixed->offset < mixed->length) {
			content(c->m->seed, mixed->id, at - mixed->offset,
				&other, 1);
			if (other == is[i]) {
				continue;
			}
		}
		e = model_extent(o, at);
		lose(c, e != NULL ? e->id : o->size_seq,
		     "%s differs at byte %"PRIu64": 0x%02x, not 0x%02x", path,
		     at, is[i], must[i]);
	}
}

static void compare_content(struct check *c, const struct object *o,
			    const char *path, uint64_t size)
{
	uint8_t *is = talloc_array(NULL, uint8_t, CHUNK);
	uint8_t *must = talloc_array(is, uint8_t, CHUNK);
	uint64_t offset, end = o->size < size ? o->size : size;
	size_t i;

	for (offset = 0; offset < end; offset += CHUNK) {
		uint64_t n = end - offset < CHUNK ? end - offset : CHUNK;
		ssize_t got = smb_read(&c->smb, path, offset, is, n);

		if (got != (ssize_t)n) {
			fprintf(stderr, "mirror-verify: cannot read %s at %"
				PRIu64": %s\n", path, offset, strerror(errno));
			c->failed = true;
			break;
		}
		model_fill(c->m, o, offset, must, n);
		compare_bytes(c, o, path, offset, is, must, n);
	}
	for (i = 0; i < talloc_array_length(o->extents); i++) {
		const struct extent *e = &o->extents[i];

		if (e->offset + e->length > size) {
			lose(c, e->id, "%s ends at byte %"PRIu64, path, size);
		}
	}
	talloc_free(is);
}

static void compare_file(struct check *c, const struct object *o,
			 const char *path, const struct entry *e)
{
	uint64_t most = o->size;

	if (o->mixed != NULL && o->mixed->offset + o->mixed->length > most) {
		most = o->mixed->offset + o->mixed->length;
	}
	if (e->size < o->size || e->size > most) {
		lose(c, o->size_seq, "%s has %"PRIu64" bytes, not %"PRIu64,
		     path, e->size, o->size);
	}
	if (e->attributes != o->attributes) {
		lose(c, o->attributes_seq != 0 ? o->attributes_seq :
		     o->name_seq, "%s has attributes %u, not %u", path,
		     e->attributes, o->attributes);
	}
	if (o->time_seq != 0 && o->mixed == NULL && e->time != o->time) {
		lose(c, o->time_seq, "%s has time %"PRIu64", not %"PRIu64,
		     path, e->time, o->time);
	}
	compare_content(c, o, path, e->size);
}

static void compare_dir(struct check *c, const struct object *dir)
{
	struct entry *list = NULL;
	const struct object *o = NULL;
	char path[PATH_LENGTH], name[PATH_LENGTH + 64];
	size_t i, n;

	model_path(dir, path);
	list = smb_list(&c->smb, NULL, path);
	if (list == NULL) {
		if (errno == ENOENT) {
			lost_object(c, dir, "is missing");
		} else {
			perror("mirror-verify: cannot list");
			c->failed = true;
		}
		return;
	}
	n = talloc_array_length(list);
	for (o = dir->children; o != NULL; o = o->next) {
		for (i = 0; i < n && strcmp(list[i].name, o->name) != 0; i++) {
		}
		snprintf(name, sizeof(name), "%s/%s", path, o->name);
		if (i == n) {
			lost_object(c, o, "is missing");
		} else if (list[i].is_dir != o->is_dir) {
			lost_object(c, o, "is of the wrong kind");
		} else if (o->is_dir) {
			compare_dir(c, o);
		} else {
			compare_file(c, o, name, &list[i]);
		}
	}
	for (i = 0; i < n; i++) {
		for (o = dir->children; o != NULL &&
		     strcmp(list[i].name, o->name) != 0; o = o->next) {
		}
		if (o == NULL) {
			snprintf(name, sizeof(name), "%s/%s", path,
				 list[i].name);
			unwanted(c, name, "was never made");
		}
	}
	talloc_free(list);
}

/* Operations that may be either way: take them as the server shows them. */
static void settle_doubts(struct check *c)
{
	size_t i;

	for (i = 0; i < talloc_array_length(c->m->doubts); i++) {
		struct op *op = c->m->doubts[i];
		struct object *o = NULL;
		enum verdict verdict = NEITHER;

		if (!smb_observe(&c->smb, c->m, op, &verdict)) {
			c->failed = true;
		}
		switch (verdict) {
		case DONE:
			model_apply(c->m, op);
			break;
		case HALF_DONE:
			model_apply_half(c->m, op);
			break;
		case MIXED:
			o = model_find(c->m, op->path);
			if (o != NULL) {
				o->mixed = op;
			}
			break;
		default:
			break;
		}
	}
}

static void usage(void)
{
	fputs("usage: mirror-verify [options] JOURNAL..\n"
	      "      --server ADDRESS   not the one in the journal\n"
	      "  -U, --user USER%PASSWORD  [tester%tester]\n"
	      "  -w, --wait SECONDS     for the server [60]\n"
	      "  -q, --quiet            the summary only\n"
	      "      --json             summary as JSON\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 'S' },
		{ "user", required_argument, NULL, 'U' },
		{ "wait", required_argument, NULL, 'w' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'J' },
		{ NULL, 0, NULL, 0 },
	};
	struct check c = { .smb = { .user = "tester", .password = "tester",
				    .timeout = 20000 } };
	uint64_t acknowledged = 0, issued = 0, in_doubt = 0;
	double pause = 0, pause_start = 0, wait = 60;
	const char *server = NULL;
	bool json = false, bad;
	int opt;

	while ((opt = getopt_long(argc, argv, "U:w:q", options, NULL)) != -1) {
		switch (opt) {
		case 'S':
			server = optarg;
			break;
		case 'U':
			c.smb.user = strtok(optarg, "%");
			c.smb.password = strtok(NULL, "");
			break;
		case 'w':
			wait = atof(optarg);
			break;
		case 'q':
			c.quiet = true;
			break;
		case 'J':
			json = true;
			c.quiet = true;
			break;
		default:
			usage();
		}
	}
	if (optind == argc || c.smb.user == NULL || c.smb.password == NULL) {
		usage();
	}
	for (; optind < argc; optind++) {
		c.m = model_replay(NULL, argv[optind]);
		if (c.m == NULL) {
			return 2;
		}
		c.smb.server = server != NULL ? server : c.m->server;
		c.smb.share = c.m->share;
		c.smb.directory = c.m->directory;
		if (!smb_connect(&c.smb, now() + wait, NULL)) {
			fprintf(stderr, "mirror-verify: cannot reach //%s/%s\n",
				c.smb.server, c.smb.share);
			return 2;
		}
		c.lost = talloc_zero_array(c.m, bool,
					   talloc_array_length(c.m->ops));
		settle_doubts(&c);
		compare_dir(&c, c.m->root);
		issued += talloc_array_length(c.m->ops) - 1;
		acknowledged += c.m->acknowledged;
		in_doubt += c.m->in_doubt;
		if (c.m->longest_pause > pause) {
			pause = c.m->longest_pause;
			pause_start = c.m->pause_start;
		}
		smb_disconnect(&c.smb);
		talloc_free(c.m);
	}
	bad = c.num_lost > 0 || c.unexpected > 0;
	printf(json ? "{\"issued\": %"PRIu64", \"acknowledged\": %"PRIu64
		      ", \"in_doubt\": %"PRIu64", \"lost\": %"PRIu64
		      ", \"unexpected\": %"PRIu64", \"longest_pause\": %.3f"
		      ", \"pause_start\": %.6f}\n" :
		      "%"PRIu64" issued, %"PRIu64" acknowledged, %"PRIu64
		      " in doubt, %"PRIu64" LOST, %"PRIu64" unexpected; "
		      "longest pause %.3f s, from %.6f\n",
	       issued, acknowledged, in_doubt, c.num_lost, c.unexpected, pause,
	       pause_start);
	if (c.failed) {
		return 2;
	}
	return bad ? 1 : 0;
}
