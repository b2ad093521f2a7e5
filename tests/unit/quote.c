#include "base/quote.h"
#include "ovl.h"
#include "unit.h"

static const char *escaped(const char *name, size_t size)
{
	static char out[256];

	return ovl_escape(out, size, name, strlen(name));
}

START_TEST(text_stays)
{
	ck_assert_str_eq(escaped("usr/bin/x y", 256), "usr/bin/x y");
	ck_assert_str_eq(escaped("caf\303\251 \342\202\254 \360\237\230\200", 256),
		"caf\303\251 \342\202\254 \360\237\230\200");
	ck_assert_str_eq(escaped("", 256), "");
}
END_TEST

START_TEST(controls_go)
{
	ck_assert_str_eq(escaped("\033[31m", 256), "\\033[31m");
	ck_assert_str_eq(escaped("a\nb\tc\177", 256), "a\\012b\\011c\\177");
	ck_assert_str_eq(escaped("\302\233", 256), "\\302\\233"); /* CSI as C1 */
	ck_assert_str_eq(escaped("back\\slash", 256), "back\\\\slash");
}
END_TEST

START_TEST(base64)
{
	static const char *const want[] = {"", "/w==", "/wA=", "/wAB", "/wABAg=="};
	static const char bytes[] = {(char)0xff, 0, 1, 2};
	static const char *const bad[] = {"=", "==", "====", "A", "AA", "AAA",
		"A===", "AA=A", "A=AA", "=AAA", "AA==AAAA", "AAA*", "AAA-", " AAA",
		"AAA ", "AAA\n", "   AAAAA", "AAAA   \n", "AA A", "AAAA=", "AAA\303"};
	auto_buf back = {0};

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		char *got = ovl_base64(bytes, n);

		ck_assert_str_eq(got, want[n]);
		ck_assert(quote_base64_decode(got, strlen(got), &back));
		ck_assert_uint_eq(back.len, n);
		ck_assert(n == 0 || memcmp(back.data, bytes, n) == 0);
		free(got);
	}
	ck_assert(quote_base64_decode(NULL, 0, &back) && back.len == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!quote_base64_decode(bad[i], strlen(bad[i]), &back), "%s",
			bad[i]);
}
END_TEST

START_TEST(no_utf8)
{
	ck_assert_str_eq(escaped("\377", 256), "\\377");
	ck_assert_str_eq(escaped("\303", 256), "\\303");
	ck_assert_str_eq(escaped("\303x", 256), "\\303x");
	ck_assert_str_eq(escaped("\300\257", 256), "\\300\\257"); /* overlong */
	ck_assert_str_eq(escaped("\340\200\257", 256), "\\340\\200\\257"); /* overlong */
	ck_assert_str_eq(escaped("\355\240\200", 256), "\\355\\240\\200"); /* surrogate */
	ck_assert_str_eq(escaped("\364\220\200\200", 256), "\\364\\220\\200\\200");
}
END_TEST

START_TEST(cut)
{
	ck_assert_str_eq(escaped("abcdef", 7), "abcdef");
	ck_assert_str_eq(escaped("abcdefg", 7), "abc...");
	ck_assert_str_eq(escaped("ab\377\377", 7), "ab...");
	ck_assert_str_eq(escaped("abcdefg", 4), "...");
}
END_TEST

START_TEST(quoted)
{
	char *long_name = malloc(100000);

	ck_assert_str_eq(Q("a b"), "'a b'");
	memset(long_name, 'x', 99999);
	long_name[99999] = '\0';
	ck_assert_uint_lt(strlen(Q(long_name)), QUOTE_SIZE);
	ck_assert_str_eq(Q(long_name) + strlen(Q(long_name)) - 4, "...'");
	free(long_name);
}
END_TEST

UNIT("quote", text_stays, controls_go, no_utf8, base64, cut, quoted)
