/*
 * mirror-load - clients that change files over SMB and keep a journal of it.
 *
 * Each client does a seeded random mix of operations in a directory of its
 * own, one after the other, and survives failover: a new connection at once,
 * a look at what became of the operation in doubt, and on. mirror-verify
 * compares the journals with the server afterwards.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <talloc.h>
#include "smb.h"

#define MAX_FILES 48
#define MAX_DIRS 10
#define MAX_SIZE (2u << 20)
#define MAX_WRITE_BITS 20
#define RETRIES 8
/* How long a client waits for a server before it gives up. */
#define PATIENCE 180

struct client {
	struct smb smb;
	struct model *m;
	FILE *journal;
	uint64_t random;
	uint64_t seq;			/* of the last operation issued */
	double end;
	char banned[64][PATH_LENGTH];	/* names of given up operations */
	unsigned num_banned;
};

static volatile int stop;

static void on_signal(int number)
{
	stop++;
}

static uint64_t rnd(struct client *c, uint64_t limit)
{
	/* xorshift64*: the mix must be the same on every machine */
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (c->random * 0x2545F4914F6CDD1D >> 16) % limit;
}

/* ------------------------------------------------------- choosing the next */

struct choice {
	struct object *files[256];
	struct object *dirs[256];	/* dirs[0] is the root */
	unsigned num_files, num_dirs;
};

static void collect(struct choice *ch, struct object *dir)
{
	struct object *o = NULL;

	ch->dirs[ch->num_dirs++] = dir;
	for (o = dir->children; o != NULL; o = o->next) {
		if (o->given_up || ch->num_dirs == 256 ||
		    ch->num_files == 256) {
			continue;
		}
		if (o->is_dir) {
			collect(ch, o);
		} else {
			ch->files[ch->num_files++] = o;
		}
	}
}

static int depth(const struct object *o)
{
	return o->parent == NULL ? 0 : 1 + depth(o->parent);
}

/* A name that is free, in a directory that is not below except. */
static bool new_name(struct client *c, struct choice *ch, char prefix,
		     const struct object *except, char path[PATH_LENGTH])
{
	struct object *dir = ch->dirs[rnd(c, ch->num_dirs)];
	const struct object *o = NULL;
	size_t length;
	unsigned i;

	if (prefix == 'd' && depth(dir) >= 3) {
		return false;
	}
	for (o = dir; o != NULL; o = o->parent) {
		if (o == except) {
			return false;
		}
	}
	model_path(dir, path);
	length = strlen(path);
	snprintf(path + length, PATH_LENGTH - length, "/%c%03u", prefix,
		 (unsigned)rnd(c, 200));
	for (i = 0; i < c->num_banned; i++) {
		if (strcmp(c->banned[i], path) == 0) {
			return false;
		}
	}
	return model_find(c->m, path) == NULL;
}

static uint64_t some_length(struct client *c)
{
	return 1 + rnd(c, 1ull << rnd(c, MAX_WRITE_BITS + 1));
}

/* Returns false if the dice fell on something impossible. */
static bool choose_for_file(struct client *c, struct choice *ch, unsigned dice,
			    struct op *op)
{
	struct object *f = NULL, *f2 = NULL;

	if (ch->num_files == 0) {
		return false;
	}
	f = ch->files[rnd(c, ch->num_files)];
	model_path(f, op->path);
	if (dice < 52) {
		op->type = OP_WRITE;
		op->length = some_length(c);
		op->offset = dice < 40 ? rnd(c, f->size + 1) : f->size;
		return op->offset + op->length <= MAX_SIZE;
	}
	if (dice < 58) {
		op->type = OP_TRUNCATE;
		op->length = rnd(c, f->size + f->size / 8 + 2);
		return op->length <= MAX_SIZE && op->length != f->size;
	}
	if (dice < 68) {
		op->type = OP_RENAME;
		return new_name(c, ch, 'f', NULL, op->path2);
	}
	if (dice < 74) {
		op->type = OP_REPLACE;
		f2 = ch->files[rnd(c, ch->num_files)];
		model_path(f2, op->path2);
		return f2 != f;
	}
	if (dice < 82) {
		op->type = OP_UNLINK;
		return true;
	}
	if (dice < 92) {
		op->type = OP_ATTRIBUTES;
		op->length = rnd(c, 4) * 2;
		return true;
	}
	op->type = OP_TIME;
	op->length = 1000000000 + rnd(c, 500000000);
	return true;
}

static bool choose_for_dir(struct client *c, struct choice *ch, unsigned dice,
			   struct op *op)
{
	struct object *d = NULL;

	if (dice < 4) {
		op->type = OP_MKDIR;
		return ch->num_dirs < MAX_DIRS &&
		       new_name(c, ch, 'd', NULL, op->path);
	}
	d = ch->dirs[rnd(c, ch->num_dirs)];
	if (d->parent == NULL) {
		return false;
	}
	model_path(d, op->path);
	if (dice < 6) {
		op->type = OP_RMDIR;
		return d->children == NULL;
	}
	op->type = OP_RENAME;
	return new_name(c, ch, 'd', d, op->path2);
}

static void choose(struct client *c, struct op *op)
{
	bool ok = false;

	while (!ok) {
		struct choice ch = { .num_files = 0 };
		unsigned dice = rnd(c, 100);

		memset(op, 0, sizeof(*op));
		collect(&ch, c->m->root);
		if (dice < 20) {
			op->type = OP_CREATE;
			ok = ch.num_files < MAX_FILES &&
			     new_name(c, &ch, 'f', NULL, op->path);
		} else if (dice < 92) {
			ok = choose_for_file(c, &ch, 20 + rnd(c, 80), op);
		} else {
			ok = choose_for_dir(c, &ch, rnd(c, 9), op);
		}
	}
}

/* --------------------------------------------------------------- doing it */

static bool reconnect(struct client *c)
{
	return smb_connect(&c->smb, now() + PATIENCE, &stop);
}

/* What became of it? false: nobody there to tell. */
static bool resolve(struct client *c, const struct op *op,
		    enum verdict *verdict)
{
	double deadline = now() + PATIENCE;

	while (now() < deadline && stop < 2) {
		if (!reconnect(c)) {
			return false;
		}
		if (smb_observe(&c->smb, c->m, op, verdict)) {
			return true;
		}
	}
	return false;
}

static void give_up(struct client *c, const struct op *op)
{
	const char *paths[] = { op->path, op->path2 };
	int i;

	fprintf(c->journal, "X %"PRIu64" %.6f\n", op->seq, now());
	for (i = 0; i < 2; i++) {
		struct object *o = model_find(c->m, paths[i]);

		if (o != NULL && o->parent != NULL) {
			o->given_up = true;
		} else if (c->num_banned < 64) {
			snprintf(c->banned[c->num_banned++], PATH_LENGTH,
				 "%s", paths[i]);
		}
	}
}

/* Issue an operation until it is settled. false: the server is gone. */
static bool settle(struct client *c, struct op op)
{
	enum verdict verdict;
	int retry;

	op.id = c->seq + 1;
	for (retry = 0; ; retry++) {
		op.seq = ++c->seq;
		op.issued = now();
		op_print(c->journal, &op);
		if (smb_perform(&c->smb, c->m, &op)) {
			fprintf(c->journal, "A %"PRIu64" %.6f\n", op.seq,
				now());
			model_apply(c->m, &op);
			return true;
		}
		fprintf(c->journal, "D %"PRIu64" %.6f %d\n", op.seq, now(),
			errno);
		if (!resolve(c, &op, &verdict)) {
			return false;
		}
		if (verdict == NEITHER ||
		    (verdict != DONE && retry == RETRIES)) {
			give_up(c, &op);
			return true;
		}
		fprintf(c->journal, "R %"PRIu64" %.6f %s\n", op.seq, now(),
			verdict_names[verdict]);
		if (verdict == DONE) {
			model_apply(c->m, &op);
			return true;
		}
		if (verdict == HALF_DONE) {
			model_apply_half(c->m, &op);
			op.type = OP_RENAME;
		}
	}
}

static bool make_root(struct client *c)
{
	struct op op = { .type = OP_MKDIR };
	double deadline = now() + PATIENCE;

	while (now() < deadline && reconnect(c)) {
		if (smb_perform(&c->smb, c->m, &op) || errno == EEXIST) {
			return true;
		}
		if (errno == EACCES || errno == EPERM) {
			break;		/* waiting will not help */
		}
	}
	return false;
}

static int run_client(struct client *c)
{
	struct op op;

	setvbuf(c->journal, NULL, _IOLBF, 0);
	if (!make_root(c)) {
		fprintf(stderr, "mirror-load: cannot reach //%s/%s: %s\n",
			c->smb.server, c->smb.share, strerror(errno));
		return 1;
	}
	fprintf(c->journal, "H 1 %s %s %s %"PRIu64" %u %.6f %ld\n",
		c->smb.server, c->smb.share, c->m->directory, c->m->seed,
		c->m->client, now(), (long)time(NULL));
	while (!stop && now() < c->end) {
		choose(c, &op);
		if (!settle(c, op)) {
			return 1;
		}
		if (op.type == OP_CREATE && !stop) {
			op.type = OP_WRITE;
			op.length = some_length(c);
			if (model_find(c->m, op.path) != NULL &&
			    !model_find(c->m, op.path)->given_up &&
			    !settle(c, op)) {
				return 1;
			}
		}
	}
	smb_disconnect(&c->smb);
	return 0;
}

/* ------------------------------------------------------------------- main */

static int summary(const char *folder, unsigned clients, double seconds,
		   bool json)
{
	uint64_t issued = 0, acknowledged = 0, in_doubt = 0, given_up = 0;
	double pause = 0;
	unsigned i;

	for (i = 0; i < clients; i++) {
		char path[512];
		struct model *m = NULL;

		snprintf(path, sizeof(path), "%s/client-%u.journal", folder, i);
		m = model_replay(NULL, path);
		if (m == NULL) {
			return 1;
		}
		issued += talloc_array_length(m->ops) - 1;
		acknowledged += m->acknowledged;
		in_doubt += m->in_doubt;
		given_up += talloc_array_length(m->doubts);
		if (m->longest_pause > pause) {
			pause = m->longest_pause;
		}
		talloc_free(m);
	}
	printf(json ? "{\"clients\": %u, \"seconds\": %.3f, \"issued\": %"PRIu64
		      ", \"acknowledged\": %"PRIu64", \"in_doubt\": %"PRIu64
		      ", \"given_up\": %"PRIu64", \"longest_pause\": %.3f}\n" :
		      "%u clients, %.1f s: %"PRIu64" issued, %"PRIu64
		      " acknowledged, %"PRIu64" in doubt, %"PRIu64" given up; "
		      "longest pause %.3f s\n",
	       clients, seconds, issued, acknowledged, in_doubt, given_up,
	       pause);
	return 0;
}

static void usage(void)
{
	fputs("usage: mirror-load [options] //ADDRESS/SHARE\n"
	      "  -j, --journal FOLDER   where the journals go [.]\n"
	      "  -t, --time SECONDS     how long [10]\n"
	      "  -c, --clients N        how many at once [1]\n"
	      "  -s, --seed N           of the random mix [1]\n"
	      "  -U, --user USER%PASSWORD  [tester%tester]\n"
	      "      --timeout MS       of one request [10000]\n"
	      "      --json             summary as JSON\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "journal", required_argument, NULL, 'j' },
		{ "time", required_argument, NULL, 't' },
		{ "clients", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "user", required_argument, NULL, 'U' },
		{ "timeout", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'J' },
		{ NULL, 0, NULL, 0 },
	};
	struct smb smb = { .user = "tester", .password = "tester",
			   .timeout = 10000 };
	struct sigaction sa = { .sa_handler = on_signal };
	const char *folder = ".";
	unsigned clients = 1, i;
	uint64_t seed = 1;
	double seconds = 10, start = now();
	bool json = false;
	char *share = NULL;
	int opt, status, rc = 0;
	pid_t pids[64], parent = getpid();

	while ((opt = getopt_long(argc, argv, "j:t:c:s:U:", options,
				  NULL)) != -1) {
		switch (opt) {
		case 'j':
			folder = optarg;
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'c':
			clients = atoi(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'U':
			smb.user = strtok(optarg, "%");
			smb.password = strtok(NULL, "");
			break;
		case 'o':
			smb.timeout = atoi(optarg);
			break;
		case 'J':
			json = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1 || strncmp(argv[optind], "//", 2) != 0 ||
	    (share = strchr(argv[optind] + 2, '/')) == NULL ||
	    clients < 1 || clients > 64 || smb.user == NULL ||
	    smb.password == NULL) {
		usage();
	}
	*share++ = '\0';
	smb.server = argv[optind] + 2;
	smb.share = share;
	mkdir(folder, 0755);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	for (i = 0; i < clients; i++) {
		char path[512];
		struct client c = { .smb = smb, .end = start + seconds };

		snprintf(path, sizeof(path), "%s/client-%u.journal", folder, i);
		c.journal = fopen(path, "we");
		if (c.journal == NULL) {
			perror(path);
			return 2;
		}
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			stop += getppid() != parent;
			c.m = model_new(NULL);
			c.m->seed = seed * 1000 + i;
			c.m->client = i;
			c.random = c.m->seed * 0x9E3779B97F4A7C15 | 1;
			snprintf(c.m->directory, sizeof(c.m->directory),
				 "load-%"PRIu64"-%u", seed, i);
			c.smb.directory = c.m->directory;
			_exit(run_client(&c));
		}
		fclose(c.journal);
	}
	for (i = 0; i < clients; ) {
		if (waitpid(pids[i], &status, 0) == -1 && errno == EINTR) {
			unsigned k;

			for (k = i; k < clients; k++) {
				kill(pids[k], SIGTERM);
			}
			continue;
		}
		rc |= status != 0;
		i++;
	}
	return summary(folder, clients, now() - start, json) | rc;
}
