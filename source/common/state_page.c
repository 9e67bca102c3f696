/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See state_page.h. */

#include <sys/stat.h>
#include <sys/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mapped_file.h"
#include "state_page.h"

#define PAGE_MAGIC UINT64_C(0x6d6972726f723033)
#define PAGE_BUCKETS 512
#define PAGE_BUCKET_LOCKS 64

/* File offsets of the slots' liveness locks: far above the content. */
#define PAGE_LIVENESS ((off_t)1 << 40)

enum entry_state {
	ENTRY_FREE = 0,
	ENTRY_SECONDARY,	/* a further lock of an operation */
	ENTRY_LOCKED,		/* the rest are states of a primary */
	ENTRY_TAGGED,
	ENTRY_APPLYING
};

struct page_entry {
	uint32_t state;		/* written last: a dead writer leaves no half */
	uint32_t slot;
	uint32_t shared;
	uint32_t passable;
	struct mirror_id id;
	uint64_t start;
	uint64_t end;
	uint64_t epoch;
	uint64_t sequence;
};

struct page_bucket {
	pthread_mutex_t mutex;
	uint32_t high;		/* entries at and above it are free */
	struct page_entry entries[PAGE_BUCKET_LOCKS];
};

struct page_slot {
	_Atomic uint32_t used;
	uint32_t pid;
	struct mirror_id session;
};

struct page_shared {
	uint64_t magic;
	uint64_t size;
	char volume[PAGE_VOLUME_MAX];

	/* mode, generation and partner change under control_mutex together
	 * with regime; readers compare regime before and after */
	pthread_mutex_t control_mutex;
	_Atomic uint32_t mode;
	_Atomic uint64_t regime;
	_Atomic uint64_t generation;
	_Atomic uint64_t device;
	_Atomic uint64_t lock_space;
	_Atomic uint64_t lease;
	struct page_partner partner;

	_Atomic uint64_t epoch;
	_Atomic uint64_t wiped;
	_Atomic uint64_t capacity;
	_Atomic uint64_t used[PAGE_EPOCH_RING];
	_Atomic uint64_t records;	/* sent, for the status */
	_Atomic uint64_t bytes;
	_Atomic uint64_t total_records;
	_Atomic uint64_t total_bytes;

	_Atomic uint32_t kick;		/* futex */

	struct page_slot slots[PAGE_SLOTS];
	struct page_bucket buckets[PAGE_BUCKETS];
};

struct state_page {
	struct page_shared *shared;
	struct mapped_file *file;
};

const char *page_mode_name(enum page_mode mode)
{
	static const char *const names[PAGE_MODE_END] = {
		[PAGE_ABSENT] = "absent",
		[PAGE_WAITING] = "waiting",
		[PAGE_MIRRORED] = "mirrored",
		[PAGE_DEGRADED] = "degraded",
		[PAGE_RELEASING] = "releasing",
	};

	return (unsigned)mode < PAGE_MODE_END ? names[mode] : "unknown";
}

/* ---------------------------------------------------------------- mapping */

static void mutex_lock(pthread_mutex_t *mutex)
{
	/* A holder that died left whole entries (see struct page_entry). */
	if (pthread_mutex_lock(mutex) == EOWNERDEAD) {
		pthread_mutex_consistent(mutex);
	}
}

static void mutex_unlock(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
}

static int shared_mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int ret;

	ret = pthread_mutexattr_init(&attributes);
	if (ret != 0) {
		return ret;
	}
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	ret = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return ret;
}

static int page_initialise(struct page_shared *shared, const char *volume)
{
	uint32_t i;
	int ret;

	ret = shared_mutex_init(&shared->control_mutex);
	for (i = 0; ret == 0 && i < PAGE_BUCKETS; i++) {
		ret = shared_mutex_init(&shared->buckets[i].mutex);
	}
	if (ret != 0) {
		return ret;
	}

	snprintf(shared->volume, sizeof(shared->volume), "%s", volume);
	shared->size = sizeof(*shared);
	/* Epoch 0 is "none": stores start with it as wiped. */
	atomic_store(&shared->epoch, 1);
	atomic_store(&shared->regime, 1);
	atomic_thread_fence(memory_order_seq_cst);
	shared->magic = PAGE_MAGIC;
	return 0;
}

static int page_map(TALLOC_CTX *mem_ctx,
		    const char *directory,
		    const char *volume,
		    int flags,
		    struct state_page **result)
{
	struct state_page *page;
	char *path;
	int ret = ENOMEM;

	if (strlen(volume) >= PAGE_VOLUME_MAX) {
		return ENAMETOOLONG;
	}
	page = talloc_zero(mem_ctx, struct state_page);
	if (page == NULL) {
		return ENOMEM;
	}
	path = talloc_asprintf(page, "%s/%s.page", directory, volume);
	if (path != NULL) {
		ret = mapped_file_open(page, path, flags,
				       sizeof(*page->shared), &page->file);
	}
	if (ret != 0) {
		talloc_free(page);
		return ret;
	}
	page->shared = page->file->map;
	*result = page;
	return 0;
}

int state_page_create(TALLOC_CTX *mem_ctx,
		      const char *directory,
		      const char *volume,
		      struct state_page **page)
{
	char *path;
	struct stat st;
	int ret;

	path = talloc_asprintf(mem_ctx, "%s/%s.page", directory, volume);
	if (path == NULL) {
		return ENOMEM;
	}
	/* Made by another version of this code: nobody can go on with it. */
	if (stat(path, &st) == 0 &&
	    (size_t)st.st_size != sizeof(struct page_shared)) {
		unlink(path);
	}
	talloc_free(path);

	ret = page_map(mem_ctx, directory, volume, O_CREAT, page);
	if (ret != 0) {
		return ret;
	}
	if ((*page)->shared->magic == PAGE_MAGIC) {
		return 0;
	}
	ret = page_initialise((*page)->shared, volume);
	if (ret != 0) {
		TALLOC_FREE(*page);
	}
	return ret;
}

int state_page_open(TALLOC_CTX *mem_ctx,
		    const char *directory,
		    const char *volume,
		    struct state_page **page)
{
	int ret;

	ret = page_map(mem_ctx, directory, volume, 0, page);
	if (ret != 0) {
		return ret;
	}
	if ((*page)->shared->magic != PAGE_MAGIC) {
		TALLOC_FREE(*page);
		return EPROTO;
	}
	return 0;
}

/* --------------------------------------------------------- what smbd reads */

enum page_mode state_page_mode(const struct state_page *page)
{
	return (enum page_mode)atomic_load(&page->shared->mode);
}

uint64_t state_page_generation(const struct state_page *page)
{
	return atomic_load(&page->shared->generation);
}

uint64_t state_page_device(const struct state_page *page)
{
	return atomic_load(&page->shared->device);
}

uint64_t state_page_lock_space(const struct state_page *page)
{
	return atomic_load(&page->shared->lock_space);
}

uint64_t state_page_epoch(const struct state_page *page)
{
	return atomic_load(&page->shared->epoch);
}

uint64_t state_page_regime(const struct state_page *page)
{
	return atomic_load(&page->shared->regime);
}

int state_page_partner(const struct state_page *page,
		       struct page_partner *partner,
		       uint64_t *regime)
{
	struct page_shared *shared = page->shared;
	int ret = 0;

	mutex_lock(&shared->control_mutex);
	if (atomic_load(&shared->mode) == PAGE_MIRRORED) {
		*partner = shared->partner;
		*regime = atomic_load(&shared->regime);
	} else {
		ret = EAGAIN;
	}
	mutex_unlock(&shared->control_mutex);
	return ret;
}

void state_page_kick(struct state_page *page)
{
	atomic_fetch_add(&page->shared->kick, 1);
	syscall(SYS_futex, &page->shared->kick, FUTEX_WAKE, INT32_MAX, NULL,
		NULL, 0);
}

uint32_t state_page_wait_kick(struct state_page *page, uint32_t seen)
{
	uint32_t now;

	while ((now = atomic_load(&page->shared->kick)) == seen) {
		syscall(SYS_futex, &page->shared->kick, FUTEX_WAIT, seen, NULL,
			NULL, 0);
	}
	return now;
}

/* ------------------------------------------------------------------ lease */

uint64_t state_page_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void state_page_set_lease(struct state_page *page, uint64_t until)
{
	atomic_store(&page->shared->lease, until);
}

uint64_t state_page_lease(const struct state_page *page)
{
	return atomic_load(&page->shared->lease);
}

int state_page_may_answer(const struct state_page *page)
{
	enum page_mode mode = state_page_mode(page);

	if (mode == PAGE_ABSENT || mode == PAGE_RELEASING) {
		return ESTALE;
	}
	return state_page_clock() < state_page_lease(page) ? 0 : EAGAIN;
}

/* ------------------------------------------------------------------ slots */

static int slot_fcntl(const struct state_page *page, int cmd, uint32_t slot,
		      short type, bool *taken)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = PAGE_LIVENESS + slot,
		.l_len = 1,
	};

	if (fcntl(page->file->fd, cmd, &lock) == -1) {
		return errno;
	}
	if (taken != NULL) {
		*taken = lock.l_type != F_UNLCK;
	}
	return 0;
}

int state_page_attach(struct state_page *page,
		      const struct mirror_id *session,
		      uint32_t *slot)
{
	struct page_shared *shared = page->shared;
	uint32_t i;

	for (i = 0; i < PAGE_SLOTS; i++) {
		if (atomic_load(&shared->slots[i].used) != 0) {
			continue;
		}
		/* The lock first: a slot in use without one is a dead one. */
		if (slot_fcntl(page, F_OFD_SETLK, i, F_WRLCK, NULL) != 0) {
			continue;
		}
		if (atomic_load(&shared->slots[i].used) != 0) {
			slot_fcntl(page, F_OFD_SETLK, i, F_UNLCK, NULL);
			continue;
		}
		shared->slots[i].session = *session;
		shared->slots[i].pid = getpid();
		atomic_store(&shared->slots[i].used, 1);
		*slot = i;
		return 0;
	}
	return ENOSPC;
}

void state_page_detach(struct state_page *page, uint32_t slot)
{
	atomic_store(&page->shared->slots[slot].used, 0);
	slot_fcntl(page, F_OFD_SETLK, slot, F_UNLCK, NULL);
}

/* ------------------------------------------- operations: lock, tag, apply */

static struct page_entry *hold_entry(struct state_page *page,
				     const struct page_hold *hold,
				     uint32_t i,
				     struct page_bucket **bucket)
{
	*bucket = &page->shared->buckets[hold->at[i].bucket];
	return &(*bucket)->entries[hold->at[i].index];
}

static bool conflicts(const struct page_entry *entry,
		      uint32_t slot,
		      const struct page_lock *lock)
{
	if (entry->state == ENTRY_FREE ||
	    !mirror_id_equal(&entry->id, &lock->id)) {
		return false;
	}
	if (entry->start >= lock->end || lock->start >= entry->end) {
		return false;
	}
	if (entry->shared && lock->shared) {
		return false;
	}
	return !(entry->slot == slot && entry->passable);
}

static int bucket_take(struct page_bucket *bucket,
		       uint32_t slot,
		       const struct page_lock *lock,
		       enum entry_state state,
		       uint16_t *index)
{
	struct page_entry *entry = NULL;
	uint32_t i;

	for (i = 0; i < bucket->high; i++) {
		if (bucket->entries[i].state == ENTRY_FREE) {
			entry = entry != NULL ? entry : &bucket->entries[i];
		} else if (conflicts(&bucket->entries[i], slot, lock)) {
			return EAGAIN;
		}
	}
	if (entry == NULL) {
		if (bucket->high == PAGE_BUCKET_LOCKS) {
			return EAGAIN;
		}
		entry = &bucket->entries[bucket->high++];
	}
	entry->slot = slot;
	entry->shared = lock->shared;
	entry->passable = 0;
	entry->id = lock->id;
	entry->start = lock->start;
	entry->end = lock->end;
	entry->epoch = 0;
	entry->sequence = 0;
	atomic_thread_fence(memory_order_release);
	entry->state = state;
	*index = entry - bucket->entries;
	return 0;
}

static void bucket_free(struct page_bucket *bucket, uint32_t index)
{
	bucket->entries[index].state = ENTRY_FREE;
	while (bucket->high > 0 &&
	       bucket->entries[bucket->high - 1].state == ENTRY_FREE) {
		bucket->high--;
	}
}

/* A rename within a directory, two links of one object: the same place twice
 * must not wait for itself. */
static bool lock_repeats(const struct page_lock *locks, uint32_t i)
{
	uint32_t k;

	for (k = 0; k < i; k++) {
		if (mirror_id_equal(&locks[k].id, &locks[i].id) &&
		    locks[k].start == locks[i].start &&
		    locks[k].end == locks[i].end) {
			return true;
		}
	}
	return false;
}

int state_page_lock(struct state_page *page,
		    uint32_t slot,
		    const struct page_lock *locks,
		    uint32_t count,
		    struct page_hold *hold)
{
	uint32_t i;
	int ret;

	if (count == 0 || count > PAGE_LOCKS_MAX) {
		return EINVAL;
	}
	*hold = (struct page_hold){ .slot = slot };

	for (i = 0; i < count; i++) {
		uint16_t b = mirror_id_hash(&locks[i].id) % PAGE_BUCKETS;
		struct page_bucket *bucket = &page->shared->buckets[b];
		uint32_t n = hold->count;

		if (lock_repeats(locks, i)) {
			continue;
		}
		hold->at[n].bucket = b;
		mutex_lock(&bucket->mutex);
		ret = bucket_take(bucket, slot, &locks[i],
				  n == 0 ? ENTRY_LOCKED : ENTRY_SECONDARY,
				  &hold->at[n].index);
		mutex_unlock(&bucket->mutex);
		if (ret != 0) {
			/* All or none: so nobody waits while holding. */
			state_page_unlock(page, hold);
			return ret;
		}
		hold->count++;
	}
	return 0;
}

static bool reserve(struct page_shared *shared, uint64_t epoch, uint64_t bytes)
{
	_Atomic uint64_t *used = &shared->used[epoch % PAGE_EPOCH_RING];
	uint64_t capacity = atomic_load(&shared->capacity);
	uint64_t before = atomic_fetch_add(used, bytes);

	if (before + bytes > capacity) {
		atomic_fetch_sub(used, bytes);
		return false;
	}
	return true;
}

static bool crossed_half(struct page_shared *shared,
			 uint64_t epoch,
			 uint64_t bytes)
{
	uint64_t used = atomic_load(&shared->used[epoch % PAGE_EPOCH_RING]);
	uint64_t half = atomic_load(&shared->capacity) / 2;

	return used > half && used - bytes <= half;
}

int state_page_tag(struct state_page *page,
		   struct page_hold *hold,
		   uint64_t regime,
		   uint64_t bytes)
{
	struct page_shared *shared = page->shared;
	struct page_bucket *bucket;
	struct page_entry *entry = hold_entry(page, hold, 0, &bucket);

	for (;;) {
		uint64_t epoch = atomic_load(&shared->epoch);
		bool current;

		if (atomic_load(&shared->regime) != regime) {
			return ESTALE;
		}
		if (!reserve(shared, epoch, bytes)) {
			state_page_kick(page);
			return EAGAIN;
		}
		/*
		 * R8: mirrord publishes a new epoch and then looks at every
		 * bucket under its mutex. Either it sees this tag or we see
		 * its epoch.
		 */
		mutex_lock(&bucket->mutex);
		current = atomic_load(&shared->epoch) == epoch;
		if (current) {
			entry->epoch = epoch;
			entry->state = ENTRY_TAGGED;
		}
		mutex_unlock(&bucket->mutex);
		if (current) {
			hold->epoch = epoch;
			hold->reserved = bytes;
			atomic_fetch_add(&shared->bytes, bytes);
			atomic_fetch_add(&shared->total_records, 1);
			atomic_fetch_add(&shared->total_bytes, bytes);
			if (crossed_half(shared, epoch, bytes)) {
				state_page_kick(page);
			}
			return 0;
		}
		atomic_fetch_sub(&shared->used[epoch % PAGE_EPOCH_RING],
				 bytes);
	}
}

void state_page_sequence(struct state_page *page,
			 struct page_hold *hold,
			 uint64_t sequence)
{
	struct page_bucket *bucket;
	struct page_entry *entry = hold_entry(page, hold, 0, &bucket);

	mutex_lock(&bucket->mutex);
	entry->sequence = sequence;
	mutex_unlock(&bucket->mutex);
	atomic_fetch_add(&page->shared->records, 1);
}

int state_page_apply(struct state_page *page,
		     struct page_hold *hold,
		     enum page_mode mode,
		     uint64_t regime)
{
	struct page_shared *shared = page->shared;
	struct page_bucket *bucket;
	struct page_entry *entry = hold_entry(page, hold, 0, &bucket);
	int ret = 0;

	/* R11: mirrord changes the mode and then waits until no entry is
	 * APPLYING; so this check and the mark are one step for it. */
	mutex_lock(&bucket->mutex);
	if (atomic_load(&shared->regime) == regime &&
	    atomic_load(&shared->mode) == (uint32_t)mode) {
		entry->state = ENTRY_APPLYING;
	} else {
		ret = ESTALE;
	}
	mutex_unlock(&bucket->mutex);
	return ret;
}

void state_page_pass(struct state_page *page, struct page_hold *hold)
{
	uint32_t i;

	for (i = 0; i < hold->count; i++) {
		struct page_bucket *bucket;
		struct page_entry *entry = hold_entry(page, hold, i, &bucket);

		mutex_lock(&bucket->mutex);
		entry->passable = 1;
		if (i == 0 && entry->state == ENTRY_APPLYING) {
			entry->state = ENTRY_TAGGED;
		}
		mutex_unlock(&bucket->mutex);
	}
}

void state_page_unlock(struct state_page *page, struct page_hold *hold)
{
	uint32_t i;

	/* The primary last: as long as one lock is held, it tells why. */
	for (i = hold->count; i-- > 0; ) {
		struct page_bucket *bucket;

		hold_entry(page, hold, i, &bucket);
		mutex_lock(&bucket->mutex);
		bucket_free(bucket, hold->at[i].index);
		mutex_unlock(&bucket->mutex);
	}
	hold->count = 0;
}

void state_page_report_partner(struct state_page *page, uint64_t regime)
{
	struct page_shared *shared = page->shared;

	mutex_lock(&shared->control_mutex);
	if (atomic_load(&shared->regime) == regime &&
	    atomic_load(&shared->mode) == PAGE_MIRRORED) {
		atomic_store(&shared->mode, PAGE_WAITING);
		atomic_fetch_add(&shared->regime, 1);
	}
	mutex_unlock(&shared->control_mutex);
	state_page_kick(page);
}

/* ------------------------------------------------------- mirrord, the owner */

void state_page_set_device(struct state_page *page, uint64_t device)
{
	atomic_store(&page->shared->device, device);
}

void state_page_set_lock_space(struct state_page *page, uint64_t lock_space)
{
	atomic_store(&page->shared->lock_space, lock_space);
}

void state_page_set_mode(struct state_page *page,
			 enum page_mode mode,
			 uint64_t generation,
			 const struct page_partner *partner)
{
	struct page_shared *shared = page->shared;

	mutex_lock(&shared->control_mutex);
	if (partner != NULL) {
		shared->partner = *partner;
	}
	atomic_store(&shared->generation, generation);
	atomic_store(&shared->mode, mode);
	atomic_fetch_add(&shared->regime, 1);
	mutex_unlock(&shared->control_mutex);
}

void state_page_set_capacity(struct state_page *page, uint64_t epoch_bytes)
{
	atomic_store(&page->shared->capacity, epoch_bytes);
}

uint64_t state_page_capacity(const struct state_page *page)
{
	return atomic_load(&page->shared->capacity);
}

int state_page_advance(struct state_page *page, uint64_t *closed)
{
	struct page_shared *shared = page->shared;
	uint64_t epoch = atomic_load(&shared->epoch);

	/* The next epoch's place in the ring must be empty at the partner. */
	if (epoch + 1 > atomic_load(&shared->wiped) + PAGE_EPOCH_RING) {
		return EBUSY;
	}
	atomic_store(&shared->used[(epoch + 1) % PAGE_EPOCH_RING], 0);
	atomic_store(&shared->epoch, epoch + 1);
	*closed = epoch;
	return 0;
}

void state_page_set_wiped(struct state_page *page, uint64_t epoch)
{
	atomic_store(&page->shared->wiped, epoch);
}

uint64_t state_page_wiped(const struct state_page *page)
{
	return atomic_load(&page->shared->wiped);
}

uint64_t state_page_used(const struct state_page *page)
{
	const struct page_shared *shared = page->shared;
	uint64_t epoch = atomic_load(&shared->epoch);

	return atomic_load(&shared->used[epoch % PAGE_EPOCH_RING]);
}

uint64_t state_page_used_total(const struct state_page *page)
{
	const struct page_shared *shared = page->shared;
	uint64_t epoch = atomic_load(&shared->wiped) + 1;
	uint64_t last = atomic_load(&shared->epoch);
	uint64_t total = 0;

	for (; epoch <= last; epoch++) {
		total += atomic_load(&shared->used[epoch % PAGE_EPOCH_RING]);
	}
	return total;
}

void state_page_totals(const struct state_page *page,
		       uint64_t *records,
		       uint64_t *bytes)
{
	*records = atomic_load(&page->shared->total_records);
	*bytes = atomic_load(&page->shared->total_bytes);
}

uint64_t state_page_records(const struct state_page *page)
{
	return atomic_load(&page->shared->records);
}

uint64_t state_page_bytes(const struct state_page *page)
{
	return atomic_load(&page->shared->bytes);
}

struct scan {
	uint32_t primaries;
	uint32_t applying;
	uint32_t of_epoch;
	uint64_t epoch;
};

static void page_scan(struct state_page *page, struct scan *scan)
{
	uint32_t b, i;

	for (b = 0; b < PAGE_BUCKETS; b++) {
		struct page_bucket *bucket = &page->shared->buckets[b];

		mutex_lock(&bucket->mutex);
		for (i = 0; i < bucket->high; i++) {
			const struct page_entry *entry = &bucket->entries[i];

			if (entry->state < ENTRY_LOCKED) {
				continue;
			}
			scan->primaries++;
			if (entry->state == ENTRY_APPLYING) {
				scan->applying++;
			}
			if (entry->state >= ENTRY_TAGGED &&
			    entry->epoch != 0 &&
			    entry->epoch <= scan->epoch) {
				scan->of_epoch++;
			}
		}
		mutex_unlock(&bucket->mutex);
	}
}

bool state_page_epoch_busy(struct state_page *page, uint64_t epoch)
{
	struct scan scan = { .epoch = epoch };

	page_scan(page, &scan);
	return scan.of_epoch != 0;
}

bool state_page_applying(struct state_page *page)
{
	struct scan scan = { .epoch = 0 };

	page_scan(page, &scan);
	return scan.applying != 0;
}

uint32_t state_page_in_flight(struct state_page *page)
{
	struct scan scan = { .epoch = 0 };

	page_scan(page, &scan);
	return scan.primaries;
}

uint32_t state_page_processes(struct state_page *page)
{
	uint32_t i, n = 0;

	for (i = 0; i < PAGE_SLOTS; i++) {
		n += atomic_load(&page->shared->slots[i].used) != 0;
	}
	return n;
}

/* The lowest sequence that a slot has in flight; 0: none was sent. */
static uint64_t slot_first_sequence(struct state_page *page, uint32_t slot)
{
	uint64_t first = 0;
	uint32_t b, i;

	for (b = 0; b < PAGE_BUCKETS; b++) {
		struct page_bucket *bucket = &page->shared->buckets[b];

		mutex_lock(&bucket->mutex);
		for (i = 0; i < bucket->high; i++) {
			const struct page_entry *entry = &bucket->entries[i];

			if (entry->state >= ENTRY_TAGGED &&
			    entry->slot == slot && entry->sequence != 0 &&
			    (first == 0 || entry->sequence < first)) {
				first = entry->sequence;
			}
		}
		mutex_unlock(&bucket->mutex);
	}
	return first;
}

static int sequence_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t state_page_slot_sequences(struct state_page *page,
				   uint32_t slot,
				   uint64_t *sequences,
				   uint32_t max)
{
	uint32_t n = 0;
	uint32_t b, i;

	for (b = 0; b < PAGE_BUCKETS; b++) {
		struct page_bucket *bucket = &page->shared->buckets[b];

		mutex_lock(&bucket->mutex);
		for (i = 0; i < bucket->high; i++) {
			const struct page_entry *entry = &bucket->entries[i];

			/* Passable: applied already. */
			if (entry->state < ENTRY_TAGGED || entry->passable ||
			    entry->slot != slot || entry->sequence == 0) {
				continue;
			}
			if (n < max) {
				sequences[n] = entry->sequence;
			}
			n++;
		}
		mutex_unlock(&bucket->mutex);
	}
	qsort(sequences, n < max ? n : max, sizeof(*sequences),
	      sequence_compare);
	return n;
}

void state_page_reap(struct state_page *page,
		     page_dead_slot found,
		     void *private_data)
{
	struct page_shared *shared = page->shared;
	uint32_t i;

	for (i = 0; i < PAGE_SLOTS; i++) {
		struct mirror_id session;
		bool alive = true;

		if (atomic_load(&shared->slots[i].used) == 0) {
			continue;
		}
		if (slot_fcntl(page, F_OFD_GETLK, i, F_WRLCK, &alive) != 0 ||
		    alive) {
			continue;
		}
		session = shared->slots[i].session;
		found(page, i, &session, slot_first_sequence(page, i),
		      private_data);
	}
}

void state_page_free_slot(struct state_page *page, uint32_t slot)
{
	uint32_t b, i;

	for (b = 0; b < PAGE_BUCKETS; b++) {
		struct page_bucket *bucket = &page->shared->buckets[b];

		mutex_lock(&bucket->mutex);
		for (i = bucket->high; i-- > 0; ) {
			if (bucket->entries[i].state != ENTRY_FREE &&
			    bucket->entries[i].slot == slot) {
				bucket_free(bucket, i);
			}
		}
		mutex_unlock(&bucket->mutex);
	}
	atomic_store(&page->shared->slots[slot].used, 0);
}
