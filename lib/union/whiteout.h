/*
 * The forms of whiteouts and opaque directories, on disk and in a tar.
 *
 * On disk (kernel overlayfs.rst): a whiteout is a character device 0/0, or, since Linux
 * 6.7, an empty regular file with the xattr P.overlay.whiteout in a directory marked
 * P.overlay.opaque=x. An opaque directory has P.overlay.opaque=y. In a tar (OCI
 * image-spec, layer.md): an empty file .wh.NAME hides NAME of the layers below; a file
 * .wh..wh..opq hides everything that the layers below have in its directory. Other names
 * that begin with .wh..wh. are internal to aufs and mean nothing.
 *
 * How the kernel treats them (seen with Linux 6.18):
 *
 *  - The xattr of an opaque directory is ignored on the root directory of a layer.
 *  - A whiteout in an opaque directory, or in a directory without a lower, is listed by
 *    readdir(3) although stat(2) says ENOENT: none may be created there.
 *  - All whiteouts made through one mount are hard links of one inode with mode 000: test
 *    for a whiteout before looking at hard links.
 *  - mkdir(2) of a new name creates an opaque directory with some mount options (xino,
 *    index, metacopy, redirect_dir) and not with others: an opaque directory does not
 *    prove that something is hidden.
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

/* What the last component of a tar name means. */
enum wh_name {
	WH_NONE, /* an ordinary name */
	WH_HIDES, /* .wh.NAME; *hidden points at NAME */
	WH_OPQ, /* .wh..wh..opq */
	WH_IGNORED, /* .wh..wh.ANYTHING */
	WH_BAD /* ".wh.", ".wh..", ".wh..." */
};
enum wh_name wh_parse(const char *name, const char **hidden);

/* Is the clean path WH_PLNK/NAME? */
bool wh_is_plnk(const char *path);

/* The opaque mark of a directory. */
enum wh_dir {
	WH_MERGES, /* none */
	WH_OPAQUE_Y, /* hides all below */
	WH_OPAQUE_X /* merges, and may hold whiteouts of the xattr form */
};
/* dirfd must be open for reading. -1 with errno if it cannot be read. */
int wh_dir_marks(const struct xattr_policy *p, int dirfd, enum wh_dir *out);
int wh_set_opaque(const struct xattr_policy *p, int dirfd);

/* True for a 0/0 character device. */
bool wh_is_device(const struct stat *st);

/*
 * 1 if name in dirfd, whose lstat is st, is a whiteout, 0 if not, -1 with errno. marks
 * are those of the directory.
 */
int wh_is_whiteout(const struct xattr_policy *p, int dirfd, const char *name,
	const struct stat *st, enum wh_dir marks);

int wh_make(int dirfd, const char *name);

/* For an upper that was mounted with redirect_dir or metacopy. 1, 0, or -1 with errno. */
int wh_is_metacopy(const struct xattr_policy *p, int dirfd, const char *name);
/* The redirect of a directory or file: 1 and the text, 0 none, -1 with errno. */
struct buf;
int wh_redirect(
	const struct xattr_policy *p, int dirfd, const char *name, struct buf *out);
/* Which lower directory a directory of the upper was copied up from. */
enum wh_origin {
	WH_ORIGIN_NONE, /* nothing: it is new */
	WH_ORIGIN_SAME, /* the lower directory below */
	WH_ORIGIN_OTHER, /* another one */
	WH_ORIGIN_UNKNOWN /* not recorded on this file system, or nothing is below */
};
/* below: -1 if there is none. -1 with errno if it cannot be read. */
int wh_origin(const struct xattr_policy *p, int upper, int below, enum wh_origin *out);
/* Removes the redirect. */
int wh_drop_redirect(const struct xattr_policy *p, int dirfd, const char *name);

#endif
