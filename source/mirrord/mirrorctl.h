/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the commands of mirrorctl share. Each is a row of the table in
 * mirrorctl.c; larger ones are in files of their own.
 *
 * Owns: arguments, asking mirrord, the exit status.
 * Does not own: what mirrord answers (control.h).
 */

#ifndef MIRRORD_MIRRORCTL_H
#define MIRRORD_MIRRORCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <talloc.h>
#include "../common/config.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_NOT_YET 3

struct arguments {
	const char *config_file;
	const char *socket;
	bool json;
	bool accept_loss;
	bool fence_test;	/* of check-takeover */
	bool reasons;
	bool sync;		/* of files */
	int wait_ms;		/* -1: not said */
	int move_wait_ms;	/* as that */
	bool moved;		/* resume: an address has arrived here */
	double seconds;		/* of a trace */
	const char *since;	/* of the log */
	const char *severity;
	const char *at;		/* of a giveback: HH:MM */
	const char *idle;	/* seconds */
	bool now;
	bool cancel;
	int count;
	char **words;		/* after the verb; a word that begins
				   with - is an option */
	struct mirror_config *config;	/* NULL until it is needed */
};

/* Everything that lives until the end. */
TALLOC_CTX *mirrorctl_ctx(void);

/* Reads the configuration if need be; ends the program if it is wrong. */
struct mirror_config *mirrorctl_config(struct arguments *arguments);

/* -1: mirrord does not run here. */
int mirrorctl_connect(struct arguments *arguments);
/* NULL: it ended, or its answer took too long (SO_RCVTIMEO). */
json_t *mirrorctl_receive(int fd);

/* Takes over request. Ends the program when mirrord does not answer. */
json_t *mirrorctl_ask(struct arguments *arguments, json_t *request);

/* Tell the reply's text, or all of it with --json. Takes over reply; the exit
 * status is its code. */
int mirrorctl_finish(struct arguments *arguments, json_t *reply);
/* The same, and the text is told when it is done, too. */
int mirrorctl_finish_told(struct arguments *arguments, json_t *reply);

#endif /* MIRRORD_MIRRORCTL_H */
