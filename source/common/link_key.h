/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cluster key in the form that links use it. Loading: peer_link.h; its
 * bytes alone, for what is no link: link_key_read().
 *
 * A key outlives the links that were made with it.
 */

#ifndef MIRROR_LINK_KEY_H
#define MIRROR_LINK_KEY_H

#include <stdbool.h>
#include <gnutls/gnutls.h>
#include "peer_link.h"

/* The same on all nodes: the key tells who belongs to the cluster. */
#define LINK_KEY_IDENTITY "samba-mirror"

#define LINK_KEY_SIZE_MIN 16
#define LINK_KEY_SIZE_MAX 64

struct link_key {
	bool encrypt;
	size_t size;
	uint8_t bytes[LINK_KEY_SIZE_MAX];
	gnutls_priority_t priority;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
};

/*
 * The bytes of the key file, by the rules of link_key_load(): whoever keeps
 * them wipes them. 0 or errno; *problem (child of mem_ctx) says what to do.
 */
int link_key_read(TALLOC_CTX *mem_ctx,
		  const char *path,
		  uint8_t bytes[LINK_KEY_SIZE_MAX],
		  size_t *size,
		  char **problem);

#endif /* MIRROR_LINK_KEY_H */
