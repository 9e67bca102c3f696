/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two processes of arpd say to each other.
 *
 * Owns: the form of requests and replies, and the check of every field.
 * Does not own: sending (privileged.c), doing (privileged_server.c).
 *
 * Both ends are the same program, so a request is a struct as it is in
 * memory, without anything in it (bool, enum) that not every bit pattern is
 * good for. The side that is root trusts none of it.
 */

#ifndef ARPD_PRIVILEGED_PROTOCOL_H
#define ARPD_PRIVILEGED_PROTOCOL_H

#include "privileged.h"

enum request_kind {
	REQUEST_APPLY,
	REQUEST_OPEN,
	REQUEST_ADDRESS,
	REQUEST_DISCONNECT,
	REQUEST_DEATH,
	REQUEST_KIND_END
};

struct request_apply {
	uint32_t kind;
	struct kernel_plan plan;
};

struct request_open {
	uint32_t kind;
	uint32_t raw_kind;
	uint32_t interface;
};

struct request_address {
	uint32_t kind;
	uint32_t add;
	struct net_address address;
	uint32_t interface;
};

struct request_node {
	uint32_t kind;
	uint32_t node;
};

union request {
	uint32_t kind;
	struct request_apply apply;
	struct request_open open;
	struct request_address address;
	struct request_node node;
};

/* With a descriptor if it was asked for one. */
struct reply {
	int32_t error;
};

/*
 * 0; EINVAL: nonsense; EPERM: not this program's business; ENODEV: the
 * interface is gone (what can happen to an honest child).
 */
int request_check(const struct settings *settings,
		  const union request *request,
		  size_t size);

#endif /* ARPD_PRIVILEGED_PROTOCOL_H */
