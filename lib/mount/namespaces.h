/*
 * Reads the mounts of other mount namespaces.
 *
 * Since Linux 6.12 the kernel lists namespaces, even those without a process
 * (NS_MNT_GET_NEXT, see ioctl_nsfs(2)), to a process that has CAP_SYS_ADMIN over them and
 * may enter them. Otherwise only namespaces of visible processes are found.
 */
#ifndef OVL_NAMESPACES_H
#define OVL_NAMESPACES_H

#include <sys/types.h>

#include "mount/mountinfo.h"

/*
 * Calls fn in a child that is root in its own user and mount namespace. Returns its
 * result, 0 to 254; -errno if there is no such child.
 */
int namespaces_own(int (*fn)(void *ctx), void *ctx);
/* The exit status of a child; -1: it has none. */
int namespaces_wait(pid_t pid);

/*
 * Adds the tables of other namespaces to all, which contains this process's own: 0,
 * negative errno. dev ("major:minor"): namespaces may be omitted that have no overlay
 * which this one does not have, and no mount in a layer's directory on that file system;
 * NULL: none are.
 */
int namespaces_read(struct mi_all *all, const char *dev);

/* True if no process is visible in the namespace of the table, and it is not bound
 * to a file in this process's own, as "unshare --mount=FILE" does. */
bool namespaces_is_left(const struct mi_table *t, const struct mi_table *own);

/* Adds the namespace of the table to out: nothing for this process's own; otherwise " in
 * the mount namespace of process PID", or of none. */
void namespaces_say(const struct mi_table *t, struct buf *out);

/* ---- namespaces_list.c ---------------------------------------------------------- */

/* False if the namespace with that id may be omitted; see namespaces_read. */
bool namespaces_may_matter(uint64_t ns, const char *dev, const struct mi_table *own);

#endif
