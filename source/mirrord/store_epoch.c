/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tdb file of a mirror store, see store_epoch.h. */

#include <sys/mman.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <endian.h>
#include <libdeflate.h>
#include <tdb.h>

#include "store_epoch.h"

#define HEADER_MAGIC 0x4d525232	/* also the version of the format */

/*
 * One process writes (store.c sees to that) and tools ask it rather than read
 * the files, so locks would only cost system calls. Syncing files in RAM is
 * pointless.
 */
#define EPOCH_TDB_FLAGS (TDB_NOLOCK | TDB_NOSYNC | TDB_INCOMPATIBLE_HASH)

/*
 * Chains stay short for records of this size and above: tdb walks one twice to
 * add a record. But a wipe clears them all, and nobody is served then.
 */
#define EPOCH_BYTES_PER_CHAIN 1024
#define EPOCH_CHAINS_MIN 1021
#define EPOCH_CHAINS_MAX 131071

/* From tdb_private.h: struct tdb_record, and the tailer. */
#define TDB_RECORD_HEADER 24
#define TDB_RECORD_TAILER 4

struct epoch_file {
	struct tdb_context *tdb;
	uint64_t held;
	uint64_t *held_place;	/* the same, in the file beside it */
};

struct record_key {
	uint64_t order;		/* big endian */
};

static TDB_DATA make_key(struct record_key *key, uint64_t order)
{
	key->order = htobe64(order);
	return (TDB_DATA){
		.dptr = (uint8_t *)key, .dsize = sizeof(*key)
	};
}

size_t epoch_file_footprint(size_t record_length)
{
	size_t length = sizeof(struct record_key) +
			sizeof(struct store_header) + record_length;

	/* tdb allocates a quarter more than it is asked for. */
	length += length / 4 + TDB_RECORD_TAILER;
	return TDB_RECORD_HEADER + ((length + 7) & ~(size_t)3);
}

/*
 * CRC-32, as zlib's; but by libdeflate, as zlib takes longer for it than all
 * the rest does that it takes to keep a large record.
 */
static uint32_t checksum(const struct store_header *header,
			 const uint8_t *record,
			 size_t length)
{
	const size_t skip = offsetof(struct store_header, session);
	uint32_t sum;

	sum = libdeflate_crc32(0, (const uint8_t *)header + skip,
			       sizeof(*header) - skip);
	return libdeflate_crc32(sum, record, length);
}

static int epoch_file_destructor(struct epoch_file *file)
{
	if (file->tdb != NULL) {
		tdb_close(file->tdb);
	}
	if (file->held_place != NULL) {
		munmap(file->held_place, sizeof(*file->held_place));
	}
	return 0;
}

static char *held_path(TALLOC_CTX *mem_ctx, const char *path)
{
	return talloc_asprintf(mem_ctx, "%s.held", path);
}

/* The number of records; flags as of open(2). 0, ENOENT, ENOSPC, EIO .. */
static int open_held(struct epoch_file *file, const char *path, int flags)
{
	char *name = held_path(file, path);
	struct stat st;
	void *place;
	int ret = 0;
	int fd;

	if (name == NULL) {
		return ENOMEM;
	}
	fd = open(name, flags | O_RDWR | O_CLOEXEC, 0600);
	talloc_free(name);
	if (fd == -1) {
		return errno;
	}
	/* A full tmpfs is found now, and not by a signal later. */
	if (flags & O_CREAT) {
		ret = posix_fallocate(fd, 0, sizeof(*file->held_place));
	} else if (fstat(fd, &st) == -1 ||
		   st.st_size != sizeof(*file->held_place)) {
		ret = EIO;
	}
	if (ret == 0) {
		place = mmap(NULL, sizeof(*file->held_place),
			     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (place == MAP_FAILED) {
			ret = errno;
		} else {
			file->held_place = place;
			file->held = *file->held_place;
		}
	}
	close(fd);
	return ret;
}

static int open_tdb(TALLOC_CTX *mem_ctx,
		    const char *path,
		    int chains,
		    int open_flags,
		    struct epoch_file **_file)
{
	struct epoch_file *file;
	int ret;

	file = talloc_zero(mem_ctx, struct epoch_file);
	if (file == NULL) {
		return ENOMEM;
	}
	file->tdb = tdb_open(path, chains, EPOCH_TDB_FLAGS,
			     open_flags | O_CLOEXEC, 0600);
	if (file->tdb == NULL) {
		ret = errno;
		if (ret != ENOENT && ret != ENOSPC && ret != ENOMEM) {
			ret = EIO;
		}
		talloc_free(file);
		return ret;
	}
	talloc_set_destructor(file, epoch_file_destructor);
	*_file = file;
	return 0;
}

static int store_error(struct epoch_file *file)
{
	return tdb_error(file->tdb) == TDB_ERR_OOM ? ENOSPC : EIO;
}

/* By one instruction, after all that it counts: a process that is killed has
 * done all of its stores up to somewhere, and none after. */
static void write_held(struct epoch_file *file, uint64_t held)
{
	__atomic_store_n(file->held_place, held, __ATOMIC_RELEASE);
	file->held = held;
}

/*
 * Grow the file to its final size at once: adding to a file that has room is
 * five to ten times faster than to one that grows. tdb expands by twice the
 * size of a large record that does not fit.
 */
static int grow(struct epoch_file *file, uint64_t capacity, int chains)
{
	/* Room for what killed writers may lose. */
	const uint64_t slack = 1024 * 1024;
	const uint64_t wanted = capacity + slack + 4 * (uint64_t)chains + 4096;

	/* tdb does not tell a full file system from a broken one. */
	if (fallocate(tdb_fd(file->tdb), FALLOC_FL_KEEP_SIZE, 0,
		      (off_t)wanted) == -1 && errno != EOPNOTSUPP) {
		return errno;
	}
	while (tdb_map_size(file->tdb) < wanted) {
		uint64_t missing = wanted - tdb_map_size(file->tdb);
		struct record_key key;
		TDB_DATA data = { .dsize = missing / 5 * 2 };
		int ret = 0;

		if (data.dsize < 256 * 1024) {
			data.dsize = 256 * 1024;
		}
		data.dptr = calloc(1, data.dsize);
		if (data.dptr == NULL) {
			return ENOMEM;
		}
		if (tdb_store(file->tdb, make_key(&key, missing), data,
			      TDB_REPLACE) != 0) {
			ret = store_error(file);
		}
		free(data.dptr);
		if (ret != 0) {
			return ret;
		}
	}
	return epoch_file_wipe(file);
}

/*
 * Write to every page once, so that no record has to wait for the kernel to
 * map it: that doubles the time of a record of 64 KiB.
 */
static int touch(struct epoch_file *file, uint64_t capacity)
{
	static const uint8_t zeroes[1024 * 1024];
	const TDB_DATA data = {
		.dptr = (uint8_t *)(uintptr_t)zeroes, .dsize = sizeof(zeroes)
	};
	const size_t footprint = epoch_file_footprint(sizeof(zeroes));
	uint64_t used;

	for (used = 0; used + footprint <= capacity; used += footprint) {
		struct record_key key;

		if (tdb_store(file->tdb, make_key(&key, used), data,
			      TDB_INSERT) != 0) {
			return store_error(file);
		}
	}
	return epoch_file_wipe(file);
}

int epoch_file_create(TALLOC_CTX *mem_ctx,
		      const char *path,
		      uint64_t capacity,
		      struct epoch_file **_file)
{
	uint64_t chains = capacity / EPOCH_BYTES_PER_CHAIN;
	struct epoch_file *file;
	int ret;

	if (capacity > EPOCH_FILE_CAPACITY_MAX) {
		return EFBIG;
	}
	if (chains < EPOCH_CHAINS_MIN) {
		chains = EPOCH_CHAINS_MIN;
	}
	if (chains > EPOCH_CHAINS_MAX) {
		chains = EPOCH_CHAINS_MAX;
	}
	ret = epoch_file_remove(path);
	if (ret != 0) {
		return ret;
	}
	ret = open_tdb(mem_ctx, path, (int)chains, O_RDWR | O_CREAT | O_EXCL,
		       &file);
	if (ret != 0) {
		return ret;
	}
	ret = open_held(file, path, O_CREAT | O_EXCL);
	if (ret == 0) {
		ret = grow(file, capacity, (int)chains);
	}
	if (ret == 0) {
		ret = touch(file, capacity);
	}
	if (ret != 0) {
		talloc_free(file);
		epoch_file_remove(path);
		return ret;
	}
	*_file = file;
	return 0;
}

int epoch_file_remove(const char *path)
{
	char *name = held_path(NULL, path);
	int ret = 0;

	if (name == NULL) {
		return ENOMEM;
	}
	if ((unlink(path) == -1 && errno != ENOENT) ||
	    (unlink(name) == -1 && errno != ENOENT)) {
		ret = errno;
	}
	talloc_free(name);
	return ret;
}

int epoch_file_open(TALLOC_CTX *mem_ctx,
		    const char *path,
		    struct epoch_file **_file)
{
	struct epoch_file *file;
	int ret;

	ret = open_tdb(mem_ctx, path, 0, O_RDWR, &file);
	if (ret != 0) {
		return ret;
	}
	ret = open_held(file, path, 0);
	if (ret != 0) {
		talloc_free(file);
		return ret == ENOMEM ? ret : EIO;
	}
	*_file = file;
	return 0;
}

static int look_at(TDB_DATA key,
		   TDB_DATA data,
		   bool check,
		   struct store_header *header,
		   const uint8_t **record,
		   size_t *length)
{
	struct record_key expected;

	if (data.dsize < sizeof(*header)) {
		return EIO;
	}
	/* tdb aligns to 4 bytes only. */
	memcpy(header, data.dptr, sizeof(*header));
	*record = data.dptr + sizeof(*header);
	*length = data.dsize - sizeof(*header);

	make_key(&expected, header->order);
	if (header->magic != HEADER_MAGIC ||
	    key.dsize != sizeof(expected) ||
	    memcmp(key.dptr, &expected, sizeof(expected)) != 0) {
		return EIO;
	}
	if (check && header->checksum != checksum(header, *record, *length)) {
		return EIO;
	}
	return 0;
}

struct visit_state {
	struct epoch_file *file;
	bool check;
	epoch_visitor visitor;
	void *private_data;
	uint64_t count;
	uint64_t sum;	/* of the numbers; with count and bound it proves that
			   each number is there once */
	int ret;
};

static int visit_record(struct tdb_context *tdb,
			TDB_DATA key,
			TDB_DATA data,
			void *private_data)
{
	struct visit_state *state = private_data;
	struct store_header header;
	const uint8_t *record;
	size_t length;

	state->ret = look_at(key, data, state->check, &header, &record,
			     &length);
	if (state->ret == 0 && state->check && !tdb_exists(tdb, key)) {
		/* In a chain, but not the right one. */
		state->ret = EIO;
	}
	if (state->ret != 0) {
		return -1;
	}
	/* A damaged chain may lead in circles. */
	state->count++;
	state->sum += header.number;
	if (header.number == 0 || header.number > state->file->held + 1 ||
	    state->count > state->file->held + 1) {
		state->ret = EIO;
		return -1;
	}
	state->ret = state->visitor(&header, record, length,
				    state->private_data);
	return state->ret != 0 ? -1 : 0;
}

static int parse_visited(TDB_DATA key, TDB_DATA data, void *private_data)
{
	struct visit_state *state = private_data;

	/* -1 only with state->ret. */
	return visit_record(state->file->tdb, key, data, state);
}

/* The data stay where they are; a traverse would copy all of them. */
static int visit_in_place(struct visit_state *state)
{
	struct tdb_context *tdb = state->file->tdb;
	TDB_DATA key = tdb_firstkey(tdb);
	int ret = 0;

	while (key.dptr != NULL && ret == 0) {
		TDB_DATA next;

		ret = tdb_parse_record(tdb, key, parse_visited, state);
		next = tdb_nextkey(tdb, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	return ret;
}

int epoch_file_visit(struct epoch_file *file,
		     bool check,
		     epoch_visitor visitor,
		     void *private_data)
{
	struct visit_state state = {
		.file = file, .check = check,
		.visitor = visitor, .private_data = private_data
	};
	uint64_t n;
	int ret;

	ret = check ? tdb_traverse_read(file->tdb, visit_record, &state) :
		visit_in_place(&state);
	if (ret == -1 || state.ret != 0) {
		return state.ret != 0 ? state.ret : EIO;
	}
	n = state.count;
	if (n < file->held || state.sum != n * (n + 1) / 2) {
		return EIO;
	}
	/* One more than was told: tell it, or the next one that is not told
	 * would be one too many. A child that only looks must not. */
	if (check) {
		write_held(file, n);
	}
	file->held = n;
	return 0;
}

struct parse_state {
	bool check;
	epoch_visitor visitor;
	void *private_data;
	int ret;
};

static int parse_record(TDB_DATA key, TDB_DATA data, void *private_data)
{
	struct parse_state *state = private_data;
	struct store_header header;
	const uint8_t *record;
	size_t length;

	state->ret = look_at(key, data, state->check, &header, &record,
			     &length);
	if (state->ret == 0) {
		state->ret = state->visitor(&header, record, length,
					    state->private_data);
	}
	return 0;
}

int epoch_file_parse(struct epoch_file *file,
		     uint64_t order,
		     bool check,
		     epoch_visitor visitor,
		     void *private_data)
{
	struct parse_state state = {
		.check = check,
		.visitor = visitor, .private_data = private_data
	};
	struct record_key key;

	if (tdb_parse_record(file->tdb, make_key(&key, order), parse_record,
			     &state) != 0) {
		return tdb_error(file->tdb) == TDB_ERR_NOEXIST ? ENOENT : EIO;
	}
	return state.ret;
}

int epoch_file_add(struct epoch_file *file,
		   struct store_header *header,
		   const uint8_t *record,
		   size_t length)
{
	struct record_key key;
	/* tdb wants them writable, but only reads. */
	TDB_DATA parts[] = {
		{ .dptr = (uint8_t *)header, .dsize = sizeof(*header) },
		{ .dptr = (uint8_t *)(uintptr_t)record, .dsize = length },
	};

	header->magic = HEADER_MAGIC;
	header->number = file->held + 1;
	header->checksum = checksum(header, record, length);

	if (tdb_storev(file->tdb, make_key(&key, header->order), parts, 2,
		       TDB_INSERT) != 0) {
		return store_error(file);
	}
	write_held(file, header->number);
	return 0;
}

int epoch_file_wipe(struct epoch_file *file)
{
	if (tdb_wipe_all(file->tdb) != 0) {
		return EIO;
	}
	write_held(file, 0);
	return 0;
}

uint64_t epoch_file_records(const struct epoch_file *file)
{
	return file->held;
}
