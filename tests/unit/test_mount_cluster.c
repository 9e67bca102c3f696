/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that are mounted on all nodes: is one there, who has files on it.
 * Needs root, for a mount in a namespace of its own.
 *
 * Seen to fail with line_is_of() that compares beginnings, and with
 * is_samba() that is always true.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "mount_cluster.h"

static char folder[] = "/tmp/test mount.XXXXXX";
static struct mirrord mirrord;

static enum mount_state look(const char *place, char **why)
{
	const struct config_volume volume = {
		.name = "data", .mount_point = place, .cluster = true
	};
	enum mount_state state = MOUNT_NONE;

	*why = NULL;
	assert_int_equal(mount_cluster_look(mirrord.ev, &volume, &state, why),
			 0);
	return state;
}

static void test_is_it_there(void **state)
{
	char *why, *longer = talloc_asprintf(mirrord.ev, "%s2", folder);

	assert_int_equal(look(folder, &why), MOUNT_HERE);
	assert_null(why);
	assert_int_equal(look("/usr", &why), MOUNT_UNFIT);
	assert_non_null(strstr(why, "nothing is mounted there"));
	assert_int_equal(look(longer, &why), MOUNT_UNFIT);
	assert_int_equal(look("/tm", &why), MOUNT_UNFIT);
	/* Bound is mounted. */
	assert_int_equal(mkdir(longer, 0700), 0);
	assert_int_equal(look(longer, &why), MOUNT_UNFIT);
	assert_int_equal(mount(folder, longer, NULL, MS_BIND, NULL), 0);
	assert_int_equal(look(longer, &why), MOUNT_HERE);
	assert_int_equal(umount(longer), 0);
	assert_int_equal(rmdir(longer), 0);
}

/* A process of that name with a file below path. */
static pid_t holder(const char *name, const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (open(path, O_RDWR | O_CREAT, 0600) != -1 &&
		    write(ready[1], "x", 1) == 1) {
			pause();
		}
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static int look_for_holders(bool end)
{
	const struct config_volume volume = {
		.name = "data", .mount_point = folder, .cluster = true
	};
	struct tevent_req *req = mount_free_send(mirrord.ev, &mirrord, &volume,
						 end);
	int ret;

	assert_non_null(req);
	assert_true(tevent_req_poll(req, mirrord.ev));
	ret = mount_free_recv(req);
	talloc_free(req);
	return ret;
}

static bool runs(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void test_holders(void **state)
{
	char *below = talloc_asprintf(mirrord.ev, "%s/file", folder);
	pid_t smbd, other, elsewhere;

	assert_int_equal(look_for_holders(true), 0);
	/* What is not Samba's reads on; nobody waits for it. */
	other = holder("backup", below);
	elsewhere = holder("smbd", "/dev/null");
	assert_int_equal(look_for_holders(true), 0);
	smbd = holder("smbd", below);
	assert_int_equal(look_for_holders(false), EBUSY);
	assert_true(runs(smbd));
	assert_int_equal(look_for_holders(true), EBUSY);
	assert_int_equal(waitpid(smbd, NULL, 0), smbd);
	assert_int_equal(look_for_holders(true), 0);
	assert_true(runs(other));
	assert_true(runs(elsewhere));
	kill(other, SIGKILL);
	kill(elsewhere, SIGKILL);
	waitpid(other, NULL, 0);
	waitpid(elsewhere, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_it_there),
		cmocka_unit_test(test_holders),
	};
	int failed;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		printf("skipped: needs root\n");
		return 0;
	}
	mirrord.ev = tevent_context_init(NULL);
	if (mkdtemp(folder) == NULL ||
	    mount("test", folder, "tmpfs", 0, NULL) == -1) {
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	umount(folder);
	rmdir(folder);
	return failed;
}
