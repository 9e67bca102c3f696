/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Another configuration while services run: what of it may be, what waits for
 * a restart, and what ctdb's public_addresses become.
 *
 * Seen to fail with a table that ends early taken as whole, with at_rest() not
 * asked, with options that are not held back, and with lines of others lost.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "anchors.h"
#include "config_table.h"
#include "reconfigure_check.h"

#define BASE \
	"mirror:services = FILES MEDIA\n" \
	"mirror:FILES addresses = 10.0.0.5/24@eth0 10.0.1.5\n" \
	"mirror:FILES volumes = data\n" \
	"mirror:data device = /dev/sda\n" \
	"mirror:data mount point = /srv/data\n" \
	"mirror:MEDIA volumes = media\n" \
	"mirror:media device = /dev/sdb\n" \
	"mirror:media mount point = /srv/media\n"
#define MEDIA "mirror:MEDIA addresses = 10.0.0.6/24\n"
#define END "end\n"

static TALLOC_CTX *ctx;
static const struct config_service *asked;
static bool rests;

static int setup(void **state)
{
	ctx = talloc_new(NULL);
	asked = NULL;
	rests = false;
	return 0;
}

static int teardown(void **state)
{
	return talloc_free(ctx);
}

static struct config_table *table(const char *text)
{
	struct config_table *t = config_table_parse(ctx, text);

	assert_non_null(t);
	return t;
}

static const struct mirror_config *config(const char *text)
{
	char *problem = NULL;
	const struct mirror_config *c = config_table_read(ctx, table(text),
							  &problem);

	if (c == NULL) {
		fail_msg("%s", problem);
	}
	return c;
}

static bool at_rest(const struct config_service *service, void *private_data)
{
	asked = service;
	return rests;
}

static char *refused(const char *next)
{
	return reconfigure_refused(ctx, config(BASE MEDIA END), config(next),
				   at_rest, NULL);
}

/* ------------------------------------------------------------------- table */

static void test_table_is_whole_or_nothing(void **state)
{
	char *text = config_table_text(ctx, table(BASE MEDIA END));
	char *cut;
	size_t i;

	assert_string_equal(text, BASE MEDIA END);
	for (i = 0; i < strlen(text); i++) {
		cut = talloc_strndup(ctx, text, i);
		assert_null(config_table_parse(ctx, cut));
	}
	assert_null(config_table_parse(ctx, BASE "no value\n" END));
}

static void test_addresses_have_places(void **state)
{
	const struct config_service *s = config(BASE MEDIA END)->services[0];

	assert_string_equal(s->addresses[0], "10.0.0.5");
	assert_int_equal(s->places[0].prefix, 24);
	assert_string_equal(s->places[0].interface, "eth0");
	assert_string_equal(s->addresses[1], "10.0.1.5");
	assert_int_equal(s->places[1].prefix, 0);
	assert_null(s->places[1].interface);
	assert_true(s->enabled);
	/* As ctdb and smbd write it. */
	assert_string_equal(
		config(BASE "mirror:MEDIA addresses = FD00:0::0007/64\n" END)
		->services[1]->addresses[0], "fd00::7");
}

static void test_wrong_addresses(void **state)
{
	static const char *const wrong[] = {
		"10.0.0.6/33", "10.0.0.6/0", "10.0.0.6/", "10.0.0.6/x",
		"10.0.0.6@eth0", "10.0.0.6/24@", "10.0.0.6/24@a b",
		"10.0.0.6/24@e;h", "10.0.0.300/24", "10.0.0.5/24",
		"10.0.0.7 10.0.0.7", "fd00::7/129",
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *problem = NULL;
		char *text = talloc_asprintf(
			ctx, BASE "mirror:MEDIA addresses = %s\n" END,
			wrong[i]);

		if (config_table_read(ctx, table(text), &problem) != NULL) {
			fail_msg("%s", wrong[i]);
		}
		assert_non_null(strstr(problem, "mirror:MEDIA addresses"));
	}
}

/* ------------------------------------------------------------------- check */

static void test_what_may_change(void **state)
{
	/* a further address, names, home, options of the mount, an option */
	assert_null(refused(BASE "mirror:MEDIA addresses = 10.0.0.6 10.0.2.6\n"
			    "mirror:MEDIA names = MEDIA FILMS\n"
			    "mirror:MEDIA home = 1\n"
			    "mirror:media mount options = noatime\n"
			    "mirror:flush = mirrored\n" END));
	/* another service */
	assert_null(reconfigure_refused(
		ctx, config("mirror:services = FILES\n"
			    "mirror:FILES addresses = 10.0.0.5\n"
			    "mirror:FILES volumes = data\n"
			    "mirror:data device = /dev/sda\n"
			    "mirror:data mount point = /srv/data\n" END),
		config(BASE MEDIA END), at_rest, NULL));
	assert_null(asked);
}

static void test_what_wants_rest(void **state)
{
	static const char *const next[] = {
		"mirror:MEDIA addresses = 10.0.0.7 10.0.0.6\n",
		MEDIA "mirror:media device = /dev/sdc\n",
		MEDIA "mirror:media mount point = /srv/films\n",
		MEDIA "mirror:MEDIA volumes = films\n"
		"mirror:films device = /dev/sdc\n"
		"mirror:films mount point = /srv/films\n",
		MEDIA "mirror:services = FILES\n",
		MEDIA "mirror:FILES volumes = data media\n"
		"mirror:MEDIA volumes = films\n"
		"mirror:films device = /dev/sdc\n"
		"mirror:films mount point = /srv/films\n",
	};
	size_t i;

	for (i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		char *text = talloc_asprintf(ctx, BASE "%s" END, next[i]);
		char *why;

		rests = false;
		why = refused(text);
		if (why == NULL) {
			fail_msg("%s", next[i]);
		}
		assert_string_equal(asked->name, "MEDIA");
		assert_non_null(strstr(why, "\"mirror:MEDIA enabled\" no"));
		rests = true;
		assert_null(refused(text));
	}
}

static void test_some_wait_for_a_restart(void **state)
{
	const struct config_table *now = table(BASE MEDIA
					       "mirror:port = 4380\n" END);
	struct config_table *next = table(
		BASE MEDIA "mirror:port = 4381\nmirror:lease = 900\n"
		"mirror:flush = mirrored\n" END);
	char *waits = reconfigure_hold_back(ctx, now, next);

	assert_non_null(strstr(waits, "mirror:port = 4381 waits"));
	assert_non_null(strstr(waits, "mirror:lease = 900 waits"));
	assert_null(strstr(waits, "flush"));
	assert_string_equal(config_table_value(next, "mirror:port"), "4380");
	assert_null(config_table_value(next, "mirror:lease"));
	assert_string_equal(reconfigure_differences(ctx, now, next),
			    "mirror:flush = mirrored\n");
	assert_string_equal(reconfigure_differences(ctx, next, now),
			    "mirror:flush =  (was: mirrored)\n");
}

/* ----------------------------------------------------------------- anchors */

static const char *interface_of(TALLOC_CTX *mem_ctx, const char *address,
				uint32_t prefix)
{
	return strcmp(address, "10.0.0.6") == 0 && prefix == 24 ? "eth7" :
		NULL;
}

static char *anchors(const char *text, const char *settings)
{
	char *problem;
	char *next = anchors_text(ctx, text, config(settings), interface_of,
				  &problem);

	assert_null(problem);
	return next;
}

#define MARK "# samba-mirror: from net conf; edited lines are lost\n"
#define LAST "# samba-mirror: end\n"

static void test_public_addresses(void **state)
{
	static const char both[] = "# mine\n10.9.9.9/24 eth0\n" MARK
		"10.0.0.5/24 eth0\n10.0.0.6/24 eth7\n" LAST;

	assert_string_equal(anchors("# mine\n10.9.9.9/24 eth0\n",
				    BASE MEDIA END), both);
	/* Once more the same. */
	assert_string_equal(anchors(both, BASE MEDIA END), both);
	/* A line by hand of an anchor that the registry places. */
	assert_string_equal(anchors("# mine\n  10.0.0.5/16 eth9\n"
				    "10.9.9.9/24 eth0", BASE MEDIA END), both);
	/* What stands behind it, and a service that is stopped. */
	assert_string_equal(anchors(MARK "10.0.0.6/24 eth1\n" LAST
				    "10.0.0.60/24 eth1\n", BASE MEDIA
				    "mirror:MEDIA enabled = no\n" END),
			    "10.0.0.60/24 eth1\n" MARK "10.0.0.5/24 eth0\n"
			    LAST);
	/* Anchors without a prefix are none of ours. */
	assert_string_equal(anchors("10.0.0.5/24 a\n10.0.0.6/24 b\n", BASE
				    "mirror:FILES addresses = 10.0.0.5\n"
				    "mirror:MEDIA addresses = 10.0.0.6\n"
				    END),
			    "10.0.0.5/24 a\n10.0.0.6/24 b\n");
}

static void test_no_interface(void **state)
{
	char *problem;
	char *text = anchors_text(
		ctx, "", config(BASE "mirror:MEDIA addresses = 10.3.0.6/24\n"
				END), interface_of, &problem);

	assert_string_equal(text, MARK "10.0.0.5/24 eth0\n" LAST);
	assert_non_null(strstr(problem, "10.3.0.6/24@eth0"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table_is_whole_or_nothing),
		TEST(test_addresses_have_places),
		TEST(test_wrong_addresses),
		TEST(test_what_may_change),
		TEST(test_what_wants_rest),
		TEST(test_some_wait_for_a_restart),
		TEST(test_public_addresses),
		TEST(test_no_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
