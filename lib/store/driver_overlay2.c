/* SPDX-License-Identifier: ISC */
/* The driver "overlay2": up to 500 lower layers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/driver_overlay2.h"

static const char links[] = "l";
static const char tree[] = "diff";

#define ITEM      (2 + SHORT_LEN) /* "l/" and a short id */
#define LOWER_MAX (OVL_MAX_LOWERS * (ITEM + 1))

int overlay2_parse_lower(const char *text, size_t len, struct stack *out)
{
	struct stack s = {0};

	if (!len || (len + 1) % (ITEM + 1) != 0 || len > LOWER_MAX)
		return -EUCLEAN;
	s.text = malloc(len + 1);
	if (!s.text)
		return -ENOMEM;
	memcpy(s.text, text, len);
	s.text[len] = '\0';
	for (size_t at = 0; at < len; at += ITEM + 1) {
		char *item = s.text + at;

		if (memcmp(item, "l/", 2) != 0 || !id_short_at(item + 2, SHORT_LEN) ||
			(at + ITEM < len && item[ITEM] != ':')) {
			stack_release(&s);
			return -EUCLEAN;
		}
		item[ITEM] = '\0';
		s.name[s.n++] = item;
	}
	*out = s;
	return 0;
}

/* The parent's short link, followed by the parent's own lowers. */
static int new_lower(const struct seed *how, struct buf *out, struct ovl_err *err)
{
	auto_stack below = {0};
	int rc;

	if (how->opaque)
		return 0;
	rc = driver_lowers(how->parent, &below, err);
	if (rc == 0)
		rc = driver_as_lower(how->parent, out, err);
	for (unsigned i = 0; rc == 0 && i < below.n; i++)
		buf_addf(out, ":%s", below.name[i]);
	return out->failed ? err_nomem(err) : rc;
}

static void lower_text(const struct layer *l, const char (*lowers)[SHORT_LEN + 1],
	unsigned n, struct buf *out)
{
	(void)l;
	for (unsigned i = 0; i < n; i++)
		buf_addf(out, "%s%s/%s", i ? ":" : "", links, lowers[i]);
}

const struct driver driver_overlay2 = {
	.number = 0,
	.name = "overlay2",
	.tree = {[OVL_IMAGE] = tree, [OVL_WRITABLE] = tree},
	.links = links,
	.work = "work",
	.merged = "merged",
	.link_file = "link",
	.lower_file = "lower",
	.max_lowers = OVL_MAX_LOWERS,
	.parse_lower = overlay2_parse_lower,
	.new_lower = new_lower,
	.lower_text = lower_text,
};
