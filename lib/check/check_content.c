/* SPDX-License-Identifier: ISC */
/*
 * Compares the tree of an image layer with what was imported. Its tar is rebuilt from the
 * recipe, even if files are damaged, and unpacked in memory without file data, by the
 * code that unpacked the layer. File data is compared with checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "check/check.h"
#include "content/ingest.h"
#include "content/replay.h"
#include "mount/superblock.h"
#include "store/config.h"
#include "store/driver.h"
#include "stage/stage.h"
#include "store/store.h"
#include "union/compare.h"
#include "union/view.h"

struct content {
	struct checker *c;
	const struct layer *l;
	struct report bad; /* files with other data, by path, and why */
};

/*
 * True if a time is as near as the store's file system can hold to the one in the tree in
 * memory, where all times are possible: whole seconds, if the time of the last change has
 * no fraction either; the last time, or the first. Knows ext4 with and without large
 * inodes, and XFS with and without bigtime.
 */
static bool is_nearest(const struct timespec *want, const struct stat *st)
{
	static const int64_t last[] = {INT32_MAX, 15032385535, 16299260424};
	const struct timespec *have = &st->st_mtim;

	if (want->tv_sec == have->tv_sec && !have->tv_nsec && !st->st_ctim.tv_nsec)
		return true;
	if (have->tv_sec == INT32_MIN)
		return fs_time_order(want, have) < 0;
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		if (have->tv_sec == last[i])
			return fs_time_order(want, have) > 0;
	}
	return false;
}

static int report_difference(void *ctx, const struct compared *one, struct ovl_err *err)
{
	struct content *x = ctx;
	int rc = 0;

	(void)err;
	for (unsigned i = 0; i < one->n && rc == 0; i++) {
		if (strcmp(one->fault[i].kind, "time") == 0 &&
			is_nearest(&one->want->st_mtim, one->have))
			continue;
		rc = check_found(x->c, OVL_ERROR, one->fault[i].kind, x->l->id.s,
			one->path, OVL_LEFT, "%s %s", Q(path_shown(one->path)),
			one->fault[i].how);
	}
	return rc;
}

/* ---- the expected tree ------------------------------------------------------------ */

/* Called by the thread that rebuilds the tar. The findings are reported when it has
 * ended. */
static void note_bad(void *ctx, const char *path, const char *why)
{
	struct content *x = ctx;

	report_add(&x->bad,
		&(struct ovl_finding){.kind = "", .id = "", .path = path, .text = why});
}

static int feed(void *ctx, sink_fn sink, void *to, struct ovl_err *err)
{
	struct content *x = ctx;
	const struct replay_watch watch = {.bad = note_bad, .ctx = x};

	return replay_layer(x->l, sink, to, &watch, err);
}

/* A file whose type or size has changed is reported by the comparison of the trees. */
static bool in_place(const struct content *x, const char *path, const char *why)
{
	auto_fd tree = fs_open_dir(x->l->fd, layer_tree_name(x->l));
	auto_fd fd = tree < 0 ? -1 : fs_open_beneath(tree, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		strcmp(why, "is too short") != 0;
}

static int report_bad(struct content *x)
{
	int rc = 0;

	if (x->bad.failed)
		return err_nomem(x->c->err);
	for (size_t i = 0; i < x->bad.n && rc == 0; i++) {
		const char *path = x->bad.row[i].path;
		const char *why = x->bad.row[i].text;

		if (!*path || in_place(x, path, why))
			rc = check_found(x->c, OVL_ERROR, *path ? "data" : "recipe",
				x->l->id.s, path, OVL_LEFT, "%s %s",
				Q(*path ? path : "its recipe"), why);
	}
	return rc;
}

static int compare_tree(struct content *x, struct ingest *in, const struct layer *parent)
{
	struct comparison cmp = {.stop = x->c->st->cfg.stop,
		.shared = x->l->drv->flat || layer_is_adopted(x->l),
		.finer = layer_is_adopted(x->l),
		.userns = x->c->st->xattrs.user,
		.mapped = store_is_mapped(x->c->st),
		.each = report_difference,
		.ctx = x};
	auto_fd below = -1;
	auto_fd want = -1;
	auto_fd have = -1;
	int rc = ingest_resolve(in, parent, x->c->err);

	if (rc < 0)
		return rc;
	want = fs_open_dir(in->stage.fd, layer_tree_name(x->l));
	have = fs_open_dir(x->l->fd, layer_tree_name(x->l));
	if (want < 0 || have < 0)
		return err_sys(x->c->err, errno, "cannot open the tree of layer %.12s",
			x->l->id.s);
	if (x->l->drv->flat && parent)
		below = layer_tree(parent, x->c->err);
	if (below < 0 && x->l->drv->flat && parent)
		return below;
	cmp.below = below;
	return compare_trees(&cmp, want, have, x->c->err);
}

/* Up to this many entries the tree is unpacked in memory, which needs privileges;
 * otherwise in the store, if that is writable and has space. */
#define MEMORY_ENTRIES 200000

static int begin_scratch(const struct content *x, bool memory, struct stage *out)
{
	auto_fd fs = -1;
	int dir;

	if (!memory)
		return stage_begin(x->c->st, x->l->drv, NULL, out, x->c->err);
	fs = superblock_private(0);
	dir = fs < 0 ? -1 : openat(fs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(x->c->err, errno, "cannot make a file system in memory");
	return stage_begin_at(x->c->st, x->l->drv, dir, out, x->c->err);
}

static int ingest(struct content *x, struct ingest *in, bool memory, struct stage *place)
{
	const struct ingest_config cfg = {
		.input = {.make = feed, .make_ctx = x, .taken = &x->c->bytes},
		.drv = x->l->drv,
		INGEST_NO_LIMITS,
		.no_data = true,
		.may_be_empty = true,
		.within = place,
		.as = "layer",
		.total = x->c->total,
		.entries = &x->c->entries,
		.tell = true,
	};
	int rc = begin_scratch(x, memory, place);

	report_release(&x->bad);
	return rc < 0 ? rc : ingest_all(in, x->c->st, &cfg, x->c->err);
}

/* True for errors after which unpacking in another place may succeed. */
static bool is_of_place(int rc)
{
	switch (-rc) {
	case EROFS:
	case ENOSPC:
	case EDQUOT:
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
	case ENODEV:
	case ENOSYS:
	case EXDEV: return true;
	default: return false;
	}
}

static int check_tree(struct content *x, struct ingest *in)
{
	bool memory = x->l->meta.entries <= MEMORY_ENTRIES;
	auto_stage place = STAGE_INIT;
	auto_layer parent = LAYER_INIT;
	int rc = 0;

	if (x->l->meta.has_parent)
		rc = layer_open_parent(x->l, 0, &parent, x->c->err);
	if (rc < 0)
		return rc;
	rc = ingest(x, in, memory, &place);
	if (is_of_place(rc)) {
		stage_end(&place);
		place = (struct stage)STAGE_INIT;
		rc = ingest(x, in, !memory, &place);
	}
	if (rc == -EUCLEAN || rc == -EBADMSG)
		return check_fault(x->c, "recipe", x->l->id.s, "%s", x->c->err->text);
	if (rc == 0)
		rc = report_bad(x);
	return rc ? rc : compare_tree(x, in, x->l->meta.has_parent ? &parent : NULL);
}

/* Checks the configs of images whose top layer this is. */
static int check_configs(const struct content *x)
{
	struct checker *c = x->c;
	auto_buf list = {0};
	int rc = config_list(x->l, &list, c->err);

	for (size_t at = 0; at < list.len && rc == 0; at += ID_LEN + 1) {
		char hex[ID_LEN + 1];

		snprintf(hex, sizeof(hex), "%.*s", ID_LEN, list.data + at);
		rc = config_is_sound(x->l, hex, c->err);
		if (rc == 0)
			rc = check_fault(c, "config", x->l->id.s,
				"its image config sha256:%.12s does not match its digest",
				hex);
		else if (rc > 0)
			rc = 0;
	}
	return rc;
}

int check_content(struct checker *c, const struct layer *l)
{
	struct content x = {.c = c, .l = l};
	struct ingest in = INGEST_INIT;
	int rc;

	if (!c->total)
		c->total = l->meta.tar_size;
	rc = check_tree(&x, &in);
	ingest_end(&in);
	if (rc == 0)
		rc = check_configs(&x);
	report_release(&x.bad);
	return rc;
}
