#include "tar/rawhead.h"
#include "unit.h"

static struct rawhead head;
static unsigned char patched[1 << 20];

/* An 'x' header with this body, followed by a plain header. */
static bool sound(const char *body, size_t n)
{
	static unsigned char blocks[1 << 20];
	struct ovl_err err;

	memset(blocks, 0, sizeof(blocks));
	blocks[156] = 'x';
	snprintf((char *)blocks + 124, 12, "%011zo", n);
	memcpy(blocks + 512, body, n);
	rawhead_clear(&head);
	memcpy(patched, blocks, sizeof(blocks));
	head.patched = patched;
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

/* Appends a record for "KEY=VALUE": "LEN KEY=VALUE
". */
static size_t add_record(char *at, const char *text, size_t n)
{
	char digits[8];
	size_t len = n + 3;

	while (n + 2 + (size_t)sprintf(digits, "%zu", len) != len)
		len++;
	at += sprintf(at, "%s ", digits);
	memcpy(at, text, n);
	at[n] = '\n';
	return len;
}

static bool record(const char *text, size_t n)
{
	char body[256];

	return sound(body, add_record(body, text, n));
}

#define RECORD(text) record(text, sizeof(text) - 1)

START_TEST(values)
{
	static const char *const no[] = {"uid=abc", "uid=5x", "uid=", "gid=+1", "size= 1",
		"mtime=1e5", "mtime=1.x", "mtime=.5", "mtime=", "atime=-", "uid=0x10",
		"GNU.sparse.offset=x"};
	static const char *const yes[] = {"uid=5", "gid=-1", "mtime=1.", "mtime=-1.5",
		"comment=", "path=", "path=\n", "uname=abc"};

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		ck_assert_msg(!record(no[i], strlen(no[i])), "%s", no[i]);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		ck_assert_msg(record(yes[i], strlen(yes[i])), "%s", yes[i]);
	ck_assert(!RECORD("path=a\0b"));
	ck_assert(!RECORD("us\0r.a=bc"));
	ck_assert(RECORD("comment=a\0b"));
}
END_TEST

static bool field(unsigned at, const char *text, size_t n)
{
	unsigned char block[512] = {0};
	struct ovl_err err;

	block[156] = '3';
	memcpy(block + at, text, n);
	return rawhead_check(block, &err) == 0;
}

#define FIELD(at, text) field(at, text, sizeof(text) - 1)

START_TEST(fields)
{
	ck_assert(FIELD(108, ""));
	ck_assert(FIELD(108, "0000755"));
	ck_assert(FIELD(108, "00000755"));
	ck_assert(FIELD(108, "  755 "));
	ck_assert(FIELD(108, "        "));
	ck_assert(FIELD(108, "755\0junk"));
	ck_assert(FIELD(108, "\x80\0\0\0\0\0\1\2"));
	ck_assert(FIELD(108, "\xff\xff\xff\xff\xff\xff\xff\xff"));
	ck_assert(!FIELD(108, "\0\0\0\0755"));
	ck_assert(!FIELD(108, "7 5"));
	ck_assert(!FIELD(108, "-1"));
	ck_assert(!FIELD(108, "8"));
	ck_assert(!FIELD(100, "rwx"));
	ck_assert(!FIELD(116, "x"));
	ck_assert(!FIELD(124, "0x10"));
	ck_assert(!FIELD(136, "now"));
	ck_assert(!FIELD(329, "x"));
	ck_assert(!FIELD(337, "x"));
	ck_assert(FIELD(265, "root"));
}
END_TEST

START_TEST(acl_texts)
{
	static const char one[] = "SCHILY.acl.access=u::r";
	static const char two[] = "SCHILY.acl.default=u:5:rwx";
	char body[256];
	size_t n = add_record(body, one, strlen(one));
	size_t second = 512 + n + 3;

	n += add_record(body + n, two, strlen(two));
	ck_assert(sound(body, n));
	ck_assert_uint_eq(head.acl.len, 4);
	ck_assert_int_eq(memcmp(head.acl.data, "u::r", 4), 0);
	ck_assert_uint_eq(head.acl_default.len, 7);
	ck_assert_int_eq(memcmp(patched + 512 + 3, "xCHILY.acl.access=u::r\n", 23), 0);
	ck_assert_int_eq(memcmp(patched + second, "xCHILY.acl.default=u:5:rwx\n", 27), 0);
	ck_assert(RECORD("SCHILY.acl.ace=x:y:z"));
	ck_assert(head.acl_nfs4);
	ck_assert_uint_eq(head.acl.len, 0);
}
END_TEST

START_TEST(xattr_names)
{
	ck_assert(RECORD("LIBARCHIVE.xattr.user.a=MQ"));
	ck_assert(!rawhead_has_xattr(&head, "user.a"));
	ck_assert(RECORD("SCHILY.xattr.user.b%41=1"));
	ck_assert(rawhead_has_xattr(&head, "user.b%41"));
	ck_assert(!rawhead_has_xattr(&head, "user.bA"));
	ck_assert(rawhead_means_xattr(&head, "user.bA"));
	ck_assert(!rawhead_means_xattr(&head, "user.b%41"));
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

UNIT("rawhead", good, bad, acls, absurd_acl, too_many_xattrs, facts, cut, solaris, label,
	values, fields, acl_texts, xattr_names)
