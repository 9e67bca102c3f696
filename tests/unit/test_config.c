/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Configuration: defaults, values, and the message for a wrong one.
 *
 * Seen to fail with these checks of config.c taken out in turn: bounds of
 * numbers, overflow of units, absolute paths, names, names and addresses and
 * devices that are there twice, nested mount points, unknown kinds.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "config.h"

/* In the place of Samba's: what a test set. */
struct setting {
	const char *type;
	const char *option;
	const char *value;
};

#define SETTINGS_MAX 32

static struct setting settings[SETTINGS_MAX];
static size_t num_settings;

const char *lp_parm_const_string(int snum, const char *type,
				 const char *option, const char *fallback);

__attribute__((visibility("default")))
const char *lp_parm_const_string(int snum, const char *type,
				 const char *option, const char *fallback)
{
	size_t i;

	assert_int_equal(snum, -1);
	/* The last one counts, as in smb.conf. */
	for (i = num_settings; i-- > 0; ) {
		if (strcmp(settings[i].type, type) == 0 &&
		    strcmp(settings[i].option, option) == 0) {
			return settings[i].value;
		}
	}
	return fallback;
}

static void set_other(const char *type, const char *option, const char *value)
{
	assert_true(num_settings < SETTINGS_MAX);
	settings[num_settings++] = (struct setting){ type, option, value };
}

static void set(const char *option, const char *value)
{
	set_other("mirror", option, value);
}

static int good_settings(void **state)
{
	num_settings = 0;
	set("services", "FILES, MEDIA");
	set("FILES addresses", "10.0.0.5 10.0.1.5");
	set("FILES names", "FILES OLDNAME");
	set("FILES volumes", "data home");
	set("MEDIA addresses", "fd00::7");
	set("MEDIA volumes", "media");
	set("MEDIA home", "1");
	set("MEDIA giveback", "at 03:00 idle 60");
	set("data device", "/dev/sda");
	set("data mount point", "/srv/data/");
	set("data mount options", "noatime");
	set("home device", "/dev/sdb");
	set("home mount point", "/srv/home");
	set("media device", "/dev/sdc");
	set("media mount point", "/srv/data2");
	return 0;
}

static struct mirror_config *read_good(TALLOC_CTX *mem_ctx)
{
	struct mirror_config *config;
	char *problem;

	config = config_read(mem_ctx, &problem);
	if (config == NULL) {
		fail_msg("%s", problem);
	}
	return config;
}

static void test_defaults(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mirror_config *config = read_good(ctx);

	assert_null(config->fence_command);
	assert_int_equal(config->port, 4380);
	assert_true(config->encrypt);
	assert_int_equal(config->store_size, 256 << 20);
	assert_int_equal(config->epoch_interval_ms, 1000);
	assert_int_equal(config->flush, CONFIG_FLUSH_DISK);
	assert_int_equal(config->degraded, CONFIG_WRITE_THROUGH);
	assert_string_equal(config->nodes_file, "/etc/ctdb/nodes");
	talloc_free(ctx);
}

static void test_values(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mirror_config *config;

	set("fence command", "/sbin/fence %N");
	set("port", "4711");
	set("encrypt", "No");
	set("store size", "2G");
	set("flush", "Mirrored");
	set("degraded", "write-back");
	config = read_good(ctx);
	assert_string_equal(config->fence_command, "/sbin/fence %N");
	assert_int_equal(config->port, 4711);
	assert_false(config->encrypt);
	assert_true(config->store_size == UINT64_C(2) << 30);
	assert_int_equal(config->flush, CONFIG_FLUSH_MIRRORED);
	assert_int_equal(config->degraded, CONFIG_WRITE_BACK);
	talloc_free(ctx);
}

static void test_services(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mirror_config *config = read_good(ctx);
	const struct config_service *files;

	files = config_service_by_name(config, "files");
	assert_non_null(files);
	assert_string_equal(files->name, "FILES");
	assert_string_equal(files->addresses[1], "10.0.1.5");
	assert_null(files->addresses[2]);
	assert_string_equal(files->names[1], "OLDNAME");
	assert_string_equal(files->volumes[1]->name, "home");
	assert_null(files->volumes[2]);
	assert_int_equal(files->home, 0);
	assert_ptr_equal(config_service_by_address(config, "10.0.1.5"), files);
	assert_null(config_service_by_address(config, "10.0.1.6"));
	/* Without names: its own. */
	assert_string_equal(config->services[1]->names[0], "MEDIA");
	assert_int_equal(config->services[1]->home, 1);
	assert_false(files->giveback.at || files->giveback.idle);
	assert_int_equal(config->services[1]->giveback.minute, 180);
	assert_int_equal(config->services[1]->giveback.idle_s, 60);
	talloc_free(ctx);
}

static void test_volumes(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mirror_config *config = read_good(ctx);
	const struct config_volume *data = config_volume_by_name(config,
								 "data");

	assert_string_equal(data->kind, "shared");
	assert_string_equal(data->mount_point, "/srv/data");
	assert_string_equal(data->mount_options, "noatime");
	assert_ptr_equal(config_volume_by_path(config, "/srv/data"), data);
	assert_ptr_equal(config_volume_by_path(config, "/srv/data/a/b"), data);
	assert_string_equal(config_volume_by_path(config,
						  "/srv/data2/x")->name,
			    "media");
	assert_null(config_volume_by_path(config, "/srv/data22"));
	assert_null(config_volume_by_path(config, "/srv"));
	assert_null(config_volume_by_name(config, "dat"));
	talloc_free(ctx);
}

/* One wrong value each, and what the message has to name. */
static const struct {
	const char *option;
	const char *value;
	const char *names;
} wrong[] = {
	{ "services", "", "mirror:services" },
	{ "services", "FI/LES", "`FI/LES' is no name" },
	{ "services", "FILES files", "twice" },
	{ "port", "0", "mirror:port = 0" },
	{ "port", "70000", "mirror:port = 70000" },
	{ "port", "44x", "mirror:port = 44x" },
	{ "epoch interval", "-5", "mirror:epoch interval = -5" },
	{ "epoch interval", "1K", "mirror:epoch interval = 1K" },
	{ "store size", "16E", "mirror:store size = 16E" },
	{ "store size", "1K", "mirror:store size = 1K" },
	{ "store size", "16777217T", "mirror:store size" },
	{ "store directory", "shm", "mirror:store directory = shm" },
	{ "encrypt", "maybe", "mirror:encrypt = maybe" },
	{ "flush", "disc", "mirror:flush = disc" },
	{ "degraded", "on", "mirror:degraded = on" },
	{ "FILES addresses", "", "mirror:FILES addresses" },
	{ "FILES addresses", "10.0.0", "`10.0.0' is no IP address" },
	{ "MEDIA addresses", "10.0.0.5", "belongs to service FILES" },
	{ "FILES volumes", "", "mirror:FILES volumes" },
	{ "FILES volumes", "../etc", "`../etc' is no name" },
	{ "MEDIA volumes", "data", "data belongs to both" },
	{ "FILES names", "SIXTEENCHARACTER", "SIXTEENCHARACTER" },
	{ "FILES names", "A\"B", "A\"B" },
	{ "FILES home", "one", "mirror:FILES home = one" },
	{ "FILES giveback", "night", "mirror:FILES giveback = night" },
	{ "giveback delay", "-1", "mirror:giveback delay = -1" },
	{ "data kind", "replica", "mirror:data kind = replica" },
	{ "data kind", "cluster", "mirror:data device" },
	{ "data fence", "no", "mirror:data fence = no" },
	{ "data fence", "maybe", "mirror:data fence = maybe" },
	{ "data device", "", "mirror:data device" },
	{ "data device", "sda", "mirror:data device = sda" },
	{ "home device", "/dev/sda", "mirror:home device" },
	{ "data mount point", "", "mirror:data mount point" },
	{ "data mount point", "/", "mirror:data mount point" },
	{ "home mount point", "/srv/data/home", "mirror:home mount point" },
	{ "home mount point", "/srv", "mirror:home mount point" },
};

/* Mounted by others: no device, and only such a volume may go unfenced. */
static void test_cluster_volumes(void **state)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct mirror_config *config;
	char *problem = NULL;

	good_settings(state);
	set("data kind", "cluster");
	set("data device", "");
	set("data mount options", "");
	config = config_read(ctx, &problem);
	assert_non_null(config);
	assert_true(config->volumes[0]->cluster);
	assert_true(config->volumes[0]->fence);
	assert_string_equal(config->volumes[0]->device, "");
	assert_false(config->volumes[1]->cluster);
	assert_true(config->volumes[1]->fence);
	set("data fence", "no");
	config = config_read(ctx, &problem);
	assert_non_null(config);
	assert_false(config->volumes[0]->fence);
	set("data mount options", "noatime");
	assert_null(config_read(ctx, &problem));
	assert_non_null(strstr(problem, "mirrord does not mount"));
	talloc_free(ctx);
}

static void test_wrong(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		TALLOC_CTX *ctx = talloc_new(NULL);
		char *problem = NULL;

		good_settings(state);
		set(wrong[i].option, wrong[i].value);
		if (config_read(ctx, &problem) != NULL) {
			fail_msg("mirror:%s = %s was accepted",
				 wrong[i].option, wrong[i].value);
		}
		if (strstr(problem, wrong[i].names) == NULL) {
			fail_msg("mirror:%s = %s: the message does not say "
				 "\"%s\": %s", wrong[i].option,
				 wrong[i].value, wrong[i].names, problem);
		}
		talloc_free(ctx);
	}
}

/* Mixed, an open would be known to one half of smbd's databases only. */
static void test_local_locks(void **state)
{
	static const char *const databases[] = {
		"locking.tdb", "brlock.tdb", "leases.tdb",
		"smbXsrv_open_global.tdb"
	};
	TALLOC_CTX *ctx = talloc_new(NULL);
	char *problem = NULL;
	size_t i;

	assert_false(read_good(ctx)->local_locks);
	for (i = 0; i < 3; i++) {
		set_other("ctdb", databases[i], i == 1 ? "False" : "no");
		assert_null(config_read(ctx, &problem));
		assert_non_null(strstr(problem, databases[3]));
	}
	set_other("ctdb", databases[3], "no");
	assert_true(read_good(ctx)->local_locks);
	set_other("ctdb", databases[1], "yes");
	assert_null(config_read(ctx, &problem));
	set_other("ctdb", databases[1], "perhaps");
	assert_null(config_read(ctx, &problem));
	assert_non_null(strstr(problem, "ctdb:brlock.tdb = perhaps"));
	talloc_free(ctx);
}

static void test_every_option_has_help(void **state)
{
	const struct config_option_info *info;

	for (info = config_options(); info->name != NULL; info++) {
		assert_true(strlen(info->help) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, good_settings),
		cmocka_unit_test_setup(test_values, good_settings),
		cmocka_unit_test_setup(test_services, good_settings),
		cmocka_unit_test_setup(test_volumes, good_settings),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_cluster_volumes),
		cmocka_unit_test_setup(test_local_locks, good_settings),
		cmocka_unit_test(test_every_option_has_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
