/*
 * mirror-stream - a client that never pauses by itself: what happens to its
 * connection?
 *
 * Writes a block and reads one, again and again, in a file of its own, and
 * checks what it reads. It never opens a second connection while the first
 * one gives answers, so it knows for certain whether that survived: same port
 * on our side, no request failed. When one fails it connects again and goes
 * on; nothing that was acknowledged may then be missing.
 *
 * Prints lines, times are CLOCK_MONOTONIC seconds:
 *   C TIME PORT           connected, from that port
 *   O TIME COUNT          so many operations are done (ten times a second)
 *   P FROM TO             nothing was done in between
 *   B TIME ERRNO WHAT     this request failed: the connection is given up
 *   X TIME BLOCK          a block is not what was last acknowledged
 * and, when its standard input ends or after -t seconds,
 *   summary ADDRESS operations N connections N lost N longest_pause S survived
 *   yes|no stuck S        (one line; stuck: since the last operation)
 * The exit status is 0 if nothing was lost and at least one operation done.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <libsmbclient.h>
#include "smb.h"

#define MAX_BLOCKS 1024
/* How long the end waits for an operation that is under way. */
#define GRACE 0.5
/* How long it tries to connect, which is for ever. */
#define PATIENCE 1e9

struct stream {
	struct smb smb;
	const char *path;
	uint64_t seed;
	size_t size;			/* of a block */
	unsigned blocks;
	int keepalive;			/* s; 0: of the system */
	unsigned reopen;		/* after so many turns; 0: never */
	double interval;		/* s that it rests after each */
	double threshold;		/* shorter ones are no pauses */
	double end;			/* 0: when standard input ends */
	int fd;				/* -1: not connected */
	int port;
	uint64_t turn;
	uint64_t written[MAX_BLOCKS];	/* turn; 0: not known */
	uint8_t *buffer;
	uint8_t *expected;

	pthread_mutex_t lock;		/* of all below, and of what is said */
	uint64_t operations;
	unsigned connections;
	unsigned failures;
	unsigned lost;
	double last;			/* when something was done */
	double said;
	double longest;
};

static volatile int stop;

static void usage(void)
{
	fprintf(stderr, "usage: mirror-stream [-b BLOCK] [-n BLOCKS] "
		"[-i MS] [-k SECONDS] [-p MS] [-r TURNS] [-t SECONDS]\n"
		"                     [-o MS] [-f FILE] [-s SEED] "
		"[-U USER%%PASSWORD] //SERVER/SHARE\n"
		"  -b, -n  block size in KiB [64] and blocks in the file [32]\n"
		"  -i      rest after each operation [0]\n"
		"  -k      keepalive when idle for so long [of the system]\n"
		"  -p      shortest pause that is told [20]\n"
		"  -r      open the file again after so many writes [never]\n"
		"  -o      a request has failed after [120000]\n");
	exit(2);
}

/* ------------------------------------------------------------- what is seen */

static void finish(struct stream *s) __attribute__((noreturn));

static void finish(struct stream *s)
{
	double stuck;

	pthread_mutex_lock(&s->lock);
	stuck = s->operations == 0 ? 0 : now() - s->last;
	printf("summary %s operations %"PRIu64" connections %u lost %u "
	       "longest_pause %.3f survived %s stuck %.3f\n",
	       s->smb.server, s->operations, s->connections, s->lost,
	       stuck > s->longest ? stuck : s->longest,
	       s->connections == 1 && s->failures == 0 ? "yes" : "no", stuck);
	fflush(stdout);
	_exit(s->lost > 0 || s->operations == 0);
}

static void done(struct stream *s)
{
	double t = now();

	pthread_mutex_lock(&s->lock);
	if (s->operations > 0 && t - s->last >= s->threshold) {
		printf("P %.6f %.6f\n", s->last, t);
		s->said = 0;
	}
	if (s->operations > 0 && t - s->last > s->longest) {
		s->longest = t - s->last;
	}
	s->operations++;
	s->last = t;
	if (t - s->said >= 0.1) {
		printf("O %.6f %"PRIu64"\n", t, s->operations);
		s->said = t;
	}
	pthread_mutex_unlock(&s->lock);
}

static void failed(struct stream *s, const char *what)
{
	int error = errno;

	pthread_mutex_lock(&s->lock);
	printf("B %.6f %d %s\n", now(), error, what);
	s->failures++;
	pthread_mutex_unlock(&s->lock);
	smb_disconnect(&s->smb);
	s->fd = -1;
}

static void wrong(struct stream *s, unsigned block)
{
	pthread_mutex_lock(&s->lock);
	printf("X %.6f %u\n", now(), block);
	s->lost++;
	pthread_mutex_unlock(&s->lock);
}

/* ------------------------------------------------------------ what it does */

static bool connected(struct stream *s)
{
	if (!smb_connect(&s->smb, now() + PATIENCE, &stop)) {
		return false;
	}
	s->fd = smb_open(&s->smb, s->path, O_RDWR | O_CREAT);
	if (s->fd < 0) {
		failed(s, "open");
		return false;
	}
	s->port = smb_local_port();
	if (s->keepalive != 0) {
		smb_keepalive(s->keepalive);
	}
	pthread_mutex_lock(&s->lock);
	s->connections++;
	printf("C %.6f %d\n", now(), s->port);
	pthread_mutex_unlock(&s->lock);
	return true;
}

static bool seek(struct stream *s, unsigned block)
{
	return smbc_lseek(s->fd, (off_t)(block * s->size), SEEK_SET) != -1;
}

static bool write_block(struct stream *s)
{
	unsigned block = ++s->turn % s->blocks;

	content(s->seed, s->turn, 0, s->buffer, s->size);
	/* until it is acknowledged it is either of the two */
	s->written[block] = 0;
	if (!seek(s, block) ||
	    smbc_write(s->fd, s->buffer, s->size) != (ssize_t)s->size) {
		return false;
	}
	s->written[block] = s->turn;
	return true;
}

/* All of them in turn, the oldest first. */
static bool read_block(struct stream *s)
{
	unsigned block = (s->turn + 1) % s->blocks;

	memset(s->buffer, 0, s->size);
	if (!seek(s, block) || smbc_read(s->fd, s->buffer, s->size) < 0) {
		return false;
	}
	if (s->written[block] == 0) {
		return true;
	}
	content(s->seed, s->written[block], 0, s->expected, s->size);
	if (memcmp(s->buffer, s->expected, s->size) != 0) {
		wrong(s, block);
		s->written[block] = 0;		/* told once */
	}
	return true;
}

static bool over(const struct stream *s)
{
	return stop > 0 || (s->end > 0 && now() > s->end);
}

static void rest(const struct stream *s)
{
	if (s->interval > 0) {
		poll(NULL, 0, (int)(s->interval * 1000));
	}
}

static void run(struct stream *s)
{
	while (!over(s)) {
		if (s->fd < 0 && !connected(s)) {
			continue;
		}
		if (!write_block(s)) {
			failed(s, "write");
			continue;
		}
		done(s);
		rest(s);
		if (!read_block(s)) {
			failed(s, "read");
			continue;
		}
		done(s);
		if (s->reopen != 0 && s->turn % s->reopen == 0) {
			smbc_close(s->fd);
			s->fd = smb_open(&s->smb, s->path, O_RDWR);
			if (s->fd < 0) {
				failed(s, "open again");
				continue;
			}
		}
		/* libsmbclient connects anew when it opens a file */
		if (smb_local_port() != s->port) {
			errno = ENOTCONN;
			failed(s, "another port");
		}
		rest(s);
	}
	finish(s);
}

/* An operation may be stuck, so this is another thread. */
static void *await_end(void *private_data)
{
	struct stream *s = private_data;
	char buffer[64];
	ssize_t n;

	do {
		n = read(STDIN_FILENO, buffer, sizeof(buffer));
	} while (n > 0 || (n == -1 && errno == EINTR));
	stop = 2;
	poll(NULL, 0, (int)(GRACE * 1000));
	finish(s);
}

int main(int argc, char *argv[])
{
	static struct stream s = {
		.smb = { .user = "tester", .password = "tester",
			 .timeout = 120000, .directory = "" },
		.size = 64 << 10, .blocks = 32, .threshold = 0.02, .fd = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER, .path = "stream",
	};
	char *share = NULL;
	pthread_t thread;
	int opt;

	while ((opt = getopt(argc, argv, "b:k:n:i:p:r:t:o:f:s:U:")) != -1) {
		switch (opt) {
		case 'b':
			s.size = strtoul(optarg, NULL, 0) << 10;
			break;
		case 'k':
			s.keepalive = atoi(optarg);
			break;
		case 'n':
			s.blocks = strtoul(optarg, NULL, 0);
			break;
		case 'i':
			s.interval = atof(optarg) / 1000;
			break;
		case 'p':
			s.threshold = atof(optarg) / 1000;
			break;
		case 'r':
			s.reopen = strtoul(optarg, NULL, 0);
			break;
		case 't':
			s.end = now() + atof(optarg);
			break;
		case 'o':
			s.smb.timeout = atoi(optarg);
			break;
		case 'f':
			s.path = optarg;
			break;
		case 's':
			s.seed = strtoull(optarg, NULL, 0);
			break;
		case 'U':
			s.smb.user = strtok(optarg, "%");
			s.smb.password = strtok(NULL, "");
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1 || strncmp(argv[optind], "//", 2) != 0 ||
	    (share = strchr(argv[optind] + 2, '/')) == NULL ||
	    s.smb.user == NULL || s.smb.password == NULL || s.blocks < 2 ||
	    s.blocks > MAX_BLOCKS || s.size < 1 || s.size > 8 << 20) {
		usage();
	}
	*share++ = '\0';
	s.smb.server = argv[optind] + 2;
	s.smb.share = share;
	s.buffer = malloc(s.size);
	s.expected = malloc(s.size);
	if (s.buffer == NULL || s.expected == NULL) {
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (s.end == 0 && pthread_create(&thread, NULL, await_end, &s) != 0) {
		return 2;
	}
	run(&s);
}
