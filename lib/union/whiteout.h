/*
 * Whiteouts and opaque marks: the one place that knows how they look.
 *
 * On disk (kernel overlayfs.rst): a whiteout is a character device 0/0, or, since Linux
 * 6.7, an empty regular file with the xattr P.overlay.whiteout in a directory marked
 * P.overlay.opaque=x. An opaque directory has P.overlay.opaque=y.
 * In a tar (OCI image-spec, layer.md): an empty file .wh.NAME hides NAME below; a file
 * .wh..wh..opq hides all that its directory has below. Other names that begin with
 * .wh..wh. were aufs's own and mean nothing, but the hard links of a layer may lead to
 * .wh..wh.plnk/NAME.
 *
 * What the kernel makes of them (seen with Linux 6.18):
 *
 *  - An opaque mark on the root directory of a layer is ignored.
 *  - A whiteout in an opaque directory, or in one that no lower has, is listed by
 *    readdir(3), but stat(2) of it says ENOENT: none may be made there.
 *  - All whiteouts made through one mount are hard links of one inode, mode 000: ask
 *    whether a file is a whiteout before looking at its links.
 *  - mkdir(2) of a new name gives an opaque directory with some mount options (xino, index,
 *    metacopy, redirect_dir) and not with others: an opaque mark does not prove that
 *    something is hidden.
 *  - Devices 0/0 can be made in a user namespace since Linux 5.8.
 */
#ifndef OVL_WHITEOUT_H
#define OVL_WHITEOUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/xattr.h"

#define WH_PREFIX ".wh."
#define WH_OPAQUE ".wh..wh..opq"
#define WH_PLNK   ".wh..wh.plnk"

/* What a last component of a tar name is. */
enum wh_name {
	WH_NONE, /* a name like any other */
	WH_HIDES, /* .wh.NAME; *hidden points at NAME */
	WH_OPQ, /* .wh..wh..opq */
	WH_IGNORED, /* .wh..wh.ANYTHING */
	WH_BAD /* ".wh.", ".wh..", ".wh..." */
};
enum wh_name wh_parse(const char *name, const char **hidden);

/* Is the clean path WH_PLNK/NAME? */
bool wh_is_plnk(const char *path);

/* Marks of a directory. */
enum wh_dir {
	WH_MERGES, /* none */
	WH_OPAQUE_Y, /* hides all below */
	WH_OPAQUE_X /* merges, and may hold whiteouts of the xattr form */
};
/* dirfd must be open for reading. -1 with errno: the disk does not tell. */
int wh_dir_marks(const struct xattr_policy *p, int dirfd, enum wh_dir *out);
int wh_set_opaque(const struct xattr_policy *p, int dirfd);

/* Is that a 0/0 character device? */
bool wh_is_device(const struct stat *st);

/*
 * Is name in dirfd, whose lstat is st, a whiteout? marks are the directory's. 1, 0, or -1
 * with errno.
 */
int wh_is_whiteout(const struct xattr_policy *p, int dirfd, const char *name,
	const struct stat *st, enum wh_dir marks);

int wh_make(int dirfd, const char *name);

/* Of an upper that was mounted with redirect_dir or metacopy. 1, 0, or -1 with errno. */
int wh_is_metacopy(const struct xattr_policy *p, int dirfd, const char *name);
/* The redirect of a directory or file: 1 and the text, 0 none, -1 with errno. */
struct buf;
int wh_redirect(
	const struct xattr_policy *p, int dirfd, const char *name, struct buf *out);

#endif
