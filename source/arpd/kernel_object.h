/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Neighbours, routes, rules and proxies as netlink messages.
 *
 * Owns: their form, and which of them are ours.
 * Does not own: which of them there shall be (kernel_apply.c).
 */

#ifndef ARPD_KERNEL_OBJECT_H
#define ARPD_KERNEL_OBJECT_H

#include "kernel.h"

struct kernel_object {
	const char *name;
	size_t rows;		/* where they are in struct kernel_plan */
	size_t count;
	size_t size;		/* of a row */
	int get;		/* RTM_..., and those to add and delete */
	int add;
	int del;
	/* Flags to add what is new, and to change what is ours. */
	int add_flags;
	int replace_flags;
	/* A dump of all; the header only. */
	int (*put_dump)(struct nl_msg *message, uint8_t family);
	int (*put)(struct nl_msg *message, const void *row);
	/* false: not ours. */
	bool (*get_row)(const struct nlmsghdr *header, void *row);
	/* The kernel has at most one with this key. */
	bool (*same_key)(const void *a, const void *b);
	bool (*same)(const void *a, const void *b);
	/* For messages. Child of mem_ctx. */
	char *(*print)(TALLOC_CTX *mem_ctx, const void *row);
	/* After one was added or removed; NULL: nothing to do. */
	void (*changed)(struct kernel *kernel, const void *row);
};

/* In the order in which they are added; removed in the reverse one. */
#define KERNEL_OBJECTS 4
extern const struct kernel_object kernel_objects[KERNEL_OBJECTS];

/* kernel_recheck.c: a rule came or went. */
void kernel_recheck(struct kernel *kernel, const void *rule);

#endif /* ARPD_KERNEL_OBJECT_H */
