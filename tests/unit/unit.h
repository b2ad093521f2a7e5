/*
 * A suite of Check tests in one file:
 *
 *	START_TEST(what) { ... } END_TEST
 *	UNIT("subject", what, other)
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define UNIT(subject, ...)                                                    \
	int main(void)                                                        \
	{                                                                     \
		const TTest *const tests[] = {__VA_ARGS__};                   \
		Suite *s = suite_create(subject);                             \
		TCase *c = tcase_create(subject);                             \
		SRunner *r;                                                   \
		int n_failed;                                                 \
		/* Generous, as machines that run tests are busy. */          \
		tcase_set_timeout(c, 60);                                     \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) \
			tcase_add_test(c, tests[i]);                          \
		suite_add_tcase(s, c);                                        \
		r = srunner_create(s);                                        \
		srunner_run_all(r, CK_ENV);                                   \
		n_failed = srunner_ntests_failed(r);                          \
		srunner_free(r);                                              \
		return n_failed != 0;                                         \
	}

/* A scratch directory, which is the working directory; removed by scratch_end(). */
static char scratch_dir[64];

__attribute__((unused)) static void scratch(void)
{
	strcpy(scratch_dir, "/tmp/ovlctl-unit.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch_dir));
	ck_assert_int_eq(chdir(scratch_dir), 0);
}

__attribute__((unused)) static void scratch_end(void)
{
	char command[256];

	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", scratch_dir,
		scratch_dir);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
}

#endif
