/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who a record is redone as (R7), see replay_internal.h.
 *
 * The system calls are made directly: glibc's wrappers change all threads of
 * the process. The effective user id is changed, not only the one for files:
 * then the kernel takes all capabilities away, those that are about more than
 * files as well.
 */

#include <sys/stat.h>
#include <sys/syscall.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay_internal.h"

#define KEEP ((uint32_t)-1)

struct identity {
	uint32_t uid;
	uint32_t gid;
	uint32_t num_groups;
	uint32_t *groups;
};

struct credentials {
	struct identity original;
	struct identity now;
	uint32_t umask;
	uint32_t original_umask;
};

static int set_uid(uint32_t uid)
{
	return syscall(SYS_setresuid, KEEP, uid, KEEP) == 0 ? 0 : errno;
}

static int set_gid(uint32_t gid)
{
	return syscall(SYS_setresgid, KEEP, gid, KEEP) == 0 ? 0 : errno;
}

static int set_groups(uint32_t num_groups, const uint32_t *groups)
{
	return syscall(SYS_setgroups, (size_t)num_groups, groups) == 0
		? 0 : errno;
}

static int remember_groups(struct credentials *credentials,
			   struct identity *identity,
			   uint32_t num_groups,
			   const uint32_t *groups)
{
	uint32_t *copy;

	copy = talloc_array(credentials, uint32_t, num_groups);
	if (copy == NULL) {
		return ENOMEM;
	}
	if (num_groups > 0) {
		memcpy(copy, groups, num_groups * sizeof(*groups));
	}
	talloc_free(identity->groups);
	identity->groups = copy;
	identity->num_groups = num_groups;
	return 0;
}

int credentials_init(TALLOC_CTX *mem_ctx, struct credentials **_credentials)
{
	struct credentials *credentials;
	gid_t groups[NGROUPS_MAX];
	int num_groups;
	int ret;

	if (geteuid() != 0) {
		return EPERM;
	}
	/* The umask belongs to the thread only from here on. */
	if (unshare(CLONE_FS) == -1) {
		return errno;
	}
	credentials = talloc_zero(mem_ctx, struct credentials);
	if (credentials == NULL) {
		return ENOMEM;
	}
	num_groups = getgroups(NGROUPS_MAX, groups);
	if (num_groups == -1) {
		ret = errno;
		talloc_free(credentials);
		return ret;
	}
	credentials->original.gid = getegid();
	credentials->now.gid = credentials->original.gid;
	ret = remember_groups(credentials, &credentials->original,
			      (uint32_t)num_groups, groups);
	if (ret == 0) {
		ret = remember_groups(credentials, &credentials->now,
				      (uint32_t)num_groups, groups);
	}
	if (ret != 0) {
		talloc_free(credentials);
		return ret;
	}
	credentials->original_umask = umask(077);
	credentials->umask = 077;
	*_credentials = credentials;
	return 0;
}

static int become_groups(struct credentials *credentials,
			 uint32_t gid,
			 uint32_t num_groups,
			 const uint32_t *groups)
{
	struct identity *now = &credentials->now;
	int ret;

	if (num_groups != now->num_groups ||
	    (num_groups > 0 &&
	     memcmp(groups, now->groups, num_groups * sizeof(*groups)) != 0)) {
		ret = set_groups(num_groups, groups);
		if (ret == 0) {
			ret = remember_groups(credentials, now, num_groups,
					      groups);
		}
		if (ret != 0) {
			return ret;
		}
	}
	if (gid != now->gid) {
		ret = set_gid(gid);
		if (ret != 0) {
			return ret;
		}
		now->gid = gid;
	}
	return 0;
}

/* What root may do to any file, or have of any volume, without being root. */
static int raise_capabilities(unsigned int beyond)
{
	const uint32_t permissions = CAP_TO_MASK(CAP_CHOWN) |
				     CAP_TO_MASK(CAP_DAC_OVERRIDE) |
				     CAP_TO_MASK(CAP_DAC_READ_SEARCH) |
				     CAP_TO_MASK(CAP_FOWNER);
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) == -1) {
		return errno;
	}
	/* All of these have small numbers: they are in the first word. */
	if ((beyond & BEYOND_PERMISSIONS) != 0) {
		data[0].effective |= permissions & data[0].permitted;
	}
	if ((beyond & BEYOND_LIMITS) != 0) {
		data[0].effective |= CAP_TO_MASK(CAP_SYS_RESOURCE) &
				     data[0].permitted;
	}
	return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

int credentials_become(struct credentials *credentials,
		       const struct record_credentials *who,
		       unsigned int beyond)
{
	struct identity *now = &credentials->now;
	int ret;

	if (who->uid == KEEP || who->gid == KEEP) {
		/* To the kernel this means: stay who you are, which is root. */
		return EINVAL;
	}
	if (who->umask != credentials->umask) {
		umask((mode_t)who->umask);
		credentials->umask = who->umask;
	}
	if (now->uid == who->uid && now->gid == who->gid && beyond == 0 &&
	    now->num_groups == who->num_groups &&
	    (who->num_groups == 0 ||
	     memcmp(now->groups, who->groups,
		    who->num_groups * sizeof(*who->groups)) == 0)) {
		return 0;
	}
	credentials_root(credentials);
	ret = become_groups(credentials, who->gid, who->num_groups,
			    who->groups);
	if (ret != 0 || who->uid == 0) {
		return ret;
	}
	ret = set_uid(who->uid);
	if (ret != 0) {
		return ret;
	}
	now->uid = who->uid;
	if (beyond != 0) {
		ret = raise_capabilities(beyond);
	}
	return ret;
}

void credentials_root(struct credentials *credentials)
{
	if (credentials->now.uid == 0) {
		return;
	}
	if (set_uid(0) != 0 || geteuid() != 0) {
		abort();
	}
	credentials->now.uid = 0;
}

void credentials_restore(struct credentials *credentials)
{
	const struct identity *original = &credentials->original;

	credentials_root(credentials);
	if (become_groups(credentials, original->gid, original->num_groups,
			  original->groups) != 0 ||
	    getegid() != original->gid) {
		abort();
	}
	umask((mode_t)credentials->original_umask);
	credentials->umask = credentials->original_umask;
}
