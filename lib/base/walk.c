/* SPDX-License-Identifier: ISC */
/* The iterator over trees; see walk.h. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/namelist.h"
#include "base/walk.h"

/* The depth of most trees. */
#define NEAR 16

/* A directory that was entered. */
struct place {
	size_t path_len;
	size_t base; /* where its name begins in the path */
	struct namelist names;
	size_t next; /* the next one to visit */
	bool read; /* all names have been read */
	int why; /* an error while the rest was read because the directory was closed */
	max_align_t dir[]; /* struct walk, size */
};

static struct place *last(const struct walk *w)
{
	return levels_at(&w->levels, w->levels.n - 1);
}

/* ---- a directory ------------------------------------------------------------------ */

/* Reads all remaining names, or as many as one system call returns. */
static int read_names(struct walk *w, struct place *p, bool all)
{
	unsigned trees = w->both ? 2 : w->kind ? 0 : 1;
	int r = w->kind ? w->kind->names(w->ctx, p->dir, &p->names) : 0;

	for (unsigned i = 0; i < trees && r >= 0; i++) {
		struct fs_dir d = {.fd = ((int *)p->dir)[i], .data = w->block};

		r = namelist_read(&p->names, &d, all || w->both);
	}
	if (w->both)
		namelist_sort(&p->names);
	p->read = r == 0;
	return r;
}

static int open_trees(const struct walk *w, const int *up, const char *name, int *fd)
{
	for (unsigned i = 0; i < w->trees; i++) {
		fd[i] = up[i] == -1 ? -1 :
			w->open     ? w->open(up[i], name) :
				      fs_open_dir(up[i], name);
		if (fd[i] >= 0 || (i == 2 && (up[i] == -1 || fs_is_gone(errno))))
			continue;
		while (i)
			close_fdp(&fd[--i]);
		return -1;
	}
	return 0;
}

static int open_place(void *ctx, const void *up, const char *name, void *place)
{
	const struct walk *w = ctx;
	const struct place *above = up;
	struct place *p = place;

	if (w->kind)
		return w->kind->open(w->ctx, above->dir, name, p->dir);
	return open_trees(w, (const int *)above->dir, name, (int *)p->dir);
}

/* The position in the directory is lost with the descriptor, so the rest of the names is
 * read first. */
static void close_place(void *ctx, void *place)
{
	struct walk *w = ctx;
	struct place *p = place;

	if (!p->read && read_names(w, p, true) < 0)
		p->why = errno;
	if (w->kind)
		w->kind->close(w->ctx, p->dir);
	for (unsigned i = 0; i < w->trees; i++)
		close_fdp((int *)p->dir + i);
}

static void drop_place(struct walk *w)
{
	last(w)->read = true;
	namelist_release(&last(w)->names);
	levels_pop(&w->levels);
	w->left = false;
}

/* ---- names ------------------------------------------------------------------------ */

/* Sets the fields that the caller sees: the name at base in the path, which is in the
 * directory of the last level or, with left, of the one above. */
static int come_to(struct walk *w, size_t base, unsigned char type, int what)
{
	struct place *dir = levels_open(&w->levels, w->levels.n - 1 - w->left);

	if (!dir)
		return -1;
	w->name = w->path.len ? w->path.data + base : w->first;
	w->type = type;
	w->dir = dir->dir;
	w->fd = w->dir;
	w->in = last(w)->dir;
	return what;
}

/* Makes the first level, with the directories that contain first. */
static int begin(struct walk *w)
{
	const size_t fds = sizeof(w->top);
	struct place *p;

	w->levels = (struct levels){
		.size = sizeof(*p) + (w->kind || w->size > fds ? w->size : fds),
		.near = w->near ? w->near : NEAR,
		.open = open_place,
		.close = close_place,
		.ctx = w,
	};
	w->block = malloc(FS_DIR_BLOCK);
	p = levels_push(&w->levels, "");
	buf_add(&w->path, "", 0);
	if (!w->block || !p || w->path.failed)
		return fs_fail(ENOMEM);
	p->read = true;
	if (!w->kind)
		memcpy(p->dir, w->top, fds);
	return come_to(w, 0, DT_UNKNOWN, WALK_NAME);
}

static int leave(struct walk *w)
{
	if (w->levels.n == 1)
		return 0;
	buf_cut(&w->path, last(w)->path_len);
	w->left = true;
	return come_to(w, last(w)->base, DT_DIR, WALK_LEFT);
}

/* True if the next name is the same as the last, from the other tree. */
static bool comes_again(const struct place *p)
{
	return p->next && p->next < p->names.n &&
		strcmp(namelist_name(&p->names, p->next - 1),
			namelist_name(&p->names, p->next)) == 0;
}

/* 1 if there is another name, 0 if not, -1 with errno. */
static int find_next(struct walk *w, struct place *p)
{
	if (comes_again(p))
		p->next++;
	while (p->next == p->names.n && !p->read) {
		namelist_clear(&p->names);
		p->next = 0;
		if (read_names(w, p, false) < 0) {
			namelist_clear(&p->names);
			p->read = true;
			return -1;
		}
	}
	errno = p->why;
	return p->next < p->names.n ? 1 : p->why ? -1 : 0;
}

int walk_next(struct walk *w)
{
	struct place *p;
	size_t base;
	int r;

	if (!w->levels.n)
		return begin(w);
	if (w->left)
		drop_place(w);
	p = last(w);
	r = find_next(w, p);
	if (r <= 0)
		return r < 0 ? r : leave(w);
	buf_cut(&w->path, p->path_len);
	if (p->path_len)
		buf_add(&w->path, "/", 1);
	base = w->path.len;
	buf_adds(&w->path, namelist_name(&p->names, p->next));
	if (w->path.failed)
		return fs_fail(ENOMEM);
	return come_to(w, base, namelist_type(&p->names, p->next++), WALK_NAME);
}

int walk_enter(struct walk *w)
{
	struct place *p;
	int why;

	if (w->left)
		drop_place(w);
	if (w->path.len && w->path.data[w->path.len - 1] == '/')
		buf_cut(&w->path, w->path.len - 1);
	p = levels_push(&w->levels, w->name);
	if (!p)
		return -1;
	p->path_len = w->path.len;
	p->base = w->path.len ? (size_t)(w->name - w->path.data) : 0;
	w->in = p->dir;
	if (levels_open(&w->levels, w->levels.n - 1))
		return 0;
	why = errno;
	drop_place(w);
	return fs_fail(why);
}

void walk_end(struct walk *w)
{
	int why = errno;

	while (w->levels.n > 1)
		drop_place(w);
	for (unsigned i = 0; i < w->trees && w->levels.n; i++)
		((int *)last(w)->dir)[i] = -1;
	levels_release(&w->levels);
	buf_release(&w->path);
	free(steal(w->block));
	errno = why;
}
