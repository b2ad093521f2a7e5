#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "mounts.h"
#include "quote.h"
#include "store.h"

static const char mark[] = "ovlctl:";

void mounts_release(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->mnt[i].where);
	free(m->mnt);
	m->mnt = NULL;
	m->n = 0;
}

char *mounts_source(const struct layer *l)
{
	auto_buf b = {0};

	buf_addf(&b, "%s%s/%s/%s", mark, l->st->root, l->drv->name, l->id.s);
	return buf_steal(&b);
}

void mounts_unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
			isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3])) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				(s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* ---- mountinfo -------------------------------------------------------------------- */

/*
 * proc_pid_mountinfo(5):
 *   36 35 98:0 /root /mount/point options [tag:value ...] - type source super-options
 */
struct line {
	int mnt_id;
	char *where;
	char *type;
	char *source;
};

static bool parse_line(char *text, struct line *out)
{
	char *field[6];
	char *sep = strstr(text, " - ");
	char *rest = text;

	if (!sep)
		return false;
	*sep = '\0';
	for (int i = 0; i < 6; i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			return false;
	}
	rest = sep + 3;
	out->mnt_id = atoi(field[0]);
	out->where = field[4];
	out->type = strsep(&rest, " ");
	out->source = strsep(&rest, " ");
	if (!out->source || strcmp(out->type, "overlay") != 0)
		return false;
	mounts_unescape(out->where);
	mounts_unescape(out->source);
	return true;
}

/* Is that directory, as seen below prefix, the store's root? */
static bool is_root(const struct ovl_store *st, const char *prefix, const char *path)
{
	auto_buf full = {0};
	struct stat there;
	struct stat here;

	buf_addf(&full, "%s%s", prefix, path);
	if (full.failed || fstat(st->fd, &here) < 0)
		return false;
	if (stat(full.data, &there) < 0)
		return strcmp(path, st->root) == 0;
	return there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

/* "ovlctl:<root>/<driver>/<id>" of this store? */
static bool parse_source(const struct ovl_store *st, const char *prefix, char *source,
	struct layer_ref *ref)
{
	char *id;
	char *driver;
	int i;

	if (strncmp(source, mark, sizeof(mark) - 1) != 0)
		return false;
	source += sizeof(mark) - 1;
	id = strrchr(source, '/');
	if (!id || !id_is_full(id + 1))
		return false;
	*id++ = '\0';
	driver = strrchr(source, '/');
	if (!driver)
		return false;
	*driver++ = '\0';
	i = driver_index(driver);
	if (i < 0 || !is_root(st, prefix, *source ? source : "/"))
		return false;
	ref->drv = (unsigned)i;
	memcpy(ref->id.s, id, ID_LEN + 1);
	return true;
}

static int each(const struct ovl_store *st, const char *file, const char *prefix,
	int (*fn)(void *ctx, const struct line *l, const struct layer_ref *ref),
	void *ctx)
{
	auto_file f = fopen(file, "re");
	auto_free char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int rc = 0;

	if (!f)
		return -errno;
	while (rc == 0 && (n = getline(&text, &size, f)) > 0) {
		struct layer_ref ref;
		struct line l;

		if (text[n - 1] == '\n')
			text[n - 1] = '\0';
		if (strstr(text, mark) && parse_line(text, &l) &&
			parse_source(st, prefix, l.source, &ref))
			rc = fn(ctx, &l, &ref);
	}
	return rc;
}

static int add(void *ctx, const struct line *l, const struct layer_ref *ref)
{
	struct mounts *m = ctx;
	struct mnt *mnt = realloc(m->mnt, (m->n + 1) * sizeof(*mnt));

	if (!mnt)
		return -ENOMEM;
	m->mnt = mnt;
	mnt += m->n;
	mnt->mnt_id = l->mnt_id;
	mnt->layer = *ref;
	mnt->where = strdup(l->where);
	if (!mnt->where)
		return -ENOMEM;
	m->n++;
	return 0;
}

int mounts_read(struct ovl_store *st, struct mounts *out, struct ovl_err *err)
{
	auto_mounts m = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	if (st->fd < 0)
		return 0;
	rc = each(st, "/proc/self/mountinfo", "", add, &m);
	if (rc < 0)
		return err_sys(err, -rc, "cannot read '/proc/self/mountinfo'");
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

/* ---- other namespaces ------------------------------------------------------------- */

struct found {
	const struct layer_ref *want;
	const char *whose; /* "" or " in the mount namespace of process N" */
	struct buf *where;
};

static int match(void *ctx, const struct line *l, const struct layer_ref *ref)
{
	struct found *f = ctx;

	if (ref->drv != f->want->drv || strcmp(ref->id.s, f->want->id.s) != 0)
		return 0;
	buf_addf(f->where, "%s%s", Q(l->where), f->whose);
	return 1;
}

struct seen {
	ino_t *ns;
	size_t n;
};

/* A namespace not looked at before? */
static bool is_new(struct seen *seen, const char *pid)
{
	char path[64];
	struct stat ns;
	ino_t *more;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	if (stat(path, &ns) < 0)
		return false;
	for (size_t i = 0; i < seen->n; i++) {
		if (seen->ns[i] == ns.st_ino)
			return false;
	}
	more = realloc(seen->ns, (seen->n + 1) * sizeof(*more));
	if (!more)
		return false;
	seen->ns = more;
	seen->ns[seen->n++] = ns.st_ino;
	return true;
}

static int find_elsewhere(struct ovl_store *st, struct found *f, struct seen *seen)
{
	auto_fsdir proc = {.fd = -1};
	const char *pid;
	int r = 0;

	if (fs_dir_open(&proc, AT_FDCWD, "/proc") < 0)
		return 0;
	while (r <= 0 && fs_dir_next(&proc, &pid, NULL) > 0) {
		char file[64];
		char prefix[64];
		char whose[64];

		if (!isdigit((unsigned char)*pid) || !is_new(seen, pid))
			continue;
		snprintf(file, sizeof(file), "/proc/%.20s/mountinfo", pid);
		snprintf(prefix, sizeof(prefix), "/proc/%.20s/root", pid);
		snprintf(whose, sizeof(whose), " in the mount namespace of process %.20s",
			pid);
		f->whose = whose;
		r = each(st, file, prefix, match, f);
	}
	return r > 0;
}

int mounts_find(struct ovl_store *st, const struct layer_ref *ref, struct buf *where)
{
	struct found f = {.want = ref, .whose = "", .where = where};
	struct seen seen = {0};
	int r;

	buf_clear(where);
	is_new(&seen, "self");
	r = each(st, "/proc/self/mountinfo", "", match, &f) > 0 ||
		find_elsewhere(st, &f, &seen);
	free(seen.ns);
	return r;
}
