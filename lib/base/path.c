/* SPDX-License-Identifier: ISC */
/* Checks and normalises names in a tar. */
#include <errno.h>
#include <string.h>

#include "base/path.h"
#include "base/quote.h"

static int refuse(const char *raw, const char *why, struct ovl_err *err)
{
	return err_say(err, EINVAL, "refused name %s: %s", Q(raw), why);
}

/* Removes the last component; false if there is none. */
static bool up(struct buf *out)
{
	size_t n = out->len;

	if (!n)
		return false;
	while (n && out->data[n - 1] != '/')
		n--;
	buf_cut(out, n ? n - 1 : 0);
	return true;
}

int path_clean(const char *raw, unsigned max_depth, struct buf *out, struct ovl_err *err)
{
	unsigned depth = 0;

	buf_clear(out);
	buf_add(out, "", 0);
	if (strlen(raw) > PATH_MAX_LEN)
		return refuse(raw, "longer than 64 KiB", err);
	for (const char *p = raw; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0) {
			if (!up(out))
				return refuse(raw, "it leaves the layer", err);
			depth--;
		} else if (n && !(n == 1 && *p == '.')) {
			if (n > PATH_MAX_COMPONENT)
				return refuse(raw, "a component over 255 bytes", err);
			if (++depth > max_depth)
				return refuse(
					raw, "too many components: see --max-depth", err);
			if (out->len)
				buf_add(out, "/", 1);
			buf_add(out, p, n);
		}
		p += n;
		p += *p == '/';
	}
	return out->failed ? err_nomem(err) : 0;
}

void path_add(struct buf *path, const char *name)
{
	if (path->len)
		buf_adds(path, "/");
	buf_adds(path, name);
}

const char *path_shown(const char *clean)
{
	return clean && *clean ? clean : "/";
}

const char *path_base(const char *clean)
{
	const char *slash = strrchr(clean, '/');

	return slash ? slash + 1 : clean;
}

const char *path_below(const char *path, const char *dir)
{
	size_t n = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	if (strncmp(path, dir, n) != 0)
		return NULL;
	return path[n] == '\0' || path[n] == '/' ? path + n : NULL;
}
