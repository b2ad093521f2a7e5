#include <archive.h>

#include "acl.h"
#include "unit.h"

static struct ovl_err err;
static struct buf out;

static int value(const char *text, int type)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	ck_assert_int_eq(archive_entry_acl_from_text(e, text, type), ARCHIVE_OK);
	r = acl_value(e, type, &out, &err);
	archive_entry_free(e);
	return r;
}

START_TEST(binary)
{
	static const unsigned char want[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 7, 0, 5, 0, 0, 0, 2, 0, 4, 0, 12, 0, 0, 0, 4, 0, 4, 0, 255, 255,
		255, 255, 8, 0, 1, 0, 34, 0, 0, 0, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0,
		0, 0, 255, 255, 255, 255};

	ck_assert_int_eq(value("mask::rwx,user:12:r--,user::rw-,other::---,group:34:--x,"
			       "group::r--,user:5:rwx",
				 ARCHIVE_ENTRY_ACL_TYPE_ACCESS),
		1);
	ck_assert_uint_eq(out.len, sizeof(want));
	ck_assert_int_eq(memcmp(out.data, want, sizeof(want)), 0);
}
END_TEST

START_TEST(numbers)
{
	ck_assert_int_eq(
		value("user::rw-,user:4294967294:r--,group::r--,mask::r--,other::---",
			ARCHIVE_ENTRY_ACL_TYPE_ACCESS),
		1);
	ck_assert_int_eq(memcmp(out.data + 16, "\xfe\xff\xff\xff", 4), 0);
	ck_assert_int_eq(value("user::rw-,user:root:r--,group::r--,mask::r--,other::---",
				 ARCHIVE_ENTRY_ACL_TYPE_ACCESS),
		1);
	ck_assert_int_eq(memcmp(out.data + 16, "\0\0\0\0", 4), 0);
}
END_TEST

START_TEST(none)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_mode(e, 0100644);
	ck_assert_int_eq(acl_value(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &out, &err), 0);
	ck_assert_int_eq(acl_value(e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &out, &err), 0);
	archive_entry_free(e);
}
END_TEST

START_TEST(refused)
{
	ck_assert_int_lt(
		value("user::rw-,user:no-such-user-here:r--,group::r--,mask::r--,"
		      "other::---",
			ARCHIVE_ENTRY_ACL_TYPE_ACCESS),
		0);
	ck_assert_str_eq(err.text, "its ACL names the unknown user 'no-such-user-here'");
	ck_assert_int_lt(value("owner@:rwx::allow", ARCHIVE_ENTRY_ACL_TYPE_NFS4), 0);
}
END_TEST

UNIT("acl", binary, numbers, none, refused)
