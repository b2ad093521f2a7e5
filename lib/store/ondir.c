/* SPDX-License-Identifier: ISC */
/* Layers on a directory of the host. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "store/ondir.h"
#include "store/store.h"

#define ON_MAX (1 << 20)

void ondir_close(struct ondir *d)
{
	close_fdp(&d->fd);
	buf_release(&d->path);
}

/* ---- which directory -------------------------------------------------------------- */

/* Identifies a directory also by its time of birth. Where the file system has none, its
 * own id is used, although that of XFS can change at boot. */
static int identify(struct ondir *d)
{
	struct statfs sf;
	struct statx sx;

	if (statx(d->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &sx) < 0 ||
		fstatfs(d->fd, &sf) < 0)
		return -1;
	d->inode = sx.stx_ino;
	d->type = (uint64_t)sf.f_type;
	memcpy(&d->fsid, &sf.f_fsid, sizeof(d->fsid));
	d->born = (struct timespec){0};
	if (sx.stx_mask & STATX_BTIME) {
		d->born.tv_sec = sx.stx_btime.tv_sec;
		d->born.tv_nsec = sx.stx_btime.tv_nsec;
	}
	return 0;
}

static bool is_same(const struct ondir *a, const struct ondir *b)
{
	bool born = a->born.tv_sec && b->born.tv_sec;

	return a->inode == b->inode && a->type == b->type &&
		(born ? fs_time_order(&a->born, &b->born) == 0 : a->fsid == b->fsid);
}

static int check_place(struct ovl_store *st, const struct ondir *d, struct ovl_err *err)
{
	struct stat root;
	struct stat store;
	struct stat dir;
	int above;
	int below;

	if (stat("/", &root) < 0 || fstat(st->fd, &store) < 0 || fstat(d->fd, &dir) < 0)
		return err_sys(err, errno, "cannot stat %s", Q(d->path.data));
	if (fs_same(&root, &dir))
		return err_say(err, EINVAL,
			"a layer cannot be on the root directory; name a directory in it");
	below = fs_is_within(d->fd, &store);
	above = below ? 0 : fs_is_within(st->fd, &dir);
	if (below < 0 || above < 0)
		return err_sys(err, errno, "cannot look up %s", Q(d->path.data));
	if (below)
		return err_say(err, EINVAL, "directory %s lies in the store %s",
			Q(d->path.data), Q(st->root));
	if (above)
		return err_say(err, EINVAL,
			"directory %s contains the store %s, into which changes are written; "
			"use a store elsewhere (--root)",
			Q(d->path.data), Q(st->root));
	return 0;
}

int ondir_choose(
	struct ovl_store *st, const char *dir, struct ondir *out, struct ovl_err *err)
{
	auto_ondir d = ONDIR_INIT;
	int rc;

	d.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0 || fs_path_of(d.fd, &d.path) < 0 || identify(&d) < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(dir));
	rc = check_place(st, &d, err);
	if (rc < 0)
		return rc;
	*out = d;
	d = ONDIR_INIT;
	return 0;
}

/* ---- the file .on ----------------------------------------------------------------- */

static const char last[] = "\nend\n";

int ondir_note(int layer_fd, struct ondir *d, struct ovl_err *err)
{
	auto_buf text = {0};
	struct stat st;

	if (fstat(layer_fd, &st) < 0)
		return err_sys(err, errno, "cannot stat the layer");
	d->since = st.st_ctim;
	buf_addf(&text,
		"ovlctl-on 1\ninode %" PRIu64 "\ntype %" PRIx64 "\nfsid %" PRIx64
		"\nborn %" PRId64 ".%09ld\nsince %" PRId64 ".%09ld\npath %s%s",
		d->inode, d->type, d->fsid, (int64_t)d->born.tv_sec, d->born.tv_nsec,
		(int64_t)d->since.tv_sec, d->since.tv_nsec, d->path.data, last);
	if (text.failed)
		return err_nomem(err);
	if (fs_write_new(layer_fd, ONDIR_NAME, text.data, text.len) < 0)
		return err_sys(err, errno, "cannot write '%s'", ONDIR_NAME);
	return 0;
}

static bool parse(struct ondir *d, const struct buf *text)
{
	int64_t born = 0;
	int64_t since = 0;
	int at = 0;
	size_t end = sizeof(last) - 1;

	if (memchr(text->data, '\0', text->len) ||
		sscanf(text->data,
			"ovlctl-on 1\ninode %" SCNu64 "\ntype %" SCNx64 "\nfsid %" SCNx64
			"\nborn %" SCNd64 ".%ld\nsince %" SCNd64 ".%ld\npath %n",
			&d->inode, &d->type, &d->fsid, &born, &d->born.tv_nsec, &since,
			&d->since.tv_nsec, &at) != 7 ||
		at <= 0 || text->data[at] != '/' || text->len < (size_t)at + end ||
		strcmp(text->data + text->len - end, last) != 0)
		return false;
	d->born.tv_sec = born;
	d->since.tv_sec = since;
	buf_add(&d->path, text->data + at, text->len - (size_t)at - end);
	return !d->path.failed;
}

int ondir_read(int layer_fd, struct ondir *out, struct ovl_err *err)
{
	auto_ondir d = ONDIR_INIT;
	auto_buf text = {0};

	if (fs_read_file(layer_fd, ONDIR_NAME, ON_MAX, &text) < 0)
		return err_sys(err, errno, "cannot read '%s'", ONDIR_NAME);
	if (!parse(&d, &text))
		return err_say(err, EUCLEAN, "'%s' is damaged", ONDIR_NAME);
	*out = d;
	d = ONDIR_INIT;
	return 0;
}

int ondir_open(const struct layer *l, struct ondir *out, struct ovl_err *err)
{
	auto_ondir d = ONDIR_INIT;
	auto_ondir now = ONDIR_INIT;
	int rc = ondir_read(l->fd, &d, err);

	if (rc < 0)
		return err_prefix(err, rc, "layer %.12s", l->id.s);
	now.fd = open(d.path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (now.fd < 0 || identify(&now) < 0)
		return err_sys(err, errno, "cannot open %s, the directory of layer %.12s",
			Q(d.path.data), l->id.s);
	if (!is_same(&d, &now))
		return err_say(err, ESTALE,
			"%s is not the directory that layer %.12s was made on; move that "
			"one back there",
			Q(d.path.data), l->id.s);
	d.fd = steal_fd(&now.fd);
	*out = d;
	d = ONDIR_INIT;
	return 0;
}

int ondir_refuse(const struct layer *l, const char *what, struct ovl_err *err)
{
	auto_ondir d = ONDIR_INIT;
	int rc = l->meta.on_dir ? ondir_read(l->fd, &d, err) : 0;

	if (rc < 0)
		return err_prefix(err, rc, "layer %s", Q(what));
	if (!l->meta.on_dir)
		return 0;
	return err_say(err, EINVAL,
		"layer %s is on directory %s; 'ovlctl apply' applies its changes",
		Q(what), Q(d.path.data));
}

/* ---- times ------------------------------------------------------------------------ */

/* The times of some file systems are whole seconds. */
bool ondir_is_later(const struct ondir *d, const struct timespec *ctime)
{
	return fs_time_order(ctime, &d->since) > 0 ||
		(ctime->tv_sec == d->since.tv_sec && ctime->tv_nsec == 0);
}

/* The clock of file systems ticks 100 to 1000 times a second. */
void ondir_wait(const struct ondir *d)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	struct timespec now;

	for (int i = 0; i < 20; i++) {
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0 ||
			fs_time_order(&now, &d->since) > 0)
			return;
		nanosleep(&tick, NULL);
	}
}
