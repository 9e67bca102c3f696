/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * AES-128-GCM, see link_aead.h: by GnuTLS, or, on a processor that encrypts
 * four blocks at once (VAES), by Intel's ipsec-mb where that is installed: it
 * takes 0.35 to 0.4 of GnuTLS' time.
 */

#include <errno.h>
#include <string.h>
#include <stdbool.h>
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#ifdef HAVE_IPSEC_MB
#include <dlfcn.h>
#include <intel-ipsec-mb.h>

/* The interface that the header describes. */
#define IPSEC_MB_LIBRARY "libIPSec_MB.so.1"
#endif

#include "link_aead.h"

struct aead_way {
	int (*seal)(struct link_aead *aead, const uint8_t *nonce,
		    const struct iovec *head, const struct iovec *pieces,
		    int count, size_t length, uint8_t *out);
	int (*open)(struct link_aead *aead, const uint8_t *nonce,
		    const struct iovec *head, const uint8_t *bytes,
		    size_t length, uint8_t *out);
};

struct link_aead {
	const struct aead_way *way;
	gnutls_aead_cipher_hd_t handle;	/* NULL: not GnuTLS' */
#ifdef HAVE_IPSEC_MB
	struct gcm_key_data key;
#endif
};

/* ----------------------------------------------------------------- GnuTLS */

static int gnutls_seal(struct link_aead *aead,
		       const uint8_t *nonce,
		       const struct iovec *head,
		       const struct iovec *pieces,
		       int count,
		       size_t length,
		       uint8_t *out)
{
	size_t size = length + LINK_AEAD_TAG;
	int ret;

	ret = gnutls_aead_cipher_encryptv(aead->handle, nonce, LINK_AEAD_NONCE,
					  head, 1, LINK_AEAD_TAG, pieces,
					  count, out, &size);
	return ret == 0 && size == length + LINK_AEAD_TAG ? 0 : EIO;
}

static int gnutls_open(struct link_aead *aead,
		       const uint8_t *nonce,
		       const struct iovec *head,
		       const uint8_t *bytes,
		       size_t length,
		       uint8_t *out)
{
	size_t size = length - LINK_AEAD_TAG;
	int ret;

	ret = gnutls_aead_cipher_decrypt(aead->handle, nonce, LINK_AEAD_NONCE,
					 head->iov_base, head->iov_len,
					 LINK_AEAD_TAG, bytes, length,
					 out, &size);
	return ret == 0 && size == length - LINK_AEAD_TAG ? 0 : EBADMSG;
}

static const struct aead_way by_gnutls = { gnutls_seal, gnutls_open };

static int use_gnutls(struct link_aead *aead, const uint8_t *key)
{
	const gnutls_datum_t datum = {
		.data = (uint8_t *)(uintptr_t)key, .size = LINK_AEAD_KEY
	};
	int ret;

	ret = gnutls_aead_cipher_init(&aead->handle, GNUTLS_CIPHER_AES_128_GCM,
				      &datum);
	if (ret != 0) {
		aead->handle = NULL;
		return ret == GNUTLS_E_MEMORY_ERROR ? ENOMEM : ENOTSUP;
	}
	aead->way = &by_gnutls;
	return 0;
}

/* --------------------------------------------------------------- ipsec-mb */

#ifdef HAVE_IPSEC_MB

/* It has nothing of ours but what this processor can do; one per process. */
static IMB_MGR *manager;

/*
 * Loaded by the first link, and only where it is of use: it is large, and most
 * programs that are linked with this file have no link.
 */
static IMB_MGR *load_manager(void)
{
	const uint64_t wanted = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ |
				IMB_FEATURE_AVX512F;
	IMB_MGR *(*alloc)(uint64_t flags);
	void (*init)(IMB_MGR *state, IMB_ARCH *arch);
	void (*release)(IMB_MGR *state);
	IMB_ARCH arch = IMB_ARCH_NONE;
	IMB_MGR *found;
	void *library;

	if (!__builtin_cpu_supports("vpclmulqdq") ||
	    !__builtin_cpu_supports("avx512vl")) {
		return NULL;
	}
	library = dlopen(IPSEC_MB_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL) {
		return NULL;
	}
	*(void **)&alloc = dlsym(library, "alloc_mb_mgr");
	*(void **)&init = dlsym(library, "init_mb_mgr_auto");
	*(void **)&release = dlsym(library, "free_mb_mgr");
	found = alloc != NULL && init != NULL && release != NULL ?
		alloc(0) : NULL;
	if (found == NULL) {
		dlclose(library);
		return NULL;
	}
	init(found, &arch);
	if (arch != IMB_ARCH_AVX512 || (found->features & wanted) != wanted) {
		release(found);
		dlclose(library);
		return NULL;
	}
	return found;
}

static IMB_MGR *fast_manager(void)
{
	static bool asked;

	if (!asked) {
		asked = true;
		manager = load_manager();
	}
	return manager;
}

static int mb_seal(struct link_aead *aead,
		   const uint8_t *nonce,
		   const struct iovec *head,
		   const struct iovec *pieces,
		   int count,
		   size_t length,
		   uint8_t *out)
{
	struct gcm_context_data context;
	uint8_t *next = out;
	int i;

	IMB_AES128_GCM_INIT(manager, &aead->key, &context, nonce,
			    head->iov_base, head->iov_len);
	for (i = 0; i < count; i++) {
		if (pieces[i].iov_len == 0) {
			continue;
		}
		IMB_AES128_GCM_ENC_UPDATE(manager, &aead->key, &context, next,
					  pieces[i].iov_base,
					  pieces[i].iov_len);
		next += pieces[i].iov_len;
	}
	IMB_AES128_GCM_ENC_FINALIZE(manager, &aead->key, &context, next,
				    LINK_AEAD_TAG);
	return next == out + length ? 0 : EIO;
}

static int mb_open(struct link_aead *aead,
		   const uint8_t *nonce,
		   const struct iovec *head,
		   const uint8_t *bytes,
		   size_t length,
		   uint8_t *out)
{
	const size_t size = length - LINK_AEAD_TAG;
	struct gcm_context_data context;
	uint8_t tag[LINK_AEAD_TAG];

	IMB_AES128_GCM_DEC(manager, &aead->key, &context, out, bytes, size,
			   nonce, head->iov_base, head->iov_len, tag,
			   LINK_AEAD_TAG);
	/* In the same time whatever is different. */
	return gnutls_memcmp(tag, bytes + size, LINK_AEAD_TAG) == 0 ?
		0 : EBADMSG;
}

static const struct aead_way by_mb = { mb_seal, mb_open };

static bool use_mb(struct link_aead *aead, const uint8_t *key)
{
	if (fast_manager() == NULL) {
		return false;
	}
	IMB_AES128_GCM_PRE(manager, key, &aead->key);
	aead->way = &by_mb;
	return true;
}

#else

static bool use_mb(struct link_aead *aead, const uint8_t *key)
{
	return false;
}

#endif /* HAVE_IPSEC_MB */

/* ------------------------------------------------------------------- both */

static int aead_destructor(struct link_aead *aead)
{
	if (aead->handle != NULL) {
		gnutls_aead_cipher_deinit(aead->handle);
	}
	explicit_bzero(aead, sizeof(*aead));
	return 0;
}

int link_aead_new(TALLOC_CTX *mem_ctx,
		  const uint8_t key[LINK_AEAD_KEY],
		  bool portable,
		  struct link_aead **_aead)
{
	struct link_aead *aead;
	int ret = 0;

	aead = talloc_zero(mem_ctx, struct link_aead);
	if (aead == NULL) {
		return ENOMEM;
	}
	talloc_set_destructor(aead, aead_destructor);
	if (portable || !use_mb(aead, key)) {
		ret = use_gnutls(aead, key);
	}
	if (ret != 0) {
		talloc_free(aead);
		return ret;
	}
	*_aead = aead;
	return 0;
}

int link_aead_seal(struct link_aead *aead,
		   const uint8_t nonce[LINK_AEAD_NONCE],
		   const struct iovec *head,
		   const struct iovec *pieces,
		   int count,
		   size_t length,
		   uint8_t *out)
{
	return aead->way->seal(aead, nonce, head, pieces, count, length, out);
}

int link_aead_open(struct link_aead *aead,
		   const uint8_t nonce[LINK_AEAD_NONCE],
		   const struct iovec *head,
		   const uint8_t *bytes,
		   size_t length,
		   uint8_t *out)
{
	return aead->way->open(aead, nonce, head, bytes, length, out);
}
