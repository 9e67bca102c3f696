/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * arpd: one per node. Reads the settings, becomes a daemon, parts with its
 * privileges (privileged.h) and runs the event loop.
 *
 * SIGTERM ends it; what it did to the network stays, for the next one, and so
 * that an upgrade costs no client anything. `arpd --flush' removes it.
 */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "arpd.h"
#include "client.h"

#define PID_FILE "arpd.pid"

struct options {
	const char *log_file;
	bool interactive;
	bool foreground;
	bool flush;
	int ready_fd;
};

static struct arpd *running;

static void usage(FILE *out)
{
	fprintf(out,
		"usage: mirror-arpd [-l LOGFILE] [-F] [-i]       run\n"
		"       mirror-arpd status [--json]       paths and addresses\n"
		"       mirror-arpd take ADDRESS[/PREFIX][@INTERFACE]..\n"
		"       mirror-arpd release ADDRESS.. | --all\n"
		"       mirror-arpd monitor                      for ctdb\n"
		"       mirror-arpd --flush               remove all that it "
		"added\n"
		"  -l FILE   log to FILE instead of syslog\n"
		"  -F        stay in the foreground\n"
		"  -i        stay in the foreground, log to stderr\n");
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int i;

	*options = (struct options){ .ready_fd = -1 };
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-l") == 0 && i + 1 < argc) {
			options->log_file = argv[++i];
		} else if (strcmp(argv[i], "-F") == 0) {
			options->foreground = true;
		} else if (strcmp(argv[i], "-i") == 0) {
			options->foreground = options->interactive = true;
		} else if (strcmp(argv[i], "--flush") == 0) {
			options->flush = true;
		} else {
			return false;
		}
	}
	return true;
}

static bool open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

	if (fd == -1) {
		return false;
	}
	dup2(fd, STDERR_FILENO);
	close(fd);
	return true;
}

/* Who starts us waits for one line: empty, or what is wrong. */
static bool daemonise(struct options *options)
{
	char line[1024];
	ssize_t length;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1) {
		return false;
	}
	pid = fork();
	if (pid == -1) {
		return false;
	}
	if (pid != 0) {
		close(fds[1]);
		length = read(fds[0], line, sizeof(line));
		if (length > 1) {
			fprintf(stderr, "mirror-arpd: %.*s", (int)length,
				line);
		}
		exit(length == 1 ? 0 : 1);
	}
	close(fds[0]);
	options->ready_fd = fds[1];
	setsid();
	return chdir("/") == 0;
}

static void tell_starter(struct options *options, const char *text)
{
	if (options->ready_fd != -1) {
		dprintf(options->ready_fd, "%s\n", text);
		close(options->ready_fd);
		options->ready_fd = -1;
	}
}

/* Both processes; whoever started us may wait for our output to end. */
static void detach(const struct options *options)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (options->foreground || fd == -1) {
		return;
	}
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	if (options->log_file == NULL) {
		dup2(fd, STDERR_FILENO);
	}
	close(fd);
}

/* The lock is the proof, the number is for people. Held until we end, by the
 * privileged part. */
static int pid_file_take(const struct settings *settings, char **problem,
			 TALLOC_CTX *mem_ctx)
{
	char *path = talloc_asprintf(mem_ctx, "%s/" PID_FILE,
				     settings->run_directory);
	static int fd;
	char text[32];
	int length;

	if (mkdir(settings->run_directory, 0755) == -1 && errno != EEXIST) {
		*problem = talloc_asprintf(mem_ctx, "%s: %s",
					   settings->run_directory,
					   strerror(errno));
		return errno;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1) {
		*problem = talloc_asprintf(mem_ctx, "%s: %s", path,
					   strerror(errno));
		return errno;
	}
	if (fcntl(fd, F_SETLK, &(struct flock){
			.l_type = F_WRLCK, .l_whence = SEEK_SET }) == -1) {
		*problem = talloc_asprintf(mem_ctx, "another arpd is running "
					   "already (%s)", path);
		return EEXIST;
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == -1 || write(fd, text, length) != length) {
		*problem = talloc_asprintf(mem_ctx, "%s: %s", path,
					   strerror(errno));
		return EIO;
	}
	return 0;
}

static void on_term(struct tevent_context *ev, struct tevent_signal *se,
		    int signum, int count, void *info, void *private_data)
{
	arpd_say_good_bye(running);
	event_log(EVENT_ARPD_STOPPED, "signal %d; addresses, routes and rules "
		  "stay", signum);
	_exit(0);
}

static int fail(struct options *options, const char *problem, int error)
{
	const char *text = problem != NULL ? problem : strerror(error);

	event_log(EVENT_ARPD_CONFIG, "%s", text);
	tell_starter(options, text);
	return EX_CONFIG;
}

static int flush(void)
{
	char *problem = NULL;
	int ret = privileged_flush(NULL, &problem);

	if (ret != 0) {
		fprintf(stderr, "mirror-arpd: %s\n", problem != NULL ? problem :
			strerror(ret));
	}
	return ret != 0;
}

/* In the unprivileged process; never returns if all is well. */
static int run(TALLOC_CTX *mem_ctx, const struct settings *settings,
	       struct privileged *privileged, struct options *options)
{
	struct tevent_context *ev = tevent_context_init(mem_ctx);
	char *problem = NULL;
	int ret;

	if (ev == NULL) {
		return 1;
	}
	running = arpd_new(mem_ctx, ev, settings, privileged, &problem);
	if (running == NULL) {
		return fail(options, problem, ENOMEM);
	}
	signal(SIGHUP, SIG_IGN);
	if (tevent_add_signal(ev, ev, SIGTERM, 0, on_term, NULL) == NULL ||
	    tevent_add_signal(ev, ev, SIGINT, 0, on_term, NULL) == NULL) {
		return 1;
	}
	ret = privileged_sandbox(settings->user);
	if (ret != 0) {
		return fail(options, talloc_asprintf(
			mem_ctx, "cannot become user %s: %s (CTDB_ARPD_USER)",
			settings->user, strerror(ret)), ret);
	}
	event_log(EVENT_ARPD_STARTED, "node %u, pid %d", running->own,
		  (int)getpid());
	tell_starter(options, "");
	tevent_loop_wait(ev);
	return 1;
}

int main(int argc, char **argv)
{
	TALLOC_CTX *mem_ctx = talloc_named_const(NULL, 0, "arpd");
	const char *base = getenv("CTDB_BASE");
	const struct settings *settings;
	struct privileged *privileged;
	struct options options;
	enum event_target target = EVENT_TO_SYSLOG;
	char *problem = NULL;
	int ret;

	if (argc > 1 && argv[1][0] != '-') {
		ret = client_main(argc - 1, argv + 1);
		if (ret == 2) {
			usage(stderr);
		}
		return ret;
	}
	if (!parse_options(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "mirror-arpd: must be started by root\n");
		return 1;
	}
	if (options.flush) {
		return flush();
	}
	if (!options.foreground && !daemonise(&options)) {
		perror("mirror-arpd");
		return 1;
	}
	umask(022);
	/* Of one that is started again, who started the first is long gone. */
	signal(SIGPIPE, SIG_IGN);
	event_log_init("mirror-arpd", EVENT_TO_STDERR);
	event_log_keep();
	settings = settings_read(mem_ctx, base != NULL ? base : "/etc/ctdb",
				 &problem);
	if (settings == NULL) {
		return fail(&options, problem, ENOMEM);
	}
	if (options.interactive) {
		target = EVENT_TO_STDERR;
	} else if (options.log_file != NULL) {
		target = EVENT_TO_FILE;
		if (!open_log(options.log_file)) {
			fprintf(stderr, "mirror-arpd: %s: %s\n",
				options.log_file, strerror(errno));
			return 1;
		}
	}
	ret = pid_file_take(settings, &problem, mem_ctx);
	if (ret == 0) {
		detach(&options);
		event_log_init("mirror-arpd", target);
		ret = privileged_start(mem_ctx, &settings, &privileged,
				       &problem);
	}
	if (ret != 0) {
		return fail(&options, problem, ret);
	}
	return run(mem_ctx, settings, privileged, &options);
}
