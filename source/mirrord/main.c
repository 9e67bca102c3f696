/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirrord: one per node. Reads the configuration, becomes a daemon, puts the
 * parts together and runs the event loop.
 *
 * SIGTERM ends it like a kill -9 does: nothing is released, smbds wait, and
 * the next mirrord goes on (R5). `mirrorctl release' gives volumes away.
 */

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/config_table.h"
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "anchors.h"
#include "control.h"
#include "ctdb_view.h"
#include "giveback.h"
#include "health.h"
#include "mirrord.h"
#include "nodes.h"
#include "notify_settings.h"
#include "partner.h"
#include "peer.h"
#include "reconfigure.h"
#include "service.h"
#include "service_manager.h"
#include "wanted.h"
#include "unfence.h"

#define PID_FILE "mirrord.pid"

/* Of Samba's loadparm; its header is private to Samba. */
bool lp_load_global(const char *file);

struct options {
	const char *config_file;
	const char *log_file;
	bool interactive;	/* to stderr */
	bool foreground;
	int ready_fd;		/* tells the parent that we are ready */
};

static const char *log_file;

static void usage(FILE *out)
{
	fprintf(out,
		"usage: mirrord [-s SMB.CONF] [-l LOGFILE] [-F] [-i]\n"
		"  -s FILE   configuration [/etc/samba/smb.conf]\n"
		"  -l FILE   log to FILE instead of syslog\n"
		"  -F        stay in the foreground\n"
		"  -i        stay in the foreground, log to stderr\n");
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int c;

	*options = (struct options){
		.config_file = "/etc/samba/smb.conf",
		.ready_fd = -1,
	};
	while ((c = getopt(argc, argv, "s:l:Fih")) != -1) {
		switch (c) {
		case 's':
			options->config_file = optarg;
			break;
		case 'l':
			options->log_file = optarg;
			break;
		case 'F':
			options->foreground = true;
			break;
		case 'i':
			options->foreground = options->interactive = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
	}
	return optind == argc;
}

/* ------------------------------------------------------------- the process */

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

/* The parent stays until we are ready or have failed, so that a script that
 * starts mirrord knows when it may go on. */
static bool daemonise(struct options *options)
{
	char status = 1;
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
		if (read(fds[0], &status, 1) != 1) {
			status = 1;
		}
		exit(status);
	}
	close(fds[0]);
	options->ready_fd = fds[1];
	setsid();
	if (chdir("/") == -1) {
		return false;
	}
	return true;
}

static void detach_output(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd != -1) {
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		if (log_file == NULL) {
			dup2(fd, STDERR_FILENO);
		}
		close(fd);
	}
}

static int run_directory_make(const char *path, char **problem,
			      TALLOC_CTX *mem_ctx)
{
	struct stat st;

	/* smbds open the state pages as root; the pages protect themselves. */
	if (mkdir(path, 0755) == -1 && errno != EEXIST) {
		*problem = talloc_asprintf(mem_ctx, "%s: %s", path,
					   strerror(errno));
		return errno;
	}
	if (lstat(path, &st) == -1 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != 0 || (st.st_mode & 022) != 0) {
		*problem = talloc_asprintf(mem_ctx, "%s must be a directory "
					   "that only root can write to",
					   path);
		return EPERM;
	}
	return 0;
}

/* The lock is the proof, the number is for people. Held until we end. */
static int pid_file_take(const char *directory, char **problem,
			 TALLOC_CTX *mem_ctx)
{
	char *path = talloc_asprintf(mem_ctx, "%s/" PID_FILE, directory);
	char text[32];
	/* Never closed: that would end the lock. */
	static int fd;
	int length;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1) {
		*problem = talloc_asprintf(mem_ctx, "%s: %s", path,
					   strerror(errno));
		return errno;
	}
	/* A record lock: children of ours do not inherit it. */
	if (fcntl(fd, F_SETLK, &(struct flock){
			.l_type = F_WRLCK, .l_whence = SEEK_SET }) == -1) {
		*problem = talloc_asprintf(mem_ctx, "another mirrord is "
					   "running already (%s)", path);
		close(fd);
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

/* ----------------------------------------------------------------- signals */

static void on_term(struct tevent_context *ev,
		    struct tevent_signal *se,
		    int signum, int count, void *info, void *private_data)
{
	event_log(EVENT_STOPPED, "signal %d; volumes stay as they are", signum);
	/* Nothing is tidied up: it must not need to be. */
	_exit(0);
}

static void on_hup(struct tevent_context *ev,
		   struct tevent_signal *se,
		   int signum, int count, void *info, void *private_data)
{
	if (log_file != NULL) {
		open_log(log_file);
	}
}

static bool set_signals(struct mirrord *mirrord)
{
	signal(SIGPIPE, SIG_IGN);
	return tevent_add_signal(mirrord->ev, mirrord, SIGTERM, 0, on_term,
				 NULL) != NULL &&
		tevent_add_signal(mirrord->ev, mirrord, SIGINT, 0, on_term,
				  NULL) != NULL &&
		tevent_add_signal(mirrord->ev, mirrord, SIGHUP, 0, on_hup,
				  NULL) != NULL;
}

/* ------------------------------------------------------------------- start */

static struct mirrord *fail(struct mirrord *mirrord, enum event_id event,
			    int error, const char *problem)
{
	event_log(event, "%s", problem != NULL ? problem : strerror(error));
	talloc_free(mirrord);
	return NULL;
}

/*
 * The newest configuration, or the one that was in force when the mirrord
 * before us ended: a wrong one must not stop what runs. *problem is set for
 * the latter, and when there is none at all.
 */
static const struct mirror_config *configuration(
	struct mirrord *mirrord, const char *file,
	struct config_table **table, char **problem)
{
	struct mirror_config *config = NULL;
	char *ignored = NULL;

	if (!lp_load_global(file)) {
		*problem = talloc_asprintf(mirrord, "cannot load %s (testparm "
					   "tells why)", file);
	} else {
		*table = config_table_take(mirrord);
		config = *table == NULL ? NULL :
			config_table_read(mirrord, *table, problem);
	}
	if (config != NULL) {
		return config;
	}
	*table = config_table_load(mirrord, config_run_directory());
	if (*table != NULL) {
		config = config_table_read(mirrord, *table, &ignored);
	}
	if (config != NULL) {
		event_log(EVENT_CONFIG_REFUSED, "%s", *problem);
	}
	return config;
}

static struct mirrord *start(const struct options *options)
{
	struct mirrord *mirrord = talloc_zero(NULL, struct mirrord);
	const struct mirror_config *config;
	struct config_table *table = NULL;
	char *refused = NULL;
	struct link_key *key = NULL;
	struct nodes *nodes = NULL;
	char *problem = NULL;
	int ret;

	if (mirrord == NULL) {
		return NULL;
	}
	config = mirrord->config = configuration(
		mirrord, options->config_file, &table, &refused);
	if (config == NULL) {
		return fail(mirrord, EVENT_CONFIG_ERROR, 0, refused);
	}
	ret = run_directory_make(config->run_directory, &problem, mirrord);
	if (ret == 0) {
		ret = pid_file_take(config->run_directory, &problem, mirrord);
	}
	if (ret == 0 && mkdir(config->store_directory, 0700) == -1 &&
	    errno != EEXIST) {
		ret = errno;
		problem = talloc_asprintf(mirrord, "mirror:store directory = "
					  "%s: %s", config->store_directory,
					  strerror(ret));
	}
	if (ret == 0) {
		ret = nodes_read(mirrord, config->nodes_file, config->port,
				 &nodes, &problem);
		mirrord->nodes = nodes;
	}
	if (ret != 0) {
		return fail(mirrord, EVENT_CONFIG_ERROR, ret, problem);
	}
	ret = link_key_load(mirrord, config->key_file, config->encrypt, &key,
			    &problem);
	mirrord->key = key;
	if (ret != 0) {
		return fail(mirrord, EVENT_KEY_UNUSABLE, ret, problem);
	}

	mirrord->ev = tevent_context_init(mirrord);
	if (mirrord->ev == NULL || !set_signals(mirrord)) {
		return fail(mirrord, EVENT_CONFIG_ERROR, ENOMEM, NULL);
	}
	/* Who we are to a volume is known before anybody can ask. */
	ret = ctdb_view_new(mirrord, &mirrord->view);
	if (ret == 0) {
		ret = peers_new(mirrord, &mirrord->peers);
	}
	if (ret == 0) {
		ret = services_new(mirrord, &mirrord->services);
	}
	if (ret == 0) {
		services_adopt(mirrord->services);
		ret = partner_new(mirrord, &mirrord->partner, &problem);
	}
	if (ret == 0) {
		ret = giveback_new(mirrord, &mirrord->giveback);
	}
	if (ret == 0) {
		ret = wanted_new(mirrord, &mirrord->wanted);
	}
	if (ret == 0) {
		notify_settings_leave(config);
		ret = health_new(mirrord, &mirrord->health);
	}
	if (ret == 0) {
		ret = service_manager_watchdog(mirrord, mirrord->ev);
	}
	if (ret == 0) {
		ret = anchors_new(mirrord, &mirrord->anchors);
	}
	if (ret == 0) {
		ret = reconfigure_new(mirrord, options->config_file, table,
				      refused, &mirrord->reconfigure);
	}
	if (ret == 0) {
		ret = control_new(mirrord, &mirrord->control, &problem);
	}
	if (ret != 0) {
		return fail(mirrord, EVENT_CONFIG_ERROR, ret, problem);
	}
	unfence_start(mirrord);
	return mirrord;
}

static void raise_limits(void)
{
	struct rlimit limit;

	/* A link for every smbd of the other nodes. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct mirrord *mirrord;
	struct options options;
	enum event_target target;
	char ok = 0;

	if (!parse_options(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "mirrord: must be started by root\n");
		return 1;
	}
	if (!options.foreground && !daemonise(&options)) {
		perror("mirrord");
		return 1;
	}
	umask(022);
	raise_limits();
	event_log_init("mirrord", EVENT_TO_STDERR);
	event_log_keep();
	target = EVENT_TO_SYSLOG;
	if (options.log_file != NULL && !options.interactive) {
		log_file = options.log_file;
		if (!open_log(log_file)) {
			fprintf(stderr, "mirrord: %s: %s\n", log_file,
				strerror(errno));
			return 1;
		}
		target = EVENT_TO_FILE;
	} else if (options.interactive) {
		target = EVENT_TO_STDERR;
	}
	/* What is wrong from the start is told to who starts us, too. */
	if (target == EVENT_TO_FILE) {
		event_log_init("mirrord", target);
	}
	mirrord = start(&options);
	if (mirrord == NULL) {
		return 1;
	}
	event_log_init("mirrord", target);
	event_log(EVENT_STARTED, "node %u (%s), pid %d", mirrord->nodes->own,
		  mirrord->nodes->node[mirrord->nodes->own].name,
		  (int)getpid());
	if (options.ready_fd != -1) {
		detach_output();
		if (write(options.ready_fd, &ok, 1) == -1) {
			return 1;
		}
		close(options.ready_fd);
	}
	tevent_loop_wait(mirrord->ev);
	return 1;
}
