/* SPDX-License-Identifier: ISC */
/* Splits a Dockerfile instruction into words. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "image/instruction.h"
#include "store/config.h"

int instruction_bad(const struct instruction *c, const char *why)
{
	return err_status(c->err, OVL_USAGE, "%s: %s", Q(c->text), why);
}

int instruction_took(const struct instruction *c, int rc)
{
	return rc < 0 ? instruction_bad(c, "not valid UTF-8") : 0;
}

const char *instruction_env(const json_t *env, const char *name, size_t n, size_t *at)
{
	const json_t *v;

	for (*at = 0; (v = json_array_get(env, *at)); ++*at) {
		const char *s = json_string_value(v);

		if (s && strncmp(s, name, n) == 0 && s[n] == '=')
			return s + n + 1;
	}
	return NULL;
}

/* The value of a variable, as ENV has set it. */
static const char *value_of(const struct instruction *c, const char *name, size_t n)
{
	size_t at;
	const char *value = instruction_env(c->env, name, n, &at);

	/* A syntax check knows no values; "1" is valid as a port, a signal or a user. */
	return c->check ? "1" : value ? value : "";
}

/* Expands a $NAME or ${NAME} at *p, and moves *p past it. */
static int expand(const struct instruction *c, const char **p, struct buf *out)
{
	bool braces = (*p)[1] == '{';
	const char *name = *p + 1 + braces;
	size_t n = 0;

	while (name[n] == '_' || isalnum((unsigned char)name[n]))
		n++;
	if (braces && (!n || name[n] != '}'))
		return instruction_bad(
			c, "only $NAME and ${NAME} are supported as variables");
	buf_adds(out, n ? value_of(c, name, n) : "$");
	*p = name + n + braces;
	return out->len > CONFIG_MAX ?
		instruction_bad(c, "with its variables it is over 4 MiB") :
		0;
}

int instruction_word(
	const struct instruction *c, const char **p, bool all, struct buf *out)
{
	char quote = '\0';

	buf_clear(out);
	buf_add(out, "", 0);
	while (**p && (all || quote || !isspace((unsigned char)**p))) {
		if (quote ? **p == quote : strchr("'\"", **p) != NULL) {
			quote = quote ? '\0' : **p;
			++*p;
		} else if (**p == '$' && quote != '\'') {
			int rc = expand(c, p, out);

			if (rc < 0)
				return rc;
		} else {
			/* Between double quotes, a backslash escapes only these
			 * characters. */
			if (**p == '\\' && quote != '\'' && (*p)[1] &&
				(!quote || strchr("\"$\\", (*p)[1])))
				++*p;
			buf_add(out, (*p)++, 1);
		}
	}
	if (quote)
		return instruction_bad(c, "unterminated quote");
	return out->failed ? err_nomem(c->err) : 0;
}

const char *instruction_skip(const char *p)
{
	return p + strspn(p, " \t\n");
}

json_t *instruction_array(const char *text)
{
	json_t *o = *text == '[' ? json_loads(text, 0, NULL) : NULL;
	const json_t *v;
	size_t i;

	json_array_foreach(o, i, v) {
		if (!json_is_string(v)) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

int instruction_each(struct instruction *c, const char *p, bool arrays,
	int (*fn)(struct instruction *, const char *))
{
	auto_buf w = {0};
	json_t *o = arrays ? instruction_array(p) : NULL;
	const json_t *v;
	int rc = 0;
	size_t i;

	json_array_foreach(o, i, v) {
		if (rc == 0)
			rc = fn(c, json_string_value(v));
	}
	for (p = instruction_skip(p); !o && rc == 0 && *p; p = instruction_skip(p)) {
		rc = instruction_word(c, &p, false, &w);
		if (rc == 0)
			rc = fn(c, w.data);
	}
	json_decref(o);
	return rc;
}

int instruction_pairs(struct instruction *c, const char *p,
	int (*set)(struct instruction *, const char *, size_t, const char *))
{
	const char *first = p + strcspn(p, " \t=");
	auto_buf name = {0};
	auto_buf w = {0};
	int rc = 0;

	if (*first != '=') {
		rc = instruction_word(c, &p, false, &name);
		p = instruction_skip(p);
		if (rc == 0 && (!name.len || !*p))
			return instruction_bad(c, "expected NAME=VALUE");
		if (rc == 0)
			rc = instruction_word(c, &p, true, &w);
		return rc < 0 ? rc : set(c, name.data, name.len, w.data);
	}
	for (; rc == 0 && *p; p = instruction_skip(p)) {
		const char *eq;

		rc = instruction_word(c, &p, false, &w);
		eq = rc == 0 ? strchr(w.data, '=') : NULL;
		if (rc == 0 && (!eq || eq == w.data))
			return instruction_bad(c, "expected NAME=VALUE");
		if (rc == 0)
			rc = set(c, w.data, (size_t)(eq - w.data), eq + 1);
	}
	return rc;
}
