#include "base/vec.h"
#include "unit.h"

/* Arrays grow by powers of two, and keep their contents. */
START_TEST(grows)
{
	int *a = NULL;
	int *before;
	size_t n = 0;
	unsigned moves = 0;

	for (int i = 0; i < 1000; i++) {
		before = a;
		ck_assert(VEC_ROOM(a, n));
		moves += n == 0 || (n >= VEC_LEAST && (n & (n - 1)) == 0);
		if (n % 16 == 9)
			ck_assert_ptr_eq(a, before);
		a[n++] = i;
	}
	ck_assert_uint_eq(moves, 8); /* 8, 16, ... 1024 */
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(a[i], i);
	free(a);
}
END_TEST

/* Removing some and adding again is safe at any size. */
START_TEST(shrinks)
{
	char *a = NULL;

	for (size_t most = 0; most < 70; most++) {
		for (size_t n = most / 2; n < most; n++) {
			ck_assert(VEC_ROOM(a, n));
			a[n] = 'x';
		}
	}
	free(a);
}
END_TEST

UNIT("vec", grows, shrinks)
