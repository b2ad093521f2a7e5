/* SPDX-License-Identifier: ISC */
/*
 * Checks another program's store: whether its records agree, whether the trees exist, and
 * which directories no record refers to. The program may be changing the store, so the
 * check is done twice, with records that are read again, and only findings that are the
 * same both times are reported. The size in the text of an orphan that is being removed
 * changes, for example.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/namelist.h"
#include "base/quote.h"
#include "check/check.h"
#include "foreign/foreign.h"
#include "store/store.h"

/* Seconds. The record of a newer directory may not have been written yet. */
#define ORPHAN_AGE 3600

/* ---- layers ----------------------------------------------------------------------- */

static int check_tree(struct checker *c, const struct foreign_layer *l, const char *path)
{
	auto_fd fd = foreign_open(c->st->foreign, path, O_PATH | O_DIRECTORY);

	if (fd >= 0)
		return 0;
	return check_found(c, OVL_ERROR, "tree", l->id.s, path, OVL_LEFT,
		"its tree cannot be opened: %s", strerror(errno));
}

static int check_one(struct checker *c, const struct foreign_layer *l)
{
	int rc = 0;

	if (l->fault)
		return check_fault(c, "meta", l->id.s, "%s", l->fault);
	if (*l->parent.s && l->below == FOREIGN_NONE)
		rc = check_fault(c, "parent", l->id.s,
			"its parent %.12s is not in the store", l->parent.s);
	if (rc == 0)
		rc = check_tree(c, l, l->tree);
	for (unsigned i = 0; i < l->n_more && rc == 0; i++)
		rc = check_tree(c, l, l->more[i]);
	return rc;
}

static int check_layers(struct checker *c, const struct ovl_id *only)
{
	const struct foreign *t = c->st->foreign;
	int rc = 0;

	for (size_t i = 0; i < t->n_layers && rc == 0; i++) {
		if (!only || id_order(only, &t->layer[i].id) == 0)
			rc = check_one(c, &t->layer[i]);
	}
	return rc;
}

/* ---- directories ------------------------------------------------------------------ */

/* Adds the name of the directory in layers_dir that the path leads to. */
static int add_known(struct namelist *known, const struct foreign *t, const char *path)
{
	auto_free char *name = NULL;
	size_t n = strlen(t->layers_dir);

	if (strncmp(path, t->layers_dir, n) != 0 || path[n] != '/')
		return 0;
	path += n + 1;
	name = strndup(path, strcspn(path, "/"));
	return name ? namelist_add(known, 0, name) : -1;
}

static int list_known(const struct foreign *t, struct namelist *known)
{
	int rc = 0;

	for (size_t i = 0; i < t->n_layers && rc == 0; i++) {
		rc = add_known(known, t, t->layer[i].tree);
		for (unsigned k = 0; k < t->layer[i].n_more && rc == 0; k++)
			rc = add_known(known, t, t->layer[i].more[k]);
	}
	for (size_t i = 0; i < t->n_claims && rc == 0; i++)
		rc = add_known(known, t, t->claim[i].path);
	namelist_sort(known);
	return rc;
}

static void say_age(time_t seconds, struct buf *out)
{
	bool days = seconds >= 86400;
	long long n = seconds / (days ? 86400 : 3600);

	buf_addf(out, "%lld %s%s", n, days ? "day" : "hour", n == 1 ? "" : "s");
}

static int tell_orphan(struct checker *c, int dir, const char *name, time_t age)
{
	const struct foreign *t = c->st->foreign;
	const char *path = P("%s/%s", t->layers_dir, name);
	const char *doubt = *t->unread.text ? t->unread.text : t->doubt;
	auto_buf what = {0};
	auto_blocks size = {.stop = c->st->cfg.stop};

	if (fs_tree_blocks(&size, dir, name) < 0)
		return fs_is_gone(errno) ?
			0 :
			err_sys(c->err, errno, "cannot read %s", Q(path));
	buf_addf(&what, "%llu bytes, not changed for ", (unsigned long long)size.own);
	say_age(age, &what);
	buf_addf(&what, "%s%s", doubt ? ": unknown, since " : ": not named by ",
		doubt ? doubt : "");
	for (size_t i = 0; !doubt && i < t->n_records; i++)
		buf_addf(&what, "%s%s", i ? ", " : "", t->record[i]);
	if (what.failed)
		return err_nomem(c->err);
	return check_found(c, OVL_NOTE, doubt ? "unknown" : "orphan", "", path, OVL_LEFT,
		"%s", what.data);
}

static int check_dirs(struct checker *c)
{
	const struct foreign *t = c->st->foreign;
	auto_namelist known = {0};
	auto_fd fd = -1;
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	if (!t->layers_dir)
		return 0;
	if (list_known(t, &known) < 0)
		return err_nomem(c->err);
	fd = foreign_open(t, t->layers_dir, O_RDONLY | O_DIRECTORY);
	d = fs_dir_at(fd < 0 ? -errno : fd, ".");
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		struct stat sb;

		if (store_stopped(c->st))
			return err_stopped(c->err);
		if (namelist_find(&known, name) < known.n ||
			fstatat(fd, name, &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(sb.st_mode) || time(NULL) - sb.st_mtime < ORPHAN_AGE)
			continue;
		r = tell_orphan(c, fd, name, time(NULL) - sb.st_mtime);
		if (r)
			return r;
	}
	return r < 0 ? err_sys(c->err, errno, "cannot read %s", Q(t->layers_dir)) : 0;
}

/* ----------------------------------------------------------------------------------- */

static int look(struct checker *c, const struct ovl_id *only)
{
	const struct foreign *t = c->st->foreign;
	int rc = 0;

	if (*t->unread.text)
		rc = check_found(c, OVL_ERROR, "unreadable", "", "", OVL_LEFT, "%s",
			t->unread.text);
	if (rc == 0)
		rc = check_layers(c, only);
	return rc || only ? rc : check_dirs(c);
}

static bool same_row(const struct ovl_finding *a, const struct ovl_finding *b)
{
	return strcmp(a->kind, b->kind) == 0 && strcmp(a->id, b->id) == 0 &&
		strcmp(a->path, b->path) == 0 && strcmp(a->text, b->text) == 0;
}

/* Searches from *at on, since the order is mostly the same; sets *at to the next row. */
static bool has_row(const struct report *all, size_t *at, const struct ovl_finding *row)
{
	for (size_t i = 0; i < all->n; i++) {
		size_t k = (*at + i) % all->n;

		if (same_row(&all->row[k], row)) {
			*at = k + 1;
			return true;
		}
	}
	return false;
}

/* Removes findings from the second report that are not in the first. */
static void keep_repeated(struct report *second, const struct report *first)
{
	size_t n = 0;
	size_t at = 0;

	for (size_t i = 0; i < second->n; i++) {
		if (has_row(first, &at, &second->row[i]))
			second->row[n++] = second->row[i];
		else
			free((char *)second->row[i].kind);
	}
	second->n = n;
}

int check_foreign(struct checker *c, const struct ovl_id *only)
{
	const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	struct report first;
	int rc;

	c->holding = true;
	rc = look(c, only);
	first = c->later;
	c->later = (struct report){0};
	if (rc == 0 && first.n) {
		nanosleep(&pause, NULL);
		rc = store_foreign_again(c->st, c->err);
		if (rc == 0)
			rc = look(c, only);
		keep_repeated(&c->later, &first);
	}
	report_release(&first);
	return check_flush(c, rc);
}
