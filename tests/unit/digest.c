#include "base/digest.h"
#include "unit.h"

static struct ovl_err err;

START_TEST(known)
{
	struct digest d = {0};
	char hex[ID_LEN + 1];

	ck_assert_int_eq(digest_init(&d, &err), 0);
	ck_assert_int_eq(digest_update(&d, "ab", 2, NULL), 0);
	ck_assert_int_eq(digest_update(&d, "c", 1, NULL), 0);
	ck_assert_int_eq(digest_final(&d, hex, NULL), 0);
	ck_assert_str_eq(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert(!d.begun);
}
END_TEST

/* printf 'sha256:%s sha256:%s' A B | sha256sum */
START_TEST(chain)
{
	const char *a =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	const char *b =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct ovl_id id;

	ck_assert_int_eq(digest_chain(NULL, a, &id, &err), 0);
	ck_assert_str_eq(id.s, a);
	ck_assert_int_eq(digest_chain(a, b, &id, &err), 0);
	ck_assert_str_eq(
		id.s, "dd8ddd90bdf3ccbd91abd3f399218c9d93e91246734fab743933f42048ac3e2c");
}
END_TEST

UNIT("digest", known, chain)
