/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what is in the kernel to what a plan says, see kernel.h.
 *
 * What is there already is asked of the kernel each time: so it does not
 * matter who added it (an arpd that was killed), nor what others removed (an
 * interface that went down takes its routes with it).
 */

#include <errno.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "kernel_object.h"

#define DUMP_TRIES 10

/* Rows of one kind that have our marks, of both families. */
struct found {
	const struct kernel_object *object;
	uint8_t *rows;
	size_t count;
	bool no_memory;
};

static void take_row(const struct nlmsghdr *header, void *private_data)
{
	struct found *found = private_data;
	size_t size = found->object->size;
	uint8_t *row;

	/* Room for one row more is always kept, see dump_object(). */
	row = found->rows + found->count * size;
	memset(row, 0, size);
	if (!found->object->get_row(header, row)) {
		return;
	}
	row = talloc_realloc_size(NULL, found->rows,
				  (found->count + 2) * size);
	if (row == NULL) {
		found->no_memory = true;
		return;
	}
	found->rows = row;
	found->count++;
}

static int dump_family(struct kernel *kernel, struct found *found,
		       uint8_t family)
{
	size_t before = found->count;
	int tries, ret = EINTR;

	for (tries = 0; ret == EINTR && tries < DUMP_TRIES; tries++) {
		struct nl_msg *message = nlmsg_alloc_simple(
			found->object->get, NLM_F_DUMP);

		found->count = before;
		if (message == NULL ||
		    found->object->put_dump(message, family) != 0) {
			nlmsg_free(message);
			return ENOMEM;
		}
		ret = kernel_dump(kernel->route, message, take_row, found);
	}
	/* A machine without IPv6 has none of these. */
	if (ret == EOPNOTSUPP || ret == EAFNOSUPPORT) {
		return 0;
	}
	return found->no_memory ? ENOMEM : ret;
}

static int dump_object(TALLOC_CTX *mem_ctx, struct kernel *kernel,
		       const struct kernel_object *object,
		       struct found *found)
{
	int ret;

	*found = (struct found){ .object = object };
	found->rows = talloc_size(NULL, object->size);
	if (found->rows == NULL) {
		return ENOMEM;
	}
	ret = dump_family(kernel, found, AF_INET);
	if (ret == 0) {
		ret = dump_family(kernel, found, AF_INET6);
	}
	talloc_steal(mem_ctx, found->rows);
	return ret;
}

/* The first of rows that is like the row; NULL: none. */
static const uint8_t *find_row(const uint8_t *rows, size_t count, size_t size,
			       const void *row,
			       bool (*same)(const void *a, const void *b))
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (same(rows + i * size, row)) {
			return rows + i * size;
		}
	}
	return NULL;
}

static int send_row(struct kernel *kernel, const struct kernel_object *object,
		    int type, int flags, const void *row)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);

	if (message == NULL || object->put(message, row) != 0) {
		nlmsg_free(message);
		return ENOMEM;
	}
	return kernel_talk(kernel->route, message);
}

static void complain(const struct kernel_object *object, const char *what,
		     const void *row, int error)
{
	char *text = object->print(NULL, row);

	event_log_once(EVENT_NETWORK_REFUSED, text != NULL ? text : "",
		       "The kernel does not %s the %s %s: %s", what,
		       object->name, text != NULL ? text : "?",
		       strerror(error));
	talloc_free(text);
}

static const uint8_t *plan_rows(const struct kernel_object *object,
				const struct kernel_plan *plan,
				size_t *count)
{
	uint32_t num;

	memcpy(&num, (const uint8_t *)plan + object->count, sizeof(num));
	*count = num;
	return (const uint8_t *)plan + object->rows;
}

static int add_rows(struct kernel *kernel, const struct found *found,
		    const struct kernel_plan *plan)
{
	const struct kernel_object *object = found->object;
	size_t size = object->size, count, i;
	const uint8_t *rows = plan_rows(object, plan, &count);
	int first = 0;

	for (i = 0; i < count; i++) {
		const uint8_t *row = rows + i * size;
		int flags, ret;

		/* Twice in the plan: the first one counts. */
		if (find_row(rows, i, size, row, object->same_key) != NULL ||
		    find_row(found->rows, found->count, size, row,
			     object->same) != NULL) {
			continue;
		}
		flags = find_row(found->rows, found->count, size, row,
				 object->same_key) != NULL ?
			object->replace_flags : object->add_flags;
		ret = send_row(kernel, object, object->add, flags, row);
		if (ret != 0) {
			complain(object, "take", row, ret);
			first = first == 0 ? ret : first;
		} else if (object->changed != NULL) {
			object->changed(kernel, row);
		}
	}
	return first;
}

static int remove_rows(struct kernel *kernel, const struct found *found,
		       const struct kernel_plan *plan)
{
	const struct kernel_object *object = found->object;
	size_t size = object->size, count, i;
	const uint8_t *rows = plan_rows(object, plan, &count);
	int first = 0;

	for (i = 0; i < found->count; i++) {
		const uint8_t *row = found->rows + i * size;
		int ret;

		if (find_row(rows, count, size, row,
			     object->same_key) != NULL) {
			continue;
		}
		ret = send_row(kernel, object, object->del, 0, row);
		/* It may have gone with its interface or source address. */
		if (ret != 0 && ret != ENOENT && ret != ESRCH &&
		    ret != ENODEV && ret != ENXIO) {
			complain(object, "remove", row, ret);
			first = first == 0 ? ret : first;
		} else if (object->changed != NULL) {
			object->changed(kernel, row);
		}
	}
	return first;
}

static int apply_objects(TALLOC_CTX *mem_ctx, struct kernel *kernel,
			 const struct kernel_plan *plan)
{
	struct found found[KERNEL_OBJECTS];
	int first = 0;
	int i, ret;

	for (i = 0; i < KERNEL_OBJECTS; i++) {
		ret = dump_object(mem_ctx, kernel, &kernel_objects[i],
				  &found[i]);
		if (ret != 0) {
			return ret;
		}
	}
	for (i = 0; i < KERNEL_OBJECTS; i++) {
		ret = add_rows(kernel, &found[i], plan);
		first = first == 0 ? ret : first;
	}
	for (i = KERNEL_OBJECTS - 1; i >= 0; i--) {
		ret = remove_rows(kernel, &found[i], plan);
		first = first == 0 ? ret : first;
	}
	return first;
}

static bool is_silent(const uint32_t *interfaces, uint32_t count,
		      uint32_t interface)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (interfaces[i] == interface) {
			return true;
		}
	}
	return false;
}

/* Of interfaces that the one list has and the other one lacks. */
static int forget_difference(struct kernel *kernel, const uint32_t *list,
			     uint32_t count, const uint32_t *other,
			     uint32_t num_other)
{
	int first = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (!is_silent(other, num_other, list[i])) {
			int ret = kernel_forget_unresolved(kernel, list[i]);

			first = first == 0 ? ret : first;
		}
	}
	return first;
}

/*
 * What forwards is closed to everything else before it opens: nftables stand
 * between the sysctls that are put back and those that are set.
 */
int kernel_apply(struct kernel *kernel, const struct kernel_plan *plan)
{
	struct kernel_wanted *wanted = talloc_zero(NULL, struct kernel_wanted);
	uint32_t silent[KERNEL_ROWS_MAX] = { 0 };
	int ret, first;
	uint32_t i;

	if (wanted == NULL) {
		return ENOMEM;
	}
	kernel_want(kernel, plan, wanted);
	first = kernel_sysctls_restore(kernel->sysctls, wanted);
	ret = kernel_nft_apply(kernel, plan, &wanted->ipv4, &wanted->ipv6);
	first = first == 0 ? ret : first;
	/* Without the filter nothing new is forwarded, but routes between
	 * nodes do not depend on it. */
	if (ret == 0) {
		ret = kernel_sysctls_set(kernel->sysctls, wanted);
		first = first == 0 ? ret : first;
	}
	for (i = 0; i < plan->num_silences; i++) {
		silent[i] = plan->silences[i].interface;
	}
	/* Before traffic goes that way again. */
	ret = forget_difference(kernel, kernel->silent, kernel->num_silent,
				silent, plan->num_silences);
	first = first == 0 ? ret : first;
	ret = apply_objects(wanted, kernel, plan);
	first = first == 0 ? ret : first;
	/* TCP sends nothing again that still waits there. */
	ret = forget_difference(kernel, silent, plan->num_silences,
				kernel->silent, kernel->num_silent);
	memcpy(kernel->silent, silent, sizeof(silent));
	kernel->num_silent = plan->num_silences;
	talloc_free(wanted);
	return first != 0 ? first : ret;
}

static int kernel_destructor(struct kernel *kernel)
{
	nl_socket_free(kernel->route);
	return 0;
}

int kernel_new(TALLOC_CTX *mem_ctx,
	       const struct settings *settings,
	       const char *run_directory,
	       struct kernel **kernel)
{
	struct kernel *k = talloc_zero(mem_ctx, struct kernel);
	int ret;

	if (k == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(k, kernel_destructor);
	k->settings = settings;
	ret = kernel_socket(NETLINK_ROUTE, &k->route);
	if (ret == 0) {
		ret = kernel_sysctls_load(k, run_directory, &k->sysctls);
	}
	if (ret != 0) {
		talloc_free(k);
		return ret;
	}
	*kernel = k;
	return 0;
}

int kernel_flush(struct kernel *kernel)
{
	struct kernel_plan *nothing = talloc_zero(NULL, struct kernel_plan);
	int ret, first;

	if (nothing == NULL) {
		return ENOMEM;
	}
	/* First: with promote_secondaries others' addresses stay. */
	first = kernel_flush_addresses(kernel);
	kernel->settings = NULL;
	ret = kernel_apply(kernel, nothing);
	talloc_free(nothing);
	return first != 0 ? first : ret;
}
