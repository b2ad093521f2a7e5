/* SPDX-License-Identifier: ISC */
/* Examines a mount namespace without entering it or reading its table. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/id.h"
#include "base/vec.h"
#include "mount/namespaces.h"

/* <linux/mount.h> of Linux 6.12; numbers of calls are the same for all architectures. */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif

struct request {
	uint32_t size;
	uint32_t spare;
	uint64_t mount;
	uint64_t param; /* what is asked for; for listmount the mount after which to
			 * begin */
	uint64_t ns;
};

#define ALL_MOUNTS UINT64_MAX /* LSMT_ROOT */
#define SB_BASIC   0x1U
#define MNT_BASIC  0x2U
#define MNT_ROOT   0x8U
#define MNT_POINT  0x10U

struct answer {
	uint32_t size;
	uint32_t mnt_opts;
	uint64_t mask;
	uint32_t major;
	uint32_t minor;
	uint64_t magic;
	uint32_t sb_flags;
	uint32_t fs_type;
	uint64_t id;
	uint64_t parent;
	uint64_t other[6];
	uint32_t root; /* offsets in text */
	uint32_t point;
	uint64_t later[50];
	char text[2 * 4096 + 16];
};

struct seen {
	uint64_t id;
	uint64_t parent;
	bool near; /* on that file system; true if unknown */
};

struct look {
	uint64_t ns;
	unsigned major; /* of the file system of interest */
	unsigned minor;
	const struct mi_table *own; /* this process's mounts */
	struct seen *mount; /* in the order of ids */
	size_t n;
};

static int ask(const struct look *k, uint64_t mount, uint64_t what, struct answer *out)
{
	struct request r = {
		.size = sizeof(r), .mount = mount, .param = what, .ns = k->ns};

	return syscall(SYS_statmount, &r, out, sizeof(*out), 0) < 0 ? -errno : 0;
}

static int list(struct look *k)
{
	struct request r = {.size = sizeof(r), .mount = ALL_MOUNTS, .ns = k->ns};
	uint64_t id[256];
	long n;

	do {
		n = syscall(SYS_listmount, &r, id, sizeof(id) / sizeof(id[0]), 0);
		if (n < 0)
			return -errno;
		for (long i = 0; i < n; i++) {
			if (!VEC_ROOM(k->mount, k->n))
				return -ENOMEM;
			k->mount[k->n++] = (struct seen){.id = id[i], .near = true};
			r.param = id[i];
		}
	} while (n == sizeof(id) / sizeof(id[0]));
	return 0;
}

/* True if that file system is mounted in this process's namespace too. */
static bool is_here(const struct look *k, const struct answer *a)
{
	char dev[32];

	snprintf(dev, sizeof(dev), "%u:%u", a->major, a->minor);
	for (size_t i = 0; i < k->own->n; i++) {
		if (strcmp(k->own->line[i].dev, dev) == 0)
			return true;
	}
	return false;
}

/*
 * 1 if there is an overlay, 0 if not. Overlays that are mounted here too do not count:
 * their layers are known from here, and each copy of this namespace has them.
 */
static int find_overlay(struct look *k)
{
	for (size_t i = 0; i < k->n; i++) {
		struct answer a;
		int rc = ask(k, k->mount[i].id, SB_BASIC | MNT_BASIC, &a);

		if (rc == -ENOENT) /* it was unmounted meanwhile */
			continue;
		if (rc < 0)
			return rc;
		if (a.magic == OVERLAYFS_SUPER_MAGIC && !is_here(k, &a))
			return 1;
		k->mount[i].near = a.major == k->major && a.minor == k->minor;
		k->mount[i].parent = a.parent;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct seen *x = a;
	const struct seen *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static bool parent_is_near(const struct look *k, size_t i)
{
	struct seen key = {.id = k->mount[i].parent};
	const struct seen *s = bsearch(&key, k->mount, k->n, sizeof(key), by_id);

	return !s || s->near;
}

/* True if a part of the path is the name of a layer's directory. */
static bool has_id(const char *path)
{
	while (*path) {
		size_t n = strspn(path, "0123456789abcdef");

		if (n == ID_LEN && (path[n] == '/' || !path[n]))
			return true;
		path += strcspn(path, "/");
		path += strspn(path, "/");
	}
	return false;
}

/*
 * 1 if something is mounted in the directory of a layer, 0 if not. The path of a mount
 * point in its file system consists of the root of the mount that it is in and the path
 * below that.
 */
static int find_inside(const struct look *k)
{
	for (size_t i = 0; i < k->n; i++) {
		uint64_t what = (k->mount[i].near ? MNT_ROOT : 0) |
			(parent_is_near(k, i) ? MNT_POINT : 0);
		struct answer a;
		int rc = what ? ask(k, k->mount[i].id, what, &a) : -ENOENT;

		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0 &&
			((what & MNT_ROOT && has_id(a.text + a.root)) ||
				(what & MNT_POINT && has_id(a.text + a.point))))
			return 1;
	}
	return 0;
}

bool namespaces_may_matter(uint64_t ns, const char *dev, const struct mi_table *own)
{
	struct look k = {.ns = ns, .own = own};
	int rc = sscanf(dev, "%u:%u", &k.major, &k.minor) == 2 ? list(&k) : -EINVAL;

	if (rc == 0)
		rc = find_overlay(&k);
	if (rc == 0)
		rc = find_inside(&k);
	free(k.mount);
	return rc != 0;
}
