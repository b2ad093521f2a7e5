/*
 * File system calls on a name in an open directory. Only fs*.c use openat2(2),
 * /proc/self/fd and getdents.
 *
 * Results: a descriptor, a count or 0; -1 with errno set. Nothing here fills in an
 * ovl_err: the caller knows what the file was for.
 *
 * A dirfd may also be the negative errno with which opening the directory failed; calls
 * that look something up in it then fail with that errno. A directory that does not exist
 * (-ENOENT) is therefore handled like an empty one.
 */
#ifndef OVL_FS_H
#define OVL_FS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/inodes.h"

struct xattr_policy;

/* For "return fs_fail(EINVAL)". */
static inline int fs_fail(int errnum)
{
	errno = errnum;
	return -1;
}

/* True if a stop is asked for; NULL: never. */
static inline bool fs_stopped(const atomic_int *stop)
{
	return stop && *stop;
}

/* Below 0: a is earlier than b. */
static inline int fs_time_order(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

/* A path of two or three names, for use as an argument: openat(fd, P("%s/%s", id, file),
 * ...). One that does not fit is empty, so that nothing is found there. */
#define FS_PATH 640
const char *fs_path(char out[FS_PATH], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define P(...) fs_path((char[FS_PATH]){0}, __VA_ARGS__)

/* Opens a file of any type for reading, without changing its access time if the caller
 * owns it. A symlink as the last component is not followed. */
int fs_open_file(int dirfd, const char *name, int flags);
/* The same for a directory. */
int fs_open_dir(int dirfd, const char *name);

/* Makes a directory, which must not exist, and opens it. */
int fs_new_dir(int dirfd, const char *name, mode_t mode);

/* Opens a directory without following symlinks; EXDEV if something is mounted on it or on
 * the way. */
int fs_open_unmounted(int dirfd, const char *name, int flags);

/* The same for reading; may be used as open in a struct walk. */
int fs_open_here(int dirfd, const char *name);

/* Opens path below root, of any length, without following symlinks; flags as in
 * open(2). */
int fs_open_beneath(int root, const char *path, int flags);
/* The same for the directory that path is in; *base is its last part. */
int fs_open_parent(int root, const char *path, int flags, const char **base);

/* The same without changing the access time, if the kernel permits that; see O_NOATIME in
 * open(2). */
int fs_open_unread(int root, const char *path, int flags);

/* Gives the open file fd another name. */
int fs_link(int fd, int dirfd, const char *name);

/*
 * Makes dirfd the working directory, for mount(2) and umount(2), until the end of the
 * scope. If the old one cannot be entered again, that is not an error. 0 or -errno.
 */
struct fs_cwd {
	int old; /* O_PATH */
};
int fs_cwd_enter(struct fs_cwd *c, int dirfd);
void fs_cwd_leave(struct fs_cwd *c);
#define auto_cwd __attribute__((cleanup(fs_cwd_leave))) struct fs_cwd

/*
 * Opens the directory path as a process chrooted to root would find it: symlinks cannot
 * lead outside. O_PATH. *followed (may be NULL): whether a symlink was followed.
 */
int fs_open_inside(int root, const char *path, bool *followed);

/* The same for a path of any type, whose last component is followed too. */
int fs_open_within(int root, const char *path);

/* Opens the directory of fd again after a change of the mount namespace, with the same
 * number. ESTALE: the path leads to something else. The kernel cannot tell the path: in a
 * chroot, that of a directory in another namespace begins outside of it. */
int fs_reopen(int fd, int dirfd, const char *path);

/* Opens path below root, following symlinks; EXDEV if one leads out of it. */
int fs_open_link(int root, const char *path, int flags);

/* The path of the open directory fd relative to the open directory root. */
int fs_path_below(int root, int fd, struct buf *out);

/* The absolute path of fd. */
int fs_path_of(int fd, struct buf *out);

/*
 * Reads a small file. EFBIG if it has more than max bytes, EINVAL if it is not a regular
 * file.
 */
int fs_read_file(int dirfd, const char *name, size_t max, struct buf *out);
/* The same for an open file; adds to out. */
int fs_read_fd(int fd, size_t max, struct buf *out);

/* Creates a file of mode 0600 with this content; it must not exist. */
int fs_write_new(int dirfd, const char *name, const void *data, size_t len);

/* The same, but atomically replaces an existing file, through a synced file .name.new. */
int fs_replace(int dirfd, const char *name, const void *data, size_t len);

/* The target of a symlink; EFBIG if it is longer than max. */
int fs_readlink(int dirfd, const char *name, size_t max, struct buf *out);

/*
 * A buffer of n bytes for file data, NULL if out of memory; free() it. It starts on a
 * page boundary: on some processors read(2) into other addresses is five times slower.
 */
void *fs_buffer(size_t n);

/* Reads n bytes, or fewer if the file ends; retries after EINTR. */
ssize_t fs_read_upto(int fd, void *p, size_t n);
ssize_t fs_pread_upto(int fd, void *p, size_t n, uint64_t offset);

/* Writes all n bytes or fails; retries after EINTR. */
int fs_write_all(int fd, const void *p, size_t n);
/* For a descriptor that may block, such as a pipe: EINTR when *stop is set (NULL:
 * never). */
int fs_write_until(int fd, const void *p, size_t n, const atomic_int *stop);
int fs_pwrite_all(int fd, const void *p, size_t n, uint64_t offset);

/*
 * 1 if that many bytes of two files differ, from an offset in each, 0 if not, -1 with
 * errno. Skips ranges that are holes in both, for which it moves the file offsets. EINTR
 * when *stop is set (NULL: never).
 */
int fs_data_differs(
	int a, off_t from_a, int b, off_t from_b, off_t size, const atomic_int *stop);

/* Opens a file without a name in the directory, for reading and writing. */
int fs_temp(int dirfd);

/*
 * Fills out with the result of get, which is called with larger and larger buffers until
 * its result is shorter than the buffer. EFBIG if it is longer than max.
 */
struct fs_asked {
	int dirfd;
	const char *name;
	const char *attr;
};
int fs_fill(struct buf *out, size_t max, const struct fs_asked *what,
	ssize_t (*get)(const struct fs_asked *what, char *p, size_t n));

/* Extended attributes of dirfd itself (name NULL; it must be open for reading), or of
 * name in it, without following a symlink. */
ssize_t fs_getxattr(int dirfd, const char *name, const char *attr, void *p, size_t n);
int fs_setxattr(int dirfd, const char *name, const char *attr, const void *p, size_t n);
/* The same for the file that fd, opened with O_PATH, refers to, even if it is a
 * symlink. */
int fs_setxattr_path(int fd, const char *attr, const void *p, size_t n);
int fs_removexattr(int dirfd, const char *name, const char *attr);
/* The names, each with its NUL, sorted by bytes; empty if the file system has no
 * xattrs. */
int fs_listxattr(int dirfd, const char *name, struct buf *out);
/* Removes from such a list the names for which keep is false. */
void fs_keep_xattrs(struct buf *list, bool (*keep)(const void *ctx, const char *attr),
	const void *ctx);
/* Reads a value of any size. */
int fs_getxattr_buf(int dirfd, const char *name, const char *attr, struct buf *out);
/* 1 if two files have the same of the xattrs in their lists, with the same values; 0 if
 * not, -1 with errno. */
int fs_same_xattrs(int a, const char *name_a, const struct buf *list_a, int b,
	const char *name_b, const struct buf *list_b);

/*
 * Iterates over the names in a directory, without "." and "..". One that does not exist
 * has no names.
 *
 *	auto_fsdir d = fs_dir_at(dirfd, name);
 *	while ((r = fs_dir_next(&d, &name, &type)) > 0) ...
 */
#define FS_DIR_BLOCK 32768
struct fs_dir {
	int fd; /* -1: it could not be opened */
	int why; /* errno of that */
	char *data; /* FS_DIR_BLOCK bytes */
	size_t pos;
	size_t len;
};
struct fs_dir fs_dir_at(int dirfd, const char *name);
/* 1 and a name, 0 at the end, -1 with errno. type is a DT_* of readdir(3), maybe
 * DT_UNKNOWN. */
int fs_dir_next(struct fs_dir *d, const char **name, unsigned char *type);
void fs_dir_close(struct fs_dir *d);
#define auto_fsdir __attribute__((cleanup(fs_dir_close))) struct fs_dir

/*
 * Removes name and everything below it. It is not an error if name does not exist or
 * another process removes it at the same time. Never leaves the tree, whatever is in it.
 * Stops at a mount with EXDEV or EBUSY and does not touch it. EINTR when *stop is set.
 */
int fs_rmtree(int dirfd, const char *name, const atomic_int *stop);

struct fs_remover {
	const atomic_int *stop; /* NULL: never */
	void (*gone)(void *ctx); /* called for each removed entry; or NULL */
	void *ctx;
	struct buf stuck; /* the path of what could not be removed; the caller releases
			   * it */
	bool flagged; /* it is immutable or append-only, see chattr(1) */
};
int fs_rmtree_by(struct fs_remover *how, int dirfd, const char *name);

/* What trees take on disk, in bytes of allocated blocks. All zero: nothing yet. */
struct fs_blocks {
	uint64_t own; /* each file once, however many names it has */
	uint64_t freed; /* without files that have a hard link elsewhere */
	const atomic_int *stop; /* NULL: never */
	struct inodes links;
};

/* Adds name and everything below it. Skips files that have disappeared, may not be read
 * or are on another file system. Files with hard links in several of the added trees
 * count once. EINTR when *stop is set. */
int fs_tree_blocks(struct fs_blocks *b, int dirfd, const char *name);
void fs_blocks_release(struct fs_blocks *b);
#define auto_blocks __attribute__((cleanup(fs_blocks_release))) struct fs_blocks

/* Sets the mode of what fd, opened with O_PATH, refers to; not for symlinks. */
int fs_chmod_path(int fd, mode_t mode);

/*
 * renameat2(2). If a directory passes its project id on to new entries (quotas of XFS and
 * ext4), the kernel refuses to move anything with another id into it (EXDEV). In that
 * case the file or directory gets the id of its new directory first; the entries of a
 * directory keep theirs.
 */
int fs_rename(int fromdir, const char *from, int todir, const char *to, unsigned flags);

/* mkdirat(2) that succeeds if the directory exists already. */
int fs_mkdir(int dirfd, const char *name, mode_t mode);

/* Copies owner, mode, xattrs (with ACLs) and times of from to to; both are open. Of the
 * xattrs those that xp passes on, see xattr_inherits(); NULL: all. */
int fs_copy_meta(int from, int to, const struct xattr_policy *xp);

/* The xattrs alone, of name in from to as in to; NULL: of the open files themselves. */
int fs_copy_xattrs(int from, const char *name, int to, const char *as,
	const struct xattr_policy *xp);

/* Gives fd, which replaces name in dirfd, owner, group, mode and ACLs of that: 0; 1 if that is
 * not permitted for some, and then nobody has more permissions than before; -1. */
int fs_be_like(int fd, int dirfd, const char *name, const struct stat *old);

/* Removes the ACLs that a new file or directory inherited. */
int fs_drop_acls(int dirfd, const char *name);
/* Removes all xattrs of an open file. */
int fs_drop_xattrs(int fd);

/*
 * Copies a file that is not a directory to the new name as: data (as a reflink if the
 * file system can, with its holes), owner, mode, times, xattrs with ACLs. EINTR
 * when *stop is set. A failure leaves an incomplete copy behind.
 */
struct fs_copier {
	const struct xattr_policy *xattrs; /* as in fs_copy_meta */
	const atomic_int *stop; /* NULL: never */
};
int fs_copy(
	const struct fs_copier *c, int from, const char *name, int to, const char *as);

/* Are they of one file? */
static inline bool fs_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* 1 if the directory fd is that one or lies in it, 0 if not or if the caller may not look;
 * -1 with errno. */
int fs_is_within(int fd, const struct stat *dir);

/* 1 if the name exists, 0 if not, -1 with errno if that is unknown. Does not follow
 * symlinks. */
int fs_exists(int dirfd, const char *name);

/* 1 if the open directory fd is what the name refers to now, 0 if not, -1 with errno. */
int fs_is(int dirfd, const char *name, int fd);

/* True if both names refer to the same file; false also if one cannot be looked up. */
bool fs_is_same(int a, const char *name_a, int b, const char *name_b);

/* True if errnum means that a file has been removed or replaced by another kind of
 * file. */
bool fs_is_gone(int errnum);

/* True if fd is on overlayfs, which the kernel does not accept as an upper. */
bool fs_is_overlay(int fd);

/* True if syncing any file of fd's file system also brings every earlier change to
 * disk, or if nothing ever is (tmpfs). False for unknown file systems. */
bool fs_logs_in_order(int fd);

#endif
