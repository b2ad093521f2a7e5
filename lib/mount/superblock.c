/* SPDX-License-Identifier: ISC */
/* Finds out whether a superblock still exists, by its key and its device number. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "mount/namespaces.h"
#include "mount/superblock.h"

/* How many numbers are tried, each with a descriptor, and how often. */
#define NUMBERS_MAX 900
#define TRIES       3

#define KEY_USERS_MAX ((size_t)1 << 20)

int superblock_private(uint64_t size)
{
	auto_fd ctx = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (ctx < 0 ||
		(size &&
			fsconfig(ctx, FSCONFIG_SET_STRING, "size", P("%" PRIu64, size),
				0) < 0) ||
		fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(ctx, FSMOUNT_CLOEXEC, 0);
}

/* ---- by key ----------------------------------------------------------------------- */

/*
 * Keys count towards the quota of the user, which is 200 and shared by all programs; half
 * of it is left to the others. Root's quota is never used up.
 */
static bool quota_is_low(void)
{
	auto_buf text = {0};
	char *rest;
	char *line;
	unsigned uid;
	int used;
	int most;

	if (fs_read_file(AT_FDCWD, "/proc/key-users", KEY_USERS_MAX, &text) < 0)
		return false;
	rest = text.data;
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "%u: %*d %*d/%*d %d/%d", &uid, &used, &most) == 3 &&
			uid == geteuid())
			return used >= most / 2;
	}
	return false;
}

int superblock_key(bool of_user)
{
	long key = of_user && quota_is_low() ?
		0 :
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1);

	return key > 0 ? (int)key : 0;
}

/* The key may belong to another user and be inaccessible. */
static enum superblock by_key(int key)
{
	if (!key)
		return SB_UNKNOWN;
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, NULL, 0) >= 0)
		return SB_LIVE;
	switch (errno) {
	case ENOKEY: return SB_DEAD;
	case EPERM:
	case ENOSYS: return SB_UNKNOWN;
	default: return SB_LIVE;
	}
}

/* ---- by number -------------------------------------------------------------------- */

#ifdef SYS_ustat
/* The kernel's struct in <linux/types.h>, which glibc no longer has. */
struct kernel_ustat {
	int free_blocks;
	unsigned long free_files;
	char names[12];
};

static enum superblock by_ustat(dev_t dev)
{
	struct kernel_ustat u;

	if (syscall(SYS_ustat, (unsigned)dev, &u) < 0)
		return errno == EINVAL ? SB_DEAD : SB_UNKNOWN;
	return SB_LIVE;
}
#else
static enum superblock by_ustat(dev_t dev)
{
	(void)dev;
	return SB_UNKNOWN;
}
#endif

/*
 * A new superblock gets the lowest free number. So this makes superblocks one after the
 * other: if one gets the number, it was free; if one gets a higher number, it is taken.
 * Nothing is mounted; all of them end when their descriptors are closed.
 */
static enum superblock by_order(dev_t dev)
{
	enum superblock is = SB_UNKNOWN;
	int held[NUMBERS_MAX];
	int n = 0;

	while (n < NUMBERS_MAX && is == SB_UNKNOWN) {
		struct stat st;
		int fd = superblock_private(0);

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

/* If this process may not make superblocks, it may in a user namespace of its own, where
 * the numbers are the same. */
static enum superblock by_any_order(dev_t dev)
{
	enum superblock is = by_order(dev);
	int rc;

	if (is != SB_UNKNOWN)
		return is;
	rc = namespaces_own(order_again, &dev);
	return rc == SB_DEAD || rc == SB_LIVE ? (enum superblock)rc : SB_UNKNOWN;
}

/* Two processes that try at the same time take each other's numbers for a moment. */
static enum superblock by_tries(dev_t dev)
{
	enum superblock is = by_any_order(dev);

	for (int i = 1; i < TRIES && is == SB_LIVE; i++)
		is = by_any_order(dev);
	return is;
}

enum superblock superblock_known(dev_t dev, int key)
{
	enum superblock is = by_key(key);
	enum superblock number = SB_UNKNOWN;

	if (is != SB_DEAD && dev)
		number = by_ustat(dev);
	return number != SB_UNKNOWN ? number : is;
}

enum superblock superblock_of(dev_t dev, int key)
{
	enum superblock is = superblock_known(dev, key);

	return is == SB_UNKNOWN && dev ? by_tries(dev) : is;
}
