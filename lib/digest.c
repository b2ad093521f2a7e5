#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"

int digest_init(struct digest *d, struct ovl_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return err_say(err, ENOTSUP, "cannot use SHA-256 of libcrypto");
	}
	d->ctx = ctx;
	return 0;
}

int digest_update(struct digest *d, const void *p, size_t n)
{
	return EVP_DigestUpdate(d->ctx, p, n) == 1 ? 0 : -EIO;
}

int digest_final(struct digest *d, char hex[ID_LEN + 1])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int ok = EVP_DigestFinal_ex(d->ctx, raw, &n);

	digest_release(d);
	if (ok != 1 || n != ID_LEN / 2)
		return -EIO;
	id_hex(raw, n, hex);
	return 0;
}

void digest_release(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

int digest_chain(
	const char *parent, const char *diff_id, struct ovl_id *out, struct ovl_err *err)
{
	struct digest d = {0};
	char text[2 * (ID_LEN + 8)];
	int rc;

	if (!parent) {
		memcpy(out->s, diff_id, ID_LEN + 1);
		return 0;
	}
	snprintf(text, sizeof(text), "sha256:%s sha256:%s", parent, diff_id);
	rc = digest_init(&d, err);
	if (rc < 0)
		return rc;
	if (digest_update(&d, text, strlen(text)) < 0 || digest_final(&d, out->s) < 0) {
		digest_release(&d);
		return err_say(err, EIO, "cannot compute a chain id");
	}
	return 0;
}
