/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host of the crash harness: as much of smbd as it takes to have a
 * connection with "vfs objects = streams_xattr acl_xattr mirror", and one
 * process for each case of a batch that does the operations of the case.
 *
 *   crash_host SMB_CONF BATCH_FILE
 *
 * Owns: starting Samba's libraries, users, the processes.
 * Does not own: what is in a batch, and what follows (crash_driver.c).
 */

#include "includes.h"
#include "smbd/smbd.h"
#include "smbd/globals.h"
#include "lib/smbd_shim.h"
#include "lib/global_contexts.h"
#include "lib/util/samba_modules.h"
#include "lib/cmdline/cmdline.h"
#include "libcli/security/security.h"
#include "auth.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "crash.h"
#include "host.h"

/* Defined by smbd's main program, too. */
static void host_exit(const char *const reason) _NORETURN_;
static void host_exit(const char *const reason)
{
	case_fail("smbd wants to end: %s", reason != NULL ? reason : "");
}

static const struct smbd_shim shim = {
	.change_to_root_user = smbd_change_to_root_user,
	.become_root = smbd_become_root,
	.unbecome_root = smbd_unbecome_root,
	.exit_server = host_exit,
	.exit_server_cleanly = host_exit,
};

/*
 * mirror.so's server-side copy becomes the user of each handle. There is no
 * SMB session here to find him by: he is the one who asks.
 */
__attribute__((visibility("default")))
bool change_to_user_and_service_by_fsp(struct files_struct *fsp)
{
	return true;
}

static struct batch *map_batch(const char *path)
{
	struct stat st;
	void *memory = NULL;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1) {
		return NULL;
	}
	memory = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool start_samba(TALLOC_CTX *mem_ctx, const char *smb_conf)
{
	struct auth_session_info *info = NULL;
	struct conn_struct_tos *made = NULL;

	setup_logging("crash_host", DEBUG_STDERR);
	smb_init_locale();
	if (!lp_load_with_shares(smb_conf)) {
		return false;
	}
	umask(0);
	set_smbd_shim(&shim);
	mangle_reset_cache();
	sec_init();
	if (!init_guest_session_info(mem_ctx) || !locking_init()) {
		return false;
	}
	/* A first connection loads the modules; it must be one without ours,
	 * which is for a process of its own. */
	if (global_messaging_context() == NULL ||
	    !NT_STATUS_IS_OK(make_session_info_guest(mem_ctx, &info)) ||
	    !NT_STATUS_IS_OK(create_conn_struct_tos(
		    global_messaging_context(), lp_servicenumber("plain"),
		    "/", info, &made))) {
		return false;
	}
	TALLOC_FREE(made);
	return NT_STATUS_IS_OK(smb_probe_module("vfs", "mirror"));
}

/* root, or what an ordinary user is. */
static struct auth_session_info *session_of(TALLOC_CTX *mem_ctx, bool user)
{
	struct auth_session_info *info = NULL;

	if (!NT_STATUS_IS_OK(make_session_info_guest(mem_ctx, &info))) {
		return NULL;
	}
	if (!user) {
		info->unix_token->uid = 0;
		info->unix_token->gid = 0;
		info->unix_token->ngroups = 0;
		add_sid_to_array_unique(info->security_token,
					&global_sid_System,
					&info->security_token->sids,
					&info->security_token->num_sids);
	}
	return info;
}

static struct conn_struct_tos *connect_share(
	const struct crash_case *c, const char *directory,
	const struct auth_session_info *info)
{
	static struct smbXsrv_client *client;
	int snum = lp_servicenumber(c->plain ? "plain" : "mirrored");
	struct conn_struct_tos *made = NULL;
	NTSTATUS status;

	status = create_conn_struct_tos_cwd(global_messaging_context(), snum,
					    directory, info, &made);
	if (!NT_STATUS_IS_OK(status)) {
		case_fail("no connection: %s", nt_errstr(status));
	}
	made->conn->share_access = FILE_GENERIC_ALL;
	made->conn->read_only = false;
	/* Server-side copy keeps its tokens with the client, who stays. */
	if (client == NULL) {
		client = talloc_zero(NULL, struct smbXsrv_client);
	}
	made->conn->sconn->client = client;
	file_init(made->conn->sconn);
	set_sec_ctx(info->unix_token->uid, info->unix_token->gid,
		    info->unix_token->ngroups, info->unix_token->groups,
		    info->security_token);
	return made;
}

/*
 * What a process has open and locked in Samba's databases is its own, and void
 * when it is dead. With the parent's name it would stay there: whoever makes a
 * file that gets the inode of one that a dead process was about to delete is
 * refused.
 */
static void become_smbd(void)
{
	NTSTATUS status = reinit_after_fork(global_messaging_context(),
					    global_event_context(), true,
					    NULL);

	if (!NT_STATUS_IS_OK(status)) {
		case_fail("no smbd of its own: %s", nt_errstr(status));
	}
}

/* One operation, as smbd has it in a request. */
static void run_operation(struct conn_struct_tos *made, uint32_t i)
{
	const struct sequence *sequence = &case_current()->point.sequence;
	TALLOC_CTX *request = talloc_stackframe();
	bool ok = operation_do(made->conn, sequence->operations[i]);

	TALLOC_FREE(request);
	case_replied(i + 1, ok);
}

/* In the smbd that will die: the other one does what comes next. */
static void let_other(struct crash_case *c)
{
	const uint8_t records = c->records;

	atomic_store(&c->others_turn, true);
	while (atomic_load(&c->others_turn)) {
		usleep(200);
	}
	link_skip(c->records - records);
}

/* In the other smbd: it has the second operation. */
static void do_between(struct crash_case *c, const char *directory,
		       const struct auth_session_info *info)
{
	struct conn_struct_tos *made = NULL;

	link_forget();
	made = connect_share(c, directory, info);
	case_ready();
	run_operation(made, 1);
	smbd_change_to_root_user();
	TALLOC_FREE(made);
	atomic_store(&c->others_turn, false);
}

/*
 * A smbd that dies is a process of its own. Returns where to go on: in it, at
 * the beginning, and, when it is dead, in its parent, which is the next smbd.
 */
static uint32_t split(struct crash_case *c, const char *directory,
		      const struct auth_session_info *info)
{
	pid_t pid = fork();
	pid_t dead = 0;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become_smbd();
		return 0;
	}
	if (pid == -1) {
		case_fail("no process that may die");
	}
	while (c->point.between && dead == 0) {
		dead = waitpid(pid, NULL, WNOHANG);
		if (atomic_load(&c->others_turn)) {
			do_between(c, directory, info);
			break;
		}
		usleep(200);
	}
	if (dead == 0 && waitpid(pid, NULL, 0) != pid) {
		case_fail("a process that may die is not there");
	}
	if (c->failed) {
		_exit(0);
	}
	link_forget();
	return case_resume();
}

static void run_case(struct batch *batch, uint32_t number)
{
	struct crash_case *c = &batch->cases[number];
	TALLOC_CTX *frame = talloc_stackframe();
	struct auth_session_info *info = NULL;
	struct conn_struct_tos *made = NULL;
	char directory[128];
	uint32_t i, first = 0;

	case_begin(batch, c);
	become_smbd();
	case_directory(batch, number, directory, sizeof(directory));
	info = session_of(frame, c->point.sequence.as_user);
	if (info == NULL) {
		case_fail("no session");
	}
	if (c->point.dies) {
		first = split(c, directory, info);
	}
	made = connect_share(c, directory, info);
	case_ready();
	for (i = first; i < c->point.sequence.count; i++) {
		if (i > first && c->point.sequence.sessions) {
			smbd_change_to_root_user();
			TALLOC_FREE(made);
			link_forget();
			made = connect_share(c, directory, info);
		}
		if (i == 1 && c->point.between && !c->resumed) {
			let_other(c);
			continue;
		}
		run_operation(made, i);
	}
	case_end();
}

/* A case that died on its own must not hold the others up. */
static void reap(struct batch *batch, pid_t *pids, uint32_t count)
{
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0) {
		struct crash_case *c = NULL;
		uint32_t i;

		for (i = 0; i < count && pids[i] != pid; i++) {
			;
		}
		if (i == count) {
			continue;
		}
		c = &batch->cases[i];
		if (!c->failed) {
			snprintf(c->problem, sizeof(c->problem),
				 "it died with status 0x%x", status);
			c->failed = true;
		}
		while (c->stage < STAGE_CRASH) {
			c->stage++;
			atomic_fetch_add(&batch->at_stage[c->stage], 1);
		}
	}
}

int main(int argc, char **argv)
{
	TALLOC_CTX *frame = talloc_stackframe();
	struct batch *batch = NULL;
	pid_t *pids = NULL;
	uint32_t i;

	if (argc != 3) {
		fprintf(stderr, "usage: crash_host SMB_CONF BATCH_FILE\n");
		return 2;
	}
	batch = map_batch(argv[2]);
	if (batch == NULL || !start_samba(frame, argv[1])) {
		fprintf(stderr, "crash_host: cannot start\n");
		return 1;
	}
	pids = talloc_zero_array(frame, pid_t, batch->num_cases);
	for (i = 0; i < batch->num_cases; i++) {
		pids[i] = fork();
		if (pids[i] == -1) {
			return 1;
		}
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_case(batch, i);
			_exit(1);
		}
	}
	reap(batch, pids, batch->num_cases);
	return 0;
}
