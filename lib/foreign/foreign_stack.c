/* SPDX-License-Identifier: ISC */
/*
 * Finds the diff ids in an image config. A store has a config for each image, and most of
 * its text is the history. So the text is scanned without building values from it, which
 * takes a twentieth of the time that libjansson needs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/vec.h"
#include "foreign/foreign_stack.h"

void foreign_stack_release(struct foreign_stack *s)
{
	free(s->step);
	*s = (struct foreign_stack){0};
}

/* ---- JSON: these return the position after what they skip, or NULL if it is invalid ---- */

static const char *blanks(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* p is at the opening quote. */
static const char *string(const char *p)
{
	if (*p != '"')
		return NULL;
	while (*++p != '"') {
		if (*p == '\\')
			p++;
		if (!*p)
			return NULL;
	}
	return p + 1;
}

/* Returns the position of the ',' or bracket that follows the value. */
static const char *value(const char *p)
{
	size_t depth = 0;

	for (; *p; p++) {
		if (*p == '"') {
			p = string(p);
			if (!p)
				return NULL;
			p--;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == '}' || *p == ']' || *p == ',') {
			if (!depth)
				return p;
			depth -= *p != ',';
		}
	}
	return NULL;
}

/* *found is the value of the member with that name; NULL if there is none. */
static const char *object(const char *p, const char *name, const char **found)
{
	size_t n = strlen(name);

	*found = NULL;
	if (*p != '{')
		return NULL;
	p = blanks(p + 1);
	if (*p == '}')
		return p + 1;
	for (;; p = blanks(p + 1)) {
		const char *key = p;

		p = string(p);
		if (!p)
			return NULL;
		if ((size_t)(p - key) == n + 2 && memcmp(key + 1, name, n) == 0)
			*found = key;
		p = blanks(p);
		if (*p != ':')
			return NULL;
		if (*found == key)
			*found = blanks(p + 1);
		p = value(p + 1);
		if (!p || *p == ']')
			return NULL;
		if (*p == '}')
			return p + 1;
	}
}

/* ---- layers ------------------------------------------------------------------------ */

/* Reads the string at p, which must be a digest. */
static const char *digest_at(const char *p, char hex[ID_LEN + 1])
{
	char text[7 + ID_LEN + 1] = "";
	const char *end = string(p);
	const char *digest;

	if (!end || (size_t)(end - p) > sizeof(text) + 1)
		return NULL;
	memcpy(text, p + 1, (size_t)(end - p) - 2);
	digest = id_digest_hex(text);
	if (!digest)
		return NULL;
	memcpy(hex, digest, ID_LEN + 1);
	return end;
}

/* Adds the next layer, or keeps it if the previous config has the same layers up to it. */
static int add_step(
	struct foreign_stack *s, const char hex[ID_LEN + 1], struct ovl_err *err)
{
	size_t i = s->n;
	bool same = i == s->same && i < s->before && strcmp(s->step[i].diff_id, hex) == 0;
	int rc = 0;

	if (i > OVL_MAX_LOWERS)
		return err_say(err, EUCLEAN, "it lists too many layers");
	if (i == s->room && !VEC_ROOM(s->step, s->room))
		return err_nomem(err);
	s->room += i == s->room;
	if (!same) {
		memcpy(s->step[i].diff_id, hex, ID_LEN + 1);
		rc = digest_chain(
			i ? s->step[i - 1].chain.s : NULL, hex, &s->step[i].chain, err);
	}
	s->n += rc == 0;
	s->same += same;
	return rc;
}

static int read_list(struct foreign_stack *s, const char *p, struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	int rc = 0;

	if (*p != '[')
		return 0;
	do {
		p = blanks(p + 1);
		if (*p == ']' && !s->n)
			return 0;
		p = digest_at(p, hex);
		if (!p)
			return err_say(err, EUCLEAN, "a diff id is not a digest");
		rc = add_step(s, hex, err);
		p = blanks(p);
	} while (*p == ',' && rc == 0);
	return rc == 0 && *p != ']' ? err_say(err, EUCLEAN, "it is damaged") : rc;
}

int foreign_stack_read(
	struct foreign_stack *s, const struct buf *config, struct ovl_err *err)
{
	const char *text = config->len ? blanks(config->data) : "";
	const char *rootfs;
	const char *ids = NULL;
	const char *end = object(text, "rootfs", &rootfs);
	int rc = 0;

	s->before = s->n;
	s->n = s->same = 0;
	if (!end || blanks(end) != config->data + config->len)
		return err_say(err, EUCLEAN, "it is damaged");
	if (rootfs)
		(void)object(rootfs, "diff_ids", &ids);
	if (ids)
		rc = read_list(s, ids, err);
	return rc < 0 ? rc : s->n > 0;
}
