/* SPDX-License-Identifier: ISC */
/* SHA-256 with libcrypto, which is loaded at first use; chain ids. */
#include <dlfcn.h>
#include <errno.h>
#include <openssl/opensslv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

/*
 * libcrypto is loaded for the first digest: loading it takes as long as a whole create or
 * mount, and those never need a digest. A build with shared libraries (OVL_SHARED) links
 * it as usual, so that ldd(1) shows it.
 */
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define LIBCRYPTO  "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION)

#ifdef OVL_SHARED
#define FIND(d, name) ((d)->name = (name))
#define LOADED(lib)   true
#else
#define FIND(d, name) (*(void **)&(d)->name = dlsym(lib, #name))
#define LOADED(lib)   ((lib) = dlopen(LIBCRYPTO, RTLD_NOW | RTLD_NODELETE))
#endif

static bool find_functions(struct digest *d)
{
	void *lib = NULL;

	(void)lib;
	return LOADED(lib) && FIND(d, EVP_MD_CTX_new) && FIND(d, EVP_MD_CTX_free) &&
		FIND(d, EVP_DigestInit_ex) && FIND(d, EVP_DigestUpdate) &&
		FIND(d, EVP_DigestFinal_ex) && FIND(d, EVP_sha256);
}

static int cannot_load(struct ovl_err *err)
{
	const char *why = dlerror();

	return err_say(err, ENOTSUP, "cannot load %s", why ? why : LIBCRYPTO);
}

int digest_init(struct digest *d, struct ovl_err *err)
{
	d->ctx = NULL;
	if (!find_functions(d))
		return cannot_load(err);
	d->ctx = d->EVP_MD_CTX_new();
	if (!d->ctx || d->EVP_DigestInit_ex(d->ctx, d->EVP_sha256(), NULL) != 1) {
		digest_release(d);
		return err_say(err, ENOTSUP, "cannot use SHA-256 of libcrypto");
	}
	return 0;
}

static int cannot_compute(struct ovl_err *err)
{
	return err_say(err, EIO, "cannot compute a digest");
}

int digest_update(struct digest *d, const void *p, size_t n, struct ovl_err *err)
{
	return !d->ctx || d->EVP_DigestUpdate(d->ctx, p, n) == 1 ? 0 :
								   cannot_compute(err);
}

int digest_final(struct digest *d, char hex[ID_LEN + 1], struct ovl_err *err)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok;

	if (!d->ctx)
		return 0;
	ok = d->EVP_DigestFinal_ex(d->ctx, raw, &n);
	digest_release(d);
	if (ok != 1 || n != ID_LEN / 2)
		return cannot_compute(err);
	id_hex(raw, n, hex);
	return 0;
}

void digest_release(struct digest *d)
{
	if (d->ctx)
		d->EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

int digest_bytes(const void *p, size_t n, char hex[ID_LEN + 1], struct ovl_err *err)
{
	struct digest d = {0};
	int rc = digest_init(&d, err);

	if (rc == 0)
		rc = digest_update(&d, p, n, err);
	if (rc == 0)
		rc = digest_final(&d, hex, err);
	digest_release(&d);
	return rc;
}

int digest_chain(
	const char *parent, const char *diff_id, struct ovl_id *out, struct ovl_err *err)
{
	char text[2 * (ID_LEN + 8)];

	if (!parent) {
		memcpy(out->s, diff_id, ID_LEN + 1);
		return 0;
	}
	snprintf(text, sizeof(text), "sha256:%s sha256:%s", parent, diff_id);
	return digest_bytes(text, strlen(text), out->s, err);
}
