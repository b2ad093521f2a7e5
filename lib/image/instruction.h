/*
 * The words of an instruction of a Dockerfile, with its quotes, backslashes and
 * variables.
 */
#ifndef OVL_INSTRUCTION_H
#define OVL_INSTRUCTION_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct instruction {
	json_t *run; /* "config" of the image config */
	json_t *env; /* as before the instruction */
	const char *text; /* the instruction */
	bool check; /* only check that it is well-formed */
	bool cmd_set; /* one of these instructions has set CMD */
	struct ovl_err *err;
};

/* Reports the instruction as wrong: OVL_USAGE. */
int instruction_bad(const struct instruction *c, const char *why);
/* For the result of a call of jansson with the text, which must be UTF-8. */
int instruction_took(const struct instruction *c, int rc);

const char *instruction_skip(const char *p);
/* Gets a word from *p on, without quotes; with all, up to the end of the text. */
int instruction_word(
	const struct instruction *c, const char **p, bool all, struct buf *out);
/* Parses a JSON array of strings; NULL if it is not one, but a command line for a
 * shell. */
json_t *instruction_array(const char *text);
/* Calls fn with each word, without quotes, or each string of a JSON array. */
int instruction_each(struct instruction *c, const char *p, bool arrays,
	int (*fn)(struct instruction *, const char *));
/* NAME=VALUE..., or in the old form NAME and the rest of the text as its value. */
int instruction_pairs(struct instruction *c, const char *p,
	int (*set)(struct instruction *, const char *, size_t, const char *));

/* The value of a variable in the environment, whose name has n bytes; NULL: not set. */
const char *instruction_env(const json_t *env, const char *name, size_t n, size_t *at);

#endif
