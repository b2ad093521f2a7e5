#include "rawhead.h"
#include "unit.h"

static struct rawhead head;

/* An 'x' header with this body, and a plain header behind it. */
static bool sound(const char *body, size_t n)
{
	static unsigned char blocks[1 << 20];
	struct ovl_err err;

	memset(blocks, 0, sizeof(blocks));
	blocks[156] = 'x';
	snprintf((char *)blocks + 124, 12, "%011zo", n);
	memcpy(blocks + 512, body, n);
	rawhead_clear(&head);
	return rawhead_read(&head, blocks, 1024 + (n + 511) / 512 * 512, &err) == 0;
}

#define SOUND(text) sound(text, sizeof(text) - 1)

START_TEST(good)
{
	ck_assert(SOUND(""));
	ck_assert(SOUND("10 path=a\n"));
	ck_assert(SOUND("10 path=a\n11 path=\303\251\n"));
	ck_assert(SOUND("8 path=\n"));
	ck_assert(SOUND("14 a=b=c\n\n=\nd\n"));
}
END_TEST

START_TEST(bad)
{
	ck_assert(!SOUND("path=a\n"));
	ck_assert(!SOUND("11 path=a\n"));
	ck_assert(!SOUND("8 path=a\n"));
	ck_assert(!SOUND("10 path=ax"));
	ck_assert(!SOUND("10 path=a\nrubbish"));
	ck_assert(!SOUND("10path=aa\n"));
	ck_assert(!SOUND("5 =a\n"));
	ck_assert(!SOUND("6 abc\n"));
	ck_assert(!SOUND("99999999999999999999 path=a\n"));
	ck_assert(!SOUND("0 path=a\n"));
	ck_assert(!SOUND("10 path=a\n\0"));
}
END_TEST

START_TEST(acls)
{
	ck_assert(SOUND("53 SCHILY.acl.access=user::rw-,group::r--,other::---\n"));
	ck_assert(!SOUND("32 SCHILY.acl.access=nonsense!\n"));
	ck_assert(SOUND("34 SCHILY.xattr.access=nonsense!!\n"));
}
END_TEST

START_TEST(absurd_acl)
{
	size_t n = 70000;
	char *body = malloc(n + 1);

	memset(body, ',', n);
	memcpy(body, "70000 SCHILY.acl.access=u::rwx,g::rwx,o::rwx", 44);
	body[n - 1] = '\n';
	ck_assert(!sound(body, n));
	free(body);
}
END_TEST

START_TEST(too_many_xattrs)
{
	char *body = calloc(1, 200000);
	char *at = body;

	for (int i = 0; i < 4096; i++)
		at += sprintf(at, "28 SCHILY.xattr.user.%04d=1\n", i);
	ck_assert(sound(body, (size_t)(at - body)));
	ck_assert(rawhead_has_xattr(&head, "user.4095"));
	ck_assert(!rawhead_has_xattr(&head, "user.4096"));
	at += sprintf(at, "28 SCHILY.xattr.user.%04d=1\n", 4096);
	ck_assert(!sound(body, (size_t)(at - body)));
	free(body);
}
END_TEST

START_TEST(facts)
{
	ck_assert(SOUND("14 mtime=-0.5\n"));
	ck_assert(head.early);
	ck_assert(SOUND("14 mtime=-1.5\n"));
	ck_assert(!head.early);
	ck_assert(SOUND("14 mtime=-0.5\n13 mtime=0.5\n"));
	ck_assert(!head.early);
	ck_assert(SOUND("16 linkpath=\303\251x\n"));
	ck_assert_str_eq(head.link.data, "\303\251x");
	ck_assert(SOUND("24 SCHILY.xattr.user.a=\n"));
	
	ck_assert(rawhead_has_xattr(&head, "user.a"));
	ck_assert(!rawhead_has_xattr(&head, "user"));
}
END_TEST

START_TEST(cut)
{
	unsigned char block[512] = {0};
	struct ovl_err err;

	block[156] = 'x';
	memcpy(block + 124, "00000001000", 12);
	ck_assert_int_eq(rawhead_body(block), 512);
	ck_assert_int_lt(rawhead_read(&head, block, sizeof(block), &err), 0);
	memcpy(block + 124, "77777777777", 12);
	ck_assert_int_lt(rawhead_read(&head, block, sizeof(block), &err), 0);
	ck_assert_int_eq(rawhead_read(&head, block, 100, &err), 0);
	block[156] = '0';
	ck_assert_int_eq(rawhead_body(block), -1);
	ck_assert_int_eq(rawhead_read(&head, block, sizeof(block), &err), 0);
	block[156] = '\0';
	ck_assert_int_eq(rawhead_body(block), -1);
}
END_TEST

/* One header of a type with that body. */
static int read_one(char type, const char *body, size_t n)
{
	unsigned char *p = calloc(1, 512 + (n + 511) / 512 * 512);
	struct ovl_err err;
	int rc;

	p[156] = (unsigned char)type;
	sprintf((char *)p + 124, "%011zo", n);
	memcpy(p + 512, body, n);
	rawhead_clear(&head);
	rc = rawhead_read(&head, p, 512 + (n + 511) / 512 * 512, &err);
	free(p);
	return rc;
}

START_TEST(solaris)
{
	char *big = malloc(70000);

	ck_assert_int_eq(
		read_one('A', "1000004\0user::rwx,group::r-x,mask:r-x,other:r-x", 47), 0);
	ck_assert_int_eq(read_one('A', "3000001\0owner@:rwx:-------:allow", 33), 0);
	ck_assert_int_lt(read_one('A', "1000004", 7), 0);
	ck_assert_int_lt(read_one('A', "1000004\0nonsense", 16), 0);
	ck_assert_int_lt(read_one('A', "", 0), 0);
	memset(big, ',', 70000);
	memcpy(big, "1000004\0user::rwx,group::r-x,mask:r-x,other:r-x", 47);
	ck_assert_int_lt(read_one('A', big, 70000), 0);
	free(big);
}
END_TEST

START_TEST(label)
{
	ck_assert_int_eq(read_one('V', "", 0), 0);
	ck_assert_int_lt(read_one('V', "x", 1), 0);
}
END_TEST

UNIT("rawhead", good, bad, acls, absurd_acl, too_many_xattrs, facts, cut, solaris, label)
