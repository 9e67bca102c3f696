/*
 * mirror-chaos - clients that work on the same files and names at once.
 *
 * Each client does a seeded random mix of reads and changes, one after the
 * other, and writes down what it asked, what it was told, and when: the
 * journal that history.py describes. What it was not told is in doubt; it does
 * not look what became of it, but connects anew and goes on. The checker finds
 * out.
 *
 * Nothing is cached: every operation opens, acts and closes, and libsmbclient
 * asks for no oplock.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <talloc.h>
#include <libsmbclient.h>
#include "../clients/smb.h"

#define FILES 2
#define BLOCKS 6
#define BLOCK 4096
#define UNIT 16			/* as many bytes say who wrote them */
#define UNITS (BLOCK / UNIT)
#define MAX_COUNT 4		/* blocks of one operation */
#define FOLDERS 3		/* of names; the last one has folders */
#define NAMES 4
/* How long a client waits for a server before it gives up. */
#define PATIENCE 180

struct client {
	struct smb smb;
	FILE *journal;
	uint64_t random;
	uint64_t number;
	uint64_t seq;		/* of the last operation issued */
	unsigned conn;		/* connections so far */
	uint16_t port;		/* ours, of the connection */
	bool read_only;
	bool give_up;		/* do not come back when it breaks */
	unsigned think;		/* longest pause between operations, in us */
	double end;
};

struct unit {
	uint64_t value;
	uint64_t where;		/* so that no block passes for another one */
};

static volatile int stop;

static void on_signal(int number)
{
	stop++;
}

static uint64_t rnd(struct client *c, uint64_t limit)
{
	c->random ^= c->random >> 12;	/* xorshift64* */
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (c->random * 0x2545F4914F6CDD1D >> 16) % limit;
}

static const char *url(const struct client *c, const char *path, char buffer[])
{
	snprintf(buffer, 256, "smb://%s/%s/%s/%s", c->smb.server, c->smb.share,
		 c->smb.directory, path);
	return buffer;
}

/* ------------------------------------------------------------- connections */

/* Our port of a connection to a server that is good. */
static uint16_t good_port(void)
{
	struct sockaddr_in sa;
	struct tcp_info info;
	socklen_t length;
	int fd;

	for (fd = 3; fd < 64; fd++) {
		length = sizeof(sa);
		if (getpeername(fd, (struct sockaddr *)&sa, &length) != 0 ||
		    sa.sin_family != AF_INET || sa.sin_port != htons(445)) {
			continue;
		}
		length = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info,
			       &length) != 0 ||
		    info.tcpi_state != TCP_ESTABLISHED) {
			continue;
		}
		length = sizeof(sa);
		if (getsockname(fd, (struct sockaddr *)&sa, &length) == 0) {
			return ntohs(sa.sin_port);
		}
	}
	return 0;
}

/* A node's network card ends with its number: who is it that we talk to? */
static void answering_node(const char *server, char node[8])
{
	char line[256], address[64];
	FILE *f = fopen("/proc/net/arp", "re");
	unsigned last;

	strcpy(node, "-");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%63s %*s 0x2 02:00:0a:4d:00:%x", address,
			   &last) == 2 && strcmp(address, server) == 0) {
			snprintf(node, 8, "n%u", last & 7);
		}
	}
	if (f != NULL) {
		fclose(f);
	}
}

static void connected(struct client *c)
{
	double made = now();
	char node[8];

	c->port = good_port();
	answering_node(c->smb.server, node);
	fprintf(c->journal, "C %u %.6f %s\n", ++c->conn, made, node);
}

static bool reconnect(struct client *c)
{
	c->port = 0;
	if (!smb_connect(&c->smb, now() + PATIENCE, &stop)) {
		return false;
	}
	connected(c);
	return true;
}

/* --------------------------------------------------------------- operations */

static void issue(struct client *c, const char *what)
{
	fprintf(c->journal, "I %"PRIu64" %.6f %u %s\n", ++c->seq, now(),
		c->conn, what);
}

static void answer(struct client *c, const char *result)
{
	double answered = now();

	/* libsmbclient connects anew by itself before it sends anything. */
	if (good_port() != c->port) {
		connected(c);
	}
	fprintf(c->journal, "A %"PRIu64" %.6f %u %s\n", c->seq, answered,
		c->conn, result);
}

/*
 * An error is an answer if it came over the connection that we know, and that
 * one is still good. libsmbclient may have connected anew in the middle; and
 * "not found" may mean the share.
 */
static bool failed(struct client *c, const char *if_exists,
		   const char *if_not)
{
	int error = errno;
	bool good = c->port != 0 && good_port() == c->port;

	if (good && error == EEXIST && if_exists != NULL) {
		answer(c, if_exists);
		return true;
	}
	if (good && error == ENOENT && if_not != NULL) {
		answer(c, if_not);
		return true;
	}
	if (good && error == EBUSY && if_exists != NULL &&
	    if_not == NULL) {
		answer(c, "busy");	/* of what creates: see models.py */
		return true;
	}
	if (good && error == EBUSY) {	/* a sharing violation */
		fprintf(c->journal, "N %"PRIu64" %.6f %d\n", c->seq, now(),
			error);
		return true;
	}
	if (good && error != ETIMEDOUT) {
		fprintf(c->journal, "F %"PRIu64" %.6f %d\n", c->seq, now(),
			error);
		return true;
	}
	fprintf(c->journal, "D %"PRIu64" %.6f %d\n", c->seq, now(), error);
	return false;
}

static uint64_t unit_place(unsigned file, unsigned block, unsigned unit)
{
	return ((uint64_t)file << 32 | block << 16 | unit) ^ 0x5AA5ull << 48;
}

static bool do_write(struct client *c, unsigned file, unsigned first,
		     unsigned count)
{
	static struct unit units[MAX_COUNT * UNITS];
	char path[16], what[128], address[256];
	uint64_t value = c->number * 100000000 + c->seq + 1;
	unsigned i;
	ssize_t n = -1;
	bool ok;
	int fd;

	for (i = 0; i < count * UNITS; i++) {
		units[i].value = value;
		units[i].where = unit_place(file, first + i / UNITS, i % UNITS);
	}
	snprintf(path, sizeof(path), "f%u", file);
	snprintf(what, sizeof(what), "write %s %u %u %"PRIu64, path, first,
		 count, value);
	issue(c, what);
	fd = smbc_open(url(c, path, address), O_WRONLY, 0);
	if (fd < 0) {
		return failed(c, NULL, NULL);
	}
	if (smbc_lseek(fd, (off_t)first * BLOCK, SEEK_SET) != -1) {
		n = smbc_write(fd, units, (size_t)count * BLOCK);
	}
	if (n == (ssize_t)count * BLOCK) {
		answer(c, "ok");
		smbc_close(fd);
		return true;
	}
	errno = n >= 0 ? EIO : errno;
	ok = failed(c, NULL, NULL);
	smbc_close(fd);
	return ok;
}

/* What one block says, as the journal has it. Returns the end of the text. */
static char *describe(char *text, const struct unit *units, unsigned file,
		      unsigned block)
{
	unsigned i, from = 0;
	char *start = text;

	for (i = 0; i < UNITS; i++) {
		const struct unit *u = &units[i];
		bool good = u->where == unit_place(file, block, i) ||
			    (u->where == 0 && u->value == 0);

		if (i + 1 < UNITS && u[1].value == u->value &&
		    (u[1].where == 0) == (u->where == 0) && good) {
			continue;
		}
		if (text - start > 400) {
			return start + sprintf(start, "chaff");
		}
		text += sprintf(text, from > 0 ? "," : "");
		text += good ? sprintf(text, "%"PRIu64, u->value) :
			sprintf(text, "garbage");
		if (from > 0 || i + 1 < UNITS) {
			text += sprintf(text, "*%u", i + 1 - from);
		}
		from = i + 1;
	}
	return text;
}

static bool do_read(struct client *c, unsigned file, unsigned first,
		    unsigned count)
{
	static struct unit units[MAX_COUNT * UNITS];
	char path[16], what[128], address[256], text[MAX_COUNT * 512];
	char *t = text;
	unsigned i;
	ssize_t n = -1;
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "f%u", file);
	snprintf(what, sizeof(what), "read %s %u %u", path, first, count);
	issue(c, what);
	fd = smbc_open(url(c, path, address), O_RDONLY, 0);
	if (fd < 0) {
		return failed(c, NULL, NULL);
	}
	memset(units, 0xFF, sizeof(units));
	if (smbc_lseek(fd, (off_t)first * BLOCK, SEEK_SET) != -1) {
		n = smbc_read(fd, units, (size_t)count * BLOCK);
	}
	if (n < 0) {
		ok = failed(c, NULL, NULL);
		smbc_close(fd);
		return ok;
	}
	/* A file that is too short shows as garbage. */
	for (i = 0; i < count; i++) {
		t = describe(t, units + (size_t)i * UNITS, file, first + i);
		t += sprintf(t, " ");
	}
	answer(c, text);
	smbc_close(fd);
	return true;
}

static bool do_create(struct client *c, const char *name)
{
	char what[128], address[256], text[32];
	int fd, length;
	bool ok;

	length = snprintf(text, sizeof(text), "%"PRIu64"\n",
			  c->number * 100000000 + c->seq + 1);
	snprintf(what, sizeof(what), "create %s %.*s", name, length - 1, text);
	issue(c, what);
	fd = smbc_open(url(c, name, address), O_CREAT | O_EXCL | O_WRONLY,
		       0644);
	if (fd < 0) {
		return failed(c, "exists", NULL);
	}
	ok = smbc_write(fd, text, length) == length;
	if (ok) {
		answer(c, "ok");
	} else {
		ok = failed(c, NULL, NULL);
	}
	smbc_close(fd);
	return ok;
}

static bool do_who(struct client *c, const char *name)
{
	char what[128], address[256], text[64] = "";
	bool ok = true;
	ssize_t n;
	int fd;

	snprintf(what, sizeof(what), "who %s", name);
	issue(c, what);
	fd = smbc_open(url(c, name, address), O_RDONLY, 0);
	if (fd < 0) {
		return failed(c, NULL, "none");
	}
	n = smbc_read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		ok = failed(c, NULL, NULL);
	} else if (n == 0) {
		answer(c, "empty");
	} else {
		text[n - 1] = '\0';
		answer(c, strspn(text, "0123456789") == (size_t)n - 1 ? text :
		       "garbage");
	}
	smbc_close(fd);
	return ok;
}

static bool do_name(struct client *c, const char *kind, const char *one,
		    const char *two)
{
	char what[128], address[256], address2[256];
	struct stat st;
	int rc;

	snprintf(what, sizeof(what), "%s %s%s%s", kind, one,
		 two != NULL ? " " : "", two != NULL ? two : "");
	issue(c, what);
	url(c, one, address);
	if (two != NULL) {
		rc = smbc_rename(address, url(c, two, address2));
	} else if (strcmp(kind, "unlink") == 0) {
		rc = smbc_unlink(address);
	} else if (strcmp(kind, "rmdir") == 0) {
		rc = smbc_rmdir(address);
	} else if (strcmp(kind, "mkdir") == 0) {
		rc = smbc_mkdir(address, 0755);
	} else {
		rc = smbc_stat(address, &st);
	}
	if (rc == 0) {
		answer(c, "ok");
		return true;
	}
	return failed(c, two != NULL || strcmp(kind, "mkdir") == 0 ? "exists" :
		      NULL, strcmp(kind, "mkdir") == 0 ? NULL : "none");
}

/* -------------------------------------------------------------- what to do */

static bool work_on_bytes(struct client *c)
{
	unsigned file = rnd(c, FILES), first = rnd(c, BLOCKS), most, count;

	most = BLOCKS - first < MAX_COUNT ? BLOCKS - first : MAX_COUNT;
	count = 1 + rnd(c, most);
	if (c->read_only || rnd(c, 2) == 0) {
		return do_read(c, file, first, count);
	}
	return do_write(c, file, first, count);
}

static bool work_on_names(struct client *c)
{
	unsigned folder = rnd(c, FOLDERS), dice = rnd(c, 100);
	unsigned one = rnd(c, NAMES);
	unsigned two = (one + 1 + rnd(c, NAMES - 1)) % NAMES;
	bool folders = folder == FOLDERS - 1;
	char a[16], b[16];

	snprintf(a, sizeof(a), "g%u/%c", folder, 'a' + one);
	snprintf(b, sizeof(b), "g%u/%c", folder, 'a' + two);
	if (c->read_only || dice < 35) {
		return folders ? do_name(c, "stat", a, NULL) : do_who(c, a);
	}
	if (dice < 65) {
		return folders ? do_name(c, "mkdir", a, NULL) :
			do_create(c, a);
	}
	/*
	 * Folders are not renamed: smbd removes what goes by its name, and by
	 * then that may be another one (upstream, too).
	 */
	if (dice < 82 || folders) {
		return do_name(c, folders ? "rmdir" : "unlink", a, NULL);
	}
	return do_name(c, "rename", a, b);
}

static void work(struct client *c)
{
	char flag[] = "stop";

	while (stop == 0 && now() < c->end && access(flag, F_OK) != 0) {
		bool good = rnd(c, 2) == 0 ? work_on_bytes(c) :
			work_on_names(c);

		if (!good && (c->give_up || !reconnect(c))) {
			return;
		}
		usleep(rnd(c, c->think + 1));
	}
}

/* Everything as it is in the end. */
static bool final(struct client *c)
{
	unsigned i, k;

	for (i = 0; i < FILES; i++) {
		for (k = 0; k < BLOCKS; k++) {
			if (!do_read(c, i, k, 1)) {
				return false;
			}
		}
	}
	for (i = 0; i < FOLDERS; i++) {
		char folder[16], text[512] = "", name[32], what[32];
		struct entry *e = NULL;
		size_t n, m;

		snprintf(folder, sizeof(folder), "g%u", i);
		snprintf(what, sizeof(what), "list %s", folder);
		issue(c, what);
		snprintf(what, sizeof(what), "/%s", folder);
		e = smb_list(&c->smb, NULL, what);
		if (e == NULL) {
			return failed(c, NULL, NULL);
		}
		n = talloc_array_length(e);
		/* in the order of names */
		for (k = ' '; k < 127; k++) {
			for (m = 0; m < n; m++) {
				if (e[m].name[0] == (char)k &&
				    strlen(text) < 400) {
					strcat(text, text[0] ? "," : "");
					strcat(text, e[m].name);
				}
			}
		}
		answer(c, text);
		talloc_free(e);
		for (k = 0; k < NAMES && i < FOLDERS - 1; k++) {
			snprintf(name, sizeof(name), "g%u/%c", i, 'a' + k);
			if (!do_who(c, name)) {
				return false;
			}
		}
	}
	return true;
}

static bool setup(struct client *c)
{
	char address[256], name[32];
	unsigned i;
	int fd;

	if (smbc_mkdir(url(c, "", address), 0755) != 0) {
		perror(address);
		return false;
	}
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fd = smbc_open(url(c, name, address), O_CREAT | O_RDWR, 0644);
		if (fd < 0 || smbc_ftruncate(fd, BLOCKS * BLOCK) != 0 ||
		    smbc_close(fd) != 0) {
			perror(address);
			return false;
		}
	}
	for (i = 0; i < FOLDERS; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		if (smbc_mkdir(url(c, name, address), 0755) != 0) {
			perror(address);
			return false;
		}
	}
	return true;
}

/* ------------------------------------------------------------------- main */

static int run_client(struct client *c, char mode, uint64_t seed)
{
	setvbuf(c->journal, NULL, _IOLBF, 0);
	fprintf(c->journal, "H 1 %s %"PRIu64" %"PRIu64" %.6f\n", c->smb.share,
		seed, c->number, now());
	if (!reconnect(c)) {
		fprintf(stderr, "mirror-chaos: cannot reach //%s/%s: %s\n",
			c->smb.server, c->smb.share, strerror(errno));
		return 1;
	}
	if (mode == 's') {
		return setup(c) ? 0 : 1;
	}
	if (mode == 'f') {
		while (!final(c)) {
			if (now() > c->end || !reconnect(c)) {
				return 1;
			}
		}
		return 0;
	}
	work(c);
	smb_disconnect(&c->smb);
	return 0;
}

static void usage(void)
{
	fputs("usage: mirror-chaos [options] //ADDRESS/SHARE\n"
	      "  -j FOLDER    of the journals; a file \"stop\" there ends it\n"
	      "  -s SEED      of the random mix [1]; all work in chaos-SEED\n"
	      "  -n NUMBER    of the first client [0]\n"
	      "  -c N         how many at once [1]\n"
	      "  -t SECONDS   how long [10]\n"
	      "  -p US        longest pause between operations [10000]\n"
	      "  -o MS        longest wait for an answer [10000]\n"
	      "  -r           read only\n"
	      "  -g           give up when the connection breaks\n"
	      "  -m setup     make what the clients work on, and end\n"
	      "  -m final     read all that is there, and end\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct smb smb = { .user = "tester", .password = "tester",
			   .timeout = 10000 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct client c = { .think = 10000 };
	unsigned clients = 1, first = 0, i;
	const char *folder = ".";
	char *share = NULL, directory[64], mode = 'w';
	int opt, status, rc = 0;
	uint64_t seed = 1;
	double seconds = 10;
	pid_t pids[64], parent = getpid();

	while ((opt = getopt(argc, argv, "j:s:n:c:t:p:o:rgm:")) != -1) {
		switch (opt) {
		case 'j': folder = optarg; break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'n': first = atoi(optarg); break;
		case 'c': clients = atoi(optarg); break;
		case 't': seconds = atof(optarg); break;
		case 'p': c.think = atoi(optarg); break;
		case 'o': smb.timeout = atoi(optarg); break;
		case 'r': c.read_only = true; break;
		case 'g': c.give_up = true; break;
		case 'm': mode = optarg[0]; break;
		default: usage();
		}
	}
	if (optind != argc - 1 || strncmp(argv[optind], "//", 2) != 0 ||
	    (share = strchr(argv[optind] + 2, '/')) == NULL || clients < 1 ||
	    clients > 64 || chdir(folder) != 0) {
		usage();
	}
	*share++ = '\0';
	snprintf(directory, sizeof(directory), "chaos-%"PRIu64, seed);
	smb.server = argv[optind] + 2;
	smb.share = share;
	smb.directory = directory;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	c.smb = smb;
	c.end = now() + seconds;
	for (i = 0; i < clients; i++) {
		char path[64];

		c.number = first + i;
		c.random = (seed * 1000 + c.number) * 0x9E3779B97F4A7C15 | 1;
		snprintf(path, sizeof(path), "%s-%u.journal", share, first + i);
		c.journal = fopen(path, "we");
		if (c.journal == NULL) {
			perror(path);
			return 2;
		}
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			stop += getppid() != parent;
			_exit(run_client(&c, mode, seed));
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
	return rc;
}
