/*
 * Makes random changes to a tree, the same for the same seed:
 *
 *	edits SEED COUNT DIR
 *
 * Creates, writes, truncates, changes modes, owners, times and xattrs, links, unlinks,
 * renames, makes and removes directories, symlinks and nodes. Errors are ignored. -v
 * before SEED prints what was done.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t state;
static bool verbose;

static unsigned rnd(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(state >> 33) % n;
}

/* ---- picking paths ---------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A random name of a directory, in an order that does not depend on the file system. */
static char *pick_in(const char *dir)
{
	char **names = NULL;
	size_t n = 0;
	struct dirent *e;
	char *out = NULL;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		names = realloc(names, (n + 1) * sizeof(*names));
		names[n++] = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	if (n) {
		qsort(names, n, sizeof(*names), by_bytes);
		out = names[rnd((unsigned)n)];
		for (size_t i = 0; i < n; i++) {
			if (names[i] != out)
				free(names[i]);
		}
	}
	free(names);
	return out;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* An existing path of any depth; "." if the tree is empty. */
static void pick(char *path, size_t size)
{
	char *name;

	snprintf(path, size, ".");
	while ((name = pick_in(path))) {
		size_t n = strlen(path);

		snprintf(path + n, size - n, "/%s", name);
		free(name);
		if (!is_dir(path) || rnd(3) == 0)
			return;
	}
}

static void pick_dir(char *path, size_t size)
{
	pick(path, size);
	while (!is_dir(path))
		*strrchr(path, '/') = '\0';
}

static void pick_file(char *path, size_t size)
{
	struct stat st;

	for (int i = 0; i < 20; i++) {
		pick(path, size);
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			return;
	}
}

/* A name that may exist or not. There are few, so that names are used again. */
static void new_name(char *path, size_t size)
{
	size_t n;

	pick_dir(path, size);
	n = strlen(path);
	snprintf(path + n, size - n, "/n%u", rnd(12));
}

/* ---- work ------------------------------------------------------------------------- */

static void say(const char *what, const char *a, const char *b, int rc)
{
	if (verbose)
		fprintf(stderr, "%s %s %s: %s\n", what, a, b ? b : "",
			rc < 0 ? strerror(errno) : "done");
}

static void write_some(const char *path, int flags)
{
	char data[5000];
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | flags, 0640);
	size_t n = rnd(sizeof(data));

	for (size_t i = 0; i < n; i++)
		data[i] = (char)rnd(256);
	say(flags ? "create" : "write", path, NULL, fd);
	if (fd < 0)
		return;
	if (pwrite(fd, data, n, rnd(3) ? 0 : rnd(200000)) < 0)
		say("pwrite", path, NULL, -1);
	close(fd);
}

static void remove_tree(const char *path)
{
	char *name;

	if (strcmp(path, ".") == 0)
		return;
	while (is_dir(path) && (name = pick_in(path))) {
		char *sub;

		if (asprintf(&sub, "%s/%s", path, name) < 0)
			exit(1);
		remove_tree(sub);
		free(sub);
		free(name);
	}
	say("remove", path, NULL, remove(path));
}

static void set_xattr(const char *path)
{
	char name[32];
	char value[32];

	snprintf(name, sizeof(name), "user.k%u", rnd(4));
	snprintf(value, sizeof(value), "v%u", rnd(100));
	if (rnd(4) == 0)
		say("removexattr", path, name, lremovexattr(path, name));
	else
		say("setxattr", path, name,
			lsetxattr(path, name, value, strlen(value), 0));
}

static void set_time(const char *path)
{
	struct timespec t[2];

	for (int i = 0; i < 2; i++) {
		t[i].tv_sec = 1000000000 + (time_t)rnd(700000000);
		t[i].tv_nsec = (long)rnd(1000000000);
	}
	say("utimens", path, NULL, utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW));
}

static void make_node(const char *path)
{
	if (rnd(2))
		say("mkfifo", path, NULL, mkfifo(path, 0600 | rnd(0100)));
	else
		say("mknod", path, NULL,
			mknod(path, S_IFCHR | 0644, makedev(1 + rnd(5), rnd(300))));
}

static void change_mode(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		say("chmod", path, NULL, chmod(path, rnd(010000)));
}

static void one(void)
{
	char a[8192];
	char b[8192];

	switch (rnd(17)) {
	case 0:
		new_name(a, sizeof(a));
		write_some(a, O_CREAT);
		break;
	case 1:
		pick_file(a, sizeof(a));
		write_some(a, 0);
		break;
	case 2:
		pick_file(a, sizeof(a));
		say("truncate", a, NULL, truncate(a, rnd(300000)));
		break;
	case 3:
		pick(a, sizeof(a));
		change_mode(a);
		break;
	case 4:
		pick(a, sizeof(a));
		say("chown", a, NULL, lchown(a, rnd(2000), rnd(2000)));
		break;
	case 5:
		pick(a, sizeof(a));
		set_xattr(a);
		break;
	case 6:
		pick(a, sizeof(a));
		new_name(b, sizeof(b));
		say("link", a, b, link(a, b));
		break;
	case 7:
		pick(a, sizeof(a));
		say("unlink", a, NULL, unlink(a));
		break;
	case 8:
	case 9:
	case 10:
		pick(a, sizeof(a));
		new_name(b, sizeof(b));
		say("rename", a, b, rename(a, b));
		break;
	case 11:
		new_name(a, sizeof(a));
		say("mkdir", a, NULL, mkdir(a, 0755));
		break;
	case 12:
		pick_dir(a, sizeof(a));
		say("rmdir", a, NULL, rmdir(a));
		break;
	case 13:
		pick_dir(a, sizeof(a));
		remove_tree(a);
		/* and sometimes makes it again, which overlayfs makes opaque */
		if (rnd(2) && strcmp(a, ".") != 0)
			say("mkdir", a, NULL, mkdir(a, 0711));
		break;
	case 14:
		new_name(a, sizeof(a));
		pick(b, sizeof(b));
		say("symlink", b, a, symlink(b, a));
		break;
	case 15:
		new_name(a, sizeof(a));
		make_node(a);
		break;
	case 16:
		pick(a, sizeof(a));
		set_time(a);
		break;
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-v") == 0) {
		verbose = true;
		argv++;
		argc--;
	}
	if (argc < 4 || chdir(argv[3]) < 0)
		return 2;
	umask(0);
	state = strtoull(argv[1], NULL, 10) * 7919 + 1;
	for (unsigned n = (unsigned)atoi(argv[2]); n; n--)
		one();
	return 0;
}
