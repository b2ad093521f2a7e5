#include "base/id.h"
#include "unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(full)
{
	ck_assert(id_is_full(HEX64));
	ck_assert(!id_is_full(HEX64 "0"));
	ck_assert(!id_is_full(&HEX64[1]));
	ck_assert(!id_is_full(
		"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
	ck_assert(!id_is_full(
		"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
	ck_assert(!id_is_full(
		"../../../../../../../../../../../../../../../../../../../../../."));
	ck_assert(!id_is_full(""));
}
END_TEST

START_TEST(prefix)
{
	ck_assert(id_is_prefix("0123"));
	ck_assert(id_is_prefix(&HEX64[1]));
	ck_assert(!id_is_prefix("012"));
	ck_assert(!id_is_prefix(HEX64));
	ck_assert(!id_is_prefix("01234g"));
	ck_assert(!id_is_prefix("ABCD"));
}
END_TEST

START_TEST(short_ids)
{
	char a[SHORT_LEN + 1];
	char b[SHORT_LEN + 1];

	id_short_new(a);
	id_short_new(b);
	ck_assert(id_is_short(a));
	ck_assert_str_ne(a, b);
	ck_assert(!id_is_short(a + 1));
	ck_assert(!id_is_short("ABCDEFGHIJKLMNOPQRSTUVWXY1"));
	ck_assert(!id_is_short("abcdefghijklmnopqrstuvwxyz"));
	ck_assert(!id_is_short("ABCDEFGHIJKLMNOPQRSTUVWXYZA"));
}
END_TEST

/* RFC 4648, section 10, and a UUID. */
START_TEST(base32)
{
	const unsigned char foobar[16] = "foobar";
	const unsigned char ones[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255};
	char out[SHORT_LEN + 1];

	id_base32(foobar, out);
	ck_assert_str_eq(out, "MZXW6YTBOIAAAAAAAAAAAAAAAA");
	id_base32(ones, out);
	ck_assert_str_eq(out, "77777777777777777777777774");
}
END_TEST

START_TEST(hex)
{
	unsigned char raw[3];
	char text[7];

	ck_assert(id_unhex("00ff5a", raw, 3));
	ck_assert_int_eq(raw[1], 255);
	id_hex(raw, 3, text);
	ck_assert_str_eq(text, "00ff5a");
	ck_assert(!id_unhex("00f", raw, 2));
	ck_assert(!id_unhex("0G", raw, 1));
}
END_TEST

START_TEST(digests)
{
	ck_assert_str_eq(id_digest_hex("sha256:" HEX64), HEX64);
	ck_assert_str_eq(id_digest_hex(HEX64), HEX64);
	ck_assert_ptr_null(id_digest_hex("sha512:" HEX64));
	ck_assert_ptr_null(id_digest_hex("sha256:"));
	ck_assert_ptr_null(id_digest_hex("sha256:" HEX64 "0"));
	ck_assert_ptr_null(id_digest_hex(""));
}
END_TEST

START_TEST(random_ids)
{
	struct ovl_id a;
	struct ovl_id b;

	ck_assert_int_eq(id_random(&a), 0);
	ck_assert_int_eq(id_random(&b), 0);
	ck_assert(id_is_full(a.s));
	ck_assert_str_ne(a.s, b.s);
}
END_TEST

UNIT("id", full, prefix, short_ids, base32, hex, digests, random_ids)
