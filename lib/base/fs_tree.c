/* SPDX-License-Identifier: ISC */
/* Removes and measures trees without entering mounts. A bind mount has the same device
 * number as the tree it is in, so the kernel is asked not to enter any. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/inodes.h"
#include "base/walk.h"

int fs_open_here(int dirfd, const char *name)
{
	return fs_open_unmounted(dirfd, name, O_RDONLY);
}

/* Works even if the mode does not allow the owner to read the directory. */
static int open_to_remove(int dirfd, const char *name)
{
	int dir = fs_open_here(dirfd, name);
	auto_fd fd = -1;

	if (dir >= 0 || errno != EACCES)
		return dir;
	fd = fs_open_unmounted(dirfd, name, O_PATH);
	return fd < 0 || fs_chmod_path(fd, 0700) < 0 ? -1 : fs_open_here(dirfd, name);
}

static bool is_flagged(int dirfd, const char *name)
{
	const uint64_t flags = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
	struct statx sx;

	return statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx) ==
		0 &&
		sx.stx_attributes & flags;
}

/* Remembers what cannot be removed: the name, or the directory it is in. Returns -1 and
 * errno. */
static int stuck(struct fs_remover *how, const struct walk *w)
{
	int why = errno;
	int dirfd = w->fd[0];
	bool dir = why == EPERM && dirfd >= 0 && is_flagged(dirfd, "");

	if (!how->stuck.len && fs_path_of(dirfd, &how->stuck) == 0) {
		if (!dir)
			buf_addf(&how->stuck, "/%s", w->name);
		how->flagged = dir || (why == EPERM && is_flagged(dirfd, w->name));
	}
	return fs_fail(why);
}

static int removed(struct fs_remover *how, const struct walk *w)
{
	if (how->gone && w->path.len)
		how->gone(how->ctx);
	return 0;
}

/* why: the error to report if the name is not a directory. */
static int enter(struct fs_remover *how, struct walk *w, int why)
{
	if (walk_enter(w) == 0 || errno == ENOENT)
		return 0;
	if (errno == EACCES && w->path.len && fchmod(w->fd[0], 0700) == 0 &&
		walk_enter(w) == 0)
		return 0;
	if (errno == ENOTDIR) {
		errno = why;
	} else if (errno != EXDEV) {
		/* Not fatal: the directory may be empty. */
		why = errno;
		if (unlinkat(w->fd[0], w->name, AT_REMOVEDIR) == 0)
			return removed(how, w);
		errno = why;
	}
	return stuck(how, w);
}

/* Works even if the mode of the directory does not allow its owner to write. */
static int unlink_here(const struct walk *w, int flags)
{
	if (unlinkat(w->fd[0], w->name, flags) == 0)
		return 0;
	if (errno != EACCES || !w->path.len)
		return -1;
	if (fchmod(w->fd[0], 0700) < 0)
		return fs_fail(EACCES);
	return unlinkat(w->fd[0], w->name, flags);
}

/* It is not an error if the name is gone: prune and the owner of a tree may both be
 * removing it. */
static int remove_name(struct fs_remover *how, struct walk *w, int what)
{
	int flags = what == WALK_LEFT || w->type == DT_DIR ? AT_REMOVEDIR : 0;

	if (unlink_here(w, flags) == 0 || errno == ENOENT)
		return removed(how, w);
	if (what == WALK_LEFT ? errno == ENOTEMPTY || errno == EEXIST :
				flags || errno == EISDIR || errno == EPERM)
		return enter(how, w, errno);
	return stuck(how, w);
}

static int remove_all(struct fs_remover *how, int dirfd, const char *name)
{
	auto_walk w = {.trees = 1, .top = {dirfd}, .first = name, .open = open_to_remove};
	int r;

	while ((r = walk_next(&w)) > 0) {
		if (fs_stopped(how->stop))
			return fs_fail(EINTR);
		if (remove_name(how, &w, r) < 0)
			return -1;
	}
	return r;
}

/* Starts again from the top if another process removed a directory that had to be opened
 * again. */
int fs_rmtree_by(struct fs_remover *how, int dirfd, const char *name)
{
	int r;

	do
		r = remove_all(how, dirfd, name);
	while (r < 0 && errno == ENOENT);
	return r;
}

int fs_rmtree(int dirfd, const char *name, const atomic_int *stop)
{
	struct fs_remover how = {.stop = stop};
	int rc = fs_rmtree_by(&how, dirfd, name);
	int why = errno;

	buf_release(&how.stuck);
	errno = why;
	return rc;
}

void fs_blocks_release(struct fs_blocks *b)
{
	inodes_release(&b->links);
}

static int count_blocks(struct fs_blocks *b, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;
	nlink_t links = S_ISDIR(st->st_mode) ? 1 : st->st_nlink;
	uint64_t seen = links > 1 ? inodes_count(&b->links, st) : 1;

	if (seen == 1)
		b->own += bytes;
	if (seen == links)
		b->freed += bytes;
	return seen ? 0 : fs_fail(ENOMEM);
}

int fs_tree_blocks(struct fs_blocks *b, int dirfd, const char *name)
{
	auto_walk w = {.trees = 1, .top = {dirfd}, .first = name, .open = fs_open_here};
	struct stat st;
	int r;

	while ((r = walk_next(&w)) > 0) {
		if (r == WALK_LEFT)
			continue;
		if (fs_stopped(b->stop))
			return fs_fail(EINTR);
		r = fstatat(w.fd[0], w.name, &st, AT_SYMLINK_NOFOLLOW);
		if (r == 0)
			r = count_blocks(b, &st);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = walk_enter(&w);
		if (r < 0 && errno != EACCES && err_is_system(-errno))
			return -1;
	}
	return r;
}
