/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What another configuration would change, see reconfigure_check.h. */

#include <string.h>
#include "reconfigure_check.h"

static const char *const restart_only[] = {
	"mirror:key file",
	"mirror:encrypt",
	"mirror:port",
	"mirror:store directory",
	"mirror:run directory",
	"mirror:lease",
	"mirror:nodes file",
	"mirror:ctdb socket",
	"ctdb:locking.tdb",
	"ctdb:brlock.tdb",
	"ctdb:leases.tdb",
	"ctdb:smbXsrv_open_global.tdb",
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

char *reconfigure_hold_back(TALLOC_CTX *mem_ctx,
			    const struct config_table *now,
			    struct config_table *next)
{
	char *text = talloc_strdup(mem_ctx, "");
	size_t i;

	for (i = 0; text != NULL &&
	     i < sizeof(restart_only) / sizeof(restart_only[0]); i++) {
		const char *old = config_table_value(now, restart_only[i]);
		const char *new = config_table_value(next, restart_only[i]);

		if (same_text(old, new)) {
			continue;
		}
		text = talloc_asprintf_append_buffer(
			text, "%s = %s waits until mirrord is started again "
			"on all nodes\n", restart_only[i],
			new != NULL ? new : "(its default)");
		if (!config_table_set(next, restart_only[i], old)) {
			TALLOC_FREE(text);
		}
	}
	return text;
}

struct differences {
	const struct config_table *other;
	bool first;	/* else what only the other one has */
	char *text;
};

static void tell_difference(const char *option, const char *value,
			    void *private_data)
{
	struct differences *d = private_data;
	const char *other = config_table_value(d->other, option);

	if (d->text == NULL || (d->first ? same_text(value, other) :
				other != NULL)) {
		return;
	}
	if (d->first) {
		d->text = talloc_asprintf_append_buffer(
			d->text, "%s = %s (was: %s)\n", option,
			other != NULL ? other : "", value);
	} else {
		d->text = talloc_asprintf_append_buffer(
			d->text, "%s = %s\n", option, value);
	}
}

char *reconfigure_differences(TALLOC_CTX *mem_ctx,
			      const struct config_table *now,
			      const struct config_table *next)
{
	struct differences d = {
		.other = next,
		.first = true,
		.text = talloc_strdup(mem_ctx, ""),
	};

	config_table_each(now, tell_difference, &d);
	d.other = now;
	d.first = false;
	config_table_each(next, tell_difference, &d);
	return d.text;
}

/* What of it cannot change while it is served. NULL: nothing changes. */
static char *volume_changes(TALLOC_CTX *mem_ctx,
			    const struct config_volume *old,
			    const struct mirror_config *next)
{
	const struct config_volume *new = config_volume_by_name(next,
								old->name);
	const char *what = NULL;

	if (new == NULL) {
		what = "is not there any more";
	} else if (strcmp(new->service->name, old->service->name) != 0) {
		what = "belongs to another service";
	} else if (!same_text(new->device, old->device)) {
		what = "has another device";
	} else if (!same_text(new->mount_point, old->mount_point)) {
		what = "has another mount point";
	} else if (!same_text(new->kind, old->kind)) {
		what = "is of another kind";
	}
	return what != NULL ? talloc_asprintf(mem_ctx, "volume %s %s",
					      old->name, what) : NULL;
}

static char *service_changes(TALLOC_CTX *mem_ctx,
			     const struct config_service *old,
			     const struct mirror_config *next)
{
	const struct config_service *new = config_service_by_name(next,
								  old->name);
	struct config_volume **v;
	char *what = NULL;

	if (new == NULL) {
		return talloc_asprintf(mem_ctx, "service %s is not there any "
				       "more", old->name);
	}
	if (strcmp(new->addresses[0], old->addresses[0]) != 0) {
		return talloc_asprintf(
			mem_ctx, "service %s has another anchor (its first "
			"address) %s", old->name, new->addresses[0]);
	}
	for (v = old->volumes; what == NULL && *v != NULL; v++) {
		what = volume_changes(mem_ctx, *v, next);
	}
	return what;
}

char *reconfigure_refused(TALLOC_CTX *mem_ctx,
			  const struct mirror_config *now,
			  const struct mirror_config *next,
			  reconfigure_at_rest at_rest,
			  void *private_data)
{
	struct config_service **s;

	for (s = now->services; *s != NULL; s++) {
		char *what = service_changes(mem_ctx, *s, next);

		if (what != NULL && !at_rest(*s, private_data)) {
			return talloc_asprintf(
				mem_ctx, "%s, but service %s has not been "
				"stopped everywhere. Undo it, and first: net "
				"conf setparm global \"mirror:%s enabled\" no",
				what, (*s)->name, (*s)->name);
		}
		talloc_free(what);
	}
	return NULL;
}
