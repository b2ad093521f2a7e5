/*
 * Hashes a tree: every change changes the number. The times of directories count only if
 * asked for, because temporary files in a directory change them.
 */
#ifndef SNAP_H
#define SNAP_H

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* FNV-1a, 64 bits. */
static uint64_t snap_hash(uint64_t h, const void *p, size_t n)
{
	const unsigned char *at = p;

	while (n--)
		h = (h ^ *at++) * 0x100000001b3;
	return h;
}

static uint64_t snap_data(uint64_t h, int dirfd, const char *name, mode_t mode)
{
	char data[65536];
	ssize_t n;
	int fd;

	if (S_ISLNK(mode)) {
		n = readlinkat(dirfd, name, data, sizeof(data));
		return n < 0 ? h : snap_hash(h, data, (size_t)n);
	}
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
	while ((n = read(fd, data, sizeof(data))) > 0)
		h = snap_hash(h, data, (size_t)n);
	close(fd);
	return h;
}

/* The hash of name and everything below it. exact: with all times, including ctime. */
static uint64_t snap_tree(int dirfd, const char *name, uint64_t seed, bool exact)
{
	struct {
		uint64_t mode, uid, gid, rdev, size, nlink;
		struct timespec mtime, ctime;
	} f = {0};
	uint64_t h = snap_hash(seed ^ 0xcbf29ce484222325, name, strlen(name) + 1);
	uint64_t sum = 0;
	struct stat st;
	struct dirent *e;
	DIR *d;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	f.mode = st.st_mode;
	f.uid = st.st_uid;
	f.gid = st.st_gid;
	f.rdev = st.st_rdev;
	if (exact)
		f.ctime = st.st_ctim;
	if (exact || !S_ISDIR(st.st_mode)) {
		f.size = (uint64_t)st.st_size;
		f.nlink = st.st_nlink;
		f.mtime = st.st_mtim;
	}
	h = snap_hash(h, &f, sizeof(f));
	if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		h = snap_data(h, dirfd, name, st.st_mode);
	if (!S_ISDIR(st.st_mode))
		return h;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sum += snap_tree(fd, e->d_name, h, exact);
	}
	if (d)
		closedir(d);
	return h + sum;
}

#endif
