#include "paxcheck.h"
#include "unit.h"

/* An 'x' header with this body, and a plain header behind it. */
static bool sound(const char *body, size_t n)
{
	static unsigned char blocks[8192];

	memset(blocks, 0, sizeof(blocks));
	blocks[156] = 'x';
	snprintf((char *)blocks + 124, 12, "%011zo", n);
	memcpy(blocks + 512, body, n);
	return paxcheck(blocks, 1024 + (n + 511) / 512 * 512);
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

START_TEST(cut)
{
	unsigned char block[512] = {0};

	block[156] = 'x';
	memcpy(block + 124, "00000001000", 12);
	ck_assert(!paxcheck(block, sizeof(block)));
	memcpy(block + 124, "77777777777", 12);
	ck_assert(!paxcheck(block, sizeof(block)));
	ck_assert(paxcheck(block, 100));
	block[156] = '0';
	ck_assert(paxcheck(block, sizeof(block)));
}
END_TEST

UNIT("paxcheck", good, bad, acls, cut)
