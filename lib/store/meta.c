/* SPDX-License-Identifier: ISC */
/* The file .layer: the metadata of a layer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "store/meta.h"

struct timespec meta_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t;
}

static const char *const kinds[] = {[OVL_IMAGE] = "image", [OVL_WRITABLE] = "writable"};

void meta_format(const struct meta *m, char out[META_MAX])
{
	char parent[ID_LEN + 16] = "";
	char diff_id[ID_LEN + 16] = "";
	char becomes[2 * ID_LEN + 32] = "";

	if (m->has_parent)
		snprintf(parent, sizeof(parent), "parent %s\n", m->parent.s);
	if (m->diff_id[0])
		snprintf(diff_id, sizeof(diff_id), "diff-id %s\n", m->diff_id);
	if (m->becomes.s[0])
		snprintf(becomes, sizeof(becomes), "becomes %s\nwas %s\n", m->becomes.s,
			m->was.s);
	snprintf(out, META_MAX,
		"ovlctl-layer 1\nkind %s\nlink %s\n%s%s%sdepth %u\nlowers %u\n"
		"size %" PRIu64 "\nentries %" PRIu64 "\ntar %" PRIu64 "\ncreated %" PRId64
		"\ncreated-ns %09ld\n%send\n",
		kinds[m->kind], m->link, parent, diff_id, m->on_dir ? "on-dir 1\n" : "",
		m->depth, m->lowers, m->size, m->entries, m->tar_size,
		(int64_t)m->created.tv_sec, m->created.tv_nsec, becomes);
}

static int put(int dirfd, const struct meta *m,
	int (*write)(int dirfd, const char *name, const void *data, size_t len),
	struct ovl_err *err)
{
	char text[META_MAX];

	meta_format(m, text);
	return write(dirfd, META_NAME, text, strlen(text)) < 0 ?
		err_sys(err, errno, "cannot write '%s'", META_NAME) :
		0;
}

int meta_write(int dirfd, const struct meta *m, struct ovl_err *err)
{
	return put(dirfd, m, fs_write_new, err);
}

int meta_replace(int dirfd, const struct meta *m, struct ovl_err *err)
{
	return put(dirfd, m, fs_replace, err);
}

static bool parse_number(const char *s, uint64_t max, uint64_t *out)
{
	return *s && text_number(s, strlen(s), max, out);
}

static bool kind_of(const char *s, enum ovl_kind *out)
{
	for (int i = OVL_IMAGE; i <= OVL_WRITABLE; i++) {
		if (strcmp(s, kinds[i]) == 0) {
			*out = (enum ovl_kind)i;
			return true;
		}
	}
	return false;
}

enum { SAW_KIND = 1, SAW_LINK = 2, SAW_DEPTH = 4, SAW_LOWERS = 8, SAW_ALL = 15 };

/* Parses one "key value". Unknown keys of later formats are ignored. */
static bool parse_key(struct meta *m, const char *key, const char *value, unsigned *seen)
{
	uint64_t n = 0;

	if (strcmp(key, "kind") == 0) {
		*seen |= SAW_KIND;
		return kind_of(value, &m->kind);
	}
	if (strcmp(key, "link") == 0) {
		*seen |= SAW_LINK;
		snprintf(m->link, sizeof(m->link), "%s", value);
		return id_is_short(value);
	}
	if (strcmp(key, "parent") == 0) {
		m->has_parent = true;
		return id_take(value, m->parent.s);
	}
	if (strcmp(key, "on-dir") == 0) {
		m->on_dir = true;
		return strcmp(value, "1") == 0;
	}
	if (strcmp(key, "diff-id") == 0)
		return id_take(value, m->diff_id);
	if (strcmp(key, "becomes") == 0)
		return id_take(value, m->becomes.s);
	if (strcmp(key, "was") == 0)
		return id_take(value, m->was.s);
	if (strcmp(key, "size") == 0)
		return parse_number(value, UINT64_MAX, &m->size);
	if (strcmp(key, "entries") == 0)
		return parse_number(value, UINT64_MAX, &m->entries);
	if (strcmp(key, "tar") == 0)
		return parse_number(value, UINT64_MAX, &m->tar_size);
	if (strcmp(key, "created") == 0) {
		m->created.tv_sec = parse_number(value, INT64_MAX, &n) ? (time_t)n : -1;
		return m->created.tv_sec >= 0;
	}
	if (strcmp(key, "created-ns") == 0) {
		m->created.tv_nsec = parse_number(value, 999999999, &n) ? (long)n : -1;
		return m->created.tv_nsec >= 0;
	}
	if (strcmp(key, "depth") == 0 || strcmp(key, "lowers") == 0) {
		bool depth = key[0] == 'd';

		*seen |= depth ? SAW_DEPTH : SAW_LOWERS;
		if (!parse_number(value, depth ? 1000000 : OVL_MAX_LOWERS, &n))
			return false;
		*(depth ? &m->depth : &m->lowers) = (unsigned)n;
	}
	return true;
}

int meta_parse(const char *text, size_t len, struct meta *m)
{
	static const char first[] = "ovlctl-layer 1\n";
	char copy[META_MAX];
	unsigned seen = 0;
	char *rest;
	char *line;

	memset(m, 0, sizeof(*m));
	if (len >= sizeof(copy) || len < sizeof(first) - 1 || memchr(text, '\0', len) ||
		memcmp(text, first, sizeof(first) - 1) != 0)
		return -EUCLEAN;
	memcpy(copy, text, len);
	copy[len] = '\0';
	rest = copy + sizeof(first) - 1;
	while ((line = strsep(&rest, "\n")) && rest) {
		char *value;

		if (strcmp(line, "end") == 0)
			return *rest == '\0' && (seen & SAW_ALL) == SAW_ALL ? 0 :
									      -EUCLEAN;
		value = strchr(line, ' ');
		if (!value)
			return -EUCLEAN;
		*value++ = '\0';
		if (!parse_key(m, line, value, &seen))
			return -EUCLEAN;
	}
	return -EUCLEAN;
}

bool meta_is_damage(int rc)
{
	return fs_is_gone(-rc) || rc == -EUCLEAN || rc == -EINVAL || rc == -EFBIG;
}

int meta_read(int dirfd, struct meta *m, struct ovl_err *err)
{
	auto_buf text = {0};
	int rc;

	if (fs_read_file(dirfd, META_NAME, META_MAX, &text) < 0)
		return err_sys(err, errno, "cannot read '%s'", META_NAME);
	rc = meta_parse(text.data, text.len, m);
	if (rc < 0)
		return err_say(err, EUCLEAN, "'%s' is damaged", META_NAME);
	return 0;
}
