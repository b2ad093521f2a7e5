/* SPDX-License-Identifier: ISC */
/*
 * Finds the diff ids in an image config. A store has a config for each image, and most of
 * its text is the history. So the text is scanned for the member "rootfs", and values are
 * built from that alone, which takes a tenth of the time.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/json.h"
#include "foreign/foreign_stack.h"

/* The size limit of the member; it has 80 bytes for each layer. */
#define ROOTFS_MAX (1 << 17)

/* ---- JSON: these return the position after what they skip, or NULL if it is invalid ---- */

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t\n\r");
}

/* p is at the opening quote. */
static const char *string(const char *p)
{
	if (*p != '"')
		return NULL;
	for (p++; *(p += strcspn(p, "\"\\")) == '\\'; p += 2) {
		if (!p[1])
			return NULL;
	}
	return *p ? p + 1 : NULL;
}

/* Returns the position of the ',' or bracket that follows the value. */
static const char *value(const char *p)
{
	size_t depth = 0;

	while (p && *(p += strcspn(p, "\"[]{},"))) {
		if (*p == '"') {
			p = string(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if (!depth)
			return p;
		else
			depth -= *p != ',';
		p++;
	}
	return NULL;
}

/* key is a string of n bytes with its quotes. */
static bool is_rootfs(const char *key, size_t n)
{
	static const char rootfs[] = "\"rootfs\"";
	auto_json text = NULL;

	if (!memchr(key, '\\', n))
		return n == sizeof(rootfs) - 1 && strncasecmp(key, rootfs, n) == 0;
	text = json_loadb(key, n, JSON_DECODE_ANY, NULL);
	return text && strcasecmp(json_string_value(text), "rootfs") == 0;
}

/* Skips the object. Of several members with the name, Go takes the last, in upper or lower
 * case. Without one, *from is unchanged. */
static const char *find_rootfs(const char *p, const char **from, const char **to)
{
	if (*p == '{' && *blanks(p + 1) == '}')
		return blanks(p + 1) + 1;
	p = *p == '{' ? p : NULL;
	while (p && *p != '}') {
		const char *key = blanks(p + 1);
		const char *end = *p != ']' ? string(key) : NULL;
		const char *colon = end ? blanks(end) : "";

		p = *colon == ':' ? value(colon + 1) : NULL;
		if (p && is_rootfs(key, (size_t)(end - key))) {
			*from = colon + 1;
			*to = p;
		}
	}
	return p ? p + 1 : NULL;
}

/* ---- layers ------------------------------------------------------------------------ */

/* Adds the next layer, or keeps it if the previous config has the same layers up to it. */
static int add_step(struct foreign_stack *s, const char *hex, struct ovl_err *err)
{
	struct foreign_step *at = &s->step[s->n];
	bool same = s->n == s->same && strcmp(at->diff_id, hex) == 0;
	int rc;

	if (s->n > OVL_MAX_LOWERS)
		return err_say(err, EUCLEAN, "it lists too many layers");
	if (!same) {
		at[0].diff_id[0] = at[1].diff_id[0] = '\0';
		rc = digest_chain(s->n ? at[-1].chain.s : NULL, hex, &at->chain, err);
		if (rc < 0)
			return rc;
		memcpy(at->diff_id, hex, sizeof(at->diff_id));
	}
	s->n++;
	s->same += same;
	return 0;
}

static int add_steps(struct foreign_stack *s, json_t *rootfs, struct ovl_err *err)
{
	const json_t *ids = NULL;
	const char *key;
	json_t *v;
	size_t i;
	int rc = 0;

	json_object_foreach(rootfs, key, v)
	{
		ids = strcasecmp(key, "diff_ids") == 0 ? v : ids;
	}
	for (i = 0; i < json_array_size(ids) && rc == 0; i++) {
		const char *text = json_string_value(json_array_get(ids, i));
		const char *hex = text ? id_digest_hex(text) : NULL;

		rc = hex ? add_step(s, hex, err) :
			   err_say(err, EUCLEAN, "a diff id is not a digest");
	}
	return rc < 0 ? rc : s->n > 0;
}

int foreign_stack_read(
	struct foreign_stack *s, const struct buf *config, struct ovl_err *err)
{
	const char *from = "null";
	const char *to = from + 4;
	const char *end = find_rootfs(
		config->len ? blanks(config->data) : "", &from, &to);
	auto_json rootfs = NULL;

	s->n = s->same = 0;
	if (to - from > ROOTFS_MAX)
		return err_say(err, EUCLEAN, "it lists too many layers");
	if (end && blanks(end) == config->data + config->len)
		rootfs = json_loadb(from, (size_t)(to - from), JSON_DECODE_ANY, NULL);
	return rootfs ? add_steps(s, rootfs, err) :
			err_say(err, EUCLEAN, "it is damaged");
}
