/*
 * SHA-256 of what can be read from a descriptor; -1 and errno if that fails. These
 * functions of libcrypto use the SHA instructions of the processor, and start in half of
 * the time that EVP takes, which matters most for a small file.
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
