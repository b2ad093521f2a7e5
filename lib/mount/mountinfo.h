/*
 * The kernel's mount tables, /proc/PID/mountinfo. See proc_pid_mountinfo(5); for other
 * namespaces, namespaces.h.
 */
#ifndef OVL_MOUNTINFO_H
#define OVL_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* A line; its texts are owned by the table, with \ooo decoded. */
struct mi_line {
	int id; /* the mount id of statx(2) */
	int parent; /* id of the mount it is mounted on */
	const char *dev; /* "major:minor" of its file system */
	const char *root; /* the directory of that file system that is mounted */
	const char *where; /* the mount point, as seen from the process's root */
	const char *type;
	const char *source;
	const char *options; /* of the superblock, not decoded */
};

/* One mount namespace. */
struct mi_table {
	int root; /* its root directory, O_PATH; -1: this process's, or not permitted */
	uint64_t ns; /* inode of the namespace; 0: this process's */
	struct mi_line *line; /* in the kernel's order */
	size_t n;
	struct mi_line **by_id;
	struct buf text;
};

struct mi_all {
	struct mi_table *table; /* this process's own first */
	size_t n;
};

/* Reads only this process's mounts; negative errno. */
int mi_self(struct mi_all *out);
/* Adds the table that the file in dirfd holds. */
int mi_load(struct mi_all *a, int dirfd, const char *file);
/* Drops all tables except the first. */
void mi_keep_own(struct mi_all *a);
void mi_release(struct mi_all *a);
#define auto_mi __attribute__((cleanup(mi_release))) struct mi_all

/* The mount with that id; NULL if it is not visible. */
const struct mi_line *mi_by_id(const struct mi_table *t, int id);
/* The same for the one that the open file is on. */
const struct mi_line *mi_of_file(const struct mi_table *own, int fd);

/* Parses the text of a mountinfo file that t->text holds; -ENOMEM. */
int mi_parse(struct mi_table *t);

/* Decodes \ooo in a field, in place. */
void mi_unescape(char *s);

enum mi_role { MI_UPPER, MI_LOWER };

/* Calls fn for each directory in an overlay's options until it returns nonzero; with a
 * name from which "//", "/." and a slash at the end were removed: "" for ".". */
int mi_each_dir(const struct mi_line *line,
	int (*fn)(void *ctx, enum mi_role role, const char *name), void *ctx);

/* For a path below mount m: its path in the mounted file system, which the caller frees.
 * NULL: it is not below m, or out of memory. */
char *mi_place(const struct mi_line *m, const char *path);

#endif
