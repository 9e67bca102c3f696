/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Crash points: sequences of operations through the real module and the real
 * record path, a power cut at every boundary, replay, and comparison with
 * what the client was told. tests/crash/run starts it, in namespaces of its
 * own.
 *
 * Owns: which sequences, how long, what is told in the end.
 *
 * Seen to fail with (--mutant): replay does nothing; an epoch wiped without
 * syncfs; a record not sent; a wipe of what was not synced.
 * Seen to fail with, in source/: an operation applied before its record is
 * acknowledged (R1); operation_collect() not waiting (R2); link_welcome() not
 * sending again (R5); fchown or fallocate not hooked; records that the partner
 * acknowledges and does not keep; names compared by existence, not identity
 * (find_cut); all records redone; cancelled ones redone; unfinished creations
 * kept; no ids given at replay; no final times; everything redone as root, or
 * nothing with override; no syncfs at the end of replay.
 * Not seen here, as three operations of one client are too few: rules (3) and
 * (4) of the plan, operation->alone; precondition() (the plan has seen to it).
 * tests/unit/test_replay.c is about these.
 *
 * Seen to fail where smbd dies: nothing rolled forward; its locks freed at
 * once; all of its records redone, not just those under way.
 * Seen to fail without a partner: nothing written through; names not written
 * through; of a hole that was punched, only the data.
 *
 * What it does not do: two clients at a time, TLS (test_peer_link.c), the
 * owner's own timers, takeover and fencing (tests/integration).
 */

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "driver.h"

/* Dead smbds are rolled forward one after the other on a volume. */
#define DEATHS 64

struct options {
	const char *type;
	const char *directory;
	const char *host;
	const char *only;	/* one point */
	const char *cases;	/* file of points that are always tried */
	uint32_t print;		/* so many sequences, and no more */
	double minutes;		/* 0: until all is done */
	uint64_t seed;
	int32_t per_sequence;	/* points of one sequence at most; 0: all; -1:
				   by its length */
	bool sample;		/* any sequences, not all in order */
	enum mutant mutant;
};

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

void run_command(const char *format, ...)
{
	char command[500];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0) {
		die("failed: %s", command);
	}
}

double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---------------------------------------------------------- configuration */

static void write_configuration(struct driver *driver)
{
	const char *dir = driver->directory;
	char path[120];
	FILE *file;
	uint32_t i;

	snprintf(path, sizeof(path), "%s/nodes", dir);
	file = fopen(path, "w");
	if (file == NULL || fprintf(file, "127.0.0.1\n") < 0 ||
	    fclose(file) != 0) {
		die("%s: %s", path, strerror(errno));
	}
	file = fopen(driver->smb_conf, "w");
	if (file == NULL) {
		die("%s: %s", driver->smb_conf, strerror(errno));
	}
	fprintf(file,
		"[global]\n"
		"netbios name = CRASH\nserver role = standalone\n"
		"guest account = nobody\nlog level = 0\n"
		"disable netbios = yes\nload printers = no\n"
		"kernel oplocks = no\noplocks = no\nlevel2 oplocks = no\n"
		"smb2 leases = no\nkernel change notify = no\n"
		"change notify = no\nposix locking = no\n"
		"case sensitive = yes\n"
		"ea support = yes\nstore dos attributes = yes\n"
		"map acl inherit = yes\n"
		"lock directory = %s/samba\nstate directory = %s/samba\n"
		"cache directory = %s/samba\nprivate dir = %s/samba\n"
		"pid directory = %s/samba\nncalrpc dir = %s/samba/rpc\n"
		"mirror:services = S\nmirror:S addresses = 127.0.0.9\n"
		"mirror:S names = CRASH\nmirror:S home = 0\n"
		"mirror:key file = %s/key\nmirror:encrypt = no\n"
		"mirror:nodes file = %s/nodes\nmirror:flush = mirrored\n"
		"mirror:store directory = %s/stores\n"
		"mirror:run directory = %s/run\n"
		"mirror:S volumes =", dir, dir, dir, dir, dir, dir, dir, dir,
		dir, dir);
	for (i = 0; i < VOLUMES; i++) {
		fprintf(file, " v%u", i);
	}
	for (i = 0; i < VOLUMES; i++) {
		fprintf(file, "\nmirror:v%u kind = shared\n"
			"mirror:v%u device = /dev/v%u\n"
			"mirror:v%u mount point = %s/v%u\n"
			"mirror:v%u mount options = noatime",
			i, i, i, i, driver->batch->mount, i, i);
	}
	fprintf(file,
		"\n[mirrored]\npath = %s\nread only = no\n"
		"vfs objects = streams_xattr acl_xattr mirror\n"
		"[plain]\npath = %s\nread only = no\n"
		"vfs objects = streams_xattr acl_xattr\n",
		driver->batch->mount, driver->batch->mount);
	if (fclose(file) != 0) {
		die("%s: %s", driver->smb_conf, strerror(errno));
	}
}

static void map_batch(struct driver *driver)
{
	int fd;

	driver->batch_size = sizeof(struct batch) +
		CHUNK * sizeof(struct golden);
	snprintf(driver->batch_path, sizeof(driver->batch_path), "%s/batch",
		 driver->directory);
	fd = open(driver->batch_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 || ftruncate(fd, (off_t)driver->batch_size) == -1) {
		die("%s: %s", driver->batch_path, strerror(errno));
	}
	driver->batch = mmap(NULL, driver->batch_size, PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
	if (driver->batch == MAP_FAILED) {
		die("%s: %s", driver->batch_path, strerror(errno));
	}
	close(fd);
}

static void start(struct driver *driver)
{
	static const char *const folders[] = {
		"samba", "samba/rpc", "stores", "run", "mount"
	};
	char path[120];
	size_t i;

	umask(0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", driver->directory,
			 folders[i]);
		if (mkdir(path, 0755) == -1) {
			die("%s: %s", path, strerror(errno));
		}
	}
	map_batch(driver);
	snprintf(driver->batch->mount, sizeof(driver->batch->mount),
		 "%s/mount", driver->directory);
	snprintf(driver->smb_conf, sizeof(driver->smb_conf), "%s/smb.conf",
		 driver->directory);
	write_configuration(driver);
	driver->pair = pair_new(driver, driver->directory,
				driver->batch->mount, driver->smb_conf);
	driver->apart = disk_new(driver, driver->type, driver->directory,
				 driver->batch->mount, true);
	driver->together = disk_new(driver, driver->type, driver->directory,
				    driver->batch->mount, false);
}

/* ----------------------------------------------------------------- chunks */

struct candidate {
	struct point point;
	int32_t golden;
};

/* Points that wait for a batch. */
struct queue {
	struct candidate *points;
	size_t used, count;
};

static void shuffle(struct candidate *list, size_t count, uint64_t *random)
{
	size_t i;

	for (i = count; i > 1; i--) {
		size_t k = random_below(random, (uint32_t)i);
		struct candidate other = list[i - 1];

		list[i - 1] = list[k];
		list[k] = other;
	}
}

/*
 * How many points of a sequence: all of them with one operation; with three
 * there are so many sequences that a few of each must do, any of them.
 */
static size_t most_points(const struct options *options,
			  const struct sequence *sequence, enum kind kind)
{
	static const size_t sample[KIND_END] = { 8, 1, 2 };
	static const size_t most[KIND_END][OPERATIONS_MAX + 1] = {
		[KIND_CUT] = { 0, 0, 40, 3 },
		[KIND_DYING] = { 0, 0, 4, 1 },
		[KIND_ALONE] = { 0, 0, 4, 2 },
	};

	if (options->per_sequence >= 0) {
		return (size_t)options->per_sequence;
	}
	return options->sample ? sample[kind] : most[kind][sequence->count];
}

static void queue_points(struct driver *driver, struct queue *queue,
			 uint32_t sequences, enum kind kind,
			 const struct options *options, uint64_t *random)
{
	uint32_t i;

	queue->count = queue->used = 0;
	for (i = 0; i < sequences; i++) {
		const struct golden *g = &driver->batch->golden[i];
		size_t most = most_points(options, &g->sequence, kind);
		size_t first = queue->count;
		struct point *points = points_of(driver, g, kind, random);
		size_t n = talloc_array_length(points);
		size_t k;

		queue->points = talloc_realloc(driver, queue->points,
					       struct candidate,
					       first + n);
		for (k = 0; k < n; k++) {
			queue->points[first + k] = (struct candidate) {
				.point = points[k],
				.golden = (int32_t)i,
			};
		}
		shuffle(queue->points + first, n, random);
		queue->count += most > 0 && n > most ? most : n;
		talloc_free(points);
	}
	shuffle(queue->points, queue->count, random);
}

/*
 * Which case of the batch a point can be. A volume keeps or wipes as a whole,
 * and one that moves a directory across (a lock of the whole volume) and
 * waits meanwhile is alone with that on its volume.
 */
struct seats {
	bool taken[BATCH];
	bool moves[VOLUMES], parks[VOLUMES];
	uint32_t count;
};

static bool volume_keeps(uint32_t volume)
{
	return volume % 4 == 3;
}

static int seat_of(struct seats *seats, const struct candidate *c,
		   const struct golden *golden)
{
	bool moves = sequence_moves(&c->point.sequence);
	bool parks = moves && point_parks_in_move(&c->point, golden);
	uint32_t i;

	for (i = 0; i < BATCH; i++) {
		uint32_t volume = i % VOLUMES;

		if (seats->taken[i] ||
		    volume_keeps(volume) != c->point.keep ||
		    (parks && seats->moves[volume]) ||
		    (moves && seats->parks[volume])) {
			continue;
		}
		seats->taken[i] = true;
		seats->moves[volume] |= moves;
		seats->parks[volume] |= parks;
		seats->count++;
		return (int)i;
	}
	return -1;
}

static void fill_batch(struct driver *driver, struct queue *queue,
		       uint32_t most)
{
	static struct point points[BATCH];
	static int32_t goldens[BATCH];
	struct seats seats = { .count = 0 };
	size_t i, left = queue->used;
	uint32_t end = 0;

	memset(points, 0, sizeof(points));
	for (i = queue->used; i < queue->count && seats.count < most &&
	     i < queue->used + 4 * BATCH; i++) {
		struct candidate *c = &queue->points[i];
		int seat = seat_of(&seats, c,
				   &driver->batch->golden[c->golden]);

		if (seat == -1) {
			continue;
		}
		end = (uint32_t)seat + 1 > end ? (uint32_t)seat + 1 : end;
		points[seat] = c->point;
		goldens[seat] = c->golden;
		/* Those that are left stay in front. */
		*c = queue->points[left++];
	}
	queue->used = left;
	batch_crash(driver, points, goldens, most == BATCH ? BATCH : end);
}

/* Those without a partner are few: each has a file system of its own. */
static void fill_alone(struct driver *driver, struct queue *queue)
{
	static struct point points[VOLUMES];
	static int32_t goldens[VOLUMES];
	uint32_t n;

	for (n = 0; n < VOLUMES && queue->used < queue->count; n++) {
		points[n] = queue->points[queue->used].point;
		goldens[n] = queue->points[queue->used++].golden;
	}
	batch_crash(driver, points, goldens, n);
}

/* ------------------------------------------------------------------- main */

static void run_all(struct driver *driver, const struct options *options,
		    double end)
{
	struct sequence sequences[CHUNK];
	struct queue queues[KIND_END] = { { .count = 0 } };
	struct queue *cut = &queues[KIND_CUT];
	struct queue *dying = &queues[KIND_DYING];
	struct queue *alone = &queues[KIND_ALONE];
	uint64_t random = options->seed;
	uint64_t number = 0;

	while (number < SEQUENCES_ALL && now_seconds() < end) {
		enum kind kind;
		uint32_t n;

		for (n = 0; n < CHUNK && number < SEQUENCES_ALL; n++) {
			sequence_number(&sequences[n], options->sample
					? sequence_any(&random) : number++,
					&random);
			if (options->sample && random_below(&random, 4) > 0) {
				sequence_relate(&sequences[n], &random);
			}
		}
		batch_golden(driver, sequences, n);
		for (kind = KIND_CUT; kind < KIND_END; kind++) {
			queue_points(driver, &queues[kind], n, kind, options,
				     &random);
		}
		while ((cut->used < cut->count || dying->used < dying->count ||
			alone->used < alone->count) && now_seconds() < end) {
			if (cut->used < cut->count) {
				fill_batch(driver, cut, BATCH);
			}
			if (dying->used < dying->count) {
				fill_batch(driver, dying, DEATHS);
			}
			if (alone->used < alone->count) {
				fill_alone(driver, alone);
			}
		}
	}
}

static void run_one(struct driver *driver, const char *name)
{
	struct point point;
	const int32_t golden = 0;
	uint32_t n;

	if (!point_parse(name, &point)) {
		die("%s is no case", name);
	}
	batch_golden(driver, &point.sequence, 1);
	if (driver->verbose) {
		const struct golden *g = &driver->batch->golden[0];

		for (n = 0; n <= g->leafs; n++) {
			printf("--- after leaf call %u\n%s", n, g->trees[n]);
		}
		for (n = 0; n < g->sequence.count; n++) {
			printf("%s %s: %u leaf calls, %u records\n",
			       operation_number_name(
				       g->sequence.operations[n]),
			       g->succeeded[n] ? "succeeds" : "fails",
			       g->operation_leafs[n + 1] -
			       g->operation_leafs[n],
			       g->operation_records[n + 1] -
			       g->operation_records[n]);
		}
	}
	batch_crash(driver, &point, &golden, 1);
}

static void run_cases(struct driver *driver, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[400];

	if (file == NULL) {
		die("%s: %s", path, strerror(errno));
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '#' && line[0] != '\0') {
			run_one(driver, line);
		}
	}
	fclose(file);
}

static enum mutant mutant_of(const char *name)
{
	static const char *const names[] = {
		"none", "noreplay", "nosync", "norecord", "wipeearly"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			return (enum mutant)i;
		}
	}
	die("no mutant %s", name);
}

static void parse_options(int argc, char **argv, struct options *options,
			  bool *verbose)
{
	static const struct option longs[] = {
		{ "fs", required_argument, NULL, 'f' },
		{ "directory", required_argument, NULL, 'd' },
		{ "host", required_argument, NULL, 'H' },
		{ "case", required_argument, NULL, 'c' },
		{ "cases", required_argument, NULL, 'C' },
		{ "print", required_argument, NULL, 'P' },
		{ "minutes", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 's' },
		{ "per-sequence", required_argument, NULL, 'p' },
		{ "sample", no_argument, NULL, 'S' },
		{ "mutant", required_argument, NULL, 'M' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			options->type = optarg;
			break;
		case 'd':
			options->directory = optarg;
			break;
		case 'H':
			options->host = optarg;
			break;
		case 'c':
			options->only = optarg;
			break;
		case 'C':
			options->cases = optarg;
			break;
		case 'P':
			options->print = (uint32_t)atoi(optarg);
			break;
		case 'm':
			options->minutes = atof(optarg);
			break;
		case 's':
			options->seed = strtoull(optarg, NULL, 10);
			break;
		case 'p':
			options->per_sequence = atoi(optarg);
			break;
		case 'S':
			options->sample = true;
			break;
		case 'M':
			options->mutant = mutant_of(optarg);
			break;
		case 'v':
			*verbose = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = {
		.type = "ext4", .seed = 1, .per_sequence = -1
	};
	struct driver *driver = talloc_zero(NULL, struct driver);
	double began, seconds;

	parse_options(argc, argv, &options, &driver->verbose);
	if (options.directory == NULL || options.host == NULL) {
		die("started by tests/crash/run");
	}
	driver->type = options.type;
	driver->directory = options.directory;
	driver->host = options.host;
	driver->mutant = options.mutant;
	setlinebuf(stdout);
	start(driver);
	if (options.print > 0) {
		print_sequences(driver, options.print, options.seed);
		return driver->lost + driver->broken == 0 ? 0 : 1;
	}
	if (options.only == NULL) {
		printf("%s: seed %llu\n", options.type,
		       (unsigned long long)options.seed);
	}
	began = now_seconds();
	if (options.only != NULL) {
		run_one(driver, options.only);
	} else {
		if (options.cases != NULL) {
			run_cases(driver, options.cases);
		}
		run_all(driver, &options, options.minutes > 0
			? began + 60 * options.minutes : 1e18);
	}
	seconds = now_seconds() - began;
	printf("%s: %llu points, %llu lost, %llu replays failed, %llu cases "
	       "broken; %llu without a partner, %llu with a smbd that died "
	       "first; %llu cases missed their place, %llu power cuts, "
	       "%llu records replayed, %llu replays "
	       "killed; %.0f s, %.0f points/s\n", driver->type,
	       (unsigned long long)driver->points,
	       (unsigned long long)driver->lost,
	       (unsigned long long)driver->failed,
	       (unsigned long long)driver->broken,
	       (unsigned long long)driver->alone,
	       (unsigned long long)driver->dying,
	       (unsigned long long)driver->missed,
	       (unsigned long long)driver->cuts,
	       (unsigned long long)driver->records,
	       (unsigned long long)driver->kills, seconds,
	       (double)driver->points / seconds);
	return driver->lost + driver->failed + driver->broken == 0 &&
		driver->points > 0 ? 0 : 1;
}
