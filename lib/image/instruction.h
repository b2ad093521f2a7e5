/*
 * The words of an instruction of a Dockerfile, with its quotes, backslashes and variables.
 */
#ifndef OVL_INSTRUCTION_H
#define OVL_INSTRUCTION_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct instruction {
	json_t *run; /* "config" of the image config */
	json_t *env; /* as it was before the instruction */
	const char *text; /* the instruction */
	bool check; /* only whether they are well-formed */
	bool cmd_set; /* by one of these instructions */
	struct ovl_err *err;
};

/* Reports the instruction as wrong: OVL_USAGE. */
int instruction_bad(const struct instruction *c, const char *why);
/* For what jansson returns when it is given text: it takes only UTF-8. */
int instruction_took(const struct instruction *c, int rc);

const char *instruction_skip(const char *p);
/* One word from *p on, without its quotes; to the end of the text if it is all. */
int instruction_word(
	const struct instruction *c, const char **p, bool all, struct buf *out);
/* A JSON array of strings; NULL: it is none, but words for a shell. */
json_t *instruction_array(const char *text);
/* Calls fn with each word, without quotes, or each string of a JSON array. */
int instruction_each(struct instruction *c, const char *p, bool arrays,
	int (*fn)(struct instruction *, const char *));
/* NAME=VALUE..., or of old NAME and the rest as its value. */
int instruction_pairs(struct instruction *c, const char *p,
	int (*set)(struct instruction *, const char *, size_t, const char *));

/* Where the environment has the variable, n bytes of name; NULL: it has not. */
const char *instruction_env(const json_t *env, const char *name, size_t n, size_t *at);

#endif
