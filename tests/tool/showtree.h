/*
 * A tree on one line: names sorted, separated by blanks, as NAME:DATA, NAME/ (a
 * directory), NAME>TARGET, NAME| (a fifo), NAME=MAJOR:MINOR (a device); followed by
 * {MODE,UID:GID} if there is a set-id bit or an owner other than root, and by {xNAME} for
 * each xattr. Only the first 20 bytes of data and targets are shown.
 */
#ifndef SHOWTREE_H
#define SHOWTREE_H

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static FILE *tree;

static void show_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (isgraph((unsigned char)s[i]) && s[i] != '\\')
			fputc(s[i], tree);
		else
			fprintf(tree, "\\%03o", (unsigned char)s[i]);
	}
}

static void show_kind(int dirfd, const char *name, const struct stat *st)
{
	char data[20];
	ssize_t n;
	int fd;

	switch (st->st_mode & S_IFMT) {
	case S_IFDIR: fputc('/', tree); return;
	case S_IFIFO: fputc('|', tree); return;
	case S_IFLNK:
		n = readlinkat(dirfd, name, data, sizeof(data));
		fputc('>', tree);
		break;
	case S_IFREG:
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW);
		n = read(fd, data, sizeof(data));
		close(fd);
		fputc(':', tree);
		break;
	default: fprintf(tree, "=%u:%u", major(st->st_rdev), minor(st->st_rdev)); return;
	}
	show_text(data, n < 0 ? 0 : (size_t)n);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_xattrs(int dirfd, const char *name)
{
	char path[512];
	char list[4096];
	char *names[64];
	unsigned used = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%.255s", dirfd, name);
	n = llistxattr(path, list, sizeof(list));
	for (ssize_t at = 0; at < n && used < 64; at += (ssize_t)strlen(list + at) + 1) {
		if (strcmp(list + at, "security.selinux") != 0)
			names[used++] = list + at;
	}
	qsort(names, used, sizeof(*names), by_name);
	for (unsigned i = 0; i < used; i++)
		fprintf(tree, "{x%s}", names[i]);
}

static void show_tree(int dirfd, const char *prefix)
{
	struct dirent **list = NULL;
	int n = scandirat(dirfd, ".", &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		struct stat st;
		char below[8192];

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (ftell(tree))
			fputc(' ', tree);
		show_text(prefix, strlen(prefix));
		show_text(name, strlen(name));
		show_kind(dirfd, name, &st);
		if (st.st_mode & 07000 || st.st_uid || st.st_gid)
			fprintf(tree, "{%o,%u:%u}", st.st_mode & 07777, st.st_uid,
				st.st_gid);
		show_xattrs(dirfd, name);
		if (S_ISDIR(st.st_mode)) {
			int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			snprintf(below, sizeof(below), "%.7900s%s/", prefix, name);
			show_tree(fd, below);
			close(fd);
		}
		free(list[i]);
	}
	free(list);
}

#endif
