#include <sys/sysmacros.h>

#include "union/whiteout.h"
#include "unit.h"

START_TEST(names)
{
	const char *hidden = NULL;

	ck_assert_int_eq(wh_parse("file", &hidden), WH_NONE);
	ck_assert_int_eq(wh_parse(".whx", &hidden), WH_NONE);
	ck_assert_int_eq(wh_parse("x.wh.y", &hidden), WH_NONE);
	ck_assert_int_eq(wh_parse(".wh", &hidden), WH_NONE);
	ck_assert_int_eq(wh_parse(".wh.file", &hidden), WH_HIDES);
	ck_assert_str_eq(hidden, "file");
	ck_assert_int_eq(wh_parse(".wh....", &hidden), WH_HIDES);
	ck_assert_str_eq(hidden, "...");
	ck_assert_int_eq(wh_parse(".wh..wh..opq", &hidden), WH_OPQ);
	ck_assert_int_eq(wh_parse(".wh..wh..opqx", &hidden), WH_IGNORED);
	ck_assert_int_eq(wh_parse(".wh..wh.plnk", &hidden), WH_IGNORED);
	ck_assert_int_eq(wh_parse(".wh..wh.", &hidden), WH_IGNORED);
	ck_assert_int_eq(wh_parse(".wh..whx", &hidden), WH_HIDES);
	ck_assert_int_eq(wh_parse(".wh.", &hidden), WH_BAD);
	ck_assert_int_eq(wh_parse(".wh..", &hidden), WH_BAD);
	ck_assert_int_eq(wh_parse(".wh...", &hidden), WH_BAD);
}
END_TEST

START_TEST(devices)
{
	struct stat st = {.st_mode = S_IFCHR, .st_rdev = makedev(0, 0)};

	ck_assert(wh_is_device(&st));
	st.st_rdev = makedev(0, 1);
	ck_assert(!wh_is_device(&st));
	st.st_rdev = makedev(0, 0);
	st.st_mode = S_IFBLK;
	ck_assert(!wh_is_device(&st));
	st.st_mode = S_IFREG;
	ck_assert(!wh_is_device(&st));
}
END_TEST

UNIT("whiteout", names, devices)
