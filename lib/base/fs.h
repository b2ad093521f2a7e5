/*
 * Every file system call of the library in a form that takes a place as (dirfd, name).
 * This is the one file that knows openat2(2), /proc/self/fd and getdents.
 *
 * Return values: a descriptor, a count or 0; -1 with errno set. Nothing here writes an
 * ovl_err: the caller knows what the file was for.
 */
#ifndef OVL_FS_H
#define OVL_FS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"

/* Of directories in each other, for walks that need stack for each. */
#define FS_MAX_DEPTH 4096

/* A directory of the store or of a layer: read access, last component not followed. */
int fs_open_dir(int dirfd, const char *name);

/* A directory; EXDEV if something is mounted on it. */
int fs_open_unmounted(int dirfd, const char *name, int flags);

/* path below root, without any symlink on the way; flags as open(2). Any length. */
int fs_open_beneath(int root, const char *path, int flags);

/*
 * The directory path as a process chrooted to root would find it: symlinks on the way
 * stay inside. O_PATH. *followed tells whether one was met (may be NULL).
 */
int fs_open_inside(int root, const char *path, bool *followed);

/* path below root through symlinks, none of which may lead out of it (EXDEV). */
int fs_open_link(int root, const char *path, int flags);

/* The path of the open directory fd relative to the open directory root. */
int fs_path_below(int root, int fd, struct buf *out);

/* The absolute path of fd. */
int fs_path_of(int fd, struct buf *out);

/*
 * A whole small file. Fails with EFBIG over max bytes. Fails with EINVAL if it is not a
 * regular file.
 */
int fs_read_file(int dirfd, const char *name, size_t max, struct buf *out);

/* A new file (it must not exist) of mode 0600 with this content. */
int fs_write_new(int dirfd, const char *name, const void *data, size_t len);

/* The same in place of what is there, in one step. By way of a file .name.new, which is
 * synced before. */
int fs_replace(int dirfd, const char *name, const void *data, size_t len);

/* The target of a symlink; EFBIG over max. */
int fs_readlink(int dirfd, const char *name, size_t max, struct buf *out);

/*
 * n bytes to read files into, NULL if there are not; free() them. They begin with a page:
 * into others read(2) copies at a fifth of the speed on some processors.
 */
void *fs_buffer(size_t n);

/* n bytes, or fewer if the file ends; restarted after EINTR. */
ssize_t fs_read_upto(int fd, void *p, size_t n);
ssize_t fs_pread_upto(int fd, void *p, size_t n, uint64_t offset);

/* All of it or an error; restarted after EINTR. */
int fs_write_all(int fd, const void *p, size_t n);
/* To what may keep a writer waiting, a pipe: EINTR when *stop is set (NULL: never). */
int fs_write_until(int fd, const void *p, size_t n, const atomic_int *stop);
int fs_pwrite_all(int fd, const void *p, size_t n, uint64_t offset);

/*
 * Do two files of that size hold other data? 1, 0, -1. Holes of both are passed over.
 * EINTR when *stop is set (NULL: never).
 */
int fs_data_differs(int a, int b, off_t size, const atomic_int *stop);

/* Extended attributes of dirfd itself (name NULL; it must be open for reading), or of
 * name in it, not followed. */
ssize_t fs_getxattr(int dirfd, const char *name, const char *attr, void *p, size_t n);
int fs_setxattr(int dirfd, const char *name, const char *attr, const void *p, size_t n);
/* Of what fd, open with O_PATH, is, be it a symlink. */
int fs_setxattr_path(int fd, const char *attr, const void *p, size_t n);
int fs_removexattr(int dirfd, const char *name, const char *attr);
/* The names, each with its NUL, sorted by bytes; none where the file system has none. */
int fs_listxattr(int dirfd, const char *name, struct buf *out);
/* A value of any size. */
int fs_getxattr_buf(int dirfd, const char *name, const char *attr, struct buf *out);

/*
 * Names in a directory, without "." and "..".
 *
 *	struct fs_dir d;
 *	if (fs_dir_open(&d, dirfd, name) < 0) ...
 *	while ((r = fs_dir_next(&d, &name, &type)) > 0) ...
 *	fs_dir_close(&d);
 */
struct fs_dir {
	int fd;
	char *data;
	size_t pos;
	size_t len;
};
int fs_dir_open(struct fs_dir *d, int dirfd, const char *name);
/* 1 and a name, 0 at the end, -1. type is DT_* of readdir(3), maybe DT_UNKNOWN. */
int fs_dir_next(struct fs_dir *d, const char **name, unsigned char *type);
/* From the start again. */
int fs_dir_rewind(struct fs_dir *d);
void fs_dir_close(struct fs_dir *d);
#define auto_fsdir __attribute__((cleanup(fs_dir_close))) struct fs_dir

/*
 * Removes name and all below it; no error if it is not there, nor if another removes it at
 * the same time. Never leaves the tree, whatever is in it, and needs a fixed number of
 * descriptors. Stops at a mount, with EXDEV or EBUSY; what is mounted is not touched.
 * EINTR when *stop is set.
 */
int fs_rmtree(int dirfd, const char *name, const atomic_int *stop);

struct fs_remover {
	const atomic_int *stop; /* NULL: never */
	void (*gone)(void *ctx); /* called for each entry that was removed; or NULL */
	void *ctx;
	struct buf stuck; /* the path of what could not be removed; to be released */
	bool flagged; /* it is immutable or append-only, see chattr(1) */
};
int fs_rmtree_by(struct fs_remover *how, int dirfd, const char *name);

/* Bytes that name and all below it take on disk, as far as it can be read; never leaves the
 * file system. */
uint64_t fs_tree_bytes(int dirfd, const char *name);

/* The mode of what fd, open with O_PATH and no symlink, is. */
int fs_chmod_path(int fd, mode_t mode);

/*
 * renameat2(2). Where directories hand their project id on (quotas of XFS and ext4) the
 * kernel lets only what has it in, with EXDEV: then the file or directory that is moved
 * takes that of the directory it moves to. What lies in it keeps its own.
 */
int fs_rename(int fromdir, const char *from, int todir, const char *to, unsigned flags);

/* mkdir that is content with a directory that is there. */
int fs_mkdir(int dirfd, const char *name, mode_t mode);

/* Owner, mode, xattrs (with ACLs) and times of from onto to; both are open. keep
 * says which xattrs go along (NULL: all). */
int fs_copy_meta(int from, int to, bool (*keep)(void *ctx, const char *attr), void *ctx);

/* Takes ACLs away that the directory it was made in has handed on. */
int fs_drop_acls(int dirfd, const char *name);

/*
 * A copy, under the new name as, of a file that is no directory: data (shared where the
 * file system can, holes where there are holes), owner, mode, times, xattrs with ACLs.
 * keep is that of fs_copy_meta; EINTR when *stop is set. A failure leaves what was made.
 */
struct fs_copier {
	bool (*keep)(void *ctx, const char *attr);
	void *ctx;
	const atomic_int *stop;
};
int fs_copy(
	const struct fs_copier *c, int from, const char *name, int to, const char *as);

/* Is the name there? 1, 0, or -1 when that cannot be told. Symlinks are not followed. */
int fs_exists(int dirfd, const char *name);

/* Is the open directory fd what is found under that name? 1, 0, -1. */
int fs_is(int dirfd, const char *name, int fd);

/* Does that errno say that a name, or what it was, is not there any more? */
bool fs_is_gone(int errnum);

/* Is fd's file system one of those that never were a base for an upper? */
bool fs_is_overlay(int fd);

/* Is what was done before on fd's file system on disk when a file is synced, in any order
 * and by anyone (or is nothing ever)? false also of one that is not known. */
bool fs_logs_in_order(int fd);

#endif
