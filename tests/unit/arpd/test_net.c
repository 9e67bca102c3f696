/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses: parsing, printing, networks. */

#include <sys/socket.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "net.h"

static struct net_address parse(const char *text)
{
	struct net_address address;

	assert_true(net_address_parse(text, &address));
	return address;
}

static void test_round_trip(void **state)
{
	static const char *const texts[] = {
		"10.0.0.5", "10.0.0.5/24", "0.0.0.0/0", "fd00::5/64", "::1",
		"fe80::1/10",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct net_address address = parse(texts[i]);
		char *text = net_address_print(NULL, &address);

		assert_string_equal(text, texts[i]);
		talloc_free(text);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"", "10.0.0", "10.0.0.5/33", "10.0.0.5/", "10.0.0.5/-1",
		"10.0.0.5/2 4", "fd00::5/129", "fd00:::5", "name",
		"10.0.0.5/024x",
	};
	struct net_address address;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(net_address_parse(texts[i], &address));
		assert_int_equal(address.family, 0);
	}
}

static bool within(const char *host, const char *network)
{
	struct net_address h = parse(host);
	struct net_address n = parse(network);

	return net_address_within(&h, &n);
}

static void test_within(void **state)
{
	assert_true(within("10.0.0.5", "10.0.0.200/24"));
	assert_false(within("10.0.1.5", "10.0.0.200/24"));
	assert_true(within("10.0.1.5", "10.0.0.200/23"));
	assert_true(within("10.0.1.5", "0.0.0.0/0"));
	assert_true(within("10.0.1.5", "10.0.1.5/32"));
	assert_false(within("10.0.1.4", "10.0.1.5/32"));
	assert_true(within("fd00::1:5", "fd00::2:5/64"));
	assert_false(within("fd00:0:0:1::5", "fd00::5/64"));
	assert_false(within("fd00::5", "10.0.0.0/8"));
	assert_true(within("fd00::ffff", "fd00::ffff/128"));
}

static void test_broadcast(void **state)
{
	struct net_address network = parse("10.0.0.5/22");
	struct net_address broadcast = net_address_broadcast(&network);
	char *text = net_address_print(NULL, &broadcast);

	assert_string_equal(text, "10.0.3.255");
	talloc_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_broadcast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
