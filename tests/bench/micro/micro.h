/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Micro-benchmarks: what every record goes through, part by part.
 *
 * A case prepares itself once and then does the same thing again and again, in
 * one thread, without ever waiting. How often, and whether time or
 * instructions are counted, is up to mirror_micro.c; `run' says whether the
 * counts are as they were.
 *
 *   micro_codec.c   a record to bytes and back
 *   micro_store.c   the partner's memory
 *   micro_link.c    frames over a link, encrypted and plain
 *   micro_page.c    the locks of the state page
 *   micro_path.c    all of it: operation_run() to the acknowledgement
 *                   (micro_smbd.c is the half that is compiled as the module)
 */

#ifndef TESTS_MICRO_H
#define TESTS_MICRO_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

struct link_key;
struct peer_link;

struct micro_case {
	const char *name;
	uint32_t turns;		/* to count instructions over */
	size_t size;		/* what it is, the case knows */
	bool encrypt;
	/* Everything that it needs, as a child of mem_ctx. */
	void *(*begin)(TALLOC_CTX *mem_ctx,
		       const struct micro_case *micro_case);
	void (*turn)(void *state);
};

/* Tables, each ended by a case without a name. */
extern const struct micro_case micro_codec_cases[];
extern const struct micro_case micro_store_cases[];
extern const struct micro_case micro_link_cases[];
extern const struct micro_case micro_page_cases[];
extern const struct micro_case micro_path_cases[];

/* A benchmark of something that fails measures nothing: end, and say why. */
void micro_check(bool ok, const char *what);

/* A new directory in memory (as stores and pages are), removed in the end. */
const char *micro_directory(TALLOC_CTX *mem_ctx);

/* Bytes that are not all the same. */
uint8_t *micro_bytes(TALLOC_CTX *mem_ctx, size_t length);

/* ---- micro_link.c ------------------------------------------------------ */

/* A cluster key in a file of its own below directory. */
const char *micro_key_file(TALLOC_CTX *mem_ctx, const char *directory);

/*
 * A listening socket that a peer_link can connect to, and on which nothing
 * depends on timers and interrupts: a local one.
 */
int micro_listen(struct sockaddr_storage *address);

/* ---- micro_smbd.c ------------------------------------------------------ */

struct micro_smbd;

/* A process that uses volume "data", whose page is in run_directory. */
struct micro_smbd *micro_smbd_open(TALLOC_CTX *mem_ctx,
				   const char *run_directory,
				   const char *key_file,
				   bool encrypt);
/* All the way: locks, record, acknowledgement, apply, locks freed. */
void micro_smbd_write(struct micro_smbd *smbd, const uint8_t *data,
		      size_t length);
void micro_smbd_create(struct micro_smbd *smbd);
/* A create with the two attributes that follow in the same request. */
void micro_smbd_create_all(struct micro_smbd *smbd);

#endif /* TESTS_MICRO_H */
