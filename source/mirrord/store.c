/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mirror store of one volume, see store.h. */

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"
#include "store.h"
#include "store_control.h"
#include "store_epoch.h"

#define SESSION_BUCKETS 1024	/* a power of two */

/* The kernel frees the memory of files that were removed beside us. */
#define FREE_TURN_MS 20
#define FREE_TURNS 100

/*
 * Sessions that have no record left are remembered (a process may be idle for
 * days and then go on), but not without limit: the ones that have been silent
 * for longest go first.
 */
#define SESSIONS_REMEMBERED 16384

struct session {
	struct session *next;	/* in its bucket */
	struct store_session s;
};

struct slot {
	struct epoch_file *file;	/* NULL if the store is unused */
	uint64_t bytes;			/* footprints */
};

struct store {
	char *directory;
	int directory_fd;	/* locked: one process has the store */
	struct control_file *control_file;
	struct store_control control;
	struct slot slots[STORE_RING];
	uint64_t last_epoch;
	struct session *sessions[SESSION_BUCKETS];
	uint32_t num_sessions;
	TALLOC_CTX *session_ctx;
	TALLOC_CTX *scratch;	/* of store_add: decoded names */
};

/* ---- sessions ---------------------------------------------------------- */

static struct session **session_place(const struct store *store,
				      const struct mirror_id *id)
{
	uint64_t bucket = mirror_id_hash(id) & (SESSION_BUCKETS - 1);
	struct session **place;

	/* The heads are ours to change even if the caller only looks. */
	place = (struct session **)(uintptr_t)&store->sessions[bucket];
	while (*place != NULL && !mirror_id_equal(&(*place)->s.id, id)) {
		place = &(*place)->next;
	}
	return place;
}

/* Returns 0 or ENOMEM. */
static int session_note(struct store *store,
			const struct mirror_id *id,
			uint64_t sequence,
			uint64_t epoch)
{
	struct session **place = session_place(store, id);

	if (*place == NULL) {
		*place = talloc_zero(store->session_ctx, struct session);
		if (*place == NULL) {
			return ENOMEM;
		}
		(*place)->s.id = *id;
		store->num_sessions++;
	}
	if (sequence > (*place)->s.last) {
		(*place)->s.last = sequence;
	}
	if (epoch > (*place)->s.epoch) {
		(*place)->s.epoch = epoch;
	}
	return 0;
}

static int sessions_forget(struct store *store)
{
	memset(store->sessions, 0, sizeof(store->sessions));
	store->num_sessions = 0;
	talloc_free(store->session_ctx);
	store->session_ctx = talloc_new(store);
	return store->session_ctx != NULL ? 0 : ENOMEM;
}

static int by_epoch_newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct store_session *)a)->epoch;
	uint64_t y = ((const struct store_session *)b)->epoch;

	return x > y ? -1 : x < y;
}

static int control_write(struct store *store)
{
	struct store_session *list;
	uint32_t count = 0;
	uint32_t kept;
	size_t i;
	int ret;

	list = talloc_array(store, struct store_session, store->num_sessions);
	if (list == NULL) {
		return ENOMEM;
	}
	for (i = 0; i < SESSION_BUCKETS; i++) {
		struct session *session;

		for (session = store->sessions[i]; session != NULL;
		     session = session->next) {
			list[count++] = session->s;
		}
	}
	kept = count;
	if (count > SESSIONS_REMEMBERED) {
		qsort(list, count, sizeof(*list), by_epoch_newest_first);
		kept = SESSIONS_REMEMBERED;
	}
	ret = control_file_write(store->control_file, &store->control, list,
				 kept);
	for (; ret == 0 && count > kept; count--) {
		struct session **place;
		struct session *gone;

		place = session_place(store, &list[count - 1].id);
		gone = *place;
		*place = gone->next;
		talloc_free(gone);
		store->num_sessions--;
	}
	talloc_free(list);
	return ret;
}

/* ---- open and close ---------------------------------------------------- */

static char *epoch_path(const struct store *store, size_t slot)
{
	return talloc_asprintf(store->scratch, "%s/epoch.%zu.tdb",
			       store->directory, slot);
}

static int store_destructor(struct store *store)
{
	if (store->directory_fd != -1) {
		/* Children of mirrord have the descriptor, too. */
		flock(store->directory_fd, LOCK_UN);
		close(store->directory_fd);
	}
	return 0;
}

static void close_slots(struct store *store)
{
	size_t i;

	for (i = 0; i < STORE_RING; i++) {
		TALLOC_FREE(store->slots[i].file);
		store->slots[i] = (struct slot){ .file = NULL };
	}
	store->last_epoch = 0;
}

static void *close_all(void *private_data)
{
	int *fds = private_data;
	size_t i;

	for (i = 0; i < STORE_RING; i++) {
		if (fds[i] != -1) {
			close(fds[i]);
		}
	}
	free(fds);
	return NULL;
}

/* Who closes a file last waits for the kernel to free its memory, which takes
 * 0.1 s for a GB: nobody is to be served later for that. */
static void close_beside(int *fds)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attributes);
	if (ret == 0) {
		pthread_attr_setdetachstate(&attributes,
					    PTHREAD_CREATE_DETACHED);
		/* Signals are for the loop. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		ret = pthread_create(&thread, &attributes, close_all, fds);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		pthread_attr_destroy(&attributes);
	}
	if (ret != 0) {
		close_all(fds);
	}
}

/* Empty, closed and gone: their memory is free again, in a moment. */
static int remove_slots(struct store *store)
{
	int *fds = malloc(STORE_RING * sizeof(*fds));
	int ret = 0;
	size_t i;

	if (fds == NULL) {
		return ENOMEM;
	}
	for (i = 0; i < STORE_RING; i++) {
		char *path = epoch_path(store, i);
		int removed;

		fds[i] = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		removed = path != NULL ? epoch_file_remove(path) : ENOMEM;
		ret = ret != 0 ? ret : removed;
		talloc_free(path);
	}
	close_slots(store);
	close_beside(fds);
	return ret;
}

static bool has_slots(const struct store *store)
{
	bool found = false;
	size_t i;

	for (i = 0; i < STORE_RING; i++) {
		char *path = epoch_path(store, i);

		found = found || path == NULL || access(path, F_OK) == 0;
		talloc_free(path);
	}
	return found;
}

/* Nothing may use the files any more before they change. */
static int mark_unused(struct store *store, const char *volume)
{
	int ret;

	store->control = (struct store_control){ .next_order = 1 };
	strncpy(store->control.volume, volume, WIRE_VOLUME_MAX);
	ret = sessions_forget(store);
	if (ret != 0) {
		return ret;
	}
	return control_write(store);
}

static bool epoch_is_live(const struct store *store, uint64_t epoch)
{
	return epoch > store->control.wiped &&
	       epoch - store->control.wiped <= STORE_RING;
}

struct load_state {
	struct store *store;
	struct slot *slot;
	size_t index;
};

static int load_record(const struct store_header *header,
		       const uint8_t *record,
		       size_t length,
		       void *private_data)
{
	struct load_state *state = private_data;
	struct store *store = state->store;
	struct slot *slot = state->slot;

	if (!epoch_is_live(store, header->epoch) ||
	    header->epoch % STORE_RING != state->index) {
		return EIO;
	}
	slot->bytes += epoch_file_footprint(length);

	if (header->order >= store->control.next_order) {
		store->control.next_order = header->order + 1;
	}
	if (header->epoch > store->last_epoch) {
		store->last_epoch = header->epoch;
	}
	return session_note(store, &header->session, header->sequence,
			    header->epoch);
}

static int load_slot(struct store *store, size_t index)
{
	struct slot *slot = &store->slots[index];
	struct load_state state = {
		.store = store, .slot = slot, .index = index
	};
	char *path = epoch_path(store, index);
	int ret;

	if (path == NULL) {
		return ENOMEM;
	}
	ret = epoch_file_open(store, path, &slot->file);
	talloc_free(path);
	if (ret != 0) {
		return ret == ENOENT ? EIO : ret;
	}
	if (store->control.wiping & (UINT64_C(1) << index)) {
		/* Half gone, and none of it is wanted any more. */
		return epoch_file_wipe(slot->file);
	}
	return epoch_file_visit(slot->file, true, load_record, &state);
}

/* EIO: damaged. */
static int load(struct store *store, const char *volume)
{
	struct store_session *sessions = NULL;
	uint32_t i;
	int ret;

	ret = control_file_read(store->control_file, store->scratch,
				&store->control, &sessions);
	if (ret == ENOENT) {
		/* New; but then there are no records either. */
		return has_slots(store) ? EIO : mark_unused(store, volume);
	}
	if (ret != 0) {
		return ret;
	}
	if (strcmp(store->control.volume, volume) != 0) {
		return EIO;
	}
	if (mirror_id_is_none(&store->control.incarnation)) {
		/* Killed in store_begin() or store_end(): what there may be
		 * of files is nobody's. */
		return remove_slots(store);
	}
	for (i = 0; i < store->control.num_sessions; i++) {
		ret = session_note(store, &sessions[i].id, sessions[i].last,
				   sessions[i].epoch);
		if (ret != 0) {
			return ret;
		}
	}
	for (i = 0; i < STORE_RING; i++) {
		ret = load_slot(store, i);
		if (ret != 0) {
			return ret;
		}
	}
	if (store->control.wiping != 0) {
		store->control.wiping = 0;
		ret = control_write(store);
	}
	return ret;
}

static char *control_path(const struct store *store)
{
	return talloc_asprintf(store->scratch, "%s/control.tdb",
			       store->directory);
}

static int open_control(struct store *store)
{
	char *path = control_path(store);
	int ret;

	if (path == NULL) {
		return ENOMEM;
	}
	ret = control_file_open(store, path, &store->control_file);
	talloc_free(path);
	/* Whatever else tdb says: it is not one. */
	return ret == 0 || ret == ENOMEM || ret == ENOSPC ? ret : EIO;
}

/* Never a wrong store, rather none: its owner makes everything stable (R5). */
static int start_over(struct store *store, const char *volume)
{
	char *path = control_path(store);
	int ret;

	if (path == NULL) {
		return ENOMEM;
	}
	TALLOC_FREE(store->control_file);
	if (unlink(path) == -1 && errno != ENOENT) {
		return errno;
	}
	talloc_free(path);
	ret = remove_slots(store);
	if (ret == 0) {
		ret = open_control(store);
	}
	return ret == 0 ? mark_unused(store, volume) : ret;
}

static int open_directory(struct store *store)
{
	if (mkdir(store->directory, 0700) == -1 && errno != EEXIST) {
		return errno;
	}
	store->directory_fd = open(store->directory,
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->directory_fd == -1) {
		return errno;
	}
	/* Two writers would ruin it: the epochs' files have no locks. */
	if (flock(store->directory_fd, LOCK_EX | LOCK_NB) == -1) {
		return errno == EWOULDBLOCK ? EBUSY : errno;
	}
	return 0;
}

int store_open(TALLOC_CTX *mem_ctx,
	       const char *directory,
	       const char *volume,
	       struct store **_store,
	       bool *lost)
{
	struct store *store;
	int ret;

	if (lost != NULL) {
		*lost = false;
	}
	if (strlen(volume) > WIRE_VOLUME_MAX) {
		return ENAMETOOLONG;
	}
	store = talloc_zero(mem_ctx, struct store);
	if (store == NULL) {
		return ENOMEM;
	}
	store->directory_fd = -1;
	talloc_set_destructor(store, store_destructor);

	store->directory = talloc_strdup(store, directory);
	store->session_ctx = talloc_new(store);
	store->scratch = talloc_pool(store, 16 * 1024);
	if (store->directory == NULL || store->session_ctx == NULL ||
	    store->scratch == NULL) {
		talloc_free(store);
		return ENOMEM;
	}
	ret = open_directory(store);
	if (ret != 0) {
		talloc_free(store);
		return ret;
	}
	ret = open_control(store);
	if (ret == 0) {
		ret = load(store, volume);
	}
	if (ret == EIO) {
		if (lost != NULL) {
			*lost = true;
		}
		ret = start_over(store, volume);
	}
	talloc_free_children(store->scratch);
	if (ret != 0) {
		talloc_free(store);
		return ret;
	}
	*_store = store;
	return 0;
}

/* The memory of the files before may not be free yet. */
static int create_file(struct store *store, const char *path,
		       uint64_t capacity, struct epoch_file **file)
{
	int turn, ret;

	for (turn = 0;; turn++) {
		ret = epoch_file_create(store, path, capacity, file);
		if (ret != ENOSPC || turn == FREE_TURNS) {
			return ret;
		}
		poll(NULL, 0, FREE_TURN_MS);
	}
}

int store_begin(struct store *store,
		uint64_t generation,
		uint64_t first_epoch,
		uint64_t epoch_capacity)
{
	size_t i;
	int ret;

	if (first_epoch == 0 || epoch_capacity == 0) {
		return EINVAL;
	}
	ret = store_end(store);
	if (ret != 0) {
		return ret;
	}
	for (i = 0; i < STORE_RING; i++) {
		char *path = epoch_path(store, i);

		if (path == NULL) {
			ret = ENOMEM;
		} else {
			ret = create_file(store, path, epoch_capacity,
					  &store->slots[i].file);
			talloc_free(path);
		}
		if (ret != 0) {
			remove_slots(store);
			return ret;
		}
	}
	mirror_id_choose(&store->control.incarnation);
	store->control.generation = generation;
	store->control.wiped = first_epoch - 1;
	store->control.epoch_capacity = epoch_capacity;
	ret = control_write(store);
	if (ret != 0) {
		store->control.incarnation = (struct mirror_id){ { 0 } };
		remove_slots(store);
	}
	return ret;
}

int store_end(struct store *store)
{
	char volume[WIRE_VOLUME_MAX + 1];
	int ret;

	memcpy(volume, store->control.volume, sizeof(volume));
	ret = mark_unused(store, volume);
	if (ret != 0) {
		return ret;
	}
	return remove_slots(store);
}

/* ---- records ----------------------------------------------------------- */

/* R6: what cannot be decoded must not wait for a takeover to be found out. */
static int check_record(struct store *store,
			const uint8_t *buf,
			size_t length,
			uint64_t *sequence,
			uint64_t *epoch)
{
	struct record record;
	int ret;

	ret = record_decode(store->scratch, buf, length, &record);
	if (ret == 0) {
		*sequence = record.sequence;
		*epoch = record.epoch;
	}
	talloc_free_children(store->scratch);
	return ret;
}

int store_add(struct store *store,
	      const struct mirror_id *session,
	      const uint8_t *record,
	      size_t length)
{
	struct store_header header = { .session = *session };
	uint64_t last;
	struct slot *slot;
	size_t footprint;
	int ret;

	ret = check_record(store, record, length, &header.sequence,
			   &header.epoch);
	if (ret != 0) {
		return ret;
	}
	if (mirror_id_is_none(&store->control.incarnation)) {
		return ESTALE;
	}
	last = store_session_last(store, session);
	if (header.sequence <= last) {
		return 0;
	}
	/*
	 * A session that this incarnation has not seen yet may begin with any
	 * number: what came before is stable (R5).
	 */
	if (last != 0 && header.sequence != last + 1) {
		return EPROTO;
	}
	if (!epoch_is_live(store, header.epoch)) {
		return ESTALE;
	}
	slot = &store->slots[header.epoch % STORE_RING];
	footprint = epoch_file_footprint(length);
	if (slot->bytes + footprint > store->control.epoch_capacity) {
		return ENOSPC;
	}
	/* Before the record is kept: afterwards nothing may fail. */
	ret = session_note(store, session, last, header.epoch);
	if (ret != 0) {
		return ret;
	}
	header.order = store->control.next_order;
	ret = epoch_file_add(slot->file, &header, record, length);
	if (ret != 0) {
		return ret;
	}
	store->control.next_order++;
	slot->bytes += footprint;
	if (header.epoch > store->last_epoch) {
		store->last_epoch = header.epoch;
	}
	return session_note(store, session, header.sequence, header.epoch);
}

uint64_t store_session_last(const struct store *store,
			    const struct mirror_id *session)
{
	const struct session *found = *session_place(store, session);

	return found != NULL ? found->s.last : 0;
}

/* Slots of the epochs that are gone when all up to epoch are. */
static uint64_t slots_to_wipe(const struct store *store, uint64_t epoch)
{
	uint64_t slots = store->control.wiping;
	uint64_t e;

	for (e = store->control.wiped + 1;
	     e <= epoch && epoch_is_live(store, e); e++) {
		slots |= UINT64_C(1) << (e % STORE_RING);
	}
	return slots;
}

int store_wipe(struct store *store, uint64_t epoch)
{
	const struct store_control before = store->control;
	const uint64_t slots = slots_to_wipe(store, epoch);
	size_t i;
	int ret;

	if (mirror_id_is_none(&store->control.incarnation)) {
		return ESTALE;
	}
	if (epoch <= store->control.wiped && slots == 0) {
		return 0;
	}
	/*
	 * First say so, then do it: what is killed in between is wiped when
	 * it is opened again, and never taken for a damaged file. The
	 * sessions and the order go with it: no record tells them any more.
	 */
	store->control.wiping = slots;
	if (epoch > store->control.wiped) {
		store->control.wiped = epoch;
	}
	ret = control_write(store);
	if (ret != 0) {
		store->control = before;
		return ret;
	}
	for (i = 0; i < STORE_RING; i++) {
		if ((slots & (UINT64_C(1) << i)) == 0) {
			continue;
		}
		ret = epoch_file_wipe(store->slots[i].file);
		if (ret != 0) {
			return ret;
		}
		store->slots[i].bytes = 0;
	}
	store->control.wiping = 0;
	return control_write(store);
}

int store_claim(struct store *store, uint64_t generation)
{
	if (mirror_id_is_none(&store->control.incarnation)) {
		return ESTALE;
	}
	store->control.claim = generation;
	return control_write(store);
}

void store_info(const struct store *store, struct store_info *info)
{
	size_t i;

	*info = (struct store_info){
		.incarnation = store->control.incarnation,
		.generation = store->control.generation,
		.claim = store->control.claim,
		.wiped = store->control.wiped,
		.last_epoch = store->last_epoch,
		.epoch_capacity = store->control.epoch_capacity,
	};
	for (i = 0; i < STORE_RING; i++) {
		if (store->slots[i].file != NULL) {
			info->records +=
				epoch_file_records(store->slots[i].file);
			info->bytes += store->slots[i].bytes;
		}
	}
}

/* ---- visit ------------------------------------------------------------- */

struct place {
	uint64_t order;
	size_t slot;
};

struct visit_state {
	const struct mirror_id *session;
	uint64_t from_sequence;
	size_t slot;
	struct place *places;
	size_t count;
	store_visitor visitor;
	void *private_data;
};

static int note_place(const struct store_header *header,
		      const uint8_t *record,
		      size_t length,
		      void *private_data)
{
	struct visit_state *state = private_data;

	if (header->sequence < state->from_sequence ||
	    (state->session != NULL &&
	     !mirror_id_equal(state->session, &header->session))) {
		return 0;
	}
	if (state->count == talloc_array_length(state->places)) {
		return EIO;
	}
	state->places[state->count++] = (struct place){
		.order = header->order, .slot = state->slot
	};
	return 0;
}

static int by_order(const void *a, const void *b)
{
	uint64_t x = ((const struct place *)a)->order;
	uint64_t y = ((const struct place *)b)->order;

	return x < y ? -1 : x > y;
}

static int visit_one(const struct store_header *header,
		     const uint8_t *record,
		     size_t length,
		     void *private_data)
{
	struct visit_state *state = private_data;

	return state->visitor(header->order, &header->session, record, length,
			      state->private_data);
}

int store_visit(struct store *store,
		const struct mirror_id *session,
		uint64_t from_sequence,
		store_visitor visitor,
		void *private_data)
{
	struct visit_state state = {
		.session = session, .from_sequence = from_sequence,
		.visitor = visitor, .private_data = private_data
	};
	struct store_info info;
	size_t i;
	int ret = 0;

	store_info(store, &info);
	state.places = talloc_array(store, struct place, info.records);
	if (state.places == NULL) {
		return ENOMEM;
	}
	for (i = 0; ret == 0 && i < STORE_RING; i++) {
		state.slot = i;
		if (store->slots[i].file != NULL) {
			ret = epoch_file_visit(store->slots[i].file, false,
					       note_place, &state);
		}
	}
	/* Epochs overlap a little in time: only the order counts. */
	if (ret == 0) {
		qsort(state.places, state.count, sizeof(*state.places),
		      by_order);
	}
	for (i = 0; ret == 0 && i < state.count; i++) {
		const struct place *place = &state.places[i];

		ret = epoch_file_parse(store->slots[place->slot].file,
				       place->order, true, visit_one, &state);
		if (ret == ENOENT) {
			ret = EIO;
		}
	}
	talloc_free(state.places);
	return ret;
}

int store_read(struct store *store,
	       uint64_t order,
	       store_visitor visitor,
	       void *private_data)
{
	struct visit_state state = {
		.visitor = visitor, .private_data = private_data
	};
	int ret = ENOENT;
	size_t i;

	for (i = 0; ret == ENOENT && i < STORE_RING; i++) {
		if (store->slots[i].file != NULL) {
			ret = epoch_file_parse(store->slots[i].file, order,
					       false, visit_one, &state);
		}
	}
	return ret;
}

size_t store_footprint(size_t record_length)
{
	return epoch_file_footprint(record_length);
}
