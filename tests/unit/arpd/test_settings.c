/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctdb's files: what is read of them, and what is said when they are wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "settings.h"
#include "settings_watch.h"

static char folder[] = "/tmp/test_settings.XXXXXX";
static TALLOC_CTX *ctx;

static void write_file(const char *name, const char *text)
{
	char *path = talloc_asprintf(ctx, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	ctx = talloc_new(NULL);
	write_file("script.options", "CTDB_ARPD_INTERCONNECT=ic\n");
	write_file("nodes", "10.255.0.1\n#10.255.0.9\n10.255.0.2\n");
	write_file("public_addresses",
		   "# ours\n10.77.0.200/24 eth0\n\n"
		   "10.79.0.200/24\teth1,eth2\nfd77::200/64 eth0\n");
	return 0;
}

static int teardown(void **state)
{
	talloc_free(ctx);
	return 0;
}

static struct settings *good(void)
{
	char *problem = NULL;
	struct settings *settings = settings_read(ctx, folder, &problem);

	if (settings == NULL) {
		fail_msg("%s", problem);
	}
	return settings;
}

static void test_what_is_read(void **state)
{
	struct settings *s = good();

	assert_int_equal(s->num_nodes, 3);
	assert_int_equal(s->nodes[1].family, 0);
	assert_int_equal(s->nodes[2].bytes[3], 2);
	assert_int_equal(s->num_interfaces, 4);
	assert_string_equal(s->interfaces[0].name, "ic");
	assert_true(s->interfaces[0].interconnect);
	assert_string_equal(s->interfaces[3].name, "eth2");
	assert_false(s->interfaces[3].interconnect);
	assert_int_equal(s->num_addresses, 3);
	assert_int_equal(s->addresses[2].prefix, 64);
	assert_int_equal(s->beacon_ms, 50);
	assert_int_equal(s->detection_ms, 150);
	assert_int_equal(s->silence_ms, 300);
	assert_true(s->death);
}

static void test_forms_of_a_line(void **state)
{
	struct settings *s;

	write_file("script.options",
		   "# a comment\n"
		   "CTDB_SAMBA_SKIP_SHARE_CHECK=yes\n"
		   "if [ -e x ] ; then OTHER=$(ls) ; fi\n"
		   "  export CTDB_ARPD_INTERCONNECT=\"ic0 ic1\" # two\n"
		   "CTDB_ARPD_INTERFACES='lan'\n"
		   "CTDB_ARPD_BEACON=50 # ms\n"
		   "CTDB_ARPD_DETECTION=200\n"
		   "CTDB_ARPD_DEATH=no\n");
	s = good();
	assert_int_equal(s->num_interfaces, 3);
	assert_string_equal(s->interfaces[1].name, "ic1");
	assert_true(s->interfaces[1].interconnect);
	assert_string_equal(s->interfaces[2].name, "lan");
	assert_false(s->interfaces[2].interconnect);
	assert_int_equal(s->beacon_ms, 50);
	assert_false(s->death);
}

static void test_without_public_addresses(void **state)
{
	char *path = talloc_asprintf(ctx, "%s/public_addresses", folder);

	unlink(path);
	assert_int_equal(good()->num_addresses, 0);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *file;
		const char *text;
		const char *said;
	} rows[] = {
		{ "script.options", "CTDB_ARPD_BEACON=100\n",
		  "CTDB_ARPD_INTERCONNECT=\"eth1\"" },
		{ "script.options", "CTDB_ARPD_INTERCONECT=ic\n",
		  "line 1: there is no option CTDB_ARPD_INTERCONECT" },
		{ "script.options",
		  "CTDB_ARPD_INTERCONNECT=ic\nCTDB_ARPD_BEACON=ten\n",
		  "line 2: CTDB_ARPD_BEACON=ten: must be a number" },
		{ "script.options",
		  "CTDB_ARPD_INTERCONNECT=ic\nCTDB_ARPD_BEACON=9\n",
		  "from 10 to 10000" },
		{ "script.options",
		  "CTDB_ARPD_INTERCONNECT=ic\nCTDB_ARPD_BEACON=200\n",
		  "less than two beacons" },
		{ "script.options",
		  "CTDB_ARPD_INTERCONNECT=ic\nCTDB_ARPD_SILENCE=140\n",
		  "less than CTDB_ARPD_DETECTION=150" },
		{ "script.options", "CTDB_ARPD_INTERCONNECT=\"ic\n",
		  "the closing \" is missing" },
		{ "script.options", "CTDB_ARPD_INTERCONNECT=$IC\n",
		  "does not know variables" },
		{ "script.options", "CTDB_ARPD_INTERCONNECT\n",
		  "must be NAME=VALUE" },
		{ "script.options", "CTDB_ARPD_INTERCONNECT=ic\n"
		  "CTDB_ARPD_DEATH=maybe\n", "must be yes or no" },
		{ "script.options",
		  "CTDB_ARPD_INTERCONNECT=abcdefghijklmnop\n", "too long" },
		{ "nodes", "10.255.0.1\nn2\n", "line 2: `n2' is no IP" },
		{ "public_addresses", "10.77.0.200 eth0\n",
		  "no address with a prefix" },
		{ "public_addresses", "10.77.0.200/40 eth0\n",
		  "no address with a prefix" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *problem = NULL;

		setup(NULL);
		write_file(rows[i].file, rows[i].text);
		assert_null(settings_read(ctx, folder, &problem));
		if (problem == NULL ||
		    strstr(problem, rows[i].said) == NULL) {
			fail_msg("row %zu: %s", i, problem);
		}
		talloc_free(ctx);
		ctx = NULL;
	}
}

static void test_bounds(void **state)
{
	char *problem = NULL;
	char *text = talloc_strdup(ctx, "");
	int i;

	for (i = 0; i <= SETTINGS_NODES_MAX; i++) {
		text = talloc_asprintf_append(text, "10.0.0.%d\n", i);
	}
	write_file("nodes", text);
	assert_null(settings_read(ctx, folder, &problem));
	setup(NULL);
	text = talloc_strdup(ctx, "CTDB_ARPD_INTERCONNECT=\"");
	for (i = 0; i <= SETTINGS_INTERFACES_MAX; i++) {
		text = talloc_asprintf_append(text, "i%d ", i);
	}
	write_file("script.options", talloc_asprintf(ctx, "%s\"\n", text));
	assert_null(settings_read(ctx, folder, &problem));
	assert_non_null(strstr(problem, "more than"));
}

/* Once for each change, when its writer has paused; a comment makes none. */
static void test_changes(void **state)
{
	struct settings_watch watch = { 0 };
	struct settings *before = good(), *now;

	assert_false(settings_watch_look(&watch, folder));
	assert_true(settings_watch_look(&watch, folder));
	assert_false(settings_watch_look(&watch, folder));
	write_file("nodes", "10.255.0.1\n#10.255.0.9\n10.255.0.2\n"
		   "10.255.0.3\n");
	assert_false(settings_watch_look(&watch, folder));
	assert_true(settings_watch_look(&watch, folder));
	assert_false(settings_watch_look(&watch, folder));
	now = good();
	assert_false(settings_same(before, now));
	assert_true(settings_same(now, now));

	write_file("script.options", "# more\nCTDB_ARPD_INTERCONNECT=ic\n");
	assert_false(settings_watch_look(&watch, folder));
	write_file("script.options", "# other\nCTDB_ARPD_INTERCONNECT=ic\n");
	assert_false(settings_watch_look(&watch, folder));
	assert_true(settings_watch_look(&watch, folder));
	assert_true(settings_same(now, good()));
	write_file("script.options", "CTDB_ARPD_INTERCONNECT=ic\n"
		   "CTDB_ARPD_INTERFACES=eth7\n");
	assert_false(settings_same(now, good()));
	setup(NULL);
	write_file("public_addresses", "10.77.0.200/25 eth0\n");
	assert_false(settings_same(before, good()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_forms_of_a_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_without_public_addresses,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
	};
	int failed;

	if (mkdtemp(folder) == NULL) {
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir(folder) == 0) {
		unlink("script.options");
		unlink("nodes");
		unlink("public_addresses");
		rmdir(folder);
	}
	return failed;
}
