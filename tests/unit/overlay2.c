#include <errno.h>

#include "store/driver_overlay2.h"
#include "unit.h"

#define A "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define B "22222222222222222222222222"

static int parse(const char *text, struct stack *s)
{
	return overlay2_parse_lower(text, strlen(text), s);
}

START_TEST(good)
{
	struct stack s;

	ck_assert_int_eq(parse("l/" A, &s), 0);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_str_eq(s.name[0], "l/" A);
	stack_release(&s);
	ck_assert_int_eq(parse("l/" A ":l/" B, &s), 0);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_str_eq(s.name[1], "l/" B);
	stack_release(&s);
}
END_TEST

START_TEST(bad)
{
	static const char *const texts[] = {"", "l/", "l/" A ":", "l/" A "\n", ":l/" A,
		"l/" A ";l/" B, "l/" A "::l/" B, "x/" A, "l/" A ":l/short",
		"l/abcdefghijklmnopqrstuvwxyz", "../../../../../../etc/passw",
		"l/../../../../../../../../../", "l/" A " l/" B};
	struct stack s = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(parse(texts[i], &s) == -EUCLEAN, "%s", texts[i]);
	ck_assert_int_eq(
		overlay2_parse_lower("l/ABCDEFGHIJKLM\0OPQRSTUVWXYZ", 28, &s), -EUCLEAN);
}
END_TEST

START_TEST(many)
{
	struct buf b = {0};
	struct stack s;

	for (int i = 0; i < 500; i++)
		buf_adds(&b, i ? ":l/" A : "l/" A);
	ck_assert_int_eq(parse(b.data, &s), 0);
	ck_assert_uint_eq(s.n, 500);
	stack_release(&s);
	buf_adds(&b, ":l/" A);
	ck_assert_int_eq(parse(b.data, &s), -EUCLEAN);
	buf_release(&b);
}
END_TEST

START_TEST(drivers)
{
	for (unsigned i = 0; driver_list[i]; i++) {
		ck_assert_uint_eq(driver_list[i]->number, i);
		ck_assert_ptr_eq(driver_find(driver_list[i]->name), driver_list[i]);
	}
	ck_assert_str_eq(driver_list[0]->name, "overlay2");
	ck_assert_ptr_null(driver_find("aufs"));
	ck_assert_ptr_null(driver_find(""));
}
END_TEST

UNIT("overlay2", good, bad, many, drivers)
