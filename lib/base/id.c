/* SPDX-License-Identifier: ISC */
/* Layer ids and short ids: making random ones and recognising valid ones. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "base/id.h"

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char hex[] = "0123456789abcdef";

bool id_is_full(const char *s)
{
	return strspn(s, hex) == ID_LEN && !s[ID_LEN];
}

bool id_take(const char *s, char out[ID_LEN + 1])
{
	if (!id_is_full(s))
		return false;
	memcpy(out, s, ID_LEN + 1);
	return true;
}

bool id_is_short(const char *s)
{
	return strspn(s, base32) == SHORT_LEN && !s[SHORT_LEN];
}

bool id_is_prefix(const char *s)
{
	size_t n = strspn(s, hex);

	return n >= 4 && n < ID_LEN && !s[n];
}

int id_order(const void *a, const void *b)
{
	return strcmp(((const struct ovl_id *)a)->s, ((const struct ovl_id *)b)->s);
}

bool id_short_at(const char *s, size_t n)
{
	return n == SHORT_LEN && strspn(s, base32) >= SHORT_LEN;
}

void id_base32(const unsigned char bytes[16], char out[SHORT_LEN + 1])
{
	unsigned acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < 16; i++) {
		acc = (acc << 8) | bytes[i];
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			out[n++] = base32[(acc >> bits) & 31];
		}
	}
	out[n++] = base32[(acc << (5 - bits)) & 31];
	out[n] = '\0';
}

void id_short_new(char out[SHORT_LEN + 1])
{
	uuid_t u;

	uuid_generate_random(u);
	id_base32(u, out);
}

void id_hex(const unsigned char *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = hex[bytes[i] >> 4];
		*out++ = hex[bytes[i] & 15];
	}
	*out = '\0';
}

bool id_unhex(const char *s, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *hi = s[2 * i] ? strchr(hex, s[2 * i]) : NULL;
		const char *lo = hi && s[2 * i + 1] ? strchr(hex, s[2 * i + 1]) : NULL;

		if (!lo)
			return false;
		out[i] = (unsigned char)(((hi - hex) << 4) | (lo - hex));
	}
	return true;
}

int id_random(struct ovl_id *out)
{
	unsigned char raw[ID_LEN / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
		if (errno == 0)
			errno = EIO;
		return -1;
	}
	id_hex(raw, sizeof(raw), out->s);
	return 0;
}

const char *id_digest_hex(const char *s)
{
	static const char algorithm[] = "sha256:";

	if (strncmp(s, algorithm, sizeof(algorithm) - 1) == 0)
		s += sizeof(algorithm) - 1;
	return id_is_full(s) ? s : NULL;
}

const char *id_sha256_hex(const char *s)
{
	return strncmp(s, "sha256:", 7) == 0 ? id_digest_hex(s) : NULL;
}
