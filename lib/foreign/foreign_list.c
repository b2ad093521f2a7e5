/* SPDX-License-Identifier: ISC */
/* The engines whose stores can be read. */
#include <stddef.h>

#include "foreign/foreign.h"

static const struct foreign_engine *const engines[] = {
	&foreign_docker, &foreign_containers, &foreign_containerd, NULL};

#define OTHER_DRIVER(owner, driver) \
	"is a store of " owner ", but ovlctl reads only those with the driver " driver

static int recognise(int root, const struct foreign_engine **out)
{
	int r = 0;

	for (size_t i = 0; engines[i] && r == 0; i++) {
		*out = engines[i];
		r = engines[i]->recognise(root);
	}
	return r;
}

/* Stores that cannot be read, by what is in their roots. */
static const struct {
	const char *path, *what;
} others[] = {
	{"containerd/daemon/io.containerd.metadata.v1.bolt",
		"is a root of Docker whose layers are in containerd's store, "
		"'containerd/daemon' in it"},
	{"rootfs/overlayfs",
		"is a root of Docker whose layers are in containerd's store, "
		"mostly /var/lib/containerd"},
	{"network/files/local-kv.db", OTHER_DRIVER("Docker", "overlay2")},
	{"storage.lock", OTHER_DRIVER("containers/storage", "overlay")},
	{"io.containerd.metadata.v1.bolt", OTHER_DRIVER("containerd", "overlayfs")},
};

static const char *other(int root)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (foreign_has(root, others[i].path) > 0)
			return others[i].what;
	}
	return NULL;
}

const struct ovl_foreign ovl_foreign = {
	.recognise = recognise,
	.other = other,
	.read = foreign_read,
};
