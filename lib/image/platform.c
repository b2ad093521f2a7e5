/* SPDX-License-Identifier: ISC */
/* Platforms of images. See platform.h. */
#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <sys/platform/x86.h>
#endif
#include <sys/utsname.h>

#include "image/platform.h"

/* The names of machines in uname(2) and in Go. */
static const struct {
	const char *machine;
	const char *platform;
} platforms[] = {
	{"x86_64", "linux/amd64"},
	{"aarch64", "linux/arm64/v8"},
	{"i686", "linux/386"},
	{"i586", "linux/386"},
	{"armv8l", "linux/arm/v8"},
	{"armv7l", "linux/arm/v7"},
	{"armv6l", "linux/arm/v6"},
	{"armv5tel", "linux/arm/v5"},
	{"ppc64le", "linux/ppc64le"},
	{"ppc64", "linux/ppc64"},
	{"s390x", "linux/s390x"},
	{"riscv64", "linux/riscv64"},
	{"loongarch64", "linux/loong64"},
	{"mips64", "linux/mips64le"},
};

static const char *machine(void)
{
	struct utsname u;

	for (size_t i = 0; uname(&u) == 0 && i < sizeof(platforms) / sizeof(platforms[0]);
		i++) {
		if (strcmp(u.machine, platforms[i].machine) == 0)
			return platforms[i].platform;
	}
	return "linux/unknown";
}

#ifdef __x86_64__
/* The loader has already read the processor's features; asking again is slow in a virtual
 * machine. The C library's macro that tests a bit shifts 1 into the sign bit. */
static bool has_all(const unsigned *feature, size_t n)
{
	unsigned bits = 1;

	for (size_t i = 0; i < n; i++)
		bits &= __x86_get_cpuid_feature_leaf(feature[i] / 128)
				->active_array[feature[i] % 128 / 32] >>
			feature[i] % 32;
	return bits;
}

/* The levels of the x86-64 psABI. Features that others imply are not tested. */
static unsigned x86_level(void)
{
	static const unsigned two[] = {
		x86_cpu_SSSE3, x86_cpu_SSE4_1, x86_cpu_SSE4_2, x86_cpu_POPCNT};
	static const unsigned three[] = {
		x86_cpu_AVX, x86_cpu_AVX2, x86_cpu_BMI1, x86_cpu_BMI2, x86_cpu_FMA};
	static const unsigned four[] = {x86_cpu_AVX512F, x86_cpu_AVX512BW,
		x86_cpu_AVX512CD, x86_cpu_AVX512DQ, x86_cpu_AVX512VL};

	return !has_all(two, 4) ? 1 : !has_all(three, 5) ? 2 : !has_all(four, 5) ? 3 : 4;
}
#else
static unsigned x86_level(void)
{
	return 1;
}
#endif

unsigned platform_level(const char *arch, const char *variant)
{
	static const struct {
		const char *arch;
		unsigned meant, least, most;
	} known[] = {{"amd64", 1, 1, 4}, {"arm", 7, 5, 8}, {"arm64", 8, 8, 9}};
	unsigned level = 0;

	if (*variant) {
		const char *digit = variant + (*variant == 'v');

		level = *digit >= '1' && *digit <= '9' && !digit[1] ?
			(unsigned)(*digit - '0') :
			0;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].arch, arch) != 0)
			continue;
		if (!*variant)
			return known[i].meant;
		return level >= known[i].least && level <= known[i].most ? level : 0;
	}
	return *variant ? 0 : 1;
}

/* Splits the text; a component that is too long is truncated, and matches nothing. */
static void split(struct platform *p)
{
	char *const part[] = {p->os, p->arch, p->variant};
	const char *at = p->text;

	for (size_t i = 0; i < 3; i++) {
		size_t n = i < 2 ? strcspn(at, "/") : strlen(at);

		snprintf(part[i], sizeof(p->os), "%.*s", (int)n, at);
		at += n + (at[n] == '/');
	}
}

void platform_here(struct platform *out)
{
	*out = (struct platform){.text = machine()};
	split(out);
	out->level = strcmp(out->arch, "amd64") == 0 ?
		x86_level() :
		platform_level(out->arch, out->variant);
}

void platform_want(struct platform *out, const char *text)
{
	struct platform here;

	platform_here(&here);
	here.variant[0] = '\0';
	*out = here;
	if (!text)
		return;
	*out = (struct platform){.text = text, .asked = true};
	split(out);
	out->level = platform_level(out->arch, out->variant);
	if (!*out->variant && strcmp(out->os, here.os) == 0 &&
		strcmp(out->arch, here.arch) == 0)
		out->level = here.level;
}

unsigned platform_rank(const struct platform *want, const char *os, const char *arch,
	const char *variant)
{
	unsigned level = platform_level(arch, variant);

	if ((*os && strcmp(os, want->os) != 0) ||
		(*arch && strcmp(arch, want->arch) != 0))
		return 0;
	if (!*arch && !*variant)
		return 1;
	if (*want->variant && *variant)
		return strcmp(variant, want->variant) == 0 ||
				(level && level == want->level) ?
			2 :
			0;
	if (*want->variant)
		return 1;
	if (level && level <= want->level)
		return 1 + level;
	return want->asked ? 1 : 0;
}
