/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is this node able to serve? See check.h. */

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <dirent.h>
#include <dlfcn.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "check.h"
#include "facts.h"

#define PUBLIC_ADDRESSES "/etc/ctdb/public_addresses"
/* A store's index, and what a replay takes. */
#define STORE_MORE (16 << 20)

/* ---------------------------------------------------------------- addresses */

static void check_interface(struct check *check, const char *names)
{
	char *list = talloc_strdup(check->ctx, names);
	char *save = NULL;
	char *name;

	for (name = strtok_r(list, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save)) {
		if (access(talloc_asprintf(check->ctx, "/sys/class/net/%s",
					   name), F_OK) == 0) {
			return;
		}
	}
	check_found(check, CHECK_INTERFACE_MISSING, "%s is to be on %s, and "
		    "this node has no such interface",
		    check->service->addresses[0], names);
}

static void check_anchor(struct check *check)
{
	const char *anchor = check->service->addresses[0];
	FILE *file = fopen(PUBLIC_ADDRESSES, "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	while (file != NULL && getline(&line, &size, file) != -1) {
		char address[128], interface[256];
		int n = sscanf(line, "%127[^/ \t\n]/%*u %255s", address,
			       interface);

		if (n >= 1 && strcasecmp(address, anchor) == 0) {
			found = true;
			if (n == 2) {
				check_interface(check, interface);
			}
		}
	}
	free(line);
	if (file != NULL) {
		fclose(file);
	}
	if (!found) {
		check_found(check, CHECK_ANCHOR_NOT_PUBLIC, "%s is not in "
			    PUBLIC_ADDRESSES " of this node: ctdb does not "
			    "place it here", anchor);
	}
}

/* Where it is used at all, as the event scripts see it. */
static void check_arpd(struct check *check)
{
	const char *options = check_command(check, "sh -c '. /etc/ctdb/"
					    "script.options; echo "
					    "$CTDB_ARPD_INTERCONNECT'");

	if (options == NULL || options[strspn(options, " \n")] == '\0') {
		return;
	}
	if (check_command(check, "mirror-arpd status") == NULL) {
		check_found(check, CHECK_ARPD_DOWN, "mirror-arpd does not run "
			    "on this node: a death is noticed by ctdb alone, "
			    "and no traffic is passed through");
	}
}

void check_addresses(struct check *check)
{
	check_anchor(check);
	check_arpd(check);
}

/* ------------------------------------------------------------------- memory */

static uint64_t available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[256];
	uint64_t kib = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1) {
			break;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return kib << 10;
}

/* Bytes that files in a folder take, two levels deep: stores are there. */
static uint64_t used_by_stores(struct check *check, const char *path,
			       int depth)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	uint64_t used = 0;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char *name = talloc_asprintf(check->ctx, "%s/%s", path,
					     entry->d_name);
		struct stat st;

		if (entry->d_name[0] == '.' || name == NULL ||
		    lstat(name, &st) == -1) {
			continue;
		}
		used += (uint64_t)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode) && depth > 0) {
			used += used_by_stores(check, name, depth - 1);
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
	return used;
}

/* Room for one more store: that of the service's first volume, when this node
 * is its partner again. */
void check_memory(struct check *check)
{
	const char *path = check->config->store_directory;
	uint64_t want = check->config->store_size + STORE_MORE;
	uint64_t stores = used_by_stores(check, path, 1);
	uint64_t memory = available_memory();
	struct statvfs fs;

	/* A store that is there already is what it needs. */
	if (stores >= check->config->store_size) {
		want = STORE_MORE;
	}
	if (statvfs(path, &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < want) {
		check_found(check, CHECK_STORE_DIRECTORY_FULL, "%s has %" PRIu64
			    " MiB left, of %" PRIu64 " that are needed", path,
			    (uint64_t)fs.f_bavail * fs.f_frsize >> 20,
			    want >> 20);
	}
	if (memory != 0 && memory < want) {
		check_found(check, CHECK_MEMORY_LOW, "%" PRIu64 " MiB are "
			    "available, of %" PRIu64 " that are needed",
			    memory >> 20, want >> 20);
	}
}

/* ----------------------------------------------------------------- programs */

static bool program_runs(const char *wanted)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (!found && proc != NULL && (entry = readdir(proc)) != NULL) {
		char path[300], name[64] = "";
		FILE *file;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9') {
			continue;
		}
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file == NULL) {
			continue;
		}
		if (fgets(name, sizeof(name), file) != NULL) {
			name[strcspn(name, "\n")] = '\0';
			found = strcmp(name, wanted) == 0;
		}
		fclose(file);
	}
	if (proc != NULL) {
		closedir(proc);
	}
	return found;
}

void check_programs(struct check *check)
{
	if (!program_runs("smbd")) {
		check_found(check, CHECK_SMBD_DOWN, "smbd does not run on this "
			    "node");
	}
}

/* ------------------------------------------------------------------- module */

/* In a child: as smbd would. */
static int load_module(const char **why)
{
	static void *smbd, *module;	/* loaded until the child ends */
	uint32_t (*init)(void *ctx);
	glob_t found;

	/* The rest of smbd, of which the module needs functions. */
	if (glob(MIRROR_PRIVATE_LIBS "/libsmbd-base*.so*", 0, NULL,
		 &found) == 0) {
		smbd = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_GLOBAL);
	}
	module = dlopen(MIRROR_VFS_DIR "/mirror.so", RTLD_NOW);
	if (module == NULL) {
		*why = smbd != NULL ? dlerror() : "Samba's libraries are not "
			"where they were";
		return 1;
	}
	*(void **)&init = dlsym(module, "samba_init_module");
	if (init == NULL) {
		*why = "it is no module of Samba";
		return 1;
	}
	if (init(NULL) != 0) {
		*why = "it is for another version of Samba";
		return 1;
	}
	return 0;
}

void check_module(struct check *check)
{
	char why[512] = "it crashes";
	int fds[2];
	ssize_t n;
	int status = 0;
	pid_t pid;

	if (pipe(fds) == -1) {
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		const char *text = "";
		int ret;

		close(fds[0]);
		(void)!freopen("/dev/null", "w", stderr);
		ret = load_module(&text);
		dprintf(fds[1], "%s", text);
		_exit(ret);
	}
	close(fds[1]);
	n = read(fds[0], why, sizeof(why) - 1);
	close(fds[0]);
	if (n > 0) {
		why[n] = '\0';
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status != 0) {
		check_found(check, CHECK_MODULE_FAILS, MIRROR_VFS_DIR
			    "/mirror.so: %s", why);
	}
}
