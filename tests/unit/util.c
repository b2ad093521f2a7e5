#include "../../cmd/util.c"
#include "unit.h"

START_TEST(near)
{
	static const char *const names[] = {
		"import", "create", "mount", "umount", "rm", "ls", NULL};

	ck_assert_str_eq(suggest("imprt", names), "import");
	ck_assert_str_eq(suggest("mout", names), "mount");
	ck_assert_str_eq(suggest("unmount", names), "umount");
	ck_assert_str_eq(suggest("improt", names), "import");
	ck_assert_str_eq(suggest("sl", names), "ls");
	ck_assert_ptr_null(suggest("frobnicate", names));
	ck_assert_ptr_null(
		suggest("a-very-long-word-that-is-longer-than-any-command", names));
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		uint64_t n;
		const char *text;
	} table[] = {{0, "0B"}, {1023, "1023B"}, {1024, "1K"}, {1536, "1.5K"},
		{1048576, "1M"}, {1048575, "1M"}, {1610612736, "1.5G"},
		{UINT64_MAX, "16E"}, {10239, "10K"}, {10300, "10.1K"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char out[16];

		ck_assert_str_eq(human_size(table[i].n, out), table[i].text);
	}
}
END_TEST

UNIT("util", near, sizes)
