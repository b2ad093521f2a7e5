#include "mount/mountinfo.h"
#include "unit.h"

START_TEST(unescaped)
{
	static const char *const table[][2] = {{"/mnt", "/mnt"}, {"/a\\040b", "/a b"},
		{"\\011\\012\\134", "\t\n\\"}, {"\\0", "\\0"}, {"\\999", "\\999"},
		{"x\\04", "x\\04"}, {"\\303\\251", "\303\251"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char s[32];

		strcpy(s, table[i][0]);
		mi_unescape(s);
		ck_assert_str_eq(s, table[i][1]);
	}
}
END_TEST

START_TEST(parsed)
{
	static const char text[] =
		"36 35 8:1 / / rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue\n"
		"90 36 0:50 / /a\\040b rw - overlay ovlctl:/x\\040y rw,lowerdir=l/A:l/B\n"
		"garbage\n"
		"37 36 8:1 /sub /mnt rw shared:1 propagate_from:2 - ext4 /dev/sda1 rw\n"
		"91 36 0:51 / /no - overlay\n"
		"92 36 0:51 / /cut rw - overlay\n"
		"93 37 0:51 / /bare rw - tmpfs none\n";
	struct mi_table t = {0};

	buf_adds(&t.text, text);
	ck_assert_int_eq(mi_parse(&t), 0);
	ck_assert_uint_eq(t.n, 4);
	ck_assert_str_eq(t.line[1].where, "/a b");
	ck_assert_str_eq(t.line[1].source, "ovlctl:/x y");
	ck_assert_str_eq(t.line[1].options, "rw,lowerdir=l/A:l/B");
	ck_assert_str_eq(t.line[2].root, "/sub");
	ck_assert_str_eq(t.line[3].options, "");
	ck_assert_int_eq(t.line[3].parent, 37);
	ck_assert_ptr_eq(mi_by_id(&t, 90), &t.line[1]);
	ck_assert_ptr_eq(mi_by_id(&t, 37), &t.line[2]);
	ck_assert_ptr_null(mi_by_id(&t, 91));
	free(t.line);
	free(t.by_id);
	buf_release(&t.text);
}
END_TEST

UNIT("mounts", unescaped, parsed)
