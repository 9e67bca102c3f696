/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cluster's configuration, see config.h. */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "event_file.h"
#include "config_table.h"

#define CONFIG_NAME_MAX 48	/* a volume's name names files, too */
#define CONFIG_NETBIOS_MAX 15
#define CONFIG_INTERFACE_MAX 15
#define CONFIG_PNN_MAX 4095

enum option_kind {
	OPTION_TEXT,
	OPTION_PATH,
	OPTION_U16,
	OPTION_U32,
	OPTION_SIZE,
	OPTION_BOOL,
	OPTION_FLUSH,
	OPTION_DEGRADED
};

#define AT(field) offsetof(struct mirror_config, field)

/* Everything that has one value. Names and fallbacks are in the other half of
 * the table, which the world may see. */
static const struct {
	enum option_kind kind;
	size_t offset;
	uint64_t min;
	uint64_t max;
} option_values[] = {
	{ OPTION_TEXT, AT(fence_command), 0, 0 },
	{ OPTION_U32, AT(fence_timeout_ms), 100, 600000 },
	{ OPTION_PATH, AT(key_file), 0, 0 },
	{ OPTION_BOOL, AT(encrypt), 0, 0 },
	{ OPTION_U16, AT(port), 1, 65535 },
	{ OPTION_SIZE, AT(store_size), 4 << 20, UINT64_C(1) << 40 },
	{ OPTION_PATH, AT(store_directory), 0, 0 },
	{ OPTION_PATH, AT(run_directory), 0, 0 },
	{ OPTION_U32, AT(epoch_interval_ms), 10, 600000 },
	{ OPTION_U32, AT(partner_timeout_ms), 100, 3600000 },
	{ OPTION_U32, AT(lease_ms), 100, 60000 },
	{ OPTION_U32, AT(giveback_delay_s), 0, 86400 },
	{ OPTION_FLUSH, AT(flush), 0, 0 },
	{ OPTION_DEGRADED, AT(degraded), 0, 0 },
	{ OPTION_PATH, AT(nodes_file), 0, 0 },
	{ OPTION_PATH, AT(ctdb_socket), 0, 0 },
	{ OPTION_TEXT, AT(notify_trap), 0, 0 },
	{ OPTION_TEXT, AT(notify_mail), 0, 0 },
	{ OPTION_TEXT, AT(notify_severity), 0, 0 },
	{ OPTION_U32, AT(notify_rate), 1, 1000 },
};

static const struct config_option_info option_infos[] = {
	{ "fence command", NULL,
	  "cuts a node off its disks; %N becomes its pnn; without it, or "
	  "agents in mirror:fence PNN, nothing is taken over from a node "
	  "that does not answer" },
	{ "fence timeout", "20000",
	  "milliseconds that may take, each agent of a level" },
	{ "key file", "/etc/samba/mirror.key",
	  "the cluster key: 32 or more hex digits, the same on all nodes" },
	{ "encrypt", "yes", "`no' only on a cable that nobody else uses" },
	{ "port", "4380", "TCP, on the nodes' identity addresses" },
	{ "store size", "256M",
	  "memory that the mirror of one volume takes at the partner" },
	{ "store directory", "/dev/shm/samba-mirror",
	  "where mirror stores are; a tmpfs" },
	{ "run directory", "/run/samba-mirror",
	  "state pages and control socket; a tmpfs" },
	{ "epoch interval", "1000",
	  "milliseconds between two consistency points" },
	{ "partner timeout", "15000",
	  "milliseconds that clients wait for a partner that ctdb sees alive "
	  "and that does not answer" },
	{ "lease", "1000",
	  "milliseconds that an owner may answer without having heard that it "
	  "still is the owner; the same on all nodes" },
	{ "giveback delay", "60",
	  "seconds for which all must have been well before a service goes "
	  "home by itself" },
	{ "flush", "disk",
	  "what SMB FLUSH reaches: `disk', or `mirrored' if both nodes "
	  "outlive a power failure" },
	{ "degraded", "write-through",
	  "without a partner: `write-through' or `write-back'" },
	{ "nodes file", "/etc/ctdb/nodes", "line n has the address of pnn n" },
	{ "ctdb socket", "/run/ctdb/ctdbd.socket", "where ctdbd answers" },
	{ "notify trap", NULL,
	  "events as SNMP traps: address and community of the receiver" },
	{ "notify mail", NULL, "events as mail: addresses" },
	{ "notify severity", "warning",
	  "which events are sent: these and worse (crit, err, warning, "
	  "notice, info)" },
	{ "notify rate", "10", "so many are sent in a minute, no more" },
	{ NULL, NULL, NULL }
};

#define NUM_OPTIONS (sizeof(option_values) / sizeof(option_values[0]))
_Static_assert(NUM_OPTIONS + 1 ==
	       sizeof(option_infos) / sizeof(option_infos[0]),
	       "both halves of the table have the same rows");

const struct config_option_info *config_options(void)
{
	return option_infos;
}

/* ------------------------------------------------------------------ values */

struct reader {
	struct mirror_config *config;
	TALLOC_CTX *problem_ctx;
	char *problem;
};

#define PROBLEM(reader, ...) \
	((reader)->problem = talloc_asprintf((reader)->problem_ctx, \
					     __VA_ARGS__), false)

static const char *get(const char *option)
{
	const char *value;

	value = config_table_get("mirror", option);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Options of a service or volume: "mirror:FILES addresses". */
static const char *get_of(struct reader *r, const char *owner,
			  const char *option)
{
	char *name = talloc_asprintf(r->config, "%s %s", owner, option);
	const char *value = name != NULL ? get(name) : NULL;

	talloc_free(name);
	return value;
}

/* A number with an optional K, M, G or T if units are allowed. */
static bool parse_number(const char *text, bool units, uint64_t *number)
{
	static const char letters[] = "KMGT";
	const char *letter;
	unsigned long long value;
	char *end;
	int shift;

	if (!isdigit((unsigned char)text[0])) {
		return false;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0) {
		return false;
	}
	if (*end != '\0' && units) {
		letter = strchr(letters, toupper((unsigned char)*end));
		if (letter == NULL) {
			return false;
		}
		shift = 10 * (int)(letter - letters + 1);
		if (value > (UINT64_MAX >> shift)) {
			return false;
		}
		value <<= shift;
		end++;
	}
	*number = value;
	return *end == '\0';
}

static bool parse_bool(const char *text, bool *value)
{
	static const char *const words[] = {
		"no", "yes", "false", "true", "0", "1", "off", "on"
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

static bool read_number(struct reader *r, size_t i, const char *text,
			uint64_t *number)
{
	bool units = option_values[i].kind == OPTION_SIZE;

	if (parse_number(text, units, number) &&
	    *number >= option_values[i].min &&
	    *number <= option_values[i].max) {
		return true;
	}
	return PROBLEM(r, "mirror:%s = %s: must be a number from %llu to %llu, "
		       "for example: mirror:%s = %s",
		       option_infos[i].name, text,
		       (unsigned long long)option_values[i].min,
		       (unsigned long long)option_values[i].max,
		       option_infos[i].name, option_infos[i].fallback);
}

static bool wrong_word(struct reader *r, size_t i, const char *text,
		       const char *words)
{
	return PROBLEM(r, "mirror:%s = %s: must be %s, for example: "
		       "mirror:%s = %s", option_infos[i].name, text, words,
		       option_infos[i].name, option_infos[i].fallback);
}

static bool read_option(struct reader *r, size_t i)
{
	void *field = (char *)r->config + option_values[i].offset;
	const char *text = get(option_infos[i].name);
	uint64_t number;

	if (text == NULL) {
		text = option_infos[i].fallback;
	}
	switch (option_values[i].kind) {
	case OPTION_PATH:
		if (text[0] != '/') {
			return wrong_word(r, i, text,
					  "a path that begins with /");
		}
		/* FALLTHROUGH */
	case OPTION_TEXT:
		*(const char **)field = text == NULL ? NULL :
			talloc_strdup(r->config, text);
		return true;
	case OPTION_U16:
		if (!read_number(r, i, text, &number)) {
			return false;
		}
		*(uint16_t *)field = number;
		return true;
	case OPTION_U32:
		if (!read_number(r, i, text, &number)) {
			return false;
		}
		*(uint32_t *)field = number;
		return true;
	case OPTION_SIZE:
		return read_number(r, i, text, (uint64_t *)field);
	case OPTION_BOOL:
		return parse_bool(text, (bool *)field) ||
			wrong_word(r, i, text, "yes or no");
	case OPTION_FLUSH:
		*(enum config_flush *)field = CONFIG_FLUSH_DISK;
		if (strcasecmp(text, "mirrored") == 0) {
			*(enum config_flush *)field = CONFIG_FLUSH_MIRRORED;
			return true;
		}
		return strcasecmp(text, "disk") == 0 ||
			wrong_word(r, i, text, "disk or mirrored");
	case OPTION_DEGRADED:
		*(enum config_degraded *)field = CONFIG_WRITE_THROUGH;
		if (strcasecmp(text, "write-back") == 0) {
			*(enum config_degraded *)field = CONFIG_WRITE_BACK;
			return true;
		}
		return strcasecmp(text, "write-through") == 0 ||
			wrong_word(r, i, text, "write-through or write-back");
	}
	return false;
}

/* What goes to other programs' command lines and headers. */
static bool read_notify(struct reader *r)
{
	const struct mirror_config *c = r->config;
	const char *trap = c->notify_trap;
	const char *mail = c->notify_mail;
	size_t length = trap != NULL ? strcspn(trap, " \t") : 0;

	if (trap != NULL && (trap[0] == '-' || strpbrk(
		trap + length + strspn(trap + length, " \t"), " \t") != NULL ||
	    trap[length + strspn(trap + length, " \t")] == '\0')) {
		return PROBLEM(r, "mirror:notify trap = %s: must be an address "
			       "and a community, for example: mirror:notify "
			       "trap = 192.0.2.9 public", trap);
	}
	if (mail != NULL && (mail[0] == '-' || strpbrk(mail, "\r\n<>\"") !=
			     NULL)) {
		return PROBLEM(r, "mirror:notify mail = %s: must be addresses, "
			       "for example: mirror:notify mail = "
			       "admin@example.org", mail);
	}
	if (event_file_severity(c->notify_severity) == -1) {
		return PROBLEM(r, "mirror:notify severity = %s: must be crit, "
			       "err, warning, notice or info, for example: "
			       "mirror:notify severity = err",
			       c->notify_severity);
	}
	return true;
}

/* Some of one kind and some of the other would not know of each other. */
static bool read_local_locks(struct reader *r)
{
	static const char *const databases[] = {
		"locking.tdb", "brlock.tdb", "leases.tdb",
		"smbXsrv_open_global.tdb"
	};
	const size_t n = sizeof(databases) / sizeof(databases[0]);
	size_t num_local = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		const char *text = config_table_get("ctdb", databases[i]);
		bool clustered = true;

		if (text != NULL && !parse_bool(text, &clustered)) {
			return PROBLEM(r, "ctdb:%s = %s: must be yes or no",
				       databases[i], text);
		}
		num_local += !clustered;
	}
	if (num_local != 0 && num_local != n) {
		return PROBLEM(r, "ctdb:locking.tdb, ctdb:brlock.tdb, "
			       "ctdb:leases.tdb and "
			       "ctdb:smbXsrv_open_global.tdb: must be the "
			       "same, all `no' or none of them set");
	}
	r->config->local_locks = num_local == n;
	return true;
}

/* Words between blanks and commas, as a NULL terminated array. */
static const char **split(TALLOC_CTX *mem_ctx, const char *text, size_t *count)
{
	const char **list = talloc_zero_array(mem_ctx, const char *, 1);

	*count = 0;
	if (list == NULL) {
		return NULL;
	}
	while (text != NULL) {
		size_t length;

		text += strspn(text, " \t,");
		length = strcspn(text, " \t,");
		if (length == 0) {
			break;
		}
		list = talloc_realloc(mem_ctx, list, const char *, *count + 2);
		if (list == NULL) {
			return NULL;
		}
		list[*count] = talloc_strndup(list, text, length);
		list[++*count] = NULL;
		text += length;
	}
	return list;
}

/* mirror:files: plain files that all nodes have. */
static bool read_files(struct reader *r)
{
	const char **file;
	size_t count;

	r->config->files = split(r->config, get("files"), &count);
	for (file = r->config->files; file != NULL && *file != NULL; file++) {
		if ((*file)[0] != '/' || strstr(*file, "/../") != NULL) {
			return PROBLEM(r, "mirror:files: `%s' must be the "
				       "whole path of a file, for example: "
				       "mirror:files = /etc/ssl/private/"
				       "files.pem", *file);
		}
	}
	return r->config->files != NULL;
}

/* Names of services and volumes become parts of file and option names. */
static bool good_name(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' &&
		    name[i] != '_') {
			return false;
		}
	}
	return i > 0 && i <= CONFIG_NAME_MAX;
}

/* ----------------------------------------------------- services and volumes */

/* Is path the same as, or below, folder? */
static bool path_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	while (length > 0 && folder[length - 1] == '/') {
		length--;
	}
	return strncmp(path, folder, length) == 0 &&
		(path[length] == '\0' || path[length] == '/');
}

static bool check_kind(struct reader *r, const struct config_volume *volume)
{
	if (strcasecmp(volume->kind, "shared") != 0 &&
	    strcasecmp(volume->kind, "cluster") != 0) {
		return PROBLEM(r, "mirror:%s kind = %s: must be shared or "
			       "cluster, for example: mirror:%s kind = shared",
			       volume->name, volume->kind, volume->name);
	}
	if (!volume->fence && !volume->cluster) {
		return PROBLEM(r, "mirror:%s fence = no: a disk that two nodes "
			       "write to is destroyed; only kind = cluster may "
			       "do without, if its file system cuts nodes off "
			       "itself", volume->name);
	}
	return true;
}

static bool check_volume(struct reader *r, const struct config_volume *volume)
{
	struct config_volume **other;

	if (!check_kind(r, volume)) {
		return false;
	}
	if (volume->cluster) {
		if (volume->device != NULL || volume->mount_options[0]) {
			return PROBLEM(r, "mirror:%s device, mount options: "
				       "mirrord does not mount a volume with "
				       "kind = cluster; leave them out",
				       volume->name);
		}
	} else if (volume->device == NULL || volume->device[0] != '/') {
		return PROBLEM(r, "mirror:%s device = %s: must be the path of "
			       "a disk that all nodes see, for example: "
			       "mirror:%s device = /dev/disk/by-id/wwn-0x5000",
			       volume->name,
			       volume->device != NULL ? volume->device : "",
			       volume->name);
	}
	if (volume->mount_point == NULL || volume->mount_point[0] != '/' ||
	    strcmp(volume->mount_point, "/") == 0) {
		return PROBLEM(r, "mirror:%s mount point = %s: must be a "
			       "folder of its own, for example: "
			       "mirror:%s mount point = /srv/%s", volume->name,
			       volume->mount_point != NULL ?
			       volume->mount_point : "",
			       volume->name, volume->name);
	}
	for (other = r->config->volumes; *other != NULL; other++) {
		if (strcasecmp((*other)->name, volume->name) == 0) {
			return PROBLEM(r, "volume %s belongs to both services "
				       "%s and %s: name it in mirror:%s "
				       "volumes or in mirror:%s volumes",
				       volume->name, (*other)->service->name,
				       volume->service->name,
				       (*other)->service->name,
				       volume->service->name);
		}
		if (path_within(volume->mount_point, (*other)->mount_point) ||
		    path_within((*other)->mount_point, volume->mount_point)) {
			return PROBLEM(r, "mirror:%s mount point = %s: lies in "
				       "or around that of volume %s (%s); give "
				       "each volume a folder of its own",
				       volume->name, volume->mount_point,
				       (*other)->name,
				       (*other)->mount_point);
		}
		if (!volume->cluster && !(*other)->cluster &&
		    strcmp((*other)->device, volume->device) == 0) {
			return PROBLEM(r, "mirror:%s device = %s: is the "
				       "device of volume %s, too",
				       volume->name, volume->device,
				       (*other)->name);
		}
	}
	return true;
}

static const char *copy(TALLOC_CTX *mem_ctx, const char *text)
{
	return text != NULL ? talloc_strdup(mem_ctx, text) : NULL;
}

/* A trailing slash would make mount tables and us disagree. */
static const char *copy_path(TALLOC_CTX *mem_ctx, const char *text)
{
	char *path = text != NULL ? talloc_strdup(mem_ctx, text) : NULL;
	size_t length = path != NULL ? strlen(path) : 0;

	while (length > 1 && path[length - 1] == '/') {
		path[--length] = '\0';
	}
	return path;
}

static bool read_volume(struct reader *r, struct config_service *service,
			const char *name, size_t in_service)
{
	struct mirror_config *config = r->config;
	size_t n = talloc_array_length(config->volumes) - 1;
	struct config_volume *volume;
	const char *text;

	if (!good_name(name)) {
		return PROBLEM(r, "mirror:%s volumes: `%s' is no name; use up "
			       "to %d letters, digits, - and _, for example: "
			       "mirror:%s volumes = data", service->name, name,
			       CONFIG_NAME_MAX, service->name);
	}
	volume = talloc_zero(config, struct config_volume);
	if (volume == NULL) {
		return PROBLEM(r, "out of memory");
	}
	volume->service = service;
	volume->name = copy(volume, name);
	volume->kind = copy(volume, get_of(r, name, "kind"));
	if (volume->kind == NULL) {
		volume->kind = "shared";
	}
	volume->cluster = strcasecmp(volume->kind, "cluster") == 0;
	text = get_of(r, name, "fence");
	volume->fence = true;
	if (text != NULL && !parse_bool(text, &volume->fence)) {
		return PROBLEM(r, "mirror:%s fence = %s: must be yes or no, "
			       "for example: mirror:%s fence = yes", name,
			       text, name);
	}
	volume->device = copy_path(volume, get_of(r, name, "device"));
	volume->mount_point = copy_path(volume,
					get_of(r, name, "mount point"));
	volume->mount_options = copy(volume, get_of(r, name, "mount options"));
	if (volume->mount_options == NULL) {
		volume->mount_options = "";
	}
	if (!check_volume(r, volume)) {
		return false;
	}
	if (volume->device == NULL) {
		volume->device = "";
	}

	config->volumes = talloc_realloc(config, config->volumes,
					 struct config_volume *, n + 2);
	if (config->volumes == NULL) {
		return PROBLEM(r, "out of memory");
	}
	config->volumes[n] = volume;
	config->volumes[n + 1] = NULL;
	service->volumes[in_service] = volume;
	return true;
}

static bool good_interface(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++) {
		if (!isalnum((unsigned char)name[i]) &&
		    strchr("-_.:", name[i]) == NULL) {
			return false;
		}
	}
	return i > 0 && i <= CONFIG_INTERFACE_MAX;
}

static bool wrong_address(struct reader *r,
			  const struct config_service *service,
			  const char *word)
{
	return PROBLEM(r, "mirror:%s addresses: `%s' is no IP address, for "
		       "example: mirror:%s addresses = 192.168.1.20/24@eth0 "
		       "or 192.168.1.20", service->name, word, service->name);
}

/* ADDRESS[/PREFIX][@INTERFACE], taken apart in place. */
static bool read_address(struct reader *r, struct config_service *service,
			 size_t i)
{
	char *word = talloc_strdup(service, service->addresses[i]);
	char canonical[INET6_ADDRSTRLEN];
	uint8_t buf[sizeof(struct in6_addr)];
	char *interface, *prefix;
	uint64_t bits = 0;
	int family;

	if (word == NULL) {
		return PROBLEM(r, "out of memory");
	}
	interface = strchr(word, '@');
	if (interface != NULL) {
		*interface++ = '\0';
		if (!good_interface(interface)) {
			return wrong_address(r, service,
					     service->addresses[i]);
		}
	}
	prefix = strchr(word, '/');
	if (prefix != NULL) {
		*prefix++ = '\0';
	}
	family = strchr(word, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, word, buf) != 1 ||
	    (interface != NULL && prefix == NULL) ||
	    (prefix != NULL && (!parse_number(prefix, false, &bits) ||
				bits == 0 ||
				bits > (family == AF_INET ? 32 : 128)))) {
		return wrong_address(r, service, service->addresses[i]);
	}
	inet_ntop(family, buf, canonical, sizeof(canonical));
	service->addresses[i] = talloc_strdup(service->addresses, canonical);
	service->places[i] = (struct config_place){
		.prefix = (uint32_t)bits,
		.interface = interface,
	};
	return true;
}

static bool check_addresses(struct reader *r, struct config_service *service,
			    size_t count)
{
	size_t i, k;

	service->places = talloc_zero_array(service, struct config_place,
					    count);
	for (i = 0; i < count; i++) {
		struct config_service **other = r->config->services;

		if (!read_address(r, service, i)) {
			return false;
		}
		for (; *other != NULL; other++) {
			/* Of our own: those before. */
			for (k = 0; (*other)->addresses[k] != NULL &&
			     !(*other == service && k == i); k++) {
				if (strcmp((*other)->addresses[k],
					   service->addresses[i]) == 0) {
					return PROBLEM(
						r, "mirror:%s addresses: %s "
						"belongs to service %s, too",
						service->name,
						service->addresses[i],
						(*other)->name);
				}
			}
		}
	}
	return true;
}

static bool read_service(struct reader *r, const char *name)
{
	struct mirror_config *config = r->config;
	size_t n = talloc_array_length(config->services) - 1;
	struct config_service *service;
	const char **volumes;
	const char *text;
	uint64_t home = 0;
	size_t count, i;

	if (!good_name(name)) {
		return PROBLEM(r, "mirror:services: `%s' is no name; use up to "
			       "%d letters, digits, - and _, for example: "
			       "mirror:services = FILES", name,
			       CONFIG_NAME_MAX);
	}
	if (config_service_by_name(config, name) != NULL) {
		return PROBLEM(r, "mirror:services: `%s' is there twice",
			       name);
	}
	service = talloc_zero(config, struct config_service);
	config->services = talloc_realloc(config, config->services,
					  struct config_service *, n + 2);
	if (service == NULL || config->services == NULL) {
		return PROBLEM(r, "out of memory");
	}
	service->name = copy(service, name);

	service->addresses = split(service, get_of(r, name, "addresses"),
				   &count);
	if (count == 0) {
		return PROBLEM(r, "mirror:%s addresses is missing; the first "
			       "one is in ctdb's public_addresses, for "
			       "example: mirror:%s addresses = 192.168.1.20",
			       name, name);
	}
	config->services[n] = service;
	config->services[n + 1] = NULL;
	if (!check_addresses(r, service, count)) {
		return false;
	}
	text = get_of(r, name, "enabled");
	service->enabled = true;
	if (text != NULL && !parse_bool(text, &service->enabled)) {
		return PROBLEM(r, "mirror:%s enabled = %s: must be yes or no",
			       name, text);
	}

	text = get_of(r, name, "names");
	service->names = split(service, text != NULL ? text : name, &count);
	for (i = 0; i < count; i++) {
		if (!good_name(service->names[i]) ||
		    strlen(service->names[i]) > CONFIG_NETBIOS_MAX) {
			return PROBLEM(r, "mirror:%s names: `%s' is no NetBIOS "
				       "name; use up to %d letters, digits, - "
				       "and _, for example: mirror:%s names = "
				       "FILES", name, service->names[i],
				       CONFIG_NETBIOS_MAX, name);
		}
	}

	text = get_of(r, name, "home");
	if (text != NULL && (!parse_number(text, false, &home) ||
			     home > CONFIG_PNN_MAX)) {
		return PROBLEM(r, "mirror:%s home = %s: must be the number "
			       "(pnn) of a node, for example: "
			       "mirror:%s home = 0", name, text, name);
	}
	service->home = home;
	text = get_of(r, name, "giveback");
	if (text != NULL && !giveback_policy_parse(text, &service->giveback)) {
		return PROBLEM(r, "mirror:%s giveback = %s: must be manual, "
			       "at HH:MM, idle SECONDS, or both of these, for "
			       "example: mirror:%s giveback = at 03:00", name,
			       text, name);
	}

	volumes = split(service, get_of(r, name, "volumes"), &count);
	if (count == 0) {
		return PROBLEM(r, "mirror:%s volumes is missing, for example: "
			       "mirror:%s volumes = data", name, name);
	}
	service->volumes = talloc_zero_array(service, struct config_volume *,
					     count + 1);
	for (i = 0; i < count; i++) {
		if (!read_volume(r, service, volumes[i], i)) {
			return false;
		}
	}
	return true;
}

struct mirror_config *config_read(TALLOC_CTX *mem_ctx, char **problem)
{
	struct reader r = { .problem_ctx = mem_ctx };
	const char **services;
	size_t count, i;
	bool ok;

	*problem = NULL;
	r.config = talloc_zero(mem_ctx, struct mirror_config);
	if (r.config == NULL) {
		return NULL;
	}
	r.config->services = talloc_zero_array(r.config,
					       struct config_service *, 1);
	r.config->volumes = talloc_zero_array(r.config,
					      struct config_volume *, 1);
	services = split(r.config, get("services"), &count);
	ok = r.config->services != NULL && r.config->volumes != NULL &&
		services != NULL;
	for (i = 0; ok && i < NUM_OPTIONS; i++) {
		ok = read_option(&r, i);
	}
	ok = ok && read_local_locks(&r) && read_notify(&r);
	if (ok) {
		r.config->fences = config_fence_read(r.config, get, mem_ctx,
						     &r.problem);
		ok = r.config->fences != NULL && read_files(&r);
	}
	if (ok && count == 0) {
		ok = PROBLEM(&r, "mirror:services is missing: it names all "
			     "services, for example: mirror:services = FILES");
	}
	for (i = 0; ok && i < count; i++) {
		ok = read_service(&r, services[i]);
	}
	if (!ok) {
		*problem = r.problem != NULL ? r.problem :
			talloc_strdup(mem_ctx, "out of memory");
		TALLOC_FREE(r.config);
	}
	return r.config;
}

/* --------------------------------------------------------------- to look up */

const struct config_volume *config_volume_by_name(
	const struct mirror_config *config, const char *name)
{
	struct config_volume **volume;

	for (volume = config->volumes; *volume != NULL; volume++) {
		if (strcmp((*volume)->name, name) == 0) {
			return *volume;
		}
	}
	return NULL;
}

const struct config_volume *config_volume_by_path(
	const struct mirror_config *config, const char *path)
{
	struct config_volume **volume;

	for (volume = config->volumes; *volume != NULL; volume++) {
		if (path_within(path, (*volume)->mount_point)) {
			return *volume;
		}
	}
	return NULL;
}

const struct config_service *config_service_by_name(
	const struct mirror_config *config, const char *name)
{
	struct config_service **service;

	for (service = config->services; *service != NULL; service++) {
		if (strcasecmp((*service)->name, name) == 0) {
			return *service;
		}
	}
	return NULL;
}

const struct config_service *config_service_by_address(
	const struct mirror_config *config, const char *address)
{
	struct config_service **service;
	const char **own;

	for (service = config->services; *service != NULL; service++) {
		for (own = (*service)->addresses; *own != NULL; own++) {
			if (strcasecmp(*own, address) == 0) {
				return *service;
			}
		}
	}
	return NULL;
}

const struct config_service *config_service_find(
	const struct mirror_config *config, const char *address_or_name)
{
	const struct config_service *service;

	service = config_service_by_address(config, address_or_name);
	return service != NULL ? service :
		config_service_by_name(config, address_or_name);
}

char *config_service_names(TALLOC_CTX *mem_ctx,
			   const struct mirror_config *config)
{
	char *text = talloc_strdup(mem_ctx, "");
	struct config_service **s;

	for (s = config->services; text != NULL && *s != NULL; s++) {
		text = talloc_asprintf_append_buffer(text, "%s\n",
						     (*s)->name);
	}
	return text;
}

/* As `mirror-arpd take' wants them: ADDRESS[/PREFIX][@INTERFACE]. */
static char *append_places(char *text, const struct config_service *service)
{
	size_t i;

	text = talloc_strdup_append(text, "places=");
	for (i = 0; text != NULL && service->addresses[i] != NULL; i++) {
		const struct config_place *place = &service->places[i];

		text = talloc_asprintf_append(text, "%s%s", i > 0 ? " " : "",
					      service->addresses[i]);
		if (text != NULL && place->prefix != 0) {
			text = talloc_asprintf_append(text, "/%u",
						      place->prefix);
		}
		if (text != NULL && place->interface != NULL) {
			text = talloc_asprintf_append(text, "@%s",
						      place->interface);
		}
	}
	return text != NULL ? talloc_strdup_append(text, "\n") : NULL;
}

static char *append_list(char *text, const char *key, const char **list)
{
	text = talloc_asprintf_append(text, "%s=", key);
	for (; text != NULL && *list != NULL; list++) {
		text = talloc_asprintf_append(text, "%s%s", *list,
					      list[1] != NULL ? " " : "");
	}
	return text != NULL ? talloc_strdup_append(text, "\n") : NULL;
}

char *config_service_describe(TALLOC_CTX *mem_ctx,
			      const struct config_service *service)
{
	struct config_volume **v;
	char *text;

	text = talloc_asprintf(mem_ctx, "name=%s\nanchor=%s\nhome=%u\n"
			       "enabled=%s\n", service->name,
			       service->addresses[0], service->home,
			       service->enabled ? "yes" : "no");
	if (text != NULL) {
		text = append_list(text, "addresses", service->addresses);
	}
	if (text != NULL) {
		text = append_places(text, service);
	}
	if (text != NULL) {
		text = append_list(text, "names", service->names);
	}
	for (v = service->volumes; text != NULL && *v != NULL; v++) {
		text = talloc_asprintf_append(text, "mount=%s\n",
					      (*v)->mount_point);
	}
	return text;
}
