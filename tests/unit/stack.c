#include <errno.h>

#include "foreign/foreign_stack.h"
#include "unit.h"

#define A "0000000000000000000000000000000000000000000000000000000000000000"
#define B "1111111111111111111111111111111111111111111111111111111111111111"
#define C "2222222222222222222222222222222222222222222222222222222222222222"
/* printf 'sha256:%s sha256:%s' A B | sha256sum */
#define AB        "f94b891e05f6e37c90d87edfd5bb98a02d618a437c35f3a94b3b00e48e894631"
#define ABC       "59e1080197dac1c8a7a84c26e489ea200c2cb386337efde7688d47aee4460ed7"
#define IDS(list) "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":" list "}}"

static int read_text(struct foreign_stack *s, const char *text)
{
	auto_buf b = {0};
	struct ovl_err err;

	buf_adds(&b, text);
	return foreign_stack_read(s, &b, &err);
}

START_TEST(sound_ones)
{
	static const char *const sound[] = {
		IDS("[\"sha256:" A "\",\"sha256:" B "\"]"),
		" \n{\t\"rootfs\" : {\"diff_ids\"\r: [ \"sha256:" A "\" ,\"" B
		"\" ] } } \n",
		"{\"a\":1,\"b\":null,\"c\":[],\"d\":{},\"e\":\"\\\"rootfs\\\\\",\"f\":[[{\"rootfs\":1}]],"
		"\"rootfs\":{\"x\":{\"diff_ids\":[\"" C "\"]},\"diff_ids\":[\"" A
		"\",\"" B "\"]},\"g\":\"]}\"}",
		"{\"rootfs\":{\"diff_ids\":[\"" C "\"]},\"rootfs\":{\"diff_ids\":[\"" A
		"\",\"" B "\"]}}",
		/* As Go reads them. */
		"{\"rootfs\":{\"diff_ids\":[\"" C
		"\"]},\"RootFS\":{\"diff_ids\":[],\"Diff_IDs\":[\"" A "\",\"" B "\"]}}",
		"{\"r\\u006fotfs\":{\"diff\\u005fids\":[\"" A "\",\"sha256\\u003a" B
		"\"]},\"x\\\"\":1}",
	};

	for (size_t i = 0; i < sizeof(sound) / sizeof(*sound); i++) {
		struct foreign_stack s = {0};

		ck_assert_int_eq(read_text(&s, sound[i]), 1);
		ck_assert_uint_eq(s.n, 2);
		ck_assert_str_eq(s.step[0].chain.s, A);
		ck_assert_str_eq(s.step[1].diff_id, B);
		ck_assert_str_eq(foreign_stack_top(&s)->s, AB);
	}
}
END_TEST

START_TEST(without_layers)
{
	static const char *const none[] = {"{}", "{ }", "{\"rootfs\":null}",
		"{\"rootfs\":[]}", "{\"rootfs\":{}}", IDS("[]"), IDS("[ ]"), IDS("null"),
		IDS("{}"), "{\"x\":" IDS("[\"" A "\"]") "}",
		"{\"rootfs \":{\"diff_ids\":[\"" A "\"]}}"};

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		struct foreign_stack s = {0};

		ck_assert_int_eq(read_text(&s, none[i]), 0);
	}
}
END_TEST

START_TEST(damaged_ones)
{
	static const char *const damaged[] = {"", " ", "[", "[[[[", "{", "{\"", "{\"a",
		"{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{\"a\" 1}",
		"{\"a\":\"\\", "{\"a\":\"\\\"}", "{a:1}", "{\"a\":[}", "{\"a\":1]", "{}x",
		"{}{}", IDS("[1]"), IDS("[\"md5:" A "\"]"), IDS("[\"sha256:" A "0\"]"),
		IDS("[\"sha256:\"]"), IDS("[\"" A "\",]"), IDS("[\"" A "\" \"" B "\"]"),
		IDS("[\"" A "\"}"), IDS("[\"sha256:sha256:" A "\"]"),
		IDS("[\"" A "\"") "}", "{\"rootfs\":}", "{\"rootfs\":{\"diff_ids\":[}}",
		"{\"rootfs\":{\"diff_ids\":[\"" A "\"],\"x\"}}", "{\"rootfs\":{,}}",
		"[\"a\":1]", "{\"a\":1]\"b\":2}", "\xef\xbb\xbf{}"};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		struct foreign_stack s = {0};

		ck_assert_msg(read_text(&s, damaged[i]) == -EUCLEAN, "%s", damaged[i]);
	}
}
END_TEST

/* Layers that images have in common; a damaged image between them. */
START_TEST(in_common)
{
	struct foreign_stack s = {0};

	ck_assert_int_eq(read_text(&s, IDS("[\"" A "\",\"" B "\",\"" C "\"]")), 1);
	ck_assert_str_eq(foreign_stack_top(&s)->s, ABC);
	ck_assert_uint_eq(s.same, 0);
	ck_assert_int_eq(read_text(&s, IDS("[\"" A "\",\"" B "\"]")), 1);
	ck_assert_uint_eq(s.same, 2);
	ck_assert_str_eq(foreign_stack_top(&s)->s, AB);
	ck_assert_int_eq(read_text(&s, IDS("[\"" A "\",\"" C "\",\"x\"]")), -EUCLEAN);
	ck_assert_int_eq(read_text(&s, IDS("[\"" A "\",\"" B "\",\"" C "\"]")), 1);
	ck_assert_uint_eq(s.same, 1);
	ck_assert_str_eq(foreign_stack_top(&s)->s, ABC);
	ck_assert_int_eq(read_text(&s, IDS("[\"" B "\",\"" B "\"]")), 1);
	ck_assert_uint_eq(s.same, 0);
	ck_assert_str_eq(s.step[0].chain.s, B);
	ck_assert_int_eq(read_text(&s, "{}"), 0);
	ck_assert_int_eq(read_text(&s, IDS("[\"" A "\"]")), 1);
	ck_assert_uint_eq(s.same, 0);
}
END_TEST

START_TEST(too_many)
{
	struct foreign_stack s = {0};
	auto_buf b = {0};

	buf_adds(&b, "{\"rootfs\":{\"diff_ids\":[\"" A "\"");
	for (int i = 0; i < OVL_MAX_LOWERS + 1; i++)
		buf_adds(&b, ",\"" A "\"");
	buf_adds(&b, "]}}");
	ck_assert_int_eq(read_text(&s, b.data), -EUCLEAN);
}
END_TEST

UNIT("stack", sound_ones, without_layers, damaged_ones, in_common, too_many)
