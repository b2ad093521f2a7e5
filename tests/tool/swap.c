/*
 * Exchanges the files in a directory with other files, as fast as it can, until SIGTERM:
 *
 *	swap DIR SIDE DIRLINK FILELINK [HARD]
 *
 * Each directory in DIR is exchanged (RENAME_EXCHANGE) with a symlink to DIRLINK,
 * anything else with a symlink to DIRLINK or FILELINK, or with a hard link to the file
 * HARD; and back, if it still exists. SIDE is an empty directory on the same file system.
 * Prints the number of exchanges at the end.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 8

static volatile sig_atomic_t told;
static unsigned long swaps;
static unsigned long junk;
static int side;
static const char *dirlink, *filelink, *hard;

static void on_term(int sig)
{
	told = sig;
}

/* The file to exchange with; made again if an exchange back has left another one here. */
static const char *partner(const char *name, const char *to)
{
	char was[4096];
	char aside[32];
	ssize_t n = readlinkat(side, name, was, sizeof(was) - 1);

	was[n < 0 ? 0 : n] = '\0';
	if (n > 0 && strcmp(was, to) == 0)
		return name;
	snprintf(aside, sizeof(aside), "junk%lu", junk++);
	renameat(side, name, side, aside);
	return symlinkat(to, side, name) == 0 ? name : NULL;
}

static const char *hard_partner(void)
{
	struct stat a;
	struct stat b;
	char aside[32];

	if (stat(hard, &a) == 0 && fstatat(side, "hard", &b, AT_SYMLINK_NOFOLLOW) == 0 &&
		a.st_ino == b.st_ino)
		return "hard";
	snprintf(aside, sizeof(aside), "junk%lu", junk++);
	renameat(side, "hard", side, aside);
	return linkat(AT_FDCWD, hard, side, "hard", 0) == 0 ? "hard" : NULL;
}

static const char *choose(bool dir)
{
	if (dir)
		return partner("dirlink", dirlink);
	if (hard && swaps % 2)
		return hard_partner();
	return swaps % 3 ? partner("filelink", filelink) : partner("dirlink", dirlink);
}

static void swap_one(int dirfd, const char *name, bool dir)
{
	const char *with = choose(dir);

	if (!with || renameat2(dirfd, name, side, with, RENAME_EXCHANGE) < 0)
		return;
	swaps++;
	usleep((useconds_t)(swaps * 37 % 400));
	renameat2(dirfd, name, side, with, RENAME_EXCHANGE);
}

static void swap_all(int dirfd, unsigned depth)
{
	DIR *d = fdopendir(dirfd);
	struct dirent *e;

	while (d && !told && (e = readdir(d))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* If the first directory were missing, most commands would end at
		 * once. */
		if (depth || junk++ % 7 == 6)
			swap_one(dirfd, e->d_name, S_ISDIR(st.st_mode));
		if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
			int fd = openat(dirfd, e->d_name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (fd >= 0)
				swap_all(fd, depth + 1);
		}
	}
	if (d)
		closedir(d);
	else
		close(dirfd);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	signal(SIGTERM, on_term);
	side = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dirlink = argv[3];
	filelink = argv[4];
	hard = argv[5];
	while (!told && side >= 0) {
		int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			swap_all(fd, 0);
		else
			usleep(500);
	}
	printf("%lu\n", swaps);
	return 0;
}
