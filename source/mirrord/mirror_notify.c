/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mirror-notify: one per node. Reads the events that all programs of the node
 * append to a file (event_file.h), keeps them on the disk, and tells people of
 * those that are bad enough.
 *
 * A process of its own, so that nothing that it waits for (the system's disk,
 * a name server, a mail server) delays a daemon that serves clients; and so
 * that a mirrord that does not start is told of. It may be killed at any time.
 *
 * The queue is the file: bounded, and there after a restart. What exceeds the
 * rate is not sent but counted (M093).
 */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../common/event_file.h"
#include "../common/event_log.h"
#include "../common/timer.h"
#include "event_lines.h"
#include "notify_keep.h"
#include "notify_send.h"
#include "notify_settings.h"

#define TICK_MS 300
#define MINUTE_MS 60000
#define PID_FILE EVENT_FILE_DIRECTORY "/notify.pid"
#define CURSOR_FILE EVENT_FILE_DIRECTORY "/events.at"
#define MAIL_FILE EVENT_FILE_DIRECTORY "/notify.mail"
#define SCRIPT_DIRECTORY "/etc/samba/mirror/notify.d"

struct notify {
	struct tevent_context *ev;
	struct timer *timer;
	struct notify_keep keep;
	struct notify_send *send;
	struct notify_settings *settings;
	struct timespec settings_of;	/* when the file was changed */
	json_t *event;			/* being told; NULL: none */
	off_t event_end;
	uint64_t minute;		/* ms, when it began */
	uint32_t in_minute;
	uint32_t dropped;
	bool keep_failed;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void read_settings(struct notify *notify)
{
	struct notify_settings *settings;
	struct stat st = { .st_mtim = { 0, 0 } };

	if (stat(NOTIFY_SETTINGS_FILE, &st) == -1) {
		st.st_mtim = (struct timespec){ 0, 0 };
	}
	if (notify->settings != NULL &&
	    st.st_mtim.tv_sec == notify->settings_of.tv_sec &&
	    st.st_mtim.tv_nsec == notify->settings_of.tv_nsec) {
		return;
	}
	settings = notify_settings_load(notify->ev, NOTIFY_SETTINGS_FILE);
	if (settings != NULL) {
		talloc_free(notify->settings);
		notify->settings = settings;
		notify->settings_of = st.st_mtim;
	}
}

static void look(struct notify *notify);

static void sent(void *private_data)
{
	struct notify *notify = private_data;

	json_decref(notify->event);
	notify->event = NULL;
	notify_keep_told(&notify->keep, notify->event_end);
	look(notify);
}

/* May one more be sent? */
static bool rate_allows(struct notify *notify, const char *id)
{
	uint64_t now = now_ms();

	if (now - notify->minute >= MINUTE_MS) {
		notify->minute = now;
		notify->in_minute = 0;
	}
	if (strcmp(id, event_log_code(EVENT_NOTIFY_DROPPED)) == 0) {
		return true;
	}
	if (notify->in_minute >= notify->settings->rate) {
		notify->dropped++;
		return false;
	}
	notify->in_minute++;
	return true;
}

static void tell_dropped(struct notify *notify)
{
	if (notify->dropped != 0 && now_ms() - notify->minute >= MINUTE_MS) {
		event_log(EVENT_NOTIFY_DROPPED, "%u events were not sent: more "
			  "than mirror:notify rate (%u a minute)",
			  notify->dropped, notify->settings->rate);
		notify->dropped = 0;
	}
}

/* True: it is being told; what follows waits. */
static bool tell(struct notify *notify, const char *line)
{
	const char *severity;

	notify->event = event_line_parse(line, strlen(line));
	if (notify->event == NULL) {
		return false;
	}
	severity = json_string_value(json_object_get(notify->event,
						     "severity"));
	if (event_file_severity(severity) > notify->settings->severity ||
	    !rate_allows(notify, json_string_value(json_object_get(
		    notify->event, "id")))) {
		json_decref(notify->event);
		notify->event = NULL;
		return false;
	}
	notify_send_start(notify->send, notify->settings, notify->event, sent,
			  notify);
	return true;
}

static void look(struct notify *notify)
{
	TALLOC_CTX *frame = talloc_new(notify->ev);
	off_t seen = -1;
	off_t end;
	char *line;

	while (notify->event == NULL &&
	       (line = notify_keep_next(&notify->keep, frame, &end)) != NULL) {
		notify->event_end = end;
		if (!tell(notify, line)) {
			notify->keep.told = seen = end;
		}
	}
	if (seen != -1) {
		notify_keep_told(&notify->keep, notify->keep.told);
	}
	talloc_free(frame);
}

static void tick(void *private_data)
{
	struct notify *notify = private_data;
	int ret = notify_keep_step(&notify->keep);

	if (ret != 0 && !notify->keep_failed) {
		event_log_once(EVENT_NOTIFY_FAILED, "keep", "events are not "
			       "kept in %s: %s", EVENT_FILE_KEPT,
			       strerror(ret));
	}
	notify->keep_failed = ret != 0;
	read_settings(notify);
	tell_dropped(notify);
	if (notify->event == NULL) {
		look(notify);
	}
	notify->timer = timer_start(notify->ev, notify->ev, TICK_MS, tick,
				    notify);
	if (notify->timer == NULL) {
		exit(1);
	}
}

/* -------------------------------------------------------------- the process */

/* False: another one runs. */
static bool take_pid_file(void)
{
	char text[32];
	/* Never closed: that would end the lock. */
	static int fd;
	int length;

	fd = open(PID_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1) {
		fprintf(stderr, "mirror-notify: %s: %s\n", PID_FILE,
			strerror(errno));
		exit(1);
	}
	if (fcntl(fd, F_SETLK, &(struct flock){
			.l_type = F_WRLCK, .l_whence = SEEK_SET }) == -1) {
		return false;
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == -1 || write(fd, text, (size_t)length) !=
	    length) {
		exit(1);
	}
	return true;
}

/* The parent ends when the pid file is written. */
static void daemonise(void)
{
	char ok = 0;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		perror("mirror-notify");
		exit(1);
	}
	if (pid != 0) {
		close(fds[1]);
		exit(read(fds[0], &ok, 1) == 1 ? 0 : 1);
	}
	close(fds[0]);
	setsid();
	if (chdir("/") == -1 || !take_pid_file()) {
		/* Started twice at the same time: all is well. */
		(void)!write(fds[1], &ok, 1);
		exit(0);
	}
	if (write(fds[1], &ok, 1) != 1) {
		exit(1);
	}
	close(fds[1]);
}

static void detach(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd != -1) {
		dup2(fd, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
}

static void make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == -1 && errno != EEXIST) {
		fprintf(stderr, "mirror-notify: %s: %s\n", path,
			strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct notify notify = { .minute = 0 };
	bool foreground = argc == 2 && strcmp(argv[1], "-F") == 0;
	int ret;

	if (argc > 1 && !foreground) {
		fprintf(stderr, "usage: mirror-notify [-F]\n"
			"  -F   stay in the foreground\n"
			"Configuration: mirror:notify .. in smb.conf\n");
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "mirror-notify: must be started by root\n");
		return 1;
	}
	umask(022);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	make_directory(EVENT_FILE_DIRECTORY, 0755);
	make_directory(EVENT_FILE_KEPT_DIRECTORY, 0700);
	if (!foreground) {
		daemonise();
		detach();
	} else if (!take_pid_file()) {
		fprintf(stderr, "mirror-notify: it runs already\n");
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	event_log_init("mirror-notify", EVENT_TO_SYSLOG);
	event_log_keep();
	notify.ev = tevent_context_init(NULL);
	ret = notify_keep_open(&notify.keep, EVENT_FILE_NEW, EVENT_FILE_KEPT,
			       CURSOR_FILE);
	if (notify.ev == NULL || ret != 0) {
		event_log(EVENT_NOTIFY_FAILED, "%s: %s", EVENT_FILE_NEW,
			  strerror(ret));
		return 1;
	}
	notify.send = notify_send_new(notify.ev, notify.ev, SCRIPT_DIRECTORY,
				      MAIL_FILE);
	if (notify.send == NULL) {
		return 1;
	}
	tick(&notify);
	tevent_loop_wait(notify.ev);
	return 1;
}
