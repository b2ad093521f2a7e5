/* SPDX-License-Identifier: ISC */
/*
 * The notes of apply, in the layer's file .applied: what in the directory has a later
 * ctime because of apply, and not because somebody changed it. Written before anything is
 * done, so that they are there after a kill.
 *
 *	f INODE SEC.NS		a file of which apply replaces one hard link: its mtime
 *	d INODE 0.0		a directory that apply is about to change
 *	d INODE SEC.NS		has changed: its ctime
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vec.h"
#include "content/carry_own.h"

#define NOTES     ".applied"
#define NOTES_MAX ((size_t)1 << 32)

static int by_inode(const void *a, const void *b)
{
	const struct carry_note *x = a;
	const struct carry_note *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* In file order: the sort is stable, so the last one of an inode is the latest. */
static int parse(struct carry *c, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")) && text) {
		struct carry_note n;
		uintmax_t inode;
		intmax_t sec;

		if (sscanf(line, "%c %ju %jd.%ld", &n.kind, &inode, &sec,
			    &n.at.tv_nsec) != 4)
			continue;
		n.inode = (ino_t)inode;
		n.at.tv_sec = (time_t)sec;
		if (!VEC_ROOM(c->note, c->n_notes))
			return -ENOMEM;
		c->note[c->n_notes++] = n;
	}
	VEC_SORT(c->note, c->n_notes, by_inode);
	return 0;
}

int carry_notes_read(struct carry *c, struct ovl_err *err)
{
	auto_buf text = {0};

	if (fs_read_file(c->l->fd, NOTES, NOTES_MAX, &text) < 0)
		return errno == ENOENT ? 0 :
					 err_sys(err, errno, "cannot read '%s'", NOTES);
	return parse(c, text.data) < 0 ? err_nomem(err) : 0;
}

static char kind_of(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? 'd' : 'f';
}

int carry_note_add(struct carry *c, const struct stat *st, bool done)
{
	static const struct timespec later;
	char kind = kind_of(st);
	const struct timespec *at = kind == 'f' ? &st->st_mtim :
		done                            ? &st->st_ctim :
						  &later;

	buf_addf(&c->new_notes, "%c %ju %jd.%09ld\n", kind, (uintmax_t)st->st_ino,
		(intmax_t)at->tv_sec, at->tv_nsec);
	return c->new_notes.failed ? fs_fail(ENOMEM) : 0;
}

/* True if apply itself made the change. */
static bool is_noted(const struct carry *c, const struct stat *st)
{
	const struct carry_note key = {.kind = kind_of(st), .inode = st->st_ino};
	const struct timespec *t = key.kind == 'f' ? &st->st_mtim : &st->st_ctim;
	const struct carry_note *n = VEC_FIND(c->note, c->n_notes, &key, by_inode);

	while (n && n + 1 < c->note + c->n_notes && by_inode(n, n + 1) == 0)
		n++;
	return n && ((key.kind == 'd' && !n->at.tv_sec) || fs_time_order(&n->at, t) == 0);
}

bool carry_changed(const struct carry *c, const struct stat *st)
{
	return ondir_is_later(c->on, &st->st_ctim) && !is_noted(c, st);
}

bool carry_meta_changed(const struct carry *c, const struct stat *st)
{
	return carry_changed(c, st) && fs_time_order(&st->st_ctim, &st->st_mtim) != 0;
}

int carry_notes_write(struct carry *c, struct ovl_err *err)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	auto_fd fd = c->new_notes.len ? openat(c->l->fd, NOTES, flags, 0600) : -1;

	if (!c->new_notes.len)
		return 0;
	/* The newline ends a line that was only partly written, which makes it
	 * invalid. */
	if (fd < 0 || fs_write_all(fd, "\n", 1) < 0 ||
		fs_write_all(fd, c->new_notes.data, c->new_notes.len) < 0)
		return err_sys(err, errno, "cannot write '%s'", NOTES);
	buf_clear(&c->new_notes);
	return 0;
}
