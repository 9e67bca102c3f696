/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sysctls that arpd changes, and what they were before, see kernel.h.
 *
 * The file is written before the sysctl: whatever moment arpd is killed in,
 * the next one knows what to put back. One line each:
 *
 *   net/ipv4/conf/lan0/forwarding 0 1 0      path, before, ours, always
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "kernel.h"

struct changed {
	struct kernel_sysctl sysctl;	/* with our value */
	int before;
};

struct kernel_sysctls {
	char *file;
	char *directory;
	struct changed rows[KERNEL_SYSCTLS_MAX];
	uint32_t num;
};

static int open_sysctl(const char *path, int flags)
{
	char full[128];

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	return open(full, flags | O_CLOEXEC);
}

int kernel_sysctl_read(const char *path)
{
	char buffer[32] = "";
	int fd = open_sysctl(path, O_RDONLY);
	ssize_t n;

	if (fd == -1) {
		return -1;
	}
	n = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	return n <= 0 ? -1 : atoi(buffer);
}

static int write_sysctl(const char *path, int value)
{
	int fd = open_sysctl(path, O_WRONLY);
	int ret = 0;

	if (fd == -1) {
		return errno;
	}
	if (dprintf(fd, "%d\n", value) < 0) {
		ret = errno;
	}
	close(fd);
	return ret;
}

static struct changed *find(const struct kernel_sysctls *sysctls,
			    const char *path)
{
	uint32_t i;

	for (i = 0; i < sysctls->num; i++) {
		if (strcmp(sysctls->rows[i].sysctl.path, path) == 0) {
			return (struct changed *)(uintptr_t)&sysctls->rows[i];
		}
	}
	return NULL;
}

bool kernel_sysctl_is_ours(const struct kernel_sysctls *sysctls,
			   const char *path, int value)
{
	int current = kernel_sysctl_read(path);

	return find(sysctls, path) != NULL ||
		(current != -1 && current != value);
}

/* -------------------------------------------------------------------- file */

static int save(const struct kernel_sysctls *sysctls)
{
	char *new_name = talloc_asprintf(NULL, "%s.new", sysctls->file);
	FILE *file;
	uint32_t i;
	int ret = 0;

	if (new_name == NULL) {
		return ENOMEM;
	}
	if (sysctls->num == 0) {
		unlink(sysctls->file);
		talloc_free(new_name);
		return 0;
	}
	mkdir(sysctls->directory, 0755);
	file = fopen(new_name, "we");
	if (file == NULL) {
		ret = errno;
		talloc_free(new_name);
		return ret;
	}
	for (i = 0; i < sysctls->num; i++) {
		const struct changed *row = &sysctls->rows[i];

		fprintf(file, "%s %d %d %d\n", row->sysctl.path, row->before,
			row->sysctl.value, row->sysctl.always);
	}
	if (fclose(file) != 0 || rename(new_name, sysctls->file) != 0) {
		ret = errno;
	}
	talloc_free(new_name);
	return ret;
}

static void load_line(struct kernel_sysctls *sysctls, const char *line)
{
	struct changed row = { .before = 0 };
	int always;

	if (sysctls->num < KERNEL_SYSCTLS_MAX &&
	    sscanf(line, "%95s %d %d %d", row.sysctl.path, &row.before,
		   &row.sysctl.value, &always) == 4 &&
	    strncmp(row.sysctl.path, "net/", 4) == 0 &&
	    strstr(row.sysctl.path, "..") == NULL) {
		row.sysctl.always = always != 0;
		sysctls->rows[sysctls->num++] = row;
	}
}

int kernel_sysctls_load(TALLOC_CTX *mem_ctx, const char *run_directory,
			struct kernel_sysctls **sysctls)
{
	struct kernel_sysctls *s = talloc_zero(mem_ctx, struct kernel_sysctls);
	char line[256];
	FILE *file;

	if (s == NULL) {
		return ENOMEM;
	}
	s->directory = talloc_strdup(s, run_directory);
	s->file = talloc_asprintf(s, "%s/%s", run_directory,
				  KERNEL_SYSCTL_FILE);
	if (s->directory == NULL || s->file == NULL) {
		talloc_free(s);
		return ENOMEM;
	}
	*sysctls = s;
	file = fopen(s->file, "re");
	if (file == NULL) {
		return 0;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		load_line(s, line);
	}
	fclose(file);
	return 0;
}

/* --------------------------------------------------------- there and back */

static bool is_wanted(const struct kernel_wanted *wanted, const char *path)
{
	uint32_t i;

	for (i = 0; i < wanted->num; i++) {
		if (strcmp(wanted->rows[i].path, path) == 0) {
			return true;
		}
	}
	return false;
}

int kernel_sysctls_restore(struct kernel_sysctls *sysctls,
			   const struct kernel_wanted *wanted)
{
	uint32_t i, kept = 0;
	int first = 0;

	for (i = sysctls->num; i-- > 0;) {
		struct changed *row = &sysctls->rows[i];
		int current = kernel_sysctl_read(row->sysctl.path);
		int ret = 0;

		if (is_wanted(wanted, row->sysctl.path)) {
			continue;
		}
		/* What somebody has set since then is his. */
		if (current != -1 && current != row->before &&
		    (row->sysctl.always || current == row->sysctl.value)) {
			ret = write_sysctl(row->sysctl.path, row->before);
		}
		if (ret != 0 && ret != ENOENT) {
			first = first == 0 ? ret : first;
			continue;
		}
		row->sysctl.path[0] = '\0';
	}
	for (i = 0; i < sysctls->num; i++) {
		if (sysctls->rows[i].sysctl.path[0] != '\0') {
			sysctls->rows[kept++] = sysctls->rows[i];
		}
	}
	if (kept != sysctls->num) {
		int ret;

		sysctls->num = kept;
		ret = save(sysctls);
		first = first == 0 ? ret : first;
	}
	return first;
}

static int set_one(struct kernel_sysctls *sysctls,
		   const struct kernel_sysctl *sysctl)
{
	struct changed *row = find(sysctls, sysctl->path);
	int current = kernel_sysctl_read(sysctl->path);
	int ret;

	if (current == -1 || (current == sysctl->value &&
			      (row != NULL || !sysctl->always))) {
		return 0;
	}
	if (row == NULL) {
		if (sysctls->num == KERNEL_SYSCTLS_MAX) {
			return ENOSPC;
		}
		row = &sysctls->rows[sysctls->num++];
	}
	/* Also if it is in the list: then the interface is a new one, or
	 * somebody has set it. */
	row->sysctl = *sysctl;
	row->before = current;
	ret = save(sysctls);
	if (ret == 0 && current != sysctl->value) {
		ret = write_sysctl(sysctl->path, sysctl->value);
	}
	return ret == ENOENT ? 0 : ret;
}

int kernel_sysctls_set(struct kernel_sysctls *sysctls,
		       const struct kernel_wanted *wanted)
{
	uint32_t i;
	int first = 0;

	for (i = 0; i < wanted->num; i++) {
		int ret = set_one(sysctls, &wanted->rows[i]);

		if (ret != 0) {
			event_log_once(EVENT_NETWORK_REFUSED,
				       wanted->rows[i].path,
				       "Cannot set sysctl %s: %s",
				       wanted->rows[i].path, strerror(ret));
			first = first == 0 ? ret : first;
		}
	}
	return first;
}
