/* SPDX-License-Identifier: ISC */
/* Does a file system still live? Asked by its device number. */
#include <errno.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mount/namespaces.h"
#include "mount/superblock.h"

/* How many numbers are tried, each with a descriptor, and how often. */
#define NUMBERS_MAX 900
#define TRIES       3

int superblock_private(void)
{
	auto_fd ctx = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (ctx < 0 || fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(ctx, FSMOUNT_CLOEXEC, 0);
}

#ifdef SYS_ustat
/* As the kernel writes it, <linux/types.h>; glibc has none any more. */
struct kernel_ustat {
	int free_blocks;
	unsigned long free_files;
	char names[12];
};

/* Statfs of an overlay is that of what its root lies on. Both change all the time: what
 * is the same before and after was so when ustat looked. */
static bool is_another(dev_t dev, int fd)
{
	for (int i = 0; i < TRIES; i++) {
		struct kernel_ustat u;
		struct statfs before;
		struct statfs after;

		if (fstatfs(fd, &before) < 0 ||
			syscall(SYS_ustat, (unsigned)dev, &u) < 0 ||
			fstatfs(fd, &after) < 0)
			return false;
		if (before.f_bfree == after.f_bfree && before.f_ffree == after.f_ffree)
			return u.free_blocks != (int)before.f_bfree ||
				u.free_files != (unsigned long)before.f_ffree;
	}
	return false;
}

static enum superblock by_ustat(dev_t dev, int fd)
{
	struct kernel_ustat u;

	if (syscall(SYS_ustat, (unsigned)dev, &u) < 0)
		return errno == EINVAL ? SB_DEAD : SB_UNKNOWN;
	return is_another(dev, fd) ? SB_DEAD : SB_LIVE;
}
#else
static enum superblock by_ustat(dev_t dev, int fd)
{
	(void)dev;
	(void)fd;
	return SB_UNKNOWN;
}
#endif

/*
 * A new superblock gets the lowest number that is free. So whoever makes them one after
 * the other and gets the number knows that it was free, and whoever gets beyond it that it
 * is taken. Nothing is mounted; all of them end with their descriptors.
 */
static enum superblock by_order(dev_t dev)
{
	enum superblock is = SB_UNKNOWN;
	int held[NUMBERS_MAX];
	int n = 0;

	while (n < NUMBERS_MAX && is == SB_UNKNOWN) {
		struct stat st;
		int fd = superblock_private();

		if (fd < 0)
			break;
		held[n++] = fd;
		if (fstat(fd, &st) < 0 || major(st.st_dev) != major(dev))
			break;
		if (st.st_dev == dev)
			is = SB_DEAD;
		else if (minor(st.st_dev) > minor(dev))
			is = SB_LIVE;
	}
	while (n > 0)
		close(held[--n]);
	return is;
}

static int order_again(void *ctx)
{
	return (int)by_order(*(const dev_t *)ctx);
}

/* Who may not make any may in a namespace of his own; numbers are the same there. */
static enum superblock by_any_order(dev_t dev)
{
	enum superblock is = by_order(dev);
	int rc;

	if (is != SB_UNKNOWN)
		return is;
	rc = namespaces_own(order_again, &dev);
	return rc == SB_DEAD || rc == SB_LIVE ? (enum superblock)rc : SB_UNKNOWN;
}

enum superblock superblock_of(dev_t dev, int fd)
{
	enum superblock is = by_ustat(dev, fd);

	/* Two who try at once take each other's numbers for a moment. */
	for (int i = 0; i < TRIES && is == SB_UNKNOWN; i++) {
		is = by_any_order(dev);
		if (is == SB_LIVE && i + 1 < TRIES)
			is = SB_UNKNOWN;
		else if (is == SB_UNKNOWN)
			break;
	}
	return is;
}
