#include "mounts.h"
#include "unit.h"

START_TEST(unescaped)
{
	static const char *const table[][2] = {{"/mnt", "/mnt"}, {"/a\\040b", "/a b"},
		{"\\011\\012\\134", "\t\n\\"}, {"\\0", "\\0"}, {"\\999", "\\999"},
		{"x\\04", "x\\04"}, {"\\303\\251", "\303\251"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char s[32];

		strcpy(s, table[i][0]);
		mounts_unescape(s);
		ck_assert_str_eq(s, table[i][1]);
	}
}
END_TEST

UNIT("mounts", unescaped)
