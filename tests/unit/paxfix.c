#include "tar/paxfix.h"
#include "unit.h"

/* Headers as libarchive writes them: 'x', its records, that of the file. */
static struct buf head_of(const char *records)
{
	struct buf b = {0};
	static const char zeros[512];
	size_t n = strlen(records);
	char text[32];

	buf_add(&b, zeros, 512);
	snprintf(text, sizeof(text), "%011zo", n);
	memcpy(b.data + 124, text, 12);
	b.data[156] = 'x';
	buf_add(&b, records, n);
	buf_add(&b, zeros, (512 - n % 512) % 512);
	buf_add(&b, "the file's own", 14);
	buf_add(&b, zeros, 512 - 14);
	return b;
}

static void check(const char *in, int64_t sec, long nsec, const char *want)
{
	struct buf b = head_of(in);
	size_t n = strlen(want);
	size_t body = (n + 511) / 512 * 512;

	paxfix_apply(&b, "a/name", sec, nsec);
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.len, 1024 + body);
	ck_assert_uint_eq(strtoul(b.data + 124, NULL, 8), n);
	ck_assert(memcmp(b.data + 512, want, n) == 0);
	ck_assert_str_eq(b.data + 512 + body, "the file's own");
	buf_release(&b);
}

START_TEST(times)
{
	check("18 mtime=1.500000\n", 1, 500000000, "18 mtime=1.500000\n");
	check("14 mtime=-1.5\n", -1, 500000000, "14 mtime=-0.5\n");
	check("14 mtime=-2.5\n", -2, 500000000, "14 mtime=-1.5\n");
	check("14 mtime=-2.5\n", -2, 999999999, "22 mtime=-1.000000001\n");
	check("12 mtime=-2\n", -2, 0, "12 mtime=-2\n");
	check("9 path=x\n14 mtime=-1.5\n", -1, 750000000, "9 path=x\n15 mtime=-0.25\n");
}
END_TEST

START_TEST(xattrs)
{
	check("32 SCHILY.xattr.user.a%20b=a%20\n", 0, 0,
		"30 SCHILY.xattr.user.a b=a%20\n");
	check("30 SCHILY.xattr.user.%25%3D=x\n", 0, 0, "30 SCHILY.xattr.user.%25%3D=x\n");
	check("27 SCHILY.xattr.user.%FF=x\n", 0, 0, "25 SCHILY.xattr.user.\377=x\n");
	check("23 SCHILY.xattr.user.=\n", 0, 0, "23 SCHILY.xattr.user.=\n");
	check("9 x%20=y\n", 0, 0, "9 x%20=y\n");
	/* The length of the record loses a digit. */
	check("100 SCHILY.xattr.user.%01=0123456789012345678901234567890123456789"
	      "012345678901234567890123456789012\n",
		0, 0,
		"97 SCHILY.xattr.user.\001=0123456789012345678901234567890123456789"
		"012345678901234567890123456789012\n");
}
END_TEST

START_TEST(names)
{
	check("23 GNU.sparse.name=a/n\n9 path=x\n", 0, 0,
		"26 GNU.sparse.name=a/name\n9 path=x\n");
	check("26 GNU.sparse.name=a/name\n", 0, 0, "26 GNU.sparse.name=a/name\n");
}
END_TEST

START_TEST(others_stay)
{
	struct buf b = {0};

	paxfix_apply(&b, "a/name", -1, 5);
	ck_assert_uint_eq(b.len, 0);
	for (int i = 0; i < 1024; i++)
		buf_add(&b, "y", 1);
	paxfix_apply(&b, "a/name", -1, 5);
	ck_assert_uint_eq(b.len, 1024);
	buf_release(&b);
}
END_TEST

UNIT("paxfix", times, xattrs, names, others_stay)
