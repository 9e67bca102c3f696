/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left to the process that reads from the network, see privileged.h.
 *
 * What a tevent daemon with open sockets needs, and nothing else. A forbidden
 * system call kills the process; the kernel logs its number (audit, type
 * 1326), the parent logs the death. What libraries try without need (opening
 * files) only fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "privileged.h"

static const int allowed[] = {
	/* what is open */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(send), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg), SCMP_SYS(recv), SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(shutdown),
	SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(fcntl),
	SCMP_SYS(dup), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
	/* time, randomness (gnutls asks for the use of resources, too) */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	/* memory; executable one is not among it, see below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(sysinfo),
	/* signals, the end */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* itself */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sched_yield),
};

/* These fail with EACCES. */
static const int refused[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(prlimit64), SCMP_SYS(sched_getaffinity),
};

static int add_conditional(scmp_filter_ctx filter)
{
	const uint64_t pid = (uint64_t)getpid();
	int ret = 0;

	/* To connect to the log's socket again. */
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt),
				1, SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET));
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_EQ, FIONREAD));
	ret |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY),
				SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_NE, FIONREAD));
	/* abort(): it may kill itself. */
	ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, pid));
	return ret;
}

static int load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret = 0;
	size_t i;

	if (filter == NULL) {
		return ENOMEM;
	}
	ret |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		ret |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i],
					0);
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ret |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES),
					refused[i], 0);
	}
	ret |= add_conditional(filter);
	ret = ret != 0 ? EINVAL : -seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

static int become(const struct passwd *passwd)
{
	int capability;

	/* The bounding set first: it takes a capability to lose them. */
	for (capability = 0; capability < 64; capability++) {
		if (prctl(PR_CAPBSET_READ, capability) == 1 &&
		    prctl(PR_CAPBSET_DROP, capability) == -1) {
			return errno;
		}
	}
	if (setgroups(0, NULL) == -1 ||
	    setresgid(passwd->pw_gid, passwd->pw_gid, passwd->pw_gid) == -1 ||
	    setresuid(passwd->pw_uid, passwd->pw_uid, passwd->pw_uid) == -1 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1) {
		return errno;
	}
	return 0;
}

int privileged_sandbox(const char *user)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
	const struct passwd *passwd;
	pid_t parent = getppid();
	int ret;

	errno = 0;
	passwd = getpwnam(user);
	if (passwd == NULL) {
		return errno != 0 ? errno : ENOENT;
	}
	if (passwd->pw_uid == 0) {
		return EINVAL;
	}
	tzset();	/* for the log; later it could not read the file */
	ret = become(passwd);
	if (ret != 0) {
		return ret;
	}
	/* Changing the user made the kernel forget the first. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		return errno;
	}
	if (getppid() != parent) {
		_exit(1);
	}
	return load_filter();
}
