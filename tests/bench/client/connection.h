/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connection of a client, and its folder. What is here waits for its
 * answer and is never measured; it may only be used while no phase runs.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <stdbool.h>

struct client;

/* A session on the share, with credits for all that will be in flight. */
bool connection_open(struct client *client);
void connection_close(struct client *client);

/* Create DIRECTORY, if nobody did, and DIRECTORY/cN, which must be new. */
bool folder_make(struct client *client);
/* Remove all that is in the client's folder. */
bool folder_empty(struct client *client);
/* Remove it, and DIRECTORY if there is nothing else in it. */
bool folder_remove(struct client *client);

#endif
