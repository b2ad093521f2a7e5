/*
 * SHA-256 (libcrypto), and the ids computed with it.
 */
#ifndef OVL_DIGEST_H
#define OVL_DIGEST_H

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "ovl.h"

/* The digest of no bytes. */
#define DIGEST_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct digest {
	bool begun;
	SHA256_CTX ctx;
};

int digest_init(struct digest *d, struct ovl_err *err);
/* Does nothing if the digest was not begun. */
int digest_update(struct digest *d, const void *p, size_t n, struct ovl_err *err);
/* 64 hex digits and a NUL; unchanged if the digest was not begun. Ends the digest. */
int digest_final(struct digest *d, char hex[ID_LEN + 1], struct ovl_err *err);
/* The digest of n bytes. */
int digest_bytes(const void *p, size_t n, char hex[ID_LEN + 1], struct ovl_err *err);

/*
 * OCI image-spec, config.md, "Layer ChainID": the chain id of a bottom layer is its diff
 * id; that of any other layer is the SHA-256 of "sha256:<parent chain id> sha256:<diff
 * id>". All arguments are hex; parent NULL: none.
 */
int digest_chain(
	const char *parent, const char *diff_id, struct ovl_id *out, struct ovl_err *err);

#endif
