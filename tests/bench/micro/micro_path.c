/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The whole way of a record, in one process; see micro.h. smbd's half is
 * micro_smbd.c with the module's own operation.c and sender.c; here is the
 * partner's mirrord with its loop, its links and its store. It runs when the
 * sender would wait: ppoll() is ours.
 */

#include <sys/socket.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "micro.h"
#include "partner_private.h"
#include "state_page.h"
#include "store.h"

#define CAPACITY (16 * 1024 * 1024)
/* The page reserves less than tdb takes: see store_footprint(). */
#define PAGE_CAPACITY (CAPACITY / 2)

#define HANDSHAKE_MS 5000

struct path_state {
	struct tevent_context *ev;
	struct state_page *page;
	struct link_key *key;
	struct store *store;
	struct partner_volume volume;
	struct partner_link link;
	int listener;
	struct tevent_fd *fde;
	struct micro_smbd *smbd;
	uint8_t *data;
	size_t length;
};

static struct path_state *world;

/* Not declared as ppoll(), of which the compiler knows that it only writes. */
int wait_for_partner(struct pollfd *fds, nfds_t count,
		     const struct timespec *timeout, const sigset_t *mask)
	__asm__("ppoll");

int wait_for_partner(struct pollfd *fds, nfds_t count,
		     const struct timespec *timeout, const sigset_t *mask)
{
	int ret = 0;

	/* Not connected yet: the sender tries again. */
	while (fds->fd != -1 && (ret = poll(fds, count, 0)) == 0) {
		micro_check(tevent_loop_once(world->ev) == 0, "no loop");
	}
	return ret;
}

/* ---- the partner ------------------------------------------------------- */

static void on_hello(struct path_state *state, const uint8_t *payload,
		     size_t length)
{
	struct message hello;
	struct message welcome = {
		.type = FRAME_WELCOME,
		.version = WIRE_VERSION_MAX,
		.generation = 1,
	};
	struct store_info info;

	micro_check(message_decode(state, FRAME_HELLO, payload, length,
				   &hello) == 0, "no hello");
	store_info(state->store, &info);
	state->link.session = hello.session;
	welcome.incarnation = info.incarnation;
	link_io_send(state->link.io, &welcome);
}

static void on_frame(struct link_io *io, enum frame_type type,
		     uint8_t *payload, size_t length, void *private_data)
{
	struct path_state *state = private_data;

	if (type == FRAME_HELLO) {
		on_hello(state, payload, length);
		return;
	}
	partner_record_frame(&state->link, type, payload, length);
}

static void on_drained(struct link_io *io, void *private_data)
{
	struct path_state *state = private_data;

	partner_record_drained(&state->link);
}

static void on_ready(struct link_io *io, void *private_data)
{
}

static void on_closed(struct link_io *io, int error, void *private_data)
{
	micro_check(false, "the partner closed its link");
}

static const struct link_io_ops link_ops = {
	.ready = on_ready,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_connection(struct tevent_context *ev, struct tevent_fd *fde,
			  uint16_t flags, void *private_data)
{
	struct path_state *state = private_data;
	struct peer_link *link;

	micro_check(link_accept(state, state->key,
				accept(state->listener, NULL, NULL),
				&link) == 0, "cannot accept");
	TALLOC_FREE(state->fde);
	close(state->listener);
	micro_check(link_io_new(state, ev, link, HANDSHAKE_MS, &link_ops,
				state, &state->link.io) == 0,
		    "no link");
}

/* ---- both -------------------------------------------------------------- */

static void open_page(struct path_state *state, const char *directory,
		      struct page_partner *partner)
{
	struct store_info info;

	store_info(state->store, &info);
	partner->node = 1;
	partner->generation = 1;
	partner->incarnation = info.incarnation;
	micro_check(state_page_create(state, directory, "data",
				      &state->page) == 0,
		    "the page cannot be made");
	state_page_set_capacity(state->page, PAGE_CAPACITY);
	state_page_set_lease(state->page, UINT64_MAX);
	state_page_set_mode(state->page, PAGE_MIRRORED, 1, partner);
}

static int free_state(struct path_state *state)
{
	/* Before the partner, which would see it go. */
	TALLOC_FREE(state->smbd);
	world = NULL;
	return 0;
}

static void *begin(TALLOC_CTX *mem_ctx, const struct micro_case *micro_case)
{
	struct path_state *state = talloc_zero(mem_ctx, struct path_state);
	const char *directory = micro_directory(mem_ctx);
	const char *key_file = micro_key_file(mem_ctx, directory);
	struct page_partner partner = { .node = 1 };
	char *problem;

	micro_check(state != NULL, "no memory");
	world = state;
	state->ev = tevent_context_init(state);
	micro_check(store_open(state,
			       talloc_asprintf(state, "%s/store", directory),
			       "data", &state->store, NULL) == 0 &&
		    store_begin(state->store, 1, 1, CAPACITY) == 0,
		    "no store");
	micro_check(link_key_load(state, key_file, micro_case->encrypt,
				  &state->key, &problem) == 0,
		    "cannot load the key: are you root?");
	state->volume.name = "data";
	state->volume.store = state->store;
	state->link.volume = &state->volume;
	state->listener = micro_listen(&partner.address);
	state->fde = tevent_add_fd(state->ev, state, state->listener,
				   TEVENT_FD_READ, on_connection, state);
	open_page(state, directory, &partner);
	state->length = micro_case->size;
	state->data = micro_bytes(state, state->length);
	state->smbd = micro_smbd_open(state, directory, key_file,
				      micro_case->encrypt);
	talloc_set_destructor(state, free_state);
	return state;
}

/* What the owner's mirrord does: here whenever there is a need. */
static void next_epoch(struct path_state *state)
{
	uint64_t closed;

	/* Not among the first turns, which may be all that there are. */
	if (state_page_used(state->page) <= PAGE_CAPACITY / 4 * 3) {
		return;
	}
	micro_check(state_page_advance(state->page, &closed) == 0 &&
		    store_wipe(state->store, closed) == 0, "no next epoch");
	state_page_set_wiped(state->page, closed);
}

static void write_(void *private_data)
{
	struct path_state *state = private_data;

	micro_smbd_write(state->smbd, state->data, state->length);
	next_epoch(state);
}

static void create(void *private_data)
{
	struct path_state *state = private_data;

	micro_smbd_create(state->smbd);
	next_epoch(state);
}

static void create_all(void *private_data)
{
	struct path_state *state = private_data;

	micro_smbd_create_all(state->smbd);
	next_epoch(state);
}

#define WRITE(name_, turns_, size_, encrypt_) \
	{ .name = "path/write-" name_, .turns = (turns_), .size = (size_), \
	  .encrypt = (encrypt_), .begin = begin, .turn = write_ }

const struct micro_case micro_path_cases[] = {
	WRITE("4k-tls", 50, 4096, true),
	WRITE("4k-plain", 50, 4096, false),
	WRITE("64k-tls", 10, 65536, true),
	WRITE("64k-plain", 10, 65536, false),
	WRITE("1m-tls", 2, 1048576, true),
	WRITE("1m-plain", 2, 1048576, false),
	{ .name = "path/create-tls", .turns = 100, .encrypt = true,
	  .begin = begin, .turn = create },
	{ .name = "path/create-and-attributes-tls", .turns = 100,
	  .encrypt = true, .begin = begin, .turn = create_all },
	{ .name = NULL }
};
