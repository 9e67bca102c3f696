/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Objects and names: the map from ids to what is on the volume now, see
 * replay_internal.h.
 */

#include <sys/resource.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "replay_internal.h"

/* At least as many as one record needs at the same time. */
#define OPEN_FILES_MIN 16
#define OPEN_FILES_MAX 1024

static void close_files(struct objects *objects, struct object *object);

static int objects_destructor(struct objects *objects)
{
	while (objects->oldest != NULL) {
		close_files(objects, objects->oldest);
	}
	return 0;
}

int objects_init(TALLOC_CTX *mem_ctx, int root_fd, struct objects **_objects)
{
	struct objects *objects;
	struct rlimit limit;

	objects = talloc_zero(mem_ctx, struct objects);
	if (objects == NULL) {
		return ENOMEM;
	}
	objects->root_fd = root_fd;
	objects->max_open_files = OPEN_FILES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur / 2 < OPEN_FILES_MAX) {
		objects->max_open_files = (unsigned int)limit.rlim_cur / 2;
	}
	if (objects->max_open_files < OPEN_FILES_MIN) {
		objects->max_open_files = OPEN_FILES_MIN;
	}
	if (table_init(objects, &objects->by_id) != 0 ||
	    table_init(objects, &objects->by_name) != 0) {
		talloc_free(objects);
		return ENOMEM;
	}
	talloc_set_destructor(objects, objects_destructor);
	*_objects = objects;
	return 0;
}

struct object *object_find(struct objects *objects,
			   const struct mirror_id *id)
{
	struct table_node *node;

	for (node = table_find(&objects->by_id, mirror_id_hash(id));
	     node != NULL; node = table_next(node)) {
		struct object *object = (struct object *)node;

		if (mirror_id_equal(&object->id, id)) {
			return object;
		}
	}
	return NULL;
}

struct object *object_get(struct objects *objects, const struct mirror_id *id)
{
	struct object *object = object_find(objects, id);
	struct mirror_handle handle;

	if (object != NULL) {
		return object;
	}
	object = talloc_zero(objects, struct object);
	if (object == NULL) {
		return NULL;
	}
	object->id = *id;
	object->path_fd = -1;
	object->data_fd = -1;
	if (table_add(&objects->by_id, &object->node,
		      mirror_id_hash(id)) != 0) {
		return NULL;
	}
	object->next_all = objects->all;
	objects->all = object;
	if (mirror_id_underive(id, &handle) &&
	    object_add_hint(object, &handle) != 0) {
		return NULL;
	}
	return object;
}

static bool handle_equal(const struct mirror_handle *a,
			 const struct mirror_handle *b)
{
	return a->type == b->type && a->length == b->length &&
	       memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool object_has_hint(const struct object *object,
		     const struct mirror_handle *handle)
{
	size_t i;

	for (i = 0; i < talloc_array_length(object->hints); i++) {
		if (handle_equal(&object->hints[i], handle)) {
			return true;
		}
	}
	return false;
}

int object_add_hint(struct object *object, const struct mirror_handle *hint)
{
	const size_t count = talloc_array_length(object->hints);
	struct mirror_handle *hints;

	if (hint->length == 0 || hint->length > MIRROR_HANDLE_MAX ||
	    object_has_hint(object, hint)) {
		return 0;
	}
	hints = talloc_realloc(object, object->hints, struct mirror_handle,
			       count + 1);
	if (hints == NULL) {
		return ENOMEM;
	}
	hints[count] = *hint;
	object->hints = hints;
	return 0;
}

static uint64_t name_hash(const struct object *parent, const char *text)
{
	uint64_t hash = parent->node.hash;

	/* FNV-1a */
	for (; *text != '\0'; text++) {
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	}
	return hash ^ (hash >> 32);
}

struct name *name_get(struct objects *objects,
		      struct object *parent,
		      const char *text)
{
	const uint64_t hash = name_hash(parent, text);
	struct table_node *node;
	struct name *name;

	for (node = table_find(&objects->by_name, hash); node != NULL;
	     node = table_next(node)) {
		name = (struct name *)node;
		if (name->parent == parent && strcmp(name->text, text) == 0) {
			return name;
		}
	}
	name = talloc_zero(objects, struct name);
	if (name == NULL) {
		return NULL;
	}
	name->parent = parent;
	name->text = talloc_strdup(name, text);
	if (name->text == NULL ||
	    table_add(&objects->by_name, &name->node, hash) != 0) {
		return NULL;
	}
	name->next_in_parent = parent->names;
	parent->names = name;
	parent->is_parent = true;
	name->next_all = objects->all_names;
	objects->all_names = name;
	return name;
}

/* ---- opening ----------------------------------------------------------- */

static int open_handle(struct objects *objects,
		       const struct mirror_handle *handle,
		       int flags,
		       int *fd)
{
	union {
		struct file_handle header;
		uint8_t space[sizeof(struct file_handle) + MIRROR_HANDLE_MAX];
	} kernel;

	kernel.header.handle_bytes = handle->length;
	kernel.header.handle_type = handle->type;
	memcpy(kernel.header.f_handle, handle->bytes, handle->length);

	*fd = open_by_handle_at(objects->root_fd, &kernel.header,
				flags | O_CLOEXEC);
	if (*fd != -1) {
		return 0;
	}
	/* ENOENT, EINVAL: not a handle of this file system at all. */
	return errno == ENOENT || errno == EINVAL ? ESTALE : errno;
}

/* Still in a directory? Somebody may hold a removed one open. */
static int has_name(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1) {
		return errno;
	}
	return st.st_nlink > 0 ? 0 : ESTALE;
}

void object_found(struct object *object, const struct mirror_handle *handle)
{
	object->handle = *handle;
	object->looked_up = true;
	object->alive = true;
}

int object_look_up(struct objects *objects, struct object *object)
{
	size_t i;

	if (object->looked_up) {
		return 0;
	}
	for (i = 0; i < talloc_array_length(object->hints); i++) {
		struct mirror_handle handle;
		struct mirror_id id;
		int fd;
		int ret;

		ret = open_handle(objects, &object->hints[i], O_PATH, &fd);
		if (ret == 0) {
			ret = has_name(fd);
			if (ret == 0) {
				ret = mirror_id_of_fd(fd, &id, &handle, NULL);
			}
			if (ret == 0 && mirror_id_equal(&id, &object->id)) {
				object_found(object, &handle);
				object_keep_path(objects, object, fd);
				return 0;
			}
			close(fd);
		}
		if (ret != 0 && ret != ESTALE) {
			return ret;
		}
	}
	object->looked_up = true;
	return 0;
}

/* ---- the cache of open files ------------------------------------------- */

static void detach(struct objects *objects, struct object *object)
{
	if (object->newer != NULL) {
		object->newer->older = object->older;
	} else if (objects->newest == object) {
		objects->newest = object->older;
	}
	if (object->older != NULL) {
		object->older->newer = object->newer;
	} else if (objects->oldest == object) {
		objects->oldest = object->newer;
	}
	object->newer = NULL;
	object->older = NULL;
}

static void attach(struct objects *objects, struct object *object)
{
	object->older = objects->newest;
	if (objects->newest != NULL) {
		objects->newest->newer = object;
	}
	objects->newest = object;
	if (objects->oldest == NULL) {
		objects->oldest = object;
	}
}

static void close_one(struct objects *objects, int *fd)
{
	if (*fd != -1) {
		close(*fd);
		*fd = -1;
		objects->open_files--;
	}
}

static void close_files(struct objects *objects, struct object *object)
{
	close_one(objects, &object->path_fd);
	close_one(objects, &object->data_fd);
	detach(objects, object);
}

static void keep(struct objects *objects,
		 struct object *object,
		 int *place,
		 int fd)
{
	detach(objects, object);
	if (*place != fd) {
		close_one(objects, place);
		*place = fd;
		objects->open_files++;
	}
	attach(objects, object);
	while (objects->open_files > objects->max_open_files &&
	       objects->oldest != NULL && objects->oldest != object) {
		close_files(objects, objects->oldest);
	}
}

void object_keep_path(struct objects *objects, struct object *object, int fd)
{
	keep(objects, object, &object->path_fd, fd);
}

void object_keep_data(struct objects *objects, struct object *object, int fd)
{
	keep(objects, object, &object->data_fd, fd);
}

static int object_open(struct objects *objects,
		       struct object *object,
		       int *place,
		       int flags,
		       int *fd)
{
	int ret;

	ret = object_look_up(objects, object);
	if (ret != 0) {
		return ret;
	}
	if (!object->alive) {
		return ESTALE;
	}
	*fd = *place;
	if (*fd == -1) {
		ret = open_handle(objects, &object->handle, flags, fd);
		if (ret != 0) {
			object->alive = (ret != ESTALE);
			return ret;
		}
	}
	keep(objects, object, place, *fd);
	return 0;
}

int object_path(struct objects *objects, struct object *object, int *fd)
{
	if (object->data_fd != -1) {
		/* Does as well. */
		return object_open(objects, object, &object->data_fd, 0, fd);
	}
	return object_open(objects, object, &object->path_fd, O_PATH, fd);
}

int object_data(struct objects *objects, struct object *object, int *fd)
{
	struct stat st;
	int path_fd;
	int ret;

	if (object->data_fd == -1) {
		/* Never open a device or a FIFO for real. */
		ret = object_path(objects, object, &path_fd);
		if (ret != 0) {
			return ret;
		}
		if (fstat(path_fd, &st) == -1) {
			return errno;
		}
		if (!S_ISREG(st.st_mode)) {
			return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		}
	}
	return object_open(objects, object, &object->data_fd,
			   O_RDWR | O_NOFOLLOW, fd);
}

void object_unlinked(struct objects *objects, struct object *object)
{
	/*
	 * If it was the last name, an open file would keep its blocks. From
	 * now on the handle tells whether it is there.
	 */
	close_files(objects, object);
}
