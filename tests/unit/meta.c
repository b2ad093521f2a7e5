#include <errno.h>
#include <fcntl.h>

#include "store/meta.h"
#include "unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct meta sample(void)
{
	struct meta m = {
		.kind = OVL_IMAGE,
		.link = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		.has_parent = true,
		.parent = {HEX64},
		.diff_id = HEX64,
		.depth = 5,
		.lowers = 3,
		.size = UINT64_MAX,
		.entries = 12,
		.created = {1700000000, 7},
	};

	return m;
}

static int parse(const char *text)
{
	struct meta m;

	return meta_parse(text, strlen(text), &m);
}

START_TEST(there_and_back)
{
	struct meta m = sample();
	struct meta n;
	char text[META_MAX];

	meta_format(&m, text);
	ck_assert_int_eq(meta_parse(text, strlen(text), &n), 0);
	ck_assert_int_eq(n.kind, OVL_IMAGE);
	ck_assert_str_eq(n.link, m.link);
	ck_assert(n.has_parent);
	ck_assert_str_eq(n.parent.s, HEX64);
	ck_assert_str_eq(n.diff_id, HEX64);
	ck_assert_uint_eq(n.depth, 5);
	ck_assert_uint_eq(n.lowers, 3);
	ck_assert(n.size == UINT64_MAX && n.entries == 12 &&
		n.created.tv_sec == 1700000000);
	ck_assert_int_eq(n.created.tv_nsec, 7);
	m.kind = OVL_WRITABLE;
	m.has_parent = false;
	m.diff_id[0] = '\0';
	meta_format(&m, text);
	ck_assert_int_eq(meta_parse(text, strlen(text), &n), 0);
	ck_assert(n.kind == OVL_WRITABLE && !n.has_parent && !n.diff_id[0]);
}
END_TEST

/* Every truncation and every change is detected. */
START_TEST(torn)
{
	struct meta m = sample();
	struct meta n;
	char text[META_MAX];

	meta_format(&m, text);
	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(meta_parse(text, len, &n), -EUCLEAN);
	strcat(text, "x");
	ck_assert_int_eq(meta_parse(text, strlen(text), &n), -EUCLEAN);
}
END_TEST

#define HEAD "ovlctl-layer 1\n"
#define MUST "kind image\nlink ABCDEFGHIJKLMNOPQRSTUVWXYZ\ndepth 0\nlowers 0\n"

START_TEST(bad)
{
	ck_assert_int_eq(parse(HEAD MUST "end\n"), 0);
	ck_assert_int_eq(parse(HEAD MUST "later-key value\nend\n"), 0);
	ck_assert_int_lt(parse("ovlctl-layer 2\n" MUST "end\n"), 0);
	ck_assert_int_lt(parse(HEAD "end\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "kind other\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "link short\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "parent ../../etc\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "diff-id x\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "size -1\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "size 18446744073709551616\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "lowers 501\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "depth 99999999\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "created x\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "created-ns 1000000000\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "novalue\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "end\nend\n"), 0);
	ck_assert_int_lt(parse(HEAD MUST "end"), 0);
	ck_assert_int_lt(parse(""), 0);
}
END_TEST

START_TEST(bytes)
{
	char text[] = HEAD MUST "size 1\0\nend\n";
	char *large = malloc(2 * META_MAX);
	struct meta m;

	ck_assert_int_lt(meta_parse(text, sizeof(text) - 1, &m), 0);
	memset(large, 'a', 2 * META_MAX);
	memcpy(large, HEAD, strlen(HEAD));
	ck_assert_int_lt(meta_parse(large, 2 * META_MAX, &m), 0);
	free(large);
}
END_TEST

START_TEST(on_disk)
{
	struct meta m = sample();
	struct meta n;
	struct ovl_err err;

	scratch();
	ck_assert_int_eq(meta_read(AT_FDCWD, &n, &err), -ENOENT);
	ck_assert_int_eq(meta_write(AT_FDCWD, &m, &err), 0);
	ck_assert_int_eq(meta_write(AT_FDCWD, &m, &err), -EEXIST);
	ck_assert_int_eq(meta_read(AT_FDCWD, &n, &err), 0);
	ck_assert_str_eq(n.link, m.link);
	ck_assert_int_eq(truncate(META_NAME, 10), 0);
	ck_assert_int_eq(meta_read(AT_FDCWD, &n, &err), -EUCLEAN);
	ck_assert_str_eq(err.text, "'.layer' is damaged");
	scratch_end();
}
END_TEST

UNIT("meta", there_and_back, torn, bad, bytes, on_disk)
