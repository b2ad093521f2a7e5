/* SPDX-License-Identifier: ISC */
/* Reads the records of another program's store. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "foreign/foreign.h"

/* O_NOATIME is only permitted to the owner of a file, which need not be that of its
 * directory. */
static int open_at(const struct foreign *t, int dir, const char *path, int flags)
{
	return t->noatime || flags & O_PATH ? fs_open_beneath(dir, path, flags) :
					      fs_open_unread(dir, path, flags);
}

int foreign_open(const struct foreign *t, const char *path, int flags)
{
	return open_at(t, t->root, path, flags);
}

int foreign_has(int root, const char *path)
{
	auto_fd fd = fs_open_beneath(root, path, O_PATH);

	return fd >= 0 ? 1 : fs_is_gone(errno) ? 0 : -1;
}

static const char *path_at(
	char out[FS_PATH], const struct foreign_place *at, const char *name)
{
	return at->path ? fs_path(out, "%s/%s", at->path, name) : name;
}
#define PATH_AT(at, name) path_at((char[FS_PATH]){0}, at, name)

static int damaged(const struct foreign_place *at, const char *name, struct ovl_err *err)
{
	return err_say(err, EUCLEAN, "%s is damaged", Q(PATH_AT(at, name)));
}

static int cannot_read(
	const struct foreign_place *at, const char *name, int why, struct ovl_err *err)
{
	return err_sys(err, why, "cannot read %s", Q(PATH_AT(at, name)));
}

static int open_file(const struct foreign_place *at, const char *name, struct stat *st,
	struct ovl_err *err)
{
	auto_fd fd = open_at(at->t, at->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, st) < 0)
		return cannot_read(at, name, errno, err);
	if (!S_ISREG(st->st_mode))
		return err_say(err, EUCLEAN, "%s is not a file", Q(PATH_AT(at, name)));
	return steal_fd(&fd);
}

int foreign_open_file(const struct foreign *t, const char *path, struct ovl_err *err)
{
	struct stat sb;

	return open_file(&(struct foreign_place){t, t->root, NULL}, path, &sb, err);
}

/* One read suffices, since the size is known: engines replace files, they do not write to
 * them. */
int foreign_file_at(const struct foreign_place *at, const char *name, size_t max,
	struct buf *out, struct stat *st, struct ovl_err *err)
{
	struct stat sb;
	auto_fd fd = open_file(at, name, &sb, err);
	ssize_t n;

	buf_clear(out);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (sb.st_size > (off_t)max)
		return cannot_read(at, name, EFBIG, err);
	if (!buf_reserve(out, (size_t)sb.st_size))
		return err_nomem(err);
	n = fs_read_upto(fd, out->data, (size_t)sb.st_size);
	if (n < 0)
		return cannot_read(at, name, errno, err);
	out->len = (size_t)n;
	out->data[out->len] = '\0';
	if (st)
		*st = sb;
	return 1;
}

int foreign_file(const struct foreign *t, const char *path, size_t max, struct buf *out,
	struct stat *st, struct ovl_err *err)
{
	return foreign_file_at(
		&(struct foreign_place){t, t->root, NULL}, path, max, out, st, err);
}

/* Fast, because every command reads some thousands of these. 1, 0, negative errno. */
static int read_line(const struct foreign_place *at, const char *name,
	char out[FOREIGN_WORD], struct stat *st, struct ovl_err *err)
{
	auto_fd fd = open_at(at->t, at->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || (st && fstat(fd, st) < 0) || (n = read(fd, out, FOREIGN_WORD)) < 0)
		return cannot_read(at, name, errno, err);
	if (n == FOREIGN_WORD)
		return cannot_read(at, name, EFBIG, err);
	if (n && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return memchr(out, '\0', (size_t)n) ? damaged(at, name, err) : 1;
}

bool foreign_is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '/')
			return false;
	}
	return n && n <= NAME_MAX && *s != '.';
}

int foreign_word(const struct foreign_place *at, const char *name, char out[FOREIGN_WORD],
	struct stat *st, struct ovl_err *err)
{
	int r = read_line(at, name, out, st, err);

	return r > 0 && !foreign_is_name(out, strlen(out)) ? damaged(at, name, err) : r;
}

int foreign_digest(const struct foreign_place *at, const char *name, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	char line[FOREIGN_WORD];
	int r = read_line(at, name, line, NULL, err);
	const char *digest = r > 0 ? id_sha256_hex(line) : NULL;

	if (r > 0 && !digest)
		return damaged(at, name, err);
	if (digest)
		memcpy(hex, digest, ID_LEN + 1);
	return r;
}
