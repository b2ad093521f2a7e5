/* SPDX-License-Identifier: ISC */
/* Which image of several a machine can use best. */
#include <string.h>

#include "image/platform.h"
#include "unit.h"

START_TEST(levels)
{
	ck_assert_uint_eq(platform_level("amd64", ""), 1);
	ck_assert_uint_eq(platform_level("amd64", "v4"), 4);
	ck_assert_uint_eq(platform_level("amd64", "v5"), 0);
	ck_assert_uint_eq(platform_level("amd64", "v10"), 0);
	ck_assert_uint_eq(platform_level("amd64", "x"), 0);
	ck_assert_uint_eq(platform_level("arm", ""), 7);
	ck_assert_uint_eq(platform_level("arm", "v6"), 6);
	ck_assert_uint_eq(platform_level("arm", "7"), 7);
	ck_assert_uint_eq(platform_level("arm", "v4"), 0);
	ck_assert_uint_eq(platform_level("arm64", ""), 8);
	ck_assert_uint_eq(platform_level("arm64", "v8"), 8);
	ck_assert_uint_eq(platform_level("s390x", ""), 1);
}
END_TEST

/* The variants that fit, best first; "-" stands for none. */
static void check_order(const struct platform *want, const char *arch, const char *order)
{
	static const char *const all[] = {
		"-", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "odd"};
	char got[100] = "";

	for (unsigned rank = 20; rank > 0; rank--) {
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			const char *v = *all[i] == '-' ? "" : all[i];

			if (platform_rank(want, "linux", arch, v) == rank) {
				strcat(got, *got ? " " : "");
				strcat(got, all[i]);
			}
		}
	}
	ck_assert_str_eq(got, order);
}

START_TEST(machines)
{
	struct platform v3 = {.os = "linux", .arch = "amd64", .level = 3};
	struct platform armv6 = {.os = "linux", .arch = "arm", .level = 6};
	struct platform arm64 = {.os = "linux", .arch = "arm64", .level = 8};

	check_order(&v3, "amd64", "v3 v2 - v1");
	check_order(&armv6, "arm", "v6 v5");
	check_order(&arm64, "arm64", "- v8");
	check_order(&arm64, "arm", "");
	ck_assert_uint_eq(platform_rank(&v3, "windows", "amd64", ""), 0);
	ck_assert_uint_eq(platform_rank(&v3, "", "", ""), 1);
	ck_assert_uint_eq(platform_rank(&v3, "", "arm64", ""), 0);
	ck_assert_uint_gt(platform_rank(&v3, "", "amd64", ""), 1);
}
END_TEST

START_TEST(asked_for)
{
	struct platform p;

	platform_want(&p, "linux/arm/v7");
	ck_assert(p.asked);
	check_order(&p, "arm", "v7 -");
	platform_want(&p, "linux/sparc64");
	check_order(&p, "sparc64", "- v1 v2 v3 v4 v5 v6 v7 v8 v9 odd");
	check_order(&p, "sparc", "");
	platform_want(&p, "linux/sparc64/odd");
	check_order(&p, "sparc64", "odd -");
	platform_want(&p, "windows/amd64");
	ck_assert_uint_gt(platform_rank(&p, "windows", "amd64", ""), 0);
	ck_assert_uint_eq(platform_rank(&p, "linux", "amd64", ""), 0);
}
END_TEST

START_TEST(here)
{
	struct platform p;

	platform_want(&p, NULL);
	ck_assert(!p.asked);
	ck_assert_str_eq(p.os, "linux");
	ck_assert_str_eq(p.variant, "");
	ck_assert_uint_gt(platform_rank(&p, p.os, p.arch, ""), 0);
}
END_TEST

UNIT("platform", levels, machines, asked_for, here)
