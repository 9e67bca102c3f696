/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast is a replay, and how fast are the same operations when they are
 * simply done?
 *
 *   mirror-replay-speed replay|direct KIND COUNT DEVICE ext4|xfs FOLDER STORE
 *
 * Makes objects on the volume of DEVICE (a fresh file system) as KIND needs
 * them, and mounts it anew. Then COUNT operations are
 *   replay   put into a mirror store in STORE (on a tmpfs), and then replayed
 *            as a takeover does it: what is measured is all from the first
 *            look at the store to the end of syncfs()
 *   direct   done, by the same user, by system calls on names in an open
 *            directory, and syncfs(): what no replay can be faster than
 * Prints a line of JSON. FOLDER is where the volume is mounted, in a mount
 * namespace of this process.
 *
 * Owns: the operations. Does not own: the file system, comparing (scale).
 */

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mirror_id.h"
#include "record.h"
#include "replay.h"
#include "store.h"

#define FOLDERS 64
#define FILES_OF_DATA 16
#define SESSIONS 8
/* Records of a session in a row. */
#define ROW 16
#define USER 2001
#define MIB (1024 * 1024)

struct object {
	struct mirror_id id;
	struct mirror_handle handle;
};

static struct {
	uint64_t count;
	const char *device, *fs, *folder, *store_folder;
	int root;
	int folders[FOLDERS];
	struct object folder_objects[FOLDERS];
	struct object *objects;
	uint64_t num_objects;
	uint8_t *data;
	size_t size;		/* of a record's data */
	struct store *store;
	struct mirror_id sessions[SESSIONS];
	uint64_t sequences[SESSIONS];
	uint64_t records;
	uint64_t stored;	/* bytes */
} bench;

/* Of write_direct(). */
static int data_fds[FILES_OF_DATA];

static void __attribute__((format(printf, 2, 3), noreturn))
fail(int error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "mirror-replay-speed: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(ap);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* ---- the volume -------------------------------------------------------- */

static void mount_volume(void)
{
	if (mount(bench.device, bench.folder, bench.fs, MS_NOATIME, "") == -1) {
		fail(errno, "mount %s", bench.device);
	}
	bench.root = open(bench.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bench.root == -1) {
		fail(errno, "open %s", bench.folder);
	}
}

static void open_folders(void)
{
	char name[32];
	int i;

	for (i = 0; i < FOLDERS; i++) {
		snprintf(name, sizeof(name), "folder%d", i);
		bench.folders[i] = openat(bench.root, name,
					  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (bench.folders[i] == -1) {
			fail(errno, "open %s", name);
		}
	}
}

static void close_volume(void)
{
	int i;

	for (i = 0; i < FILES_OF_DATA; i++) {
		if (data_fds[i] != 0) {
			close(data_fds[i]);
		}
	}
	for (i = 0; i < FOLDERS; i++) {
		close(bench.folders[i]);
	}
	close(bench.root);
	if (umount(bench.folder) == -1) {
		fail(errno, "umount %s", bench.folder);
	}
}

static void know(int fd, struct object *object)
{
	int ret;

	mirror_id_choose(&object->id);
	ret = mirror_id_set_fd(fd, &object->id);
	if (ret == 0) {
		ret = mirror_id_of_fd(fd, &object->id, &object->handle, NULL);
	}
	if (ret != 0) {
		fail(ret, "the id of an object");
	}
}

static int folder_of(uint64_t number)
{
	return bench.folders[number % FOLDERS];
}

static const char *name_of(uint64_t number, char *name)
{
	sprintf(name, "Report of quarter %ju.docx", (uintmax_t)number);
	return name;
}

static const char *new_name_of(uint64_t number, char *name)
{
	sprintf(name, "Final report of quarter %ju.docx", (uintmax_t)number);
	return name;
}

static void make_volume(uint64_t files)
{
	char name[64];
	uint64_t i;

	mount_volume();
	for (i = 0; i < FOLDERS; i++) {
		snprintf(name, sizeof(name), "folder%d", (int)i);
		if (mkdirat(bench.root, name, 0755) == -1 ||
		    fchownat(bench.root, name, USER, USER, 0) == -1) {
			fail(errno, "mkdir");
		}
	}
	open_folders();
	for (i = 0; i < FOLDERS; i++) {
		know(bench.folders[i], &bench.folder_objects[i]);
	}
	bench.num_objects = files;
	bench.objects = calloc(bench.count > files ? bench.count : files,
			       sizeof(*bench.objects));
	for (i = 0; i < files; i++) {
		int fd = openat(folder_of(i), name_of(i, name),
				O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);

		if (fd == -1 || fchown(fd, USER, USER) == -1) {
			fail(errno, "create %s", name);
		}
		know(fd, &bench.objects[i]);
		close(fd);
	}
	close_volume();
	mount_volume();
	open_folders();
}

/* ---- the operations ---------------------------------------------------- */

static void object_of(struct record *record, uint64_t number)
{
	record->object = bench.objects[number].id;
	record->object_hint = bench.objects[number].handle;
}

static void parent_of(struct record *record, uint64_t number)
{
	const struct object *folder =
		&bench.folder_objects[number % FOLDERS];

	record->parent = folder->id;
	record->parent_hint = folder->handle;
}

static void write_record(struct record *record, uint64_t i, char *name)
{
	record->type = RECORD_WRITE;
	object_of(record, i % FILES_OF_DATA);
	record->offset = i / FILES_OF_DATA * bench.size;
	record->data = bench.data;
	record->data_length = bench.size;
}

static int write_direct(uint64_t i, char *name)
{
	int *fd = &data_fds[i % FILES_OF_DATA];

	if (*fd == 0) {
		*fd = openat(folder_of(i % FILES_OF_DATA),
			     name_of(i % FILES_OF_DATA, name),
			     O_RDWR | O_CLOEXEC);
	}
	return pwrite(*fd, bench.data, bench.size,
		      (off_t)(i / FILES_OF_DATA * bench.size)) ==
		(ssize_t)bench.size ? 0 : -1;
}

static void create_record(struct record *record, uint64_t i, char *name)
{
	record->type = RECORD_CREATE;
	mirror_id_choose(&bench.objects[i].id);
	object_of(record, i);
	parent_of(record, i);
	record->name = name_of(i, name);
	record->mode = 0644;
}

static void become(uint32_t uid)
{
	if (syscall(SYS_setresuid, -1, uid, -1) == -1) {
		fail(errno, "setresuid");
	}
}

/* The id is part of it, and only root writes that. */
static int create_direct(uint64_t i, char *name)
{
	struct mirror_id id;
	int ret;
	int fd;

	fd = openat(folder_of(i), name_of(i, name),
		    O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	if (fd == -1) {
		return -1;
	}
	mirror_id_choose(&id);
	become(0);
	ret = mirror_id_set_fd(fd, &id);
	become(USER);
	close(fd);
	return ret == 0 ? 0 : -1;
}

static void rename_record(struct record *record, uint64_t i, char *name)
{
	static char name2[64];

	record->type = RECORD_RENAME;
	object_of(record, i);
	parent_of(record, i);
	record->parent2 = record->parent;
	record->parent2_hint = record->parent_hint;
	record->name = name_of(i, name);
	record->name2 = new_name_of(i, name2);
}

static int rename_direct(uint64_t i, char *name)
{
	char name2[64];

	return renameat2(folder_of(i), name_of(i, name), folder_of(i),
			 new_name_of(i, name2), RENAME_NOREPLACE);
}

static void unlink_record(struct record *record, uint64_t i, char *name)
{
	record->type = RECORD_UNLINK;
	object_of(record, i);
	parent_of(record, i);
	record->name = name_of(i, name);
}

static int unlink_direct(uint64_t i, char *name)
{
	return unlinkat(folder_of(i), name_of(i, name), 0);
}

static void times_record(struct record *record, uint64_t i, char *name)
{
	record->type = RECORD_TIMES;
	object_of(record, i);
	record->atime.seconds = record->mtime.seconds = 1600000000;
}

static int times_direct(uint64_t i, char *name)
{
	const struct timespec times[2] = {
		{ .tv_sec = 1600000000 }, { .tv_sec = 1600000000 }
	};

	return utimensat(folder_of(i), name_of(i, name), times, 0);
}

static const uint8_t attributes[60] = { 4, 0, 4 };

static void xattr_record(struct record *record, uint64_t i, char *name)
{
	record->type = RECORD_SETXATTR;
	object_of(record, i);
	record->name = "user.DOSATTRIB";
	record->data = attributes;
	record->data_length = sizeof(attributes);
}

static int xattr_direct(uint64_t i, char *name)
{
	int fd = openat(folder_of(i), name_of(i, name),
			O_RDWR | O_CLOEXEC);
	int ret;

	if (fd == -1) {
		return -1;
	}
	ret = fsetxattr(fd, "user.DOSATTRIB", attributes, sizeof(attributes),
			0);
	close(fd);
	return ret;
}

static const struct kind {
	const char *name;
	size_t size;	/* of data */
	bool files;	/* one for each operation is there already */
	void (*record)(struct record *record, uint64_t i, char *name);
	int (*direct)(uint64_t i, char *name);
} kinds[] = {
	{ "write-4k", 4096, false, write_record, write_direct },
	{ "write-64k", 65536, false, write_record, write_direct },
	{ "write-1m", MIB, false, write_record, write_direct },
	{ "create", 0, false, create_record, create_direct },
	{ "rename", 0, true, rename_record, rename_direct },
	{ "unlink", 0, true, unlink_record, unlink_direct },
	{ "times", 0, true, times_record, times_direct },
	{ "setxattr", 0, true, xattr_record, xattr_direct },
};

/* ---- both ways --------------------------------------------------------- */

static void add(const struct kind *kind, uint64_t i)
{
	const unsigned int session = (unsigned int)(i / ROW % SESSIONS);
	struct timespec t;
	struct record record = { .epoch = 1 };
	char name[64];
	size_t length;
	uint8_t *head, *bytes;
	int ret;

	clock_gettime(CLOCK_REALTIME, &t);
	kind->record(&record, i, name);
	record.sequence = ++bench.sequences[session];
	record.time.seconds = t.tv_sec;
	record.time.nanoseconds = (uint32_t)t.tv_nsec;
	record.credentials = (struct record_credentials){
		.uid = USER, .gid = USER, .umask = 022
	};
	ret = record_encode(NULL, &record, &head, &length);
	if (ret != 0) {
		fail(ret, "encode");
	}
	bytes = malloc(length + record.data_length);
	if (bytes == NULL) {
		fail(ENOMEM, "a record");
	}
	memcpy(bytes, head, length);
	if (record.data_length != 0) {
		memcpy(bytes + length, record.data, record.data_length);
	}
	length += record.data_length;
	ret = store_add(bench.store, &bench.sessions[session], bytes, length);
	if (ret != 0) {
		fail(ret, "the store takes no more");
	}
	bench.stored += length;
	free(bytes);
	talloc_free(head);
}

static void fill_store(const struct kind *kind)
{
	const uint64_t each = store_footprint(bench.size + 512);
	uint64_t i;
	int ret;

	ret = store_open(NULL, bench.store_folder, "speed", &bench.store, NULL);
	if (ret == 0) {
		ret = store_begin(bench.store, 1, 1, each * bench.count + MIB);
	}
	if (ret != 0) {
		fail(ret, "the store");
	}
	for (i = 0; i < SESSIONS; i++) {
		mirror_id_choose(&bench.sessions[i]);
	}
	for (i = 0; i < bench.count; i++) {
		add(kind, i);
	}
}

/* As takeover_replay.c does it. */
static int add_stored(uint64_t order,
		      const struct mirror_id *session,
		      const uint8_t *record,
		      size_t length,
		      void *private_data)
{
	return replay_add_stored(private_data, order, session, record, length);
}

struct showing {
	replay_viewer viewer;
	void *viewer_data;
	int ret;
};

static int show_record(uint64_t order,
		       const struct mirror_id *session,
		       const uint8_t *record,
		       size_t length,
		       void *private_data)
{
	struct showing *showing = private_data;

	showing->ret = showing->viewer(record, length, showing->viewer_data);
	return 0;
}

static int read_stored(uint64_t order,
		       replay_viewer viewer,
		       void *viewer_data,
		       void *private_data)
{
	struct showing showing = {
		.viewer = viewer, .viewer_data = viewer_data
	};
	int ret;

	ret = store_read(bench.store, order, show_record, &showing);
	return ret != 0 ? ret : showing.ret;
}

static void do_replay(double *read_at)
{
	struct replay_result result;
	struct replay *replay;
	int ret;

	ret = replay_new(NULL, bench.root, &replay);
	if (ret == 0) {
		replay_set_reader(replay, read_stored, NULL);
		ret = store_visit(bench.store, NULL, 0, add_stored, replay);
	}
	*read_at = now();
	if (ret == 0) {
		ret = replay_run(replay, NULL, NULL, &result);
	}
	if (ret != 0 || result.redone != bench.count) {
		fail(ret, "the replay of %ju records, %ju redone",
		     (uintmax_t)bench.count, (uintmax_t)result.redone);
	}
}

static void do_directly(const struct kind *kind)
{
	char name[64];
	uint64_t i;

	umask(022);
	become(USER);
	for (i = 0; i < bench.count; i++) {
		if (kind->direct(i, name) != 0) {
			fail(errno, "%s %s", kind->name, name);
		}
	}
	become(0);
	if (syncfs(bench.root) == -1) {
		fail(errno, "syncfs");
	}
}

static void measure(const struct kind *kind, bool replayed)
{
	double begin, read_at = 0, end, spent;
	struct rusage used;

	spent = cpu();
	begin = now();
	if (replayed) {
		do_replay(&read_at);
	} else {
		do_directly(kind);
	}
	end = now();
	getrusage(RUSAGE_SELF, &used);
	printf("{\"kind\": \"%s\", \"way\": \"%s\", \"operations\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, "
	       "\"reading\": %.6f, \"stored\": %" PRIu64
	       ", \"memory\": %ld}\n", kind->name,
	       replayed ? "replay" : "direct", bench.count,
	       bench.count * bench.size, end - begin, cpu() - spent,
	       replayed ? read_at - begin : 0, bench.stored,
	       used.ru_maxrss * 1024);
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	bool replayed;
	size_t i;

	if (argc != 8) {
		fail(EINVAL, "see the head of replay_speed.c");
	}
	replayed = strcmp(argv[1], "replay") == 0;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, argv[2]) == 0) {
			kind = &kinds[i];
		}
	}
	if (kind == NULL) {
		fail(EINVAL, "%s", argv[2]);
	}
	bench.count = strtoull(argv[3], NULL, 10);
	bench.device = argv[4];
	bench.fs = argv[5];
	bench.folder = argv[6];
	bench.store_folder = argv[7];
	bench.size = kind->size;
	if (kind->size != 0) {
		bench.data = malloc(kind->size);
		for (i = 0; i < kind->size; i++) {
			bench.data[i] = (uint8_t)random();
		}
	}
	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		fail(errno, "unshare");
	}
	make_volume(kind->files ? bench.count :
		    kind->size != 0 ? FILES_OF_DATA : 0);
	if (replayed) {
		fill_store(kind);
	}
	measure(kind, replayed);
	if (replayed) {
		store_end(bench.store);
	}
	close_volume();
	return 0;
}
