#include "tar/acl.h"
#include "unit.h"

static struct accounts accounts;

static struct ovl_err err;
static struct buf out;

static int value(const char *text)
{
	return acl_value(&accounts, text, strlen(text), false, false, &out, &err);
}

/* The ACL as "TAG/PERM/ID ...". */
static const char *shown(int r)
{
	static char text[512];
	char *at = text;

	*at = '\0';
	if (r <= 0)
		return r ? "refused" : "none";
	for (size_t i = 4; i < out.len; i += 8) {
		unsigned char *p = (unsigned char *)out.data + i;

		at += sprintf(at, "%s%u/%u/%d", i > 4 ? " " : "", p[0], p[2],
			(int)(p[4] | p[5] << 8 | p[6] << 16 | (unsigned)p[7] << 24));
	}
	return text;
}

START_TEST(binary)
{
	static const unsigned char want[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 7, 0, 5, 0, 0, 0, 2, 0, 4, 0, 12, 0, 0, 0, 4, 0, 4, 0, 255, 255,
		255, 255, 8, 0, 1, 0, 34, 0, 0, 0, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0,
		0, 0, 255, 255, 255, 255};

	ck_assert_int_eq(value("mask::rwx,user:12:r--,user::rw-,other::---,group:34:--x,"
			       "group::r--,user:5:rwx"),
		1);
	ck_assert_uint_eq(out.len, sizeof(want));
	ck_assert_int_eq(memcmp(out.data, want, sizeof(want)), 0);
}
END_TEST

START_TEST(numbers)
{
	ck_assert_str_eq(shown(value("user:4294967294:r--")), "2/4/-2");
	ck_assert_str_eq(shown(value("user:root:r--")), "2/4/0");
	ck_assert_str_eq(shown(value("group:root:r--")), "8/4/0");
	ck_assert_str_eq(shown(value("user:nobody-knows:r:12")), "2/4/12");
	ck_assert_str_eq(shown(value("user::r:12")), "2/4/12");
	ck_assert_str_eq(shown(value("user:7:r:12")), "2/4/12");
}
END_TEST

START_TEST(dialects)
{
	ck_assert_str_eq(shown(value("u::rwx,g::r-x,o::r")), "1/7/-1 4/5/-1 32/4/-1");
	ck_assert_str_eq(shown(value("user::rwx\ngroup::r-x\t#effective:r--\nmask:r\n"
				     "other:-\n")),
		"1/7/-1 4/5/-1 16/4/-1 32/0/-1");
	ck_assert_str_eq(
		shown(value(" user : 5 : rw ,\n# a, comment\n,o::-")), "2/6/5 32/0/-1");
	ck_assert_str_eq(
		shown(value("user::r,default:user::rwx,defaultother:x")), "1/4/-1");
	ck_assert_int_eq(acl_value(&accounts, "user::r,d:user::rwx,defaultother:x", 34,
				 false, true, &out, &err),
		1);
	ck_assert_str_eq(shown(1), "1/7/-1 32/1/-1");
	ck_assert_int_eq(
		acl_value(&accounts, "user::r,user:3:x", 16, true, true, &out, &err), 1);
	ck_assert_str_eq(shown(1), "1/4/-1 2/1/3");
}
END_TEST

START_TEST(none)
{
	ck_assert_int_eq(value(""), 0);
	ck_assert_int_eq(value(",,\n # nothing\n"), 0);
	ck_assert_int_eq(value("default:user::rwx"), 0);
}
END_TEST

START_TEST(refused)
{
	static const char *const bad[] = {"user", "user:", "user::", "user:rwx", "u::q",
		"user::rwx:5:6", "nobody::rwx", ":", "::", ":::::::", "mask:5:rwx",
		"other", "user:4294967295:r", "user:99999999999:r", "user:a:r:-1",
		"user:a:r:4294967295", "default", "default:", "group::rw+",
		"owner@:r::allow"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(value(bad[i]) < 0, "%s", bad[i]);
		ck_assert_msg(acl_check(bad[i], strlen(bad[i]), &err) < 0, "%s", bad[i]);
	}
	ck_assert_int_lt(value("user::rw-,user:no-such-user-here:r--"), 0);
	ck_assert_str_eq(err.text, "its ACL names the unknown user 'no-such-user-here'");
}
END_TEST

UNIT("acl", binary, numbers, dialects, none, refused)
