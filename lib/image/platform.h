/*
 * Platforms of images, "os/arch[/variant]" with Go's names (image-spec, config.md and
 * image-index.md), and which of several is best for a machine.
 */
#ifndef OVL_PLATFORM_H
#define OVL_PLATFORM_H

#include <stdbool.h>

/* The platform that is wanted, or that of this machine. */
struct platform {
	const char *text; /* for messages */
	char os[32];
	char arch[32];
	char variant[32]; /* required; "": the best one up to level */
	unsigned level; /* see platform_level */
	bool asked; /* given by the user */
};

/* This machine, with its variant. */
void platform_here(struct platform *out);

/* Parses text, which *out keeps a pointer to; NULL: this machine. */
void platform_want(struct platform *out, const char *text);

/* How well an image fits: 0 not at all; higher is better. "" fits anything, but ranks
 * lowest. */
unsigned platform_rank(const struct platform *want, const char *os, const char *arch,
	const char *variant);

/* The number in a variant: v1 to v4 of amd64, v5 to v8 of arm, v8 and v9 of arm64; for ""
 * the default. 0: unknown. */
unsigned platform_level(const char *arch, const char *variant);

#endif
