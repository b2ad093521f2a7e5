/* SPDX-License-Identifier: ISC */
/* Distinguishes archives of images from layers by their members. See signs.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/id.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/text.h"
#include "codec/decode.h"
#include "image/signs.h"
#include "tar/rawhead.h"

#define MAX_DEPTH 8

/* A sha256, or a sha512, which has twice as many digits. */
static bool is_hex(const char *s, size_t n)
{
	return (n == ID_LEN || n == 2 * ID_LEN) && strspn(s, "0123456789abcdef") == n;
}

/* x.tar, x.tar.gz and the like */
static bool is_tar_name(const char *base)
{
	const char *tar = strstr(base, ".tar");

	return (tar && (!tar[4] || tar[4] == '.')) || text_ends(base, ".tgz") ||
		text_ends(base, ".txz") || text_ends(base, ".tzst");
}

/*
 * Names in the image-spec, in docker's archives before and since 25, and in those of
 * other builders: bazel, crane, jib, kaniko, ko and nix call a config sha256:HEX or
 * config.json and a layer HEX.tar.gz.
 */
static bool is_known(const char *base)
{
	static const char *const names[] = {"oci-layout", "index.json.lock",
		"repositories", "VERSION", "version", "json", "layer", "config",
		".DS_Store"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(base, names[i]) == 0)
			return true;
	}
	if (strncmp(base, "sha256:", 7) == 0)
		base += 7;
	/* macOS adds a file "._X" to X. */
	return is_hex(base, strlen(base)) || text_ends(base, ".json") ||
		is_tar_name(base) || strncmp(base, "._", 2) == 0;
}

/* Files that people put next to an image, at the top. */
static bool is_bystander(const char *name)
{
	return strncmp(name, "README", 6) == 0 || strncmp(name, "LICENSE", 7) == 0 ||
		text_ends(name, ".md") || text_ends(name, ".txt") ||
		text_ends(name, ".sig") || text_ends(name, ".asc") ||
		text_ends(name, ".sha256");
}

enum fit signs_fit(struct archive_entry *e)
{
	const char *raw = archive_entry_pathname(e);
	mode_t type = archive_entry_hardlink(e) ? AE_IFREG : archive_entry_filetype(e);
	auto_buf path = {0};
	const char *base;

	if (!raw || path_clean(raw, MAX_DEPTH, &path, NULL) < 0)
		return FIT_NOT;
	base = path_base(path.data);
	if (strncmp(base, ".wh.", 4) == 0)
		return FIT_NOT;
	if (type == AE_IFDIR)
		return *base != '.' ? FIT : FIT_NOT;
	if (type != AE_IFREG && type != AE_IFLNK)
		return FIT_NOT;
	if (is_known(base) || (base == path.data && is_bystander(base)))
		return FIT;
	/* blobs and blobs/sha256 may be symlinks to shared blobs */
	if (type == AE_IFLNK)
		return strcmp(base, "blobs") == 0 || strncmp(base, "sha", 3) == 0 ?
			FIT :
			FIT_NOT;
	/* The target of a hard link came earlier. */
	return archive_entry_hardlink(e) ? FIT : FIT_MAYBE;
}

bool signs_fit_content(const void *p, size_t n)
{
	const unsigned char *text = p;
	size_t i = 0;

	n = n < RAWHEAD_BLOCK ? n : RAWHEAD_BLOCK;
	if (n >= 262 && memcmp(text + 257, "ustar", 5) == 0)
		return true;
	while (i < n && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	return (i < n && (text[i] == '{' || text[i] == '[')) ||
		strcmp(decode_detect(p, n)->name, "none") != 0;
}

/* ---- signs ------------------------------------------------------------------------ */

enum {
	LAYOUT = 1, /* oci-layout */
	INDEX = 2, /* index.json */
	BLOB = 4, /* blobs/ALG/HEX */
	MANIFEST = 8, /* manifest.json */
	CONFIG = 16, /* HEX.json, sha256:HEX */
	LAYER = 32, /* HEX/layer.tar */
	OLD = 64, /* HEX/json, each layer's own config */
	REPOSITORIES = 128,
	TAR = 256, /* any tar */
};
/* Found in layers too: they must account for more than half of the directories. */
#define WEAK (INDEX | MANIFEST | TAR)

void signs_release(struct signs *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->dir[i].name);
	s->n = 0;
}

/* Cuts the last component off a clean path. */
static const char *cut(char *path, char *end[1])
{
	char *slash = strrchr(path, '/');

	if (!slash) {
		*end = path;
		return path;
	}
	*slash = '\0';
	*end = slash;
	return slash + 1;
}

/* What kind of image file this is; path becomes the directory that contains it. */
static unsigned sign_of(char *path)
{
	static const struct {
		const char *name;
		unsigned sign;
	} known[] = {{"oci-layout", LAYOUT}, {"index.json", INDEX},
		{"manifest.json", MANIFEST}, {"repositories", REPOSITORIES}};
	char *end;
	const char *base = cut(path, &end);
	size_t n = strlen(base);
	unsigned sign = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(base, known[i].name) == 0)
			sign = known[i].sign;
	}
	if (!sign && (strcmp(base, "layer.tar") == 0 || strcmp(base, "json") == 0)) {
		sign = *base == 'l' ? LAYER : OLD;
		base = end == path ? "" : cut(path, &end);
		if (!is_hex(base, strlen(base)))
			return 0;
	} else if (!sign && is_hex(base, n) && end != path) {
		sign = BLOB;
		cut(path, &end);
		if (end == path || strcmp(cut(path, &end), "blobs") != 0)
			return 0;
	} else if (!sign && n == ID_LEN + 5 && text_ends(base, ".json") &&
		strspn(base, "0123456789abcdef") == ID_LEN) {
		sign = CONFIG;
	} else if (!sign && strncmp(base, "sha256:", 7) == 0) {
		sign = CONFIG;
	} else if (!sign && is_tar_name(base)) {
		sign = TAR;
	}
	*end = '\0';
	return sign;
}

static void add(struct signs *s, const char *dir, unsigned sign)
{
	/* The last place is kept for the top, and half of them for signs that are not
	 * weak. */
	unsigned room = !*dir ? SIGNS_DIRS :
		sign & WEAK   ? SIGNS_DIRS / 2 :
				SIGNS_DIRS - 1;
	unsigned i = 0;

	while (i < s->n && strcmp(s->dir[i].name, dir) != 0)
		i++;
	if (i == s->n) {
		if (i >= room || !(s->dir[i].name = strdup(dir)))
			return;
		s->dir[i].seen = 0;
		s->n++;
	}
	s->dir[i].seen |= sign;
}

void signs_note(void *ctx, struct archive_entry *e)
{
	const char *raw = archive_entry_pathname(e);
	const char *base = raw ? path_base(raw) : "";
	auto_buf path = {0};
	unsigned sign;

	/* Most members need no copy of their path to be ruled out. */
	if (archive_entry_filetype(e) == AE_IFDIR || !is_known(base) ||
		path_clean(raw, MAX_DEPTH, &path, NULL) < 0)
		return;
	sign = sign_of(path.data);
	if (sign)
		add(ctx, path.data, sign);
}

static unsigned at_top(const struct signs *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!*s->dir[i].name)
			return s->dir[i].seen;
	}
	return 0;
}

static const char *image_in(unsigned seen, bool fits)
{
	if (seen & LAYOUT && seen & INDEX)
		return "an OCI image layout";
	if (seen & MANIFEST &&
		seen & (CONFIG | LAYER | BLOB | REPOSITORIES | (fits ? TAR : 0)))
		return "a docker-save archive";
	return NULL;
}

int signs_tell(const struct signs *s, bool fits, struct buf *out)
{
	unsigned top = at_top(s);

	for (unsigned i = 0; i < s->n; i++) {
		const char *dir = s->dir[i].name;
		unsigned seen = s->dir[i].seen;
		const char *what = image_in(seen, fits);

		if (what && *dir)
			buf_addf(out,
				"holds %s in %s: to import the image, unpack the "
				"tar and import that directory",
				what, Q(dir));
		else if (what && !fits)
			buf_addf(out,
				"holds %s and other files: to import the image, use "
				"--as image",
				what);
		else if (seen & REPOSITORIES && seen & OLD && !(seen & MANIFEST))
			buf_adds(out,
				"was written by docker before 1.10: to import the "
				"image, load it with a newer docker and save it again");
		else
			continue;
		return 1;
	}
	if (!fits || !(top & (LAYOUT | BLOB | LAYER | CONFIG)))
		return 0;
	buf_addf(out,
		"looks like a truncated image: it has no %s; get a complete copy and "
		"import that",
		top & (LAYOUT | BLOB) && !(top & LAYER) ?
			top & LAYOUT ? "'index.json'" : "'oci-layout'" :
			"'manifest.json'");
	return 1;
}
