#include "store/names.h"
#include "unit.h"

START_TEST(valid)
{
	static const char *const good[] = {"a", "debian", "library/redis:7.2", "9",
		"A_b-c.d+e@f", "a/b/c", "ABCDEFGHIJKLMNOPQRSTUVWXY", "deadbeef"};
	static const char *const bad[] = {"", "-a", "/a", ".a", "..", "_a", "a b",
		"a%2Fb", "a\n", "caf\303\251", "a'", "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(ovl_name_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!ovl_name_valid(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(length)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	name[200] = '\0';
	ck_assert(ovl_name_valid(name));
	name[200] = 'a';
	name[201] = '\0';
	ck_assert(!ovl_name_valid(name));
	/* The file name of a name is longer. */
	name[200] = '\0';
	for (int i = 1; i <= 27; i++)
		name[2 * i] = '/';
	ck_assert(ovl_name_valid(name));
	name[100] = '/';
	ck_assert(!ovl_name_valid(name));
}
END_TEST

START_TEST(encoded)
{
	char file[256];
	char name[NAME_LEN_MAX + 1];

	ck_assert(name_encode("a/b//c", file));
	ck_assert_str_eq(file, "a%2Fb%2F%2Fc");
	ck_assert(name_decode(file, name));
	ck_assert_str_eq(name, "a/b//c");
	ck_assert(!name_decode(".hidden", name));
	ck_assert(!name_decode("a%20b", name));
	ck_assert(!name_decode("a%2", name));
	memset(file, 'a', 255);
	file[255] = '\0';
	ck_assert(!name_decode(file, name));
}
END_TEST

UNIT("names", valid, length, encoded)
