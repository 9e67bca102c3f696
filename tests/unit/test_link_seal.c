/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tests of source/common/link_seal.c and link_aead.c (R6): records of TLS 1.3
 * as GnuTLS makes and takes them, and none that anybody touched.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "link_aead.h"
/* With its inside: 256 GiB are not to be sent here. */
#include "../../source/common/link_seal.c"

/* ---- AES-128-GCM ------------------------------------------------------- */

/* McGrew and Viega, The Galois/Counter Mode of Operation, test case 4. */
static const char gcm_key[] = "feffe9928665731c6d6a8f9467308308";
static const char gcm_nonce[] = "cafebabefacedbaddecaf888";
static const char gcm_head[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char gcm_text[] =
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
static const char gcm_sealed[] =
	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
	"5bc94fbc3221a5db94fae95ae7121a47";

static size_t unhex(const char *digits, uint8_t *bytes)
{
	size_t length = strlen(digits) / 2;
	size_t i;

	for (i = 0; i < length; i++) {
		unsigned byte;

		assert_int_equal(sscanf(digits + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return length;
}

static struct link_aead *make_aead(const char *digits, bool portable)
{
	uint8_t key[LINK_AEAD_KEY];
	struct link_aead *aead;

	assert_int_equal(unhex(digits, key), sizeof(key));
	assert_int_equal(link_aead_new(NULL, key, portable, &aead), 0);
	return aead;
}

static void try_vector(bool portable)
{
	struct link_aead *aead = make_aead(gcm_key, portable);
	uint8_t nonce[LINK_AEAD_NONCE], head_bytes[20], text[60], sealed[76];
	uint8_t out[sizeof(sealed)];
	struct iovec head = { .iov_base = head_bytes, .iov_len = 20 };
	size_t cut;

	unhex(gcm_nonce, nonce);
	unhex(gcm_head, head_bytes);
	unhex(gcm_text, text);
	unhex(gcm_sealed, sealed);
	for (cut = 0; cut <= sizeof(text); cut++) {
		struct iovec pieces[2] = {
			{ .iov_base = text, .iov_len = cut },
			{ .iov_base = text + cut,
			  .iov_len = sizeof(text) - cut },
		};

		memset(out, 0, sizeof(out));
		assert_int_equal(link_aead_seal(aead, nonce, &head, pieces, 2,
						sizeof(text), out), 0);
		assert_memory_equal(out, sealed, sizeof(sealed));
	}
	memset(out, 0, sizeof(out));
	assert_int_equal(link_aead_open(aead, nonce, &head, sealed,
					sizeof(sealed), out), 0);
	assert_memory_equal(out, text, sizeof(text));
	for (cut = 0; cut < 8 * sizeof(sealed); cut++) {
		sealed[cut / 8] ^= (uint8_t)(1 << cut % 8);
		assert_int_equal(link_aead_open(aead, nonce, &head, sealed,
						sizeof(sealed), out), EBADMSG);
		sealed[cut / 8] ^= (uint8_t)(1 << cut % 8);
	}
	head_bytes[0] ^= 1;
	assert_int_equal(link_aead_open(aead, nonce, &head, sealed,
					sizeof(sealed), out), EBADMSG);
	talloc_free(aead);
}

static void test_vector(void **state)
{
	try_vector(true);
	try_vector(false);
}

/* Whatever this processor can do, it does the same. */
static void test_same(void **state)
{
	struct link_aead *slow = make_aead(gcm_key, true);
	struct link_aead *fast = make_aead(gcm_key, false);
	static uint8_t text[LINK_SEAL_MAX + 1];
	static uint8_t one[sizeof(text) + LINK_AEAD_TAG];
	static uint8_t other[sizeof(one)];
	uint8_t nonce[LINK_AEAD_NONCE] = { 1, 2, 3 };
	uint8_t head_bytes[5] = { 23, 3, 3, 0, 1 };
	struct iovec head = { .iov_base = head_bytes, .iov_len = 5 };
	size_t i, length;

	for (i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 2654435761U >> 24);
	}
	for (length = 1; length <= sizeof(text); length += 1 + length / 3) {
		size_t cut = length * 5 / 7;
		struct iovec pieces[3] = {
			{ .iov_base = text, .iov_len = cut },
			{ .iov_base = text + cut, .iov_len = length - cut - 1 },
			{ .iov_base = text + length - 1, .iov_len = 1 },
		};
		size_t sealed = length + LINK_AEAD_TAG;

		nonce[11]++;
		assert_int_equal(link_aead_seal(slow, nonce, &head, pieces, 3,
						length, one), 0);
		assert_int_equal(link_aead_seal(fast, nonce, &head, pieces, 3,
						length, other), 0);
		assert_memory_equal(one, other, sealed);
		memset(other, 0, sealed);
		assert_int_equal(link_aead_open(fast, nonce, &head, one,
						sealed, other), 0);
		assert_memory_equal(text, other, length);
	}
	talloc_free(slow);
	talloc_free(fast);
}

/* ---- a session of GnuTLS at the other end ------------------------------ */

struct ends {
	gnutls_session_t ours, theirs;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	int fds[2];
	struct link_seal *reader, *writer;
};

static int give_key(gnutls_session_t session,
		    const char *identity,
		    gnutls_datum_t *key)
{
	key->data = gnutls_malloc(32);
	key->size = 32;
	memset(key->data, 7, 32);
	return 0;
}

static void start_ends(struct ends *ends)
{
	/* As in link_tls.c. */
	const char *priority = "NONE:+VERS-TLS1.3:+AES-128-GCM:+AEAD:"
		"+ECDHE-PSK:+GROUP-X25519:+SIGN-EDDSA-ED25519";
	uint8_t bytes[32];
	gnutls_datum_t key = { .data = bytes, .size = sizeof(bytes) };
	int a, b;

	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    ends->fds), 0);
	assert_int_equal(gnutls_init(&ends->ours, GNUTLS_CLIENT |
				     GNUTLS_NONBLOCK), 0);
	assert_int_equal(gnutls_init(&ends->theirs, GNUTLS_SERVER |
				     GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS), 0);
	assert_int_equal(gnutls_psk_allocate_client_credentials(
		&ends->client), 0);
	assert_int_equal(gnutls_psk_allocate_server_credentials(
		&ends->server), 0);
	assert_int_equal(gnutls_psk_set_client_credentials(
		ends->client, "x", &key, GNUTLS_PSK_KEY_RAW), 0);
	gnutls_psk_set_server_credentials_function(ends->server, give_key);
	gnutls_credentials_set(ends->ours, GNUTLS_CRD_PSK, ends->client);
	gnutls_credentials_set(ends->theirs, GNUTLS_CRD_PSK, ends->server);
	assert_int_equal(gnutls_priority_set_direct(ends->ours, priority,
						    NULL), 0);
	assert_int_equal(gnutls_priority_set_direct(ends->theirs, priority,
						    NULL), 0);
	gnutls_transport_set_int(ends->ours, ends->fds[0]);
	gnutls_transport_set_int(ends->theirs, ends->fds[1]);
	do {
		a = gnutls_handshake(ends->ours);
		b = gnutls_handshake(ends->theirs);
		assert_true(a == 0 || a == GNUTLS_E_AGAIN);
		assert_true(b == 0 || b == GNUTLS_E_AGAIN);
	} while (a != 0 || b != 0);
	assert_int_equal(link_seal_new(NULL, ends->ours, true,
				       &ends->reader), 0);
	assert_int_equal(link_seal_new(NULL, ends->ours, false,
				       &ends->writer), 0);
}

static void end_ends(struct ends *ends)
{
	talloc_free(ends->reader);
	talloc_free(ends->writer);
	gnutls_deinit(ends->ours);
	gnutls_deinit(ends->theirs);
	gnutls_psk_free_client_credentials(ends->client);
	gnutls_psk_free_server_credentials(ends->server);
	close(ends->fds[0]);
	close(ends->fds[1]);
}

static uint8_t text[LINK_SEAL_MAX];
static uint8_t wire[LINK_SEAL_ROOM + HEADER];
static uint8_t back[LINK_SEAL_ROOM];

/* A record that GnuTLS has sent. */
static size_t take(struct ends *ends)
{
	ssize_t got = read(ends->fds[0], wire, sizeof(wire));

	assert_true(got > 0);
	assert_int_equal(link_seal_length(wire, (size_t)got), got);
	return (size_t)got;
}

static size_t close_record(struct ends *ends, size_t cut, size_t length)
{
	const struct iovec pieces[2] = {
		{ .iov_base = text, .iov_len = cut },
		{ .iov_base = text + cut, .iov_len = length - cut },
	};

	assert_int_equal(link_seal_close(ends->writer, pieces, wire), 0);
	return length + LINK_SEAL_OVERHEAD;
}

static void test_gnutls_reads(void **state)
{
	struct ends ends;
	size_t length, i;

	for (i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 40503U >> 8);
	}
	start_ends(&ends);
	for (length = 1; length <= LINK_SEAL_MAX; length += 1 + length / 5) {
		size_t size = close_record(&ends, length / 3, length);

		assert_int_equal(write(ends.fds[0], wire, size), size);
		assert_int_equal(gnutls_record_recv(ends.theirs, back,
						    sizeof(back)), length);
		assert_memory_equal(back, text, length);
	}
	assert_int_equal(close_record(&ends, 100, LINK_SEAL_MAX),
			 LINK_SEAL_MAX + LINK_SEAL_OVERHEAD);
	end_ends(&ends);
}

static void test_gnutls_writes(void **state)
{
	struct ends ends;
	size_t length, got;

	start_ends(&ends);
	for (length = 1; length <= LINK_SEAL_MAX; length += 1 + length / 5) {
		size_t size, part;

		/* Every third one is padded. */
		assert_int_equal(gnutls_record_send2(
			ends.theirs, text, length,
			length % 3 == 0 && length < 9000 ? 1000 : 0, 0),
			length);
		size = take(&ends);
		for (part = 0; part < size; part += 1 + part / 2) {
			assert_int_equal(link_seal_length(wire, part), 0);
			assert_false(link_seal_is_broken(wire, part));
		}
		assert_int_equal(link_seal_open(ends.reader, wire, size, back,
						&got), 0);
		assert_int_equal(got, length);
		assert_memory_equal(back, text, length);
	}
	end_ends(&ends);
}

/* What GnuTLS may say beside data ends the link. */
static void test_other_types(void **state)
{
	struct ends ends;
	size_t got;

	start_ends(&ends);
	assert_int_equal(gnutls_session_key_update(ends.theirs, 0), 0);
	assert_int_equal(link_seal_open(ends.reader, wire, take(&ends), back,
					&got), EBADMSG);
	end_ends(&ends);

	start_ends(&ends);
	assert_int_equal(gnutls_bye(ends.theirs, GNUTLS_SHUT_WR), 0);
	assert_int_equal(link_seal_open(ends.reader, wire, take(&ends), back,
					&got), ECONNRESET);
	end_ends(&ends);
}

/* Any bit, a record twice, a record that is missing. */
static void test_touched(void **state)
{
	struct ends ends;
	size_t size, bit, got;

	start_ends(&ends);
	assert_int_equal(gnutls_record_send(ends.theirs, text, 50), 50);
	size = take(&ends);
	for (bit = 0; bit < 8 * size; bit++) {
		size_t length;

		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		length = link_seal_length(wire, size);
		if (length != 0) {
			assert_int_equal(link_seal_open(ends.reader, wire,
							length, back, &got),
					 EBADMSG);
		}
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(link_seal_open(ends.reader, wire, size, back, &got),
			 0);
	assert_int_equal(got, 50);
	assert_int_equal(link_seal_open(ends.reader, wire, size, back, &got),
			 EBADMSG);
	assert_int_equal(gnutls_record_send(ends.theirs, text, 50), 50);
	take(&ends);
	assert_int_equal(gnutls_record_send(ends.theirs, text, 50), 50);
	assert_int_equal(link_seal_open(ends.reader, wire, take(&ends), back,
					&got), EBADMSG);
	end_ends(&ends);
}

static void test_broken_heads(void **state)
{
	static const struct {
		uint8_t bytes[HEADER];
		bool broken;
	} heads[] = {
		{ { 23, 3, 3, 0, 17 }, false },
		{ { 23, 3, 3, 0, 16 }, true },
		{ { 23, 3, 3, 0, 0 }, true },
		{ { 23, 3, 3, 0x41, 0x00 }, false },
		{ { 23, 3, 3, 0x41, 0x01 }, true },
		{ { 23, 3, 3, 0xff, 0xff }, true },
		{ { 21, 3, 3, 0, 17 }, true },
		{ { 22, 3, 3, 0, 17 }, true },
		{ { 23, 3, 1, 0, 17 }, true },
		{ { 23, 2, 3, 0, 17 }, true },
	};
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		assert_int_equal(link_seal_is_broken(heads[i].bytes, HEADER),
				 heads[i].broken);
		assert_int_equal(link_seal_length(heads[i].bytes, HEADER), 0);
	}
}

/* A key is good for so much, then for nothing; either end says so. */
static void test_key_is_used_up(void **state)
{
	const struct iovec pieces[2] = {
		{ .iov_base = text, .iov_len = 32 }, { .iov_len = 0 },
	};
	struct ends ends;
	size_t size, got;

	start_ends(&ends);
	ends.writer->blocks = BLOCKS_MAX - 5;
	assert_int_equal(link_seal_close(ends.writer, pieces, wire), 0);
	assert_int_equal(link_seal_close(ends.writer, pieces, wire),
			 EKEYEXPIRED);
	assert_int_equal(gnutls_record_send(ends.theirs, text, 32), 32);
	size = take(&ends);
	ends.reader->blocks = BLOCKS_MAX;
	assert_int_equal(link_seal_open(ends.reader, wire, size, back, &got),
			 EKEYEXPIRED);
	end_ends(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_gnutls_reads),
		cmocka_unit_test(test_gnutls_writes),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_broken_heads),
		cmocka_unit_test(test_key_is_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
