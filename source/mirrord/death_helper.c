/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running ctdb's helpers, see death_helper.h. */

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "death_helper.h"

#define HELPER_DIRECTORY "/usr/libexec/ctdb"
#define INVALID_GENERATION 1
#define TURN_MS 10

static const char *in_directory(char *path, size_t size, const char *name)
{
	const char *directory = getenv("CTDB_HELPER_BINDIR");

	snprintf(path, size, "%s/%s", directory != NULL ? directory :
		 HELPER_DIRECTORY, name);
	return path;
}

/* What ctdb.conf says, or its default. False: not to be had. */
static bool ask_config(const char *section, const char *option,
		       char *value, size_t size)
{
	char program[256];
	char command[512];
	FILE *pipe;

	snprintf(command, sizeof(command), "%s get '%s' '%s' 2>/dev/null",
		 in_directory(program, sizeof(program), "ctdb-config"),
		 section, option);
	value[0] = '\0';
	pipe = popen(command, "re");
	if (pipe == NULL) {
		return false;
	}
	if (fgets(value, (int)size, pipe) == NULL) {
		value[0] = '\0';
	}
	value[strcspn(value, "\n")] = '\0';
	return pclose(pipe) == 0;
}

void helper_environment(void)
{
	static const struct {
		const char *variable, *section, *option, *otherwise;
	} wanted[] = {
		{ "CTDB_LOGGING", "logging", "location", "syslog" },
		{ "CTDB_DEBUGLEVEL", "logging", "log level", "NOTICE" },
		{ "CTDB_DBDIR_STATE", "database", "state database directory",
		  "/var/lib/ctdb/state" },
	};
	char value[256];
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!ask_config(wanted[i].section, wanted[i].option, value,
				sizeof(value)) || value[0] == '\0') {
			snprintf(value, sizeof(value), "%s",
				 wanted[i].otherwise);
		}
		setenv(wanted[i].variable, value, 1);
	}
	/* Then the helper says what changed and moves nothing. */
	if (ask_config("failover", "disabled", value, sizeof(value)) &&
	    strcmp(value, "true") == 0) {
		setenv("CTDB_DISABLE_IP_FAILOVER", "1", 1);
	}
}

static int await_end(pid_t pid, int fd, helper_go_on go_on,
		     void *private_data)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	bool cancelled = false;
	int result = -1;
	int status;

	/* It writes its result, if it has one, and ends. */
	while (poll(&pfd, 1, TURN_MS) <= 0) {
		if (!go_on(private_data)) {
			cancelled = true;
			kill(pid, SIGKILL);
			break;
		}
	}
	if (!cancelled && read(fd, &result, sizeof(result)) !=
	    sizeof(result)) {
		result = -1;
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
		continue;
	}
	if (cancelled) {
		return ECANCELED;
	}
	return result == 0 && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0 ? 0 : EIO;
}

static int run(const char *program, const char *socket,
	       const char *generation, helper_go_on go_on, void *private_data)
{
	char number[16];
	int fds[2];
	pid_t pid;
	int ret;

	if (pipe(fds) == -1) {
		return errno;
	}
	snprintf(number, sizeof(number), "%d", fds[1]);
	pid = fork();
	if (pid == -1) {
		ret = errno;
		close(fds[0]);
		close(fds[1]);
		return ret;
	}
	if (pid == 0) {
		/* Nothing half-done may go on behind our back. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		execl(program, program, number, socket, generation, NULL);
		_exit(127);
	}
	close(fds[1]);
	ret = await_end(pid, fds[0], go_on, private_data);
	close(fds[0]);
	return ret;
}

static const char *helper_path(char *path, size_t size, const char *variable,
			       const char *name)
{
	const char *other = getenv(variable);

	return other != NULL ? other : in_directory(path, size, name);
}

int helper_recover(const char *socket, helper_go_on go_on,
		   void *private_data)
{
	char path[256];
	char number[16];
	uint32_t generation = INVALID_GENERATION;

	while (generation <= INVALID_GENERATION) {
		if (getrandom(&generation, sizeof(generation), 0) !=
		    sizeof(generation)) {
			return EIO;
		}
		generation &= 0x7fffffff;
	}
	snprintf(number, sizeof(number), "%u", generation);
	return run(helper_path(path, sizeof(path), "CTDB_RECOVERY_HELPER",
			       "ctdb_recovery_helper"), socket, number, go_on,
		   private_data);
}

int helper_takeover(const char *socket, helper_go_on go_on,
		    void *private_data)
{
	char path[256];

	return run(helper_path(path, sizeof(path), "CTDB_TAKEOVER_HELPER",
			       "ctdb_takeover_helper"), socket, NULL, go_on,
		   private_data);
}
