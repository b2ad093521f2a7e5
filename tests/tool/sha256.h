/*
 * SHA-256 of what can be read from a descriptor; -1 and errno if it cannot. These functions
 * of libcrypto have the processor's own instructions, and begin in half of the time that
 * EVP takes to find them, which for a small file is all there is.
 */
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <unistd.h>

static inline int sha256_of(int fd, unsigned char sum[SHA256_DIGEST_LENGTH])
{
	static char block[1 << 17];
	SHA256_CTX ctx;
	ssize_t n;

	SHA256_Init(&ctx);
	while ((n = read(fd, block, sizeof(block))) > 0)
		SHA256_Update(&ctx, block, (size_t)n);
	SHA256_Final(sum, &ctx);
	return n < 0 ? -1 : 0;
}
