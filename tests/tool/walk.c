/*
 * Prints everything about a tree as text that can be compared: a line for each file,
 * sorted, with type, mode, owner, size, device, time, link target, the first name of its
 * hard links, data and holes, xattrs.
 *
 *	walk [-H] [-t] [-o] DIR
 *
 * -H leaves out the map of holes, -t the times of directories, -o the xattrs of
 * overlayfs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sha256.h"

static bool no_holes, no_dir_times, no_overlay;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "walk: %s: %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void print_name(const char *s)
{
	for (; *s; s++) {
		if (*s > ' ' && *s < 127 && *s != '\\' && *s != '=')
			putchar(*s);
		else
			printf("\\%03o", (unsigned char)*s);
	}
}

/* ---- hard links: the first path of each inode ------------------------------------- */

/* names are those in the tree: the link count of a file may include others (in a lower
 * layer, for example). */
static struct group {
	dev_t dev;
	ino_t ino;
	char *path;
	unsigned names;
} * groups;
static size_t n_groups;

static struct group *find_group(const struct stat *st)
{
	for (size_t i = 0; i < n_groups; i++) {
		if (groups[i].ino == st->st_ino && groups[i].dev == st->st_dev)
			return &groups[i];
	}
	return NULL;
}

static void count_name(const char *path, const struct stat *st)
{
	struct group *g;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return;
	g = find_group(st);
	if (!g) {
		groups = realloc(groups, (n_groups + 1) * sizeof(*groups));
		g = &groups[n_groups++];
		*g = (struct group){st->st_dev, st->st_ino, strdup(path), 0};
	}
	g->names++;
}

/* ---- one file --------------------------------------------------------------------- */

static void print_xattrs(const char *path)
{
	char names[65536];
	ssize_t n = llistxattr(path, names, sizeof(names));
	char *list[1024];
	int count = 0;

	if (n < 0 && errno == EOPNOTSUPP)
		return;
	if (n < 0)
		die("listxattr", path);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
		list[count++] = names + at;
	for (int i = 1; i < count; i++) {
		for (int j = i; j > 0 && strcmp(list[j - 1], list[j]) > 0; j--) {
			char *t = list[j];

			list[j] = list[j - 1];
			list[j - 1] = t;
		}
	}
	for (int i = 0; i < count; i++) {
		unsigned char value[65536];
		ssize_t len = lgetxattr(path, list[i], value, sizeof(value));

		if (no_overlay &&
			(strncmp(list[i], "trusted.overlay.", 16) == 0 ||
				strncmp(list[i], "user.overlay.", 13) == 0))
			continue;
		if (len < 0)
			die("getxattr", path);
		putchar(' ');
		print_name(list[i]);
		putchar('=');
		for (ssize_t b = 0; b < len; b++)
			printf("%02x", value[b]);
	}
}

static void print_data(const char *path, off_t size)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die("open", path);
	if (sha256_of(fd, sum) < 0)
		die("read", path);
	printf(" data=");
	for (int i = 0; i < 8; i++)
		printf("%02x", sum[i]);
	if (!no_holes) {
		off_t at = 0;

		printf(" at=");
		while (at < size) {
			off_t data = lseek(fd, at, SEEK_DATA);
			off_t hole;

			if (data < 0)
				break;
			hole = lseek(fd, data, SEEK_HOLE);
			printf("%" PRId64 "-%" PRId64 ",", (int64_t)data, (int64_t)hole);
			at = hole;
		}
	}
	close(fd);
}

static void print_file(const char *path, const struct stat *st)
{
	bool dir = S_ISDIR(st->st_mode);
	const struct group *g = dir ? NULL : find_group(st);

	print_name(path);
	printf(" %06o %u:%u", st->st_mode, st->st_uid, st->st_gid);
	if (!dir || !no_dir_times)
		printf(" t=%" PRId64 ".%09ld", (int64_t)st->st_mtim.tv_sec,
			st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf(" dev=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (g && g->names > 1) {
		printf(" same=");
		print_name(g->path);
	}
	if (S_ISLNK(st->st_mode)) {
		char to[65536];
		ssize_t n = readlink(path, to, sizeof(to) - 1);

		if (n < 0)
			die("readlink", path);
		to[n] = '\0';
		printf(" -> ");
		print_name(to);
	}
	if (S_ISREG(st->st_mode)) {
		printf(" size=%" PRId64, (int64_t)st->st_size);
		print_data(path, st->st_size);
	}
	print_xattrs(path);
	putchar('\n');
}

/* ---- the tree --------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void walk(const char *path, void (*fn)(const char *path, const struct stat *st))
{
	struct stat st;
	char **names = NULL;
	size_t n = 0;
	struct dirent *e;
	DIR *d;

	if (lstat(path, &st) < 0)
		die("stat", path);
	fn(path, &st);
	if (!S_ISDIR(st.st_mode))
		return;
	d = opendir(path);
	if (!d)
		die("opendir", path);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		names = realloc(names, (n + 1) * sizeof(*names));
		names[n++] = strdup(e->d_name);
	}
	closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), by_bytes);
	for (size_t i = 0; i < n; i++) {
		char *sub;

		if (asprintf(&sub, "%s/%s", path, names[i]) < 0)
			die("path", path);
		walk(sub, fn);
		free(sub);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "Hto")) != -1) {
		no_holes |= c == 'H';
		no_dir_times |= c == 't';
		no_overlay |= c == 'o';
	}
	if (optind >= argc || chdir(argv[optind]) < 0)
		die("chdir", optind < argc ? argv[optind] : "?");
	walk(".", count_name);
	walk(".", print_file);
	return fflush(stdout) != 0;
}
