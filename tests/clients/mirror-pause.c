/*
 * mirror-pause - a client that does one small write and one read after the
 * other, and tells when each pair was answered: to see how long clients wait.
 *
 * Prints "BEGIN END" of every pair, in seconds of the wall clock. A connection
 * that breaks is opened again at once, as clients do. With -f it first writes
 * that many MiB, so that there is something to replay, and says "filled".
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <libsmbclient.h>
#include "smb.h"

#define BLOCK (1 << 20)

static double wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void url(const struct smb *smb, const char *name, char path[512])
{
	snprintf(path, 512, "smb://%s/%s/%s", smb->server, smb->share, name);
}

/* One block after the other, in files of 32 MiB. */
static bool fill(const struct smb *smb, unsigned mib)
{
	char *block = malloc(BLOCK);
	char path[512], name[32];
	unsigned i;
	int fd = -1;

	for (i = 0; block != NULL && i < mib; i++) {
		if (i % 32 == 0) {
			if (fd >= 0) {
				smbc_close(fd);
			}
			snprintf(name, sizeof(name), "fill.%u", i / 32);
			url(smb, name, path);
			fd = smbc_open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
		}
		memset(block, (int)i, BLOCK);
		if (fd < 0 || smbc_write(fd, block, BLOCK) != BLOCK) {
			free(block);
			return false;
		}
	}
	if (fd >= 0) {
		smbc_close(fd);
	}
	free(block);
	return i == mib;
}

static bool pair(const struct smb *smb, int *fd, unsigned number)
{
	char path[512], text[64] = "", back[64] = "";

	if (*fd < 0) {
		url(smb, "pause", path);
		*fd = smbc_open(path, O_RDWR | O_CREAT, 0644);
	}
	snprintf(text, sizeof(text), "pair %u", number);
	return *fd >= 0 && smbc_lseek(*fd, 0, SEEK_SET) == 0 &&
		smbc_write(*fd, text, sizeof(text)) == sizeof(text) &&
		smbc_lseek(*fd, 0, SEEK_SET) == 0 &&
		smbc_read(*fd, back, sizeof(back)) == sizeof(back) &&
		memcmp(text, back, sizeof(text)) == 0;
}

int main(int argc, char *argv[])
{
	struct smb smb = {
		.user = "tester", .password = "tester", .directory = "",
		.timeout = 20000,
	};
	double until = 60, begin;
	unsigned mib = 0, number = 0;
	char *slash;
	int fd = -1;
	int c;

	while ((c = getopt(argc, argv, "f:t:")) != -1) {
		switch (c) {
		case 'f':
			mib = (unsigned)atoi(optarg);
			break;
		case 't':
			until = atof(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || strncmp(argv[optind], "//", 2) != 0 ||
	    (slash = strchr(argv[optind] + 2, '/')) == NULL) {
		fprintf(stderr, "usage: mirror-pause [-f MIB] [-t SECONDS] "
			"//SERVER/SHARE\n");
		return 2;
	}
	*slash = '\0';
	smb.server = argv[optind] + 2;
	smb.share = slash + 1;
	until += monotonic();
	if (!smb_connect(&smb, monotonic() + 30, NULL)) {
		return 1;
	}
	if (mib > 0) {
		if (!fill(&smb, mib)) {
			perror("mirror-pause: fill");
			return 1;
		}
		printf("filled\n");
		fflush(stdout);
	}
	while (monotonic() < until) {
		begin = wall();
		while (!pair(&smb, &fd, number)) {
			fd = -1;
			if (!smb_connect(&smb, monotonic() + 120, NULL)) {
				return 1;
			}
		}
		number++;
		printf("%.6f %.6f\n", begin, wall());
		fflush(stdout);
		usleep(2000);
	}
	return 0;
}
