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

/* Only who owns a file may ask for no access time; its directory is another matter. */
int foreign_open(const struct foreign *t, const char *path, int flags)
{
	return t->noatime || flags & O_PATH ? fs_open_beneath(t->root, path, flags) :
					      fs_open_unread(t->root, path, flags);
}

int foreign_file(const struct foreign *t, const char *path, size_t max, struct buf *out,
	struct stat *st, struct ovl_err *err)
{
	auto_fd fd = foreign_open(t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat sb;

	buf_clear(out);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &sb) < 0)
		return err_sys(err, errno, "cannot read %s", Q(path));
	if (!S_ISREG(sb.st_mode))
		return err_say(err, EUCLEAN, "%s is not a file", Q(path));
	if (sb.st_size > (off_t)max || fs_read_fd(fd, max, out) < 0)
		return err_sys(err, sb.st_size > (off_t)max ? EFBIG : errno,
			"cannot read %s", Q(path));
	if (st)
		*st = sb;
	return 1;
}

static int damaged(const char *path, struct ovl_err *err)
{
	return err_say(err, EUCLEAN, "%s is damaged", Q(path));
}

static int read_line(const struct foreign *t, const char *path, struct buf *out,
	struct stat *st, struct ovl_err *err)
{
	int r = foreign_file(t, path, NAME_MAX, out, st, err);

	if (r > 0 && out->len && out->data[out->len - 1] == '\n')
		buf_cut(out, out->len - 1);
	return r;
}

bool foreign_is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '/')
			return false;
	}
	return n && n <= NAME_MAX && *s != '.';
}

int foreign_word(const struct foreign *t, const char *path, struct buf *out,
	struct stat *st, struct ovl_err *err)
{
	int r = read_line(t, path, out, st, err);

	return r > 0 && !foreign_is_name(out->data, out->len) ? damaged(path, err) : r;
}

int foreign_digest(const struct foreign *t, const char *path, char hex[ID_LEN + 1],
	struct stat *st, struct ovl_err *err)
{
	auto_buf text = {0};
	int r = read_line(t, path, &text, st, err);

	if (r <= 0)
		return r;
	if (text.len != 7 + ID_LEN || memcmp(text.data, "sha256:", 7) != 0 ||
		!id_is_full(text.data + 7))
		return damaged(path, err);
	memcpy(hex, text.data + 7, ID_LEN + 1);
	return 1;
}
