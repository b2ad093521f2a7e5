#include <stdio.h>

#include "base/pathset.h"
#include "unit.h"

START_TEST(empty)
{
	struct pathset *s = pathset_new();

	ck_assert_ptr_nonnull(s);
	ck_assert(!pathset_has(s, 'w', "", 0));
	ck_assert(!pathset_has(s, 'w', "a", 1));
	pathset_free(s);
	pathset_free(NULL);
}
END_TEST

START_TEST(many)
{
	struct pathset *s = pathset_new();
	char path[32];

	for (int i = 0; i < 10000; i += 2) {
		int n = snprintf(path, sizeof(path), "dir/%d", i);

		ck_assert_int_eq(pathset_add(s, 'w', path, (size_t)n), 0);
		ck_assert_int_eq(pathset_add(s, 'w', path, (size_t)n), 0);
	}
	for (int i = 0; i < 10000; i++) {
		int n = snprintf(path, sizeof(path), "dir/%d", i);

		ck_assert_int_eq(pathset_has(s, 'w', path, (size_t)n), i % 2 == 0);
		ck_assert(!pathset_has(s, 'o', path, (size_t)n));
	}
	ck_assert(!pathset_has(s, 'w', "", 0));
	ck_assert_int_eq(pathset_add(s, 'w', "", 0), 0);
	ck_assert(pathset_has(s, 'w', "", 0));
	pathset_free(s);
}
END_TEST

UNIT("pathset", empty, many)
