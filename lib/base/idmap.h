/*
 * Which user and group ids exist in this user namespace (user_namespaces(7)).
 */
#ifndef OVL_IDMAP_H
#define OVL_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define IDMAP_MAX 340 /* lines of a map, a kernel limit */

/* All zero: an empty one. Most have one range. */
struct idmap {
	unsigned n;
	struct idmap_range {
		uint32_t first;
		uint32_t count;
	} * range;
};

/* file: "/proc/self/uid_map" or "/proc/self/gid_map". */
int idmap_read(struct idmap *m, const char *file, struct ovl_err *err);

void idmap_release(struct idmap *m);

/* The maps of this process. */
struct idmaps {
	struct idmap uids;
	struct idmap gids;
};

int idmaps_read(struct idmaps *m, struct ovl_err *err);
void idmaps_release(struct idmaps *m);

/* True for mapped ids from 0 to 2^32-2; 2^32-1 is never valid. */
bool idmap_has(const struct idmap *m, int64_t id);

/* True if this process is outside the initial user namespace, or is not root in it. */
bool idmap_unprivileged(void);

#endif
