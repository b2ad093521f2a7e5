/* SPDX-License-Identifier: ISC */
/*
 * SHA-256 with libcrypto, and chain ids. These functions of libcrypto use the processor's
 * SHA instructions as EVP does, without the providers that EVP loads at first use: 2.5
 * ms, which is several times what most commands take. OpenSSL calls them deprecated.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

static int result(int ok, struct ovl_err *err)
{
	return ok == 1 ? 0 : err_say(err, EIO, "cannot compute a digest");
}

int digest_init(struct digest *d, struct ovl_err *err)
{
	d->begun = true;
	return result(SHA256_Init(&d->ctx), err);
}

int digest_update(struct digest *d, const void *p, size_t n, struct ovl_err *err)
{
	return d->begun ? result(SHA256_Update(&d->ctx, p, n), err) : 0;
}

int digest_final(struct digest *d, char hex[ID_LEN + 1], struct ovl_err *err)
{
	unsigned char raw[SHA256_DIGEST_LENGTH];
	int ok;

	if (!d->begun)
		return 0;
	d->begun = false;
	ok = SHA256_Final(raw, &d->ctx);
	id_hex(raw, sizeof(raw), hex);
	return result(ok, err);
}

int digest_bytes(const void *p, size_t n, char hex[ID_LEN + 1], struct ovl_err *err)
{
	struct digest d = {0};
	int rc = digest_init(&d, err);

	if (rc == 0)
		rc = digest_update(&d, p, n, err);
	if (rc == 0)
		rc = digest_final(&d, hex, err);
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
